//! A perceptron over each pixel's activations at several levels.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};

use super::{conv2d, resize};
use crate::ops;

/// Maps of several sizes, upsampled to the first one's, concatenated and led through hidden layers with ReLU: 1x1 convolutions.
///
/// Upsampling and the first layer are both linear and swap: each map meets its share of the layer's weights at its own size,
/// and the sums are upsampled. The wide concatenation never exists.
#[derive(Module, Debug)]
pub struct PixelMlp {
    first: Conv2d,
    rest: Vec<Conv2d>,
}

impl PixelMlp {
    /// For maps of `channels`, finest first, with at least one hidden layer.
    pub fn new(channels: &[usize], hidden: &[usize], device: &Device) -> Self {
        let pairs = hidden.windows(2).map(|pair| conv2d(pair[0], pair[1], 1, device));
        Self { first: conv2d(channels.iter().sum(), hidden[0], 1, device), rest: pairs.collect() }
    }

    /// # Shapes
    /// - `maps`: `[batch, channels_i, h_i, w_i]`, finest first
    /// - output: `[batch, last hidden, h_0, w_0]`
    pub fn forward(&self, maps: Vec<Tensor<4>>) -> Tensor<4> {
        self.rest.iter().fold(self.first(maps), |x, layer| ops::conv_relu(layer, x))
    }

    fn first(&self, maps: Vec<Tensor<4>>) -> Tensor<4> {
        let [_, _, height, width] = maps[0].dims();
        let (count, mut channel, mut sum) = (maps.len(), 0, None);
        for (index, map) in maps.into_iter().enumerate() {
            let channels = map.dims()[1];
            let weight = self.first.weight.val().narrow(1, channel, channels);
            let bias = self.first.bias.as_ref().filter(|_| index == 0).map(|bias| bias.val());
            channel += channels;
            let last = index + 1 == count;
            sum = Some(match sum {
                None => ops::pointwise(weight, bias, last, map),
                Some(sum) => {
                    let map = resize(ops::pointwise(weight, bias, false, map), [height, width]);
                    if last { ops::add_relu(sum, map) } else { ops::add(sum, map) }
                }
            });
        }
        sum.expect("at least one map")
    }
}
