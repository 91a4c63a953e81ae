//! A convolution with batch normalization and an activation, the layer that most members are made of.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer};
use burn::tensor::{Device, Tensor};

use super::conv2d_for_norm;
use crate::ops::{self, Activation};

/// `activation(norm(conv(x)))`, the convolution without bias.
#[derive(Module, Debug)]
pub struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
    #[module(skip)]
    activation: Activation,
}

impl ConvNorm {
    /// Of a convolution with an odd `kernel` that keeps the size, and ReLU.
    pub fn new(channels_in: usize, channels_out: usize, kernel: usize, device: &Device) -> Self {
        let norm = BatchNormConfig::new(channels_out).init(device);
        let conv = conv2d_for_norm(channels_in, channels_out, kernel, 1, device);
        Self { conv, norm, activation: Activation::Relu }
    }

    /// Of any convolution, and ReLU.
    pub fn of(conv: Conv2dConfig, device: &Device) -> Self {
        Self::with(conv, Activation::Relu, 1e-5, device)
    }

    /// Of any convolution and activation, with what is added to variances.
    pub fn with(conv: Conv2dConfig, activation: Activation, epsilon: f64, device: &Device) -> Self {
        let norm = BatchNormConfig::new(conv.channels[1]).with_epsilon(epsilon).init(device);
        Self { conv: conv.with_bias(false).with_initializer(Initializer::Zeros).init(device), norm, activation }
    }

    /// # Shapes
    /// - `x`: `[batch, channels_in, h, w]`
    /// - output: `[batch, channels_out, h', w']` of the convolution
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv_norm_activate(&self.conv, &self.norm, self.activation, x)
    }
}
