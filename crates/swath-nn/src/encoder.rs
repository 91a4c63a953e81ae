//! Encoders: images to feature maps of falling resolution.

use burn::tensor::{Device, Tensor};

use crate::family::{FamilyError, Level, family};

pub mod plain;
pub mod resnet;

family! {
    /// The choice of an encoder, as recipes write it: `[model.encoder.resnet]`.
    config EncoderConfig {
        init(bands: usize, device: &Device);

        /// The feature maps that the encoder makes, finest first, known without a device.
        ///
        /// `output_stride` asks for a coarsest stride other than the encoder's own, which dilation keeps up.
        ///
        /// # Errors
        /// When an option is out of range or the encoder cannot give that stride.
        fn levels(output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError>;
    }

    /// An encoder with its weights.
    module Encoder {
        /// Feature maps, one for each of [`EncoderConfig::levels`] and in its order.
        ///
        /// # Shapes
        /// - `images`: `[batch, band, H, W]`, with H and W multiples of the coarsest stride
        /// - output: `[batch, channels, H / stride, W / stride]` for each level
        fn forward(images: Tensor<4>) -> Vec<Tensor<4>>;
    }

    members {
        /// U-Net's contracting path: two 3x3 convolutions a level, max-pooling between levels (2015)
        "plain" => Plain(plain::PlainConfig, plain::Plain),
        /// Deep residual network of depth 18, 34 or 50 (2015)
        "resnet" => Resnet(resnet::ResnetConfig, resnet::Resnet),
    }
}
