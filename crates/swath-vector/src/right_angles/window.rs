//! The label map of a network: its regions on pixels, in a box around them.

use super::network::Network;
use crate::{Corner, Point};

/// A part of the raster, which may go beyond its edges.
#[derive(Debug)]
pub(super) struct Window {
    /// Columns and rows from the network's origin to the window's first corner.
    col: i64,
    row: i64,
    /// In pixels.
    pub(super) width: usize,
    pub(super) height: usize,
    origin: Corner,
    pixel: (f64, f64),
}

impl Window {
    /// The number of a corner in the window, row by row.
    pub(super) fn vertex(&self, corner: Corner) -> u32 {
        let col = i64::from(corner.col) - i64::from(self.origin.col) - self.col;
        let row = i64::from(corner.row) - i64::from(self.origin.row) - self.row;
        (row * (self.width as i64 + 1) + col) as u32
    }

    /// The numbers of the corners from one to another one in the same column or row, without the first.
    pub(super) fn between(&self, from: Corner, to: Corner) -> Vec<u32> {
        let (a, b) = (self.vertex(from), self.vertex(to));
        let step = if from.row == to.row { 1 } else { self.width as u32 + 1 };
        let count = a.abs_diff(b) / step;
        (1..=count).map(|at| if b > a { a + at * step } else { a - at * step }).collect()
    }

    /// A corner of the window in metres of the network.
    pub(super) fn metres(&self, col: usize, row: usize) -> Point {
        ((self.col + col as i64) as f64 * self.pixel.0, (self.row + row as i64) as f64 * self.pixel.1)
    }
}

impl Network {
    /// The box around the network, with some pixels around it.
    pub(super) fn window(&self, margin: u32) -> Window {
        let corners = || self.chains.iter().flat_map(|chain| &chain.points).map(|&point| self.corner(point));
        let low = corners().fold(self.origin, |low, at| Corner { col: low.col.min(at.col), row: low.row.min(at.row) });
        let high =
            corners().fold(self.origin, |high, at| Corner { col: high.col.max(at.col), row: high.row.max(at.row) });
        let side = |low: u32, high: u32| (high - low + 2 * margin) as usize;
        let start = |at: u32, origin: u32| i64::from(at) - i64::from(margin) - i64::from(origin);
        Window {
            col: start(low.col, self.origin.col),
            row: start(low.row, self.origin.row),
            width: side(low.col, high.col),
            height: side(low.row, high.row),
            origin: self.origin,
            pixel: self.pixel,
        }
    }

    /// The label map of a window: each member's number and one more, 0 elsewhere.
    pub(super) fn labels(&self, window: &Window) -> Vec<u32> {
        let across = window.width + 1;
        // Where a member begins along a row, and where it ends.
        let mut steps = vec![0i64; across * window.height];
        for (number, member) in self.members.iter().enumerate() {
            for (_, chains) in &member.rings {
                for &(chain, reversed) in chains {
                    for pair in self.chains[chain].points.windows(2) {
                        let (a, b) = (
                            window.vertex(self.corner(pair[0])) as usize,
                            window.vertex(self.corner(pair[1])) as usize,
                        );
                        if a % across == b % across {
                            // The member is on the left of its rings, which is east of an edge that runs down.
                            let sign = if (b > a) == reversed { -1 } else { 1 };
                            for at in (a.min(b)..a.max(b)).step_by(across) {
                                steps[at] += sign * (number as i64 + 1);
                            }
                        }
                    }
                }
            }
        }
        let mut labels = Vec::with_capacity(window.width * window.height);
        for row in steps.chunks_exact(across) {
            let mut label = 0;
            labels.extend(row[..window.width].iter().map(|step| {
                label += step;
                label as u32
            }));
        }
        labels
    }
}
