//! `deeplab_v3_plus`: a separable atrous pyramid, joined with features of stride 4.
//!
//! Chen, Zhu, Papandreou, Schroff, Adam: *Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation*.
//! ECCV 2018. <https://arxiv.org/abs/1802.02611>
//!
//! The `DeepLabV3Plus` of segmentation_models.pytorch, apart from dropout, with rates that follow the output stride as in the
//! paper (6, 12 and 18 at stride 16). As there, one separable convolution follows the join, where the paper has two, and
//! nothing stands between depthwise and pointwise convolutions. The pyramid's output is upsampled with corners kept in place.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::deeplab_v3::{RATES, check_rates, scaled};
use super::{Output, at_least_one, check_output_stride, coarsest, required};
use crate::block::{Aspp, AsppConfig, Conv3x3, Conv3x3Config, ConvNorm, Enlarge, Upsampling};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.deeplab_v3_plus]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeeplabV3PlusConfig {
    /// Coarsest stride of the encoder: 8, 16 or 32.
    pub output_stride: usize,
    /// Dilations of the pyramid at output stride 8; at 16 they are half as large, at 32 a quarter.
    pub rates: Vec<usize>,
    /// Channels of the pyramid and of the output.
    pub channels: usize,
    /// Channels that the features of stride 4 are reduced to.
    pub low_level_channels: usize,
    /// Depthwise separable convolutions in the pyramid.
    pub separable: bool,
    /// How the pyramid's output gets the size of the low-level features.
    pub upsampling: Upsampling,
}

impl Default for DeeplabV3PlusConfig {
    fn default() -> Self {
        Self {
            output_stride: 16,
            rates: RATES.to_vec(),
            channels: 256,
            low_level_channels: 48,
            separable: true,
            upsampling: Upsampling::Bilinear,
        }
    }
}

const STRIDE: usize = 4;

impl DeeplabV3PlusConfig {
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
    /// When an option is out of range or the encoder has no features of stride 4.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        const MEMBER: &str = "decoder deeplab_v3_plus";
        check_output_stride(MEMBER, self.output_stride)?;
        at_least_one(MEMBER, &[("channels", self.channels), ("low_level_channels", self.low_level_channels)])?;
        check_rates(MEMBER, &self.rates)?;
        Enlarge::check(self.upsampling, MEMBER)?;
        required("deeplab_v3_plus", levels, STRIDE)?;
        Ok(Output::Features(Level::new(self.channels, STRIDE)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> DeeplabV3Plus {
        let sources = [coarsest(levels), Level::find(levels, STRIDE).unwrap_or_default()];
        let [high, low] = sources.map(|source| levels[source]);
        let aspp = AsppConfig {
            channels_in: high.channels,
            channels_out: self.channels,
            rates: scaled(&self.rates, high.stride),
            separable: self.separable,
        };
        let separable = |channels_in| {
            Conv3x3Config { channels_in, channels_out: self.channels, dilation: 1, separable: true }.init(device)
        };
        DeeplabV3Plus {
            aspp: aspp.init(device),
            conv: separable(self.channels),
            enlarge: Enlarge::new(self.upsampling, self.channels, high.stride / STRIDE, true, device),
            low_level: ConvNorm::new(low.channels, self.low_level_channels, 1, device),
            fuse: separable(self.channels + self.low_level_channels),
            sources: sources.to_vec(),
        }
    }
}

/// The pyramid on the coarsest features, and the join with the low-level ones.
#[derive(Module, Debug)]
pub struct DeeplabV3Plus {
    aspp: Aspp,
    conv: Conv3x3,
    enlarge: Enlarge,
    low_level: ConvNorm,
    fuse: Conv3x3,
    /// Indices of the coarsest level and that of stride 4.
    sources: Vec<usize>,
}

impl DeeplabV3Plus {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / 4, W / 4]`
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let mut features = features.take(&self.sources).into_iter();
        let mut next = || features.next().expect("two levels are taken");
        let x = self.conv.forward(self.aspp.forward(next()));
        let low = self.low_level.forward(next());
        let [_, _, height, width] = low.dims();
        self.fuse.forward(ops::concat(self.enlarge.forward(x, [height, width]), low))
    }
}
