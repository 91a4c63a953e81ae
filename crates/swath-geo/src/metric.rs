//! Lengths of lines that are straight on a grid, on the ellipsoid.
//!
//! A line is the integral of `sqrt(E dc^2 + 2 F dc dr + G dr^2)`, where `E`, `F` and `G` are the products of the steps that a column and a
//! row are on the ground (C. F. Gauss, *Disquisitiones generales circa superficies curvas*, 1828). On geographic grids they follow from
//! the latitude; on projected ones they are found at nodes of a lattice and linear in between, to about a millionth. No point of a polygon
//! needs the projection: millions of them are measured in a second.

use crate::cells::Cells;
use crate::ellipsoid::Ellipsoid;
use crate::lattice::Lattice;
use crate::{Affine, Grid};

/// Measures lines on one grid.
#[derive(Debug)]
pub(crate) struct Metric(Kind);

#[derive(Debug)]
enum Kind {
    /// Radians of a step along the row and the column follow from the transform.
    Geographic { ellipsoid: Ellipsoid, transform: Affine, unit: f64 },
    /// Interpolated between nodes.
    Lattice(Lattice<3>),
}

impl Metric {
    /// Prepares a grid; `None` without a CRS, or where the projection has no inverse.
    pub(crate) fn new(grid: &Grid) -> Option<Metric> {
        let crs = grid.crs.as_ref()?;
        let ellipsoid = crs.ellipsoid()?;
        if crs.is_geographic() {
            return Some(Metric(Kind::Geographic { ellipsoid, transform: grid.transform, unit: crs.unit()? }));
        }
        let cells = Cells::new(grid, &ellipsoid)?;
        Some(Metric(Kind::Lattice(Lattice::new(grid, &|cols, rows| cells.metrics(cols, rows))?)))
    }

    /// Metres from one (column, row) to another; NaN beside what the projection shows.
    pub(crate) fn length(&self, from: (f64, f64), to: (f64, f64)) -> f64 {
        let step = (to.0 - from.0, to.1 - from.1);
        let speed = |part: f64| self.speed((from.0 + part * step.0, from.1 + part * step.1), step);
        let rough = speed(0.5);
        if rough < SHORT || rough.is_nan() {
            return rough;
        }
        // Gauss's rule of two points on each piece.
        let pieces = (rough / LONG).ceil().min(MOST);
        let offset = 0.5 / 3f64.sqrt();
        let piece = |index: usize| {
            let middle = index as f64 + 0.5;
            0.5 * (speed((middle - offset) / pieces) + speed((middle + offset) / pieces))
        };
        (0..pieces as usize).map(piece).sum::<f64>() / pieces
    }

    /// Metres that a small step at a place would be, if it were as long as this one.
    fn speed(&self, (col, row): (f64, f64), (dc, dr): (f64, f64)) -> f64 {
        match &self.0 {
            Kind::Geographic { ellipsoid, transform, unit } => {
                let [_, a1, a2, a3, a4, a5] = transform.0;
                let (longitude, latitude) = ((a1 * dc + a2 * dr) * unit, (a4 * dc + a5 * dr) * unit);
                let (per_longitude, per_latitude) = ellipsoid.metres_per_radian((a3 + a4 * col + a5 * row) * unit);
                (longitude * per_longitude).hypot(latitude * per_latitude)
            }
            Kind::Lattice(lattice) => {
                let [e, f, g] = lattice.at(col, row);
                let square = e * dc * dc + 2.0 * f * dc * dr + g * dr * dr;
                // NaN, beside what the projection shows, stays so.
                if square < 0.0 { 0.0 } else { square.sqrt() }
            }
        }
    }
}

/// Metres up to which scale is the same along a line, and of a piece of longer lines.
const SHORT: f64 = 500.0;
const LONG: f64 = 5e4;
/// Pieces of a line at most.
const MOST: f64 = 1000.0;
