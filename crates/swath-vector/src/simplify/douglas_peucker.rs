//! Douglas and Peucker 1973, arc by arc, with the sidedness test of Saalfeld 1999: a stretch becomes a straight line only where no
//! other corner of the coverage lies between the two.

use super::index::CornerIndex;
use super::{Chords, cross};
use crate::{Corner, Coverage};

pub(super) fn simplify(coverage: &mut Coverage, tolerance: f64, pixel: &dyn Fn(Corner) -> (f64, f64)) {
    let mut index = CornerIndex::of(coverage);
    let mut chords = Chords::of(coverage);
    for number in 0..coverage.arcs.len() {
        let arc = coverage.arc_at(number);
        let mut corners = arc.corners.to_vec();
        if corners.len() == 2 {
            continue;
        }
        let closed = corners[0] == corners[corners.len() - 1];
        if arc.ring {
            rotate(&mut corners);
        }
        let last = corners.len() - 1;
        let mut line =
            Line { corners: &corners, pixel: pixel(corners[0]), tolerance, index: &mut index, kept: vec![0] };
        if closed {
            // The two corners farthest from the first and from the line to it make a triangle that stays.
            let far = line.farthest(0, last, |line, at| line.distance_to_point(at, 0));
            let wide = line.farthest(0, last, |line, at| line.distance_to_line(at, 0, far));
            let (a, b) = (far.min(wide), far.max(wide));
            for (from, to) in [(0, a), (a, b), (b, last)] {
                line.reduce(from, to);
            }
        } else if line.is_straight(0, last) && chords.take(corners[0], corners[last]) {
            line.flatten(0, last);
        } else {
            let middle = line.farthest(0, last, |line, at| line.distance_to_line(at, 0, last));
            line.reduce(0, middle);
            line.reduce(middle, last);
        }
        let kept: Vec<Corner> = line.kept.iter().map(|&at| corners[at]).collect();
        coverage.shorten(number, &kept);
    }
    coverage.compact();
}

/// Makes a ring begin at its first corner from the left, which stays at any tolerance.
fn rotate(corners: &mut Vec<Corner>) {
    corners.pop();
    let first = (0..corners.len()).min_by_key(|&at| corners[at]).unwrap_or(0);
    corners.rotate_left(first);
    corners.push(corners[0]);
}

struct Line<'a> {
    corners: &'a [Corner],
    pixel: (f64, f64),
    tolerance: f64,
    index: &'a mut CornerIndex,
    /// The corners that stay, by their place, as far as the work is done.
    kept: Vec<usize>,
}

impl Line<'_> {
    /// Decides about the corners between two that stay.
    fn reduce(&mut self, from: usize, to: usize) {
        let mut open = vec![(from, to)];
        while let Some((from, to)) = open.pop() {
            if to == from + 1 || self.is_straight(from, to) {
                self.flatten(from, to);
            } else {
                let middle = self.farthest(from, to, |line, at| line.distance_to_line(at, from, to));
                open.push((middle, to));
                open.push((from, middle));
            }
        }
    }

    /// Whether a stretch may become a line.
    fn is_straight(&self, from: usize, to: usize) -> bool {
        (from + 1..to).all(|at| self.distance_to_line(at, from, to) <= self.tolerance) && self.is_free(from, to)
    }

    fn flatten(&mut self, from: usize, to: usize) {
        for at in from + 1..to {
            self.index.remove(self.corners[at]);
        }
        self.kept.push(to);
    }

    /// Whether no other corner lies between a stretch and the line between its ends, or on that line.
    fn is_free(&self, from: usize, to: usize) -> bool {
        let stretch = &self.corners[from..=to];
        let (a, b) = (stretch[0], stretch[stretch.len() - 1]);
        let low = stretch.iter().fold(a, |low, c| Corner { col: low.col.min(c.col), row: low.row.min(c.row) });
        let high = stretch.iter().fold(a, |high, c| Corner { col: high.col.max(c.col), row: high.row.max(c.row) });
        let blocks = |other: Corner| {
            if stretch.contains(&other) {
                return false;
            }
            let on_line = cross(a, b, other) == 0
                && (a.col.min(b.col)..=a.col.max(b.col)).contains(&other.col)
                && (a.row.min(b.row)..=a.row.max(b.row)).contains(&other.row);
            on_line || encloses(stretch, other)
        };
        self.index.find(low, high, blocks).is_none()
    }

    /// The corner between two others for which a measure is largest; the first of equals.
    fn farthest(&self, from: usize, to: usize, measure: impl Fn(&Self, usize) -> f64) -> usize {
        let mut best = (from + 1, f64::NEG_INFINITY);
        for at in from + 1..to {
            let value = measure(self, at);
            if value > best.1 {
                best = (at, value);
            }
        }
        best.0
    }

    fn step(&self, from: usize, to: usize) -> (f64, f64) {
        let (a, b) = (self.corners[from], self.corners[to]);
        let (columns, rows) = (f64::from(b.col) - f64::from(a.col), f64::from(b.row) - f64::from(a.row));
        (columns * self.pixel.0, rows * self.pixel.1)
    }

    fn distance_to_point(&self, at: usize, point: usize) -> f64 {
        let (x, y) = self.step(point, at);
        x.hypot(y)
    }

    /// Metres from a corner to the straight line between two others, not beyond its ends.
    fn distance_to_line(&self, at: usize, from: usize, to: usize) -> f64 {
        let ((x, y), (px, py)) = (self.step(from, to), self.step(from, at));
        let length = x * x + y * y;
        let along = if length > 0.0 { ((px * x + py * y) / length).clamp(0.0, 1.0) } else { 0.0 };
        (px - along * x).hypot(py - along * y)
    }
}

/// Whether a point lies inside of a stretch that is closed by the line between its ends, by the parity of crossings.
fn encloses(stretch: &[Corner], point: Corner) -> bool {
    let mut inside = false;
    let mut before = stretch[stretch.len() - 1];
    for &corner in stretch {
        if (before.row > point.row) != (corner.row > point.row) {
            // The edge crosses the point's row; on which side of the point?
            let side = cross(before, corner, point);
            if (side < 0) == (corner.row > before.row) && side != 0 {
                inside = !inside;
            }
        }
        before = corner;
    }
    inside
}
