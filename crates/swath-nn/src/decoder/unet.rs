//! `unet`: the expanding path of U-Net, for any encoder.
//!
//! Ronneberger, Fischer, Brox: *U-Net: Convolutional Networks for Biomedical Image Segmentation*. MICCAI 2015.
//! <https://arxiv.org/abs/1505.04597>
//!
//! Every step doubles the resolution, joins the encoder's features of that stride where there are any, and convolves
//! twice. On `plain` this is the paper's network, apart from padded convolutions and, by default, batch normalization.
//! With `padding = "valid"` for both it is the paper's in that too: maps shrink at each convolution, the encoder's features
//! are cropped to what is left, and logits of 388 x 388 pixels need an image of 572 x 572, which
//! [`Segmenter`](crate::Segmenter) gets by mirroring.
//! On `resnet` with `upsampling = "nearest"` and `channels = [256, 128, 64, 32, 16]` it is the `Unet` of
//! segmentation_models.pytorch (with `[model.head] kernel = 3`), whose last step has no features to join.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::Output;
use crate::block::{DoubleConv, DoubleConvConfig, Padding, Upsample, UpsampleConfig, Upsampling, crop};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.unet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UnetConfig {
    /// Channels after each step, coarsest step first; as many steps are made. By default the decoder climbs to the
    /// encoder's finest level and has its channels at each stride.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<usize>>,
    /// How a step doubles the resolution.
    pub upsampling: Upsampling,
    /// Batch normalization after each convolution.
    pub batch_norm: bool,
    /// What convolutions do at the edge; the encoder has to do the same.
    pub padding: Padding,
}

impl Default for UnetConfig {
    fn default() -> Self {
        Self { channels: None, upsampling: Upsampling::Transposed, batch_norm: true, padding: Padding::Same }
    }
}

impl UnetConfig {
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
    /// When `channels` lists more steps than lead to stride 1, or a step without channels; when the encoder has no indices
    /// for max-unpooling, or does otherwise at the edge of images.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        let coarsest = Level::coarsest(levels);
        let refuse = |reason: String, nearest: Vec<usize>| FamilyError::Option {
            member: "decoder unet",
            option: "channels",
            value: format!("{:?}", self.channels.as_deref().unwrap_or_default()),
            reason,
            nearest: format!("`channels = {nearest:?}`"),
        };
        let channels = self.channels(levels);
        let most = coarsest.ilog2() as usize;
        if channels.len() > most {
            let reason = format!("{most} doublings lead from the encoder's stride {coarsest} to stride 1");
            return Err(refuse(reason, channels[..most].to_vec()));
        }
        if channels.contains(&0) {
            let nearest = channels.iter().map(|&channels| channels.max(1)).collect();
            return Err(refuse("every step has at least one channel".into(), nearest));
        }
        let stride = coarsest >> channels.len();
        self.upsampling.check("unet", levels, stride)?;
        let valid = levels.iter().any(|level| level.margin > 0);
        if valid != (self.padding == Padding::Valid) {
            let (found, nearest) = if valid { ("valid", "valid") } else { ("padded", "same") };
            return Err(FamilyError::Pair {
                decoder: "unet",
                reason: format!("the encoder's convolutions are {found} and the decoder's are not"),
                nearest: format!("`padding = \"{nearest}\"`"),
            });
        }
        let last = channels.last().copied().unwrap_or_else(|| deepest(levels).channels);
        let margin = self.margin(deepest(levels), channels.len());
        Ok(Output::Features(Level { margin, ..Level::new(last, stride) }))
    }

    /// The margin after some steps.
    fn margin(&self, deepest: Level, steps: usize) -> usize {
        let lost = |step: usize| 2 * (deepest.stride >> step);
        match self.padding {
            Padding::Same => 0,
            Padding::Valid => deepest.margin + (1..=steps).map(lost).sum::<usize>(),
        }
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Unet {
        let deepest = deepest(levels);
        let mut channels_in = deepest.channels;
        let step = |(index, channels): (usize, usize)| {
            let stride = deepest.stride >> (index + 1);
            let skip = Level::find(levels, stride);
            let of_skip = skip.map_or(0, |skip| levels[skip].channels);
            let up = UpsampleConfig {
                upsampling: self.upsampling,
                channels_in,
                learned: channels,
                indexed: of_skip,
                kernel: 2,
            };
            channels_in = channels;
            let convs = DoubleConvConfig {
                channels_in: up.channels() + of_skip,
                channels_out: channels,
                batch_norm: self.batch_norm,
                padding: self.padding,
            };
            let lost = skip.map_or(0, |skip| self.margin(deepest, index).saturating_sub(levels[skip].margin) / stride);
            Step { up: up.init(device), convs: convs.init(device), skip, lost }
        };
        Unet {
            steps: self.channels(levels).into_iter().enumerate().map(step).collect(),
            start: Level::find(levels, deepest.stride).unwrap_or_default(),
        }
    }

    /// Channels after each step: as configured, or those of the encoder's levels (half of the step before where a
    /// stride has no level).
    fn channels(&self, levels: &[Level]) -> Vec<usize> {
        if let Some(channels) = &self.channels {
            return channels.clone();
        }
        let finest = levels.iter().map(|level| level.stride).min().unwrap_or(1);
        let mut stride = Level::coarsest(levels);
        let mut channels = Vec::new();
        let mut before = deepest(levels).channels;
        while stride > finest {
            stride /= 2;
            before = Level::find(levels, stride).map_or(before.div_ceil(2), |level| levels[level].channels);
            channels.push(before);
        }
        channels
    }
}

fn deepest(levels: &[Level]) -> Level {
    Level::find(levels, Level::coarsest(levels)).map_or(Level::new(0, 1), |level| levels[level])
}

/// U-Net's expanding path.
#[derive(Module, Debug)]
pub struct Unet {
    steps: Vec<Step>,
    start: usize,
}

/// One step up. `skip` is the index of the encoder's features that it joins, from the pixel `[lost, lost]` on.
#[derive(Module, Debug)]
struct Step {
    up: Upsample,
    convs: DoubleConv,
    skip: Option<usize>,
    lost: usize,
}

impl Unet {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, (H - 2 margin) / stride, (W - 2 margin) / stride]` of the last step
    pub fn forward(&self, features: Features) -> Tensor<4> {
        // Each feature map is dropped as soon as it is used: they are most of the memory of a prediction.
        let Features { maps, mut indices } = features;
        let mut maps: Vec<Option<Tensor<4>>> = maps.into_iter().map(Some).collect();
        let start = maps[self.start].take().expect("one feature map for each level");
        self.steps.iter().fold(start, |x, step| {
            let skip = step.skip.and_then(|skip| maps[skip].take());
            let indices = step.skip.and_then(|skip| indices[skip].take());
            step.forward(x, skip, indices)
        })
    }
}

impl Step {
    fn forward(&self, x: Tensor<4>, skip: Option<Tensor<4>>, indices: Option<Tensor<4, Int>>) -> Tensor<4> {
        let x = self.up.forward(x, indices);
        self.convs.forward(match skip {
            Some(skip) => {
                let [_, _, height, width] = x.dims();
                ops::concat(x, crop(skip, [self.lost; 2], [height, width]))
            }
            None => x,
        })
    }
}
