//! Scenes and labels in memory: files decoded once instead of once per chip.
//!
//! Samples are kept as 8-bit or 16-bit whole numbers as long as these hold every value exactly, else as they are. What
//! is read from memory is therefore bit for bit what is read from the file.

use std::sync::Arc;

use swath_geo::{Pixels, Raster, Window, mirror};

use super::DataError;
use super::source::{ImageReader, ImageSource, LabelReader, LabelSource};
use crate::IGNORE;

/// A scene in memory.
#[derive(Clone, Debug)]
pub struct MemoryImage {
    stored: Arc<Stored>,
}

/// Labels in memory.
#[derive(Clone, Debug)]
pub struct MemoryLabels {
    width: usize,
    height: usize,
    labels: Arc<Vec<u16>>,
}

/// A scene that is filled window by window.
#[derive(Clone, Debug)]
pub struct MemoryBuilder {
    image: Stored,
    labels: Vec<u16>,
}

#[derive(Clone, Debug)]
struct Stored {
    name: String,
    bands: usize,
    width: usize,
    height: usize,
    samples: Samples,
    valid: Vec<bool>,
}

/// `[band, row, column]`.
#[derive(Clone, Debug)]
enum Samples {
    U8(Vec<u8>),
    U16(Vec<u16>),
    F32(Vec<f32>),
}

impl MemoryImage {
    /// A scene of these pixels.
    pub fn new(name: &str, pixels: &Pixels) -> Self {
        let Raster { bands, height, width, .. } = pixels.values;
        let mut builder = MemoryBuilder::new(name, bands, width, height);
        builder.add(Window::new(0, 0, width, height), pixels, &vec![IGNORE; width * height]);
        builder.finish().0
    }
}

impl MemoryLabels {
    /// Labels `[row, column]` of a scene of this width.
    ///
    /// Panics when they do not fill whole rows.
    pub fn new(width: usize, labels: Vec<u16>) -> Self {
        assert_eq!(labels.len() % width.max(1), 0, "labels do not fill rows of {width} pixels");
        Self { width, height: labels.len() / width.max(1), labels: Arc::new(labels) }
    }
}

impl MemoryBuilder {
    /// An empty scene, invalid and unlabelled.
    pub fn new(name: &str, bands: usize, width: usize, height: usize) -> Self {
        let image = Stored {
            name: name.to_owned(),
            bands,
            width,
            height,
            samples: Samples::U8(vec![0; bands * width * height]),
            valid: vec![false; width * height],
        };
        Self { image, labels: vec![IGNORE; width * height] }
    }

    /// Bytes that a scene takes with its labels.
    pub fn bytes(bands: usize, size: (usize, usize), sample_bytes: usize) -> u64 {
        (bands * sample_bytes + 3) as u64 * size.0 as u64 * size.1 as u64
    }

    /// Fills a window that lies inside the scene.
    pub fn add(&mut self, window: Window, pixels: &Pixels, labels: &[u16]) {
        let Stored { bands, width, height, samples, valid, .. } = &mut self.image;
        samples.widen_for(&pixels.values.data);
        for (row, line) in (window.row as usize..).zip(0..window.height) {
            let to = row * *width + window.col as usize;
            let from = line * window.width..(line + 1) * window.width;
            valid[to..to + window.width].copy_from_slice(&pixels.valid[from.clone()]);
            self.labels[to..to + window.width].copy_from_slice(&labels[from.clone()]);
            for band in 0..*bands {
                samples.write(band * *width * *height + to, &pixels.values.band(band)[from.clone()]);
            }
        }
    }

    /// The scene and its labels.
    pub fn finish(self) -> (MemoryImage, MemoryLabels) {
        let labels = MemoryLabels { width: self.image.width, height: self.image.height, labels: Arc::new(self.labels) };
        (MemoryImage { stored: Arc::new(self.image) }, labels)
    }
}

impl ImageSource for MemoryImage {
    fn name(&self) -> &str {
        &self.stored.name
    }

    fn size(&self) -> (usize, usize) {
        (self.stored.width, self.stored.height)
    }

    fn bands(&self) -> usize {
        self.stored.bands
    }

    fn block(&self) -> (usize, usize) {
        (self.stored.width, 1)
    }

    fn sample_bytes(&self) -> usize {
        match self.stored.samples {
            Samples::U8(_) => 1,
            Samples::U16(_) => 2,
            Samples::F32(_) => 4,
        }
    }

    fn reader(&self) -> Result<Box<dyn ImageReader>, DataError> {
        Ok(Box::new(self.clone()))
    }
}

impl ImageReader for MemoryImage {
    fn read(&mut self, window: Window) -> Result<Pixels, DataError> {
        let Stored { bands, width, height, samples, valid, .. } = &*self.stored;
        let mut values = Vec::with_capacity(bands * window.area());
        let mut validity = Vec::with_capacity(window.area());
        let rows: Vec<usize> = (window.row..window.row_end()).map(|row| mirror(row, *height) * width).collect();
        let inside = window.col >= 0 && window.col_end() <= *width as isize;
        let columns: Vec<usize> = (window.col..window.col_end()).map(|col| mirror(col, *width)).collect();
        for &row in &rows {
            if inside {
                validity.extend_from_slice(&valid[row + window.col as usize..][..window.width]);
            } else {
                validity.extend(columns.iter().map(|col| valid[row + col]));
            }
        }
        for band in 0..*bands {
            for &row in &rows {
                let line = band * width * height + row;
                if inside {
                    samples.read(line + window.col as usize, window.width, &mut values);
                } else {
                    samples.pick(line, &columns, &mut values);
                }
            }
        }
        Ok(Pixels { values: Raster::new(*bands, window.height, window.width, values), valid: validity })
    }
}

impl LabelSource for MemoryLabels {
    fn reader(&self) -> Result<Box<dyn LabelReader>, DataError> {
        Ok(Box::new(self.clone()))
    }
}

impl LabelReader for MemoryLabels {
    fn read(&mut self, window: Window) -> Result<Vec<u16>, DataError> {
        let mut labels = vec![IGNORE; window.area()];
        let scene = Window::new(0, 0, self.width, self.height);
        let Some(inside) = scene.intersect(&window) else { return Ok(labels) };
        for row in inside.row..inside.row_end() {
            let from = row as usize * self.width + inside.col as usize;
            let to = (row - window.row) as usize * window.width + (inside.col - window.col) as usize;
            labels[to..to + inside.width].copy_from_slice(&self.labels[from..from + inside.width]);
        }
        Ok(labels)
    }
}

impl Samples {
    fn widen_for(&mut self, values: &[f32]) {
        let whole_to =
            |most: f32| values.iter().all(|v| (0.0..=most).contains(v) && v.fract() == 0.0 && v.is_sign_positive());
        if matches!(self, Self::U8(_)) && !whole_to(255.0) {
            let Self::U8(old) = self else { return };
            *self = Self::U16(old.iter().map(|v| u16::from(*v)).collect());
        }
        if matches!(self, Self::U16(_)) && !whole_to(65535.0) {
            let Self::U16(old) = self else { return };
            *self = Self::F32(old.iter().map(|v| f32::from(*v)).collect());
        }
    }

    /// The values must have been widened for.
    fn write(&mut self, at: usize, values: &[f32]) {
        match self {
            Self::U8(to) => to[at..at + values.len()].iter_mut().zip(values).for_each(|(to, v)| *to = *v as u8),
            Self::U16(to) => to[at..at + values.len()].iter_mut().zip(values).for_each(|(to, v)| *to = *v as u16),
            Self::F32(to) => to[at..at + values.len()].copy_from_slice(values),
        }
    }

    fn read(&self, at: usize, len: usize, to: &mut Vec<f32>) {
        match self {
            Self::U8(from) => to.extend(from[at..at + len].iter().map(|v| f32::from(*v))),
            Self::U16(from) => to.extend(from[at..at + len].iter().map(|v| f32::from(*v))),
            Self::F32(from) => to.extend_from_slice(&from[at..at + len]),
        }
    }

    fn pick(&self, line: usize, columns: &[usize], to: &mut Vec<f32>) {
        match self {
            Self::U8(from) => to.extend(columns.iter().map(|col| f32::from(from[line + col]))),
            Self::U16(from) => to.extend(columns.iter().map(|col| f32::from(from[line + col]))),
            Self::F32(from) => to.extend(columns.iter().map(|col| from[line + col])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(values: Vec<f32>, bands: usize, width: usize) -> MemoryImage {
        let height = values.len() / bands / width;
        let valid = (0..width * height).map(|i| i % 4 != 3).collect();
        MemoryImage::new("test", &Pixels { values: Raster::new(bands, height, width, values), valid })
    }

    #[test]
    fn every_storage_returns_what_was_given() {
        for (values, bytes) in [
            (vec![0.0, 255.0, 7.0, 8.0], 1),
            (vec![0.0, 256.0, 65535.0, 8.0], 2),
            (vec![0.0, 65536.0, 1.0, 2.0], 4),
            (vec![0.5, 1.0, 1.0, 2.0], 4),
            (vec![-1.0, 1.0, 1.0, 2.0], 4),
            (vec![-0.0, 1.0, 1.0, 2.0], 4),
        ] {
            let mut image = image(values.clone(), 1, 2);
            assert_eq!(image.sample_bytes(), bytes, "{values:?}");
            let read = image.read(Window::new(0, 0, 2, 2)).unwrap();
            assert_eq!(
                read.values.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
                values.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
            );
            assert_eq!(read.valid, [true, true, true, false]);
        }
    }

    #[test]
    fn storage_widens_while_it_is_filled() {
        let mut builder = MemoryBuilder::new("test", 1, 2, 2);
        let row = |values: [f32; 2]| Pixels { values: Raster::new(1, 1, 2, values.to_vec()), valid: vec![true; 2] };
        builder.add(Window::new(0, 0, 2, 1), &row([1.0, 2.0]), &[0, 1]);
        builder.add(Window::new(0, 1, 2, 1), &row([300.0, 0.25]), &[1, IGNORE]);
        let (mut image, mut labels) = builder.finish();
        assert_eq!(image.read(Window::new(0, 0, 2, 2)).unwrap().values.data, [1.0, 2.0, 300.0, 0.25]);
        assert_eq!(labels.read(Window::new(0, 0, 2, 2)).unwrap(), [0, 1, 1, IGNORE]);
    }

    #[test]
    fn windows_are_mirrored_and_labels_are_not() {
        #[rustfmt::skip]
        let mut scene = image(vec![
            1.0, 2.0, 3.0,
            4.0, 5.0, 6.0,
        ], 1, 3);
        let window = Window::new(-1, -1, 4, 3);
        let read = scene.read(window).unwrap();
        #[rustfmt::skip]
        assert_eq!(read.values.data, [
            5.0, 4.0, 5.0, 6.0,
            2.0, 1.0, 2.0, 3.0,
            5.0, 4.0, 5.0, 6.0,
        ]);
        // Pixel 4 is the invalid one.
        assert_eq!(read.valid, [true, false, true, true, true, true, true, true, true, false, true, true]);
        let labels = MemoryLabels::new(3, vec![1, 2, 3, 4, 5, 6]).read(window).unwrap();
        const X: u16 = IGNORE;
        assert_eq!(labels, [X, X, X, X, X, 1, 2, 3, X, 4, 5, 6]);
    }
}
