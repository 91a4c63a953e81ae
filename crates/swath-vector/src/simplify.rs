//! Fewer corners for a coverage, without gaps, overlaps or crossings.
//!
//! Arcs are simplified, not polygons, so that neighbours stay neighbours. That alone lets arcs cross, so every step is guarded
//! as well: it happens only where no other corner of the coverage lies in what the step sweeps over, its border included. A
//! boundary that crossed the new line would have to end in there, as it crosses no old one. Nodes stay; closed
//! arcs keep three corners; two arcs with the same ends never both become the straight line between them.

mod douglas_peucker;
mod index;
mod visvalingam;

use crate::{Corner, Coverage, Result, VectorError};

/// Which corners go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SimplifyMethod {
    /// Those that span the smallest triangle with their neighbours (Visvalingam and Whyatt 1993), until the triangle is larger than
    /// the square of the tolerance. Smooth at any tolerance.
    #[default]
    Visvalingam,
    /// Those nearer than the tolerance to the line between the corners that stay (Douglas and Peucker 1973).
    DouglasPeucker,
}

/// How a coverage is simplified.
pub struct Simplify<'a> {
    /// Which corners go first.
    pub method: SimplifyMethod,
    /// The larger, the fewer corners stay; in metres.
    pub tolerance: f64,
    /// Width and height of a pixel in metres at a corner.
    pub pixel: &'a dyn Fn(Corner) -> (f64, f64),
}

/// Takes corners out of the arcs of a coverage. Regions and rings stay as they are.
///
/// Sources: [`SimplifyMethod`]; for Visvalingam the guard is that of the coverage simplifier of GEOS, for Douglas-Peucker the sidedness
/// test of Saalfeld 1999, both over all arcs at once. A corner that is in the way of another is tried again when that has gone.
///
/// ```
/// use swath_vector::{Simplify, SimplifyMethod, polygonize, simplify};
///
/// #[rustfmt::skip]
/// let mut coverage = polygonize(&[
///     1, 1, 1, 1,
///     1, 1, 1, 2,
///     1, 1, 2, 2,
///     1, 2, 2, 2,
/// ], 4)?;
/// let stairs = |coverage: &swath_vector::Coverage| {
///     let between = coverage.arcs().find(|arc| arc.left.is_some() && arc.right.is_some());
///     between.unwrap().corners.len()
/// };
/// assert_eq!(stairs(&coverage), 7);
/// simplify(&mut coverage, &Simplify { method: SimplifyMethod::Visvalingam, tolerance: 20.0, pixel: &|_| (10.0, 10.0) })?;
/// assert_eq!(stairs(&coverage), 2);
/// # Ok::<(), swath_vector::VectorError>(())
/// ```
///
/// # Errors
/// When the tolerance is negative or no number.
pub fn simplify(coverage: &mut Coverage, options: &Simplify<'_>) -> Result<()> {
    if !(options.tolerance >= 0.0 && options.tolerance.is_finite()) {
        let problem = format!("a tolerance of {} metres simplifies nothing; give 0 or more", options.tolerance);
        return Err(VectorError::Argument(problem));
    }
    if options.tolerance > 0.0 {
        match options.method {
            SimplifyMethod::Visvalingam => visvalingam::simplify(coverage, options.tolerance, options.pixel),
            SimplifyMethod::DouglasPeucker => douglas_peucker::simplify(coverage, options.tolerance, options.pixel),
        }
    }
    Ok(())
}

/// Twice the signed area of a triangle, in pixels.
fn cross(a: Corner, b: Corner, c: Corner) -> i64 {
    let step =
        |from: Corner, to: Corner| (i64::from(to.col) - i64::from(from.col), i64::from(to.row) - i64::from(from.row));
    let ((x1, y1), (x2, y2)) = (step(a, b), step(a, c));
    x1 * y2 - x2 * y1
}

/// Arcs of two corners by their ends: the straight lines between nodes.
#[derive(Debug, Default)]
struct Chords(std::collections::HashSet<(Corner, Corner)>);

impl Chords {
    fn of(coverage: &Coverage) -> Chords {
        let straight = coverage.arcs().filter(|arc| arc.corners.len() == 2);
        Chords(straight.map(|arc| Chords::key(arc.corners[0], arc.corners[1])).collect())
    }

    /// Takes the line between two nodes for an arc, if no other has it.
    fn take(&mut self, a: Corner, b: Corner) -> bool {
        self.0.insert(Chords::key(a, b))
    }

    fn key(a: Corner, b: Corner) -> (Corner, Corner) {
        (a.min(b), a.max(b))
    }
}
