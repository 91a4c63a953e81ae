//! `mit`: the Mix Transformer, SegFormer's encoder, b0 to b2.
//!
//! Xie, Wang, Yu, Anandkumar, Alvarez, Luo: *SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers*.
//! NeurIPS 2021. <https://arxiv.org/abs/2105.15203>
//!
//! Layers, epsilons and names follow segmentation_models.pytorch, with `stages.I.patch_embed`, `.block` and `.norm` for its
//! `patch_embedI+1`, `blockI+1` and `normI+1`. Tokens stay pixels of images: linear layers are 1x1 convolutions whose weights are
//! PyTorch's with two more axes of 1. Differs from the paper: there is no stochastic depth.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Demand, Features, only_stride, refuse_channels};
use crate::block::{LayerNorm, conv2d, conv2d_strided, depthwise, patches};
use crate::family::{FamilyError, Level};
use crate::ops::{self, Activation};

/// Options of `[model.encoder.mit]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MitConfig {
    /// Which of the paper's encoders.
    pub variant: Variant,
    /// Channels of the first stage, and of each head of all stages; by default the variant's own, 32 or 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
}

/// The paper's encoders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Variant {
    /// 3.3 million parameters.
    #[default]
    B0,
    /// 13 million.
    B1,
    /// 24 million.
    B2,
}

/// Heads of the stages, whose channels are so many times the first one's.
const HEADS: [usize; 4] = [1, 2, 5, 8];
/// Keys and values stand for squares of so many pixels a side.
const REDUCTION: [usize; 4] = [8, 4, 2, 1];
/// Between its linear layers a block has so many times the channels.
const EXPANSION: usize = 4;

impl MitConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 4, 8, 16 and 32.
    ///
    /// # Errors
    /// When `width` is out of range, or another output stride than 32 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        refuse_channels("encoder mit", "width", self.width(), 512)?;
        only_stride("encoder mit", 32, output_stride)?;
        Ok((0..4).map(|i| Level::new(self.width() * HEADS[i], 4 << i)).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Mit {
        let blocks = match self.variant {
            Variant::B0 | Variant::B1 => [2, 2, 2, 2],
            Variant::B2 => [3, 4, 6, 3],
        };
        let mut channels_in = demand.bands;
        let stage = |i: usize| {
            let channels = self.width() * HEADS[i];
            let (kernel, stride) = if i == 0 { (7, 4) } else { (3, 2) };
            let patch_embed = PatchEmbed {
                proj: conv2d_strided(channels_in, channels, kernel, stride, device),
                norm: LayerNorm::new(channels, 1e-5, device),
            };
            channels_in = channels;
            Stage {
                patch_embed,
                block: (0..blocks[i]).map(|_| Block::new(channels, HEADS[i], REDUCTION[i], device)).collect(),
                norm: LayerNorm::new(channels, 1e-6, device),
            }
        };
        Mit { stages: (0..4).map(stage).collect() }
    }

    fn width(&self) -> usize {
        self.width.unwrap_or(match self.variant {
            Variant::B0 => 32,
            Variant::B1 | Variant::B2 => 64,
        })
    }
}

/// A Mix Transformer.
#[derive(Module, Debug)]
pub struct Mit {
    stages: Vec<Stage>,
}

impl Mit {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: four stages at strides 4, 8, 16 and 32
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let (mut x, mut maps) = (images, Vec::new());
        for stage in &self.stages {
            let [map, next] = ops::fork(stage.forward(x));
            maps.push(map);
            x = next;
        }
        Features::new(maps)
    }
}

#[derive(Module, Debug)]
struct Stage {
    patch_embed: PatchEmbed,
    block: Vec<Block>,
    norm: LayerNorm,
}

impl Stage {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.patch_embed.norm.forward(ops::conv(&self.patch_embed.proj, x));
        self.norm.forward(self.block.iter().fold(x, |x, block| block.forward(x)))
    }
}

/// Overlapping patches of the image, or of the stage before.
#[derive(Module, Debug)]
struct PatchEmbed {
    proj: Conv2d,
    norm: LayerNorm,
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    mlp: MixMlp,
}

impl Block {
    fn new(channels: usize, heads: usize, reduction: usize, device: &Device) -> Self {
        let linear = |from, to| conv2d(from, to, 1, device);
        let norm = |epsilon| LayerNorm::new(channels, epsilon, device);
        let hidden = channels * EXPANSION;
        let attn = Attention {
            q: linear(channels, channels),
            kv: linear(channels, 2 * channels),
            sr: (reduction > 1).then(|| patches(channels, channels, reduction, device)),
            norm: (reduction > 1).then(|| norm(1e-5)),
            proj: linear(channels, channels),
            heads,
        };
        let mlp = MixMlp {
            fc1: linear(channels, hidden),
            dwconv: depthwise(hidden, 3, device),
            fc2: linear(hidden, channels),
        };
        Self { norm1: norm(1e-6), attn, norm2: norm(1e-6), mlp }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [x, shortcut] = ops::fork(x);
        let x = ops::add(self.attn.forward(self.norm1.forward(x)), shortcut);
        let [x, shortcut] = ops::fork(x);
        ops::add(self.mlp.forward(self.norm2.forward(x)), shortcut)
    }
}

/// Attention of every pixel to squares of pixels.
#[derive(Module, Debug)]
struct Attention {
    q: Conv2d,
    kv: Conv2d,
    sr: Option<Conv2d>,
    norm: Option<LayerNorm>,
    proj: Conv2d,
    heads: usize,
}

impl Attention {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [x, squares] = ops::fork(x);
        let squares = match (&self.sr, &self.norm) {
            (Some(sr), Some(norm)) => norm.forward(ops::conv(sr, squares)),
            _ => squares,
        };
        let query = ops::conv(&self.q, x);
        let channels = query.dims()[1];
        let [key, value] = ops::fork(ops::conv(&self.kv, squares));
        let (key, value) = (key.narrow(1, 0, channels), value.narrow(1, channels, channels));
        ops::conv(&self.proj, ops::attention(self.heads, query, key, value))
    }
}

/// Linear layers with a depthwise convolution between, which tells pixels where they are.
#[derive(Module, Debug)]
struct MixMlp {
    fc1: Conv2d,
    dwconv: Conv2d,
    fc2: Conv2d,
}

impl MixMlp {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = ops::conv(&self.dwconv, ops::conv(&self.fc1, x));
        ops::conv(&self.fc2, ops::activate(Activation::Gelu, x))
    }
}
