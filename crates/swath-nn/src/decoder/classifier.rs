//! `classifier`: one class for the whole patch, the head of every network for image classification.
//!
//! The coarsest features are averaged over `grid` x `grid` parts (one part is global average pooling: Lin, Chen, Yan, *Network In
//! Network*, ICLR 2014, <https://arxiv.org/abs/1312.4400>), go through fully connected layers and become class scores. The
//! segmenter hands on the same scores for every pixel of the patch.
//!
//! What a patch's class stands for is `cell`:
//!
//! | `cell` | labels of a training patch | known as |
//! |---|---|---|
//! | none | the majority of the patch | scene classification |
//! | 1 | its centre pixel | CNN-PC, patch classification |
//! | n | the majority of the n x n pixels at its centre | CNN-SPL, here with squares in place of superpixels |
//!
//! A map is made by sliding: each cell of it is classified in a patch of its own. Volpi and Tuia (2017,
//! <https://arxiv.org/abs/1608.00775>) compare such networks with those that label the full patch at once (CNN-FPL), which all
//! other decoders do.
//!
//! Fully connected layers are convolutions, as in FCN. No dropout.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one, coarsest};
use crate::block::patches;
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::head::Head;
use crate::ops;

/// Options of `[model.decoder.classifier]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Side in pixels of the square at the patch's centre that the class stands for; by default the whole patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<usize>,
    /// The features are averaged over so many rows and columns of parts.
    pub grid: usize,
    /// Units of each hidden layer.
    pub hidden: Vec<usize>,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self { cell: None, grid: 1, hidden: Vec::new() }
    }
}

impl ClassifierConfig {
    /// Side of the cell within a patch of that size.
    // Inlined into a match over decoders, LLVM 22 reads the option's tag before it knows that the decoder is a classifier, and takes what
    // another decoder has in its place for 0 or 1 when it computes an address.
    #[inline(never)]
    pub fn cell_of(&self, patch: usize) -> usize {
        self.cell.unwrap_or(patch)
    }

    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride): any.
    pub fn output_stride(&self) -> Option<usize> {
        None
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): no.
    pub fn needs_indices(&self) -> bool {
        false
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out). The one pixel that it hands on has the coarsest stride at least.
    ///
    /// # Errors
    /// When an option is 0.
    pub fn out(&self, levels: &[Level], classes: usize) -> Result<Output, FamilyError> {
        const MEMBER: &str = "decoder classifier";
        at_least_one(MEMBER, &[("cell", self.cell.unwrap_or(1)), ("grid", self.grid)])?;
        for &units in &self.hidden {
            at_least_one(MEMBER, &[("hidden", units)])?;
        }
        Ok(Output::Scores(Level::new(classes, Level::coarsest(levels))))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], classes: usize, device: &Device) -> Classifier {
        let source = coarsest(levels);
        // The first layer sees all parts at once.
        let (mut channels, mut side) = (levels[source].channels, self.grid);
        let mut hidden = Vec::with_capacity(self.hidden.len());
        for &units in &self.hidden {
            hidden.push(patches(channels, units, side, device));
            (channels, side) = (units, 1);
        }
        Classifier { hidden, score: Head::of_patches(side, channels, classes, device), grid: self.grid, source }
    }
}

/// Class scores of the whole patch.
#[derive(Module, Debug)]
pub struct Classifier {
    hidden: Vec<Conv2d>,
    score: Head,
    grid: usize,
    /// Index of the level that it reads.
    source: usize,
}

impl Classifier {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, class, 1, 1]`
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let x = ops::adaptive_average_pool(features.take(&[self.source]).remove(0), [self.grid; 2]);
        self.score.forward(self.hidden.iter().fold(x, |x, layer| ops::conv_relu(layer, x)))
    }
}
