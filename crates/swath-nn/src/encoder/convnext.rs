//! `convnext`: a residual network with the manners of a transformer, tiny or small.
//!
//! Liu, Mao, Wu, Feichtenhofer, Darrell, Xie: *A ConvNet for the 2020s*. CVPR 2022. <https://arxiv.org/abs/2201.03545>
//!
//! Layers, epsilons and names follow timm, with `stem.conv`, `stem.norm`, `downsample.norm`, `downsample.conv` and `layer_scale`
//! for its `stem.0`, `stem.1`, `downsample.0`, `downsample.1` and `gamma`. As there with `features_only`, levels are the stages'
//! own outputs, which no norm follows. Linear layers are 1x1 convolutions whose weights are PyTorch's with two more axes of 1.
//! Differs from the paper: there is no stochastic depth.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Demand, Features, only_stride, refuse_channels};
use crate::block::{LayerNorm, Mlp, depthwise, patches};
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.encoder.convnext]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConvnextConfig {
    /// Which of the paper's networks.
    pub variant: Variant,
    /// Channels of the first stage, which double from stage to stage; the paper's networks have 96.
    pub width: usize,
}

impl Default for ConvnextConfig {
    fn default() -> Self {
        Self { variant: Variant::Tiny, width: 96 }
    }
}

/// The paper's networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// 28 million parameters.
    Tiny,
    /// 50 million.
    Small,
}

const EPSILON: f64 = 1e-6;

impl ConvnextConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 4, 8, 16 and 32.
    ///
    /// # Errors
    /// When `width` is out of range, or another output stride than 32 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        refuse_channels("encoder convnext", "width", self.width, 1024)?;
        only_stride("encoder convnext", 32, output_stride)?;
        Ok((0..4).map(|i| Level::new(self.width << i, 4 << i)).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Convnext {
        let blocks = match self.variant {
            Variant::Tiny => [3, 3, 9, 3],
            Variant::Small => [3, 3, 27, 3],
        };
        let patches = |from, to, size| patches(from, to, size, device);
        let norm = |channels| LayerNorm::new(channels, EPSILON, device);
        let stage = |i: usize| {
            let channels = self.width << i;
            let downsample =
                (i > 0).then(|| Patches { norm: norm(channels / 2), conv: patches(channels / 2, channels, 2) });
            Stage { downsample, blocks: (0..blocks[i]).map(|_| Block::new(channels, device)).collect() }
        };
        Convnext {
            stem: Patches { conv: patches(demand.bands, self.width, 4), norm: norm(self.width) },
            stages: (0..4).map(stage).collect(),
        }
    }
}

/// A ConvNeXt without its classifier.
#[derive(Module, Debug)]
pub struct Convnext {
    stem: Patches,
    stages: Vec<Stage>,
}

impl Convnext {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: four stages at strides 4, 8, 16 and 32
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let mut x = self.stem.norm.forward(ops::conv(&self.stem.conv, images));
        let mut maps = Vec::new();
        for stage in &self.stages {
            let [map, next] = ops::fork(stage.forward(x));
            maps.push(map);
            x = next;
        }
        Features::new(maps)
    }
}

/// Patches and their normalization; which comes first is the caller's business.
#[derive(Module, Debug)]
struct Patches {
    conv: Conv2d,
    norm: LayerNorm,
}

#[derive(Module, Debug)]
struct Stage {
    downsample: Option<Patches>,
    blocks: Vec<Block>,
}

impl Stage {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match &self.downsample {
            Some(Patches { conv, norm }) => ops::conv(conv, norm.forward(x)),
            None => x,
        };
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

/// `x + layer_scale mlp(norm(conv_dw(x)))`
#[derive(Module, Debug)]
struct Block {
    conv_dw: Conv2d,
    norm: LayerNorm,
    mlp: Mlp,
    layer_scale: Param<Tensor<1>>,
}

impl Block {
    fn new(channels: usize, device: &Device) -> Self {
        Self {
            conv_dw: depthwise(channels, 7, device),
            norm: LayerNorm::new(channels, EPSILON, device),
            mlp: Mlp::new(channels, 4 * channels, device),
            layer_scale: Param::from_tensor(Tensor::zeros([channels], device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [x, shortcut] = ops::fork(x);
        let x = self.mlp.forward(self.norm.forward(ops::conv(&self.conv_dw, x)));
        ops::add(ops::scale_channels(self.layer_scale.val(), x), shortcut)
    }
}
