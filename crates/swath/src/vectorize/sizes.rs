//! How large pixels are on the ground.

use swath_geo::{Grid, PixelAreas};

/// Width and height of pixels on the ground.
pub(super) struct PixelSizes {
    areas: Option<PixelAreas>,
    /// Height of a pixel in metres; 1 without georeference.
    height: f64,
}

impl PixelSizes {
    pub(super) fn new(grid: &Grid) -> PixelSizes {
        let areas = PixelAreas::new(grid);
        let height = grid.gsd().filter(|_| areas.is_some()).map_or(1.0, |(_, height)| height);
        PixelSizes { areas, height }
    }

    /// Area of a pixel on the ellipsoid in square metres; 1 without georeference,
    /// that of a square beside what the projection shows.
    pub(super) fn area(&self, col: f64, row: f64) -> f64 {
        let area = self.areas.as_ref().map_or(1.0, |areas| areas.at(col, row));
        if area.is_nan() { self.height * self.height } else { area }
    }

    /// In metres: the width follows from the area, which shrinks towards the poles on geographic grids.
    pub(super) fn at(&self, col: f64, row: f64) -> (f64, f64) {
        (self.area(col, row) / self.height, self.height)
    }
}
