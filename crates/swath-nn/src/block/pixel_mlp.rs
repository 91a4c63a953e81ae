//! A perceptron over each pixel's activations at several levels.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};

use super::{Enlarge, Upsampling, conv2d};
use crate::family::Level;
use crate::ops;

/// Maps of several sizes, upsampled to the first one's, concatenated and led through hidden layers with ReLU: 1x1 convolutions.
///
/// Interpolation and the first layer are both linear and swap: each map meets its share of the layer's weights at its own size,
/// and the sums are upsampled, in whatever way. The wide concatenation never exists.
#[derive(Module, Debug)]
pub struct PixelMlp {
    first: Conv2d,
    rest: Vec<Conv2d>,
    /// For each map.
    enlarge: Vec<Enlarge>,
}

impl PixelMlp {
    /// For maps of these levels, finest first, with at least one hidden layer.
    pub fn new(levels: &[Level], hidden: &[usize], upsampling: Upsampling, device: &Device) -> Self {
        let pairs = hidden.windows(2).map(|pair| conv2d(pair[0], pair[1], 1, device));
        let channels = levels.iter().map(|level| level.channels).sum();
        let factor = |level: &Level| level.stride / levels[0].stride;
        Self {
            first: conv2d(channels, hidden[0], 1, device),
            rest: pairs.collect(),
            enlarge: levels
                .iter()
                .map(|level| Enlarge::new(upsampling, hidden[0], factor(level), false, device))
                .collect(),
        }
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
                    let map = self.enlarge[index].forward(ops::pointwise(weight, bias, false, map), [height, width]);
                    if last { ops::add_relu(sum, map) } else { ops::add(sum, map) }
                }
            });
        }
        sum.expect("at least one map")
    }
}
