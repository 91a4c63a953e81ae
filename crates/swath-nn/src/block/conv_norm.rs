//! A convolution with batch normalization and ReLU, the layer that most decoders are made of.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer};
use burn::tensor::{Device, Tensor};

use super::conv2d_for_norm;
use crate::ops;

/// `relu(norm(conv(x)))`, the convolution without bias.
#[derive(Module, Debug)]
pub struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    /// Of a convolution with an odd `kernel` that keeps the size.
    pub fn new(channels_in: usize, channels_out: usize, kernel: usize, device: &Device) -> Self {
        let norm = BatchNormConfig::new(channels_out).init(device);
        Self { conv: conv2d_for_norm(channels_in, channels_out, kernel, 1, device), norm }
    }

    /// Of any convolution.
    pub fn of(conv: Conv2dConfig, device: &Device) -> Self {
        let norm = BatchNormConfig::new(conv.channels[1]).init(device);
        Self { conv: conv.with_bias(false).with_initializer(Initializer::Zeros).init(device), norm }
    }

    /// # Shapes
    /// - `x`: `[batch, channels_in, h, w]`
    /// - output: `[batch, channels_out, h', w']` of the convolution
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv_norm_relu(&self.conv, &self.norm, x)
    }
}
