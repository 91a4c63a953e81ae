//! `[model]`: the network.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use swath_nn::decoder::DecoderConfig;
use swath_nn::decoder::polycnn::CORNERS;
use swath_nn::encoder::EncoderConfig;
use swath_nn::{FamilyError, HeadConfig, SegmenterConfig};

use super::diagnose;
use super::start::{Start, Started};
use crate::{Error, Result};

/// The network: an encoder and a decoder, each a table named after its member of the family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Tables", into = "Tables")]
pub struct Model {
    /// Licence of the trained weights, for its bundle (an SPDX expression).
    pub licence: Option<String>,
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
    /// The networks of a file that has a table for each, as a recipe's `[model]`. Relative paths are relative to the file's folder.
    ///
    /// # Errors
    ///
    /// [`Error::Recipe`] for everything in the file that cannot be understood, and for weights that are not there;
    /// [`Error::Io`] when it cannot be read.
    pub fn load_all(path: &Path) -> Result<BTreeMap<String, Model>> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let mut networks: BTreeMap<String, Model> = diagnose::read(&text, path, &[])?;
        let absolute = std::path::absolute(path).map_err(Error::io("find", path))?;
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        for (name, model) in &mut networks {
            model.resolve(name, folder).map_err(|problem| diagnose::refuse(&text, path, &[], problem))?;
        }
        Ok(networks)
    }

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

    /// Whether encoder and decoder fit, which does not depend on the bands, and the licence says something.
    pub(super) fn check(&self, classes: usize) -> std::result::Result<(), String> {
        if self.licence.as_ref().is_some_and(|licence| licence.trim().is_empty()) {
            return Err(
                "model.licence is empty: write an SPDX expression such as CC-BY-4.0, or leave it out".to_owned()
            );
        }
        self.segmenter(1, classes).validate().map_err(|problem| match (problem.key(), problem) {
            (key, FamilyError::Option { value, reason, nearest, .. }) if key != "model" => {
                format!("{key} is {value}: {reason}; nearest valid choice: {nearest}")
            }
            (key, problem) => format!("{key}: {problem}"),
        })
    }

    /// Makes paths absolute, seen from the file's folder, and refuses those that lead nowhere. `key` is that of the model's table.
    pub(super) fn resolve(&mut self, key: &str, folder: &Path) -> std::result::Result<(), String> {
        let Some(weights) = &mut self.start.weights else { return Ok(()) };
        *weights = folder.join(&weights);
        if weights.is_file() {
            return Ok(());
        }
        Err(format!(
            "{key}.encoder.{}.weights is {}: there is no such file; `swath models import` makes one",
            self.encoder.name(),
            weights.display()
        ))
    }
}

/// The model as recipes write it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    licence: Option<String>,
    encoder: Started,
    decoder: DecoderConfig,
    #[serde(default)]
    head: HeadConfig,
}

impl From<Tables> for Model {
    fn from(tables: Tables) -> Model {
        let Tables { licence, encoder: Started { encoder, start }, decoder, head } = tables;
        Model { licence, encoder, start, decoder, head }
    }
}

impl From<Model> for Tables {
    fn from(model: Model) -> Tables {
        let Model { licence, encoder, start, decoder, head } = model;
        Tables { licence, encoder: Started { encoder, start }, decoder, head }
    }
}
