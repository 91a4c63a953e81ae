//! Columns of right matrices, cut into panels of one or two vectors.

use crate::image::padded;
use crate::isa::Isa;

/// The panels of a right matrix. All are two vectors wide; the last is one where the padded number of columns is odd in
/// vectors, which happens with vectors of 16 only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels {
    columns: usize,
    lanes: usize,
}

impl Panels {
    /// Panels of `columns`, padded to 16.
    pub(crate) fn new(isa: Isa, columns: usize) -> Panels {
        Panels { columns: padded(columns), lanes: isa.lanes() }
    }

    pub(crate) fn count(&self) -> usize {
        self.columns.div_ceil(2 * self.lanes)
    }

    /// The first column of a panel.
    #[inline(always)]
    pub(crate) fn first(&self, panel: usize) -> usize {
        panel * 2 * self.lanes
    }

    /// Columns of a panel.
    #[inline(always)]
    pub(crate) fn width(&self, panel: usize) -> usize {
        (self.columns - self.first(panel)).min(2 * self.lanes)
    }

    /// Columns of the widest panel.
    #[inline(always)]
    pub(crate) fn widest(&self) -> usize {
        self.columns.min(2 * self.lanes)
    }

    /// Columns of all panels.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }
}
