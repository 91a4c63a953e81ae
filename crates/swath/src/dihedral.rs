//! The eight ways to lay a square chip: four quarter turns, each also mirrored (the dihedral group).

/// A rotation or reflection of a square.
///
/// Destination pixel (row, column) is taken from the source pixel that is found by first swapping row and column
/// (`transpose`), then counting rows from the bottom (`flip_rows`) and columns from the right (`flip_cols`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dihedral {
    transpose: bool,
    flip_rows: bool,
    flip_cols: bool,
}

impl Dihedral {
    /// Leaves the chip as it is.
    pub(crate) const IDENTITY: Dihedral = Dihedral { transpose: false, flip_rows: false, flip_cols: false };

    /// All eight, the identity first.
    pub(crate) const ALL: [Dihedral; 8] = {
        let mut all = [Dihedral::IDENTITY; 8];
        let mut i = 0;
        while i < 8 {
            all[i] = Dihedral { transpose: i & 4 != 0, flip_rows: i & 2 != 0, flip_cols: i & 1 != 0 };
            i += 1;
        }
        all
    };

    /// The one that undoes this one.
    pub(crate) fn inverse(self) -> Dihedral {
        if self.transpose {
            Dihedral { transpose: true, flip_rows: self.flip_cols, flip_cols: self.flip_rows }
        } else {
            self
        }
    }

    /// Where a place (x, y) of a square of `side` comes to lie; whole numbers are corners of pixels.
    pub(crate) fn place(self, side: f64, (x, y): (f64, f64)) -> (f64, f64) {
        let along = |flip: bool, at: f64| if flip { side - at } else { at };
        let (x, y) = (along(self.flip_cols, x), along(self.flip_rows, y));
        if self.transpose { (y, x) } else { (x, y) }
    }

    /// Lays square planes of `side` x `side` values, one after another in `from`, into `to`.
    ///
    /// # Panics
    /// When the two differ in length or do not hold whole planes.
    pub(crate) fn apply<T: Copy>(self, side: usize, from: &[T], to: &mut [T]) {
        assert_eq!(from.len(), to.len());
        assert_eq!(from.len() % (side * side), 0);
        for (source, target) in from.chunks_exact(side * side).zip(to.chunks_exact_mut(side * side)) {
            if self.transpose {
                self.lay_transposed(side, source, target);
            } else {
                self.lay_upright(side, source, target);
            }
        }
    }

    fn lay_upright<T: Copy>(self, side: usize, source: &[T], target: &mut [T]) {
        for (row, line) in target.chunks_exact_mut(side).enumerate() {
            line.copy_from_slice(&source[along(self.flip_rows, row, side) * side..][..side]);
            if self.flip_cols {
                line.reverse();
            }
        }
    }

    /// Destination (row, col) is source (col, row), flipped; by squares that stay in the processor's cache.
    fn lay_transposed<T: Copy>(self, side: usize, source: &[T], target: &mut [T]) {
        const SQUARE: usize = 16;
        for rows in (0..side).step_by(SQUARE) {
            for cols in (0..side).step_by(SQUARE) {
                for row in rows..(rows + SQUARE).min(side) {
                    let from = along(self.flip_cols, row, side);
                    for col in cols..(cols + SQUARE).min(side) {
                        target[row * side + col] = source[along(self.flip_rows, col, side) * side + from];
                    }
                }
            }
        }
    }
}

fn along(flip: bool, i: usize, side: usize) -> usize {
    if flip { side - 1 - i } else { i }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: [f32; 9] = [1., 2., 3., 4., 5., 6., 7., 8., 9.];

    fn laid(by: Dihedral, square: &[f32; 9]) -> [f32; 9] {
        let mut out = [0.0; 9];
        by.apply(3, square, &mut out);
        out
    }

    #[test]
    fn places_go_where_their_pixels_go() {
        for by in Dihedral::ALL {
            let out = laid(by, &SQUARE);
            for (at, value) in SQUARE.iter().enumerate() {
                let (x, y) = by.place(3.0, ((at % 3) as f64 + 0.5, (at / 3) as f64 + 0.5));
                assert_eq!(out[y as usize * 3 + x as usize], *value, "{by:?}");
                assert_eq!((x.fract(), y.fract()), (0.5, 0.5));
            }
        }
    }

    #[test]
    fn the_eight_are_different_and_the_first_is_the_identity() {
        let all = Dihedral::ALL.map(|by| laid(by, &SQUARE));
        assert_eq!(all[0], SQUARE);
        for i in 0..8 {
            for j in 0..i {
                assert_ne!(all[i], all[j]);
            }
        }
    }

    #[test]
    fn inverses_restore_every_plane() {
        let two: Vec<u16> = (0..2 * 20 * 20).collect();
        for by in Dihedral::ALL {
            let (mut there, mut back) = (vec![0; two.len()], vec![0; two.len()]);
            by.apply(20, &two, &mut there);
            by.inverse().apply(20, &there, &mut back);
            assert_eq!(back, two, "{by:?}");
        }
    }

    #[test]
    fn a_transposition_with_one_flip_is_a_quarter_turn() {
        let turn = Dihedral { transpose: true, flip_rows: true, flip_cols: false };
        assert_eq!(laid(turn, &SQUARE), [7., 4., 1., 8., 5., 2., 9., 6., 3.]);
    }
}
