//! What the engine asks of a network and of a scene.

use swath_geo::Window;

use crate::error::Result;

/// Chips as the network gets them: normalized, 0 where the scene is not valid.
#[derive(Debug, Clone, PartialEq)]
pub struct ChipBatch {
    /// Number of chips.
    pub len: usize,
    /// Bands of each.
    pub bands: usize,
    /// Rows of each.
    pub height: usize,
    /// Columns of each.
    pub width: usize,
    /// `[chip, band, row, column]`.
    pub data: Vec<f32>,
}

impl ChipBatch {
    /// The values of chip `index`, `[band, row, column]`.
    pub fn chip(&self, index: usize) -> &[f32] {
        let size = self.bands * self.height * self.width;
        &self.data[index * size..][..size]
    }
}

/// A segmentation network, or anything that scores pixels.
pub trait Network {
    /// Bands that it takes.
    fn bands(&self) -> usize;

    /// Classes that it tells apart.
    fn classes(&self) -> usize;

    /// The logits of a batch, `[chip, class, row, column]`. Those of one chip must not depend, to the bit, on the other
    /// chips of the batch, on the number of threads or on earlier calls.
    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>>;

    /// No chip will come for a while: memory that is soon made again may go to others.
    fn rest(&mut self) {}
}

/// The pixels of one chip.
#[derive(Debug, Clone, PartialEq)]
pub struct ChipPixels {
    /// Normalized values, `[band, row, column]`. Those of pixels that are not valid are never looked at.
    pub values: Vec<f32>,
    /// `[row, column]`: whether the scene holds data there.
    pub valid: Vec<bool>,
}

/// Reads chips of one scene; each reader thread has its own.
pub trait ChipSource: Send {
    /// The pixels of a window, which may reach beyond the scene: there pixels and validity are mirrored.
    fn read(&mut self, window: Window) -> Result<ChipPixels>;
}
