//! Atrous spatial pyramid pooling: one map seen through several dilations and as a whole.
//!
//! Chen, Papandreou, Schroff, Adam: *Rethinking Atrous Convolution for Semantic Image Segmentation*. 2017.
//! <https://arxiv.org/abs/1706.05587>, section 3.3; separable as in DeepLabV3+.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::{Conv3x3, Conv3x3Config, ConvNorm, resize};
use crate::ops;

/// Shape of an [`Aspp`].
#[derive(Clone, Debug)]
pub struct AsppConfig {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of each branch and of the output.
    pub channels_out: usize,
    /// Dilation of each 3x3 branch.
    pub rates: Vec<usize>,
    /// Depthwise separable 3x3 branches.
    pub separable: bool,
}

impl AsppConfig {
    /// Makes the block.
    pub fn init(&self, device: &Device) -> Aspp {
        let &Self { channels_in, channels_out, separable, .. } = self;
        let pixel = |channels_in| ConvNorm::new(channels_in, channels_out, 1, device);
        let atrous = |&dilation| Conv3x3Config { channels_in, channels_out, dilation, separable }.init(device);
        Aspp {
            pixel: pixel(channels_in),
            atrous: self.rates.iter().map(atrous).collect(),
            pool: pixel(channels_in),
            project: pixel((self.rates.len() + 2) * channels_out),
        }
    }
}

/// A 1x1 convolution, 3x3 convolutions of several dilations and the mean of the map, concatenated and combined.
#[derive(Module, Debug)]
pub struct Aspp {
    pixel: ConvNorm,
    atrous: Vec<Conv3x3>,
    pool: ConvNorm,
    project: ConvNorm,
}

impl Aspp {
    /// # Shapes
    /// - `x`: `[batch, channels_in, h, w]`
    /// - output: `[batch, channels_out, h, w]`
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let mut inputs = ops::fork_many(x, self.atrous.len() + 2).into_iter();
        let mut next = || inputs.next().expect("one branch for each layer");
        let mut branches = vec![self.pixel.forward(next())];
        branches.extend(self.atrous.iter().map(|conv| conv.forward(next())));
        let mean = self.pool.forward(ops::adaptive_average_pool(next(), [1, 1]));
        branches.push(resize(mean, [height, width]));
        self.project.forward(ops::concat_all(branches))
    }
}
