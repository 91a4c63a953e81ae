//! `hypercolumn`: each pixel's activations at several levels, through a perceptron.
//!
//! Hariharan, Arbeláez, Girshick, Malik: *Hypercolumns for Object Segmentation and Fine-grained Localization*. CVPR 2015.
//! <https://arxiv.org/abs/1411.5752>
//! Bansal, Chen, Russell, Gupta, Ramanan: *PixelNet*. 2017. <https://arxiv.org/abs/1702.06506>
//!
//! PixelNet's form: activations are upsampled bilinearly and concatenated, and a perceptron with two hidden layers reads them.
//! Differs from it: every pixel is computed, in training too, where PixelNet samples a few thousand of an image; hidden
//! layers therefore have 256 units, where sampling affords 4096.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, chosen};
use crate::block::{Enlarge, PixelMlp, Upsampling};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};

/// Options of `[model.decoder.hypercolumn]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HypercolumnConfig {
    /// Strides of the levels that are read; by default all that the encoder has. The finest is that of the output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strides: Option<Vec<usize>>,
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
    /// How each level's share of the first hidden layer gets the size of the finest one.
    pub upsampling: Upsampling,
}

impl Default for HypercolumnConfig {
    fn default() -> Self {
        Self { strides: None, hidden: vec![256, 256], upsampling: Upsampling::Bilinear }
    }
}

impl HypercolumnConfig {
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
    /// When the encoder lacks a stride, there is no hidden layer, or one without units.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        Enlarge::check(self.upsampling, "decoder hypercolumn")?;
        let sources = chosen("hypercolumn", levels, self.strides.as_deref())?;
        let last = self.hidden.last().copied().unwrap_or_default();
        if last == 0 || self.hidden.contains(&0) {
            let nearest: Vec<usize> = match self.hidden.as_slice() {
                [] => Self::default().hidden,
                hidden => hidden.iter().map(|&units| units.max(1)).collect(),
            };
            return Err(FamilyError::Option {
                member: "decoder hypercolumn",
                option: "hidden",
                value: format!("{:?}", self.hidden),
                reason: "there is at least one hidden layer, and each has at least one unit".into(),
                nearest: format!("`hidden = {nearest:?}`"),
            });
        }
        Ok(Output::Features(Level::new(last, levels[sources[0]].stride)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Hypercolumn {
        let sources = chosen("hypercolumn", levels, self.strides.as_deref()).unwrap_or_default();
        let levels: Vec<Level> = sources.iter().map(|&source| levels[source]).collect();
        Hypercolumn { mlp: PixelMlp::new(&levels, &self.hidden, self.upsampling, device), sources }
    }
}

/// A perceptron over hypercolumns.
#[derive(Module, Debug)]
pub struct Hypercolumn {
    mlp: PixelMlp,
    /// Indices of the levels, finest first.
    sources: Vec<usize>,
}

impl Hypercolumn {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, hidden, H / stride, W / stride]` at the finest stride read
    pub fn forward(&self, features: Features) -> Tensor<4> {
        self.mlp.forward(features.take(&self.sources))
    }
}
