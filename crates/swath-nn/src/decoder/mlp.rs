//! `mlp`: a pool of features from several levels, combined by one hidden layer.
//!
//! Maggiori, Tarabalka, Charpiat, Alliez: *High-Resolution Aerial Image Labeling With Convolutional Neural Networks*. IEEE TGRS
//! 2017. <https://arxiv.org/abs/1611.01962>
//!
//! Maps of several levels are upsampled to the finest of them and concatenated, so that the network itself learns how to
//! combine fine and coarse ones: one hidden layer of 1024 units, then scores. Differs from the paper: the encoder may be any, and
//! upsampling is bilinear unless `upsampling` says otherwise.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one, chosen, pyramid};
use crate::block::{Enlarge, PixelMlp, Upsampling};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};

/// Options of `[model.decoder.mlp]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MlpConfig {
    /// Strides of the levels in the pool; by default all from 4 on, or all where there are none. The finest is that of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strides: Option<Vec<usize>>,
    /// Units of the hidden layer.
    pub hidden: usize,
    /// How each level's share of the first hidden layer gets the size of the finest one.
    pub upsampling: Upsampling,
}

impl Default for MlpConfig {
    fn default() -> Self {
        Self { strides: None, hidden: 1024, upsampling: Upsampling::Bilinear }
    }
}

impl MlpConfig {
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
    /// When the encoder lacks a stride or the hidden layer has no units.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        const MEMBER: &str = "decoder mlp";
        at_least_one(MEMBER, &[("hidden", self.hidden)])?;
        Enlarge::check(self.upsampling, MEMBER)?;
        let sources = self.sources(levels)?;
        Ok(Output::Features(Level::new(self.hidden, levels[sources[0]].stride)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Mlp {
        let sources = self.sources(levels).unwrap_or_default();
        let levels: Vec<Level> = sources.iter().map(|&source| levels[source]).collect();
        Mlp { mlp: PixelMlp::new(&levels, &[self.hidden], self.upsampling, device), sources }
    }

    /// The levels in the pool, finest first.
    fn sources(&self, levels: &[Level]) -> Result<Vec<usize>, FamilyError> {
        let from_four = pyramid(levels);
        match &self.strides {
            None if !from_four.is_empty() => Ok(from_four),
            strides => chosen("mlp", levels, strides.as_deref()),
        }
    }
}

/// One hidden layer over the pool of features.
#[derive(Module, Debug)]
pub struct Mlp {
    mlp: PixelMlp,
    /// Indices of the levels, finest first.
    sources: Vec<usize>,
}

impl Mlp {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, hidden, H / stride, W / stride]` at the finest stride of the pool
    pub fn forward(&self, features: Features) -> Tensor<4> {
        self.mlp.forward(features.take(&self.sources))
    }
}
