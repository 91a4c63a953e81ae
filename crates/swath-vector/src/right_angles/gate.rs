//! Whether a regularized polygon may stand for the old one.

use super::{area, cross, distance_to_ring};
use crate::Point;

/// The mean distance of a ring's old corners from the new one, or why the new one is refused.
pub(super) fn ring_gate(before: &[Point], after: &[Point], tolerance: f64) -> Result<f64, &'static str> {
    let ratio = area(after) / area(before);
    if ratio <= 0.0 {
        return Err("kept: turned over");
    }
    if !(0.5..=2.0).contains(&ratio) {
        return Err("kept: other area");
    }
    if corners(after) < CORNERS {
        return Err("kept: fewer than four walls");
    }
    if after.iter().any(|&corner| distance_to_ring(corner, before) > CORNER * tolerance) {
        return Err("kept: corners too far");
    }
    let corners = &before[1..];
    let (mut far, mut total) = (0, 0.0);
    for &corner in corners {
        let distance = distance_to_ring(corner, after);
        far += usize::from(distance > OUTLINE * tolerance);
        total += distance;
    }
    if 10 * far > corners.len() { Err("kept: outline too far") } else { Ok(total / corners.len() as f64) }
}

/// How many corners a ring has, without points where it goes nearly straight on or back: neither makes more of a triangle.
fn corners(ring: &[Point]) -> usize {
    let edges: Vec<Point> = ring.windows(2).map(|pair| (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1)).collect();
    let next = edges.iter().cycle().skip(1);
    let turns = |(a, b): &(&Point, &Point)| {
        let cosine = (a.0 * b.0 + a.1 * b.1) / (a.0.hypot(a.1) * b.0.hypot(b.1));
        cosine.abs() < STRAIGHT
    };
    edges.iter().zip(next).filter(turns).count()
}

/// Whether no ring crosses itself or another, and all holes lie in the outer ring.
pub(super) fn is_polygon(rings: &[Vec<Point>]) -> bool {
    let edges: Vec<(usize, usize)> = rings
        .iter()
        .enumerate()
        .flat_map(|(ring, points)| (0..points.len() - 1).map(move |edge| (ring, edge)))
        .collect();
    let apart = |(index, &a): (usize, &(usize, usize))| !edges[index + 1..].iter().any(|&b| crosses(rings, a, b));
    edges.iter().enumerate().all(apart) && rings[1..].iter().all(|hole| holds(&rings[0], hole[0]))
}

/// Whether two edges that are no neighbours have a point in common.
fn crosses(rings: &[Vec<Point>], a: (usize, usize), b: (usize, usize)) -> bool {
    let count = rings[a.0].len() - 1;
    if a.0 == b.0 && ((a.1 + 1) % count == b.1 || (b.1 + 1) % count == a.1) {
        return false;
    }
    let edge = |(ring, at): (usize, usize)| (rings[ring][at], rings[ring][at + 1]);
    let ((p, q), (r, s)) = (edge(a), edge(b));
    cross(p, q, r) * cross(p, q, s) <= 0.0 && cross(r, s, p) * cross(r, s, q) <= 0.0
}

/// Whether a point lies in a ring.
pub(super) fn holds(ring: &[Point], point: Point) -> bool {
    crossings(ring, point) % 2 == 1
}

/// Whether a point lies within lines that together are rings.
pub(super) fn holds_together(lines: &[&[Point]], point: Point) -> bool {
    lines.iter().map(|line| crossings(line, point)).sum::<usize>() % 2 == 1
}

/// How many edges a ray from a point crosses.
fn crossings(line: &[Point], point: Point) -> usize {
    let crosses = |pair: &&[Point]| {
        let (a, b) = (pair[0], pair[1]);
        (a.1 > point.1) != (b.1 > point.1) && (cross(a, b, point) > 0.0) == (b.1 > a.1)
    };
    line.windows(2).filter(crosses).count()
}

/// Tolerances that a corner may be from the old outline.
const CORNER: f64 = 3.5;
/// Tolerances that nine of ten old corners may be from the new outline.
const OUTLINE: f64 = 2.5;
/// Corners that a ring has at least.
const CORNERS: usize = 4;
/// Cosine between walls that make no corner: thirty degrees.
const STRAIGHT: f64 = 0.866;
