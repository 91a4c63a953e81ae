//! What a network learns from the labels of a chip.

use crate::IGNORE;

/// What a network learns from the labels of a chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The class of each pixel.
    #[default]
    Pixels,
    /// One class: that of most labelled pixels in a square of so many pixels at the chip's centre.
    Cell(usize),
}

impl Target {
    /// The part of a chip of `side` pixels that a drawn pixel has to lie in: where it starts and how long it is, along both
    /// axes, as shares of the side.
    pub(super) fn span(self, side: usize) -> (f64, f64) {
        match self {
            Target::Pixels => (0.0, 1.0),
            Target::Cell(cell) => {
                let share = |pixels: usize| pixels as f64 / side as f64;
                (share(before(side, cell)), share(cell))
            }
        }
    }

    /// Turns labels `[row, column]` of a chip of `side` pixels into what is learned from them.
    pub(super) fn apply(self, labels: &mut [u16], side: usize) {
        if let Target::Cell(cell) = self {
            let before = before(side, cell);
            let rows = labels.chunks_exact(side).skip(before).take(cell);
            let class = majority(rows.flat_map(|row| &row[before..before + cell]));
            labels.fill(class);
        }
    }
}

/// Pixels of a chip before the cell at its centre.
fn before(side: usize, cell: usize) -> usize {
    (side - cell) / 2
}

/// The class of most pixels, the first of several; [`IGNORE`] when none is labelled.
fn majority<'a>(labels: impl Iterator<Item = &'a u16>) -> u16 {
    let mut counts: Vec<usize> = Vec::new();
    for &label in labels.filter(|label| **label != IGNORE) {
        let class = usize::from(label);
        counts.resize(counts.len().max(class + 1), 0);
        counts[class] += 1;
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|&count| count == most).map_or(IGNORE, |class| class as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: u16 = IGNORE;

    #[test]
    fn a_cell_takes_the_class_of_most_of_its_labelled_pixels() {
        #[rustfmt::skip]
        let chip = [
            0, 0, 0, 0,
            0, 2, 1, 0,
            0, X, 2, 0,
            0, 0, 0, X,
        ];
        let applied = |target: Target| {
            let mut labels = chip;
            target.apply(&mut labels, 4);
            labels
        };
        assert_eq!(applied(Target::Pixels), chip);
        assert_eq!(applied(Target::Cell(2)), [2; 16]);
        assert_eq!(applied(Target::Cell(4)), [0; 16]);
        assert_eq!(applied(Target::Cell(1)), [2; 16], "of an even side the upper left of the four at the centre");
        let mut even = [1, 0, 0, 1];
        Target::Cell(2).apply(&mut even, 2);
        assert_eq!(even, [0; 4], "the first of equals");
        let mut none = [X; 9];
        Target::Cell(3).apply(&mut none, 3);
        assert_eq!(none, [X; 9]);
    }

    #[test]
    fn drawn_pixels_lie_in_the_cell() {
        assert_eq!(Target::Pixels.span(8), (0.0, 1.0));
        assert_eq!(Target::Cell(2).span(8), (0.375, 0.25));
        assert_eq!(Target::Cell(1).span(65), (32.0 / 65.0, 1.0 / 65.0));
    }
}
