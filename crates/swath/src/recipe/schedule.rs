//! `[schedule.*]`: how the learning rate changes over the steps of a run.
//!
//! The formulas are in [`crate::train::schedule`].

use serde::{Deserialize, Serialize};

use super::require;

/// The schedule; `[schedule.one_cycle]` and so on. `lr` is the optimizer's learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleConfig {
    /// `lr` throughout.
    Constant(ConstantConfig),
    /// From `lr` to 0 as a power of the share of steps left.
    Polynomial(PolynomialConfig),
    /// From `lr` down along half a cosine.
    Cosine(CosineConfig),
    /// Up to `lr` and down to almost 0, both along half cosines.
    OneCycle(OneCycleConfig),
    /// Up to `lr` and down again in straight lines, again and again.
    Triangular(TriangularConfig),
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        ScheduleConfig::OneCycle(OneCycleConfig::default())
    }
}

/// A constant learning rate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConstantConfig {
    /// Steps at the start in which the learning rate rises to the schedule's in a straight line.
    pub warmup: usize,
}

/// Polynomial decay, as DeepLab trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolynomialConfig {
    /// Exponent of the share of steps left.
    pub power: f64,
    /// Steps at the start in which the learning rate rises to the schedule's in a straight line.
    pub warmup: usize,
}

impl Default for PolynomialConfig {
    fn default() -> Self {
        PolynomialConfig { power: 0.9, warmup: 0 }
    }
}

/// Cosine annealing (Loshchilov and Hutter, 2017), without restarts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CosineConfig {
    /// Learning rate at the end, as a share of `lr`.
    pub end: f64,
    /// Steps at the start in which the learning rate rises to the schedule's in a straight line.
    pub warmup: usize,
}

/// One cycle (Smith and Topin, 2018) with the cosine form of PyTorch's `OneCycleLR`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneCycleConfig {
    /// Share of the steps in which the learning rate rises.
    pub rise: f64,
    /// `lr` over the learning rate of the first step.
    pub start_divisor: f64,
    /// The first step's learning rate over the last one's.
    pub end_divisor: f64,
    /// Steps at the start in which the learning rate rises to the schedule's in a straight line.
    pub warmup: usize,
}

impl Default for OneCycleConfig {
    fn default() -> Self {
        OneCycleConfig { rise: 0.3, start_divisor: 25.0, end_divisor: 1e4, warmup: 0 }
    }
}

/// The triangular cyclic policy (Smith, 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TriangularConfig {
    /// Lowest learning rate, as a share of `lr`.
    pub base: f64,
    /// Steps from the lowest to the highest learning rate: half a cycle.
    pub half_cycle: usize,
    /// Steps at the start in which the learning rate rises to the schedule's in a straight line.
    pub warmup: usize,
}

impl Default for TriangularConfig {
    fn default() -> Self {
        TriangularConfig { base: 0.1, half_cycle: 500, warmup: 0 }
    }
}

impl ScheduleConfig {
    /// Steps of warm-up.
    pub fn warmup(&self) -> usize {
        match self {
            ScheduleConfig::Constant(config) => config.warmup,
            ScheduleConfig::Polynomial(config) => config.warmup,
            ScheduleConfig::Cosine(config) => config.warmup,
            ScheduleConfig::OneCycle(config) => config.warmup,
            ScheduleConfig::Triangular(config) => config.warmup,
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let share = |key: &str, value: f64| require((0.0..=1.0).contains(&value), key, value, "it must be in [0, 1]");
        let positive =
            |key: &str, value: f64| require(value > 0.0 && value.is_finite(), key, value, "it must be above 0");
        match self {
            ScheduleConfig::Constant(_) => Ok(()),
            ScheduleConfig::Polynomial(config) => positive("schedule.polynomial.power", config.power),
            ScheduleConfig::Cosine(config) => share("schedule.cosine.end", config.end),
            ScheduleConfig::OneCycle(config) => {
                share("schedule.one_cycle.rise", config.rise)?;
                positive("schedule.one_cycle.start_divisor", config.start_divisor)?;
                positive("schedule.one_cycle.end_divisor", config.end_divisor)
            }
            ScheduleConfig::Triangular(config) => {
                share("schedule.triangular.base", config.base)?;
                require(config.half_cycle > 0, "schedule.triangular.half_cycle", 0, "it must be at least 1")
            }
        }
    }
}
