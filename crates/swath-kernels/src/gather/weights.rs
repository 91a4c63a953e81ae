//! The gradient of a direct convolution by its weights: gathered pixels, transposed, times the gradient of the output.
//!
//! `dW[tap, input][output] = sum over pixels of x[pixel + tap][input] dy[pixel][output]`, of floats or in [tiles] of pairs. The sum over pixels is cut into chunks whose
//! number depends on the shapes alone, and the chunks are added in order: bits do not depend on the threads.

use super::{Groups, Pattern, Tap};
use crate::gemm::{self, LeftTransposed, Rows};
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::memory::{Buffer, with_scratch};
use crate::operands::Precision;
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::parallel;
use crate::zeros::zeros;

#[cfg(target_arch = "x86_64")]
mod tiles;

/// Pixels that are gathered at a time.
const PIXELS: usize = 112;

/// At most this many channels of one tap in a part of the matrix, or taps with as many channels together.
const PART: usize = 112;

/// Outputs whose gradients are written together.
const TOGETHER: usize = 32;

/// At most this many floats in all chunks together.
const MOST: usize = 8 << 20;

/// What the sum runs over, checked: pointers are valid for their layouts.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    /// The images that taps read.
    pub gathered: *const f32,
    pub gathered_layout: &'a Layout,
    /// The images whose pixels the sum runs over.
    pub grid: *const f32,
    pub grid_layout: &'a Layout,
    /// A pattern of one phase over the grid.
    pub pattern: &'a Pattern,
    pub groups: Groups,
    /// What is multiplied: floats, or pairs where sums [take](takes_pairs) them.
    pub precision: Precision,
}

// SAFETY: pointers to memory that is only read.
unsafe impl Sync for Job<'_> {}

/// Some rows of the matrix: taps with some of their channels.
#[derive(Clone, Debug)]
struct Part {
    taps: std::ops::Range<usize>,
    channels: std::ops::Range<usize>,
}

impl Part {
    fn rows(&self) -> usize {
        self.taps.len() * self.channels.len()
    }

    /// Whole taps where several fit into a part, channels of one tap otherwise.
    fn all(taps: usize, channels: usize) -> Vec<Part> {
        if channels <= PART {
            let together = (PART / channels).max(1);
            let part = |first: usize| Part { taps: first..(first + together).min(taps), channels: 0..channels };
            return (0..taps).step_by(together).map(part).collect();
        }
        let pieces = channels.div_ceil(PART);
        let cut = |piece: usize| (channels * piece / pieces).next_multiple_of(WIDEST).min(channels);
        let part = |tap: usize, piece: usize| Part { taps: tap..tap + 1, channels: cut(piece)..cut(piece + 1) };
        (0..taps).flat_map(|tap| (0..pieces).map(move |piece| part(tap, piece))).collect()
    }
}

/// Calls `visit(group, tap, input channel of the group, (first, output channels from it on))` with the sums.
///
/// # Safety
/// The job's pointers must be valid for its layouts.
pub(crate) unsafe fn run(isa: Isa, job: &Job, visit: impl Fn(usize, usize, usize, (usize, &[f32])) + Sync) {
    let groups = job.groups;
    // SAFETY: the caller's promise.
    let Sums { values, chunks, size, rows, columns } = unsafe { sums(isa, job) };
    let taps = job.pattern.phases[0].taps.len();
    // A few outputs at a time, so that the weights of each are written one after the other.
    let parts = groups.outputs.div_ceil(TOGETHER);
    parallel(groups.count * parts, |item| {
        let (group, first) = (item / parts, item % parts * TOGETHER);
        let count = TOGETHER.min(groups.outputs - first);
        for (channel, tap) in (0..groups.inputs).flat_map(|channel| (0..taps).map(move |tap| (channel, tap))) {
            let at = ((group * taps + tap) * rows + channel) * columns + first;
            let mut total = [0.0; TOGETHER];
            total[..count].copy_from_slice(&values[at..at + count]);
            for chunk in 1..chunks {
                let more = &values[chunk * size + at..][..count];
                total.iter_mut().zip(more).for_each(|(total, more)| *total += more);
            }
            visit(group, tap, channel, (first, &total[..count]));
        }
    });
}

/// Whether the sums of a pattern over a grid can be of pairs, and are then faster than others.
pub(crate) fn takes_pairs(isa: Isa, pattern: &Pattern, grid: &Layout, groups: &Groups) -> bool {
    #[cfg(target_arch = "x86_64")]
    return tiles::pays(isa, pattern, grid, groups);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (isa, pattern, grid, groups);
        false
    }
}

/// Sums over chunks of pixels, each `[group, tap, row][column]`.
struct Sums {
    values: Buffer,
    chunks: usize,
    /// Floats of a chunk.
    size: usize,
    /// Rows of a tap, one for each gathered channel and perhaps more, and columns of each.
    rows: usize,
    columns: usize,
}

/// # Safety
/// As [`run`].
unsafe fn sums(isa: Isa, job: &Job) -> Sums {
    #[cfg(target_arch = "x86_64")]
    if job.precision == Precision::Bf16 && takes_pairs(isa, job.pattern, job.grid_layout, &job.groups) {
        // SAFETY: the caller's promise.
        return unsafe { tiles::sum(isa, job) };
    }
    // SAFETY: the caller's promise.
    unsafe { sums_of_floats(isa, job) }
}

/// # Safety
/// As [`run`].
unsafe fn sums_of_floats(isa: Isa, job: &Job) -> Sums {
    let Job { groups, .. } = *job;
    let taps = &job.pattern.phases[0].taps;
    let panels = Panels::new(isa, groups.outputs);
    let (pixels, columns) = (job.grid_layout.pixels(), panels.columns());
    let parts = Part::all(taps.len(), groups.inputs);
    let rows = taps.len() * groups.inputs;
    let size = groups.count * rows * columns;
    // Enough items for many threads, chunks of some pixels at least, and memory within its bound.
    let chunks = 32usize.div_ceil(parts.len() * groups.count).min(pixels.div_ceil(1024)).min(MOST / size).max(1);
    let starts: Vec<usize> = parts
        .iter()
        .scan(0, |next, part| {
            let start = *next;
            *next += part.rows();
            Some(start)
        })
        .collect();
    let mut sums = Buffer::new(chunks * size);
    let shared = SharedMut(sums.as_mut_ptr());
    parallel(chunks * groups.count * parts.len(), |item| {
        let (chunk, item) = (item / (groups.count * parts.len()), item % (groups.count * parts.len()));
        let (group, part) = (item / parts.len(), item % parts.len());
        let step = parts[part].rows() + WIDEST;
        with_scratch(PIXELS * step + WIDEST, |scratch| {
            let sum = Sum {
                job: *job,
                taps: &taps[parts[part].taps.clone()],
                channels: parts[part].channels.clone(),
                panels,
                group,
                pixels: pixels * chunk / chunks..pixels * (chunk + 1) / chunks,
                gathered: scratch.as_mut_ptr(),
                step,
                // SAFETY: each item has its own part of the buffer.
                out: unsafe { shared.get().add(chunk * size + (group * rows + starts[part]) * columns) },
            };
            // SAFETY: the caller's promise, and the item's own scratch and sums.
            unsafe { isa::run(isa, sum) };
        });
    });
    Sums { values: sums, chunks, size, rows: groups.inputs, columns }
}

/// A part of the matrix for some pixels of the grid.
struct Sum<'a> {
    job: Job<'a>,
    taps: &'a [Tap],
    channels: std::ops::Range<usize>,
    panels: Panels,
    group: usize,
    pixels: std::ops::Range<usize>,
    /// Gathered inputs, `step` floats from pixel to pixel.
    gathered: *mut f32,
    step: usize,
    /// `[tap, channel][column]`
    out: *mut f32,
}

impl Kernel for Sum<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let columns = self.panels.columns();
        let rows = self.taps.len() * self.channels.len();
        for index in (0..rows * columns).step_by(S::LANES) {
            // SAFETY: the sums are as many.
            unsafe { S::store(self.out.add(index), S::zero()) };
        }
        let mut first = self.pixels.start;
        while first < self.pixels.end {
            let count = PIXELS.min(self.pixels.end - first);
            // SAFETY: pixels exist, scratch and sums have these sizes.
            unsafe {
                self.gather::<S>(first, count);
                let layout = self.job.grid_layout;
                let line = self.job.grid.add(first * layout.pixel + self.group * self.job.groups.outputs);
                for panel in 0..self.panels.count() {
                    let column = self.panels.first(panel);
                    let left = LeftTransposed { start: self.gathered, step: self.step };
                    let right = Rows { start: line.add(column), step: layout.pixel };
                    let out = Rows { start: self.out.add(column), step: columns };
                    let vecs = self.panels.width(panel) / S::LANES;
                    S::call(gemm::AddTransposed { rows, vecs, depth: count, left, right, out });
                }
            }
            first += count;
        }
    }
}

impl Sum<'_> {
    /// Taps side by side; a tap is copied in whole vectors, whose rest the next tap or nobody writes over.
    #[inline(always)]
    unsafe fn gather<S: Simd>(&self, first: usize, count: usize) {
        let (from, grid) = (self.job.gathered_layout, self.job.grid_layout);
        let [rows, cols] = self.job.pattern.stride;
        let channel = self.group * self.job.groups.inputs + self.channels.start;
        for index in 0..count {
            let (line, col) = ((first + index) / grid.width, (first + index) % grid.width);
            let (image, row) = (line / grid.height, line % grid.height);
            for (place, tap) in self.taps.iter().enumerate() {
                let y = (row * rows).wrapping_add_signed(tap.offset[0]);
                let x = (col * cols).wrapping_add_signed(tap.offset[1]);
                let inside = y < from.height && x < from.width;
                let pixel = (image * from.height + y).wrapping_mul(from.width).wrapping_add(x);
                let source = self.job.gathered.wrapping_add(pixel.wrapping_mul(from.pixel).wrapping_add(channel));
                let (source, step) = if inside { (source, S::LANES) } else { (zeros(), 0) };
                let to = self.gathered.wrapping_add(index * self.step + place * self.channels.len());
                for block in 0..self.channels.len().div_ceil(S::LANES) {
                    // SAFETY: the pixel exists and its channels are padded, and rows of the scratch have room for a vector more.
                    unsafe { S::store(to.add(block * S::LANES), S::load(source.add(block * step))) };
                }
            }
        }
    }
}
