//! `pspnet`: pyramid scene parsing.
//!
//! Zhao, Shi, Qi, Wang, Jia: *Pyramid Scene Parsing Network*. CVPR 2017. <https://arxiv.org/abs/1612.01105>
//!
//! The `PSPNet` of segmentation_models.pytorch (with `[model.head] kernel = 3`), on the encoder's coarsest features. As there,
//! the mean of the whole map has a bias in place of batch normalization, which one value an image cannot feed; features are
//! combined by a 1x1 convolution, where the paper has 3x3. Differs from both: no dropout and no auxiliary loss.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one, check_output_stride, coarsest};
use crate::block::{ConvNorm, Interpolation, Upsampling, conv2d};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.pspnet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PspnetConfig {
    /// Coarsest stride of the encoder: 8, 16 or 32.
    pub output_stride: usize,
    /// Channels of the output.
    pub channels: usize,
    /// How the pooled maps get the size of the whole one: by interpolation, since theirs divides nothing.
    pub upsampling: Upsampling,
}

impl Default for PspnetConfig {
    fn default() -> Self {
        Self { output_stride: 8, channels: 512, upsampling: Upsampling::Bilinear }
    }
}

/// Rows and columns of each pooled map.
const SIZES: [usize; 4] = [1, 2, 3, 6];

impl PspnetConfig {
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
        const MEMBER: &str = "decoder pspnet";
        check_output_stride(MEMBER, self.output_stride)?;
        at_least_one(MEMBER, &[("channels", self.channels)])?;
        Interpolation::check(self.upsampling, MEMBER)?;
        Ok(Output::Features(Level::new(self.channels, Level::coarsest(levels))))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Pspnet {
        let source = coarsest(levels);
        let channels_in = levels[source].channels;
        let part = (channels_in / SIZES.len()).max(1);
        Pspnet {
            whole: conv2d(channels_in, part, 1, device),
            parts: SIZES[1..].iter().map(|_| ConvNorm::new(channels_in, part, 1, device)).collect(),
            conv: ConvNorm::new(channels_in + SIZES.len() * part, self.channels, 1, device),
            interpolation: Interpolation::new(self.upsampling, true),
            source,
        }
    }
}

/// Means over parts of the map, upsampled and joined with it.
#[derive(Module, Debug)]
pub struct Pspnet {
    /// For the mean of the whole map.
    whole: Conv2d,
    /// For means over 2x2, 3x3 and 6x6 parts.
    parts: Vec<ConvNorm>,
    conv: ConvNorm,
    #[module(skip)]
    interpolation: Interpolation,
    /// Index of the level that it reads.
    source: usize,
}

impl Pspnet {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / stride, W / stride]` at the coarsest stride
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let x = features.take(&[self.source]).remove(0);
        let [_, _, height, width] = x.dims();
        let mut inputs = ops::fork_many(x, SIZES.len() + 1).into_iter();
        let mut pooled = |size: usize| {
            let x = inputs.next().expect("one branch for each size");
            ops::adaptive_average_pool(x, [size, size])
        };
        let mut maps = vec![ops::conv_relu(&self.whole, pooled(SIZES[0]))];
        maps.extend(self.parts.iter().zip(&SIZES[1..]).map(|(conv, &size)| conv.forward(pooled(size))));
        let enlarged = maps.into_iter().map(|map| self.interpolation.forward(map, [height, width]));
        let maps: Vec<Tensor<4>> = enlarged.chain(inputs).collect();
        self.conv.forward(ops::concat_all(maps))
    }
}
