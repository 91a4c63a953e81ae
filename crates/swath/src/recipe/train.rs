//! `[train]`: length, batches and sampling of a training run.

use serde::{Deserialize, Serialize};
use swath_nn::Precision;

use super::{Phase, phases, require};

/// Length, batches and sampling of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// Batches to train on; 2000 when `epochs` is not given either.
    pub steps: Option<usize>,
    /// Length in epochs instead of steps: one epoch draws as many chips as fit side by side into the
    /// labelled parts of the training scenes.
    pub epochs: Option<usize>,
    /// Chips per batch.
    pub batch: usize,
    /// Side of a training chip in pixels.
    pub chip: usize,
    /// Everything drawn at random follows from this number.
    pub seed: u64,
    /// Threads that load chips ahead of the network; 0 loads between the steps. Does not change the chips.
    pub workers: usize,
    /// How chip positions are drawn.
    pub sampler: SamplerKind,
    /// Balanced sampler: how many times more often than in a uniform draw a rare class may be drawn.
    pub max_repeat: f64,
    /// Steps between validations; a tenth of the run unless given. The last step is always validated.
    pub validate_every: Option<usize>,
    /// Stop after this many validations without a better mean IoU; never unless given.
    pub early_stopping: Option<usize>,
    /// Decoder polycnn: steps on generated polygons before the first step; 2000 unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_steps: Option<usize>,
    /// What convolutions multiply on the device cpu, forward and backward.
    pub precision: TrainPrecision,
    /// Parts of the run in which parts of the network are held or learn more slowly.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
}

impl Default for Train {
    fn default() -> Self {
        Train {
            steps: None,
            epochs: None,
            batch: 8,
            chip: 256,
            seed: 1,
            workers: 2,
            sampler: SamplerKind::Uniform,
            max_repeat: 20.0,
            validate_every: None,
            early_stopping: None,
            generated_steps: None,
            precision: TrainPrecision::Fp32,
            phases: Vec::new(),
        }
    }
}

/// How chip positions are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// Every valid position is as likely as any other.
    Uniform,
    /// First a class, then a position where it occurs.
    Balanced,
    /// The chips of a regular grid in random order.
    Grid,
}

/// What convolutions multiply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainPrecision {
    /// float32.
    Fp32,
    /// bfloat16, rounded from float32 as it is read; weights, sums and all else stay float32. Faster where the processor multiplies tiles (AMX); elsewhere
    /// trainings compute in float32.
    Bf16,
}

impl From<TrainPrecision> for Precision {
    fn from(precision: TrainPrecision) -> Precision {
        match precision {
            TrainPrecision::Fp32 => Precision::Fp32,
            TrainPrecision::Bf16 => Precision::Bf16,
        }
    }
}

/// The length of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// A number of batches.
    Steps(usize),
    /// A number of passes over the training scenes.
    Epochs(usize),
}

/// Steps of a run whose recipe gives neither steps nor epochs.
const DEFAULT_STEPS: usize = 2000;

impl Train {
    /// The length of the run.
    pub fn length(&self) -> Length {
        match (self.steps, self.epochs) {
            (None, Some(epochs)) => Length::Epochs(epochs),
            (steps, _) => Length::Steps(steps.unwrap_or(DEFAULT_STEPS)),
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if let (Some(steps), Some(epochs)) = (self.steps, self.epochs) {
            return Err(format!("train.epochs is {epochs} and train.steps is {steps}: give one of them"));
        }
        for (key, count) in [
            ("train.steps", self.steps.unwrap_or(1)),
            ("train.epochs", self.epochs.unwrap_or(1)),
            ("train.batch", self.batch),
            ("train.chip", self.chip),
            ("train.validate_every", self.validate_every.unwrap_or(1)),
            ("train.early_stopping", self.early_stopping.unwrap_or(1)),
        ] {
            require(count > 0, key, count, "it must be at least 1")?;
        }
        require(self.workers <= 1024, "train.workers", self.workers, "it must be at most 1024")?;
        require(i64::try_from(self.seed).is_ok(), "train.seed", self.seed, "it must be below 2^63")?;
        phases::check(&self.phases)?;
        let repeat = self.max_repeat;
        require(repeat >= 1.0 && repeat.is_finite(), "train.max_repeat", repeat, "it must be at least 1")
    }
}
