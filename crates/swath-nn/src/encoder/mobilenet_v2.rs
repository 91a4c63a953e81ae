//! `mobilenet_v2`: inverted residuals with linear bottlenecks.
//!
//! Sandler, Howard, Zhu, Zhmoginov, Chen: *MobileNetV2: Inverted Residuals and Linear Bottlenecks*. CVPR 2018.
//! <https://arxiv.org/abs/1801.04381>
//!
//! Layers are torchvision's without the classifier: `stem` is its `features.0`, `blocks.N` its `features.N+1` and `head` its
//! `features.18`. Levels and dilation for output strides 16 and 8 follow segmentation_models.pytorch: a stage beyond the output
//! stride dilates all of its depthwise convolutions, the first included.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{Demand, dilated_stride};
use crate::block::{InvertedResiduals, InvertedResidualsConfig, Placement, Stage, round_channels};
use crate::family::{FamilyError, Level};
use crate::ops::Activation;

/// Options of `[model.encoder.mobilenet_v2]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MobilenetV2Config {
    /// The paper's width multiplier, for the channels of all blocks.
    pub width: f64,
    /// Channels of the last convolution; the paper scales its 1280 with multipliers above 1 only.
    pub head: usize,
}

impl Default for MobilenetV2Config {
    fn default() -> Self {
        Self { width: 1.0, head: 1280 }
    }
}

/// The paper's Table 2: expansion, channels, blocks, stride of the first.
const STAGES: [[usize; 4]; 7] =
    [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2], [6, 320, 1, 1]];

impl MobilenetV2Config {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 2, 4, 8, 16 and 32, or up to the output stride.
    ///
    /// # Errors
    /// When `width` or `head` is out of range, or the output stride is none of 8, 16 and 32.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value: String, reason: &str, nearest: String| FamilyError::Option {
            member: "encoder mobilenet_v2",
            option,
            value,
            reason: reason.into(),
            nearest: format!("`{option} = {nearest}`"),
        };
        if !(0.1..=4.0).contains(&self.width) {
            let nearest = if self.width.is_nan() { 1.0 } else { self.width.clamp(0.1, 4.0) };
            let reason = "multipliers are 0.1 to 4.0";
            return Err(refuse("width", format!("{:?}", self.width), reason, format!("{nearest:?}")));
        }
        if !(1..=16384).contains(&self.head) {
            let nearest = self.head.clamp(1, 16384).to_string();
            return Err(refuse("head", self.head.to_string(), "the last convolution has 1 to 16384 channels", nearest));
        }
        Ok(self.layers().levels(dilated_stride("encoder mobilenet_v2", output_stride)?))
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> InvertedResiduals {
        self.layers().init(demand.bands, demand.output_stride.unwrap_or(32), device)
    }

    fn layers(&self) -> InvertedResidualsConfig {
        let scaled = |channels: usize| round_channels(channels as f64 * self.width);
        let stage = |[expansion, channels, blocks, stride]: [usize; 4]| Stage {
            expansion,
            channels: scaled(channels),
            blocks,
            stride,
            kernel: 3,
        };
        InvertedResidualsConfig {
            stem: scaled(32),
            stages: STAGES.map(stage).to_vec(),
            head: Some(self.head),
            activation: Activation::Relu6,
            squeeze: false,
            epsilon: 1e-5,
            placement: Placement::Centred,
        }
    }
}
