//! `deeplab_v1`: scores of dilated features, as in DeepLab-LargeFOV.
//!
//! Chen, Papandreou, Kokkinos, Murphy, Yuille: *Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected
//! CRFs*. ICLR 2015. <https://arxiv.org/abs/1412.7062>
//!
//! What makes this network is its encoder, `dilated_vgg`: the decoder hands on its coarsest features, and the head scores each pixel
//! by a 1x1 convolution. On other encoders it is the plainest decoder there is, to measure others by. The paper's fully
//! connected CRF works on predictions and is no part of the network.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, check_output_stride, coarsest};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};

/// Options of `[model.decoder.deeplab_v1]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeeplabV1Config {
    /// Coarsest stride of the encoder: 8, 16 or 32.
    pub output_stride: usize,
}

impl Default for DeeplabV1Config {
    fn default() -> Self {
        Self { output_stride: 8 }
    }
}

impl DeeplabV1Config {
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
    /// When the output stride is out of range.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        check_output_stride("decoder deeplab_v1", self.output_stride)?;
        let source = levels[coarsest(levels)];
        Ok(Output::Features(Level::new(source.channels, source.stride)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, _device: &Device) -> DeeplabV1 {
        DeeplabV1 { source: coarsest(levels) }
    }
}

/// The coarsest features as they are.
#[derive(Module, Debug)]
pub struct DeeplabV1 {
    /// Index of the level.
    source: usize,
}

impl DeeplabV1 {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / stride, W / stride]` of the coarsest level
    pub fn forward(&self, features: Features) -> Tensor<4> {
        features.take(&[self.source]).remove(0)
    }
}
