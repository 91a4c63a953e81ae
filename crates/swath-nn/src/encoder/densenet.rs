//! `densenet`: every layer sees the outputs of all layers before it.
//!
//! Huang, Liu, van der Maaten, Weinberger: *Densely Connected Convolutional Networks*. CVPR 2017.
//! <https://arxiv.org/abs/1608.06993>
//!
//! The paper's DenseNet-BC with bottlenecks of four times the growth rate and transitions that halve the channels. Layers,
//! order and parameter names follow torchvision's `features`, without the classifier; there is no dropout. Levels are the
//! rectified features before each subsampling and at the end.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Demand, Features, refuse};
use crate::block::conv2d_for_norm;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.encoder.densenet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DensenetConfig {
    /// Channels that each layer adds; the stem has twice as many.
    pub growth_rate: usize,
    /// Layers of each dense block. The default is DenseNet-121; `[6, 12, 32, 32]` is DenseNet-169.
    pub blocks: [usize; 4],
}

impl Default for DensenetConfig {
    fn default() -> Self {
        Self { growth_rate: 32, blocks: [6, 12, 24, 16] }
    }
}

/// A bottleneck has this many times the growth rate as channels.
const BOTTLENECK: usize = 4;

impl DensenetConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 2, 4, 8, 16 and 32.
    ///
    /// # Errors
    /// When `growth_rate` or `blocks` is out of range, or another output stride than 32 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value, reason, nearest| refuse("encoder densenet", option, value, reason, nearest);
        if !(1..=512).contains(&self.growth_rate) {
            let nearest = self.growth_rate.clamp(1, 512);
            return Err(refuse("growth_rate", self.growth_rate, "a layer adds 1 to 512 channels", nearest));
        }
        if self.blocks.iter().any(|layers| !(1..=256).contains(layers)) {
            return Err(FamilyError::Option {
                member: "encoder densenet",
                option: "blocks",
                value: format!("{:?}", self.blocks),
                reason: "a block has 1 to 256 layers".into(),
                nearest: format!("`blocks = {:?}`", self.blocks.map(|layers| layers.clamp(1, 256))),
            });
        }
        if let Some(stride) = output_stride.filter(|&stride| stride != 32) {
            return Err(refuse("output_stride", stride, "its transitions pool, which dilation cannot replace", 32));
        }
        let stem = Level::new(2 * self.growth_rate, 2);
        let block = |i: usize| Level::new(self.channels_out(i), 4 << i);
        Ok([stem].into_iter().chain((0..4).map(block)).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Densenet {
        let stem = 2 * self.growth_rate;
        let block = |i: usize| -> Vec<DenseLayer> {
            let channels = |layer| self.channels_in(i) + layer * self.growth_rate;
            (0..self.blocks[i]).map(|layer| DenseLayer::new(channels(layer), self.growth_rate, device)).collect()
        };
        let transition = |i: usize| {
            let channels = self.channels_out(i);
            Transition {
                norm: BatchNormConfig::new(channels).init(device),
                conv: conv2d_for_norm(channels, self.channels_in(i + 1), 1, 1, device),
            }
        };
        Densenet {
            conv0: conv2d_for_norm(demand.bands, stem, 7, 2, device),
            norm0: BatchNormConfig::new(stem).init(device),
            denseblock1: block(0),
            transition1: transition(0),
            denseblock2: block(1),
            transition2: transition(1),
            denseblock3: block(2),
            transition3: transition(2),
            denseblock4: block(3),
            norm5: BatchNormConfig::new(self.channels_out(3)).init(device),
        }
    }

    /// Channels that a block begins with.
    fn channels_in(&self, block: usize) -> usize {
        if block == 0 { 2 * self.growth_rate } else { self.channels_out(block - 1) / 2 }
    }

    /// Channels that a block ends with.
    fn channels_out(&self, block: usize) -> usize {
        self.channels_in(block) + self.blocks[block] * self.growth_rate
    }
}

/// A DenseNet without its classifier.
#[derive(Module, Debug)]
pub struct Densenet {
    conv0: Conv2d,
    norm0: BatchNorm,
    denseblock1: Vec<DenseLayer>,
    transition1: Transition,
    denseblock2: Vec<DenseLayer>,
    transition2: Transition,
    denseblock3: Vec<DenseLayer>,
    transition3: Transition,
    denseblock4: Vec<DenseLayer>,
    norm5: BatchNorm,
}

impl Densenet {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: the stem `[batch, 2 growth_rate, H / 2, W / 2]`, then the four blocks at strides 4, 8, 16 and 32
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let [stem, x] = ops::fork(ops::conv_norm_relu(&self.conv0, &self.norm0, images));
        let pool = MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]);
        let mut x = ops::max_pool(x, pool);
        let mut maps = vec![stem];
        for (block, transition) in [
            (&self.denseblock1, &self.transition1),
            (&self.denseblock2, &self.transition2),
            (&self.denseblock3, &self.transition3),
        ] {
            let [map, next] = ops::fork(ops::norm_relu(&transition.norm, dense(block, x)));
            maps.push(map);
            let halving = AvgPoolOptions::new([2, 2]).with_stride([2, 2]);
            x = ops::average_pool(ops::conv(&transition.conv, next), halving);
        }
        maps.push(ops::norm_relu(&self.norm5, dense(&self.denseblock4, x)));
        Features::new(maps)
    }
}

/// The input and what each layer adds to it, side by side.
fn dense(block: &[DenseLayer], x: Tensor<4>) -> Tensor<4> {
    block.iter().fold(x, |x, layer| {
        let [known, x] = ops::fork(x);
        ops::concat(known, layer.forward(x))
    })
}

/// `conv2(relu(norm2(conv1(relu(norm1(x))))))`: a 1x1 bottleneck and a 3x3 convolution.
#[derive(Module, Debug)]
struct DenseLayer {
    norm1: BatchNorm,
    conv1: Conv2d,
    norm2: BatchNorm,
    conv2: Conv2d,
}

impl DenseLayer {
    fn new(channels_in: usize, growth_rate: usize, device: &Device) -> Self {
        let bottleneck = BOTTLENECK * growth_rate;
        Self {
            norm1: BatchNormConfig::new(channels_in).init(device),
            conv1: conv2d_for_norm(channels_in, bottleneck, 1, 1, device),
            norm2: BatchNormConfig::new(bottleneck).init(device),
            conv2: conv2d_for_norm(bottleneck, growth_rate, 3, 1, device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = ops::conv_norm_relu(&self.conv1, &self.norm2, ops::norm_relu(&self.norm1, x));
        ops::conv(&self.conv2, x)
    }
}

/// Halves the channels, and with the pool behind it the size.
#[derive(Module, Debug)]
struct Transition {
    norm: BatchNorm,
    conv: Conv2d,
}
