//! `[predict]`: how scenes are predicted.

use serde::{Deserialize, Serialize};

use super::require;
use crate::predict::Blend;

/// How scenes are predicted, in validation and afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Predict {
    /// Side of a chip in pixels, at most: chips are smaller where as many of them cover the scene.
    pub chip: usize,
    /// Pixels that neighbouring chips share.
    pub overlap: usize,
    /// How scores of overlapping chips become one.
    pub blend: Blend,
    /// Side in pixels of the squares that get a class each when the decoder is a classifier; its `cell` unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<usize>,
    /// Chips per batch; does not change the map.
    pub batch: usize,
    /// Average over the eight flips and quarter turns.
    pub tta: bool,
}

impl Default for Predict {
    fn default() -> Self {
        Predict { chip: 512, overlap: 64, blend: Blend::Cosine, cell: None, batch: 1, tta: false }
    }
}

impl Predict {
    pub(super) fn check(&self) -> Result<(), String> {
        require(self.chip > 0, "predict.chip", self.chip, "it must be at least 1")?;
        require(self.batch > 0, "predict.batch", self.batch, "it must be at least 1")?;
        let advice = format!("it must be at most half of predict.chip, which is {}", self.chip);
        require(self.overlap <= self.chip / 2, "predict.overlap", self.overlap, &advice)
    }
}
