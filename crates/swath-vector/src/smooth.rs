//! Round corners for a coverage, by cutting them (Chaikin 1974), without gaps, overlaps or crossings.

use std::collections::HashMap;

use crate::{Corner, Coverage, Result, VectorError};

/// A point in pixel coordinates: column and row.
pub type Point = (f64, f64);

/// The arcs of a coverage with their corners cut `rounds` times: each time the corner between two edges gives way to the points at a
/// quarter of both. Nodes stay, so that neighbours keep meeting there.
///
/// Two cut corners could cross where boundaries are near each other. A corner is left as it is when another one lies in the triangle
/// that would be cut off: lines that cross no line outside of such triangles cannot cross within them.
///
/// # Errors
/// When there are more than 5 rounds, which nobody can see.
pub fn smooth(coverage: &Coverage, rounds: u32) -> Result<Vec<Vec<Point>>> {
    if rounds > MOST {
        return Err(VectorError::Argument(format!("{rounds} rounds of smoothing; give {MOST} at most")));
    }
    let point = |corner: &Corner| (f64::from(corner.col), f64::from(corner.row));
    let mut arcs: Vec<Vec<Point>> = coverage.arcs().map(|arc| arc.corners.iter().map(point).collect()).collect();
    for _ in 0..rounds {
        let places = Places::new(&arcs);
        for (points, arc) in arcs.iter_mut().zip(coverage.arcs()) {
            *points = cut(points, arc.ring, &places);
        }
    }
    Ok(arcs)
}

/// Rounds at most: with more, coordinates were no longer exact, and the points too near each other to be seen.
const MOST: u32 = 5;

fn cut(arc: &[Point], ring: bool, places: &Places) -> Vec<Point> {
    let mut points = Vec::with_capacity(2 * arc.len());
    let mut corner = |u: Point, v: Point, w: Point| {
        let (p, q) = (quarter(v, u), quarter(v, w));
        if places.any_in(p, v, q) {
            points.push(v);
        } else {
            points.extend([p, q]);
        }
    };
    if ring {
        corner(arc[arc.len() - 2], arc[0], arc[1]);
    }
    for triple in arc.windows(3) {
        corner(triple[0], triple[1], triple[2]);
    }
    if ring {
        points.push(points[0]);
    } else {
        points.insert(0, arc[0]);
        points.push(arc[arc.len() - 1]);
    }
    points
}

/// The point at a quarter of the way.
fn quarter(from: Point, to: Point) -> Point {
    (0.75 * from.0 + 0.25 * to.0, 0.75 * from.1 + 0.25 * to.1)
}

/// Points by the pixel they lie in.
struct Places(HashMap<(i32, i32), Vec<Point>>);

impl Places {
    fn new(arcs: &[Vec<Point>]) -> Places {
        let mut places: HashMap<(i32, i32), Vec<Point>> = HashMap::new();
        for &point in arcs.iter().flatten() {
            places.entry(Places::cell(point)).or_default().push(point);
        }
        Places(places)
    }

    /// Whether a point other than `v` lies in a triangle or on its border.
    fn any_in(&self, p: Point, v: Point, q: Point) -> bool {
        let low = Places::cell((p.0.min(v.0).min(q.0), p.1.min(v.1).min(q.1)));
        let high = Places::cell((p.0.max(v.0).max(q.0), p.1.max(v.1).max(q.1)));
        let holds = |&other: &Point| {
            let sides = [cross(p, v, other), cross(v, q, other), cross(q, p, other)];
            other != v && (sides.iter().all(|&side| side >= 0.0) || sides.iter().all(|&side| side <= 0.0))
        };
        (low.1..=high.1).any(|row| {
            (low.0..=high.0).any(|col| self.0.get(&(col, row)).is_some_and(|points| points.iter().any(holds)))
        })
    }

    fn cell((x, y): Point) -> (i32, i32) {
        ((x / CELL).floor() as i32, (y / CELL).floor() as i32)
    }
}

/// Pixels that a cell is wide.
const CELL: f64 = 8.0;

fn cross(a: Point, b: Point, c: Point) -> f64 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}
