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

impl LossConfig {
    /// Refuses what cannot be minimized: no terms, weights below 0, class weights that do not fit.
    ///
    /// # Errors
    ///
    /// A line that begins with the key, seen from the loss.
    pub fn check(&self, classes: usize) -> Result<(), String> {
        if self.terms.is_empty() {
            return Err("terms is empty: list at least one, for example { cross_entropy = {} }".to_owned());
        }
        for (at, term) in self.terms.iter().enumerate() {
            let key = format!("terms[{at}]");
            match term {
                Term::CrossEntropy(config) => config.check(&format!("{key}.cross_entropy"), classes)?,
                Term::SoftIou(config) => check_weight(&format!("{key}.soft_iou"), config.weight)?,
            }
        }
        Ok(())
    }
}

impl CrossEntropyConfig {
    fn check(&self, key: &str, classes: usize) -> Result<(), String> {
        check_weight(key, self.weight)?;
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            return Err(format!("{key}.label_smoothing is {}: it must be in [0, 1]", self.label_smoothing));
        }
        let Some(weights) = &self.class_weights else { return Ok(()) };
        if weights.len() != classes {
            return Err(format!(
                "{key}.class_weights is {} numbers for {classes} classes: give one each",
                weights.len()
            ));
        }
        let usable = weights.iter().all(|weight| *weight >= 0.0 && weight.is_finite());
        if !usable || weights.iter().all(|weight| *weight == 0.0) {
            return Err(format!("{key}.class_weights is {weights:?}: none may be negative, and not all may be 0"));
        }
        Ok(())
    }
}

fn check_weight(key: &str, weight: f64) -> Result<(), String> {
    if weight > 0.0 && weight.is_finite() {
        Ok(())
    } else {
        Err(format!("{key}.weight is {weight}: it must be above 0"))
    }
}
