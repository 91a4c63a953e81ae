//! 3x3 convolutions with dilation, as a whole or depthwise separable.
//!
//! Chollet: *Xception: Deep Learning with Depthwise Separable Convolutions*. CVPR 2017. <https://arxiv.org/abs/1610.02357>

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};

use super::ConvNorm;
use crate::ops;

/// Shape of a [`Conv3x3`].
#[derive(Clone, Copy, Debug)]
pub struct Conv3x3Config {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Distance between the kernel's taps.
    pub dilation: usize,
    /// Each channel by itself first, then a 1x1 convolution over channels.
    pub separable: bool,
}

impl Conv3x3Config {
    /// Makes the layer.
    pub fn init(&self, device: &Device) -> Conv3x3 {
        let pad = self.dilation;
        let spatial = |channels_out| {
            Conv2dConfig::new([self.channels_in, channels_out], [3, 3])
                .with_dilation([self.dilation; 2])
                .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
                .with_bias(false)
                .with_initializer(Initializer::Zeros)
        };
        if !self.separable {
            return Conv3x3 { depthwise: None, conv: ConvNorm::of(spatial(self.channels_out), device) };
        }
        Conv3x3 {
            depthwise: Some(spatial(self.channels_in).with_groups(self.channels_in).init(device)),
            conv: ConvNorm::new(self.channels_in, self.channels_out, 1, device),
        }
    }
}

/// `relu(norm(conv(x)))`, or `relu(norm(pointwise(depthwise(x))))`, padded so that the size stays.
#[derive(Module, Debug)]
pub struct Conv3x3 {
    depthwise: Option<Conv2d>,
    conv: ConvNorm,
}

impl Conv3x3 {
    /// # Shapes
    /// - `x`: `[batch, channels_in, h, w]`
    /// - output: `[batch, channels_out, h, w]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.conv.forward(match &self.depthwise {
            Some(depthwise) => ops::conv(depthwise, x),
            None => x,
        })
    }
}
