//! `unet`: the expanding path of U-Net, for any encoder.
//!
//! Ronneberger, Fischer, Brox: *U-Net: Convolutional Networks for Biomedical Image Segmentation*. MICCAI 2015.
//! <https://arxiv.org/abs/1505.04597>
//!
//! Every step doubles the resolution, joins the encoder's features of that stride where there are any, and convolves
//! twice. On `plain` this is the paper's network, apart from padded convolutions and, by default, batch normalization.
//! On `resnet` with `upsampling = "nearest"` and `channels = [256, 128, 64, 32, 16]` it is the `Unet` of
//! segmentation_models.pytorch (with `[model.head] kernel = 3`), whose last step has no features to join.

use burn::module::Module;
use burn::nn::Initializer;
use burn::nn::conv::{ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::Output;
use crate::block::{DoubleConv, DoubleConvConfig, Upsampling, upsample};
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
}

impl Default for UnetConfig {
    fn default() -> Self {
        Self { channels: None, upsampling: Upsampling::Transposed, batch_norm: true }
    }
}

impl UnetConfig {
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
    /// When `channels` lists more steps than lead to stride 1, or a step without channels.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        let coarsest = Level::coarsest(levels);
        let refuse = |reason: String, nearest: Vec<usize>| FamilyError::Option {
            member: "decoder unet",
            option: "channels",
            value: format!("{:?}", self.channels.as_deref().unwrap_or_default()),
            reason,
            nearest: format!("channels = {nearest:?}"),
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
        let last = channels.last().copied().unwrap_or_else(|| deepest(levels));
        Ok(Output::Features(Level::new(last, stride)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Unet {
        let mut stride = Level::coarsest(levels);
        let mut channels_in = deepest(levels);
        let mut step = |channels: usize| {
            stride /= 2;
            let skip = Level::find(levels, stride);
            let up = (self.upsampling == Upsampling::Transposed).then(|| {
                ConvTranspose2dConfig::new([channels_in, channels], [2, 2])
                    .with_stride([2, 2])
                    .with_initializer(Initializer::Zeros)
                    .init(device)
            });
            let upsampled = if up.is_some() { channels } else { channels_in };
            channels_in = channels;
            let convs = DoubleConvConfig {
                channels_in: upsampled + skip.map_or(0, |skip| levels[skip].channels),
                channels_out: channels,
                batch_norm: self.batch_norm,
            };
            Step { up, convs: convs.init(device), bilinear: self.upsampling == Upsampling::Bilinear, skip }
        };
        Unet {
            steps: self.channels(levels).into_iter().map(&mut step).collect(),
            start: Level::find(levels, Level::coarsest(levels)).unwrap_or_default(),
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
        let mut before = deepest(levels);
        while stride > finest {
            stride /= 2;
            before = Level::find(levels, stride).map_or(before.div_ceil(2), |level| levels[level].channels);
            channels.push(before);
        }
        channels
    }
}

fn deepest(levels: &[Level]) -> usize {
    Level::find(levels, Level::coarsest(levels)).map_or(0, |level| levels[level].channels)
}

/// U-Net's expanding path.
#[derive(Module, Debug)]
pub struct Unet {
    steps: Vec<Step>,
    start: usize,
}

/// One step up. `skip` is the index of the encoder's features that it joins.
#[derive(Module, Debug)]
struct Step {
    up: Option<ConvTranspose2d>,
    convs: DoubleConv,
    bilinear: bool,
    skip: Option<usize>,
}

impl Unet {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / stride, W / stride]` of the last step
    pub fn forward(&self, features: Features) -> Tensor<4> {
        // Each feature map is dropped as soon as it is used: they are most of the memory of a prediction.
        let mut features: Vec<Option<Tensor<4>>> = features.maps.into_iter().map(Some).collect();
        let start = features[self.start].take().expect("one feature map for each level");
        self.steps.iter().fold(start, |x, step| {
            let skip = step.skip.and_then(|skip| features[skip].take());
            step.forward(x, skip)
        })
    }
}

impl Step {
    fn forward(&self, x: Tensor<4>, skip: Option<Tensor<4>>) -> Tensor<4> {
        let x = match &self.up {
            Some(up) => ops::conv_transpose(up, x),
            None => upsample(x, self.bilinear),
        };
        self.convs.forward(match skip {
            Some(skip) => ops::concat(x, skip),
            None => x,
        })
    }
}
