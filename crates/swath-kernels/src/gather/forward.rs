//! Gathers blocks of output pixels and multiplies them with the filter. Pixels of few channels, as in a network's first layer, are read
//! where they lie: gathering them would take as long as the product.

use std::marker::PhantomData;
use std::ops::Range;

use super::filter::Gathered;
#[cfg(target_arch = "x86_64")]
use super::lines::has_lines;
use super::{Groups, Pattern, Phase};
#[cfg(target_arch = "x86_64")]
use super::{points, strip};
use crate::blocking;
use crate::epilogue::Finish;
use crate::gemm::{self, BEYOND, Left, LeftInImage, Rows, STEPS_IN_IMAGE};
use crate::image::{Element, Layout};
use crate::isa::{self, Isa};
use crate::memory::with_scratch;
use crate::next::Next;
use crate::operands::{Operands, Precision};
use crate::pixels::{Source, Target};
use crate::pooling::Halved;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::{parallel, threads};

mod inputs;
mod outputs;

use inputs::{Run, line_of_taps};
pub(super) use outputs::Outputs;
#[cfg(target_arch = "x86_64")]
pub(super) use outputs::{ROOM_ROWS, To};

/// Everything that one convolution consists of, checked: pointers are valid for their layouts.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub input: Source,
    pub input_layout: &'a Layout,
    pub output: Target,
    pub output_layout: &'a Layout,
    pub pattern: &'a Pattern,
    pub filter: &'a Gathered,
    pub finish: Finish,
    /// Where the maxima of 2x2 windows go as well; only where there are [lines](super::lines::has_lines).
    pub halved: Option<Halved>,
    /// What becomes of the output instead of being stored; only where there are lines, and one group.
    pub next: Option<Next<'a>>,
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
        return unsafe { strip::run::<1>(isa, job, 0..1) };
    }
    let panels = job.filter.panels;
    for phases in together(&job.pattern.phases) {
        #[cfg(target_arch = "x86_64")]
        if O::STEPS == 2 && points::is_possible(isa, job.pattern, &job.filter.groups, job.input_layout) {
            // SAFETY: the caller's promise.
            unsafe { points::run(isa, job, phases) };
            continue;
        }
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

/// Runs the convolution with floats in several parts, in tiles, which the machine must have.
///
/// # Safety
/// As [`run`].
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "only x86 has tiles"))]
pub(crate) unsafe fn run_in_parts(isa: Isa, job: &Job) {
    #[cfg(target_arch = "x86_64")]
    for phases in together(&job.pattern.phases) {
        // SAFETY: the caller's promise.
        unsafe {
            match job.filter.precision {
                Precision::Bf16x2 => strip::run::<2>(isa, job, phases),
                _ => strip::run::<3>(isa, job, phases),
            }
        }
    }
}

/// Whether the channels of a group fill whole vectors of words.
fn whole_words<O: Operands>(groups: &Groups) -> bool {
    groups.inputs.is_multiple_of(WIDEST * O::STEPS)
}

/// Whether kernels can step from pixel to pixel of these images, so that floats are multiplied where they lie.
pub(crate) fn in_place(pattern: &Pattern, input: &Layout) -> bool {
    input.element == Element::Float && STEPS_IN_IMAGE.contains(&(pattern.stride[1] * input.pixel))
}

/// Where the inputs of a phase's outputs lie, tap by tap and channel by channel, from the one at the output's own place on.
fn offsets(job: &Job, phase: &Phase) -> Vec<isize> {
    let Layout { width, pixel, .. } = *job.input_layout;
    let tap = |offset: [isize; 2]| (offset[0] * width as isize + offset[1]) * pixel as isize;
    let channels = 0..job.filter.groups.inputs as isize;
    phase.taps.iter().flat_map(|place| channels.clone().map(move |channel| tap(place.offset) + channel)).collect()
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
            let left = Left { start: self.gathered, block: count * WIDEST, afar: false };
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
        let start = self.job.input.place(pixel, channel);
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
                product(phase, width, right, Outputs::new(job, pixels.as_ptr(), channel));
            }
        }
    }
}
