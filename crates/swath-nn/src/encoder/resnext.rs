//! `resnext`: residual networks with grouped convolutions.
//!
//! Xie, Girshick, Dollár, Tu, He: *Aggregated Residual Transformations for Deep Neural Networks*. CVPR 2017.
//! <https://arxiv.org/abs/1611.05431>
//!
//! A ResNet whose bottleneck has a 3x3 convolution in `cardinality` groups of `group_width` channels each. The defaults
//! are ResNeXt-50 32x4d; `depth = 101, group_width = 8` is ResNeXt-101 32x8d. Layers, order and parameter names follow
//! torchvision, without its classifier; strides and output strides are those of [`resnet`](super::resnet).

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::residual::{BlockKind, Residual, Shape};
use super::{Demand, refuse};
use crate::family::{FamilyError, Level};

/// Options of `[model.encoder.resnext]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResnextConfig {
    /// Number of layers with weights: 50 or 101.
    pub depth: usize,
    /// Groups of the 3x3 convolutions.
    pub cardinality: usize,
    /// Channels of a group in the first stage; they double from stage to stage.
    pub group_width: usize,
    /// Channels of the stem; the paper's networks have 64.
    pub width: usize,
}

impl Default for ResnextConfig {
    fn default() -> Self {
        Self { depth: 50, cardinality: 32, group_width: 4, width: 64 }
    }
}

impl ResnextConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 2, 4, 8, 16 and 32, none above
    /// `output_stride`, which may be 32, 16 or 8.
    ///
    /// # Errors
    /// When an option or `output_stride` is out of range.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value, reason, nearest| refuse("encoder resnext", option, value, reason, nearest);
        if ![50, 101].contains(&self.depth) {
            let nearest = if self.depth <= 75 { 50 } else { 101 };
            return Err(refuse("depth", self.depth, "depths are 50 and 101", nearest));
        }
        for (option, value, most, reason) in [
            ("cardinality", self.cardinality, 256, "there are 1 to 256 groups"),
            ("group_width", self.group_width, 256, "a group has 1 to 256 channels"),
            ("width", self.width, 1024, "the stem has 1 to 1024 channels"),
        ] {
            if !(1..=most).contains(&value) {
                return Err(refuse(option, value, reason, value.clamp(1, most)));
            }
        }
        self.shape().levels("encoder resnext", output_stride)
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Residual {
        self.shape().init(demand, device)
    }

    fn shape(&self) -> Shape {
        let blocks = if self.depth == 50 { [3, 4, 6, 3] } else { [3, 4, 23, 3] };
        let kind = BlockKind::Bottleneck { inner: self.cardinality * self.group_width, groups: self.cardinality };
        Shape { blocks, width: self.width, kind }
    }
}
