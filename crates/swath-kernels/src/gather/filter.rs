//! Kernels of direct convolutions as right matrices.

use std::ops::Range;

use super::lines::Lines;
use super::{Groups, Pattern, Phase};
use crate::blocking;
use crate::isa::{self, Isa};
use crate::memory::Buffer;
use crate::operands::{Operands, Pairs, Precision};
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
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

/// A convolution's weights, in the order of its users.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub values: &'a [f32],
    /// Channels that each group of the convolution reads, and those that it writes.
    pub inputs: usize,
    pub outputs: usize,
    /// Places in the kernel.
    pub taps: usize,
    /// Whether they are those of a transposed convolution: `[input, output of its group]` instead of `[output, input of its group]`.
    pub transposed: bool,
}

impl Weights<'_> {
    /// Where the weights of an output begin, and how far they are from input to input.
    fn place(&self, output: usize) -> (usize, usize) {
        let Weights { inputs, outputs, taps, .. } = *self;
        match self.transposed {
            true => ((output / outputs * inputs * outputs + output % outputs) * taps, outputs * taps),
            false => (output * inputs * taps, taps),
        }
    }
}

/// The weights that a panel of outputs has for one input channel after the other.
struct Columns<'a> {
    weights: Weights<'a>,
    /// Of each column, where its weights begin, and the first channel of the group that they are for.
    places: [(usize, usize); MOST_COLUMNS],
    width: usize,
    /// Floats from input to input.
    step: usize,
}

/// Columns of a panel, at most: two of the widest vectors.
const MOST_COLUMNS: usize = 2 * WIDEST;

/// A row of a panel.
type Row = [f32; MOST_COLUMNS];

impl<'a> Columns<'a> {
    fn new(weights: Weights<'a>, groups: &Groups, [group, first, width]: [usize; 3]) -> Columns<'a> {
        // Beyond the last output no channel is one of its own.
        let mut places = [(0, usize::MAX); MOST_COLUMNS];
        let mut step = 0;
        let outputs = groups.outputs.saturating_sub(first);
        for (column, place) in places.iter_mut().enumerate().take(width.min(outputs)) {
            let output = first + column;
            let (start, from) = weights.place(group * groups.outputs + output);
            // Merged groups know nothing of each other.
            *place = (start, output / weights.outputs * weights.inputs);
            step = from;
        }
        Columns { weights, places, width, step }
    }

    /// The weights of all columns for a channel of the group, at a place in the kernel.
    #[inline(always)]
    fn row(&self, channel: usize, tap: usize) -> Row {
        let mut row = [0.0; MOST_COLUMNS];
        for (value, (start, first)) in row.iter_mut().zip(self.places).take(self.width) {
            let own = channel.wrapping_sub(first);
            if own < self.weights.inputs {
                *value = self.weights.values[start + own * self.step + tap];
            }
        }
        row
    }
}

/// What a word of a matrix is made of: two channels with their taps, if they are there.
type Word = [Option<(usize, usize)>; 2];

/// Rounds words of a panel, `parts` rows for each, `rest` rows from each other.
struct RoundPanel<'a, W> {
    columns: Columns<'a>,
    parts: usize,
    rest: usize,
    /// Row and contents of each word.
    words: W,
    out: &'a mut [f32],
}

impl<W: Iterator<Item = (usize, Word)>> Kernel for RoundPanel<'_, W> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let RoundPanel { columns, parts, rest, words, out } = self;
        let width = columns.width;
        for (row, word) in words {
            let mut values = [[0.0; MOST_COLUMNS]; 2];
            for (values, place) in values.iter_mut().zip(word) {
                if let Some((channel, tap)) = place {
                    *values = columns.row(channel, tap);
                }
            }
            for part in 0..parts {
                let to = &mut out[(row + part * rest) * width..][..width];
                for lane in (0..width).step_by(S::LANES) {
                    // SAFETY: panels are whole vectors.
                    unsafe {
                        let (a, b) = (values[0].as_mut_ptr().add(lane), values[1].as_mut_ptr().add(lane));
                        let pairs = S::pair_lanes(S::load(a), S::load(b));
                        S::store(to.as_mut_ptr().add(lane), pairs);
                        S::store(a, left::<S>(S::load(a), S::first(pairs)));
                        S::store(b, left::<S>(S::load(b), S::second(pairs)));
                    }
                }
            }
        }
    }
}

/// What rounding took of values; nothing of those that are infinite, or were rounded to that.
#[inline(always)]
unsafe fn left<S: Simd>(values: S::V, rounded: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let left = S::sub(values, rounded);
        S::select_nan(S::mul(left, S::zero()), S::zero(), left)
    }
}

impl Gathered {
    /// As floats.
    pub(crate) fn floats(pattern: &Pattern, groups: Groups, panels: Panels, weights: Weights) -> Gathered {
        let depth = |phase: &Phase| phase.taps.len() * groups.inputs;
        Gathered::build(pattern, (groups, panels), Precision::Fp32, depth, |phase, place, out| {
            let columns = Columns::new(weights, &groups, place);
            for (row, out) in out.chunks_exact_mut(columns.width).enumerate() {
                let (tap, channel) = (row / groups.inputs, row % groups.inputs);
                out.copy_from_slice(&columns.row(channel, phase.taps[tap].index)[..columns.width]);
            }
        })
    }

    /// In bfloat16; for tiles, with rows of zeros that make whole blocks.
    pub(crate) fn pairs(isa: Isa, pattern: &Pattern, groups: Groups, panels: Panels, weights: Weights) -> Gathered {
        let rows = |phase: &Phase| {
            let words = Pairs::words(phase.taps.len() * groups.inputs);
            if isa.has_tiles() { words.next_multiple_of(WIDEST) } else { words }
        };
        Gathered::build(pattern, (groups, panels), Precision::Bf16, rows, |phase, place, out| {
            let columns = Columns::new(weights, &groups, place);
            let element = |index: usize| {
                let tap = phase.taps.get(index / groups.inputs)?;
                Some((index % groups.inputs, tap.index))
            };
            let words = (0..out.len() / columns.width).map(|row| (row, [element(2 * row), element(2 * row + 1)]));
            // SAFETY: kernels of an instruction set that is there.
            unsafe { isa::run(isa, RoundPanel { columns, parts: 1, rest: 0, words, out }) };
        })
    }

    /// In parts of bfloat16, in the order of the lines of each phase: rows of a block are followed by what rounding took of them.
    pub(crate) fn in_lines(
        isa: Isa,
        pattern: &Pattern,
        groups: Groups,
        panels: Panels,
        weights: Weights,
        precision: Precision,
    ) -> Gathered {
        let parts = precision.parts();
        let rows = |phase: &Phase| parts * Lines::new(phase, &groups).words();
        Gathered::build(pattern, (groups, panels), precision, rows, |phase, place, out| {
            let columns = Columns::new(weights, &groups, place);
            let lines = Lines::new(phase, &groups);
            let block = lines.block;
            let words = lines.places().enumerate().map(|(index, (tap, channel))| {
                let element = |channel: usize| (channel < groups.inputs).then_some((channel, phase.taps[tap].index));
                (index / block * parts * block + index % block, [element(channel), element(channel + 1)])
            });
            // SAFETY: kernels of an instruction set that is there.
            unsafe { isa::run(isa, RoundPanel { columns, parts, rest: block, words, out }) };
        })
    }

    /// Matrices of `rows(phase)` rows, which `fill(phase, [group, first column, columns], matrix)` writes.
    fn build(
        pattern: &Pattern,
        (groups, panels): (Groups, Panels),
        precision: Precision,
        rows: impl Fn(&Phase) -> usize,
        fill: impl Fn(&Phase, [usize; 3], &mut [f32]) + Sync,
    ) -> Gathered {
        let rows: Vec<usize> = pattern.phases.iter().map(rows).collect();
        let depths = pattern.phases.iter().map(|phase| phase.taps.len() * groups.inputs).collect();
        let columns = panels.columns() * groups.count;
        let starts = rows.iter().scan(0, |next, rows| Some(std::mem::replace(next, *next + rows * columns))).collect();
        let values = Buffer::new(rows.iter().sum::<usize>() * columns);
        let mut built = Gathered { values, panels, groups, precision, starts, depths, rows };
        let shared = SharedMut(built.values.as_mut_ptr());
        for (index, phase) in pattern.phases.iter().enumerate() {
            parallel(groups.count * panels.count(), |item| {
                let (group, panel) = (item / panels.count(), item % panels.count());
                let width = panels.width(panel);
                let (start, len) = (built.start(index, group, panel), built.rows[index] * width);
                // SAFETY: each item has its own part of the buffer.
                let out = unsafe { std::slice::from_raw_parts_mut(shared.get().add(start), len) };
                fill(phase, [group, panels.first(panel), width], out);
            });
        }
        built
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
