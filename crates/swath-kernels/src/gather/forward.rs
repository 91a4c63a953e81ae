//! Gathers blocks of output pixels and multiplies them with the filter. Pixels of few channels, as in a network's first layer, are read
//! where they lie: gathering them would take as long as the product.

use std::marker::PhantomData;
use std::ops::Range;

use super::filter::Gathered;
#[cfg(target_arch = "x86_64")]
use super::lines::has_lines;
#[cfg(target_arch = "x86_64")]
use super::strip;
use super::{Groups, Pattern, Phase};
use crate::blocking;
use crate::epilogue::Finish;
use crate::gemm::{self, BEYOND, Left, LeftInImage, Rows, STEPS_IN_IMAGE};
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::memory::with_scratch;
use crate::operands::Operands;
use crate::pooling::Halved;
use crate::simd::{Kernel, Simd, WIDEST, prefetch_to_write};
use crate::threads::{parallel, threads};
use crate::zeros::zeros;

/// Everything that one convolution consists of, checked: pointers are valid for their layouts.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub input: *const f32,
    pub input_layout: &'a Layout,
    pub output: *mut f32,
    pub output_layout: &'a Layout,
    pub pattern: &'a Pattern,
    pub filter: &'a Gathered,
    pub finish: Finish,
    /// Where the maxima of 2x2 windows go as well; only where there are [lines](super::lines::has_lines).
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "only x86 has tiles"))]
    pub halved: Option<Halved>,
}

// SAFETY: items of the job write to disjoint outputs, and read what nobody writes.
unsafe impl Sync for Job<'_> {}

/// Runs the convolution.
///
/// # Safety
/// The job's pointers must be valid for its layouts, and the output not be used otherwise.
pub(crate) unsafe fn run<O: Operands>(isa: Isa, job: &Job) {
    #[cfg(target_arch = "x86_64")]
    if O::STEPS == 2 && has_lines(isa, job.pattern) {
        // SAFETY: the caller's promise.
        return unsafe { strip::run(isa, job) };
    }
    let panels = job.filter.panels;
    for phases in together(&job.pattern.phases) {
        let [rows, cols] = job.pattern.phases[phases.start].count;
        let pixels = job.output_layout.batch * rows * cols;
        let depth = job.filter.depth(phases.start);
        let most = blocking::gathered_pixels(O::words(depth), isa.has_tiles() && O::STEPS == 2);
        let blocks = pixels.div_ceil(most).next_multiple_of(threads().min(pixels).max(1));
        // With few pixels, the panels of the filter are shared out as well.
        let shares = (2 * threads()).div_ceil(blocks.max(1)).min(panels.count());
        let groups = job.filter.groups.count;
        let in_place = O::STEPS == 1 && in_place(job.pattern, job.input_layout);
        let offsets = if in_place { offsets(job, &job.pattern.phases[phases.start]) } else { Vec::new() };
        parallel(groups * blocks * shares, |item| {
            let (group, item) = (item / (blocks * shares), item % (blocks * shares));
            let (block, share) = (item / shares, item % shares);
            let (first, last) = (pixels * block / blocks, pixels * (block + 1) / blocks);
            let count = last - first;
            let line = job.filter.rows(phases.start).next_multiple_of(WIDEST);
            let lines = if whole_words::<O>(&job.filter.groups) { 0 } else { count * line_of_taps::<O>(depth) };
            with_scratch(lines + count * line + BEYOND, |scratch| {
                let (lines, gathered) = scratch.split_at_mut(lines);
                let block = Block::<O> {
                    job: *job,
                    phases: phases.clone(),
                    group,
                    first,
                    count,
                    panels: (panels.count() * share / shares, panels.count() * (share + 1) / shares),
                    offsets: &offsets,
                    lines: lines.as_mut_ptr(),
                    gathered: gathered.as_mut_ptr(),
                    operands: PhantomData,
                };
                // SAFETY: the caller's promise; each item has its own pixels or channels, and scratch.
                unsafe { isa::run(isa, block) };
            });
        });
    }
}

/// Whether the channels of a group fill whole vectors of words.
fn whole_words<O: Operands>(groups: &Groups) -> bool {
    groups.inputs.is_multiple_of(WIDEST * O::STEPS)
}

/// Whether kernels can step from pixel to pixel of these images, so that floats are multiplied where they lie.
pub(crate) fn in_place(pattern: &Pattern, input: &Layout) -> bool {
    STEPS_IN_IMAGE.contains(&(pattern.stride[1] * input.pixel))
}

/// Where the inputs of a phase's outputs lie, tap by tap and channel by channel, from the one at the output's own place on.
fn offsets(job: &Job, phase: &Phase) -> Vec<isize> {
    let Layout { width, pixel, .. } = *job.input_layout;
    let tap = |offset: [isize; 2]| (offset[0] * width as isize + offset[1]) * pixel as isize;
    let channels = 0..job.filter.groups.inputs as isize;
    phase.taps.iter().flat_map(|place| channels.clone().map(move |channel| tap(place.offset) + channel)).collect()
}

/// Floats from pixel to pixel where taps are laid side by side. They are copied in whole vectors: the next tap writes over the
/// rest, and there is room for that of the last.
fn line_of_taps<O: Operands>(depth: usize) -> usize {
    depth.next_multiple_of(WIDEST * O::STEPS) + WIDEST
}

/// Phases one after the other that gather the same inputs, as all do of a transposed convolution whose stride is its kernel's size.
fn together(phases: &[Phase]) -> Vec<Range<usize>> {
    let inputs = |phase: &Phase| (phase.count, phase.taps.iter().map(|tap| tap.offset).collect::<Vec<_>>());
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for (index, phase) in phases.iter().enumerate() {
        match ranges.last_mut().filter(|range| inputs(&phases[range.start]) == inputs(phase)) {
            Some(range) => range.end = index + 1,
            None => ranges.push(index..index + 1),
        }
    }
    ranges
}

/// Pixels `first..first + count` of some phases that gather the same inputs.
struct Block<'a, O> {
    job: Job<'a>,
    phases: Range<usize>,
    group: usize,
    first: usize,
    count: usize,
    panels: (usize, usize),
    /// Of inputs that are multiplied where they lie; none where they are gathered.
    offsets: &'a [isize],
    /// The taps of each pixel side by side, where they are no whole vectors.
    lines: *mut f32,
    gathered: *mut f32,
    operands: PhantomData<O>,
}

/// What some pixels of a run read: those from number `index` of the block on.
#[derive(Clone, Copy)]
struct Inputs {
    index: usize,
    count: usize,
    from: *const f32,
    /// Floats from pixel to pixel; 0 for zeros, which stand for any channels.
    step: usize,
}

impl Inputs {
    #[inline(always)]
    fn channel(&self, channel: usize) -> *const f32 {
        if self.step == 0 { self.from } else { self.from.wrapping_add(channel) }
    }
}

/// Pixels of a block that follow each other in a row: those from number `index` of the block on.
#[derive(Clone, Copy)]
struct Run {
    index: usize,
    count: usize,
    image: usize,
    /// Within the phase.
    row: usize,
    col: usize,
}

impl<O: Operands> Kernel for Block<'_, O> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.offsets.is_empty() {
                return self.multiply_gathered::<S>(0, self.count);
            }
            for run in self.runs() {
                let (from, to) = self.inside(run);
                self.multiply_gathered::<S>(run.index, from);
                self.multiply_in_place::<S>(Run {
                    index: run.index + from,
                    count: to - from,
                    col: run.col + from,
                    ..run
                });
                self.multiply_gathered::<S>(run.index + to, run.count - to);
            }
        }
    }
}

impl<O: Operands> Block<'_, O> {
    /// Outputs `first..first + count` of the block.
    #[inline(always)]
    unsafe fn multiply_gathered<S: Simd>(&self, first: usize, count: usize) {
        if count == 0 {
            return;
        }
        let part = Block { phases: self.phases.clone(), first: self.first + first, count, ..*self };
        // SAFETY: the scratch holds the gathered pixels; the matrices have these sizes.
        unsafe {
            if whole_words::<O>(&self.job.filter.groups) {
                part.gather::<S>();
            } else {
                part.gather_odd::<S>();
            }
            let left = Left { start: self.gathered, block: count * WIDEST };
            part.each_product(|phase, vecs, right, out| {
                let depth = self.job.filter.rows(phase);
                let operands = PhantomData;
                S::call(gemm::Multiply::<O, _> {
                    rows: count,
                    vecs: vecs / S::LANES,
                    depth,
                    left,
                    right,
                    out,
                    operands,
                });
            });
        }
    }

    /// Outputs of a run that read nothing outside of the image.
    #[inline(always)]
    unsafe fn multiply_in_place<S: Simd>(&self, run: Run) {
        if run.count == 0 {
            return;
        }
        let part = Block { phases: self.phases.clone(), first: self.first + run.index, count: run.count, ..*self };
        let layout = self.job.input_layout;
        let [rows, cols] = self.job.pattern.stride;
        let pixel = (run.image * layout.height + run.row * rows) * layout.width + run.col * cols;
        let channel = self.group * self.job.filter.groups.inputs;
        let start = self.job.input.wrapping_add(pixel * layout.pixel + channel);
        let left = LeftInImage { start, offsets: self.offsets, step: cols * layout.pixel };
        part.each_product(|_, columns, right, out| {
            // SAFETY: the inputs lie in the image, and the other matrices have these sizes.
            unsafe {
                S::call(gemm::MultiplyInImage { rows: run.count, vecs: columns / S::LANES, left, right, out });
            }
        });
    }

    /// Calls `product(phase, columns, right matrix, outputs)` for all phases and panels of the block.
    #[inline(always)]
    fn each_product(&self, product: impl Fn(usize, usize, Rows<*const f32>, Outputs)) {
        let (job, filter) = (&self.job, self.job.filter);
        let mut pixels = [0; blocking::MOST_GATHERED];
        for phase in self.phases.clone() {
            for run in self.runs() {
                let (first, step) = self.output_pixels(run, phase);
                let places = pixels[run.index..].iter_mut().take(run.count).enumerate();
                places.for_each(|(index, pixel)| *pixel = first + index * step);
            }
            for panel in self.panels.0..self.panels.1 {
                let width = filter.panels.width(panel);
                let right = Rows { start: filter.matrix(phase, self.group, panel), step: width };
                let channel = self.group * filter.groups.outputs + filter.panels.first(panel);
                product(phase, width, right, Outputs { job, pixels: pixels.as_ptr(), channel });
            }
        }
    }

    /// Outputs of a run, from and to which number, whose inputs all lie in the image.
    #[inline(always)]
    fn inside(&self, run: Run) -> (usize, usize) {
        let mut part = (0, run.count);
        for tap in 0..self.first_phase().taps.len() {
            let [before, image, _] = self.inputs(run, tap);
            part = (part.0.max(before.count), part.1.min(before.count + image.count));
        }
        (part.0.min(part.1), part.1)
    }
}

/// Output pixels as a product's rows: sums are finished as they are stored.
#[derive(Clone, Copy)]
pub(super) struct Outputs<'a> {
    pub(super) job: &'a Job<'a>,
    /// Their numbers.
    pub(super) pixels: *const usize,
    /// Of the first column.
    pub(super) channel: usize,
}

impl Outputs<'_> {
    #[inline(always)]
    fn place(&self, pixel: usize, column: usize) -> *mut f32 {
        self.job.output.wrapping_add(pixel * self.job.output_layout.pixel + self.channel + column)
    }
}

impl gemm::Out for Outputs<'_> {
    const STAGED: bool = true;

    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        Outputs { pixels: self.pixels.wrapping_add(rows), ..self }
    }

    /// Asks for what will be written, and what will be added to it, while the sums are taken.
    #[inline(always)]
    unsafe fn expect<S: Simd>(self, rows: usize, vecs: usize) {
        for row in 0..rows {
            // SAFETY: the caller's promise.
            let pixel = unsafe { *self.pixels.add(row) };
            for line in (0..vecs * S::LANES).step_by(WIDEST) {
                prefetch_to_write(self.place(pixel, line));
                self.job.finish.expect(pixel, self.channel + line);
            }
        }
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(self, row: usize, column: usize, sum: S::V) {
        // SAFETY: the caller's promise.
        unsafe {
            let pixel = *self.pixels.add(row);
            let value = self.job.finish.apply::<S>(sum, pixel, self.channel + column);
            S::store(self.place(pixel, column), value);
        }
    }
}

impl<O: Operands> Block<'_, O> {
    /// The phase that tells what to gather for all.
    #[inline(always)]
    fn first_phase(&self) -> &Phase {
        &self.job.pattern.phases[self.phases.start]
    }

    #[inline(always)]
    fn runs(&self) -> impl Iterator<Item = Run> + use<O> {
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
    fn output_pixels(&self, run: Run, phase: usize) -> (usize, usize) {
        let Phase { first, step, .. } = self.job.pattern.phases[phase];
        let layout = self.job.output_layout;
        let line = run.image * layout.height + first[0] + run.row * step[0];
        (line * layout.width + first[1] + run.col * step[1], step[1])
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
        };
        let (mut from, step) = (zeros(), cols * layout.pixel);
        if inside.0 < inside.1 {
            let line = (run.image * layout.height + row) * layout.width;
            let pixel = line.wrapping_add_signed(col) + inside.0 * cols;
            let channel = self.group * self.job.filter.groups.inputs;
            from = self.job.input.wrapping_add(pixel * layout.pixel + channel);
        }
        let image = Inputs { index: run.index + inside.0, count: inside.1 - inside.0, from, step };
        [outside(0, inside.0), image, outside(inside.1, run.count)]
    }

    /// Whole vectors of words: depth block `tap * blocks + b` of pixel `t` at `(block * count + t) * 16`.
    #[inline(always)]
    unsafe fn gather<S: Simd>(&self) {
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
                            let from = inputs.channel(block * together).wrapping_add(pixel * inputs.step);
                            O::expect(from, 0);
                            for word in (0..WIDEST).step_by(S::LANES) {
                                // SAFETY: the pixel exists and has these channels, and so has the scratch.
                                unsafe {
                                    let value = O::load::<S>(from, word, together);
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
    unsafe fn gather_odd<S: Simd>(&self) {
        let channels = self.job.filter.groups.inputs;
        let depth = self.job.filter.depth(self.phases.start);
        let line = line_of_taps::<O>(depth);
        for run in self.runs() {
            for tap in 0..self.first_phase().taps.len() {
                for inputs in self.inputs(run, tap) {
                    for start in (0..channels).step_by(S::LANES) {
                        let from = inputs.channel(start);
                        let to = self.lines.wrapping_add(inputs.index * line + tap * channels + start);
                        for pixel in 0..inputs.count {
                            // SAFETY: channels are padded to whole vectors.
                            unsafe { S::store(to.add(pixel * line), S::load(from.add(pixel * inputs.step))) };
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
