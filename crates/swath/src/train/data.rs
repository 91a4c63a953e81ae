//! The scenes and labels of a run, and what its bundle says about them.

use swath_geo::Scene;

use crate::bundle::{Calibration, FORMAT_VERSION, Header, Normalization, Provenance};
use crate::dataset::{self, DataError, Dataset, DatasetOptions, OpenItem};
use crate::error::{Error, Result};
use crate::outline::Targets;
use crate::recipe::{Item, Recipe, Start};

/// What a bundle knows of the scenes that it was trained on.
pub(super) struct Imagery {
    bands: Vec<String>,
    gsd: Option<f64>,
}

/// Scenes with what is learned from them.
pub(super) struct Opened {
    pub(super) data: Dataset,
    /// Objects, where the network outlines these.
    pub(super) targets: Option<Targets>,
    pub(super) imagery: Imagery,
    /// What to say of a band that is left out, though it may hold data.
    pub(super) left_out: Option<String>,
}

/// Opens items of the recipe and reads them once.
pub(super) fn open_items(recipe: &Recipe, items: &[Item]) -> Result<Opened> {
    let opened = dataset::open_items(&recipe.data, items, &std::env::temp_dir())?;
    let bands = opened.first().map_or(Vec::new(), |item| band_names(&item.scene));
    let gsd = opened.first().and_then(|item| item.scene.grid().gsd()).map(|(x, y)| f64::midpoint(x, y));
    // Who names bands has looked at them.
    let looked_at = recipe.data.bands.is_some();
    let left_out = opened.iter().filter(|_| !looked_at).find_map(|item| item.scene.alpha()).map(|(path, number)| {
        let all = (1..=number).map(|number| number.to_string()).collect::<Vec<_>>().join(", ");
        format!(
            "note: band {number} of {} is its alpha band: it says which pixels are valid, and the network does not see it; where it holds \
             data, such as near infrared, list it: scene = [{{ path = \"{}\", bands = [{all}] }}]",
            path.display(),
            path.display()
        )
    });
    let targets = recipe.outlines().map(|_| Targets::find(items, &opened, recipe.train.chip)).transpose()?;
    let scenes = opened.iter().map(OpenItem::labelled).collect();
    let data = Dataset::new(scenes, recipe.data.classes.len(), &DatasetOptions::new(recipe.train.chip))?;
    Ok(Opened { data, targets, imagery: Imagery { bands, gsd }, left_out })
}

/// Opens items whose bands must be those of the training scenes.
pub(super) fn open_like(recipe: &Recipe, items: &[Item], training: &Dataset) -> Result<Opened> {
    let opened = open_items(recipe, items)?;
    let data = &opened.data;
    if data.bands() != training.bands() {
        return Err(Error::Data(DataError::Bands {
            scene: data.scenes()[0].image.name().to_string(),
            found: data.bands(),
            first: training.scenes()[0].image.name().to_string(),
            expected: training.bands(),
        }));
    }
    Ok(opened)
}

fn band_names(scene: &Scene) -> Vec<String> {
    scene.bands().iter().map(|band| band.name.clone()).collect()
}

/// What the bundle of a new run says.
pub(super) fn header(recipe: &Recipe, data: &Dataset, imagery: Imagery) -> Header {
    let statistics = &data.statistics().bands;
    let mut recipe = recipe.clone();
    recipe.model.start = Start::default();
    for items in [&mut recipe.data.train, &mut recipe.data.val, &mut recipe.data.test] {
        items.clear();
    }
    Header {
        format_version: FORMAT_VERSION,
        licence: recipe.model.licence.clone(),
        classes: recipe.data.classes.clone(),
        recipe,
        bands: imagery.bands,
        normalization: Normalization {
            mean: statistics.iter().map(|band| band.mean as f32).collect(),
            std: statistics.iter().map(|band| band.scale() as f32).collect(),
        },
        gsd: imagery.gsd,
        calibration: Calibration { temperature: 1.0 },
        provenance: Provenance {
            swath: env!("CARGO_PKG_VERSION").to_string(),
            scenes: data.scenes().iter().map(|scene| scene.image.name().to_string()).collect(),
            ..Provenance::default()
        },
    }
}
