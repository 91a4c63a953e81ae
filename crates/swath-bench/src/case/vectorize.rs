//! A map into polygons, from a file to a file.

use std::time::Instant;

use anyhow::Result;
use swath::vectorize::{VectorizeOptions, vectorize};
use swath_geo::Scene;

use super::Answer;
use crate::settings::Settings;

/// Polygonizes the labels. Timed from opening the map to the finished layer.
pub(super) fn run(settings: &Settings) -> Result<Answer> {
    let start = Instant::now();
    let options = VectorizeOptions { simplify_m: settings.simplify, overwrite: true, ..VectorizeOptions::default() };
    let summary = vectorize(&settings.labels, &settings.out, &options)?;
    let seconds = start.elapsed().as_secs_f64();
    let map = Scene::open_paths(&[&settings.labels])?;
    let megapixels = (map.grid().width * map.grid().height) as f64 / 1e6;
    Ok(Answer { rate: megapixels / seconds, seconds, polygons: Some(summary.polygons), ..Answer::default() })
}
