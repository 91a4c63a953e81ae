//! `[model]`: the network.

use serde::{Deserialize, Serialize};
use swath_nn::decoder::DecoderConfig;
use swath_nn::encoder::EncoderConfig;
use swath_nn::{HeadConfig, SegmenterConfig};

/// The network: an encoder and a decoder, each a table named after its member of the family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Turns the image into features of several strides.
    pub encoder: EncoderConfig,
    /// Turns the features into features of one stride.
    pub decoder: DecoderConfig,
    /// Turns those into a logit for every class.
    #[serde(default)]
    pub head: HeadConfig,
}

impl Model {
    /// The network for images of so many bands and maps of so many classes.
    pub fn segmenter(&self, bands: usize, classes: usize) -> SegmenterConfig {
        SegmenterConfig {
            encoder: self.encoder.clone(),
            decoder: self.decoder.clone(),
            head: self.head.clone(),
            bands,
            classes,
        }
    }

    /// Whether encoder and decoder fit, which does not depend on the bands.
    pub(super) fn check(&self, classes: usize) -> Result<(), String> {
        self.segmenter(1, classes).validate().map_err(|problem| format!("model: {problem}"))
    }
}
