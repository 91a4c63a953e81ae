//! The two linear layers of a transformer's block.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};

use super::conv2d;
use crate::ops::{self, Activation};

/// `fc2(gelu(fc1(x)))` in each pixel. Linear layers are 1x1 convolutions: their weights are PyTorch's, with two more axes of 1.
#[derive(Module, Debug)]
pub struct Mlp {
    fc1: Conv2d,
    fc2: Conv2d,
}

impl Mlp {
    /// Makes the block with `hidden` channels between both layers.
    pub fn new(channels: usize, hidden: usize, device: &Device) -> Self {
        Self { fc1: conv2d(channels, hidden, 1, device), fc2: conv2d(hidden, channels, 1, device) }
    }

    /// # Shapes
    /// All `[batch, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv(&self.fc2, ops::activate(Activation::Gelu, ops::conv(&self.fc1, x)))
    }
}
