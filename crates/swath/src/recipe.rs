//! Recipes: the TOML file that says everything about a run.
//!
//! A recipe is plain data. [`Recipe::load`] reads it, applies `-s key=value` overrides, refuses what
//! cannot work with the file, the line and the key, and leaves nothing implicit: paths are absolute,
//! globs are expanded, classes are complete. [`Recipe::to_toml`] writes that resolved form, which is
//! what a run keeps.
//!
//! ```
//! use swath::recipe::Recipe;
//! let recipe = Recipe::from_toml_str(
//!     r##"
//!     [data]
//!     classes = [{ name = "land", color = "#000000" }, { name = "water", color = "#0000ff" }]
//!     [model.encoder.resnet]
//!     [model.decoder.unet]
//!     [train]
//!     steps = 100
//!     "##,
//! )?;
//! assert_eq!(recipe.train.batch, 8);
//! assert_eq!(recipe.data.classes[1].values, [1]);
//! # Ok::<(), swath::Error>(())
//! ```

mod area;
mod augment;
mod data;
mod diagnose;
mod items;
mod model;
mod optimizer;
pub(crate) mod overrides;
mod phases;
mod predict;
mod scene;
mod schedule;
mod start;
mod train;

use std::path::Path;

use serde::{Deserialize, Serialize};
use swath_nn::decoder::DecoderConfig;
use swath_nn::decoder::polycnn::PolycnnConfig;
use swath_nn::loss::LossConfig;

use crate::dataset::{Target, is_vector, open_scene};
use crate::predict::Patches;
use crate::{Error, Result};

pub use area::Area;
pub use augment::{Augment, Span};
pub use data::{BandRef, Data, Item, Order};
pub use diagnose::{keys, nearest};
pub use model::Model;
pub use optimizer::{AdamConfig, AdamWConfig, OptimizerConfig, SgdConfig};
pub use phases::Phase;
pub(crate) use phases::{at as phase_at, covers};
pub use predict::Predict;
pub use schedule::{ConstantConfig, CosineConfig, OneCycleConfig, PolynomialConfig, ScheduleConfig, TriangularConfig};
pub use start::Start;
pub use train::{Length, SamplerKind, Train, TrainPrecision};

/// The file of a recipe that came from none, or whose file is not known here.
pub(crate) const UNPLACED: &str = "recipe";

/// Everything about a run: data, network, loss, optimizer, schedule, training and prediction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Classes, scenes and labels.
    pub data: Data,
    /// The network.
    pub model: Model,
    /// What training minimizes.
    #[serde(default)]
    pub loss: LossConfig,
    /// How weights follow gradients.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes over the steps.
    #[serde(default)]
    pub schedule: ScheduleConfig,
    /// Length, batches and sampling.
    #[serde(default)]
    pub train: Train,
    /// Random changes of training chips.
    #[serde(default)]
    pub augment: Augment,
    /// How scenes are predicted, in validation and afterwards.
    #[serde(default)]
    pub predict: Predict,
}

impl Recipe {
    /// Reads a recipe file for a run.
    ///
    /// `overrides` are `key=value` pairs such as `train.steps=10`; they are applied before the recipe
    /// is understood, so they may also set what the file leaves out. Relative paths are relative to the
    /// recipe's folder.
    ///
    /// A glob (`*`, `?`, `[ab]`, `**`) in `scene` makes one item per matching file, sorted by path. The item's other
    /// paths name the files that belong to it: `{stem}` is the scene's file name without its last extension and
    /// `{dir}` its folder; a glob in `labels` finds the file with the scene's stem; any other path is shared by all.
    /// `{stem}` and `{dir}` are those of the first file where a scene without a glob has several.
    ///
    /// # Errors
    ///
    /// [`Error::Recipe`] for everything that the user wrote and that cannot work; [`Error::Io`] when
    /// the file cannot be read.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Recipe> {
        read_file(path, overrides, parse)
    }

    /// Reads a recipe file whose own network is not trained: others take its place by [`Recipe::with_model`]. Cells are checked
    /// there, since they are for some networks and not for others.
    ///
    /// # Errors
    ///
    /// As [`Recipe::load`].
    pub fn load_to_compare(path: &Path, overrides: &[String]) -> Result<Recipe> {
        read_file(path, overrides, parse_beside_cells)
    }

    /// Reads a recipe file for what it says of its network: no other file is looked at, and paths and globs stay as written.
    ///
    /// # Errors
    ///
    /// As [`Recipe::load`], files that are not there excepted.
    pub fn load_alone(path: &Path, overrides: &[String]) -> Result<Recipe> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        parse(&text, path, overrides)
    }

    /// The number of bands that the network sees: those that the recipe names, or those of its first scene.
    ///
    /// # Errors
    ///
    /// When that scene cannot be opened.
    pub fn count_bands(&self) -> Result<usize> {
        match (&self.data.bands, self.data.train.first()) {
            (None, Some(item)) => Ok(open_scene(&item.scene, None)?.bands().len()),
            (bands, _) => Ok(bands.as_ref().map_or(0, Vec::len)),
        }
    }

    /// The recipe with another network in place of its own. Without a licence the network has the recipe's; `predict.cell` stays
    /// where it classifies cells and is left out elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::Recipe`] when the recipe cannot be with that network; [`Recipe::placed`] finds the key in its file.
    pub fn with_model(&self, model: Model) -> Result<Recipe> {
        let licence = model.licence.clone().or_else(|| self.model.licence.clone());
        let mut recipe = Recipe { model: Model { licence, ..model }, ..self.clone() };
        if !matches!(recipe.model.decoder, DecoderConfig::Classifier(_)) {
            recipe.predict.cell = None;
        }
        let fits = recipe.check().and_then(|()| recipe.check_cells());
        fits.map_err(|problem| wrong(Path::new(UNPLACED), problem))?;
        Ok(recipe)
    }

    /// What the overrides have chosen in place of what the file at `path` chooses: another encoder, decoder, optimizer or schedule, which
    /// setting one of its keys does. In words, such as `model.encoder is resnet in place of plain`; empty where the file cannot be read.
    pub fn replaced(path: &Path, overrides: &[String]) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let before: toml::Table = toml::from_str(&text).unwrap_or_default();
        let mut after = before.clone();
        let applied = overrides.iter().try_for_each(|assignment| overrides::apply(&mut after, assignment));
        applied.map_or_else(|_| Vec::new(), |()| overrides::replaced(&before, &after))
    }

    /// What went wrong in a run by the recipe that [`Recipe::load`] read from `path` with `overrides`: an error that only the run could
    /// find, such as a name that no parameter has, gets the file's name, and the line or the override that it is about.
    pub fn placed(error: Error, path: &Path, overrides: &[String]) -> Error {
        match error {
            Error::Recipe { file, line: None, problem } if file == Path::new(UNPLACED) => {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                diagnose::refuse(&text, path, overrides, problem)
            }
            other => other,
        }
    }

    /// Understands a recipe without looking at any file: paths and globs stay as written.
    ///
    /// # Errors
    ///
    /// [`Error::Recipe`].
    pub fn from_toml_str(text: &str) -> Result<Recipe> {
        parse(text, Path::new(UNPLACED), &[])
    }

    /// The recipe as TOML with every default written out; [`Recipe::from_toml_str`] reads it back to
    /// an equal recipe.
    ///
    /// # Errors
    ///
    /// [`Error::Recipe`] when a value has no TOML form (a path that is not Unicode).
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| wrong(Path::new(UNPLACED), format!("cannot be written as TOML: {e}")))
    }

    /// How the network slides over scenes, where its decoder is a classifier: patches are as large as training chips.
    pub fn patches(&self, predict: &Predict) -> Option<Patches> {
        let DecoderConfig::Classifier(classifier) = &self.model.decoder else { return None };
        let patch = self.train.chip;
        Some(Patches { patch, cell: predict.cell.unwrap_or_else(|| classifier.cell_of(patch)) })
    }

    /// The decoder, where the network draws outlines of objects and makes no maps.
    pub fn outlines(&self) -> Option<&PolycnnConfig> {
        match &self.model.decoder {
            DecoderConfig::Polycnn(polycnn) => Some(polycnn),
            _ => None,
        }
    }

    /// What the network learns from the labels of a chip.
    pub fn target(&self) -> Target {
        match &self.model.decoder {
            DecoderConfig::Classifier(classifier) => Target::Cell(classifier.cell_of(self.train.chip)),
            _ => Target::Pixels,
        }
    }

    /// Whether cells of a classifier fit its patches.
    fn check_cells(&self) -> std::result::Result<(), String> {
        let patch = self.train.chip;
        let advice = format!("a cell lies inside its patch, and train.chip is {patch}");
        match &self.model.decoder {
            DecoderConfig::Classifier(classifier) => {
                let cell = classifier.cell_of(patch);
                require(cell <= patch, "model.decoder.classifier.cell", cell, &advice)?;
                let cell = self.predict.cell.unwrap_or(cell);
                require((1..=patch).contains(&cell), "predict.cell", cell, &advice)
            }
            other => match self.predict.cell {
                Some(cell) => Err(format!(
                    "predict.cell is {cell}: it is for decoder classifier, and this one is {}; leave it out",
                    other.name()
                )),
                None => Ok(()),
            },
        }
    }

    /// Whether a network that draws outlines has objects to draw, and no keys of those that make maps.
    fn check_outlines(&self) -> std::result::Result<(), String> {
        let train = &self.train;
        if self.outlines().is_none() {
            return match train.generated_steps {
                Some(steps) => Err(format!(
                    "train.generated_steps is {steps}: it is for decoder polycnn, and this one is {}; leave it out",
                    self.model.decoder.name()
                )),
                None => Ok(()),
            };
        }
        let classes = self.data.classes.len();
        let advice =
            "decoder polycnn outlines objects of one class: list a class for all else, then that of the objects";
        require(classes == 2, "the number of data.classes", classes, advice)?;
        let object = &self.data.classes[1].name;
        for (split, items) in self.data.splits() {
            for (at, item) in items.iter().enumerate() {
                let key = format!("data.{split}[{at}]");
                let Some(labels) = &item.labels else {
                    return Err(format!(
                        "{key} lacks the key `labels`: decoder polycnn learns from objects in a label file"
                    ));
                };
                if is_vector(labels) && item.class.as_ref() != Some(object) {
                    return Err(format!(
                        "{key} lacks class = \"{object}\": decoder polycnn takes every polygon of a label file for an object; \
                         `filter` may choose some"
                    ));
                }
            }
        }
        if self.loss != LossConfig::default() {
            return Err("loss is for networks that make maps; decoder polycnn has its own, the distance of corners: leave it out".into());
        }
        let sampler = train.sampler == SamplerKind::Uniform;
        require(
            sampler,
            "train.sampler",
            "not uniform",
            "decoder polycnn sees each object as often as any other; leave it out",
        )
    }

    /// Refuses values that no run can use, other than cells; says which key and why.
    fn check(&self) -> std::result::Result<(), String> {
        self.data.check()?;
        self.model.check(self.data.classes.len())?;
        self.loss.check(self.data.classes.len()).map_err(|problem| format!("loss.{problem}"))?;
        self.optimizer.check()?;
        self.schedule.check()?;
        self.train.check()?;
        self.augment.check()?;
        self.predict.check()?;
        self.check_outlines()
    }
}

fn read_file(path: &Path, overrides: &[String], parse: fn(&str, &Path, &[String]) -> Result<Recipe>) -> Result<Recipe> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let mut recipe = parse(&text, path, overrides)?;
    let absolute = std::path::absolute(path).map_err(Error::io("find", path))?;
    let folder = absolute.parent().unwrap_or(Path::new("/"));
    recipe.data.resolve(folder).map_err(|problem| wrong(path, problem))?;
    recipe.model.resolve("model", folder).map_err(|problem| diagnose::refuse(&text, path, overrides, problem))?;
    if recipe.data.train.is_empty() {
        return Err(wrong(path, "data.train is empty: list at least one { scene = ..., labels = ... }".to_owned()));
    }
    if let (Some(patience), true) = (recipe.train.early_stopping, recipe.data.val.is_empty()) {
        let problem = format!("train.early_stopping is {patience}: it needs scenes to validate on in data.val");
        return Err(diagnose::refuse(&text, path, overrides, problem));
    }
    Ok(recipe)
}

fn parse(text: &str, file: &Path, overrides: &[String]) -> Result<Recipe> {
    let recipe = parse_beside_cells(text, file, overrides)?;
    recipe.check_cells().map_err(|problem| diagnose::refuse(text, file, overrides, problem))?;
    Ok(recipe)
}

/// As [`parse`], without a look at whether cells fit the recipe's own network.
fn parse_beside_cells(text: &str, file: &Path, overrides: &[String]) -> Result<Recipe> {
    let mut recipe: Recipe = diagnose::read(text, file, overrides)?;
    recipe.data.complete();
    recipe.check().map_err(|problem| diagnose::refuse(text, file, overrides, problem))?;
    Ok(recipe)
}

fn wrong(file: &Path, problem: String) -> Error {
    Error::Recipe { file: file.to_path_buf(), line: None, problem }
}

/// `Err` with a message of the form `key is value: advice` unless `fine`.
fn require(fine: bool, key: &str, value: impl std::fmt::Display, advice: &str) -> std::result::Result<(), String> {
    if fine { Ok(()) } else { Err(format!("{key} is {value}: {advice}")) }
}

#[cfg(test)]
mod tests;
