//! Layer normalization of images.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::ops;

/// Normalizes each pixel over its channels, then scales and shifts each channel.
///
/// Ba, Kiros, Hinton: *Layer Normalization*. 2016. <https://arxiv.org/abs/1607.06450>
#[derive(Module, Debug)]
pub struct LayerNorm {
    gamma: Param<Tensor<1>>,
    beta: Param<Tensor<1>>,
    epsilon: f64,
}

impl LayerNorm {
    /// Makes the layer.
    pub fn new(channels: usize, epsilon: f64, device: &Device) -> Self {
        let gamma = Param::from_tensor(Tensor::ones([channels], device));
        let beta = Param::from_tensor(Tensor::zeros([channels], device));
        Self { gamma, beta, epsilon }
    }

    /// # Shapes
    /// All `[batch, channels, h, w]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::layer_norm(self.gamma.val(), self.beta.val(), self.epsilon, x)
    }
}
