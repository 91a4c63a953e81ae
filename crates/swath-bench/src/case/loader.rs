//! Chips per second out of files, with flips.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use swath::dataset::{
    ChipOptions, Dataset, DatasetOptions, FileImage, FileLabels, LabelRules, LabelledScene, Loader, LoaderOptions,
    Sampling, Target,
};
use swath::recipe::Augment;
use swath_geo::Scene;

use super::Answer;
use crate::data::UNLABELLED;
use crate::settings::{MEAN, STD, Settings};

/// Loads `count` chips. The first batch, with the start of the threads and the opening of the files, is not timed.
pub(super) fn run(settings: &Settings) -> Result<Answer> {
    let scene = Scene::open_paths(&[&settings.scene])?;
    let grid = scene.grid().clone();
    let rules = Arc::new(LabelRules::identity(settings.classes, u16::from(UNLABELLED)));
    let labels = FileLabels::open_raster(&settings.labels, "bench", &grid, rules)?;
    let labelled = LabelledScene {
        image: Arc::new(FileImage { name: "bench".into(), scene }),
        labels: Arc::new(labels),
        area: grid.window(),
    };
    let mut options = DatasetOptions::new(settings.chip);
    if settings.cache_mb > 0 {
        // The files' own cache alone, and no decoded scene beside it.
        swath_geo::set_cache_mb(settings.cache_mb);
        options.memory = 0;
    }
    let dataset = Arc::new(Dataset::new(vec![labelled], settings.classes, &options)?);
    let options = LoaderOptions {
        chips: ChipOptions {
            sampling: Sampling::Uniform,
            target: Target::Pixels,
            augment: Some(Augment { quarter_turns: false, ..Augment::default() }),
            mean: vec![MEAN; settings.bands],
            std: vec![STD; settings.bands],
            seed: 1,
        },
        batch: settings.batch,
        workers: settings.threads,
    };
    let mut loader = Loader::new(&dataset, &options, 0)?;
    loader.next_batch()?;
    let start = Instant::now();
    let mut chips = 0;
    while chips < settings.count {
        chips += loader.next_batch()?.origins.len();
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Answer { rate: chips as f64 / seconds, seconds, ..Answer::default() })
}
