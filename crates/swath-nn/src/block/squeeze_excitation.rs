//! Squeeze-and-excitation: channels scaled by what the whole image holds.
//!
//! Hu, Shen, Sun: *Squeeze-and-Excitation Networks*. CVPR 2018. <https://arxiv.org/abs/1709.01507>

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};

use super::conv2d;
use crate::ops::{self, Activation};

/// `x sigmoid(expand(activation(reduce(mean of x))))`
#[derive(Module, Debug)]
pub struct SqueezeExcitation {
    reduce: Conv2d,
    expand: Conv2d,
    #[module(skip)]
    activation: Activation,
}

impl SqueezeExcitation {
    /// Makes the block with `reduced` channels in the middle.
    pub fn new(channels: usize, reduced: usize, activation: Activation, device: &Device) -> Self {
        Self { reduce: conv2d(channels, reduced, 1, device), expand: conv2d(reduced, channels, 1, device), activation }
    }

    /// # Shapes
    /// All `[batch, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [x, mean] = ops::fork(x);
        let mean = ops::adaptive_average_pool(mean, [1, 1]);
        let reduced = ops::activate(self.activation, ops::conv(&self.reduce, mean));
        ops::multiply(x, ops::activate(Activation::Sigmoid, ops::conv(&self.expand, reduced)))
    }
}
