//! `segnet`: a decoder that puts features back to where the encoder's maxima stood.
//!
//! Badrinarayanan, Kendall, Cipolla: *SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation*. IEEE
//! Transactions on Pattern Analysis and Machine Intelligence 39 (12), 2017. <https://arxiv.org/abs/1511.00561>
//!
//! Each stage unpools by the encoder's indices and convolves as often as the encoder did at that stride; its last convolution
//! has the channels of the next stage. On `vgg` of depth 16 with batch normalization and `[model.head] kernel = 3` these are the 13 convolutions of
//! the paper, the head being the last one.
//!
//! Differs from the paper: the encoder may be any that pools by 2x2 (where its coarsest features have other channels than the
//! indices, a 1x1 convolution adapts them), and `upsampling` may replace the unpooling, as the paper's own variants do.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::Output;
use super::mirror::{Mirror, finest};
use crate::block::{ConvNorm, Upsample, Upsampling};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};

/// Options of `[model.decoder.segnet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SegnetConfig {
    /// How a stage doubles the resolution.
    pub upsampling: Upsampling,
    /// Convolutions of each stage, coarsest stage first. By default 3, at stride 2 only 2, and at stride 1 one beside the
    /// head, as VGG16 mirrored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depths: Option<Vec<usize>>,
}

impl Default for SegnetConfig {
    fn default() -> Self {
        Self { upsampling: Upsampling::MaxUnpooling, depths: None }
    }
}

impl SegnetConfig {
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
    /// When the encoder does not pool by 2x2 down from stride 1, or `depths` does not fit its levels.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        Ok(Output::Features(finest(&self.mirror().stages(levels)?, levels)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Segnet {
        let stages = self.mirror().stages(levels).expect("levels that `out` has accepted");
        let stage = |stage: super::mirror::Stage| Stage {
            up: stage.up.init(device),
            convs: stage.convs.into_iter().map(|[from, to]| ConvNorm::new(from, to, 3, device)).collect(),
            level: stage.level,
        };
        Segnet {
            stages: stages.into_iter().map(stage).collect(),
            start: Level::find(levels, Level::coarsest(levels)).unwrap_or_default(),
        }
    }

    fn mirror(&self) -> Mirror<'_> {
        let depths = self.depths.as_deref();
        Mirror { decoder: "segnet", upsampling: self.upsampling, depths, usual: [1, 2, 3] }
    }
}

/// SegNet's decoder.
#[derive(Module, Debug)]
pub struct Segnet {
    stages: Vec<Stage>,
    start: usize,
}

/// Upsampling and convolutions. `level` is the index of the encoder's level whose indices are used.
#[derive(Module, Debug)]
struct Stage {
    up: Upsample,
    convs: Vec<ConvNorm>,
    level: usize,
}

impl Segnet {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / stride, W / stride]` of the last stage
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let Features { mut maps, mut indices } = features;
        let start = maps.swap_remove(self.start);
        drop(maps);
        self.stages.iter().fold(start, |x, stage| {
            let x = stage.up.forward(x, indices[stage.level].take());
            stage.convs.iter().fold(x, |x, conv| conv.forward(x))
        })
    }
}
