//! From sample numbers to chips: draw, read, normalize, change.

use std::sync::Arc;

use swath_geo::Window;

use super::augment::Change;
use super::index::origin_range;
use super::rng::{Purpose, Random};
use super::sampler::{Draw, Sampler, Sampling, chip_around, nth_of_class};
use super::source::LabelledReader;
use super::{DataError, Dataset, Target};
use crate::IGNORE;
use crate::recipe::Augment;

/// How a run makes its chips; with the data set and a sample number it determines a chip completely.
#[derive(Clone, Debug)]
pub struct ChipOptions {
    /// How positions are drawn.
    pub sampling: Sampling,
    /// What is learned from the labels.
    pub target: Target,
    /// How chips are changed; none leaves them as they are.
    pub augment: Option<Augment>,
    /// Mean of every band, subtracted.
    pub mean: Vec<f32>,
    /// Standard deviation of every band, divided by.
    pub std: Vec<f32>,
    /// Everything drawn at random follows from this number.
    pub seed: u64,
}

/// A chip with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Chip {
    /// Normalized `[band, row, column]`; 0 where invalid.
    pub image: Vec<f32>,
    /// Class ids `[row, column]`; [`IGNORE`] where nothing is labelled.
    pub labels: Vec<u16>,
    /// Where it was taken.
    pub origin: ChipOrigin,
}

/// Where a chip was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipOrigin {
    /// The scene's number in the data set.
    pub scene: usize,
    /// First column; negative where a chip is larger than its scene.
    pub col: isize,
    /// First row.
    pub row: isize,
}

/// Makes chips on one thread.
pub struct ChipMaker {
    dataset: Arc<Dataset>,
    options: ChipOptions,
    sampler: Sampler,
    readers: Vec<(usize, LabelledReader)>,
}

/// Scenes that one thread keeps open.
const OPEN_SCENES: usize = 16;

/// How often another position is drawn for a sample before the run stops.
const ATTEMPTS: u64 = 16;

impl ChipMaker {
    /// A maker of the data set's chips.
    ///
    /// # Errors
    /// When nothing is labelled, or the sampling makes no sense.
    ///
    /// # Panics
    /// When mean and standard deviation do not have one entry per band.
    pub fn new(dataset: Arc<Dataset>, options: ChipOptions) -> Result<Self, DataError> {
        let bands = dataset.bands();
        assert_eq!((options.mean.len(), options.std.len()), (bands, bands), "normalization of {bands} bands");
        let sampler = Sampler::new(options.sampling, dataset.index(), options.seed)?;
        Ok(Self { dataset, options, sampler, readers: Vec::new() })
    }

    /// Chip number `sample` of the run. It always holds a labelled pixel.
    pub fn chip(&mut self, sample: u64) -> Result<Chip, DataError> {
        let mut rng = Random::for_sample(self.options.seed, sample, Purpose::Augment);
        let change = self.options.augment.as_ref().map(|augment| Change::draw(augment, self.dataset.bands(), &mut rng));
        let shift = self.shift(&mut rng);
        let mut scene = 0;
        for attempt in 0..ATTEMPTS {
            let draw = self.sampler.draw(self.dataset.index(), sample, attempt);
            let origin = match self.locate(draw)? {
                Ok(origin) => origin,
                Err(missed) => {
                    scene = missed;
                    continue;
                }
            };
            // A shift may lead away from all labels: then the chip stays where it was drawn.
            for origin in [self.shifted(origin, shift), origin] {
                if let Some(chip) = self.read(origin, change.as_ref())? {
                    return Ok(chip);
                }
            }
            scene = origin.scene;
        }
        let scene = self.dataset.scenes()[scene].image.name().to_owned();
        Err(DataError::Changed { scene })
    }

    /// Where a draw leads to, or the number of the scene that does not hold what was drawn.
    fn locate(&mut self, draw: Draw) -> Result<Result<ChipOrigin, usize>, DataError> {
        let (class, anchor, place) = match draw {
            Draw::Chip { scene, col, row } => return Ok(Ok(ChipOrigin { scene, col, row })),
            Draw::Around { class, anchor, place } => (class, anchor, place),
        };
        let (_, labels) = self.reader(anchor.scene)?.read(anchor.cell)?;
        let Some((row, col)) = nth_of_class(&labels, anchor.cell.width, class, anchor.rank) else {
            return Ok(Err(anchor.scene));
        };
        let (start, share) = self.options.target.span(self.dataset.chip());
        let place = (start + place.0 * share, start + place.1 * share);
        let pixel = (anchor.cell.row + row as isize, anchor.cell.col + col as isize);
        let scene = &self.dataset.scenes()[anchor.scene];
        let (col, row) = chip_around(pixel, place, scene.area, scene.image.size(), self.dataset.chip());
        Ok(Ok(ChipOrigin { scene: anchor.scene, col, row }))
    }

    fn shift(&self, rng: &mut Random) -> (isize, isize) {
        let most = self.options.augment.as_ref().map_or(0, |augment| augment.shift) as u64;
        let mut draw = || rng.below(2 * most + 1) as isize - most as isize;
        (draw(), draw())
    }

    fn shifted(&self, origin: ChipOrigin, (cols, rows): (isize, isize)) -> ChipOrigin {
        let scene = &self.dataset.scenes()[origin.scene];
        let (area, (width, height), chip) = (scene.area, scene.image.size(), self.dataset.chip());
        let along = |at: isize, by: isize, (low, high): (isize, isize)| (at + by).clamp(low, high);
        ChipOrigin {
            col: along(origin.col, cols, origin_range(area.col, area.width, width, chip)),
            row: along(origin.row, rows, origin_range(area.row, area.height, height, chip)),
            ..origin
        }
    }

    /// The chip at a place; none when nothing in it is labelled.
    fn read(&mut self, origin: ChipOrigin, change: Option<&Change>) -> Result<Option<Chip>, DataError> {
        let side = self.dataset.chip();
        let (pixels, mut labels) = self.reader(origin.scene)?.read(Window::new(origin.col, origin.row, side, side))?;
        self.options.target.apply(&mut labels, side);
        if labels.iter().all(|label| *label == IGNORE) {
            return Ok(None);
        }
        let (mut image, mut valid) = (pixels.values.data, pixels.valid);
        normalize(&mut image, &valid, &self.options.mean, &self.options.std);
        if let Some(change) = change {
            change.apply(&mut image, &mut valid, &mut labels, side);
        }
        Ok(Some(Chip { image, labels, origin }))
    }

    fn reader(&mut self, scene: usize) -> Result<&mut LabelledReader, DataError> {
        match self.readers.iter().position(|(open, _)| *open == scene) {
            Some(at) => {
                // The most recently used comes last.
                let reader = self.readers.remove(at);
                self.readers.push(reader);
            }
            None => {
                if self.readers.len() >= OPEN_SCENES {
                    self.readers.remove(0);
                }
                self.readers.push((scene, self.dataset.scenes()[scene].reader()?));
            }
        }
        let last = self.readers.len() - 1;
        Ok(&mut self.readers[last].1)
    }
}

/// Normalizes `[band, row, column]` in place: `z = (x - mean) / std`, and 0 where `valid` `[row, column]` is false.
///
/// ```
/// let mut image = [1.0, 5.0, 9.0];
/// swath::dataset::normalize(&mut image, &[true, true, false], &[3.0], &[2.0]);
/// assert_eq!(image, [-1.0, 1.0, 0.0]);
/// ```
pub fn normalize(image: &mut [f32], valid: &[bool], mean: &[f32], std: &[f32]) {
    for (band, (mean, std)) in image.chunks_exact_mut(valid.len().max(1)).zip(mean.iter().zip(std)) {
        for (value, valid) in band.iter_mut().zip(valid) {
            *value = if *valid { (*value - mean) / std } else { 0.0 };
        }
    }
}
