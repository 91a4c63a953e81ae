//! Training data: scenes with labels in, batches of chips out.
//!
//! A [`Dataset`] reads everything once: it counts where every class occurs ([`Index`]), gathers band statistics
//! ([`Statistics`]) and keeps in memory what fits. A [`Sampler`] says which chip comes as sample `k` of a run, a
//! [`ChipMaker`] reads, normalizes and changes it, a [`Loader`] does so on threads ahead of the network.
//!
//! Two rules hold throughout:
//!
//! - sample `k` depends on the data, the options, the seed and `k` only: not on threads, not on the samples before;
//! - a chip always holds a labelled pixel, and labels outside a scene's area are [`IGNORE`]: one scene can be split by
//!   place into parts for training and for validation. Chips stay inside their area wherever it is as large as a chip,
//!   so that pixels of the other part are not seen either.

mod augment;
mod chips;
mod error;
mod index;
mod items;
mod labels;
mod loader;
mod memory;
mod rng;
mod rules;
mod sampler;
mod scan;
mod scene;
mod source;
mod statistics;
mod target;

pub use augment::{Change, Light};
pub use chips::{Chip, ChipMaker, ChipOptions, ChipOrigin, normalize};
pub use error::DataError;
pub use index::{Anchor, ChipGrid, Index, MAX_COUNTS, SceneTally, origin_range};
pub use items::{ItemLabels, OpenItem, WholeLabels, open_items, open_scene};
pub use labels::{FileLabels, VectorLabels, is_vector};
pub use loader::{Batch, Loader, LoaderOptions};
pub use memory::{MemoryBuilder, MemoryImage, MemoryLabels};
pub use rng::{Purpose, Random, shuffled};
pub use rules::LabelRules;
pub use sampler::{Draw, Sampler, Sampling, chip_around, nth_of_class};
pub use scene::FileImage;
pub use source::{ImageReader, ImageSource, LabelReader, LabelSource, LabelledReader, LabelledScene};
pub use statistics::{Moments, Statistics};
pub use target::Target;

#[cfg(doc)]
use crate::IGNORE;

/// Scenes with labels, indexed.
pub struct Dataset {
    scenes: Vec<LabelledScene>,
    index: Index,
    statistics: Statistics,
    classes: usize,
    chip: usize,
}

/// How a data set is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetOptions {
    /// Side of a chip in pixels.
    pub chip: usize,
    /// Distance between the chips of the grid in pixels; the chip's side in most cases.
    pub stride: usize,
    /// Bytes of decoded scenes to keep in memory. Scenes that do not fit are read from their files chip by chip.
    pub memory: u64,
}

impl DatasetOptions {
    /// Chips of this side, side by side on the grid, and one gigabyte of memory for scenes.
    pub fn new(chip: usize) -> Self {
        Self { chip, stride: chip, memory: 1 << 30 }
    }
}

impl Dataset {
    /// Reads the scenes once and indexes them. `classes` is the number of classes: labels are below it.
    ///
    /// # Errors
    /// No scene; scenes that differ in their number of bands; an area without pixels; a scene without a valid pixel; no
    /// labelled pixel in any scene; files that cannot be read.
    ///
    /// # Panics
    /// When chip or stride is 0.
    pub fn new(scenes: Vec<LabelledScene>, classes: usize, options: &DatasetOptions) -> Result<Self, DataError> {
        let grid = ChipGrid { chip: options.chip, stride: options.stride };
        assert!(grid.chip > 0 && grid.stride > 0, "chips of {} pixels every {}", grid.chip, grid.stride);
        check(&scenes)?;
        let keep = fitting(&scenes, options.memory);
        let scanned = scan::scan_all(&scenes, &keep, classes, grid)?;
        let mut statistics = Statistics::new(scenes[0].image.bands());
        for scene in &scanned {
            statistics.merge(&scene.statistics);
        }
        let (scenes, tallies): (Vec<_>, Vec<_>) = scanned.into_iter().map(|scan| (scan.scene, scan.tally)).unzip();
        let index = Index::new(&tallies, classes);
        if index.pixels() == 0 {
            return Err(DataError::NoLabels { scenes: in_words(&scenes) });
        }
        Ok(Self { scenes, index, statistics, classes, chip: options.chip })
    }

    /// The scenes.
    pub fn scenes(&self) -> &[LabelledScene] {
        &self.scenes
    }

    /// Number of bands of every scene.
    pub fn bands(&self) -> usize {
        self.statistics.bands.len()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Side of a chip in pixels.
    pub fn chip(&self) -> usize {
        self.chip
    }

    /// Where every class occurs.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Statistics of every band over the valid pixels of the scenes' areas.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Names of the scenes without any labelled pixel: they add to the statistics, and no chip comes from them.
    pub fn unlabelled(&self) -> Vec<&str> {
        let scenes = self.scenes.iter().zip(self.index.scene_pixels());
        scenes.filter(|(_, pixels)| **pixels == 0).map(|(scene, _)| scene.image.name()).collect()
    }

    /// Chips of one epoch: all chips of the grid, or as many as fit side by side into the labelled pixels.
    pub fn chips_per_epoch(&self, sampling: Sampling) -> u64 {
        match sampling {
            Sampling::Grid { .. } => self.index.grid_len() as u64,
            Sampling::Uniform | Sampling::Balanced { .. } => {
                self.index.pixels().div_ceil((self.chip * self.chip) as u64)
            }
        }
    }
}

fn check(scenes: &[LabelledScene]) -> Result<(), DataError> {
    let first = scenes.first().ok_or(DataError::NoScenes)?;
    for LabelledScene { image, area, .. } in scenes {
        if image.bands() != first.image.bands() {
            return Err(DataError::Bands {
                scene: image.name().to_owned(),
                found: image.bands(),
                first: first.image.name().to_owned(),
                expected: first.image.bands(),
            });
        }
        let (width, height) = image.size();
        if area.is_empty() || !swath_geo::Window::new(0, 0, width, height).contains(area) {
            return Err(DataError::EmptyArea { scene: image.name().to_owned(), area: area.to_string(), width, height });
        }
    }
    Ok(())
}

/// Which scenes are kept in memory: in their order, each one that still fits.
fn fitting(scenes: &[LabelledScene], memory: u64) -> Vec<bool> {
    let mut left = memory;
    let fits = |LabelledScene { image, .. }: &LabelledScene| {
        let bytes = MemoryBuilder::bytes(image.bands(), image.size(), image.sample_bytes());
        let fits = bytes <= left;
        left -= if fits { bytes } else { 0 };
        fits
    };
    scenes.iter().map(fits).collect()
}

fn in_words(scenes: &[LabelledScene]) -> String {
    match scenes {
        [only] => only.image.name().to_owned(),
        [first, ..] => format!("{} and {} more scenes", first.image.name(), scenes.len() - 1),
        [] => "no scene".to_owned(),
    }
}

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod tests;
