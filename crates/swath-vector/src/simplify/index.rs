//! The corners of a coverage by place.

use crate::{Corner, Coverage};

/// Corners in square cells. A place stands in it once, however many arcs end there.
#[derive(Debug)]
pub(super) struct CornerIndex {
    cells: Vec<Vec<Corner>>,
    across: usize,
}

impl CornerIndex {
    pub(super) fn new(coverage: &Coverage) -> CornerIndex {
        let corners = || coverage.arcs.iter().flat_map(|arc| &arc.corners);
        let (cols, rows) = corners().fold((0, 0), |(cols, rows), corner| (cols.max(corner.col), rows.max(corner.row)));
        let across = (cols >> CELL) as usize + 1;
        let mut index = CornerIndex { cells: vec![Vec::new(); across * ((rows >> CELL) as usize + 1)], across };
        for arc in &coverage.arcs {
            let (Some(&first), Some(&last)) = (arc.corners.first(), arc.corners.last()) else { continue };
            for &corner in &arc.corners[1..arc.corners.len() - 1] {
                let cell = index.cell(corner);
                index.cells[cell].push(corner);
            }
            // Several arcs may end here.
            for end in [first, last] {
                let cell = index.cell(end);
                if !index.cells[cell].contains(&end) {
                    index.cells[cell].push(end);
                }
            }
        }
        index
    }

    pub(super) fn remove(&mut self, corner: Corner) {
        let cell = self.cell(corner);
        if let Some(at) = self.cells[cell].iter().position(|&other| other == corner) {
            self.cells[cell].swap_remove(at);
        }
    }

    /// The first corner between two opposite ones for which `holds`.
    pub(super) fn find(&self, low: Corner, high: Corner, mut holds: impl FnMut(Corner) -> bool) -> Option<Corner> {
        for row in (low.row >> CELL) as usize..=(high.row >> CELL) as usize {
            let cells = &self.cells[row * self.across..];
            for cell in &cells[(low.col >> CELL) as usize..=(high.col >> CELL) as usize] {
                for &corner in cell {
                    let within =
                        (low.col..=high.col).contains(&corner.col) && (low.row..=high.row).contains(&corner.row);
                    if within && holds(corner) {
                        return Some(corner);
                    }
                }
            }
        }
        None
    }

    fn cell(&self, corner: Corner) -> usize {
        (corner.row >> CELL) as usize * self.across + (corner.col >> CELL) as usize
    }
}

/// Cells are two to this power of pixels wide.
const CELL: u32 = 3;
