//! Opening and closing of one label by squares.
//!
//! A pixel of a set is kept when a square around some pixel of the set fits into it and holds the pixel. Opening looks at the label's
//! pixels, closing at all others. Nothing outside of the map, and no pixel without a label, is in the way of a square: what touches them counts as going on
//! there, as in OpenCV at the edge of an image. A square lies around a pixel of the map, so that it reaches `radius + 1` pixels into it.

use std::collections::VecDeque;

use super::majority::most_frequent;
use super::window::{RowFilter, Rows};
use crate::OUTSIDE;

#[derive(Debug)]
pub(super) struct Morphology {
    label: u32,
    radius: usize,
    opens: bool,
    /// For some rows: at which columns a square fits around the pixel.
    fits: VecDeque<Vec<bool>>,
    first: usize,
}

impl Morphology {
    pub(super) fn opening(label: u32, radius: usize) -> Morphology {
        Morphology { label, radius, opens: true, fits: VecDeque::new(), first: 0 }
    }

    pub(super) fn closing(label: u32, radius: usize) -> Morphology {
        Morphology { opens: false, ..Morphology::opening(label, radius) }
    }

    /// Whether a pixel is of the set that loses what is too narrow.
    fn is_in(&self, label: u32) -> bool {
        label != OUTSIDE && (label == self.label) == self.opens
    }

    fn fits(&self, rows: &Rows, row: usize) -> Vec<bool> {
        let blocked = |label: u32| label != OUTSIDE && !self.is_in(label);
        let mut narrow = vec![false; rows.width];
        for line in rows.around(row, self.radius) {
            // Columns to go until the last blocked pixel is out of reach.
            for (col, _) in line.iter().enumerate().filter(|&(_, &label)| blocked(label)) {
                narrow[col.saturating_sub(self.radius)..(col + self.radius + 1).min(rows.width)].fill(true);
            }
        }
        let centre = rows.get(row).unwrap_or_default();
        centre.iter().zip(narrow).map(|(&label, narrow)| self.is_in(label) && !narrow).collect()
    }
}

impl RowFilter for Morphology {
    fn reach(&self) -> usize {
        2 * self.radius
    }

    fn row(&mut self, rows: &Rows, row: usize, out: &mut Vec<u32>) {
        let radius = self.radius;
        let start = row.saturating_sub(radius);
        while self.first < start {
            self.fits.pop_front();
            self.first += 1;
        }
        while self.first + self.fits.len() <= row + radius && rows.get(self.first + self.fits.len()).is_some() {
            let fits = self.fits(rows, self.first + self.fits.len());
            self.fits.push_back(fits);
        }
        let mut kept = vec![false; rows.width];
        for fits in &self.fits {
            for (col, _) in fits.iter().enumerate().filter(|&(_, &fits)| fits) {
                kept[col.saturating_sub(radius)..(col + radius + 1).min(rows.width)].fill(true);
            }
        }
        let mut tally = Vec::new();
        let Some(centre) = rows.get(row) else { return };
        for (col, &label) in centre.iter().enumerate() {
            out.push(if !self.is_in(label) || kept[col] {
                label
            } else if self.opens {
                nearest(rows, row, col, 2 * radius, self.label, &mut tally)
            } else {
                self.label
            });
        }
    }
}

/// The label other than one that is nearest to a pixel, by the rings of squares around it; the most frequent of a ring.
fn nearest(rows: &Rows, row: usize, col: usize, reach: usize, but: u32, tally: &mut Vec<(u32, u32)>) -> u32 {
    for radius in 1..=reach {
        let ring = (row.saturating_sub(radius)..=row + radius).filter_map(|line| Some((line, rows.get(line)?)));
        let labels = ring.flat_map(|(line, labels)| {
            let whole = line + radius == row || line == row + radius;
            let columns = col.saturating_sub(radius)..(col + radius + 1).min(labels.len());
            let edge = move |&column: &usize| whole || column + radius == col || column == col + radius;
            columns.filter(edge).map(|column| labels[column])
        });
        let found = most_frequent(labels.filter(|&label| label != but), but, tally);
        if found != but {
            return found;
        }
    }
    but
}
