//! `segformer`: SegFormer's decoder, linear layers alone.
//!
//! Xie, Wang, Yu, Anandkumar, Alvarez, Luo: *SegFormer: Simple and Efficient Design for Semantic Segmentation with
//! Transformers*. NeurIPS 2021. <https://arxiv.org/abs/2105.15203>, section 3.2
//!
//! The decoder of the `Segformer` of segmentation_models.pytorch. Linear layers over the pixels of a map are written as the 1x1
//! convolutions that they are. `mit` is the paper's encoder; any with features from stride 4 on will do. Differs from the
//! paper: no dropout.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one, pyramid, required};
use crate::block::{ConvNorm, Enlarge, Upsampling, conv2d};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.segformer]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SegformerConfig {
    /// Channels of each level and of the output: 256 in the paper's B0 and B1, 768 from B2 on.
    pub channels: usize,
    /// How levels get the size of the finest one.
    pub upsampling: Upsampling,
}

impl Default for SegformerConfig {
    fn default() -> Self {
        Self { channels: 256, upsampling: Upsampling::Bilinear }
    }
}

impl SegformerConfig {
    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride): any.
    pub fn output_stride(&self) -> Option<usize> {
        None
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): no.
    pub fn needs_indices(&self) -> bool {
        false
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out).
    ///
    /// # Errors
    /// When there are no channels, for max-unpooling, or when the encoder has no features of stride 4.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        const MEMBER: &str = "decoder segformer";
        at_least_one(MEMBER, &[("channels", self.channels)])?;
        Enlarge::check(self.upsampling, MEMBER)?;
        let finest = required("segformer", levels, 4)?;
        Ok(Output::Features(Level::new(self.channels, levels[finest].stride)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Segformer {
        let sources: Vec<usize> = pyramid(levels).into_iter().rev().collect();
        let linear = |&source: &usize| conv2d(levels[source].channels, self.channels, 1, device);
        let finest = sources.last().map_or(1, |&source| levels[source].stride);
        let enlarge = |&source: &usize| {
            Enlarge::new(self.upsampling, self.channels, levels[source].stride / finest, false, device)
        };
        Segformer {
            linears: sources.iter().map(linear).collect(),
            enlarge: sources.iter().map(enlarge).collect(),
            fuse: ConvNorm::new(sources.len() * self.channels, self.channels, 1, device),
            sources,
        }
    }
}

/// Each level by a linear layer of its own, then all by one.
#[derive(Module, Debug)]
pub struct Segformer {
    /// Coarsest level first.
    linears: Vec<Conv2d>,
    enlarge: Vec<Enlarge>,
    fuse: ConvNorm,
    /// Indices of the levels, coarsest first.
    sources: Vec<usize>,
}

impl Segformer {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / 4, W / 4]`
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let features = features.take(&self.sources);
        let [_, _, height, width] = features.last().expect("a level of stride 4").dims();
        let levels = self.linears.iter().zip(&self.enlarge).zip(features);
        let levels =
            levels.map(|((linear, enlarge), feature)| enlarge.forward(ops::conv(linear, feature), [height, width]));
        self.fuse.forward(ops::concat_all(levels.collect()))
    }
}
