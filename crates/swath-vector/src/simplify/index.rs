//! The corners of a coverage by place.

use crate::{Corner, Coverage};

/// Corners in square cells. A place stands in it once, however many arcs end there.
#[derive(Debug)]
pub(super) struct CornerIndex {
    cells: Vec<Vec<Corner>>,
    across: usize,
}

impl CornerIndex {
    /// An empty index for corners up to this one.
    pub(super) fn new(last: Corner) -> CornerIndex {
        let across = (last.col >> CELL) as usize + 1;
        CornerIndex { cells: vec![Vec::new(); across * ((last.row >> CELL) as usize + 1)], across }
    }

    /// The corners of a coverage.
    pub(super) fn of(coverage: &Coverage) -> CornerIndex {
        let mut index = CornerIndex::new(last(coverage.arcs.iter().flat_map(|arc| &arc.corners).copied()));
        for arc in &coverage.arcs {
            let (Some(&first), Some(&last)) = (arc.corners.first(), arc.corners.last()) else { continue };
            arc.corners[1..arc.corners.len() - 1].iter().for_each(|&corner| index.insert(corner));
            index.insert_end(first);
            index.insert_end(last);
        }
        index
    }

    /// Adds a corner that one arc passes.
    pub(super) fn insert(&mut self, corner: Corner) {
        let cell = self.cell(corner);
        self.cells[cell].push(corner);
    }

    /// Adds a corner where several arcs may end.
    pub(super) fn insert_end(&mut self, corner: Corner) {
        let cell = self.cell(corner);
        if !self.cells[cell].contains(&corner) {
            self.cells[cell].push(corner);
        }
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

/// The opposite corner of all to the raster's first.
pub(super) fn last(corners: impl Iterator<Item = Corner>) -> Corner {
    corners.fold(Corner { col: 0, row: 0 }, |last, corner| Corner {
        col: last.col.max(corner.col),
        row: last.row.max(corner.row),
    })
}

/// Cells are two to this power of pixels wide.
const CELL: u32 = 3;
