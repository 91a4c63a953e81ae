//! The corners of a coverage by place: a bit for every corner of the raster.

use crate::{Corner, Coverage};

/// Corners in squares of eight by eight, a word each. A place stands in it once, however many arcs end there.
#[derive(Debug)]
pub(super) struct CornerIndex {
    /// A bit for each corner of a square, row by row.
    squares: Vec<u64>,
    across: usize,
}

impl CornerIndex {
    /// The corners of a coverage.
    pub(super) fn of(coverage: &Coverage) -> CornerIndex {
        let last = coverage.corners.iter().fold(Corner { col: 0, row: 0 }, |last, corner| Corner {
            col: last.col.max(corner.col),
            row: last.row.max(corner.row),
        });
        let across = (last.col / SIDE) as usize + 1;
        let mut index = CornerIndex { squares: vec![0; across * ((last.row / SIDE) as usize + 1)], across };
        for &corner in &coverage.corners {
            let (square, bit) = index.place(corner);
            index.squares[square] |= bit;
        }
        index
    }

    /// Takes a corner out that no other arc has.
    pub(super) fn remove(&mut self, corner: Corner) {
        let (square, bit) = self.place(corner);
        self.squares[square] &= !bit;
    }

    /// The first corner between two opposite ones for which `holds`.
    pub(super) fn find(&self, low: Corner, high: Corner, mut holds: impl FnMut(Corner) -> bool) -> Option<Corner> {
        for down in low.row / SIDE..=high.row / SIDE {
            let rows = between(low.row, high.row, down) as u64;
            // A byte for each row of the square.
            let rows = (0..SIDE).filter(|row| rows >> row & 1 == 1).fold(0, |mask, row| mask | 0xff << (SIDE * row));
            for along in low.col / SIDE..=high.col / SIDE {
                let columns = between(low.col, high.col, along) as u64 * 0x0101_0101_0101_0101;
                let mut bits = self.squares[down as usize * self.across + along as usize] & rows & columns;
                while bits != 0 {
                    let bit = bits.trailing_zeros();
                    bits &= bits - 1;
                    let corner = Corner { col: along * SIDE + bit % SIDE, row: down * SIDE + bit / SIDE };
                    if holds(corner) {
                        return Some(corner);
                    }
                }
            }
        }
        None
    }

    /// The square of a corner, and its bit there.
    fn place(&self, corner: Corner) -> (usize, u64) {
        let square = (corner.row / SIDE) as usize * self.across + (corner.col / SIDE) as usize;
        (square, 1 << (corner.row % SIDE * SIDE + corner.col % SIDE))
    }
}

/// Which of the eight lines of a square lie between two lines, the first in the lowest bit.
fn between(low: u32, high: u32, square: u32) -> u8 {
    let first = low.saturating_sub(square * SIDE);
    let last = (high - square * SIDE).min(SIDE - 1);
    (0xff << first) & (0xff >> (SIDE - 1 - last))
}

/// Corners along a side of a square.
const SIDE: u32 = 8;
