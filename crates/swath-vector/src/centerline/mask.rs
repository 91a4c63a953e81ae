//! The pixels of the class near its skeleton, as runs, and how far it reaches along a ray.

use std::ops::Range;

use crate::Point;

/// Runs of columns, row by row.
#[derive(Debug, Default)]
pub(super) struct Mask {
    runs: Vec<Range<u32>>,
    /// Where the runs of each row end.
    rows: Vec<usize>,
}

impl Mask {
    /// Keeps the runs of some rows and columns of `mask` that come within `near` columns and rows of a pixel of `skeleton`; both have the rows
    /// around that decide about it.
    pub(super) fn keep(
        &mut self,
        mask: &[u8],
        skeleton: &[u8],
        across: usize,
        rows: Range<usize>,
        cols: Range<usize>,
        near: usize,
    ) {
        let last = mask.len() / across;
        // How many pixels of the skeleton each column has in the rows around.
        let mut counts = vec![0u32; across];
        let count = |row: usize, by: i32, counts: &mut [u32]| {
            for (count, _) in
                counts.iter_mut().zip(&skeleton[row * across..][..across]).filter(|(_, pixel)| **pixel != 0)
            {
                *count = count.wrapping_add_signed(by);
            }
        };
        let first = rows.start.saturating_sub(near);
        (first..(rows.start + near).min(last)).for_each(|row| count(row, 1, &mut counts));
        for row in rows {
            if row + near < last {
                count(row + near, 1, &mut counts);
            }
            if row > first + near {
                count(row - near - 1, -1, &mut counts);
            }
            let mut start = cols.start;
            for run in mask[row * across..][cols.clone()].chunk_by(|a, b| a == b) {
                let end = start + run.len();
                if run[0] != 0
                    && counts[start.saturating_sub(near)..(end + near).min(across)].iter().any(|&count| count > 0)
                {
                    self.runs.push((start - cols.start) as u32..(end - cols.start) as u32);
                }
                start = end;
            }
            self.rows.push(self.runs.len());
        }
    }

    /// Rows that were kept.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn has(&self, col: i64, row: i64) -> bool {
        let (Ok(col), Ok(row)) = (u32::try_from(col), usize::try_from(row)) else { return false };
        let Some(&end) = self.rows.get(row) else { return false };
        let start = row.checked_sub(1).map_or(0, |before| self.rows[before]);
        let runs = &self.runs[start..end];
        runs.get(runs.partition_point(|run| run.end <= col)).is_some_and(|run| run.contains(&col))
    }

    pub(super) fn holds(&self, (x, y): Point) -> bool {
        self.has(x.floor() as i64, y.floor() as i64)
    }

    /// How far the class reaches from a point in a direction, in its length: to the side of a pixel; `None` when that is farther than a limit.
    pub(super) fn reach(&self, from: Point, along: Point, limit: f64) -> Option<f64> {
        reach(from, along, limit, |col, row| self.has(col, row))
    }
}

/// How far pixels reach from a point in a direction, in its length: to the side of the first one that is not there; `None` when that is
/// farther than a limit. A ray through a corner goes on in the pixel opposite.
///
/// J. Amanatides, A. Woo, *A fast voxel traversal algorithm for ray tracing*, Eurographics 1987.
pub(super) fn reach(from: Point, along: Point, limit: f64, has: impl Fn(i64, i64) -> bool) -> Option<f64> {
    // Along one axis: the pixel, the step to the next one, the distance to its side, and from side to side.
    let axis = |from: f64, along: f64| {
        let pixel = from.floor();
        let side = if along > 0.0 { pixel + 1.0 - from } else { from - pixel };
        let (first, each) =
            if along == 0.0 { (f64::INFINITY, f64::INFINITY) } else { (side / along.abs(), 1.0 / along.abs()) };
        (pixel as i64, if along > 0.0 { 1 } else { -1 }, first, each)
    };
    let (mut col, right, mut x, each_x) = axis(from.0, along.0);
    let (mut row, down, mut y, each_y) = axis(from.1, along.1);
    let mut at = 0.0;
    while has(col, row) {
        at = x.min(y);
        if at > limit {
            return None;
        }
        let (over_x, over_y) = (x <= at + CORNER, y <= at + CORNER);
        if over_x {
            (col, x) = (col + right, x + each_x);
        }
        if over_y {
            (row, y) = (row + down, y + each_y);
        }
    }
    Some(at)
}

/// Lengths of a ray's direction between two sides of pixels that it crosses in their corner.
const CORNER: f64 = 1e-9;
