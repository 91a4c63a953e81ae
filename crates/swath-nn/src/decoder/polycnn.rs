//! `polycnn`: the four corners of the one object in the middle of a patch.
//!
//! Girard, Tarabalka: *End-to-End Learning of Polygons for Remote Sensing Image Classification*. IGARSS 2018.
//! The authors' code: <https://github.com/Lydorn/polycnn>.
//!
//! Features of stride 8 go through 1x1 convolutions of 512 and 128 channels and one fully connected layer into a code of 128 numbers
//! (`encode`); two more layers, of 256 units and of two numbers a corner, draw the outline (`decode`). What is behind the code knows of
//! outlines only: it is trained on generated polygons first, and held while the rest learns to speak its code.
//!
//! Differs from the paper: the features are those of any encoder and not of Inception-v4 up to `Mixed_5e`. The 1x1 convolutions are batch
//! normalized: with features of another scale the codes are far from those that `decode` knows, and its sigmoids have no slope (the
//! authors' first weights are small). Features are averaged over `grid` x `grid` parts, so that the layers fit patches of any size. The
//! sigmoid that brings the numbers between 0 and 1 belongs to the loss and the prediction. No dropout, which the authors' code leaves off
//! too. Fully connected layers are convolutions, as in `classifier`.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one, coarsest, required};
use crate::block::{ConvNorm, patches};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::head::Head;
use crate::ops;

/// Corners of an outline.
pub const CORNERS: usize = 4;

const NAME: &str = "polycnn";

/// Options of `[model.decoder.polycnn]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolycnnConfig {
    /// Stride of the features that it reads; the encoder's coarsest unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Channels of the 1x1 convolutions, each with batch normalization.
    pub channels: Vec<usize>,
    /// The features are averaged over so many rows and columns of parts.
    pub grid: usize,
    /// Numbers of the code.
    pub code: usize,
    /// Units of the layer between the code and the corners.
    pub hidden: usize,
}

impl Default for PolycnnConfig {
    fn default() -> Self {
        Self { stride: None, channels: vec![512, 128], grid: 8, code: 128, hidden: 256 }
    }
}

impl PolycnnConfig {
    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride): any.
    pub fn output_stride(&self) -> Option<usize> {
        None
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): no.
    pub fn needs_indices(&self) -> bool {
        false
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out). Its "classes" are the numbers of an outline, x and y of each corner.
    ///
    /// # Errors
    /// When an option is 0, or the encoder has no features of the stride.
    pub fn out(&self, levels: &[Level], classes: usize) -> Result<Output, FamilyError> {
        const MEMBER: &str = "decoder polycnn";
        at_least_one(MEMBER, &[("grid", self.grid), ("code", self.code), ("hidden", self.hidden)])?;
        for &channels in &self.channels {
            at_least_one(MEMBER, &[("channels", channels)])?;
        }
        self.stride.map(|stride| required(NAME, levels, stride)).transpose()?;
        Ok(Output::Scores(Level::new(classes, Level::coarsest(levels))))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], classes: usize, device: &Device) -> Polycnn {
        let named = self.stride.and_then(|stride| Level::find(levels, stride));
        let source = named.unwrap_or_else(|| coarsest(levels));
        let mut channels = levels[source].channels;
        let mut squeeze = Vec::with_capacity(self.channels.len());
        for &fewer in &self.channels {
            squeeze.push(ConvNorm::new(channels, fewer, 1, device));
            channels = fewer;
        }
        let encode = Encode { squeeze, code: patches(channels, self.code, self.grid, device), grid: self.grid };
        let hidden = patches(self.code, self.hidden, 1, device);
        Polycnn {
            encode,
            decode: Decode { hidden, corners: Head::of_patches(1, self.hidden, classes, device) },
            source,
        }
    }
}

/// Outlines from features.
#[derive(Module, Debug)]
pub struct Polycnn {
    encode: Encode,
    decode: Decode,
    /// Index of the level that it reads.
    source: usize,
}

/// Features to the code.
#[derive(Module, Debug)]
struct Encode {
    squeeze: Vec<ConvNorm>,
    code: Conv2d,
    grid: usize,
}

/// The code to an outline.
#[derive(Module, Debug)]
struct Decode {
    hidden: Conv2d,
    corners: Head,
}

impl Polycnn {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, x and y of each corner, 1, 1]`, before the sigmoid
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let Encode { squeeze, code, grid } = &self.encode;
        let x = squeeze.iter().fold(features.take(&[self.source]).remove(0), |x, layer| layer.forward(x));
        let code = ops::conv_relu(code, ops::adaptive_average_pool(x, [*grid; 2]));
        self.decode.corners.forward(ops::conv_relu(&self.decode.hidden, code))
    }
}
