//! The image around an object.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;
use swath_geo::Window;
use swath_nn::decoder::polycnn::CORNERS;

use super::corners::{Corners, Place, bounds, clockwise, from_unit};
use crate::bundle::Normalization;
use crate::dataset::{Change, DataError, ImageReader, normalize};

/// A patch with an object in its middle.
pub(crate) struct Patch {
    /// Normalized `[band, row, column]`; 0 where invalid.
    pub(crate) image: Vec<f32>,
    /// Which pixels hold data, `[row, column]`.
    pub(crate) valid: Vec<bool>,
    /// Where it lies.
    pub(crate) window: Window,
}

/// Reads patches of one size.
#[derive(Clone, Copy)]
pub(crate) struct PatchReader<'a> {
    pub(crate) side: usize,
    pub(crate) normalization: &'a Normalization,
}

impl PatchReader<'_> {
    /// The patch with the middle of the object's columns and rows in its own, moved by so many columns and rows.
    pub(crate) fn read(
        &self,
        image: &mut dyn ImageReader,
        object: &[Place],
        (cols, rows): (isize, isize),
    ) -> Result<Patch, DataError> {
        let [low, high] = bounds(object);
        let origin = |low: f64, high: f64| (f64::midpoint(low, high) - self.side as f64 / 2.0).round() as isize;
        let window = Window::new(origin(low.0, high.0) + cols, origin(low.1, high.1) + rows, self.side, self.side);
        let pixels = image.read(window)?;
        let (mut values, valid) = (pixels.values.data, pixels.valid);
        normalize(&mut values, &valid, &self.normalization.mean, &self.normalization.std);
        Ok(Patch { image: values, valid, window })
    }
}

impl Patch {
    /// Corners of the scene in this patch.
    pub(crate) fn corners(&self, of_scene: &Corners) -> Corners {
        of_scene.map(|(x, y)| (x - self.window.col as f64, y - self.window.row as f64))
    }

    /// Corners of this patch in the scene.
    pub(crate) fn in_scene(&self, corners: &Corners) -> Corners {
        corners.map(|(x, y)| (x + self.window.col as f64, y + self.window.row as f64))
    }

    /// Changes the patch, and says where its corners are then.
    pub(crate) fn change(&mut self, change: &Change, corners: &Corners) -> Corners {
        let side = self.window.width;
        change.apply(&mut self.image, &mut self.valid, &mut vec![0; side * side], side);
        clockwise(corners.map(|place| change.dihedral.place(side as f64, place)))
    }
}

/// The corners that a network draws for each patch of a batch.
///
/// # Shapes
/// - `numbers`: `[batch, x and y of each corner]`, before the sigmoid
pub(crate) fn numbers_to_corners(numbers: Tensor<2>, side: usize) -> Vec<Corners> {
    let numbers: Vec<f32> = sigmoid(numbers).into_data().iter::<f32>().collect();
    numbers.chunks_exact(2 * CORNERS).map(|numbers| clockwise(from_unit(numbers, side))).collect()
}
