//! Two 3x3 convolutions, the step that U-Net repeats at every level.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::{Padding, conv2d, conv2d_for_norm};
use crate::ops;

/// Shape of a [`DoubleConv`].
#[derive(Clone, Copy, Debug)]
pub struct DoubleConvConfig {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of both convolutions.
    pub channels_out: usize,
    /// Batch normalization between each convolution and its activation.
    pub batch_norm: bool,
    /// What both convolutions do at the edge.
    pub padding: Padding,
}

impl DoubleConvConfig {
    /// Makes the block.
    pub fn init(&self, device: &Device) -> DoubleConv {
        let conv = |channels_in| {
            let conv = match self.batch_norm {
                true => conv2d_for_norm(channels_in, self.channels_out, 3, 1, device),
                false => conv2d(channels_in, self.channels_out, 3, device),
            };
            match self.padding {
                Padding::Same => conv,
                Padding::Valid => Conv2d { padding: PaddingConfig2d::Valid, ..conv },
            }
        };
        let norm = || self.batch_norm.then(|| BatchNormConfig::new(self.channels_out).init(device));
        DoubleConv { conv1: conv(self.channels_in), norm1: norm(), conv2: conv(self.channels_out), norm2: norm() }
    }
}

/// `relu(norm(conv(relu(norm(conv(x))))))`
#[derive(Module, Debug)]
pub struct DoubleConv {
    conv1: Conv2d,
    norm1: Option<BatchNorm>,
    conv2: Conv2d,
    norm2: Option<BatchNorm>,
}

impl DoubleConv {
    /// # Shapes
    /// - `x`: `[batch, channels_in, h, w]`
    /// - output: `[batch, channels_out, h, w]`, or `[batch, channels_out, h - 4, w - 4]` with valid padding
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = step(&self.conv1, self.norm1.as_ref(), x);
        step(&self.conv2, self.norm2.as_ref(), x)
    }
}

fn step(conv: &Conv2d, norm: Option<&BatchNorm>, x: Tensor<4>) -> Tensor<4> {
    match norm {
        Some(norm) => ops::conv_norm_relu(conv, norm, x),
        None => ops::conv_relu(conv, x),
    }
}
