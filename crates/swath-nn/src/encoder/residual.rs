//! The residual network that `resnet` and `resnext` have in common: stem, four stages of blocks, and dilation in place of
//! stride.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};

use super::{Demand, Features, dilated_stride};
use crate::block::conv2d_for_norm;
use crate::family::{FamilyError, Level};
use crate::ops;

/// A bottleneck block has this many times more output channels than the stage's width.
const EXPANSION: usize = 4;

/// What tells one residual network from another.
pub(super) struct Shape {
    /// Blocks in each of the four stages.
    pub(super) blocks: [usize; 4],
    /// Channels of the stem. The stages' widths are this, twice, four and eight times as much.
    pub(super) width: usize,
    pub(super) kind: BlockKind,
}

#[derive(Clone, Copy)]
pub(super) enum BlockKind {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3, 1x1.
    Bottleneck {
        /// Channels of the 3x3 convolution in the first stage; they double from stage to stage.
        inner: usize,
        /// Groups of the 3x3 convolution.
        groups: usize,
    },
}

impl Shape {
    /// Strides 2, 4, 8, 16 and 32, none above `output_stride`.
    pub(super) fn levels(&self, member: &'static str, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let coarsest = dilated_stride(member, output_stride)?;
        let stage = |i: usize| Level::new(self.channels_out(i), (4 << i).min(coarsest));
        Ok([Level::new(self.width, 2)].into_iter().chain((0..4).map(stage)).collect())
    }

    pub(super) fn init(&self, demand: Demand, device: &Device) -> Residual {
        let coarsest = demand.output_stride.unwrap_or(32);
        // How far the stage would go beyond the coarsest stride, its dilation makes up for.
        let dilation = |i: usize| ((4 << i) / coarsest).max(1);
        let mut channels_in = self.width;
        let mut stage = |i: usize| -> Vec<Block> {
            let blocks = (0..self.blocks[i]).map(|block| {
                let first = block == 0 && i > 0;
                let shape = BlockShape {
                    channels_in: if block == 0 { channels_in } else { self.channels_out(i) },
                    channels_out: self.channels_out(i),
                    stride: if first && 4 << i <= coarsest { 2 } else { 1 },
                    first_dilation: if first { dilation(i - 1) } else { dilation(i) },
                    dilation: dilation(i),
                };
                match self.kind {
                    BlockKind::Basic => shape.basic(device),
                    BlockKind::Bottleneck { inner, groups } => shape.bottleneck(inner << i, groups, device),
                }
            });
            let blocks = blocks.collect();
            channels_in = self.channels_out(i);
            blocks
        };
        Residual {
            conv1: conv2d_for_norm(demand.bands, self.width, 7, 2, device),
            bn1: BatchNormConfig::new(self.width).init(device),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
        }
    }

    fn channels_out(&self, stage: usize) -> usize {
        let expansion = match self.kind {
            BlockKind::Basic => 1,
            BlockKind::Bottleneck { .. } => EXPANSION,
        };
        (self.width << stage) * expansion
    }
}

/// A residual network without its classifier.
#[derive(Module, Debug)]
pub struct Residual {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
}

impl Residual {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: the stem `[batch, width, H / 2, W / 2]`, then the four stages at strides 4, 8, 16 and 32, none above the
    ///   output stride
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let [stem, x] = ops::fork(ops::conv_norm_relu(&self.conv1, &self.bn1, images));
        let pool = MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]);
        let mut x = ops::max_pool(x, pool);
        let mut maps = vec![stem];
        for stage in [&self.layer1, &self.layer2, &self.layer3, &self.layer4] {
            let [feature, next] = ops::fork(stage.iter().fold(x, |x, block| block.forward(x)));
            maps.push(feature);
            x = next;
        }
        Features::new(maps)
    }
}

struct BlockShape {
    channels_in: usize,
    channels_out: usize,
    stride: usize,
    /// Of the convolution that has the stride, or would have it: it still sees the pixels of the stage before.
    first_dilation: usize,
    dilation: usize,
}

impl BlockShape {
    fn basic(&self, device: &Device) -> Block {
        let (from, to) = (self.channels_in, self.channels_out);
        Block {
            conv1: conv3x3([from, to], self.stride, self.first_dilation, 1, device),
            bn1: norm(to, device),
            conv2: conv3x3([to, to], 1, self.dilation, 1, device),
            bn2: norm(to, device),
            conv3: None,
            bn3: None,
            downsample: self.downsample(device),
        }
    }

    fn bottleneck(&self, inner: usize, groups: usize, device: &Device) -> Block {
        let conv1x1 = |from, to| conv2d_for_norm(from, to, 1, 1, device);
        Block {
            conv1: conv1x1(self.channels_in, inner),
            bn1: norm(inner, device),
            conv2: conv3x3([inner, inner], self.stride, self.first_dilation, groups, device),
            bn2: norm(inner, device),
            conv3: Some(conv1x1(inner, self.channels_out)),
            bn3: Some(norm(self.channels_out, device)),
            downsample: self.downsample(device),
        }
    }

    /// The first block of a stage changes the shape, and its shortcut has to follow.
    fn downsample(&self, device: &Device) -> Option<Projection> {
        let changes = self.stride != 1 || self.channels_in != self.channels_out;
        changes.then(|| Projection {
            conv: conv2d_for_norm(self.channels_in, self.channels_out, 1, self.stride, device),
            norm: norm(self.channels_out, device),
        })
    }
}

fn norm(channels: usize, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).init(device)
}

fn conv3x3(channels: [usize; 2], stride: usize, dilation: usize, groups: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [3, 3])
        .with_stride([stride, stride])
        .with_dilation([dilation, dilation])
        .with_padding(PaddingConfig2d::Explicit(dilation, dilation, dilation, dilation))
        .with_groups(groups)
        .with_bias(false)
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// A residual block: two 3x3 convolutions, or the bottleneck 1x1, 3x3, 1x1.
#[derive(Module, Debug)]
struct Block {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    conv3: Option<Conv2d>,
    bn3: Option<BatchNorm>,
    downsample: Option<Projection>,
}

impl Block {
    /// `relu(f(x) + shortcut(x))`
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [x, shortcut] = ops::fork(x);
        let y = ops::conv_norm_relu(&self.conv1, &self.bn1, x);
        let y = match (&self.conv3, &self.bn3) {
            (Some(conv3), Some(bn3)) => ops::conv_norm(conv3, bn3, ops::conv_norm_relu(&self.conv2, &self.bn2, y)),
            _ => ops::conv_norm(&self.conv2, &self.bn2, y),
        };
        let shortcut = match &self.downsample {
            Some(projection) => projection.forward(shortcut),
            None => shortcut,
        };
        ops::add_relu(y, shortcut)
    }
}

/// The 1x1 convolution that gives the shortcut its block's shape.
#[derive(Module, Debug)]
struct Projection {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Projection {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv_norm(&self.conv, &self.norm, x)
    }
}
