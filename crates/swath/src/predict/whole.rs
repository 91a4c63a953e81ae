//! One answer for a whole scene.

use std::sync::atomic::AtomicBool;

use swath_geo::Scene;

use super::engine::predict_units;
use super::fit::fit_scene;
use super::network::Network;
use super::plan::{Options, Plan};
use super::run::{Model, sources};
use super::sink::{Patch, PatchSink};
use crate::IGNORE;
use crate::error::Result;

/// What a scene shows as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeScene {
    /// The mean score of each class over the valid pixels; empty when no pixel is valid.
    pub scores: Vec<f64>,
    /// What a user should know before trusting it.
    pub warnings: Vec<String>,
}

impl WholeScene {
    /// The class with the highest score, the first of several, and its score; none when no pixel is valid.
    pub fn class(&self) -> Option<(usize, f64)> {
        let better =
            |best: (usize, f64), (class, &score): (usize, &f64)| if score > best.1 { (class, score) } else { best };
        let first = *self.scores.first()?;
        Some(self.scores.iter().enumerate().fold((0, first), better))
    }
}

/// Predicts a scene and sums it up: for a classifier of whole images the class of the image, for any other network the share of
/// each class, weighted by its scores.
///
/// # Errors
/// As [`run`](super::run()), but for files.
pub fn whole_scene(
    model: &Model,
    network: &mut dyn Network,
    scene: &Scene,
    options: &Options,
    cancel: &AtomicBool,
) -> Result<WholeScene> {
    let fit = fit_scene(scene, &model.bands, model.gsd)?;
    let grid = fit.scene.grid();
    let plan = Plan::new(grid.width, grid.height, options)?;
    let sources = sources(&fit.scene, model, plan.options())?;
    let mut sums = Sums { scores: vec![0.0; network.classes()], pixels: 0 };
    predict_units(&plan, &plan.units(&Default::default()), sources, network, &mut sums, &mut |_| (), cancel)?;
    let Sums { scores, pixels } = sums;
    let scores = if pixels == 0 { Vec::new() } else { scores.iter().map(|sum| sum / pixels as f64).collect() };
    Ok(WholeScene { scores, warnings: fit.warnings })
}

/// Scores of each class, summed over the valid pixels.
struct Sums {
    scores: Vec<f64>,
    pixels: u64,
}

impl PatchSink for Sums {
    fn wants_scores(&self) -> bool {
        true
    }

    fn patch(&mut self, patch: &Patch) -> Result<()> {
        let plane = patch.labels.len();
        self.pixels += patch.labels.iter().filter(|label| **label != IGNORE).count() as u64;
        for (sum, scores) in self.scores.iter_mut().zip(patch.scores.chunks_exact(plane.max(1))) {
            *sum += scores.iter().map(|score| f64::from(*score)).sum::<f64>();
        }
        Ok(())
    }
}
