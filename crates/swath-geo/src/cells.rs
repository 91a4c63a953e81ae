//! Small cells of a grid, measured on the ellipsoid.

use gdal::spatial_ref::CoordTransform;

use crate::ellipsoid::Ellipsoid;
use crate::gdal_setup::clear_messages;
use crate::{Affine, Grid};

/// Small cells of a grid, measured on the ellipsoid.
pub(crate) struct Cells<'a> {
    transform: &'a Affine,
    to_lonlat: CoordTransform,
    radians: f64,
    ellipsoid: &'a Ellipsoid,
    geographic: bool,
    /// Half the side of a cell in pixels.
    half: f64,
}

impl<'a> Cells<'a> {
    /// Prepares a grid; `None` where its projection is unknown.
    pub(crate) fn new(grid: &'a Grid, ellipsoid: &'a Ellipsoid) -> Option<Cells<'a>> {
        let crs = grid.crs.as_ref()?;
        let lonlat = crs.geographic()?;
        let to_lonlat = CoordTransform::new(&crs.spatial_ref().ok()?, &lonlat.spatial_ref().ok()?).ok()?;
        let geographic = crs.is_geographic();
        // A hundred metres to a kilometre: far above the rounding of the projection, far below its curvature.
        let pixel = grid.transform.determinant().abs().sqrt() * if geographic { 111e3 } else { crs.unit()? };
        let half = (100.0 / pixel).max(1f64.min(1000.0 / pixel)) / 2.0;
        Some(Cells { transform: &grid.transform, to_lonlat, radians: lonlat.unit()?, ellipsoid, geographic, half })
    }

    /// Areas of one pixel around (column, row) of all columns and rows, `[row, column]`; NaN where the projection shows nothing.
    pub(crate) fn areas(&self, cols: &[f64], rows: &[f64]) -> Option<Vec<[f64; 1]>> {
        let half = self.half;
        let corners = self.around(cols, rows, [(-half, -half), (half, -half), (half, half), (-half, half)])?;
        let pixels = 4.0 * half * half;
        let area = |cell: &[(f64, f64)]| {
            // Near a pole the sides of a cell cross many meridians.
            let polar = !self.geographic && cell.iter().any(|(_, latitude)| latitude.abs() > POLAR);
            if polar { self.ellipsoid.polar_polygon_area(cell) } else { self.ellipsoid.polygon_area(cell) }
        };
        let known = |cell: &[(f64, f64)]| if is_known(cell) { [area(cell) / pixels] } else { [f64::NAN] };
        Some(corners.chunks_exact(4).map(known).collect())
    }

    /// What a step along a row, `a`, and one along a column, `b`, are on the ground: `[a.a, a.b, b.b]` in square metres, `[row, column]`; NaN where the
    /// projection shows nothing.
    pub(crate) fn metrics(&self, cols: &[f64], rows: &[f64]) -> Option<Vec<[f64; 3]>> {
        let half = self.half;
        let points = self.around(cols, rows, [(-half, 0.0), (half, 0.0), (0.0, -half), (0.0, half)])?;
        let step = |from: (f64, f64), to: (f64, f64)| {
            // In space, where neither poles nor the date line are in the way.
            let (from, to) = (self.ellipsoid.in_space(from), self.ellipsoid.in_space(to));
            [0, 1, 2].map(|axis| (to[axis] - from[axis]) / (2.0 * half))
        };
        let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let metric = |cross: &[(f64, f64)]| {
            let (a, b) = (step(cross[0], cross[1]), step(cross[2], cross[3]));
            [dot(a, a), dot(a, b), dot(b, b)]
        };
        let known = |cross: &[(f64, f64)]| if is_known(cross) { metric(cross) } else { [f64::NAN; 3] };
        Some(points.chunks_exact(4).map(known).collect())
    }

    /// Longitude and latitude in radians of four points around (column, row) of all columns and rows, not finite for those that have none;
    /// `None` where the projection has no inverse.
    fn around(&self, cols: &[f64], rows: &[f64], points: [(f64, f64); 4]) -> Option<Vec<(f64, f64)>> {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (row, col) in rows.iter().flat_map(|row| cols.iter().map(move |col| (row, col))) {
            for (dx, dy) in points {
                let (wx, wy) = self.transform.apply(col + dx, row + dy);
                x.push(wx);
                y.push(wy);
            }
        }
        let complete = self.to_lonlat.transform_coords(&mut x, &mut y, &mut []).is_ok();
        clear_messages();
        // Of a part that fails, GDAL tells which; where nothing works it leaves all as they are.
        if !complete && x.iter().chain(&y).all(|value| value.is_finite()) {
            return None;
        }
        Some(x.iter().zip(&y).map(|(x, y)| (x * self.radians, y * self.radians)).collect())
    }
}

fn is_known(points: &[(f64, f64)]) -> bool {
    points.iter().all(|(longitude, latitude)| longitude.is_finite() && latitude.is_finite())
}

/// Latitude in radians from which cells are measured in a polar plane.
const POLAR: f64 = 1.4;
