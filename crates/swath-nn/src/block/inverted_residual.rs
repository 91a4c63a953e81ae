//! Inverted residuals: what MobileNetV2 and the EfficientNets are made of.
//!
//! Sandler, Howard, Zhu, Zhmoginov, Chen: *MobileNetV2: Inverted Residuals and Linear Bottlenecks*. CVPR 2018.
//! <https://arxiv.org/abs/1801.04381>
//!
//! Blocks are numbered through all stages, as in the first PyTorch EfficientNet and in segmentation_models.pytorch.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor};

use super::{ConvNorm, SqueezeExcitation};
use crate::encoder::Features;
use crate::family::Level;
use crate::ops::{self, Activation};

/// Blocks of one shape, a line of the papers' tables.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// The depthwise convolution has this many times the channels of its input.
    pub expansion: usize,
    /// Channels of the output.
    pub channels: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Stride of the first one.
    pub stride: usize,
    /// Rows and columns of the depthwise kernel.
    pub kernel: usize,
}

/// Where windows of a stride above 1 lie on an image whose sides are multiples of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The first window is centred on the first pixel, as in PyTorch with half the kernel as padding.
    Centred,
    /// All windows together are centred on the image, as in TensorFlow's "same": where the padding is odd, more of it is below
    /// and to the right.
    Balanced,
}

impl Placement {
    fn convolution(self, channels: [usize; 2], kernel: usize, stride: usize, dilation: usize) -> Conv2dConfig {
        let window = (kernel - 1) * dilation;
        let (before, after) = match self {
            Self::Centred => (window / 2, window / 2),
            Self::Balanced => {
                let all = (window + 1).saturating_sub(stride);
                (all / 2, all - all / 2)
            }
        };
        Conv2dConfig::new(channels, [kernel; 2])
            .with_stride([stride; 2])
            .with_dilation([dilation; 2])
            .with_padding(PaddingConfig2d::Explicit(before, before, after, after))
    }
}

/// Shape of [`InvertedResiduals`].
#[derive(Clone, Debug)]
pub struct InvertedResidualsConfig {
    /// Channels of the first convolution, whose stride is 2.
    pub stem: usize,
    /// The blocks.
    pub stages: Vec<Stage>,
    /// Channels of a last 1x1 convolution.
    pub head: Option<usize>,
    /// After every convolution but the last of a block.
    pub activation: Activation,
    /// Squeeze-and-excitation in every block, to a quarter of the block's input.
    pub squeeze: bool,
    /// Added to variances.
    pub epsilon: f64,
    /// How convolutions of stride 2 lie.
    pub placement: Placement,
}

impl InvertedResidualsConfig {
    /// The last output of each stride, with stages beyond `output_stride` dilated instead.
    pub fn levels(&self, output_stride: usize) -> Vec<Level> {
        let strides = self.strides();
        let last = |i: usize| strides.get(i + 1) != Some(&strides[i]);
        let mut levels: Vec<Level> = (0..strides.len())
            .filter(|&i| last(i))
            .map(|i| Level::new(self.stages[i].channels, strides[i].min(output_stride)))
            .collect();
        if let (Some(head), Some(level)) = (self.head, levels.last_mut()) {
            level.channels = head;
        }
        levels
    }

    /// Makes the layers for images of `bands`.
    pub fn init(&self, bands: usize, output_stride: usize, device: &Device) -> InvertedResiduals {
        let layer = |conv, activation| ConvNorm::with(conv, activation, self.epsilon, device);
        let pointwise = |from, to, activation| layer(Conv2dConfig::new([from, to], [1, 1]), activation);
        let strides = self.strides();
        let (mut channels, mut blocks, mut ends) = (self.stem, Vec::new(), Vec::new());
        for (i, stage) in self.stages.iter().enumerate() {
            let dilation = (strides[i] / output_stride).max(1);
            for block in 0..stage.blocks {
                let stride = if block == 0 { stage.stride } else { 1 };
                let hidden = channels * stage.expansion;
                let depthwise = self
                    .placement
                    .convolution([hidden, hidden], stage.kernel, if dilation > 1 { 1 } else { stride }, dilation)
                    .with_groups(hidden);
                let squeeze = || SqueezeExcitation::new(hidden, (channels / 4).max(1), self.activation, device);
                blocks.push(InvertedResidual {
                    expand: (stage.expansion > 1).then(|| pointwise(channels, hidden, self.activation)),
                    depthwise: layer(depthwise, self.activation),
                    squeeze: self.squeeze.then(squeeze),
                    project: pointwise(hidden, stage.channels, Activation::Identity),
                    residual: stride == 1 && channels == stage.channels,
                });
                channels = stage.channels;
            }
            if strides.get(i + 1) != Some(&strides[i]) {
                ends.push(blocks.len());
            }
        }
        InvertedResiduals {
            stem: layer(self.placement.convolution([bands, self.stem], 3, 2, 1), self.activation),
            blocks,
            head: self.head.map(|head| pointwise(channels, head, self.activation)),
            ends,
        }
    }

    /// The stride of each stage's output, without dilation.
    fn strides(&self) -> Vec<usize> {
        let mut stride = 2;
        self.stages
            .iter()
            .map(|stage| {
                stride *= stage.stride;
                stride
            })
            .collect()
    }
}

/// A first convolution, blocks, and possibly a last convolution.
#[derive(Module, Debug)]
pub struct InvertedResiduals {
    stem: ConvNorm,
    blocks: Vec<InvertedResidual>,
    head: Option<ConvNorm>,
    /// How many blocks lead to each level.
    ends: Vec<usize>,
}

impl InvertedResiduals {
    /// See [`Encoder::forward`](crate::encoder::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: as [`levels`](InvertedResidualsConfig::levels) say
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let mut x = self.stem.forward(images);
        let (mut maps, mut first) = (Vec::new(), 0);
        for (level, &end) in self.ends.iter().enumerate() {
            x = self.blocks[first..end].iter().fold(x, |x, block| block.forward(x));
            first = end;
            if level + 1 == self.ends.len() {
                break;
            }
            let [map, next] = ops::fork(x);
            maps.push(map);
            x = next;
        }
        maps.push(match &self.head {
            Some(head) => head.forward(x),
            None => x,
        });
        Features::new(maps)
    }
}

/// `project(squeeze(depthwise(expand(x))))`, plus `x` where the shape stays.
#[derive(Module, Debug)]
struct InvertedResidual {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    squeeze: Option<SqueezeExcitation>,
    project: ConvNorm,
    residual: bool,
}

impl InvertedResidual {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        if !self.residual {
            return self.branch(x);
        }
        let [x, shortcut] = ops::fork(x);
        ops::add(self.branch(x), shortcut)
    }

    fn branch(&self, x: Tensor<4>) -> Tensor<4> {
        let x = match &self.expand {
            Some(expand) => expand.forward(x),
            None => x,
        };
        let x = self.depthwise.forward(x);
        let x = match &self.squeeze {
            Some(squeeze) => squeeze.forward(x),
            None => x,
        };
        self.project.forward(x)
    }
}

/// The nearest multiple of 8, but at least 8 and at least nine tenths of the number: the rule of all these networks.
pub fn round_channels(channels: f64) -> usize {
    let rounded = ((channels + 4.0) as usize / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * channels { rounded + 8 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_rounded_as_in_the_papers() {
        let rounded: Vec<usize> = [1.0, 11.0, 12.0, 35.2, 44.8, 57.6, 83.9, 1280.0].map(round_channels).to_vec();
        assert_eq!(rounded, [8, 16, 16, 32, 48, 56, 80, 1280]);
    }
}
