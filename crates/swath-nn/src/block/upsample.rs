//! Twofold upsampling, in all the ways that decoders know.
//!
//! - Max-unpooling: Zeiler, Taylor, Fergus: *Adaptive Deconvolutional Networks for Mid and High Level Feature Learning*. ICCV
//!   2011. <https://doi.org/10.1109/ICCV.2011.6126474>
//! - Pixel shuffle: Shi et al.: *Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
//!   Convolutional Neural Network*. CVPR 2016. <https://arxiv.org/abs/1609.05158>

use burn::module::Module;
use burn::nn::Initializer;
use burn::nn::conv::{Conv2d, ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::ops::InterpolateMode;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::conv2d;
use crate::family::{FamilyError, Level};
use crate::ops;

/// How a decoder doubles the resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upsampling {
    /// Learned transposed convolution of stride 2, the "up-convolution" of U-Net.
    #[default]
    Transposed,
    /// Each pixel becomes four.
    Nearest,
    /// Bilinear interpolation.
    Bilinear,
    /// Bicubic interpolation.
    Bicubic,
    /// Each pixel goes to the upper left one of four, the others are zero.
    BedOfNails,
    /// Each pixel goes to where the maximum stood that the encoder kept, the other three of its window are zero.
    MaxUnpooling,
    /// Learned 3x3 convolution to four times the channels, each four of which become 2x2 pixels.
    PixelShuffle,
}

impl Upsampling {
    /// As recipes have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Transposed => "transposed",
            Self::Nearest => "nearest",
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
            Self::BedOfNails => "bed_of_nails",
            Self::MaxUnpooling => "max_unpooling",
            Self::PixelShuffle => "pixel_shuffle",
        }
    }

    /// Refuses max-unpooling from the coarsest level to `finest` where an encoder has no indices for it.
    pub(crate) fn check(self, decoder: &'static str, levels: &[Level], finest: usize) -> Result<(), FamilyError> {
        if self != Self::MaxUnpooling {
            return Ok(());
        }
        let halvings = std::iter::successors(Some(Level::coarsest(levels) / 2), |stride| Some(stride / 2));
        let pooled = |stride: usize| {
            Level::find(levels, stride).is_some_and(|level| levels[level].pooled && levels[level].margin == 0)
        };
        let missing = halvings.take_while(|stride| *stride >= finest.max(1)).find(|stride| !pooled(*stride));
        missing.map_or(Ok(()), |stride| {
            Err(FamilyError::Pair {
                decoder,
                reason: format!(
                    "max-unpooling to stride {stride} needs to know where the maxima stood, and this encoder has no padded \
                     2x2 max-pooling from stride {stride} to {}, as `vgg` has",
                    2 * stride
                ),
                nearest: "`upsampling = \"transposed\"`".into(),
            })
        })
    }
}

/// Shape of an [`Upsample`].
#[derive(Clone, Copy, Debug)]
pub struct UpsampleConfig {
    /// Which one.
    pub upsampling: Upsampling,
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output where these are learned.
    pub learned: usize,
    /// Channels of the indices of max-unpooling; 0 where there are none.
    pub indexed: usize,
    /// Side of a transposed convolution's kernel: 2, or 4 for one whose taps overlap.
    pub kernel: usize,
}

impl UpsampleConfig {
    /// Channels of the output.
    pub fn channels(&self) -> usize {
        match self.upsampling {
            Upsampling::Transposed | Upsampling::PixelShuffle => self.learned,
            Upsampling::MaxUnpooling => self.indexed,
            Upsampling::Nearest | Upsampling::Bilinear | Upsampling::Bicubic | Upsampling::BedOfNails => {
                self.channels_in
            }
        }
    }

    /// Makes the layer.
    pub fn init(&self, device: &Device) -> Upsample {
        let (from, to) = (self.channels_in, self.channels());
        match self.upsampling {
            Upsampling::Transposed => {
                let pad = (self.kernel - 2) / 2;
                let conv = ConvTranspose2dConfig::new([from, to], [self.kernel; 2])
                    .with_stride([2, 2])
                    .with_padding([pad, pad])
                    .with_initializer(Initializer::Zeros);
                Upsample::Transposed(conv.init(device))
            }
            Upsampling::PixelShuffle => Upsample::PixelShuffle(PixelShuffle { conv: conv2d(from, 4 * to, 3, device) }),
            Upsampling::MaxUnpooling => {
                let conv = (from != to).then(|| conv2d(from, to, 1, device));
                Upsample::MaxUnpooling(MaxUnpooling { conv })
            }
            way => Upsample::Fixed(Fixed { way }),
        }
    }
}

/// A layer that doubles height and width.
#[derive(Module, Debug)]
pub enum Upsample {
    /// Transposed convolution.
    Transposed(ConvTranspose2d),
    /// Sub-pixel convolution.
    PixelShuffle(PixelShuffle),
    /// By indices.
    MaxUnpooling(MaxUnpooling),
    /// Without parameters.
    Fixed(Fixed),
}

/// A convolution to four times the channels, before they are shuffled.
#[derive(Module, Debug)]
pub struct PixelShuffle {
    conv: Conv2d,
}

/// The 1x1 convolution that gives features the channels of the indices, where they have others.
#[derive(Module, Debug)]
pub struct MaxUnpooling {
    conv: Option<Conv2d>,
}

/// Interpolation, or zeros between the pixels.
#[derive(Module, Debug)]
pub struct Fixed {
    #[module(skip)]
    way: Upsampling,
}

impl Upsample {
    /// # Shapes
    /// - `x`: `[batch, channels_in, h, w]`
    /// - `indices`: `[batch, indexed, h, w]`, which max-unpooling needs
    /// - output: `[batch, channels, 2 h, 2 w]`, see [`UpsampleConfig::channels`]
    pub fn forward(&self, x: Tensor<4>, indices: Option<Tensor<4, Int>>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let size = [2 * height, 2 * width];
        match self {
            Self::Transposed(conv) => ops::conv_transpose(conv, x),
            Self::PixelShuffle(layer) => ops::pixel_shuffle(ops::conv(&layer.conv, x)),
            Self::MaxUnpooling(layer) => {
                let x = match &layer.conv {
                    Some(conv) => ops::conv(conv, x),
                    None => x,
                };
                ops::unpool(x, indices.expect("the encoder hands on indices where its decoder asks for them"), size)
            }
            Self::Fixed(Fixed { way }) => match way {
                Upsampling::Bilinear => ops::resample(x, InterpolateMode::Bilinear, size),
                Upsampling::Bicubic => ops::resample(x, InterpolateMode::Bicubic, size),
                Upsampling::BedOfNails => ops::bed_of_nails(x),
                _ => ops::resample(x, InterpolateMode::Nearest, size),
            },
        }
    }
}
