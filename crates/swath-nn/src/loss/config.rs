//! The recipe's form of a loss.

use serde::{Deserialize, Serialize};

/// A weighted sum of terms.
///
/// ```toml
/// [loss]
/// terms = [{ cross_entropy = { label_smoothing = 0.1 } }, { soft_iou = { weight = 0.5 } }]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LossConfig {
    /// The terms; their weighted values are added.
    pub terms: Vec<Term>,
}

impl Default for LossConfig {
    /// Cross-entropy alone.
    fn default() -> Self {
        LossConfig { terms: vec![Term::CrossEntropy(CrossEntropyConfig::default())] }
    }
}

/// One term of a loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Softmax cross-entropy.
    CrossEntropy(CrossEntropyConfig),
    /// Soft intersection over union.
    SoftIou(SoftIouConfig),
}

/// Softmax cross-entropy with PyTorch's meaning of every option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropyConfig {
    /// Factor of this term in the sum.
    pub weight: f64,
    /// One factor per class; all 1 unless given.
    pub class_weights: Option<Vec<f64>>,
    /// Share of the target that is spread evenly over all classes, in [0, 1].
    pub label_smoothing: f64,
}

impl Default for CrossEntropyConfig {
    fn default() -> Self {
        CrossEntropyConfig { weight: 1.0, class_weights: None, label_smoothing: 0.0 }
    }
}

/// Soft intersection over union.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoftIouConfig {
    /// Factor of this term in the sum.
    pub weight: f64,
}

impl Default for SoftIouConfig {
    fn default() -> Self {
        SoftIouConfig { weight: 1.0 }
    }
}

/// Why a loss cannot be minimized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {problem}")]
pub struct LossError {
    /// The key at fault, seen from the loss: `terms[0].soft_iou.weight`.
    pub key: String,
    /// Its value and what would be right.
    pub problem: String,
}

impl LossConfig {
    /// Refuses what cannot be minimized: no terms, weights below 0, class weights that do not fit.
    ///
    /// # Errors
    ///
    /// With the key and what would be right.
    pub fn check(&self, classes: usize) -> Result<(), LossError> {
        let wanted = "empty: list at least one, for example { cross_entropy = {} }";
        require(!self.terms.is_empty(), || "terms".to_owned(), || wanted.to_owned())?;
        self.terms.iter().enumerate().try_for_each(|(at, term)| match term {
            Term::CrossEntropy(config) => config.check(&format!("terms[{at}].cross_entropy"), classes),
            Term::SoftIou(config) => check_weight(&format!("terms[{at}].soft_iou"), config.weight),
        })
    }
}

impl CrossEntropyConfig {
    fn check(&self, key: &str, classes: usize) -> Result<(), LossError> {
        check_weight(key, self.weight)?;
        let smoothing = self.label_smoothing;
        require(
            (0.0..=1.0).contains(&smoothing),
            || format!("{key}.label_smoothing"),
            || format!("{smoothing}: it must be in [0, 1]"),
        )?;
        let Some(weights) = &self.class_weights else { return Ok(()) };
        let key = || format!("{key}.class_weights");
        require(weights.len() == classes, key, || {
            format!("{} numbers for {classes} classes: give one each", weights.len())
        })?;
        let usable = weights.iter().all(|weight| *weight >= 0.0 && weight.is_finite());
        require(usable && weights.iter().any(|weight| *weight > 0.0), key, || {
            format!("{weights:?}: none may be negative, and not all may be 0")
        })
    }
}

fn check_weight(key: &str, weight: f64) -> Result<(), LossError> {
    let fine = weight > 0.0 && weight.is_finite();
    require(fine, || format!("{key}.weight"), || format!("{weight}: it must be above 0"))
}

fn require(fine: bool, key: impl Fn() -> String, problem: impl Fn() -> String) -> Result<(), LossError> {
    if fine { Ok(()) } else { Err(LossError { key: key(), problem: problem() }) }
}
