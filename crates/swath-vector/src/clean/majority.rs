//! The most frequent label around each pixel.

use super::window::{RowFilter, Rows};
use crate::OUTSIDE;

#[derive(Debug)]
pub(super) struct Majority {
    pub(super) radius: usize,
}

impl RowFilter for Majority {
    fn reach(&self) -> usize {
        self.radius
    }

    fn row(&mut self, rows: &Rows, row: usize, out: &mut Vec<u32>) {
        let lines: Vec<&[u32]> = rows.around(row, self.radius).collect();
        let Some(centre) = rows.get(row) else { return };
        let mut tally = Vec::new();
        for (col, &own) in centre.iter().enumerate() {
            let columns = col.saturating_sub(self.radius)..(col + self.radius + 1).min(rows.width);
            let square = lines.iter().flat_map(|line| &line[columns.clone()]);
            let same = square.clone().filter(|&&label| label == own).count();
            // Most pixels lie among their like.
            let decided = own == OUTSIDE || 2 * same >= columns.len() * lines.len();
            out.push(if decided { own } else { most_frequent(square.copied(), own, &mut tally) });
        }
    }
}

/// The most frequent label; of several, `own` if it is one of them, or the smallest.
pub(super) fn most_frequent(labels: impl Iterator<Item = u32>, own: u32, tally: &mut Vec<(u32, u32)>) -> u32 {
    tally.clear();
    for label in labels.filter(|&label| label != OUTSIDE) {
        match tally.iter_mut().find(|(other, _)| *other == label) {
            Some((_, count)) => *count += 1,
            None => tally.push((label, 1)),
        }
    }
    let best = tally.iter().max_by_key(|&&(label, count)| (count, label == own, std::cmp::Reverse(label)));
    best.map_or(own, |&(label, _)| label)
}
