//! Steps that look at rows above and below.

use std::collections::VecDeque;

use super::Stage;

/// Computes a row from the rows around it.
pub(super) trait RowFilter {
    /// How many rows above and below are looked at.
    fn reach(&self) -> usize;

    /// Appends one row to `out`.
    fn row(&mut self, rows: &Rows, row: usize, out: &mut Vec<u32>);
}

/// Some rows of a map.
#[derive(Debug)]
pub(super) struct Rows {
    rows: VecDeque<Vec<u32>>,
    /// Number of the first of them.
    first: usize,
    pub(super) width: usize,
}

impl Rows {
    /// A row, if the map has it. Rows that are within reach are there.
    pub(super) fn get(&self, row: usize) -> Option<&[u32]> {
        row.checked_sub(self.first).and_then(|at| self.rows.get(at)).map(Vec::as_slice)
    }

    /// The rows of the map that are not more than `radius` away from one.
    pub(super) fn around(&self, row: usize, radius: usize) -> impl Iterator<Item = &[u32]> {
        (row.saturating_sub(radius)..=row + radius).filter_map(|row| self.get(row))
    }

    fn end(&self) -> usize {
        self.first + self.rows.len()
    }
}

/// A filter with the rows that it looks at.
pub(super) struct Windowed<F> {
    filter: F,
    rows: Rows,
    /// The row that is computed next.
    next: usize,
}

impl<F: RowFilter> Windowed<F> {
    pub(super) fn new(width: usize, filter: F) -> Windowed<F> {
        Windowed { filter, rows: Rows { rows: VecDeque::new(), first: 0, width }, next: 0 }
    }

    fn advance(&mut self, until: usize, out: &mut Vec<u32>) {
        while self.next < until {
            self.filter.row(&self.rows, self.next, out);
            self.next += 1;
            if self.rows.first + self.filter.reach() < self.next {
                self.rows.rows.pop_front();
                self.rows.first += 1;
            }
        }
    }
}

impl<F: RowFilter> Stage for Windowed<F> {
    fn push(&mut self, row: &[u32], out: &mut Vec<u32>) {
        self.rows.rows.push_back(row.to_vec());
        self.advance(self.rows.end().saturating_sub(self.filter.reach()), out);
    }

    fn finish(&mut self, out: &mut Vec<u32>) {
        self.advance(self.rows.end(), out);
    }
}
