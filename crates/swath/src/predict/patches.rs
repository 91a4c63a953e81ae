//! Maps from classifiers: each cell of the scene gets the class of a patch around it.
//!
//! Cells are squares that tile the scene from its first pixel; the patch of a cell has the same centre. A chip predicts the cells
//! in its middle, for which it holds whole patches, so that the map does not depend on the size of chips.

use super::axis::Blend;
use super::network::{ChipBatch, Network};
use super::plan::Options;
use crate::error::Result;

/// How a classifier slides over a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patches {
    /// Side of the patch that the network sees, in pixels.
    pub patch: usize,
    /// Side of the cell that gets its class; at most the patch.
    pub cell: usize,
}

/// Cells along the side of a chip, about: chips end soon enough for progress and Ctrl-C.
const CELLS: usize = 64;

/// Patches that go through the network together.
const TOGETHER: usize = 16;

impl Patches {
    /// The options for a scene of this size: chips that predict whole cells and hold their patches.
    pub(super) fn fit(self, width: usize, height: usize, options: &Options) -> Options {
        let (overlap, len) = (2 * self.margin(), width.max(height));
        let most = (options.chip.saturating_sub(overlap)).min(CELLS * self.cell).max(overlap);
        // The same number of chips, less of which lies beyond the scene.
        let even = len.div_ceil(len.div_ceil(most)).max(overlap).next_multiple_of(self.cell);
        Options { chip: even + overlap, overlap, blend: Blend::None, ..options.clone() }
    }

    /// Pixels of a chip on each side of those that it predicts.
    fn margin(self) -> usize {
        self.patch.div_ceil(2)
    }
}

/// A classifier of patches as a network for chips.
pub(super) struct Sliding<'n> {
    pub(super) classifier: &'n mut dyn Network,
    pub(super) patches: Patches,
}

impl Network for Sliding<'_> {
    fn bands(&self) -> usize {
        self.classifier.bands()
    }

    fn classes(&self) -> usize {
        self.classifier.classes()
    }

    fn rest(&mut self) {
        self.classifier.rest();
    }

    /// Logits of the cells in each chip's middle; zeros around them.
    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
        let Patches { patch, cell } = self.patches;
        let (classes, side) = (self.classes(), batch.width);
        let starts = || (self.patches.margin()..side - self.patches.margin()).step_by(cell);
        let cells: Vec<[usize; 2]> = starts().flat_map(|row| starts().map(move |col| [row, col])).collect();
        let mut logits = vec![0.0; batch.len * classes * side * side];
        let mut input = ChipBatch { len: 0, bands: batch.bands, height: patch, width: patch, data: Vec::new() };
        for (index, logits) in logits.chunks_exact_mut(classes * side * side).enumerate() {
            let chip = batch.chip(index);
            for cells in cells.chunks(TOGETHER) {
                input.len = cells.len();
                input.data.clear();
                for &[row, col] in cells {
                    let before = (patch - cell) / 2;
                    cut(chip, side, [row - before, col - before], patch, &mut input.data);
                }
                let found = self.classifier.logits(&input)?;
                // Every pixel of a patch has the same.
                for (&[row, col], found) in cells.iter().zip(found.chunks_exact(classes * patch * patch)) {
                    for (plane, found) in logits.chunks_exact_mut(side * side).zip(found.chunks_exact(patch * patch)) {
                        for line in plane.chunks_exact_mut(side).skip(row).take(cell) {
                            line[col..col + cell].fill(found[0]);
                        }
                    }
                }
            }
        }
        Ok(logits)
    }
}

/// Appends a square of a chip `[band, row, column]`.
fn cut(chip: &[f32], side: usize, [row, col]: [usize; 2], patch: usize, out: &mut Vec<f32>) {
    for band in chip.chunks_exact(side * side) {
        for line in band.chunks_exact(side).skip(row).take(patch) {
            out.extend_from_slice(&line[col..col + patch]);
        }
    }
}
