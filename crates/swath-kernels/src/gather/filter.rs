//! Kernels of direct convolutions as right matrices.

use super::{Groups, Pattern};
use crate::memory::Buffer;
use crate::operands::{Operands, Pairs, Precision, round_rows};
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::threads::parallel;

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
        Gathered { values, panels, groups, precision: Precision::Fp32, starts, depths }
    }

    /// The same in bfloat16.
    pub(crate) fn rounded(self) -> Gathered {
        let words = self.depths.iter().map(|depth| Pairs::words(*depth) * self.panels.columns() * self.groups.count);
        let starts: Vec<usize> = words.scan(0, |next, words| Some(std::mem::replace(next, *next + words))).collect();
        let total = self.depths.iter().map(|depth| Pairs::words(*depth)).sum::<usize>();
        let values = Buffer::new(total * self.panels.columns() * self.groups.count);
        let depths = self.depths.clone();
        let mut rounded = Gathered { values, starts, depths, precision: Precision::Bf16, ..self };
        for (phase, &depth) in self.depths.iter().enumerate() {
            for (group, panel) in (0..self.groups.count).flat_map(|g| (0..self.panels.count()).map(move |p| (g, p))) {
                let width = self.panels.width(panel);
                let from = &self.values[self.start(phase, group, panel)..][..depth * width];
                let start = rounded.start(phase, group, panel);
                round_rows(from, width, &mut rounded.values[start..]);
            }
        }
        self.values.discard();
        rounded
    }

    /// The matrix of a phase, group and panel: [`rows`](Self::rows) of the panel's width.
    #[inline(always)]
    pub(crate) fn matrix(&self, phase: usize, group: usize, panel: usize) -> *const f32 {
        self.values[self.start(phase, group, panel)..].as_ptr()
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
        match self.precision {
            Precision::Fp32 => self.depths[phase],
            Precision::Bf16 => Pairs::words(self.depths[phase]),
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.values.len() * size_of::<f32>()
    }
}
