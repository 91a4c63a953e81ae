//! Gathers blocks of output pixels and multiplies them with the filter.

use super::filter::Gathered;
use super::{Pattern, Phase};
use crate::blocking;
use crate::epilogue::Finish;
use crate::gemm::{self, Left, Rows};
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::memory::with_scratch;
use crate::simd::{Kernel, Simd, WIDEST};
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
}

// SAFETY: items of the job write to disjoint outputs, and read what nobody writes.
unsafe impl Sync for Job<'_> {}

/// Runs the convolution.
///
/// # Safety
/// The job's pointers must be valid for its layouts, and the output not be used otherwise.
pub(crate) unsafe fn run(isa: Isa, job: &Job) {
    let panels = job.filter.panels;
    for (index, phase) in job.pattern.phases.iter().enumerate() {
        let pixels = job.output_layout.batch * phase.count[0] * phase.count[1];
        let depth = job.filter.depth(index);
        let most = blocking::gathered_pixels(depth);
        let blocks = pixels.div_ceil(most).next_multiple_of(threads().min(pixels).max(1));
        // With few pixels, the panels of the filter are shared out as well.
        let shares = (2 * threads()).div_ceil(blocks.max(1)).min(panels.count());
        let groups = job.filter.groups.count;
        parallel(groups * blocks * shares, |item| {
            let (group, item) = (item / (blocks * shares), item % (blocks * shares));
            let (block, share) = (item / shares, item % shares);
            let (first, last) = (pixels * block / blocks, pixels * (block + 1) / blocks);
            let gathered = depth.next_multiple_of(WIDEST) * (last - first);
            let line = depth + 2 * WIDEST;
            with_scratch(line + gathered + WIDEST + (last - first) * panels.widest(), |scratch| {
                let (line, scratch) = scratch.split_at_mut(line);
                let (gathered, products) = scratch.split_at_mut(gathered + WIDEST);
                let block = Block {
                    job: *job,
                    phase,
                    index,
                    group,
                    first,
                    count: last - first,
                    panels: (panels.count() * share / shares, panels.count() * (share + 1) / shares),
                    line: line.as_mut_ptr(),
                    gathered: gathered.as_mut_ptr(),
                    products: products.as_mut_ptr(),
                };
                // SAFETY: the caller's promise; each item has its own pixels or channels, and scratch.
                unsafe { isa::run(isa, block) };
            });
        });
    }
}

/// Pixels `first..first + count` of a phase.
struct Block<'a> {
    job: Job<'a>,
    phase: &'a Phase,
    index: usize,
    group: usize,
    first: usize,
    count: usize,
    panels: (usize, usize),
    /// The taps of one pixel.
    line: *mut f32,
    gathered: *mut f32,
    products: *mut f32,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Block { job, count, .. } = self;
        let filter = job.filter;
        // SAFETY: the scratch holds the gathered pixels and the products of a panel.
        unsafe {
            if filter.groups.inputs.is_multiple_of(WIDEST) {
                self.gather::<S>();
            } else {
                self.gather_odd::<S>();
            }
        }
        let left = Left { start: self.gathered, block: count * WIDEST };
        for panel in self.panels.0..self.panels.1 {
            let width = filter.panels.width(panel);
            let right = Rows { start: filter.matrix(self.index, self.group, panel), step: width };
            let out = Rows { start: self.products, step: width };
            let channel = self.group * filter.groups.outputs + filter.panels.first(panel);
            // SAFETY: the matrices have these sizes; output pixels and channels exist.
            unsafe {
                let (vecs, depth) = (width / S::LANES, filter.depth(self.index));
                S::call(gemm::Multiply { rows: count, vecs, depth, left, right, out });
                for (index, place) in self.places().enumerate() {
                    let pixel = self.output_pixel(place);
                    for lane in (0..width).step_by(S::LANES) {
                        let value = S::load(self.products.add(index * width + lane));
                        let value = job.finish.apply::<S>(value, pixel, channel + lane);
                        S::store(job.output.add(pixel * job.output_layout.pixel + channel + lane), value);
                    }
                }
            }
        }
    }
}

impl Block<'_> {
    /// Image, row and column within the phase of each pixel of the block. Counted up, since a division costs as much as
    /// a short product.
    #[inline(always)]
    fn places(&self) -> impl Iterator<Item = [usize; 3]> + use<> {
        let [rows, cols] = self.phase.count;
        let line = self.first / cols;
        let mut next = [line / rows, line % rows, self.first % cols];
        (0..self.count).map(move |_| {
            let place = next;
            next[2] += 1;
            if next[2] == cols {
                next = [next[0], next[1] + 1, 0];
                if next[1] == rows {
                    next = [next[0] + 1, 0, 0];
                }
            }
            place
        })
    }

    #[inline(always)]
    fn output_pixel(&self, [image, row, col]: [usize; 3]) -> usize {
        let Phase { first, step, .. } = self.phase;
        let layout = self.job.output_layout;
        (image * layout.height + first[0] + row * step[0]) * layout.width + first[1] + col * step[1]
    }

    /// The input of a tap for a pixel, from the first channel of the group; none outside of the image.
    #[inline(always)]
    fn input(&self, place: [usize; 3], tap: usize) -> Option<*const f32> {
        let [image, row, col] = place;
        let layout = self.job.input_layout;
        let [rows, cols] = self.job.pattern.stride;
        let offset = self.phase.taps[tap].offset;
        let row = (row * rows).wrapping_add_signed(offset[0]);
        let col = (col * cols).wrapping_add_signed(offset[1]);
        if row >= layout.height || col >= layout.width {
            return None;
        }
        let pixel = (image * layout.height + row) * layout.width + col;
        let channel = self.group * self.job.filter.groups.inputs;
        Some(self.job.input.wrapping_add(pixel * layout.pixel + channel))
    }

    /// Whole vectors of channels: depth block `tap * blocks + b` of pixel `t` at `(block * count + t) * 16`.
    #[inline(always)]
    unsafe fn gather<S: Simd>(&self) {
        let blocks = self.job.filter.groups.inputs / WIDEST;
        for (index, place) in self.places().enumerate() {
            for tap in 0..self.phase.taps.len() {
                let to = self.gathered.wrapping_add((tap * blocks * self.count + index) * WIDEST);
                let (from, step) = match self.input(place, tap) {
                    Some(from) => (from, WIDEST),
                    None => (zeros(), 0),
                };
                for block in 0..blocks {
                    for lane in (0..WIDEST).step_by(S::LANES) {
                        // SAFETY: the pixel exists and has these channels, and so has the scratch.
                        unsafe {
                            let value = S::load(from.add(block * step + lane));
                            S::store(to.add(block * self.count * WIDEST + lane), value);
                        }
                    }
                }
            }
        }
    }

    /// Any number of channels: each pixel's taps side by side without padding, then cut into blocks of 16.
    #[inline(always)]
    unsafe fn gather_odd<S: Simd>(&self) {
        let channels = self.job.filter.groups.inputs;
        let depth = channels * self.phase.taps.len();
        for (index, place) in self.places().enumerate() {
            // A tap is copied in whole vectors, whose rest the next tap writes over.
            for tap in 0..self.phase.taps.len() {
                let (from, step) = match self.input(place, tap) {
                    Some(from) => (from, S::LANES),
                    None => (zeros(), 0),
                };
                for block in 0..channels.div_ceil(S::LANES) {
                    // SAFETY: channels are padded to whole vectors, and the line is longer than its depth.
                    unsafe {
                        let value = S::load(from.add(block * step));
                        S::store(self.line.add(tap * channels + block * S::LANES), value);
                    }
                }
            }
            for start in (0..depth).step_by(S::LANES) {
                let to = (start / WIDEST * self.count + index) * WIDEST + start % WIDEST;
                // SAFETY: the scratch is padded to whole blocks.
                unsafe { S::store(self.gathered.add(to), S::load(self.line.add(start))) };
            }
        }
    }
}
