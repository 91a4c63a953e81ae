//! Round objects stay round: a polygon that is nearly its circle becomes it.

use std::f64::consts::{PI, TAU};

use super::area;
use crate::Point;

/// The circle of the polygon's area around its centroid, in its sense, where their IoU is 0.9 or more (a square has 0.83). Objects of a few
/// tolerances are not known well enough.
pub(super) fn circle(ring: &[Point], tolerance: f64) -> Option<Vec<Point>> {
    let signed = area(ring);
    let radius = (signed.abs() / PI).sqrt();
    if radius < SMALLEST * tolerance {
        return None;
    }
    let centre = centroid(ring, signed);
    let common: f64 =
        ring.windows(2).map(|pair| sector(relative(pair[0], centre), relative(pair[1], centre), radius)).sum();
    let common = common.abs();
    if common < IOU * (2.0 * signed.abs() - common) {
        return None;
    }
    // Enough corners to stay within a tenth of the tolerance; on a circle a little larger, to keep the area.
    let half = (1.0 - 0.1 * tolerance / radius).acos();
    let corners = ((PI / half).ceil() as usize).clamp(16, 64).next_multiple_of(4);
    let step = TAU / corners as f64;
    let reach = (2.0 * signed.abs() / (corners as f64 * step.sin())).sqrt();
    let mut points: Vec<Point> = (0..corners)
        .map(|corner| {
            let angle = step * corner as f64 * signed.signum();
            (centre.0 + reach * angle.cos(), centre.1 + reach * angle.sin())
        })
        .collect();
    points.push(points[0]);
    Some(points)
}

fn centroid(ring: &[Point], signed: f64) -> Point {
    let origin = ring[0];
    let (mut x, mut y) = (0.0, 0.0);
    for pair in ring.windows(2) {
        let (a, b) = (relative(pair[0], origin), relative(pair[1], origin));
        let cross = a.0 * b.1 - a.1 * b.0;
        x += (a.0 + b.0) * cross;
        y += (a.1 + b.1) * cross;
    }
    (origin.0 + x / (6.0 * signed), origin.1 + y / (6.0 * signed))
}

fn relative(point: Point, origin: Point) -> Point {
    (point.0 - origin.0, point.1 - origin.1)
}

/// Signed area that a circle around the origin has in common with the triangle of the origin and two points.
fn sector(a: Point, b: Point, radius: f64) -> f64 {
    let (x, y) = (b.0 - a.0, b.1 - a.1);
    // Where the edge is within the circle: a + t (b - a), t from `enter` to `leave`.
    let (square, half, rest) = (x * x + y * y, a.0 * x + a.1 * y, a.0 * a.0 + a.1 * a.1 - radius * radius);
    let discriminant = half * half - square * rest;
    let turn = |p: Point, q: Point| (p.0 * q.1 - p.1 * q.0).atan2(p.0 * q.0 + p.1 * q.1) * radius * radius / 2.0;
    if square == 0.0 || discriminant <= 0.0 {
        return turn(a, b);
    }
    let root = discriminant.sqrt();
    let (enter, leave) = (((-half - root) / square).max(0.0), ((-half + root) / square).min(1.0));
    if enter >= leave {
        return turn(a, b);
    }
    let at = |t: f64| (a.0 + t * x, a.1 + t * y);
    let (p, q) = (at(enter), at(leave));
    turn(a, p) + (p.0 * q.1 - p.1 * q.0) / 2.0 + turn(q, b)
}

/// Overlap with its circle at which a polygon is round.
const IOU: f64 = 0.9;
/// Tolerances that the radius must have.
const SMALLEST: f64 = 4.0;
