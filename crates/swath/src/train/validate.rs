//! Validation: whole scenes through the real predictor, compared with their labels as the pixels come.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use swath_geo::Window;

use crate::IGNORE;
use crate::bundle::Normalization;
use crate::dataset::{ImageReader, LabelledReader, LabelledScene, normalize};
use crate::error::Result;
use crate::metrics::{CalibrationError, Confusion, Scores, Temperature, fit_temperature};
use crate::predict::{ChipPixels, ChipSource, Network, Options, Patch, PatchSink, Plan, Progress, predict_units};

/// What a validation found.
#[derive(Debug, Clone)]
pub(super) struct Validation {
    /// Pixel counts over all scenes.
    pub(super) confusion: Confusion,
    /// Mean negative logarithm of the score of the reference class.
    pub(super) loss: f64,
    /// Expected calibration error of the scores as they are.
    pub(super) calibration_error: Option<f64>,
    /// The temperature that makes the scores honest.
    pub(super) temperature: Option<Temperature>,
    /// Mean IoU of drawn outlines, one by one.
    pub(super) outlines: Option<f64>,
}

impl Validation {
    pub(super) fn scores(&self) -> Scores {
        Scores::new(&self.confusion)
    }
}

/// Predicts every scene and compares it with its labels.
///
/// `progress` gets the share that is done.
pub(super) fn validate(
    scenes: &[LabelledScene],
    network: &mut dyn Network,
    normalization: &Normalization,
    options: &Options,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(f64),
) -> Result<Validation> {
    let mut found = Comparison::new(network.classes());
    let count = scenes.len() as f64;
    for (number, scene) in scenes.iter().enumerate() {
        let (width, height) = scene.image.size();
        let plan = Plan::new(width, height, options)?;
        let source = |_| -> Result<Box<dyn ChipSource>> {
            let reader = scene.image.reader()?;
            Ok(Box::new(AreaSource {
                reader,
                area: scene.area,
                bands: scene.image.bands(),
                normalization: normalization.clone(),
            }))
        };
        let sources = (0..options.readers).map(source).collect::<Result<_>>()?;
        let mut sink = SceneComparison { labels: scene.reader()?, area: scene.area, found: &mut found };
        let mut share =
            |done: Progress| progress((number as f64 + done.done as f64 / done.total.max(1) as f64) / count);
        predict_units(&plan, &plan.units(&BTreeSet::new()), sources, network, &mut sink, &mut share, cancel)?;
    }
    Ok(found.finish())
}

/// Reads the chips of a scene that its area needs. Others are told to hold no data, so that they cost nothing.
struct AreaSource {
    reader: Box<dyn ImageReader>,
    area: Window,
    bands: usize,
    normalization: Normalization,
}

impl ChipSource for AreaSource {
    fn read(&mut self, window: Window) -> Result<ChipPixels> {
        if self.area.intersect(&window).is_none() {
            let pixels = window.area();
            return Ok(ChipPixels { values: vec![0.0; self.bands * pixels], valid: vec![false; pixels] });
        }
        let mut pixels = self.reader.read(window)?;
        normalize(&mut pixels.values.data, &pixels.valid, &self.normalization.mean, &self.normalization.std);
        Ok(ChipPixels { values: pixels.values.data, valid: pixels.valid })
    }
}

/// Compares the patches of one scene.
struct SceneComparison<'a> {
    labels: LabelledReader,
    area: Window,
    found: &'a mut Comparison,
}

impl PatchSink for SceneComparison<'_> {
    fn wants_scores(&self) -> bool {
        true
    }

    fn patch(&mut self, patch: &Patch) -> Result<()> {
        if self.area.intersect(&patch.window).is_some() {
            let (_, reference) = self.labels.read(patch.window)?;
            self.found.compare(patch, &reference);
        }
        Ok(())
    }
}

/// Pixels kept for fitting the temperature: enough for two digits, small in memory.
const MOST_SAMPLES: usize = 20_000;

/// Gathers counts, losses and a sample of scores from finished patches.
struct Comparison {
    classes: usize,
    confusion: Confusion,
    calibration: CalibrationError,
    loss: f64,
    pixels: u64,
    /// Every `stride`-th labelled pixel is kept; doubled, and half of the kept ones dropped, when there are too many.
    stride: u64,
    sample_scores: Vec<f32>,
    sample_labels: Vec<u16>,
}

impl Comparison {
    fn new(classes: usize) -> Self {
        Self {
            classes,
            confusion: Confusion::new(classes),
            calibration: CalibrationError::new(CalibrationError::BINS),
            loss: 0.0,
            pixels: 0,
            stride: 1,
            sample_scores: Vec::new(),
            sample_labels: Vec::new(),
        }
    }

    fn compare(&mut self, patch: &Patch, reference: &[u16]) {
        self.confusion.add(reference, &patch.labels);
        let area = patch.window.area();
        for (pixel, (&truth, &predicted)) in reference.iter().zip(&patch.labels).enumerate() {
            if truth == IGNORE || predicted == IGNORE {
                continue;
            }
            let score = f64::from(patch.scores[usize::from(truth) * area + pixel]);
            self.loss -= score.max(f64::from(f32::MIN_POSITIVE)).ln();
            self.calibration.add(patch.confidence[pixel], truth == predicted);
            if self.pixels.is_multiple_of(self.stride) {
                self.sample_labels.push(truth);
                let scores = (0..self.classes).map(|class| patch.scores[class * area + pixel]);
                self.sample_scores.extend(scores.map(|score| score.max(f32::MIN_POSITIVE).ln()));
            }
            self.pixels += 1;
        }
        while self.sample_labels.len() > MOST_SAMPLES {
            self.thin_out();
        }
    }

    fn thin_out(&mut self) {
        self.stride *= 2;
        let classes = self.classes;
        let kept = self.sample_scores.chunks_exact(classes).step_by(2).flatten().copied().collect();
        self.sample_scores = kept;
        self.sample_labels = self.sample_labels.iter().step_by(2).copied().collect();
    }

    fn finish(self) -> Validation {
        Validation {
            loss: self.loss / self.pixels.max(1) as f64,
            calibration_error: self.calibration.value(),
            temperature: fit_temperature(&self.sample_scores, &self.sample_labels, self.classes),
            outlines: None,
            confusion: self.confusion,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use swath_geo::{Pixels, Raster};

    use super::*;
    use crate::dataset::{MemoryImage, MemoryLabels};
    use crate::predict::ChipBatch;

    /// Class 1 where the only band is positive, with logits of -1 and 1.
    struct Sign;

    impl Network for Sign {
        fn bands(&self) -> usize {
            1
        }

        fn classes(&self) -> usize {
            2
        }

        fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
            let logits = (0..batch.len).flat_map(|chip| {
                let sign = |value: &f32| if *value > 0.0 { 1.0 } else { -1.0 };
                let ones = batch.chip(chip).iter().map(sign);
                ones.clone().map(|logit: f32| -logit).chain(ones).collect::<Vec<f32>>()
            });
            Ok(logits.collect())
        }
    }

    const WIDTH: usize = 30;
    const HEIGHT: usize = 20;

    /// The right half is positive; labels say so inside `area` and the contrary outside of it.
    fn scene(area: Window, valid: impl Fn(usize, usize) -> bool) -> LabelledScene {
        let places = || (0..HEIGHT).flat_map(|row| (0..WIDTH).map(move |col| (row, col)));
        let positive = |col: usize| col >= WIDTH / 2;
        let values = places().map(|(_, col)| if positive(col) { 3.0 } else { -3.0 }).collect();
        let valid = places().map(|(row, col)| valid(row, col)).collect();
        let pixels = Pixels { values: Raster::new(1, HEIGHT, WIDTH, values), valid };
        let inside = |row: usize, col: usize| area.contains_pixel(col as isize, row as isize);
        let labels = places().map(|(row, col)| u16::from(positive(col) == inside(row, col))).collect();
        LabelledScene {
            image: Arc::new(MemoryImage::new("halves", &pixels)),
            labels: Arc::new(MemoryLabels::new(WIDTH, labels)),
            area,
        }
    }

    fn validation(scenes: &[LabelledScene]) -> Validation {
        let normalization = Normalization { mean: vec![0.0], std: vec![1.0] };
        let options = Options { chip: 8, overlap: 4, ..Options::default() };
        let cancel = AtomicBool::new(false);
        validate(scenes, &mut Sign, &normalization, &options, &cancel, &mut |_| ()).unwrap()
    }

    fn counts(validation: &Validation) -> [u64; 4] {
        [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(reference, predicted)| validation.confusion.get(reference, predicted))
    }

    #[test]
    fn only_the_area_counts() {
        // 13 columns of the left half and 3 of the right one, 7 rows: no multiple of chips.
        let found = validation(&[scene(Window::new(2, 5, 16, 7), |_, _| true)]);
        assert_eq!(counts(&found), [13 * 7, 0, 0, 3 * 7]);
        assert_eq!(found.scores().accuracy, Some(1.0));
        // Softmax of logits 2 apart.
        assert!((found.loss - (1.0 + (-2.0f64).exp()).ln()).abs() < 1e-6, "{}", found.loss);
    }

    #[test]
    fn invalid_pixels_do_not_count_and_scenes_add_up() {
        let whole = Window::new(0, 0, WIDTH, HEIGHT);
        let found = validation(&[scene(whole, |row, _| row > 4), scene(Window::new(0, 0, 1, 2), |_, _| true)]);
        assert_eq!(counts(&found), [15 * 15 + 2, 0, 0, 15 * 15]);
    }

    #[test]
    fn a_thinned_sample_stays_spread_over_all_pixels() {
        let mut found = Comparison::new(2);
        let patch = |value: u16| Patch {
            window: Window::new(0, 0, 100, 100),
            labels: vec![value; 10_000],
            scores: [vec![0.25; 10_000], vec![0.75; 10_000]].concat(),
            confidence: vec![0.75; 10_000],
        };
        (0..10u16).for_each(|number| found.compare(&patch(1), &vec![number % 2; 10_000]));
        assert!(found.sample_labels.len() <= MOST_SAMPLES && found.sample_labels.len() > MOST_SAMPLES / 2);
        assert_eq!(found.sample_scores.len(), 2 * found.sample_labels.len());
        let ones = found.sample_labels.iter().filter(|label| **label == 1).count();
        assert_eq!(2 * ones, found.sample_labels.len());
        let found = found.finish();
        assert_eq!(counts(&found), [0, 50_000, 0, 50_000]);
        assert!((found.loss + (0.25f64.ln() + 0.75f64.ln()) / 2.0).abs() < 1e-6);
    }
}
