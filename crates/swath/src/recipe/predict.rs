//! `[predict]`: how scenes are predicted.

use serde::{Deserialize, Serialize};

use super::require;

/// How scenes are predicted, in validation and afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Predict {
    /// Side of a chip in pixels.
    pub chip: usize,
    /// Pixels that neighbouring chips share.
    pub overlap: usize,
    /// How scores of overlapping chips become one.
    pub blend: Blend,
    /// Chips per batch; does not change the map.
    pub batch: usize,
    /// Average over the eight flips and quarter turns.
    pub tta: bool,
}

impl Default for Predict {
    fn default() -> Self {
        Predict { chip: 512, overlap: 64, blend: Blend::Cosine, batch: 4, tta: false }
    }
}

/// How scores of overlapping chips become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blend {
    /// Every pixel is taken from the chip whose centre is nearest.
    None,
    /// Weights fall off in straight lines towards the chip's edge.
    Linear,
    /// Weights fall off along half a cosine towards the chip's edge.
    Cosine,
}

impl Predict {
    pub(super) fn check(&self) -> Result<(), String> {
        require(self.chip > 0, "predict.chip", self.chip, "it must be at least 1")?;
        require(self.batch > 0, "predict.batch", self.batch, "it must be at least 1")?;
        let advice = format!("it must be below predict.chip, which is {}", self.chip);
        require(self.overlap < self.chip, "predict.overlap", self.overlap, &advice)
    }
}
