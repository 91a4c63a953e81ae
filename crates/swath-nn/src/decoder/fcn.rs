//! `fcn`: fully convolutional networks 32s, 16s and 8s.
//!
//! Long, Shelhamer, Darrell: *Fully Convolutional Networks for Semantic Segmentation*. CVPR 2015.
//! <https://arxiv.org/abs/1411.4038>
//!
//! A 1x1 convolution scores the encoder's coarsest features. Until `stride` is reached, the scores are upsampled
//! twofold by a transposed convolution that starts as bilinear interpolation (or in another way that `upsampling` names), and
//! the scores of the encoder's features at that stride are added.
//!
//! Differs from the paper: transposed convolutions are padded instead of cropped, so that sizes fit exactly;
//! scoring layers start random instead of zero; the encoder may be any, where the paper has VGG16 with its classifier
//! layers as convolutions. The last, fixed upsampling to the input is the one that every [`Segmenter`](crate::Segmenter) ends with.

use burn::module::Module;
use burn::nn::Initializer;
use burn::nn::conv::{ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::Output;
use crate::block::{Upsample, UpsampleConfig, Upsampling};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::head::{Head, HeadConfig};
use crate::ops;

/// Options of `[model.decoder.fcn]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FcnConfig {
    /// Stride at which fusing ends: 8 is the paper's FCN-8s, 16 its FCN-16s, 32 its FCN-32s.
    pub stride: usize,
    /// How scores are upsampled before those of a finer stride are added. Without effect where nothing is added, as in FCN-32s: the last step
    /// up to the input is bilinear for every network.
    pub upsampling: Upsampling,
}

impl Default for FcnConfig {
    fn default() -> Self {
        Self { stride: 8, upsampling: Upsampling::Transposed }
    }
}

impl FcnConfig {
    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride): any.
    pub fn output_stride(&self) -> Option<usize> {
        None
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): no.
    pub fn needs_indices(&self) -> bool {
        false
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out).
    ///
    /// # Errors
    /// When the encoder has no features at a stride from its coarsest down to `stride`, and for max-unpooling.
    pub fn out(&self, levels: &[Level], classes: usize) -> Result<Output, FamilyError> {
        if self.upsampling == Upsampling::MaxUnpooling {
            return Err(FamilyError::Option {
                member: "decoder fcn",
                option: "upsampling",
                value: "\"max_unpooling\"".into(),
                reason: "class scores are not the features whose maxima the encoder has found".into(),
                nearest: "`upsampling = \"transposed\"`".into(),
            });
        }
        let strides = fusable(levels);
        if strides.contains(&self.stride) {
            return Ok(Output::Scores(Level::new(classes, self.stride)));
        }
        let distance = |stride: &&usize| stride.abs_diff(self.stride);
        let nearest = strides.iter().min_by_key(distance).copied().unwrap_or(1);
        Err(FamilyError::Pair {
            decoder: "fcn",
            reason: format!("`stride = {}`, but the encoder has strides {}", self.stride, Level::strides(levels)),
            nearest: format!("`stride = {nearest}`"),
        })
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], classes: usize, device: &Device) -> Fcn {
        let strides = fusable(levels).into_iter().take_while(|&stride| stride >= self.stride);
        let sources: Vec<usize> = strides.filter_map(|stride| Level::find(levels, stride)).collect();
        let score = |&source: &usize| HeadConfig { kernel: 1 }.init(levels[source].channels, classes, device);
        let twofold = ConvTranspose2dConfig::new([classes, classes], [4, 4])
            .with_stride([2, 2])
            .with_padding([1, 1])
            .with_bias(false)
            .with_initializer(Initializer::Zeros);
        let up = || match self.upsampling {
            Upsampling::Transposed => Up::Learned(BilinearUp { conv: twofold.init(device) }),
            upsampling => {
                let channels = classes;
                let up = UpsampleConfig { upsampling, channels_in: channels, learned: channels, indexed: 0, kernel: 4 };
                Up::Other(up.init(device))
            }
        };
        Fcn {
            scores: sources.iter().map(score).collect(),
            ups: sources.iter().skip(1).map(|_| up()).collect(),
            sources,
        }
    }
}

/// The strides that fusing can pass through: from the coarsest by halves for as long as the encoder has them.
fn fusable(levels: &[Level]) -> Vec<usize> {
    let halves = std::iter::successors(Some(Level::coarsest(levels)), |stride| Some(stride / 2));
    halves.take_while(|&stride| Level::find(levels, stride).is_some()).collect()
}

/// Class scores of several strides, fused. All lists run from coarse to fine.
#[derive(Module, Debug)]
pub struct Fcn {
    scores: Vec<Head>,
    ups: Vec<Up>,
    /// Index among the encoder's levels that each score is taken from.
    sources: Vec<usize>,
}

/// Twofold upsampling of scores.
#[derive(Module, Debug)]
enum Up {
    /// The paper's.
    Learned(BilinearUp),
    /// Any other.
    Other(Upsample),
}

/// Learned twofold upsampling that starts as bilinear interpolation; `weights::initialize` knows it by its name.
#[derive(Module, Debug)]
struct BilinearUp {
    conv: ConvTranspose2d,
}

impl Fcn {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, class, H / stride, W / stride]`
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let mut scores =
            self.sources.iter().zip(&self.scores).map(|(&i, score)| score.forward(features.maps[i].clone()));
        let coarsest = scores.next().expect("an FCN scores at least the coarsest level");
        scores.zip(&self.ups).fold(coarsest, |fused, (finer, up)| {
            let fused = match up {
                Up::Learned(up) => ops::conv_transpose(&up.conv, fused),
                Up::Other(up) => up.forward(fused, None),
            };
            ops::add(fused, finer)
        })
    }
}
