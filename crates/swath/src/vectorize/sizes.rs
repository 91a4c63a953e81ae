//! How large pixels are on the ground.

use swath_geo::{Grid, PixelAreas};

/// Width and height of pixels on the ground.
pub(super) struct PixelSizes {
    areas: Option<PixelAreas>,
    /// Width and height of a pixel in metres in the middle of the grid; 1 without georeference.
    middle: (f64, f64),
}

impl PixelSizes {
    pub(super) fn new(grid: &Grid) -> PixelSizes {
        let areas = PixelAreas::new(grid);
        let middle = grid.gsd().filter(|_| areas.is_some()).unwrap_or((1.0, 1.0));
        PixelSizes { areas, middle }
    }

    /// Width and height in the middle of the grid, in sides of a square of the same area: 1 for square pixels, to the bit.
    pub(super) fn shape(&self) -> [f64; 2] {
        let (width, height) = self.middle;
        [(width / height).sqrt(), (height / width).sqrt()]
    }

    /// Area of a pixel on the ellipsoid in square metres; 1 without georeference,
    /// that of a square beside what the projection shows.
    pub(super) fn area(&self, col: f64, row: f64) -> f64 {
        let area = self.areas.as_ref().map_or(1.0, |areas| areas.at(col, row));
        if area.is_nan() { self.middle.1 * self.middle.1 } else { area }
    }

    /// In metres: the width follows from the area, which shrinks towards the poles on geographic grids.
    pub(super) fn at(&self, col: f64, row: f64) -> (f64, f64) {
        (self.area(col, row) / self.middle.1, self.middle.1)
    }
}
