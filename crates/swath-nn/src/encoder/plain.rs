//! `plain`: the contracting path of U-Net.
//!
//! Ronneberger, Fischer, Brox: *U-Net: Convolutional Networks for Biomedical Image Segmentation*. MICCAI 2015.
//! <https://arxiv.org/abs/1505.04597>
//!
//! Differs from the paper: by default convolutions are zero-padded, so that the output covers the whole input, and batch
//! normalized; there is no dropout at the deepest level. `padding = "valid"` is the paper's own form, whose maps are smaller
//! than the image over the stride: level i with stride s keeps `2 (2 s - 1)` input pixels away from each edge.

use burn::module::Module;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Demand, Features};
use crate::block::{DoubleConv, DoubleConvConfig, Padding};
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.encoder.plain]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlainConfig {
    /// Channels of the finest level; they double at every level.
    pub width: usize,
    /// Number of levels: the coarsest has stride `2^(depth - 1)`.
    pub depth: usize,
    /// Batch normalization after each convolution.
    pub batch_norm: bool,
    /// What convolutions do at the edge; the decoder has to do the same.
    pub padding: Padding,
}

impl Default for PlainConfig {
    fn default() -> Self {
        Self { width: 64, depth: 5, batch_norm: true, padding: Padding::Same }
    }
}

impl PlainConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels).
    ///
    /// # Errors
    /// When `width` or `depth` is out of range, or another stride than its own is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value: usize, reason: &str, nearest: usize| FamilyError::Option {
            member: "encoder plain",
            option,
            value: value.to_string(),
            reason: reason.into(),
            nearest: format!("`{option} = {nearest}`"),
        };
        if !(1..=4096).contains(&self.width) {
            let nearest = self.width.clamp(1, 4096);
            return Err(refuse("width", self.width, "the finest level has 1 to 4096 channels", nearest));
        }
        if !(1..=8).contains(&self.depth) {
            let nearest = self.depth.clamp(1, 8);
            return Err(refuse("depth", self.depth, "it has 1 to 8 levels", nearest));
        }
        let coarsest = 1 << (self.depth - 1);
        if let Some(stride) = output_stride.filter(|&stride| stride != coarsest) {
            return Err(refuse("output_stride", stride, "its coarsest stride follows from `depth`", coarsest));
        }
        let level = |i: usize| Level {
            channels: self.width << i,
            stride: 1 << i,
            pooled: i + 1 < self.depth,
            margin: match self.padding {
                Padding::Same => 0,
                // Two convolutions at this stride and at each finer one.
                Padding::Valid => 2 * ((2 << i) - 1),
            },
        };
        Ok((0..self.depth).map(level).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Plain {
        let width = |i: usize| self.width << i;
        let block = |i: usize| DoubleConvConfig {
            channels_in: if i == 0 { demand.bands } else { width(i - 1) },
            channels_out: width(i),
            batch_norm: self.batch_norm,
            padding: self.padding,
        };
        Plain { levels: (0..self.depth).map(|i| block(i).init(device)).collect(), indices: demand.indices }
    }
}

/// U-Net's contracting path.
#[derive(Module, Debug)]
pub struct Plain {
    levels: Vec<DoubleConv>,
    /// Whether the decoder asks where the maxima stood.
    indices: bool,
}

impl Plain {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: `[batch, width 2^i, (H - 2 margin) / 2^i, (W - 2 margin) / 2^i]` for level i
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let pool = || MaxPoolOptions::new([2, 2]);
        let (mut maps, mut indices) = (Vec::with_capacity(self.levels.len()), Vec::new());
        let mut x = images;
        for (i, level) in self.levels.iter().enumerate() {
            x = level.forward(x);
            if i + 1 == self.levels.len() {
                break;
            }
            let [feature, finer] = ops::fork(x);
            maps.push(feature);
            let index;
            (x, index) = match self.indices {
                true => {
                    let (x, index) = ops::max_pool_with_indices(finer, pool());
                    (x, Some(index))
                }
                false => (ops::max_pool(finer, pool()), None),
            };
            indices.push(index);
        }
        maps.push(x);
        indices.push(None);
        Features { maps, indices }
    }
}
