//! `resnet`: deep residual networks.
//!
//! He, Zhang, Ren, Sun: *Deep Residual Learning for Image Recognition*. CVPR 2016. <https://arxiv.org/abs/1512.03385>
//!
//! Layers, order and parameter names follow torchvision, without its classifier. As there, the bottleneck of depth 50
//! has its stride in the 3x3 convolution ("ResNet v1.5"), where the paper has it in the first 1x1.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Demand, Features};
use crate::block::conv2d_for_norm;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.encoder.resnet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResnetConfig {
    /// Number of layers with weights, counted as the paper does: 18, 34 or 50.
    pub depth: usize,
    /// Channels of the stem; the paper's networks have 64.
    pub width: usize,
}

impl Default for ResnetConfig {
    fn default() -> Self {
        Self { depth: 34, width: 64 }
    }
}

/// A depth of the paper's Table 1: blocks in each of the four stages, and whether they are bottlenecks.
struct Variant {
    depth: usize,
    blocks: [usize; 4],
    bottleneck: bool,
}

const VARIANTS: [Variant; 3] = [
    Variant { depth: 18, blocks: [2, 2, 2, 2], bottleneck: false },
    Variant { depth: 34, blocks: [3, 4, 6, 3], bottleneck: false },
    Variant { depth: 50, blocks: [3, 4, 6, 3], bottleneck: true },
];

/// A bottleneck block has this many times more output channels than its 3x3 convolution.
const EXPANSION: usize = 4;

impl ResnetConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 2, 4, 8, 16 and 32.
    ///
    /// # Errors
    /// When `depth` or `width` is out of range, or another output stride than 32 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value: usize, reason: String, nearest: usize| FamilyError::Option {
            member: "encoder resnet",
            option,
            value: value.to_string(),
            reason,
            nearest: format!("{option} = {nearest}"),
        };
        let variant = self.variant();
        if variant.depth != self.depth {
            let reason = "depths are 18, 34 and 50".to_string();
            return Err(refuse("depth", self.depth, reason, variant.depth));
        }
        if !(1..=1024).contains(&self.width) {
            let reason = "the stem has 1 to 1024 channels".to_string();
            return Err(refuse("width", self.width, reason, self.width.clamp(1, 1024)));
        }
        if let Some(stride) = output_stride.filter(|&stride| stride != 32) {
            let reason = "this encoder has no dilated form".to_string();
            return Err(refuse("output_stride", stride, reason, 32));
        }
        let expansion = if variant.bottleneck { EXPANSION } else { 1 };
        let stem = Level::new(self.width, 2);
        let stage = |i: usize| Level::new((self.width << i) * expansion, 4 << i);
        Ok([stem].into_iter().chain((0..4).map(stage)).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Resnet {
        let variant = self.variant();
        let mut channels = self.width;
        let mut stage = |i: usize| -> Vec<Block> {
            (0..variant.blocks[i])
                .map(|block| {
                    let shape = BlockShape {
                        channels_in: channels,
                        width: self.width << i,
                        stride: if block == 0 && i > 0 { 2 } else { 1 },
                        bottleneck: variant.bottleneck,
                    };
                    channels = shape.channels_out();
                    shape.init(device)
                })
                .collect()
        };
        Resnet {
            conv1: conv2d_for_norm(demand.bands, self.width, 7, 2, device),
            bn1: BatchNormConfig::new(self.width).init(device),
            layer1: stage(0),
            layer2: stage(1),
            layer3: stage(2),
            layer4: stage(3),
        }
    }

    /// The variant of this depth, or the nearest one.
    fn variant(&self) -> &'static Variant {
        let distance = |variant: &&Variant| variant.depth.abs_diff(self.depth);
        VARIANTS.iter().min_by_key(distance).unwrap_or(&VARIANTS[0])
    }
}

/// A residual network without its classifier.
#[derive(Module, Debug)]
pub struct Resnet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<Block>,
    layer2: Vec<Block>,
    layer3: Vec<Block>,
    layer4: Vec<Block>,
}

impl Resnet {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: the stem `[batch, width, H / 2, W / 2]`, then the four stages at strides 4, 8, 16 and 32
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
    width: usize,
    stride: usize,
    bottleneck: bool,
}

impl BlockShape {
    fn channels_out(&self) -> usize {
        if self.bottleneck { self.width * EXPANSION } else { self.width }
    }

    fn init(&self, device: &Device) -> Block {
        let conv = |from, to, kernel, stride| conv2d_for_norm(from, to, kernel, stride, device);
        let norm = |channels| BatchNormConfig::new(channels).init(device);
        let (width, out) = (self.width, self.channels_out());
        // The first block of a stage changes the shape, and its shortcut has to follow.
        let project = self.stride != 1 || self.channels_in != out;
        let downsample =
            project.then(|| Projection { conv: conv(self.channels_in, out, 1, self.stride), norm: norm(out) });
        if self.bottleneck {
            Block {
                conv1: conv(self.channels_in, width, 1, 1),
                bn1: norm(width),
                conv2: conv(width, width, 3, self.stride),
                bn2: norm(width),
                conv3: Some(conv(width, out, 1, 1)),
                bn3: Some(norm(out)),
                downsample,
            }
        } else {
            Block {
                conv1: conv(self.channels_in, width, 3, self.stride),
                bn1: norm(width),
                conv2: conv(width, width, 3, 1),
                bn2: norm(width),
                conv3: None,
                bn3: None,
                downsample,
            }
        }
    }
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
