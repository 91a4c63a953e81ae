//! Kernels of direct convolutions as right matrices.

use std::ops::Range;

use super::lines::Lines;
use super::{Groups, Pattern};
use crate::blocking;
use crate::memory::Buffer;
use crate::operands::{Operands, Pairs, Precision, first_of_pair, pair, round_rows, second_of_pair};
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::simd::WIDEST;
use crate::threads::parallel;
#[cfg(target_arch = "x86_64")]
use crate::tiles::Ahead;

/// For each phase and group a right matrix, `[panel][tap][channel][column]`; with pairs, two neighbours of tap and channel
/// share a word.
pub(crate) struct Gathered {
    values: Buffer,
    pub(crate) panels: Panels,
    pub(crate) groups: Groups,
    pub(crate) precision: Precision,
    /// Where the matrices of each phase start.
    starts: Vec<usize>,
    /// Taps and channels of each phase.
    depths: Vec<usize>,
    /// Rows of their matrices.
    rows: Vec<usize>,
}

impl Gathered {
    /// `weight(output channel, input channel within its group, place in the kernel)` gives one weight.
    pub(crate) fn new(
        pattern: &Pattern,
        groups: Groups,
        panels: Panels,
        weight: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Gathered {
        let depths: Vec<usize> = pattern.phases.iter().map(|phase| phase.taps.len() * groups.inputs).collect();
        let size = |depth: &usize| depth * panels.columns() * groups.count;
        let starts = depths.iter().scan(0, |next, depth| {
            let start = *next;
            *next += size(depth);
            Some(start)
        });
        let starts: Vec<usize> = starts.collect();
        let mut values = Buffer::new(depths.iter().map(size).sum());
        let shared = SharedMut(values.as_mut_ptr());
        let (inputs, outputs) = (groups.inputs / groups.merged, groups.outputs / groups.merged);
        for ((phase, depth), start) in pattern.phases.iter().zip(&depths).zip(&starts) {
            parallel(groups.count * panels.count(), |item| {
                let (group, panel) = (item / panels.count(), item % panels.count());
                let (first, width) = (panels.first(panel), panels.width(panel));
                let start = start + (group * panels.columns() + first) * depth;
                for (tap, channel) in (0..phase.taps.len()).flat_map(|tap| (0..groups.inputs).map(move |c| (tap, c))) {
                    let at = start + (tap * groups.inputs + channel) * width;
                    for column in 0..width {
                        let output = first + column;
                        // Merged groups know nothing of each other.
                        let connected = output < groups.outputs && output / outputs == channel / inputs;
                        let value = if connected {
                            weight(group * groups.outputs + output, channel % inputs, phase.taps[tap].index)
                        } else {
                            0.0
                        };
                        // SAFETY: each item has its own part of the buffer, `depth * width` floats from `start`.
                        unsafe { shared.get().add(at + column).write(value) };
                    }
                }
            });
        }
        Gathered { values, panels, groups, precision: Precision::Fp32, starts, rows: depths.clone(), depths }
    }

    /// The same in bfloat16; for tiles, with rows of zeros that make whole blocks.
    pub(crate) fn rounded(self, for_tiles: bool) -> Gathered {
        let rows = |depth: &usize| match for_tiles {
            true => Pairs::words(*depth).next_multiple_of(WIDEST),
            false => Pairs::words(*depth),
        };
        let rows = self.depths.iter().map(rows).collect();
        let pairs = self.with_pairs(Precision::Bf16, rows, |phase, from, width, out| {
            let (out, zeros) = out.split_at_mut(Pairs::words(self.depths[phase]) * width);
            round_rows(from, width, out);
            zeros.fill(0.0);
        });
        self.values.discard();
        pairs
    }

    /// The same in parts of bfloat16, in the order of the lines of each phase: rows of a block are followed by what rounding took of them.
    pub(crate) fn in_lines(self, pattern: &Pattern, precision: Precision) -> Gathered {
        let (inputs, parts) = (self.groups.inputs, precision.parts());
        let lines: Vec<Lines> = pattern.phases.iter().map(|phase| Lines::new(phase, &self.groups)).collect();
        let rows = lines.iter().map(|lines| parts * lines.words()).collect();
        let pairs = self.with_pairs(precision, rows, |phase, from, width, out| {
            let block = lines[phase].block;
            for (index, (tap, channel)) in lines[phase].places().enumerate() {
                let row = index / block * parts * block + index % block;
                for column in 0..width {
                    let weight = |channel: usize| match channel < inputs {
                        true => from[(tap * inputs + channel) * width + column],
                        false => 0.0,
                    };
                    let mut left = [weight(channel), weight(channel + 1)];
                    for part in 0..parts {
                        let rounded = pair(left[0], left[1]);
                        out[(row + part * block) * width + column] = rounded;
                        let rest = [left[0] - first_of_pair(rounded), left[1] - second_of_pair(rounded)];
                        // Infinity leaves nothing.
                        left = rest.map(|rest| if rest.is_finite() { rest } else { 0.0 });
                    }
                }
            }
        });
        self.values.discard();
        pairs
    }

    /// Other matrices of so many `rows` in each phase: `fill(phase, matrix, width, rows of pairs)` for each of them.
    fn with_pairs(
        &self,
        precision: Precision,
        rows: Vec<usize>,
        fill: impl Fn(usize, &[f32], usize, &mut [f32]) + Sync,
    ) -> Gathered {
        let columns = self.panels.columns() * self.groups.count;
        let starts = rows.iter().scan(0, |next, rows| Some(std::mem::replace(next, *next + rows * columns))).collect();
        let values = Buffer::new(rows.iter().sum::<usize>() * columns);
        let (panels, groups, depths) = (self.panels, self.groups, self.depths.clone());
        let mut pairs = Gathered { values, panels, groups, precision, starts, depths, rows };
        let shared = SharedMut(pairs.values.as_mut_ptr());
        for phase in 0..self.rows.len() {
            parallel(groups.count * panels.count(), |item| {
                let (group, panel) = (item / panels.count(), item % panels.count());
                let width = panels.width(panel);
                let from = &self.values[self.start(phase, group, panel)..][..self.rows[phase] * width];
                let (start, len) = (pairs.start(phase, group, panel), pairs.rows[phase] * width);
                // SAFETY: each item has its own part of the buffer.
                fill(phase, from, width, unsafe { std::slice::from_raw_parts_mut(shared.get().add(start), len) });
            });
        }
        pairs
    }

    /// The matrix of a phase, group and panel: [`rows`](Self::rows) of the panel's width.
    #[inline(always)]
    pub(crate) fn matrix(&self, phase: usize, group: usize, panel: usize) -> *const f32 {
        self.values[self.start(phase, group, panel)..].as_ptr()
    }

    /// Panels of a phase and group that tiles are multiplied with one after the other, and what asks for the next ones meanwhile.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn panels_together(
        &self,
        [phase, group]: [usize; 2],
        panels: Range<usize>,
    ) -> impl Iterator<Item = (Range<usize>, Ahead<'_>)> {
        let together = blocking::panels_together(self.rows(phase) * self.panels.widest());
        let start = move |panel: usize| self.start(phase, group, panel);
        panels.clone().step_by(together).map(move |first| {
            let end = (first + together).min(panels.end);
            let next = (end + together).min(panels.end);
            let words = if end < next {
                start(end)..start(next - 1) + self.rows(phase) * self.panels.width(next - 1)
            } else {
                0..0
            };
            (first..end, Ahead::new(&self.values[words]))
        })
    }

    #[inline(always)]
    fn start(&self, phase: usize, group: usize, panel: usize) -> usize {
        let before = group * self.panels.columns() + self.panels.first(panel);
        self.starts[phase] + before * self.rows(phase)
    }

    /// Taps and channels of a phase.
    pub(crate) fn depth(&self, phase: usize) -> usize {
        self.depths[phase]
    }

    /// Rows of a phase's matrices.
    #[inline(always)]
    pub(crate) fn rows(&self, phase: usize) -> usize {
        self.rows[phase]
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}
