//! `efficientnet`: inverted residuals with squeeze-and-excitation, scaled in width and depth together, b0 to b4.
//!
//! Tan, Le: *EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks*. ICML 2019.
//! <https://arxiv.org/abs/1905.11946>
//!
//! Layers and levels are those of timm's `tf_efficientnet_b0` to `b4` with `features_only`: TensorFlow's padding and an epsilon of
//! 0.001. With `form = "pytorch"` they are those of torchvision's `efficientnet_b0` to `b4` and of timm's networks of that name. Blocks have one number through all stages; in a block `expand`, `depthwise`, `squeeze.reduce`, `squeeze.expand` and
//! `project` are timm's `conv_pw`, `conv_dw`, `se.conv_reduce`, `se.conv_expand` and `conv_pwl`, each with its norm.
//! Differs from the paper: there is no stochastic depth, and dilation keeps up output strides 16 and 8, as for `mobilenet_v2`.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::{Demand, dilated_stride};
use crate::block::{InvertedResiduals, InvertedResidualsConfig, Placement, Stage, round_channels};
use crate::family::{FamilyError, Level};
use crate::ops::Activation;

/// Options of `[model.encoder.efficientnet]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EfficientnetConfig {
    /// How far width and depth are scaled.
    pub variant: Variant,
    /// All channels times this, besides the variant's own scale.
    pub width: f64,
    /// The last 1x1 convolution that classifiers have, to 1280 channels in b0.
    pub head: bool,
    /// Which of the two networks that bear this name; weights of one give other features in the other.
    pub form: Form,
}

impl Default for EfficientnetConfig {
    fn default() -> Self {
        Self { variant: Variant::B0, width: 1.0, head: false, form: Form::Tensorflow }
    }
}

/// The two forms in which EfficientNets are published. Parameters have the same names and shapes in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The authors': strided convolutions pad more below and to the right, as TensorFlow does, and normalization has an epsilon of
    /// 0.001. Of weights with the names of timm those of networks whose names begin with `tf_`, and of efficientnet_pytorch.
    #[default]
    Tensorflow,
    /// Of networks trained in PyTorch: padding alike on all sides, and an epsilon of 0.00001. Weights of torchvision, and of timm's
    /// networks without `tf_`.
    Pytorch,
}

impl Form {
    pub(super) fn placement(self) -> Placement {
        match self {
            Self::Tensorflow => Placement::Balanced,
            Self::Pytorch => Placement::Centred,
        }
    }

    pub(super) fn epsilon(self) -> f64 {
        match self {
            Self::Tensorflow => 1e-3,
            Self::Pytorch => 1e-5,
        }
    }
}

/// The paper's networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// 5.3 million parameters as a classifier.
    B0,
    /// 7.8 million.
    B1,
    /// 9.2 million.
    B2,
    /// 12 million.
    B3,
    /// 19 million.
    B4,
}

impl Variant {
    /// Scales of width and depth.
    fn scales(self) -> (f64, f64) {
        match self {
            Self::B0 => (1.0, 1.0),
            Self::B1 => (1.0, 1.1),
            Self::B2 => (1.1, 1.2),
            Self::B3 => (1.2, 1.4),
            Self::B4 => (1.4, 1.8),
        }
    }
}

/// The paper's Table 1: expansion, channels, blocks, stride of the first, kernel.
pub(super) const STAGES: [[usize; 5]; 7] = [
    [1, 16, 1, 1, 3],
    [6, 24, 2, 2, 3],
    [6, 40, 2, 2, 5],
    [6, 80, 3, 2, 3],
    [6, 112, 3, 1, 5],
    [6, 192, 4, 2, 5],
    [6, 320, 1, 1, 3],
];

impl EfficientnetConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 2, 4, 8, 16 and 32, or up to the output stride.
    ///
    /// # Errors
    /// When `width` is out of range, or the output stride is none of 8, 16 and 32.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        const MEMBER: &str = "encoder efficientnet";
        check_width(MEMBER, self.width)?;
        Ok(self.layers().levels(dilated_stride(MEMBER, output_stride)?))
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> InvertedResiduals {
        self.layers().init(demand.bands, demand.output_stride.unwrap_or(32), device)
    }

    fn layers(&self) -> InvertedResidualsConfig {
        let (width, depth) = self.variant.scales();
        let scaled = |channels: usize| round_channels(channels as f64 * width * self.width);
        let stage = |[expansion, channels, blocks, stride, kernel]: [usize; 5]| Stage {
            expansion,
            channels: scaled(channels),
            blocks: (blocks as f64 * depth).ceil() as usize,
            stride,
            kernel,
        };
        InvertedResidualsConfig {
            stem: scaled(32),
            stages: STAGES.map(stage).to_vec(),
            head: self.head.then(|| scaled(1280)),
            activation: Activation::Silu,
            squeeze: true,
            epsilon: self.form.epsilon(),
            placement: self.form.placement(),
        }
    }
}

/// Refuses a factor that leaves no sensible number of channels.
pub(super) fn check_width(member: &'static str, width: f64) -> Result<(), FamilyError> {
    if (0.1..=4.0).contains(&width) {
        return Ok(());
    }
    let nearest = if width.is_nan() { 1.0 } else { width.clamp(0.1, 4.0) };
    Err(FamilyError::Option {
        member,
        option: "width",
        value: format!("{width:?}"),
        reason: "factors are 0.1 to 4.0".into(),
        nearest: format!("`width = {nearest:?}`"),
    })
}
