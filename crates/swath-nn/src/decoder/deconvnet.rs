//! `deconvnet`: the encoder mirrored, with transposed convolutions and unpooling.
//!
//! Noh, Hong, Han: *Learning Deconvolution Network for Semantic Segmentation*. ICCV 2015. <https://arxiv.org/abs/1505.04366>
//!
//! The coarsest features pass two layers that see 7x7 of their pixels at once (the classifier of VGG16 as convolutions, of
//! 4096 channels) and come back to their size by a transposed convolution; then each stage unpools by the encoder's indices and
//! applies as many 3x3 transposed convolutions as the encoder had convolutions at that stride. Everything is batch normalized.
//!
//! Differs from the paper: images may have any size, where the paper's have 224 x 224 pixels and one place for the 7x7 window
//! (coarsest features smaller than the window get zeros below and on the right, and lose that part again afterwards); the
//! encoder may be any that pools by 2x2; `upsampling` may replace the unpooling. There is no training in two stages,
//! and no ensemble with an FCN.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::Output;
use super::mirror::{self, Mirror, finest};
use crate::block::{ConvNorm, Upsample, Upsampling, crop};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.deconvnet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeconvnetConfig {
    /// Channels of the two layers at the turning point.
    pub channels: usize,
    /// Side of the window that they see.
    pub kernel: usize,
    /// How a stage doubles the resolution.
    pub upsampling: Upsampling,
    /// Transposed convolutions of each stage, coarsest stage first. By default 3, at strides 2 and 1 only 2, as VGG16
    /// mirrored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depths: Option<Vec<usize>>,
}

impl Default for DeconvnetConfig {
    fn default() -> Self {
        Self { channels: 4096, kernel: 7, upsampling: Upsampling::MaxUnpooling, depths: None }
    }
}

impl DeconvnetConfig {
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
    /// When an option is out of range, the encoder does not pool by 2x2 down from stride 1, or `depths` does not fit its levels.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        for (option, value, most) in [("channels", self.channels, 1 << 16), ("kernel", self.kernel, 63)] {
            if !(1..=most).contains(&value) {
                return Err(FamilyError::Option {
                    member: "decoder deconvnet",
                    option,
                    value: value.to_string(),
                    reason: format!("it is at least 1 and at most {most}"),
                    nearest: format!("`{option} = {}`", value.clamp(1, most)),
                });
            }
        }
        Ok(Output::Features(finest(&self.mirror().stages(levels)?, levels)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Deconvnet {
        let start = Level::find(levels, Level::coarsest(levels)).unwrap_or_default();
        let coarsest = levels[start].channels;
        let window = Conv2dConfig::new([coarsest, self.channels], [self.kernel; 2])
            .with_bias(false)
            .with_initializer(Initializer::Zeros);
        let stages = self.mirror().stages(levels).expect("levels that `out` has accepted");
        let stage = |stage: mirror::Stage| Stage {
            up: stage.up.init(device),
            deconvs: stage.convs.into_iter().map(|[from, to]| DeconvNorm::new(from, to, 3, 1, device)).collect(),
            level: stage.level,
        };
        Deconvnet {
            fc6: window.init(device),
            norm6: BatchNormConfig::new(self.channels).init(device),
            fc7: ConvNorm::new(self.channels, self.channels, 1, device),
            fc6_deconv: DeconvNorm::new(self.channels, coarsest, self.kernel, 0, device),
            stages: stages.into_iter().map(stage).collect(),
            start,
        }
    }

    fn mirror(&self) -> Mirror<'_> {
        let depths = self.depths.as_deref();
        Mirror { decoder: "deconvnet", upsampling: self.upsampling, depths, usual: [2, 2, 3] }
    }
}

/// DeconvNet's decoder.
#[derive(Module, Debug)]
pub struct Deconvnet {
    fc6: Conv2d,
    norm6: BatchNorm,
    fc7: ConvNorm,
    fc6_deconv: DeconvNorm,
    stages: Vec<Stage>,
    start: usize,
}

/// Upsampling and transposed convolutions. `level` is the index of the encoder's level whose indices are used.
#[derive(Module, Debug)]
struct Stage {
    up: Upsample,
    deconvs: Vec<DeconvNorm>,
    level: usize,
}

/// `relu(norm(deconv(x)))` with a transposed convolution of stride 1.
#[derive(Module, Debug)]
struct DeconvNorm {
    conv: ConvTranspose2d,
    norm: BatchNorm,
}

impl Deconvnet {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / stride, W / stride]` of the last stage
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let Features { mut maps, mut indices } = features;
        let start = maps.swap_remove(self.start);
        drop(maps);
        self.stages.iter().fold(self.turn(start), |x, stage| {
            let x = stage.up.forward(x, indices[stage.level].take());
            stage.deconvs.iter().fold(x, |x, deconv| deconv.forward(x))
        })
    }

    /// The layers at the turning point; size and channels stay.
    fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let [rows, cols] = self.fc6.kernel_size;
        let padding = PaddingConfig2d::Explicit(0, 0, rows.saturating_sub(height), cols.saturating_sub(width));
        let fc6 = Conv2d { padding, ..self.fc6.clone() };
        let x = self.fc7.forward(ops::conv_norm_relu(&fc6, &self.norm6, x));
        crop(self.fc6_deconv.forward(x), [0, 0], [height, width])
    }
}

impl DeconvNorm {
    fn new(channels_in: usize, channels_out: usize, kernel: usize, padding: usize, device: &Device) -> Self {
        let conv = ConvTranspose2dConfig::new([channels_in, channels_out], [kernel; 2])
            .with_padding([padding; 2])
            .with_bias(false)
            .with_initializer(Initializer::Zeros);
        Self { conv: conv.init(device), norm: BatchNormConfig::new(channels_out).init(device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv_transpose_norm_relu(&self.conv, &self.norm, x)
    }
}
