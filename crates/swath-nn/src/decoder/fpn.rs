//! `fpn`: a feature pyramid, each level brought to the finest one's size and added.
//!
//! Lin, Dollár, Girshick, He, Hariharan, Belongie: *Feature Pyramid Networks for Object Detection*. CVPR 2017.
//! <https://arxiv.org/abs/1612.03144>
//! Kirillov, Girshick, He, Dollár: *Panoptic Feature Pyramid Networks*. CVPR 2019. <https://arxiv.org/abs/1901.02446>, section 3
//!
//! The `FPN` of segmentation_models.pytorch: the pyramid of the first paper without the 3x3 convolutions that smooth it, and the
//! segmentation branch of the second, whose upsampling keeps corners in place. Differs from it: no dropout.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::ops::InterpolateMode;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one, pyramid, required};
use crate::block::{Enlarge, Upsampling, conv2d};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.fpn]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FpnConfig {
    /// Channels of the pyramid.
    pub pyramid_channels: usize,
    /// Channels of the branches and of the output.
    pub channels: usize,
    /// Groups of channels that the branches normalize; divides `channels`.
    pub groups: usize,
    /// How the branches double their resolution. The pyramid itself repeats pixels, as in the paper.
    pub upsampling: Upsampling,
}

impl Default for FpnConfig {
    fn default() -> Self {
        Self { pyramid_channels: 256, channels: 128, groups: 32, upsampling: Upsampling::Bilinear }
    }
}

impl FpnConfig {
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
    /// When an option is out of range or the encoder has no features of stride 4.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        const MEMBER: &str = "decoder fpn";
        at_least_one(
            MEMBER,
            &[("pyramid_channels", self.pyramid_channels), ("channels", self.channels), ("groups", self.groups)],
        )?;
        if !self.channels.is_multiple_of(self.groups) {
            let divisors = (1..=self.channels).filter(|groups| self.channels.is_multiple_of(*groups));
            let nearest = divisors.min_by_key(|groups| groups.abs_diff(self.groups)).unwrap_or(1);
            return Err(FamilyError::Option {
                member: MEMBER,
                option: "groups",
                value: self.groups.to_string(),
                reason: format!("groups of one size cannot share `channels = {}`", self.channels),
                nearest: format!("`groups = {nearest}`"),
            });
        }
        Enlarge::check(self.upsampling, MEMBER)?;
        required("fpn", levels, 4)?;
        Ok(Output::Features(Level::new(self.channels, 4)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Fpn {
        let sources: Vec<usize> = pyramid(levels).into_iter().rev().collect();
        let lateral = |&source: &usize| conv2d(levels[source].channels, self.pyramid_channels, 1, device);
        let branch = |&source: &usize| {
            let doublings = (levels[source].stride / 4).ilog2() as usize;
            let convs = (0..doublings.max(1)).map(|index| {
                let channels_in = if index == 0 { self.pyramid_channels } else { self.channels };
                self.conv(channels_in, device)
            });
            let double = |_| Enlarge::new(self.upsampling, self.channels, 2, true, device);
            Branch { convs: convs.collect(), doublings: (0..doublings).map(double).collect() }
        };
        Fpn { laterals: sources.iter().map(lateral).collect(), branches: sources.iter().map(branch).collect(), sources }
    }

    fn conv(&self, channels_in: usize, device: &Device) -> ConvGroupNorm {
        let conv = Conv2dConfig::new([channels_in, self.channels], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .with_bias(false)
            .with_initializer(Initializer::Zeros);
        let norm = GroupNormConfig::new(self.groups, self.channels);
        ConvGroupNorm { conv: conv.init(device), norm: norm.init(device) }
    }
}

/// The pyramid and its branches. All lists run from coarse to fine.
#[derive(Module, Debug)]
pub struct Fpn {
    laterals: Vec<Conv2d>,
    branches: Vec<Branch>,
    /// Indices of the levels.
    sources: Vec<usize>,
}

/// 3x3 convolutions, each followed by a doubling where there is one to do.
#[derive(Module, Debug)]
struct Branch {
    convs: Vec<ConvGroupNorm>,
    /// One for each convolution, or none.
    doublings: Vec<Enlarge>,
}

/// `relu(norm(conv(x)))`
#[derive(Module, Debug)]
struct ConvGroupNorm {
    conv: Conv2d,
    norm: GroupNorm,
}

impl Fpn {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / 4, W / 4]`
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let (mut coarser, mut sum): (Option<Tensor<4>>, Option<Tensor<4>>) = (None, None);
        let levels = self.laterals.iter().zip(&self.branches);
        for ((lateral, branch), feature) in levels.zip(features.take(&self.sources)) {
            let level = ops::conv(lateral, feature);
            let [_, _, height, width] = level.dims();
            let level = match coarser {
                Some(coarser) => ops::add(ops::resample(coarser, InterpolateMode::Nearest, [height, width]), level),
                None => level,
            };
            let [level, next] = ops::fork(level);
            coarser = Some(next);
            let map = branch.forward(level);
            sum = Some(match sum {
                Some(sum) => ops::add(sum, map),
                None => map,
            });
        }
        sum.expect("at least one level")
    }
}

impl Branch {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.convs.iter().enumerate().fold(x, |x, (index, ConvGroupNorm { conv, norm })| {
            let x = ops::group_norm_relu(norm, ops::conv(conv, x));
            let [_, _, height, width] = x.dims();
            match self.doublings.get(index) {
                Some(double) => double.forward(x, [2 * height, 2 * width]),
                None => x,
            }
        })
    }
}
