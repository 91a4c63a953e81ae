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
            confusion: self.confusion,
        }
    }
}
