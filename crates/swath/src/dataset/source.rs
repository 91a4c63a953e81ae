//! Where pixels and labels come from: files, or memory.

use std::sync::Arc;

use swath_geo::{Pixels, Window};

use super::DataError;
use crate::IGNORE;

/// A scene that chips are read from.
pub trait ImageSource: Send + Sync {
    /// Name in messages.
    fn name(&self) -> &str;
    /// Columns and rows.
    fn size(&self) -> (usize, usize);
    /// Number of bands.
    fn bands(&self) -> usize;
    /// Size of the units in which it is stored, columns and rows.
    fn block(&self) -> (usize, usize);
    /// Bytes that one sample needs in memory: 1, 2 or 4.
    fn sample_bytes(&self) -> usize;
    /// A reader of its own for one thread.
    fn reader(&self) -> Result<Box<dyn ImageReader>, DataError>;
}

/// Reads pixels on one thread.
pub trait ImageReader: Send {
    /// The pixels of a window, mirrored beyond the edge.
    fn read(&mut self, window: Window) -> Result<Pixels, DataError>;
}

/// The labels of a scene, on the scene's grid.
pub trait LabelSource: Send + Sync {
    /// A reader of its own for one thread.
    fn reader(&self) -> Result<Box<dyn LabelReader>, DataError>;
}

/// Reads labels on one thread.
pub trait LabelReader: Send {
    /// Class ids `[row, column]` of a window; [`IGNORE`] where nothing is labelled and outside the scene.
    fn read(&mut self, window: Window) -> Result<Vec<u16>, DataError>;
}

/// A scene with its labels, and the part of it that is used.
#[derive(Clone)]
pub struct LabelledScene {
    /// The pixels.
    pub image: Arc<dyn ImageSource>,
    /// The labels.
    pub labels: Arc<dyn LabelSource>,
    /// The part that is used, inside the scene: outside of it nothing counts as labelled.
    pub area: Window,
}

impl LabelledScene {
    /// A reader of its own for one thread.
    pub fn reader(&self) -> Result<LabelledReader, DataError> {
        Ok(LabelledReader { image: self.image.reader()?, labels: self.labels.reader()?, area: self.area })
    }
}

/// Reads pixels with the labels that count.
pub struct LabelledReader {
    image: Box<dyn ImageReader>,
    labels: Box<dyn LabelReader>,
    area: Window,
}

impl LabelledReader {
    /// Pixels of a window, mirrored beyond the scene's edge, and labels `[row, column]`.
    ///
    /// Labels are [`IGNORE`] outside the area, outside the scene and where the scene is invalid.
    pub fn read(&mut self, window: Window) -> Result<(Pixels, Vec<u16>), DataError> {
        let pixels = self.image.read(window)?;
        let mut labels = self.labels.read(window)?;
        for (label, valid) in labels.iter_mut().zip(&pixels.valid) {
            if !valid {
                *label = IGNORE;
            }
        }
        if !self.area.contains(&window) {
            ignore_outside(&mut labels, window, self.area);
        }
        Ok((pixels, labels))
    }
}

fn ignore_outside(labels: &mut [u16], window: Window, area: Window) {
    if window.width == 0 {
        return;
    }
    for (row, line) in (window.row..).zip(labels.chunks_exact_mut(window.width)) {
        for (col, label) in (window.col..).zip(line) {
            if !area.contains_pixel(col, row) {
                *label = IGNORE;
            }
        }
    }
}
