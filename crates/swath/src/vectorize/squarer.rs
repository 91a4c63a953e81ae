//! Right angles on the ground for outlines in pixels.

use swath_geo::{Grid, Outline, PixelAreas};
use swath_vector::{Point, square};

/// Gives right angles to polygons of some classes.
pub(super) struct Squarer<'a> {
    pub(super) sizes: PixelSizes,
    pub(super) classes: &'a [(u32, f64)],
}

impl Squarer<'_> {
    pub(super) fn tolerance(&self, class: u32) -> Option<f64> {
        self.classes.iter().find(|(value, _)| *value == class).map(|&(_, tolerance)| tolerance)
    }

    /// Says what became of the outline; nothing for other classes.
    pub(super) fn square(&self, class: u32, outline: &mut Outline) -> &'static str {
        let (Some(tolerance), Some((_, first))) = (self.tolerance(class), outline.rings().next()) else { return "" };
        let (width, height) = self.sizes.at(first[0].0, first[0].1);
        let mut status = "";
        let mut result = Outline::default();
        let rings: Vec<(bool, Vec<Point>)> = outline
            .rings()
            .map(|(outer, ring)| (outer, ring.iter().map(|&(col, row)| (col * width, row * height)).collect()))
            .collect();
        // Polygon by polygon: an outer ring and its holes.
        for part in rings.chunk_by(|_, (outer, _)| !outer) {
            let metres: Vec<Vec<Point>> = part.iter().map(|(_, ring)| ring.clone()).collect();
            let (squared, regularity) = square(&metres, tolerance);
            status = regularity.name();
            for (at, ring) in squared.into_iter().enumerate() {
                result.push(at == 0, ring.into_iter().map(|(x, y)| (x / width, y / height)));
            }
        }
        *outline = result;
        status
    }
}

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

    /// Area of a pixel on the ellipsoid in square metres; 1 without georeference.
    pub(super) fn area(&self, col: f64, row: f64) -> f64 {
        self.areas.as_ref().map_or(1.0, |areas| areas.at(col, row))
    }

    /// In metres: the width follows from the area, which shrinks towards the poles on geographic grids.
    pub(super) fn at(&self, col: f64, row: f64) -> (f64, f64) {
        (self.area(col, row) / self.height, self.height)
    }
}
