//! `deeplab_v3`: atrous spatial pyramid pooling on dilated features.
//!
//! Chen, Papandreou, Schroff, Adam: *Rethinking Atrous Convolution for Semantic Image Segmentation*. 2017.
//! <https://arxiv.org/abs/1706.05587>
//!
//! The `DeepLabV3` of segmentation_models.pytorch, with rates as in the paper: it gives those for output stride 16, and doubles
//! them at 8. Differs from both: no dropout; from the paper: no cascaded multi-grid, which would be the encoder's.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one, check_output_stride, coarsest};
use crate::block::{Aspp, AsppConfig, ConvNorm};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};

/// Options of `[model.decoder.deeplab_v3]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeeplabV3Config {
    /// Coarsest stride of the encoder: 8, 16 or 32.
    pub output_stride: usize,
    /// Dilations of the pyramid at output stride 8; at 16 they are half as large, at 32 a quarter.
    pub rates: Vec<usize>,
    /// Channels of each branch and of the output.
    pub channels: usize,
    /// Depthwise separable convolutions in the pyramid.
    pub separable: bool,
}

impl Default for DeeplabV3Config {
    fn default() -> Self {
        Self { output_stride: 8, rates: RATES.to_vec(), channels: 256, separable: false }
    }
}

/// The paper's rates at output stride 8.
pub(super) const RATES: [usize; 3] = [12, 24, 36];

impl DeeplabV3Config {
    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride).
    pub fn output_stride(&self) -> Option<usize> {
        Some(self.output_stride)
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): no.
    pub fn needs_indices(&self) -> bool {
        false
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out).
    ///
    /// # Errors
    /// When an option is out of range.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        const MEMBER: &str = "decoder deeplab_v3";
        check_output_stride(MEMBER, self.output_stride)?;
        at_least_one(MEMBER, &[("channels", self.channels)])?;
        check_rates(MEMBER, &self.rates)?;
        Ok(Output::Features(Level::new(self.channels, Level::coarsest(levels))))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> DeeplabV3 {
        let source = coarsest(levels);
        let aspp = AsppConfig {
            channels_in: levels[source].channels,
            channels_out: self.channels,
            rates: scaled(&self.rates, levels[source].stride),
            separable: self.separable,
        };
        DeeplabV3 { aspp: aspp.init(device), conv: ConvNorm::new(self.channels, self.channels, 3, device), source }
    }
}

/// Rates for features of a stride, so that they span the same distance in the image.
pub(super) fn scaled(rates: &[usize], stride: usize) -> Vec<usize> {
    rates.iter().map(|rate| (rate * 8 / stride).max(1)).collect()
}

/// Refuses a pyramid without rates and rates of 0.
pub(super) fn check_rates(member: &'static str, rates: &[usize]) -> Result<(), FamilyError> {
    if !rates.is_empty() && !rates.contains(&0) {
        return Ok(());
    }
    let nearest = match rates {
        [] => RATES.to_vec(),
        rates => rates.iter().map(|&rate| rate.max(1)).collect(),
    };
    Err(FamilyError::Option {
        member,
        option: "rates",
        value: format!("{rates:?}"),
        reason: "the pyramid has at least one rate, and rates are at least 1".into(),
        nearest: format!("`rates = {nearest:?}`"),
    })
}

/// The pyramid, and a 3x3 convolution.
#[derive(Module, Debug)]
pub struct DeeplabV3 {
    aspp: Aspp,
    conv: ConvNorm,
    /// Index of the level that it reads.
    source: usize,
}

impl DeeplabV3 {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / stride, W / stride]` at the coarsest stride
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let x = features.take(&[self.source]).remove(0);
        self.conv.forward(self.aspp.forward(x))
    }
}
