//! Right angles for buildings: a fast regularizer.
//!
//! An outline is cut into walls by Douglas and Peucker's measure. For some candidate directions, every wall is turned to the direction or
//! at a right angle to it and moved so that it leaves as much area on one side as on the other; walls that are oblique and long stay as
//! they are. Walls that are too short go, and neighbours of one direction become one. The corners are the intersections of what is left.
//!
//! The steps are those that geometric regularizers share (candidate directions, fitted walls, intersections, an acceptance gate and circles
//! for round objects); directions come from the circular mean of the walls by length, the longest wall and the walls' smallest bounding box.
//!
//! [`square`] treats one polygon alone. [`Groups`] treats the regions of a coverage, those that touch together: what two of them share is
//! fitted once, fronts go on from one to the next, and the boundaries of everything around follow, so that the plane stays tiled.

mod frame;
mod gate;
mod layout;
mod mesh;
mod near;
mod network;
mod round;
mod sides;
mod strokes;
mod together;
mod track;
mod walls;
mod window;

use crate::Point;
use frame::Frame;
use gate::{is_polygon, ring_gate};
use layout::Layout;
pub use together::{Groups, RightAngleMethod, RightAngles};
use walls::{corners, fit, straight};

/// What became of a polygon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Regularity {
    /// It has right angles now.
    Squared,
    /// It has right angles now, and so have neighbours with which it shares walls or a corner.
    Together,
    /// It was nearly a circle, and is one now.
    Round,
    /// It stayed as it was, for this reason.
    Kept(&'static str),
}

impl Regularity {
    /// A word for tables.
    pub fn name(self) -> &'static str {
        match self {
            Regularity::Squared => "squared",
            Regularity::Together => "squared together",
            Regularity::Round => "round",
            Regularity::Kept(reason) => reason,
        }
    }
}

/// Gives a polygon right angles, or makes a circle of it where it nearly is one.
///
/// Rings are closed, the first point repeated at the end, the outer one first; coordinates and `tolerance` are in metres. The result is refused,
/// and the polygon kept, when a ring crosses itself or another, when its area changes by more than a factor of two, when it has fewer than four
/// corners, when a corner is farther than 3.5 tolerances from the old outline, or when a tenth of the old outline's corners is farther than 2.5 from the new one. Holes that get no
/// right angles in that way stay as they are, or go when they are smaller than the square of two tolerances.
///
/// ```
/// use swath_vector::{Regularity, square};
///
/// // A house of 8 by 5 metres with a crooked wall.
/// let house = vec![(0.0, 0.0), (4.0, 0.3), (8.0, 0.0), (8.0, 5.0), (0.0, 5.0), (0.0, 0.0)];
/// let (rings, regularity) = square(&[house], 0.5);
/// assert_eq!(regularity, Regularity::Squared);
/// assert_eq!(rings[0].len(), 5);
/// ```
pub fn square(rings: &[Vec<Point>], tolerance: f64) -> (Vec<Vec<Point>>, Regularity) {
    let kept = |reason| (rings.to_vec(), Regularity::Kept(reason));
    let Some(outer) = rings.first().filter(|outer| outer.len() > 3) else { return kept("kept: no polygon") };
    let is_hole = |hole: &Vec<Point>| area(hole).abs() >= 4.0 * tolerance * tolerance;
    if !rings[1..].iter().any(is_hole)
        && let Some(circle) = round::circle(outer, tolerance)
    {
        return (vec![circle], Regularity::Round);
    }
    let walls = straight(outer, tolerance);
    let mut best: Option<(f64, Vec<Vec<Point>>)> = None;
    let mut reason = "kept: fewer than four walls";
    for frame in Frame::candidates(&walls) {
        let fitted = |ring: &Vec<Point>| {
            let mut squared = corners(&fit(ring, true, &|_| frame, tolerance)?, true)?;
            squared.push(squared[0]);
            Some(ring_gate(ring, &squared, tolerance).map(|distance| (distance, squared)))
        };
        let (distance, squared) = match fitted(outer) {
            Some(Ok(fitted)) => fitted,
            Some(Err(refused)) => {
                reason = refused;
                continue;
            }
            None => continue,
        };
        let mut squared = vec![squared];
        for hole in &rings[1..] {
            match fitted(hole) {
                Some(Ok((_, hole))) => squared.push(hole),
                _ if is_hole(hole) => squared.push(hole.clone()),
                _ => {}
            }
        }
        if !is_polygon(&squared) {
            reason = "kept: crosses itself";
            continue;
        }
        // Near with few corners: a wrong direction comes as near with many, or with walls that are all oblique to it.
        let astray = if frame.oblique(&squared[0]) > 0.5 { ASTRAY } else { 1.0 };
        let cost = astray * distance * squared.iter().map(Vec::len).sum::<usize>() as f64;
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, squared));
        }
    }
    match best {
        Some((_, squared)) => (squared, Regularity::Squared),
        None => kept(reason),
    }
}

/// How much nearer an outline has to come in a direction that most of its walls do not have.
const ASTRAY: f64 = 10.0;

/// Twice the signed area of a triangle.
fn cross(a: Point, b: Point, c: Point) -> f64 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

/// The signed area of a closed ring.
fn area(ring: &[Point]) -> f64 {
    let origin = ring[0];
    ring.windows(2).map(|pair| cross(origin, pair[0], pair[1])).sum::<f64>() / 2.0
}

/// From one point to another.
fn gap(a: Point, b: Point) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// From a point to the straight line between two others, not beyond its ends.
pub(crate) fn distance(point: Point, a: Point, b: Point) -> f64 {
    let ((x, y), (px, py)) = ((b.0 - a.0, b.1 - a.1), (point.0 - a.0, point.1 - a.1));
    let length = x * x + y * y;
    let along = if length > 0.0 { ((px * x + py * y) / length).clamp(0.0, 1.0) } else { 0.0 };
    (px - along * x).hypot(py - along * y)
}

/// From a point to the nearest edge of a ring.
fn distance_to_ring(point: Point, ring: &[Point]) -> f64 {
    ring.windows(2).map(|pair| distance(point, pair[0], pair[1])).fold(f64::INFINITY, f64::min)
}
