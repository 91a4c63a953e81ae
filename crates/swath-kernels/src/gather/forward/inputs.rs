//! Which inputs the outputs of a block read, and how they are gathered.

use super::Block;
use crate::gather::Phase;
use crate::image::Element;
use crate::operands::Operands;
use crate::pixels::load;
use crate::simd::{Simd, WIDEST};
use crate::zeros::zeros;

/// Floats from pixel to pixel where taps are laid side by side. They are copied in whole vectors: the next tap writes over the
/// rest, and there is room for that of the last.
pub(super) fn line_of_taps<O: Operands>(depth: usize) -> usize {
    depth.next_multiple_of(WIDEST * O::STEPS) + WIDEST
}

/// What some pixels of a run read: those from number `index` of the block on.
#[derive(Clone, Copy)]
struct Inputs {
    index: usize,
    count: usize,
    from: *const f32,
    /// Bytes from pixel to pixel; 0 for zeros, which stand for any channels.
    step: usize,
    element: Element,
}

impl Inputs {
    #[inline(always)]
    fn place(&self, pixel: usize, channel: usize) -> *const f32 {
        let channel = if self.step == 0 { 0 } else { channel * self.element.bytes() };
        self.from.wrapping_byte_add(pixel * self.step + channel)
    }
}

/// Pixels of a block that follow each other in a row: those from number `index` of the block on.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) index: usize,
    pub(super) count: usize,
    pub(super) image: usize,
    /// Within the phase.
    pub(super) row: usize,
    pub(super) col: usize,
}

impl<O: Operands> Block<'_, O> {
    /// The phase that tells what to gather for all.
    #[inline(always)]
    fn first_phase(&self) -> &Phase {
        &self.job.pattern.phases[self.phases.start]
    }

    #[inline(always)]
    pub(super) fn runs(&self) -> impl Iterator<Item = Run> + use<O> {
        let [rows, cols] = self.first_phase().count;
        let (first, count) = (self.first, self.count);
        let mut index = 0;
        std::iter::from_fn(move || {
            if index == count {
                return None;
            }
            let (line, col) = ((first + index) / cols, (first + index) % cols);
            let run = Run { index, count: (cols - col).min(count - index), image: line / rows, row: line % rows, col };
            index += run.count;
            Some(run)
        })
    }

    /// The first output pixel of a run, and pixels from one to the next.
    #[inline(always)]
    pub(super) fn output_pixels(&self, run: Run, phase: usize) -> (usize, usize) {
        let Phase { first, step, .. } = self.job.pattern.phases[phase];
        let layout = self.job.output_layout;
        let line = run.image * layout.height + first[0] + run.row * step[0];
        (line * layout.width + first[1] + run.col * step[1], step[1])
    }

    /// Outputs of a run, from and to which number, whose inputs all lie in the image.
    #[inline(always)]
    pub(super) fn inside(&self, run: Run) -> (usize, usize) {
        let mut part = (0, run.count);
        for tap in 0..self.first_phase().taps.len() {
            let [before, image, _] = self.inputs(run, tap);
            part = (part.0.max(before.count), part.1.min(before.count + image.count));
        }
        (part.0.min(part.1), part.1)
    }

    /// The inputs of a tap, from the first channel of the group: zeros, some of the image, zeros.
    #[inline(always)]
    fn inputs(&self, run: Run, tap: usize) -> [Inputs; 3] {
        let layout = self.job.input_layout;
        let [rows, cols] = self.job.pattern.stride;
        let offset = self.first_phase().taps[tap].offset;
        let row = (run.row * rows).wrapping_add_signed(offset[0]);
        let col = (run.col * cols) as isize + offset[1];
        // Pixels whose column exists: col + i cols in 0..width.
        let before = |edge: isize| (edge - col).max(0) as usize;
        let inside = if row < layout.height {
            let first = before(0).div_ceil(cols).min(run.count);
            let last = before(layout.width as isize).div_ceil(cols).min(run.count);
            (first, last.max(first))
        } else {
            (run.count, run.count)
        };
        let outside = |first: usize, last: usize| Inputs {
            index: run.index + first,
            count: last - first,
            from: zeros(),
            step: 0,
            element: layout.element,
        };
        let (mut from, step) = (zeros(), cols * layout.pixel * layout.element.bytes());
        if inside.0 < inside.1 {
            let line = (run.image * layout.height + row) * layout.width;
            let pixel = line.wrapping_add_signed(col) + inside.0 * cols;
            let channel = self.group * self.job.filter.groups.inputs;
            from = self.job.input.place(pixel, channel);
        }
        let (index, count) = (run.index + inside.0, inside.1 - inside.0);
        let image = Inputs { index, count, from, step, element: layout.element };
        [outside(0, inside.0), image, outside(inside.1, run.count)]
    }

    /// Whole vectors of words: depth block `tap * blocks + b` of pixel `t` at `(block * count + t) * 16`.
    #[inline(always)]
    pub(super) unsafe fn gather<S: Simd>(&self) {
        let together = WIDEST * O::STEPS;
        let blocks = self.job.filter.groups.inputs / together;
        for run in self.runs() {
            for tap in 0..self.first_phase().taps.len() {
                for inputs in self.inputs(run, tap) {
                    // A pixel's channels one after the other, as processors fetch memory ahead.
                    for pixel in 0..inputs.count {
                        let to = (tap * blocks * self.count + inputs.index + pixel) * WIDEST;
                        let to = self.gathered.wrapping_add(to);
                        for block in 0..blocks {
                            let from = inputs.place(pixel, block * together);
                            O::expect(from, 0);
                            for word in (0..WIDEST).step_by(S::LANES) {
                                // SAFETY: the pixel exists and has these channels, and so has the scratch.
                                unsafe {
                                    let value = match inputs.element {
                                        Element::Float => O::load::<S>(from, word, together),
                                        Element::Bfloat16 => O::load_halves::<S>(from.cast(), word),
                                    };
                                    S::store(to.add(block * self.count * WIDEST + word), value);
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Any number of channels: each pixel's taps side by side without padding, then cut into vectors of words.
    #[inline(always)]
    pub(super) unsafe fn gather_odd<S: Simd>(&self) {
        let channels = self.job.filter.groups.inputs;
        let depth = self.job.filter.depth(self.phases.start);
        let line = line_of_taps::<O>(depth);
        for run in self.runs() {
            for tap in 0..self.first_phase().taps.len() {
                for inputs in self.inputs(run, tap) {
                    for start in (0..channels).step_by(S::LANES) {
                        let to = self.lines.wrapping_add(inputs.index * line + tap * channels + start);
                        for pixel in 0..inputs.count {
                            // SAFETY: channels are padded to whole vectors.
                            unsafe {
                                let value = load::<S>(inputs.element, inputs.place(pixel, start));
                                S::store(to.add(pixel * line), value);
                            }
                        }
                    }
                }
            }
        }
        // What is multiplied beyond the depth has no weights, but must not be infinite either.
        let rows = self.job.filter.rows(self.phases.start);
        for index in 0..self.count {
            // SAFETY: a line is longer than its depth.
            unsafe { self.lines.add(index * line + depth).write_bytes(0, rows * O::STEPS - depth) };
        }
        for word in (0..rows).step_by(S::LANES) {
            let to = self.gathered.wrapping_add(word / WIDEST * self.count * WIDEST + word % WIDEST);
            for index in 0..self.count {
                // SAFETY: lines and scratch have these sizes.
                unsafe { S::store(to.add(index * WIDEST), O::load::<S>(self.lines.add(index * line), word, line)) };
            }
        }
    }
}
