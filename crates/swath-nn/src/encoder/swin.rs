//! `swin`: the hierarchical transformer with attention in shifted windows, of size tiny.
//!
//! Liu, Lin, Cao, Hu, Wei, Zhang, Lin, Guo: *Swin Transformer: Hierarchical Vision Transformer using Shifted Windows*. ICCV 2021.
//! <https://arxiv.org/abs/2103.14030>
//!
//! Layers, epsilons and names follow torchvision's `swin_t`: `stem.conv` and `stem.norm` are its `features.0.0` and `.2`, stage `i`
//! holds `features.2i+1` as `blocks` and `features.2i` as `merging`, `mlp.fc1` and `mlp.fc2` are `mlp.0` and `mlp.3`. Levels are
//! the stages' own outputs, as timm's with `features_only`: torchvision has a norm after the last, the paper's own code for
//! segmentation one after each. Linear layers are 1x1 convolutions whose weights are PyTorch's with two more axes of 1.
//! Differs from the paper: there is no stochastic depth.

use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::{Demand, Features, only_stride, refuse_channels};
use crate::block::{LayerNorm, Mlp, conv2d, conv2d_for_norm, patches};
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.encoder.swin]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwinConfig {
    /// Channels of each of the first stage's three heads; channels and heads double from stage to stage. The paper has 32.
    pub head_width: usize,
}

impl Default for SwinConfig {
    fn default() -> Self {
        Self { head_width: 32 }
    }
}

/// Blocks of the stages.
const BLOCKS: [usize; 4] = [2, 2, 6, 2];
/// Heads of the first stage.
const HEADS: usize = 3;
/// Rows and columns of a window.
const WINDOW: usize = 7;
/// Pixels of a window.
const AREA: usize = WINDOW * WINDOW;
/// Offsets of two pixels of a window, along one axis.
const OFFSETS: usize = 2 * WINDOW - 1;
const EPSILON: f64 = 1e-5;

impl SwinConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 4, 8, 16 and 32.
    ///
    /// # Errors
    /// When `head_width` is out of range, or another output stride than 32 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        refuse_channels("encoder swin", "head_width", self.head_width, 256)?;
        only_stride("encoder swin", 32, output_stride)?;
        Ok((0..4).map(|i| Level::new(self.channels(i), 4 << i)).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Swin {
        let norm = |channels| LayerNorm::new(channels, EPSILON, device);
        let stage = |i: usize| {
            let channels = self.channels(i);
            // Two by two pixels of the stage before.
            let merging = (i > 0).then(|| Merging {
                norm: norm(2 * channels),
                reduction: conv2d_for_norm(2 * channels, channels, 1, 1, device),
            });
            let block = |block: usize| Block {
                norm1: norm(channels),
                attn: WindowAttention::new(channels, HEADS << i, block % 2 * (WINDOW / 2), device),
                norm2: norm(channels),
                mlp: Mlp::new(channels, 4 * channels, device),
            };
            Stage { merging, blocks: (0..BLOCKS[i]).map(block).collect() }
        };
        let width = self.channels(0);
        let conv = patches(demand.bands, width, 4, device);
        Swin { stem: Stem { conv, norm: norm(width) }, stages: (0..4).map(stage).collect() }
    }

    fn channels(&self, stage: usize) -> usize {
        (self.head_width * HEADS) << stage
    }
}

/// A Swin Transformer without its classifier.
#[derive(Module, Debug)]
pub struct Swin {
    stem: Stem,
    stages: Vec<Stage>,
}

impl Swin {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: four stages at strides 4, 8, 16 and 32
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let mut x = self.stem.norm.forward(ops::conv(&self.stem.conv, images));
        let mut maps = Vec::new();
        for stage in &self.stages {
            if let Some(merging) = &stage.merging {
                x = merging.forward(x);
            }
            let [map, next] = ops::fork(stage.blocks.iter().fold(x, |x, block| block.forward(x)));
            maps.push(map);
            x = next;
        }
        Features::new(maps)
    }
}

#[derive(Module, Debug)]
struct Stem {
    conv: Conv2d,
    norm: LayerNorm,
}

#[derive(Module, Debug)]
struct Stage {
    merging: Option<Merging>,
    blocks: Vec<Block>,
}

/// Four pixels as one: halves the resolution.
#[derive(Module, Debug)]
struct Merging {
    norm: LayerNorm,
    reduction: Conv2d,
}

impl Merging {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let every_other = |first: usize, size: usize| (first..size).step_by(2).collect::<Vec<_>>();
        let part = |row, col| ops::take(x.clone(), &every_other(row, height), &every_other(col, width));
        let x = ops::concat_all(vec![part(0, 0), part(1, 0), part(0, 1), part(1, 1)]);
        ops::conv(&self.reduction, self.norm.forward(x))
    }
}

#[derive(Module, Debug)]
struct Block {
    norm1: LayerNorm,
    attn: WindowAttention,
    norm2: LayerNorm,
    mlp: Mlp,
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [x, shortcut] = ops::fork(x);
        let x = ops::add(self.attn.forward(self.norm1.forward(x)), shortcut);
        let [x, shortcut] = ops::fork(x);
        ops::add(self.mlp.forward(self.norm2.forward(x)), shortcut)
    }
}

/// Attention among the pixels of each window. Images are padded to whole windows by zeros, which take part with the bias of `qkv`,
/// as in torchvision.
#[derive(Module, Debug)]
struct WindowAttention {
    qkv: Conv2d,
    proj: Conv2d,
    /// For each offset of rows and columns and each head, what is added to the logits.
    relative_position_bias_table: Param<Tensor<2>>,
    heads: usize,
    /// How far up and left the image is rolled before it is cut into windows.
    shift: usize,
}

/// How one axis of an image is cut.
#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    windows: usize,
    shift: usize,
}

impl Axis {
    fn new(size: usize, shift: usize) -> Self {
        let windows = size.div_ceil(WINDOW);
        // One window sees all of it.
        Self { size, windows, shift: if windows > 1 { shift } else { 0 } }
    }

    fn padded(self) -> usize {
        self.windows * WINDOW
    }

    fn rolled(self) -> Vec<usize> {
        (0..self.padded()).map(|i| (i + self.shift) % self.padded()).collect()
    }

    fn rolled_back(self) -> Vec<usize> {
        (0..self.size).map(|i| (i + self.padded() - self.shift) % self.padded()).collect()
    }

    /// Which part of the image a rolled position shows; what is not the same part must not see each other.
    fn part(self, i: usize) -> usize {
        usize::from(self.shift > 0 && i + self.shift >= self.padded())
    }
}

impl WindowAttention {
    fn new(channels: usize, heads: usize, shift: usize, device: &Device) -> Self {
        Self {
            qkv: conv2d(channels, 3 * channels, 1, device),
            proj: conv2d(channels, channels, 1, device),
            relative_position_bias_table: Param::from_tensor(Tensor::zeros([OFFSETS * OFFSETS, heads], device)),
            heads,
            shift,
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let axes = [Axis::new(height, self.shift), Axis::new(width, self.shift)];
        let [rows, cols] = axes;
        let padding = PaddingConfig2d::Explicit(0, 0, rows.padded() - height, cols.padded() - width);
        let qkv = ops::conv(&Conv2d { padding, ..self.qkv.clone() }, x);
        let qkv = ops::planes(ops::take(qkv, &rows.rolled(), &cols.rolled()));

        let size = channels / self.heads;
        let windows = rows.windows * cols.windows;
        let [query, key, value] = [0, 1, 2].map(|part| {
            qkv.clone()
                .narrow(1, part * channels, channels)
                .reshape([batch, self.heads, size, rows.windows, WINDOW, cols.windows, WINDOW])
                .permute([0, 3, 5, 1, 4, 6, 2])
                .reshape([batch, windows * self.heads, AREA, size])
        });
        let x = ops::token_attention(query, key, value, Some(self.bias(axes)))
            .reshape([batch, rows.windows, cols.windows, self.heads, WINDOW, WINDOW, size])
            .permute([0, 3, 6, 1, 4, 2, 5])
            .reshape([batch, channels, rows.padded(), cols.padded()]);
        ops::conv(&self.proj, ops::take(x, &rows.rolled_back(), &cols.rolled_back()))
    }

    /// What is added to the logits.
    ///
    /// # Shapes
    /// - output: `[1, windows * heads, pixels of a window, pixels of a window]`
    fn bias(&self, [rows, cols]: [Axis; 2]) -> Tensor<4> {
        let table = self.relative_position_bias_table.val();
        let device = table.device();
        let offset = |a: usize, b: usize| a + WINDOW - 1 - b;
        let place = |i: usize| {
            let (a, b) = (i / AREA, i % AREA);
            (offset(a / WINDOW, b / WINDOW) * OFFSETS + offset(a % WINDOW, b % WINDOW)) as i64
        };
        let places: Vec<i64> = (0..AREA * AREA).map(place).collect();
        let places = Tensor::<1, Int>::from_data(TensorData::new(places, [AREA * AREA]), &device);
        let dtype = table.dtype();
        let bias = table.select(0, places).reshape([AREA, AREA, self.heads]).permute([2, 0, 1]);
        let bias = bias.reshape([1, self.heads, AREA, AREA]);

        let windows = rows.windows * cols.windows;
        let part = |window: usize, i: usize| {
            let row = window / cols.windows * WINDOW + i / WINDOW;
            let col = window % cols.windows * WINDOW + i % WINDOW;
            (rows.part(row), cols.part(col))
        };
        let hidden = |i: usize| {
            let (window, a, b) = (i / (AREA * AREA), i / AREA % AREA, i % AREA);
            if part(window, a) == part(window, b) { 0.0 } else { -100.0 }
        };
        let mask: Vec<f32> = (0..windows * AREA * AREA).map(hidden).collect();
        let mask = Tensor::<4>::from_data(TensorData::new(mask, [windows, 1, AREA, AREA]), (&device, dtype));
        (bias + mask).reshape([1, windows * self.heads, AREA, AREA])
    }
}
