//! `linknet`: a light decoder that adds the encoder's features instead of joining them.
//!
//! Chaurasia, Culurciello: *LinkNet: Exploiting Encoder Representations for Efficient Semantic Segmentation*. VCIP 2017.
//! <https://arxiv.org/abs/1707.03718>
//!
//! Each step brings the features to a quarter of their channels by a 1x1 convolution, doubles the resolution, gives them the
//! channels of the encoder's level by another 1x1 convolution, and adds that level. It is the `Linknet` of
//! segmentation_models.pytorch.
//!
//! Differs from the paper, as there: transposed convolutions are 4x4 instead of 3x3, and the last steps, from stride 4 to 1, are
//! of the same kind as the others, with 32 channels at the end, where the paper has three layers of their own. Where
//! `upsampling` is no transposed convolution, it has no normalization of its own.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one};
use crate::block::{ConvNorm, Upsample, UpsampleConfig, Upsampling};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.linknet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinknetConfig {
    /// Channels at stride 1, where the encoder has no features of that stride.
    pub channels: usize,
    /// How a step doubles the resolution.
    pub upsampling: Upsampling,
}

impl Default for LinknetConfig {
    fn default() -> Self {
        Self { channels: 32, upsampling: Upsampling::Transposed }
    }
}

impl LinknetConfig {
    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride): any.
    pub fn output_stride(&self) -> Option<usize> {
        None
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): for max-unpooling.
    pub fn needs_indices(&self) -> bool {
        self.upsampling == Upsampling::MaxUnpooling
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out).
    ///
    /// # Errors
    /// When `channels` is 0, or the encoder has no indices for max-unpooling.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        at_least_one("decoder linknet", &[("channels", self.channels)])?;
        self.upsampling.check("linknet", levels, 1)?;
        let start = Level::find(levels, Level::coarsest(levels)).map_or(0, |start| levels[start].channels);
        let last = self.channels(levels).last().copied().unwrap_or(start);
        Ok(Output::Features(Level::new(last, 1)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Linknet {
        let coarsest = Level::coarsest(levels);
        let start = Level::find(levels, coarsest).unwrap_or_default();
        let mut channels_in = levels[start].channels;
        let step = |(index, channels): (usize, usize)| {
            let skip = Level::find(levels, coarsest >> (index + 1));
            let narrow = (channels_in / 4).max(1);
            let conv1 = ConvNorm::new(channels_in, narrow, 1, device);
            let up = UpsampleConfig {
                upsampling: self.upsampling,
                channels_in: narrow,
                learned: narrow,
                indexed: skip.map_or(0, |skip| levels[skip].channels),
                kernel: 4,
            };
            let norm2 = (self.upsampling == Upsampling::Transposed).then(|| BatchNormConfig::new(narrow).init(device));
            let conv3 = ConvNorm::new(up.channels(), channels, 1, device);
            channels_in = channels;
            Step { conv1, up: up.init(device), norm2, conv3, skip }
        };
        Linknet { steps: self.channels(levels).into_iter().enumerate().map(step).collect(), start }
    }

    /// Channels after each step to stride 1: those of the encoder's level, or as before where a stride has none.
    fn channels(&self, levels: &[Level]) -> Vec<usize> {
        let coarsest = Level::coarsest(levels);
        let mut channels = Level::find(levels, coarsest).map_or(0, |start| levels[start].channels);
        let step = |step: u32| {
            let stride = coarsest >> step;
            match Level::find(levels, stride) {
                Some(level) => channels = levels[level].channels,
                None if stride == 1 => channels = self.channels,
                None => {}
            }
            channels
        };
        (1..=coarsest.ilog2()).map(step).collect()
    }
}

/// LinkNet's decoder.
#[derive(Module, Debug)]
pub struct Linknet {
    steps: Vec<Step>,
    start: usize,
}

/// One step up. `skip` is the index of the encoder's features that it adds.
#[derive(Module, Debug)]
struct Step {
    conv1: ConvNorm,
    up: Upsample,
    norm2: Option<BatchNorm>,
    conv3: ConvNorm,
    skip: Option<usize>,
}

impl Linknet {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H, W]`
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let Features { maps, mut indices } = features;
        let mut maps: Vec<Option<Tensor<4>>> = maps.into_iter().map(Some).collect();
        let start = maps[self.start].take().expect("one feature map for each level");
        self.steps.iter().fold(start, |x, step| {
            let indices = step.skip.and_then(|skip| indices[skip].take());
            let x = step.forward(x, indices);
            match step.skip.and_then(|skip| maps[skip].take()) {
                Some(skip) => ops::add(x, skip),
                None => x,
            }
        })
    }
}

impl Step {
    fn forward(&self, x: Tensor<4>, indices: Option<Tensor<4, Int>>) -> Tensor<4> {
        let x = self.conv1.forward(x);
        let x = match (&self.up, &self.norm2) {
            (Upsample::Transposed(conv), Some(norm)) => ops::conv_transpose_norm_relu(conv, norm, x),
            (up, _) => up.forward(x, indices),
        };
        self.conv3.forward(x)
    }
}
