//! `resnet`: deep residual networks.
//!
//! He, Zhang, Ren, Sun: *Deep Residual Learning for Image Recognition*. CVPR 2016. <https://arxiv.org/abs/1512.03385>
//!
//! Layers, order and parameter names follow torchvision, without its classifier. As there, the bottleneck of depth 50
//! and more has its stride in the 3x3 convolution ("ResNet v1.5"), where the paper has it in the first 1x1.
//!
//! Output strides 16 and 8 are torchvision's `replace_stride_with_dilation`: the first block of a stage without its
//! stride keeps the dilation of the stage before, all others dilate twice as far. segmentation_models.pytorch
//! dilates the first block too, and that one is not followed. Depths 18 and 34, which torchvision does not dilate,
//! are as in timm: of the first block's two convolutions the second already has the new dilation.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::residual::{BlockKind, Residual, Shape};
use super::{Demand, refuse};
use crate::family::{FamilyError, Level};

/// Options of `[model.encoder.resnet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResnetConfig {
    /// Number of layers with weights, counted as the paper does: 18, 34, 50, 101 or 152.
    pub depth: usize,
    /// Channels of the stem; the paper's networks have 64.
    pub width: usize,
}

impl Default for ResnetConfig {
    fn default() -> Self {
        Self { depth: 34, width: 64 }
    }
}

/// A depth of the paper's Table 1: blocks in each of the four stages, and whether they are bottlenecks.
struct Variant {
    depth: usize,
    blocks: [usize; 4],
    bottleneck: bool,
}

const VARIANTS: [Variant; 5] = [
    Variant { depth: 18, blocks: [2, 2, 2, 2], bottleneck: false },
    Variant { depth: 34, blocks: [3, 4, 6, 3], bottleneck: false },
    Variant { depth: 50, blocks: [3, 4, 6, 3], bottleneck: true },
    Variant { depth: 101, blocks: [3, 4, 23, 3], bottleneck: true },
    Variant { depth: 152, blocks: [3, 8, 36, 3], bottleneck: true },
];

impl ResnetConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 2, 4, 8, 16 and 32, none above
    /// `output_stride`, which may be 32, 16 or 8.
    ///
    /// # Errors
    /// When `depth`, `width` or `output_stride` is out of range.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value, reason, nearest| refuse("encoder resnet", option, value, reason, nearest);
        let variant = self.variant();
        if variant.depth != self.depth {
            return Err(refuse("depth", self.depth, "depths are 18, 34, 50, 101 and 152", variant.depth));
        }
        if !(1..=1024).contains(&self.width) {
            let nearest = self.width.clamp(1, 1024);
            return Err(refuse("width", self.width, "the stem has 1 to 1024 channels", nearest));
        }
        self.shape().levels("encoder resnet", output_stride)
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Residual {
        self.shape().init(demand, device)
    }

    fn shape(&self) -> Shape {
        let Variant { blocks, bottleneck, .. } = *self.variant();
        let kind = if bottleneck { BlockKind::Bottleneck { inner: self.width, groups: 1 } } else { BlockKind::Basic };
        Shape { blocks, width: self.width, kind }
    }

    /// The variant of this depth, or the nearest one.
    fn variant(&self) -> &'static Variant {
        let distance = |variant: &&Variant| variant.depth.abs_diff(self.depth);
        VARIANTS.iter().min_by_key(distance).unwrap_or(&VARIANTS[0])
    }
}
