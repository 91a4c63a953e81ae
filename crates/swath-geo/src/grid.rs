//! Where the pixels of a raster lie: CRS, affine transform, size.

use gdal::spatial_ref::CoordTransform;
use serde::{Deserialize, Serialize};

use crate::{Crs, PixelAreas, Window};

/// Affine map from pixel coordinates to world coordinates, in GDAL's order of coefficients.
///
/// ```text
/// x = a0 + a1 column + a2 row
/// y = a3 + a4 column + a5 row
/// ```
/// (0, 0) is the top-left *corner* of the first pixel, (0.5, 0.5) its centre.
///
/// ```
/// use swath_geo::Affine;
///
/// let ten_metres = Affine([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]);
/// assert_eq!(ten_metres.apply(2.0, 1.0), (330_020.0, 5_822_030.0));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Affine(pub [f64; 6]);

impl Affine {
    /// World coordinates are pixel coordinates: rasters without georeference.
    pub const IDENTITY: Affine = Affine([0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);

    /// World coordinates of a column and row.
    pub fn apply(&self, col: f64, row: f64) -> (f64, f64) {
        let a = &self.0;
        (a[0] + a[1] * col + a[2] * row, a[3] + a[4] * col + a[5] * row)
    }

    /// The map back; `None` when the transform is degenerate or not finite.
    pub fn inverse(&self) -> Option<Affine> {
        let a = &self.0;
        let det = self.determinant();
        if !det.is_normal() || a.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let (i1, i2, i4, i5) = (a[5] / det, -a[2] / det, -a[4] / det, a[1] / det);
        Some(Affine([-(i1 * a[0] + i2 * a[3]), i1, i2, -(i4 * a[0] + i5 * a[3]), i4, i5]))
    }

    /// Signed area of a pixel in world units; negative for the usual grid, whose rows run south.
    pub fn determinant(&self) -> f64 {
        self.0[1] * self.0[5] - self.0[2] * self.0[4]
    }

    /// The transform of a raster that starts at (`col`, `row`) of this one and has pixels `factor` times as large.
    pub fn zoomed(&self, col: f64, row: f64, factor: (f64, f64)) -> Affine {
        let (x, y) = self.apply(col, row);
        let a = &self.0;
        Affine([x, a[1] * factor.0, a[2] * factor.1, y, a[4] * factor.0, a[5] * factor.1])
    }
}

/// The pixels of a raster on the ground.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Coordinate reference system; `None` without georeference.
    pub crs: Option<Crs>,
    /// Pixel coordinates to world coordinates.
    pub transform: Affine,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Grid {
    /// A grid without georeference.
    pub fn plain(width: usize, height: usize) -> Self {
        Self { crs: None, transform: Affine::IDENTITY, width, height }
    }

    /// World coordinates of a pixel position; whole numbers are pixel corners.
    pub fn pixel_to_world(&self, col: f64, row: f64) -> (f64, f64) {
        self.transform.apply(col, row)
    }

    /// Pixel position of world coordinates; `None` when the transform is degenerate.
    pub fn world_to_pixel(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some(self.transform.inverse()?.apply(x, y))
    }

    /// All pixels.
    pub fn window(&self) -> Window {
        Window::new(0, 0, self.width, self.height)
    }

    /// The grid of a window of this one.
    pub fn crop(&self, window: Window) -> Grid {
        let transform = self.transform.zoomed(window.col as f64, window.row as f64, (1.0, 1.0));
        Grid { crs: self.crs.clone(), transform, width: window.width, height: window.height }
    }

    /// `[x min, y min, x max, y max]` of the pixels' outline in units of the CRS.
    pub fn bounds(&self) -> [f64; 4] {
        let (w, h) = (self.width as f64, self.height as f64);
        let corners = [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)].map(|(col, row)| self.transform.apply(col, row));
        corners.iter().fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |b, &(x, y)| {
            [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)]
        })
    }

    /// `[west, south, east, north]` of the outline in WGS 84 degrees; west is larger than east for a scene
    /// across the date line. `None` without a CRS or where the projection has no inverse.
    pub fn lonlat_bounds(&self) -> Option<[f64; 4]> {
        let source = self.crs.as_ref()?.spatial_ref().ok()?;
        let target = Crs::from_user("OGC:CRS84").ok()?;
        let transform = CoordTransform::new(&source, &target.spatial_ref().ok()?).ok()?;
        let bounds = transform.transform_bounds(&self.bounds(), 21).ok()?;
        bounds.iter().all(|value| value.is_finite()).then_some(bounds)
    }

    /// Ground sample distance: metres per pixel along a row and along a column at the centre of the grid.
    ///
    /// Geographic grids are measured on their ellipsoid. Projected grids keep the projection's own metres
    /// (10 for Sentinel-2 in UTM), unless the projection stretches the ground by more than 1 % there, as
    /// Web Mercator does away from the equator: then true metres. `None` without a CRS.
    pub fn gsd(&self) -> Option<(f64, f64)> {
        let crs = self.crs.as_ref()?;
        let [_, a1, a2, _, a4, a5] = self.transform.0;
        let unit = crs.unit()?;
        let (col, row) = (self.width as f64 / 2.0, self.height as f64 / 2.0);
        if crs.is_geographic() {
            let latitude = self.transform.apply(col, row).1 * unit;
            let (per_lon, per_lat) = crs.ellipsoid()?.metres_per_radian(latitude);
            let metres = |dx: f64, dy: f64| (dx * unit * per_lon).hypot(dy * unit * per_lat);
            return Some((metres(a1, a4), metres(a2, a5)));
        }
        let nominal = (a1.hypot(a4) * unit, a2.hypot(a5) * unit);
        let stretch = PixelAreas::new(self)
            .map(|areas| areas.at(col, row) / (self.transform.determinant().abs() * unit * unit))
            .filter(|stretch| stretch.is_finite())
            .map_or(1.0, f64::sqrt);
        let factor = if (stretch - 1.0).abs() > 0.01 { stretch } else { 1.0 };
        Some((nominal.0 * factor, nominal.1 * factor))
    }

    /// Area on the ellipsoid of a pixel in the middle of `row`, in square metres; `None` without a CRS.
    ///
    /// For more than one row make [`PixelAreas`] once and ask it.
    pub fn pixel_area_m2(&self, row: usize) -> Option<f64> {
        Some(PixelAreas::new(self)?.at(self.width as f64 / 2.0, row as f64 + 0.5))
    }

    /// Area on the ellipsoid of the pixels of `window` that lie on the grid; `None` without a CRS.
    pub fn area_m2(&self, window: Window) -> Option<f64> {
        let areas = PixelAreas::new(self)?;
        Some(self.window().intersect(&window).map_or(0.0, |inside| areas.sum(inside)))
    }

    /// Whether both describe the same pixels: see [`Grid::describe_difference`].
    pub fn same(&self, other: &Grid) -> bool {
        self.describe_difference(other).is_none()
    }

    /// How the grids differ, in words; `None` when they are the same.
    ///
    /// Grids are the same when size and CRS agree and no corner is off by more than a hundredth of a pixel.
    pub fn describe_difference(&self, other: &Grid) -> Option<String> {
        if (self.width, self.height) != (other.width, other.height) {
            let [w0, h0, w1, h1] = [self.width, self.height, other.width, other.height];
            return Some(format!("{w0}x{h0} against {w1}x{h1} pixels"));
        }
        match (&self.crs, &other.crs) {
            (Some(left), Some(right)) if !left.same(right) => return Some(format!("{left} against {right}")),
            (Some(crs), None) => return Some(format!("{crs} against no georeference")),
            (None, Some(crs)) => return Some(format!("no georeference against {crs}")),
            _ => {}
        }
        let offset = self.largest_offset(other);
        // A broken transform equals nothing but itself.
        if self.transform == other.transform || offset <= 0.01 {
            return None;
        }
        let (left, right) = (self.transform.0, other.transform.0);
        Some(format!(
            "origin {}, {} and pixel {} x {} against origin {}, {} and pixel {} x {}: corners are up to {offset:.2} pixels apart",
            left[0], left[3], left[1], left[5], right[0], right[3], right[1], right[5]
        ))
    }

    /// Largest distance of the four corners, in pixels of this grid.
    fn largest_offset(&self, other: &Grid) -> f64 {
        let (w, h) = (self.width as f64, self.height as f64);
        let Some(inverse) = self.transform.inverse() else { return f64::INFINITY };
        let mut largest: f64 = 0.0;
        for (col, row) in [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)] {
            let (x, y) = other.transform.apply(col, row);
            let (back_col, back_row) = inverse.apply(x, y);
            let offset = (back_col - col).abs().max((back_row - row).abs());
            largest = if offset.is_nan() { f64::INFINITY } else { largest.max(offset) };
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn utm(width: usize, height: usize) -> Grid {
        let crs = Some(Crs::from_user("EPSG:32633").unwrap());
        Grid { crs, transform: Affine([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]), width, height }
    }

    fn lonlat(west: f64, north: f64, step: f64, width: usize, height: usize) -> Grid {
        let crs = Some(Crs::from_user("EPSG:4326").unwrap());
        Grid { crs, transform: Affine([west, step, 0.0, north, 0.0, -step]), width, height }
    }

    proptest! {
        #[test]
        fn pixels_survive_the_way_to_the_world_and_back(
            x in -1e6..1e6, y in -1e6..1e6, size in 0.1..100.0f64, turn in 0.0..360.0f64, col in -1e4..1e4, row in -1e4..1e4,
        ) {
            let (sin, cos) = turn.to_radians().sin_cos();
            let transform = Affine([x, size * cos, size * sin, y, size * sin, -size * cos]);
            let grid = Grid { transform, ..Grid::plain(100, 100) };
            let (wx, wy) = grid.pixel_to_world(col, row);
            let (back_col, back_row) = grid.world_to_pixel(wx, wy).unwrap();
            prop_assert!((back_col - col).abs() < 1e-6 && (back_row - row).abs() < 1e-6);
        }
    }

    #[test]
    fn degenerate_transforms_have_no_inverse() {
        assert_eq!(Affine([0.0; 6]).inverse(), None);
        assert_eq!(Affine([f64::NAN, 1.0, 0.0, 0.0, 0.0, 1.0]).inverse(), None);
    }

    #[test]
    fn ground_sample_distance() {
        assert_eq!(utm(100, 100).gsd(), Some((10.0, 10.0)));
        // A degree at the equator: 111 319.49 m of longitude, 110 574.28 m of latitude.
        let (x, y) = lonlat(0.0, 0.5, 1.0, 1, 1).gsd().unwrap();
        assert!((x - 111_319.49).abs() < 0.01 && (y - 110_574.28).abs() < 0.01, "{x} {y}");
        // US survey feet.
        let feet = Grid {
            crs: Some(Crs::from_user("EPSG:2264").unwrap()),
            transform: Affine([2_000_000.0, 3.0, 0.0, 700_000.0, 0.0, -3.0]),
            width: 10,
            height: 10,
        };
        let (x, _) = feet.gsd().unwrap();
        assert!((x - 3.0 * 1200.0 / 3937.0).abs() < 1e-9, "{x}");
        // Web Mercator at 60 degrees north doubles everything.
        let mercator = Grid {
            crs: Some(Crs::from_user("EPSG:3857").unwrap()),
            transform: Affine([0.0, 10.0, 0.0, 8_399_737.89, 0.0, -10.0]),
            width: 1,
            height: 1,
        };
        let (x, _) = mercator.gsd().unwrap();
        assert!((x - 5.0).abs() < 0.05, "{x}");
        assert_eq!(Grid::plain(4, 4).gsd(), None);
    }

    #[test]
    fn differences_are_named() {
        let grid = utm(100, 50);
        assert_eq!(grid.describe_difference(&grid.clone()), None);
        assert!(grid.describe_difference(&utm(100, 51)).unwrap().contains("100x51"));
        let mut moved = grid.clone();
        moved.transform.0[0] += 0.05;
        assert!(grid.same(&moved), "half a hundredth of a pixel is rounding");
        moved.transform.0[0] += 5.0;
        assert!(grid.describe_difference(&moved).unwrap().contains("0.5"));
        let other = Grid { crs: Some(Crs::from_user("EPSG:32634").unwrap()), ..grid.clone() };
        assert!(grid.describe_difference(&other).unwrap().contains("zone 34N"));
        assert!(grid.describe_difference(&Grid { crs: None, ..grid.clone() }).unwrap().contains("no georeference"));
    }

    #[test]
    fn bounds_in_both_systems() {
        let grid = utm(1536, 768);
        assert_eq!(grid.bounds(), [330_000.0, 5_814_360.0, 345_360.0, 5_822_040.0]);
        // gdalinfo: upper left 12d29'39.27"E 52d31'18.88"N, lower right 12d43'26.42"E 52d27'26.98"N.
        let [west, south, east, north] = grid.lonlat_bounds().unwrap();
        assert!((west - 12.494242).abs() < 1e-4 && (north - 52.5265).abs() < 1e-3, "{west} {north}");
        assert!((east - 12.724006).abs() < 1e-4 && (south - 52.4529).abs() < 1e-3, "{east} {south}");
    }

    #[test]
    fn cropping_moves_the_origin() {
        let crop = utm(100, 100).crop(Window::new(3, 4, 5, 6));
        assert_eq!(crop.transform.0[0], 330_030.0);
        assert_eq!(crop.transform.0[3], 5_822_000.0);
        assert_eq!((crop.width, crop.height), (5, 6));
    }
}
