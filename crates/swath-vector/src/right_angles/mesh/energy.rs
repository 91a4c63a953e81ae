//! What a boundary costs: pixels on its wrong side, and corners that are not right.

use super::super::network::Window;
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
    /// something. With `M(K)` the area left of the edge, as far as the window, that the map gives to `K`, it is `M(left) - M(right)` for an
    /// edge that runs downwards, and the negative of that upwards.
    pub(super) fn edge(&self, from: Point, to: Point, [left, right]: [u32; 2]) -> f64 {
        let (low, high) = if from.1 < to.1 { (from, to) } else { (to, from) };
        let slope = (high.0 - low.0) / (high.1 - low.1);
        let mut total = 0.0;
        let mut y = low.1;
        while y < high.1 {
            // By half rows, so that edges between the pixels count as what they are.
            let half = self.pixel_height / 2.0;
            let row = ((y - self.top) / half + 1e-9).floor();
            let next = (self.top + (row + 1.0) * half).min(high.1);
            let x = low.0 + ((y + next) / 2.0 - low.1) * slope - self.left;
            total += (next - y) * self.lengths((row / 2.0).floor(), x, left, right);
            y = next.max(y + 1e-9);
        }
        if to.1 >= from.1 { total } else { -total }
    }

    /// How much more of a row is `left` than `right`, up to a place.
    fn lengths(&self, row: f64, x: f64, left: u32, right: u32) -> f64 {
        if row < 0.0 || row >= self.rows.len() as f64 {
            return 0.0;
        }
        let row = row as usize;
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before]);
        let (mut at, mut sum) = (0.0, 0.0);
        for &(end, label) in &self.runs[start..self.rows[row]] {
            let length = end.min(x) - at;
            if length <= 0.0 {
                break;
            }
            sum += match label {
                _ if label == left => length,
                _ if label == right => -length,
                _ => 0.0,
            };
            at = end;
        }
        sum
    }

    /// The price of the corner between two directions in which lines leave a point: `sin^2 2a` of the angle between them, nothing for right
    /// and straight ones, and the full price for those sharper than 60 degrees.
    pub(super) fn corner(&self, at: Point, a: Point, b: Point) -> f64 {
        let ((ax, ay), (bx, by)) = ((a.0 - at.0, a.1 - at.1), (b.0 - at.0, b.1 - at.1));
        let lengths = (ax.hypot(ay) * bx.hypot(by)).max(f64::MIN_POSITIVE);
        let (cosine, sine) = ((ax * bx + ay * by) / lengths, (ax * by - ay * bx) / lengths);
        if cosine > 0.5 { self.slant } else { self.slant * 4.0 * sine * sine * cosine * cosine }
    }
}
