//! `efficientnet_lite0`: EfficientNet-B0 without squeeze-and-excitation and with ReLU6, for plain hardware.
//!
//! Liu: *Higher accuracy on vision models with EfficientNet-Lite*. TensorFlow blog 2020.
//! <https://blog.tensorflow.org/2020/03/higher-accuracy-on-vision-models-with-efficientnet-lite.html>
//!
//! Layers and levels are those of timm's `tf_efficientnet_lite0` with `features_only`, and with `form = "pytorch"` those of its
//! `efficientnet_lite0`; names are as in
//! [`efficientnet`](super::efficientnet). Differs from it: there is no stochastic depth, and dilation keeps up output strides 16
//! and 8, as for `mobilenet_v2`.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::efficientnet::{Form, STAGES, check_width};
use super::{Demand, dilated_stride};
use crate::block::{InvertedResiduals, InvertedResidualsConfig, Stage, round_channels};
use crate::family::{FamilyError, Level};
use crate::ops::Activation;

/// Options of `[model.encoder.efficientnet_lite0]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EfficientnetLite0Config {
    /// All channels times this.
    pub width: f64,
    /// The last 1x1 convolution that classifiers have, to 1280 channels.
    pub head: bool,
    /// Which of the two networks that bear this name; weights of one give other features in the other.
    pub form: Form,
}

impl Default for EfficientnetLite0Config {
    fn default() -> Self {
        Self { width: 1.0, head: false, form: Form::Tensorflow }
    }
}

impl EfficientnetLite0Config {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 2, 4, 8, 16 and 32, or up to the output stride.
    ///
    /// # Errors
    /// When `width` is out of range, or the output stride is none of 8, 16 and 32.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        const MEMBER: &str = "encoder efficientnet_lite0";
        check_width(MEMBER, self.width)?;
        Ok(self.layers().levels(dilated_stride(MEMBER, output_stride)?))
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> InvertedResiduals {
        self.layers().init(demand.bands, demand.output_stride.unwrap_or(32), device)
    }

    fn layers(&self) -> InvertedResidualsConfig {
        let scaled = |channels: usize| round_channels(channels as f64 * self.width);
        let stage = |[expansion, channels, blocks, stride, kernel]: [usize; 5]| Stage {
            expansion,
            channels: scaled(channels),
            blocks,
            stride,
            kernel,
        };
        InvertedResidualsConfig {
            stem: scaled(32),
            stages: STAGES.map(stage).to_vec(),
            head: self.head.then(|| scaled(1280)),
            activation: Activation::Relu6,
            squeeze: false,
            epsilon: self.form.epsilon(),
            placement: self.form.placement(),
        }
    }
}
