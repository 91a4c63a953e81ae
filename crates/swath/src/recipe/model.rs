//! `[model]`: the network.

use std::path::Path;

use serde::{Deserialize, Serialize};
use swath_nn::decoder::DecoderConfig;
use swath_nn::decoder::polycnn::CORNERS;
use swath_nn::encoder::EncoderConfig;
use swath_nn::{FamilyError, HeadConfig, SegmenterConfig};

use super::start::{Start, Started};

/// The network: an encoder and a decoder, each a table named after its member of the family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Tables", into = "Tables")]
pub struct Model {
    /// Turns the image into features of several strides.
    pub encoder: EncoderConfig,
    /// What the encoder starts from; keys of its table.
    pub start: Start,
    /// Turns the features into features of one stride.
    pub decoder: DecoderConfig,
    /// Turns those into a logit for every class.
    pub head: HeadConfig,
}

impl Model {
    /// The network for images of so many bands and maps of so many classes; one that draws outlines gives two numbers a corner instead.
    pub fn segmenter(&self, bands: usize, classes: usize) -> SegmenterConfig {
        SegmenterConfig {
            encoder: self.encoder.clone(),
            decoder: self.decoder.clone(),
            head: self.head.clone(),
            bands,
            classes: match &self.decoder {
                DecoderConfig::Polycnn(_) => 2 * CORNERS,
                _ => classes,
            },
        }
    }

    /// Whether encoder and decoder fit, which does not depend on the bands.
    pub(super) fn check(&self, classes: usize) -> Result<(), String> {
        self.segmenter(1, classes).validate().map_err(|problem| match (problem.key(), problem) {
            (key, FamilyError::Option { value, reason, nearest, .. }) if key != "model" => {
                format!("{key} is {value}: {reason}; nearest valid choice: {nearest}")
            }
            (key, problem) => format!("{key}: {problem}"),
        })
    }

    /// Makes paths absolute, seen from the recipe's folder, and refuses those that lead nowhere.
    pub(super) fn resolve(&mut self, folder: &Path) -> Result<(), String> {
        let Some(weights) = &mut self.start.weights else { return Ok(()) };
        *weights = folder.join(&weights);
        if weights.is_file() {
            return Ok(());
        }
        Err(format!(
            "model.encoder.{}.weights is {}: there is no such file; `swath models import` makes one",
            self.encoder.name(),
            weights.display()
        ))
    }
}

/// The model as recipes write it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    encoder: Started,
    decoder: DecoderConfig,
    #[serde(default)]
    head: HeadConfig,
}

impl From<Tables> for Model {
    fn from(tables: Tables) -> Model {
        let Tables { encoder: Started { encoder, start }, decoder, head } = tables;
        Model { encoder, start, decoder, head }
    }
}

impl From<Model> for Tables {
    fn from(model: Model) -> Tables {
        let Model { encoder, start, decoder, head } = model;
        Tables { encoder: Started { encoder, start }, decoder, head }
    }
}
