//! Adds the weighted scores of chips and hands out what is finished.
//!
//! Chips come row by row, left to right. What the chip in work touches lies in a buffer of its size; what the next chip
//! row still adds to is one ramp high and waits in a carry over the width of the scene. Each pixel is summed in the
//! order of the chips, starting from 0, so that its bits depend on nothing else:
//!
//! ```text
//!   carry   ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒   ramp of the chip row above
//!   buffer            ┌────────┬─┐
//!                     │ owned  │r│          owned: finished after this chip
//!                     ├────────┼─┤          r: moves to the left side for the next chip
//!                     └────────┴─┘          bottom ramp: replaces the carry
//! ```

use std::ops::Range;

use swath_geo::Window;

use super::plan::Plan;
use super::sink::Patch;
use super::softmax::{BLOCK, weighted_softmax};
use crate::IGNORE;
use crate::dihedral::Dihedral;

/// A chip of the chip grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its row in the chip grid.
    pub(crate) row: usize,
    /// Its column in the chip grid.
    pub(crate) col: usize,
}

/// The scores in work.
pub(crate) struct Blender<'p> {
    plan: &'p Plan,
    classes: usize,
    /// `[class, row, column]` of the chip in work, from its first touched pixel on.
    buffer: Vec<f32>,
    tall: usize,
    wide: usize,
    /// `[class, row, column]`: the ramp that the next chip row shares, over the width of the scene.
    carry: Vec<f32>,
    /// A chip laid back, for the rotated and reflected ones.
    upright: Vec<f32>,
    block: Vec<f32>,
    weights: Weights,
}

#[derive(Default)]
struct Weights {
    down: Vec<f32>,
    across: Vec<f32>,
}

impl<'p> Blender<'p> {
    pub(crate) fn new(plan: &'p Plan, classes: usize) -> Blender<'p> {
        let (tall, wide) = (plan.rows.longest(), plan.cols.longest());
        Blender {
            plan,
            classes,
            buffer: vec![0.0; classes * tall * wide],
            tall,
            wide,
            carry: vec![0.0; classes * plan.rows.ramp_len() * plan.width()],
            upright: Vec::new(),
            block: vec![0.0; classes * BLOCK],
            weights: Weights::default(),
        }
    }

    /// Begins a chip: what its neighbours to the left and above have added so far comes into the buffer.
    pub(crate) fn open(&mut self, place: Place) {
        let (rows, cols) = self.touched(place);
        let above = if place.row == 0 { 0 } else { self.plan.rows.shared(place.row - 1) };
        let left = if place.col == 0 { 0 } else { self.plan.cols.shared(place.col - 1) };
        let step = if place.col == 0 { 0 } else { self.plan.cols.owned(place.col - 1).len() };
        for class in 0..self.classes {
            for row in 0..rows.len() {
                let start = (class * self.tall + row) * self.wide;
                let line = &mut self.buffer[start..start + self.wide];
                line.copy_within(step..step + left, 0);
                let fresh = &mut line[left..cols.len()];
                if row < above {
                    let carried = self.plan.rows.ramp_len() * class + row;
                    fresh.copy_from_slice(&self.carry[carried * self.plan.width()..][cols.start + left..cols.end]);
                } else {
                    fresh.fill(0.0);
                }
            }
        }
        self.weights = Weights { down: self.plan.rows.weights(place.row), across: self.plan.cols.weights(place.col) };
    }

    /// Adds the scores of one chip, or of one laying of it. `logits` is `[class, row, column]` over the whole chip.
    /// Returns whether all scores are finite.
    pub(crate) fn add(&mut self, place: Place, laying: Dihedral, logits: &[f32]) -> bool {
        if laying == Dihedral::IDENTITY {
            return self.add_upright(place, logits);
        }
        let mut upright = std::mem::take(&mut self.upright);
        upright.resize(logits.len(), 0.0);
        laying.inverse().apply(self.plan.options.chip, logits, &mut upright);
        let finite = self.add_upright(place, &upright);
        self.upright = upright;
        finite
    }

    fn add_upright(&mut self, place: Place, logits: &[f32]) -> bool {
        let chip = self.plan.options.chip;
        let (rows, cols) = self.touched(place);
        let (top, left) = self.offset(place);
        let share = 1.0 / self.plan.layings().len() as f32;
        let inverse_temperature = 1.0 / self.plan.options.temperature;
        let mut finite = true;
        for row in 0..rows.len() {
            let down = self.weights.down[row] * share;
            if down == 0.0 {
                continue;
            }
            for start in (0..cols.len()).step_by(BLOCK) {
                let n = BLOCK.min(cols.len() - start);
                let mut factor = [0.0; BLOCK];
                for (factor, across) in factor.iter_mut().zip(&self.weights.across[start..start + n]) {
                    *factor = down * across;
                }
                let first = &logits[(top + row) * chip + left + start..];
                let factor = &mut factor[..n];
                finite &=
                    weighted_softmax(first, chip * chip, self.classes, inverse_temperature, factor, &mut self.block);
                for class in 0..self.classes {
                    let sums = &mut self.buffer[(class * self.tall + row) * self.wide + start..][..n];
                    for (sum, score) in sums.iter_mut().zip(&self.block[class * n..][..n]) {
                        *sum += score;
                    }
                }
            }
        }
        finite
    }

    /// Ends a chip: what later chips still add to is put away. With the validity of the chip's pixels,
    /// what is finished comes back.
    pub(crate) fn close(&mut self, place: Place, valid: &Valid, with_scores: bool) -> Patch {
        self.put_away(place);
        let (rows, cols) = self.owned(place);
        let window = Window::new(cols.start as isize, rows.start as isize, cols.len(), rows.len());
        let mut patch = Patch::invalid(window, if with_scores { self.classes } else { 0 });
        let Valid::Some(valid) = valid else { return patch };
        let (top, left) = self.offset(place);
        let n = cols.len();
        for row in 0..rows.len() {
            let valid = &valid[(top + row) * self.plan.options.chip + left..][..n];
            let labels = &mut patch.labels[row * n..][..n];
            let best = &mut patch.confidence[row * n..][..n];
            best.copy_from_slice(&self.buffer[row * self.wide..][..n]);
            labels.fill(0);
            for class in 1..self.classes {
                let sums = &self.buffer[(class * self.tall + row) * self.wide..][..n];
                for ((label, best), &sum) in labels.iter_mut().zip(&mut *best).zip(sums) {
                    // Not `>=`: the first of equal classes wins.
                    *label = if sum > *best { class as u16 } else { *label };
                    *best = if sum > *best { sum } else { *best };
                }
            }
            for ((label, best), &valid) in labels.iter_mut().zip(best).zip(valid) {
                *label = if valid { *label } else { IGNORE };
                *best = if valid { best.min(1.0) } else { 0.0 };
            }
            for (class, scores) in patch.scores.chunks_exact_mut(rows.len() * n).enumerate() {
                let sums = &self.buffer[(class * self.tall + row) * self.wide..][..n];
                for ((score, &sum), &valid) in scores[row * n..][..n].iter_mut().zip(sums).zip(valid) {
                    *score = if valid { sum.min(1.0) } else { 0.0 };
                }
            }
        }
        patch
    }

    /// Ends a chip of which only the bottom ramp was wanted, for the chip row below.
    pub(crate) fn put_away(&mut self, place: Place) {
        let (rows, cols) = self.owned(place);
        for class in 0..self.classes {
            for row in 0..self.plan.rows.shared(place.row) {
                let from = &self.buffer[(class * self.tall + rows.len() + row) * self.wide..][..cols.len()];
                let carried = self.plan.rows.ramp_len() * class + row;
                self.carry[carried * self.plan.width()..][cols.clone()].copy_from_slice(from);
            }
        }
    }

    fn touched(&self, place: Place) -> (Range<usize>, Range<usize>) {
        (self.plan.rows.touched(place.row), self.plan.cols.touched(place.col))
    }

    fn owned(&self, place: Place) -> (Range<usize>, Range<usize>) {
        (self.plan.rows.owned(place.row), self.plan.cols.owned(place.col))
    }

    /// Row and column of the first touched pixel within the chip.
    fn offset(&self, place: Place) -> (usize, usize) {
        let (rows, cols) = self.touched(place);
        let within = |start: usize, origin: isize| (start as isize - origin) as usize;
        (within(rows.start, self.plan.rows.origin(place.row)), within(cols.start, self.plan.cols.origin(place.col)))
    }
}

/// Which pixels of a chip hold data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Valid {
    /// None in the part that matters; the network need not see the chip.
    None,
    /// Row by row over the whole chip.
    Some(Vec<bool>),
}

impl Valid {
    /// Looks only at the part of the chip that has weight; `ramp_only` looks at the part shared with the next row.
    pub(crate) fn within(plan: &Plan, place: Place, ramp_only: bool, valid: Vec<bool>) -> Valid {
        let window = plan.chip(place.row, place.col);
        let (mut rows, cols) = (plan.rows.touched(place.row), plan.cols.touched(place.col));
        if ramp_only {
            rows.start = plan.rows.owned(place.row).end;
        }
        let left = (cols.start as isize - window.col) as usize;
        let any = rows.into_iter().any(|row| {
            let row = (row as isize - window.row) as usize;
            valid[row * window.width + left..][..cols.len()].contains(&true)
        });
        if any { Valid::Some(valid) } else { Valid::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::{Blend, Options};

    #[test]
    fn the_memory_that_is_promised_is_the_memory_that_is_taken() {
        for (width, chip, overlap, blend) in
            [(1000, 64, 32, Blend::Cosine), (70, 64, 9, Blend::Linear), (300, 512, 0, Blend::None)]
        {
            let options = Options { chip, overlap, blend, ..Options::default() };
            let plan = Plan::new(width, 500, &options).unwrap();
            let blender = Blender::new(&plan, 7);
            let taken = (blender.buffer.capacity() + blender.carry.capacity()) * size_of::<f32>();
            assert_eq!(taken, plan.memory(3, 7).accumulators);
        }
    }
}
