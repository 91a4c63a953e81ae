//! Decoders: feature maps of many resolutions to one.

use burn::tensor::{Device, Tensor};

use crate::encoder::Features;
use crate::family::{FamilyError, Level, family};

pub mod fcn;
pub mod unet;

/// What a decoder hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Features, which the head turns into one channel a class.
    Features(Level),
    /// Already one channel a class, as in FCN, which fuses class scores; no head follows.
    Scores(Level),
}

impl Output {
    /// Channels and stride of what the decoder hands on.
    pub fn level(&self) -> Level {
        match *self {
            Self::Features(level) | Self::Scores(level) => level,
        }
    }
}

family! {
    /// The choice of a decoder, as recipes write it: `[model.decoder.unet]`.
    config DecoderConfig {
        init(levels: &[Level], classes: usize, device: &Device);

        /// The coarsest stride that the decoder wants from its encoder; `None` takes the encoder's own.
        fn output_stride() -> Option<usize>;

        /// Whether the decoder needs the indices of max-pooling.
        fn needs_indices() -> bool;

        /// What the decoder hands on for these levels.
        ///
        /// # Errors
        /// When an option is out of range or the levels lack what the decoder needs.
        fn out(levels: &[Level], classes: usize) -> Result<Output, FamilyError>;
    }

    /// A decoder with its weights.
    module Decoder {
        /// One feature map from many.
        ///
        /// # Shapes
        /// - `features`: those of the levels given to `init`
        /// - output: `[batch, channels, H / stride, W / stride]` with the level of [`DecoderConfig::out`]
        fn forward(features: Features) -> Tensor<4>;
    }

    members {
        /// U-Net's expanding path: upsample, join the encoder's features, two 3x3 convolutions (2015)
        "unet" => Unet(unet::UnetConfig, unet::Unet),
        /// Fully convolutional network 32s, 16s or 8s: class scores of several strides, upsampled and added (2015)
        "fcn" => Fcn(fcn::FcnConfig, fcn::Fcn),
    }
}
