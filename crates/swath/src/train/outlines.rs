//! Training of networks that outline objects: patches, validation, examples.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, Tensor, TensorData};
use swath_nn::Segmenter;
use swath_nn::decoder::polycnn::CORNERS;
use swath_nn::loss::corner_distance;

use super::validate::Validation;
use crate::bundle::Normalization;
use crate::dataset::{Batch, Change, ChipOrigin, Dataset, ImageReader, Purpose, Random, shuffled};
use crate::error::{Error, Result};
use crate::metrics::Confusion;
use crate::outline::{Corners, PatchReader, Target, Targets, iou, mask, numbers_to_corners, to_unit};
use crate::recipe::Recipe;

/// Patches with the corners of their objects.
pub(super) struct Lesson {
    /// Without labels.
    pub(super) batch: Batch,
    /// `[patch, x and y of each corner]`, in sides of the patch.
    pub(super) corners: Vec<f32>,
}

/// Makes the batches of a run: each object once in an epoch, in an order of its own.
pub(super) struct Lessons<'a> {
    recipe: &'a Recipe,
    data: &'a Dataset,
    targets: &'a Targets,
    normalization: &'a Normalization,
    images: Images<'a>,
}

impl<'a> Lessons<'a> {
    pub(super) fn new(
        recipe: &'a Recipe,
        data: &'a Dataset,
        targets: &'a Targets,
        normalization: &'a Normalization,
    ) -> Self {
        Self { recipe, data, targets, normalization, images: Images { data, open: None } }
    }

    /// The batch of a step, counted from 0.
    pub(super) fn batch(&mut self, step: u64) -> Result<Lesson> {
        let (train, augment) = (&self.recipe.train, &self.recipe.augment);
        let (count, side) = (self.targets.list.len() as u64, self.data.chip());
        let reader = PatchReader { side, normalization: self.normalization };
        let batch = Batch { step, bands: self.data.bands(), chip: side, ..Batch::default() };
        let mut lesson = Lesson { batch, corners: Vec::new() };
        for sample in step * train.batch as u64..(step + 1) * train.batch as u64 {
            let order = Random::for_sample(train.seed, sample / count, Purpose::Order).next_u64();
            let target = &self.targets.list[shuffled(sample % count, count, order) as usize];
            let mut rng = Random::for_sample(train.seed, sample, Purpose::Augment);
            let change = Change::draw(augment, self.data.bands(), &mut rng);
            let most = augment.shift as u64;
            let mut shift = || rng.below(2 * most + 1) as isize - most as isize;
            let shift = (shift(), shift());
            let mut patch = reader.read(self.images.of(target.scene)?, &target.corners, shift)?;
            let corners = patch.corners(&target.corners);
            let corners = patch.change(&change, &corners);
            lesson.corners.extend(to_unit(&corners, side));
            lesson.batch.images.extend(&patch.image);
            let (col, row) = (patch.window.col, patch.window.row);
            lesson.batch.origins.push(ChipOrigin { scene: target.scene, col, row });
        }
        Ok(lesson)
    }
}

/// The image that was read last, kept open.
struct Images<'a> {
    data: &'a Dataset,
    open: Option<(usize, Box<dyn ImageReader>)>,
}

impl Images<'_> {
    fn of(&mut self, scene: usize) -> Result<&mut dyn ImageReader> {
        let reader = match self.open.take() {
            Some((open, reader)) if open == scene => reader,
            _ => self.data.scenes()[scene].image.reader()?,
        };
        Ok(&mut *self.open.insert((scene, reader)).1)
    }
}

/// The distance of outlines from the truth, as training minimizes it.
///
/// # Shapes
/// - `images`: `[patch, band, row, column]`
/// - output: `[1]`
pub(super) fn loss(network: &Segmenter, images: Tensor<4>, corners: &[f32], device: &Device) -> Tensor<1> {
    let shape = [corners.len() / (2 * CORNERS), 2 * CORNERS];
    corner_distance(network.of_patches(images), Tensor::from_data(TensorData::new(corners.to_vec(), shape), device))
}

/// What a network draws for objects whose corners are known.
pub(super) struct Examiner<'a> {
    pub(super) data: &'a Dataset,
    pub(super) targets: &'a Targets,
    pub(super) network: &'a Segmenter,
    pub(super) normalization: &'a Normalization,
    pub(super) device: &'a Device,
}

/// A patch with its true corners and the drawn ones.
pub(super) struct Drawn {
    pub(super) image: Vec<f32>,
    pub(super) origin: ChipOrigin,
    pub(super) truth: Corners,
    pub(super) found: Corners,
}

impl Examiner<'_> {
    /// Patches as they are, and the mean distance of their corners.
    pub(super) fn draw(&self, targets: &[Target]) -> Result<(Vec<Drawn>, f64)> {
        let (side, bands) = (self.data.chip(), self.data.bands());
        let reader = PatchReader { side, normalization: self.normalization };
        let mut images = Images { data: self.data, open: None };
        let patches = targets
            .iter()
            .map(|target| -> Result<_> { Ok(reader.read(images.of(target.scene)?, &target.corners, (0, 0))?) });
        let patches = patches.collect::<Result<Vec<_>>>()?;
        let values: Vec<f32> = patches.iter().flat_map(|patch| patch.image.iter().copied()).collect();
        let data = TensorData::new(values, [patches.len(), bands, side, side]);
        let numbers = self.network.of_patches(Tensor::from_data(data, self.device));
        let truth: Vec<Corners> =
            patches.iter().zip(targets).map(|(patch, target)| patch.corners(&target.corners)).collect();
        let units: Vec<f32> = truth.iter().flat_map(|corners| to_unit(corners, side)).collect();
        let shape = [patches.len(), 2 * CORNERS];
        let distance = corner_distance(numbers.clone(), Tensor::from_data(TensorData::new(units, shape), self.device));
        let found = numbers_to_corners(numbers, side);
        let drawn = patches.into_iter().zip(targets).zip(truth.into_iter().zip(found));
        let drawn = drawn.map(|((patch, target), (truth, found))| Drawn {
            origin: ChipOrigin { scene: target.scene, col: patch.window.col, row: patch.window.row },
            image: patch.image,
            truth,
            found,
        });
        Ok((drawn.collect(), f64::from(distance.into_scalar::<f32>())))
    }

    /// Compares all outlines with the truth, `batch` at a time: the pixels of patches, and the mean overlap of outlines.
    pub(super) fn validate(
        &self,
        batch: usize,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Validation> {
        let side = self.data.chip();
        let (mut confusion, mut loss, mut overlap, mut done) = (Confusion::new(2), 0.0, 0.0, 0);
        let count = self.targets.list.len();
        for targets in self.targets.list.chunks(batch) {
            if cancel.load(Ordering::Relaxed) {
                return Err(Error::Cancelled);
            }
            let (drawn, distance) = self.draw(targets)?;
            for Drawn { truth, found, .. } in &drawn {
                confusion.add(&mask(truth, side), &mask(found, side));
                overlap += iou(truth, found);
            }
            loss += distance * targets.len() as f64;
            done += targets.len();
            progress(done as f64 / count as f64);
        }
        let (loss, outlines) = (loss / count as f64, Some(overlap / count as f64));
        Ok(Validation { confusion, loss, calibration_error: None, temperature: None, outlines })
    }
}
