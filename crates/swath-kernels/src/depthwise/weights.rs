//! The gradient by the kernels: `dw[tap][c] = sum over pixels of x[pixel + tap][c] dy[pixel][c]`.
//!
//! The sum over pixels is cut into chunks of rows whose number depends on the shapes alone, and the chunks are added in order: bits do
//! not depend on the threads.

use std::ops::Range;

use super::{columns_inside, distance, rows_inside};
use crate::gather::{Pattern, Tap};
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::memory::Buffer;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::parallel;

/// Chunks of rows that are summed apart, at most.
const CHUNKS: usize = 64;

/// At most this many floats in all chunks together.
const MOST: usize = 8 << 20;

/// Pixels of a row that are summed in registers before they are added to the sums of the chunk: few enough that the inputs of all
/// taps stay in L1 or L2, and short sums round less.
const PIXELS: usize = 32;

/// Taps that are summed at a time: a register each.
const TAPS: usize = 9;

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
}

// SAFETY: pointers to memory that is only read.
unsafe impl Sync for Job<'_> {}

/// Writes the gradient as `[channel][tap]`, which must be as many floats as `out` has.
///
/// # Safety
/// The job's pointers must be valid for its layouts, and the pattern have all taps of the kernel.
pub(crate) unsafe fn run(isa: Isa, job: &Job, out: &mut [f32]) {
    let Layout { batch, height, channels, .. } = *job.grid_layout;
    let (taps, width) = (job.pattern.phases[0].taps.len(), job.grid_layout.padded_channels());
    assert_eq!(out.len(), channels * taps, "a weight for each channel and tap");
    let (lines, size) = (batch * height, taps * width);
    let chunks = lines.min(CHUNKS).min(MOST / size).max(1);
    let mut sums = Buffer::new(chunks * size);
    let shared = SharedMut(sums.as_mut_ptr());
    parallel(chunks, |chunk| {
        let lines = lines * chunk / chunks..lines * (chunk + 1) / chunks;
        // SAFETY: each chunk has its own part of the buffer.
        let sum = Sum { job: *job, lines, out: unsafe { shared.get().add(chunk * size) } };
        // SAFETY: the caller's promise.
        unsafe { isa::run(isa, sum) };
    });
    let out = SharedMut(out.as_mut_ptr());
    parallel(width / WIDEST, |block| {
        for channel in block * WIDEST..((block + 1) * WIDEST).min(channels) {
            for tap in 0..taps {
                let sum =
                    sums[tap * width + channel..].iter().step_by(size).map(|value| f64::from(*value)).sum::<f64>();
                // SAFETY: there are as many weights, and each item has its own channels.
                unsafe { out.get().add(channel * taps + tap).write(sum as f32) };
            }
        }
    });
}

/// The sums over some rows of the grid, counted over all images.
struct Sum<'a> {
    job: Job<'a>,
    lines: Range<usize>,
    /// `[tap][channel]`
    out: *mut f32,
}

/// Pixels of a row of the grid.
#[derive(Clone, Copy)]
struct Run {
    /// The gradient at the first of them, and what a tap without offset reads for it.
    grid: *const f32,
    gathered: *const f32,
    count: usize,
}

impl Kernel for Sum<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Job { gathered_layout, grid_layout, pattern, .. } = self.job;
        let taps = &pattern.phases[0].taps;
        for index in (0..taps.len() * grid_layout.padded_channels()).step_by(S::LANES) {
            // SAFETY: the sums are as many.
            unsafe { S::store(self.out.add(index), S::zero()) };
        }
        let (width, stride) = (gathered_layout.width, pattern.stride[1]);
        for line in self.lines.clone() {
            let (image, row) = (line / grid_layout.height, line % grid_layout.height * pattern.stride[0]);
            let taps = rows_inside(taps, row, gathered_layout.height);
            let run = |cols: Range<usize>| {
                let pixel = (image * gathered_layout.height + row) * width + cols.start * stride;
                Run {
                    grid: self.job.grid.wrapping_add((line * grid_layout.width + cols.start) * grid_layout.pixel),
                    gathered: self.job.gathered.wrapping_add(pixel * gathered_layout.pixel),
                    count: cols.len(),
                }
            };
            let all = 0..grid_layout.width;
            let inside = columns_inside(taps, stride, width, &all);
            // SAFETY: the caller's promise; columns are chosen so that taps lie in the image.
            unsafe {
                for first in inside.clone().step_by(PIXELS) {
                    self.add_taps::<S>(taps, run(first..(first + PIXELS).min(inside.end)));
                }
                // Near the edge each tap has columns of its own.
                for edge in [0..inside.start, inside.end..all.end] {
                    for tap in taps.chunks(1) {
                        let own = columns_inside(tap, stride, width, &edge);
                        if !own.is_empty() {
                            self.add::<S, 1>(tap, run(own));
                        }
                    }
                }
            }
        }
    }
}

impl Sum<'_> {
    /// All taps, in groups that differ by one tap at most.
    #[inline(always)]
    unsafe fn add_taps<S: Simd>(&self, taps: &[Tap], run: Run) {
        let groups = taps.len().div_ceil(TAPS);
        for group in 0..groups {
            let taps = &taps[taps.len() * group / groups..taps.len() * (group + 1) / groups];
            // SAFETY: the caller's promise.
            unsafe {
                match taps.len() {
                    1 => self.add::<S, 1>(taps, run),
                    2 => self.add::<S, 2>(taps, run),
                    3 => self.add::<S, 3>(taps, run),
                    4 => self.add::<S, 4>(taps, run),
                    5 => self.add::<S, 5>(taps, run),
                    6 => self.add::<S, 6>(taps, run),
                    7 => self.add::<S, 7>(taps, run),
                    8 => self.add::<S, 8>(taps, run),
                    _ => self.add::<S, TAPS>(taps, run),
                }
            }
        }
    }

    /// Adds the products of `N` taps.
    #[inline(always)]
    unsafe fn add<S: Simd, const N: usize>(&self, taps: &[Tap], run: Run) {
        let Job { gathered_layout, grid_layout, pattern, .. } = self.job;
        let (width, next) = (grid_layout.padded_channels(), pattern.stride[1] * gathered_layout.pixel);
        let mut distances = [0; N];
        for (distance_of, tap) in distances.iter_mut().zip(taps) {
            *distance_of = distance(tap, gathered_layout);
        }
        for channel in (0..width).step_by(S::LANES) {
            let (mut grid, mut from) = (run.grid.wrapping_add(channel), run.gathered.wrapping_add(channel));
            // SAFETY: the caller's promise: all pixels exist and have these channels, and so do the sums.
            unsafe {
                let mut sums = [S::zero(); N];
                for _ in 0..run.count {
                    let dy = S::load(grid);
                    for (sum, distance) in sums.iter_mut().zip(distances) {
                        *sum = S::mul_add(S::load(from.wrapping_offset(distance)), dy, *sum);
                    }
                    (grid, from) = (grid.wrapping_add(grid_layout.pixel), from.wrapping_add(next));
                }
                for (sum, tap) in sums.into_iter().zip(taps) {
                    let to = self.out.add(tap.index * width + channel);
                    S::store(to, S::add(S::load(to), sum));
                }
            }
        }
    }
}
