//! `[optimizer.*]`: how weights follow gradients.

use serde::{Deserialize, Serialize};

use super::require;

/// The optimizer; `[optimizer.adamw]`, `[optimizer.adam]` or `[optimizer.sgd]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerConfig {
    /// Adam with decoupled weight decay.
    AdamW(AdamWConfig),
    /// Adam; weight decay, if any, is added to the gradient.
    Adam(AdamConfig),
    /// Stochastic gradient descent with momentum.
    Sgd(SgdConfig),
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        OptimizerConfig::AdamW(AdamWConfig::default())
    }
}

/// AdamW (Loshchilov and Hutter, 2019).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamWConfig {
    /// Highest learning rate; the schedule scales it.
    pub lr: f64,
    /// Share of a weight that is taken away per unit of learning rate and step; not of norms and biases.
    pub weight_decay: f64,
    /// Decay of the running means of gradient and squared gradient.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub epsilon: f64,
    /// Largest length of the gradient over all parameters together; longer ones are scaled down.
    pub clip_norm: Option<f64>,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        AdamWConfig { lr: 1e-3, weight_decay: 1e-2, betas: [0.9, 0.999], epsilon: 1e-8, clip_norm: None }
    }
}

/// Adam (Kingma and Ba, 2015).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Highest learning rate; the schedule scales it.
    pub lr: f64,
    /// Times the weight is added to the gradient; not for norms and biases.
    pub weight_decay: f64,
    /// Decay of the running means of gradient and squared gradient.
    pub betas: [f64; 2],
    /// Added to the denominator.
    pub epsilon: f64,
    /// Largest length of the gradient over all parameters together; longer ones are scaled down.
    pub clip_norm: Option<f64>,
}

impl Default for AdamConfig {
    fn default() -> Self {
        AdamConfig { lr: 1e-3, weight_decay: 0.0, betas: [0.9, 0.999], epsilon: 1e-8, clip_norm: None }
    }
}

/// Stochastic gradient descent with momentum, as in PyTorch (the momentum buffer gathers gradients, the
/// learning rate multiplies the buffer).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SgdConfig {
    /// Highest learning rate; the schedule scales it.
    pub lr: f64,
    /// Times the weight is added to the gradient; not for norms and biases.
    pub weight_decay: f64,
    /// Share of the previous step that is kept; 0 is plain descent.
    pub momentum: f64,
    /// Look ahead along the momentum (Nesterov).
    pub nesterov: bool,
    /// Largest length of the gradient over all parameters together; longer ones are scaled down.
    pub clip_norm: Option<f64>,
}

impl Default for SgdConfig {
    fn default() -> Self {
        SgdConfig { lr: 1e-2, weight_decay: 0.0, momentum: 0.9, nesterov: false, clip_norm: None }
    }
}

impl OptimizerConfig {
    /// The name by which recipes call it.
    pub fn name(&self) -> &'static str {
        match self {
            OptimizerConfig::AdamW(_) => "adamw",
            OptimizerConfig::Adam(_) => "adam",
            OptimizerConfig::Sgd(_) => "sgd",
        }
    }

    /// The highest learning rate.
    pub fn lr(&self) -> f64 {
        match self {
            OptimizerConfig::AdamW(config) => config.lr,
            OptimizerConfig::Adam(config) => config.lr,
            OptimizerConfig::Sgd(config) => config.lr,
        }
    }

    /// The largest global gradient norm, if gradients are clipped.
    pub fn clip_norm(&self) -> Option<f64> {
        match self {
            OptimizerConfig::AdamW(config) => config.clip_norm,
            OptimizerConfig::Adam(config) => config.clip_norm,
            OptimizerConfig::Sgd(config) => config.clip_norm,
        }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let (name, weight_decay) = match self {
            OptimizerConfig::AdamW(config) => {
                check_moments("optimizer.adamw", config.betas, config.epsilon)?;
                ("optimizer.adamw", config.weight_decay)
            }
            OptimizerConfig::Adam(config) => {
                check_moments("optimizer.adam", config.betas, config.epsilon)?;
                ("optimizer.adam", config.weight_decay)
            }
            OptimizerConfig::Sgd(config) => {
                let (momentum, name) = (config.momentum, "optimizer.sgd");
                require((0.0..1.0).contains(&momentum), "optimizer.sgd.momentum", momentum, "it must be in [0, 1)")?;
                let possible = !config.nesterov || momentum > 0.0;
                require(possible, "optimizer.sgd.nesterov", "true", "it needs a momentum above 0")?;
                (name, config.weight_decay)
            }
        };
        let lr = self.lr();
        require(lr > 0.0 && lr.is_finite(), &format!("{name}.lr"), lr, "it must be above 0")?;
        let decays = weight_decay >= 0.0 && weight_decay.is_finite();
        require(decays, &format!("{name}.weight_decay"), weight_decay, "it must be 0 or more")?;
        match self.clip_norm() {
            Some(norm) => require(
                norm > 0.0 && norm.is_finite(),
                &format!("{name}.clip_norm"),
                norm,
                "it must be above 0; leave it out to not clip",
            ),
            None => Ok(()),
        }
    }
}

fn check_moments(name: &str, betas: [f64; 2], epsilon: f64) -> Result<(), String> {
    for beta in betas {
        require((0.0..1.0).contains(&beta), &format!("{name}.betas"), beta, "both must be in [0, 1)")?;
    }
    require(epsilon > 0.0 && epsilon.is_finite(), &format!("{name}.epsilon"), epsilon, "it must be above 0")
}
