//! What a boundary costs: pixels on its wrong side, and corners that are not right.

use super::super::window::Window;
use crate::Point;

/// A label map by rows of runs, to integrate along boundaries.
#[derive(Debug)]
pub(super) struct Energy {
    /// Where each run ends, in metres from the window's left, and its label.
    runs: Vec<(f64, u32)>,
    /// Where each row's runs end.
    rows: Vec<usize>,
    left: f64,
    top: f64,
    pixel_height: f64,
    /// Price of a vertex, in square metres.
    pub(super) vertex: f64,
    /// Price of a corner halfway between right and straight.
    pub(super) slant: f64,
}

impl Energy {
    pub(super) fn new(window: &Window, labels: &[u32], vertex: f64) -> Energy {
        let (left, top) = window.metres(0, 0);
        let (_, below) = window.metres(0, 1);
        let (mut runs, mut rows) = (Vec::new(), Vec::new());
        for row in labels.chunks_exact(window.width) {
            let mut end = 0;
            for run in row.chunk_by(|a, b| a == b) {
                end += run.len();
                runs.push((window.metres(end, 0).0 - left, run[0]));
            }
            rows.push(runs.len());
        }
        Energy { runs, rows, left, top, pixel_height: below - top, vertex, slant: 0.0 }
    }

    /// The part of an edge in the area that has another label on the mesh than on the map, in square metres; only sums over closed lines mean
    /// something. With `M(K)` the area left of the edge, as far as `west`, that the map gives to `K`, it is `M(left) - M(right)` for an
    /// edge that runs downwards, and the negative of that upwards. No part of the lines of a sum may be beyond `west`, which is one for all.
    pub(super) fn edge(&self, from: Point, to: Point, sides: [u32; 2], west: f64) -> f64 {
        let (low, high) = if from.1 < to.1 { (from, to) } else { (to, from) };
        let height = high.1 - low.1;
        if height <= 0.0 {
            return 0.0;
        }
        let slope = (high.0 - low.0) / height;
        let row = |y: f64| ((y - self.top) / self.pixel_height).max(0.0);
        let (first, last) = (row(low.1) as usize, (row(high.1).ceil() as usize).min(self.rows.len()));
        let mut total = 0.0;
        for row in first..last {
            let start = low.1.max(self.top + row as f64 * self.pixel_height);
            let end = high.1.min(self.top + (row + 1) as f64 * self.pixel_height);
            let x = |y: f64| low.0 + (y - low.1) * slope - self.left;
            let (a, b) = (x(start), x(end));
            total += (end - start).max(0.0) * self.lengths(row, west - self.left, [a.min(b), a.max(b)], sides);
        }
        if to.1 >= from.1 { total } else { -total }
    }

    /// How much more of a row is `left` than `right` between `west` and a place, on the mean of all places from `a` to `b`.
    fn lengths(&self, row: usize, west: f64, [a, b]: [f64; 2], [left, right]: [u32; 2]) -> f64 {
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before]);
        let runs = &self.runs[start..self.rows[row]];
        let (mut at, mut sum) = (west.max(0.0), 0.0);
        for &(end, label) in &runs[runs.partition_point(|&(end, _)| end <= west)..] {
            if b <= at {
                break;
            }
            if label == left || label == right {
                let length = if end <= a {
                    end - at
                } else if (a >= at && b <= end) || b - a < SHORT {
                    (f64::midpoint(a, b).min(end) - at).max(0.0)
                } else {
                    // The integral of what of the run is west of a place.
                    let until = |x: f64| {
                        let within = (x - at).clamp(0.0, end - at);
                        within * (within / 2.0 + (x - end).max(0.0))
                    };
                    (until(b) - until(a)) / (b - a)
                };
                sum += if label == left { length } else { -length };
            }
            at = end;
        }
        sum
    }

    /// The price of the corner between two directions in which lines leave a point: `sin^2 2a` of the angle between them, nothing for right
    /// and straight ones, and the full price for those sharper than 60 degrees.
    pub(super) fn corner(&self, [at, a, b]: [Point; 3]) -> f64 {
        let ((ax, ay), (bx, by)) = ((a.0 - at.0, a.1 - at.1), (b.0 - at.0, b.1 - at.1));
        // Squares of cosine and sine, times those of both lengths.
        let (along, across) = (ax * bx + ay * by, ax * by - ay * bx);
        let lengths = ((ax * ax + ay * ay) * (bx * bx + by * by)).max(f64::MIN_POSITIVE);
        let cosine = along * along / lengths;
        if along > 0.0 && cosine > 0.25 { self.slant } else { self.slant * 4.0 * cosine * (across * across / lengths) }
    }
}

/// Metres between two places that are one.
const SHORT: f64 = 1e-9;
