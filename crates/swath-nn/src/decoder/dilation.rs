//! `dilation`: scores refined by a context module.
//!
//! Yu, Koltun: *Multi-Scale Context Aggregation by Dilated Convolutions*. ICLR 2016. <https://arxiv.org/abs/1511.07122>
//!
//! A 1x1 convolution scores the encoder's coarsest features (the paper's front end, which `dilated_vgg` is close to). The context
//! module follows: 3x3 convolutions over class scores with dilation 1, 1, 2, 4, 8, 16 and 1, each with ReLU, and a 1x1. It
//! starts as the identity (`weights::initialize` knows it by its name). The large form has 2 to 32 channels a class within.
//!
//! Differs from the paper: maps are padded with zeros, where it leaves padding to the front end.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, check_output_stride, coarsest};
use crate::block::conv2d;
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::head::{Head, HeadConfig};
use crate::ops;

/// Options of `[model.decoder.dilation]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DilationConfig {
    /// Coarsest stride of the encoder: 8, 16 or 32.
    pub output_stride: usize,
    /// Channels within the context module.
    pub form: ContextForm,
}

impl Default for DilationConfig {
    fn default() -> Self {
        Self { output_stride: 8, form: ContextForm::Basic }
    }
}

/// Channels within the context module, Table 1 of the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextForm {
    /// One channel a class throughout.
    #[default]
    Basic,
    /// 2, 2, 4, 8, 16, 32 and 32 channels a class.
    Large,
}

const DILATIONS: [usize; 7] = [1, 1, 2, 4, 8, 16, 1];

impl ContextForm {
    /// Channels a class after each dilated layer.
    fn widths(self) -> [usize; 7] {
        match self {
            Self::Basic => [1; 7],
            Self::Large => [2, 2, 4, 8, 16, 32, 32],
        }
    }
}

impl DilationConfig {
    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride).
    pub fn output_stride(&self) -> Option<usize> {
        Some(self.output_stride)
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): no.
    pub fn needs_indices(&self) -> bool {
        false
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out).
    ///
    /// # Errors
    /// When the output stride is out of range.
    pub fn out(&self, levels: &[Level], classes: usize) -> Result<Output, FamilyError> {
        check_output_stride("decoder dilation", self.output_stride)?;
        Ok(Output::Scores(Level::new(classes, Level::coarsest(levels))))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], classes: usize, device: &Device) -> Dilation {
        let source = coarsest(levels);
        let mut channels_in = classes;
        let layers = DILATIONS.into_iter().zip(self.form.widths()).map(|(dilation, width)| {
            let channels = [channels_in, width * classes];
            channels_in = channels[1];
            Conv2dConfig::new(channels, [3, 3])
                .with_dilation([dilation; 2])
                .with_padding(PaddingConfig2d::Explicit(dilation, dilation, dilation, dilation))
                .with_initializer(Initializer::Zeros)
                .init(device)
        });
        let layers = layers.collect();
        Dilation {
            score: HeadConfig { kernel: 1 }.init(levels[source].channels, classes, device),
            context: Context { layers, out: conv2d(channels_in, classes, 1, device) },
            source,
        }
    }
}

/// Scores, and their context.
#[derive(Module, Debug)]
pub struct Dilation {
    score: Head,
    context: Context,
    /// Index of the level that it reads.
    source: usize,
}

/// The context module.
#[derive(Module, Debug)]
struct Context {
    layers: Vec<Conv2d>,
    out: Conv2d,
}

impl Dilation {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, class, H / stride, W / stride]` at the coarsest stride
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let scores = self.score.forward(features.take(&[self.source]).remove(0));
        let x = self.context.layers.iter().fold(scores, |x, layer| ops::conv_relu(layer, x));
        ops::conv(&self.context.out, x)
    }
}
