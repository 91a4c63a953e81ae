//! The convolution itself, a few pixels of a row at a time.

use std::ops::Range;

use super::{Kernels, columns_inside, distance, rows_inside};
use crate::epilogue::Finish;
use crate::functions::Function;
use crate::gather::{Pattern, Phase, Tap};
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::pixels::{Source, Target, load};
use crate::simd::{Kernel, Simd};
use crate::threads::parallel;
use crate::zeros::zeros;

/// Products in an item of the parallel loop: some ten microseconds of work.
const ITEM: usize = 256 * 1024;

/// Everything that one convolution consists of, checked: pointers are valid for their layouts.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub input: Source,
    pub input_layout: &'a Layout,
    pub output: Target,
    pub output_layout: &'a Layout,
    pub pattern: &'a Pattern,
    pub filter: &'a Kernels,
    pub finish: Finish,
    /// Of the finished outputs.
    pub function: Option<Function>,
}

// SAFETY: items of the job write to disjoint outputs, and read what nobody writes.
unsafe impl Sync for Job<'_> {}

/// Runs the convolution.
///
/// # Safety
/// The job's pointers must be valid for its layouts, and the output not be used otherwise.
pub(crate) unsafe fn run(isa: Isa, job: &Job) {
    let phases = &job.pattern.phases;
    let layout = job.output_layout;
    let products = |phase: &Phase| phase.count[0] * phase.count[1] * phase.taps.len() * layout.padded_channels();
    let most = phases.iter().map(products).max().unwrap_or(0);
    let blocks = (layout.batch * most).div_ceil(ITEM).max(1);
    parallel(phases.len() * blocks, |item| {
        let (phase, block) = (&phases[item / blocks], item % blocks);
        let pixels = layout.batch * phase.count[0] * phase.count[1];
        let pixels = pixels * block / blocks..pixels * (block + 1) / blocks;
        // SAFETY: the caller's promise; each item has its own pixels.
        unsafe { isa::run(isa, Block { job: *job, phase, pixels }) };
    });
}

/// Some pixels of a phase, counted image by image and row by row.
struct Block<'a> {
    job: Job<'a>,
    phase: &'a Phase,
    pixels: Range<usize>,
}

/// A row of outputs: what it reads, and where it lies.
#[derive(Clone, Copy)]
struct Line<'a> {
    taps: &'a [Tap],
    /// Where a tap without offset reads for column 0.
    input: *const f32,
    /// The output pixel of column 0.
    pixel: usize,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let [rows, cols] = self.phase.count;
        let mut first = self.pixels.start;
        while first < self.pixels.end {
            let (line, col) = (first / cols, first % cols);
            let count = (cols - col).min(self.pixels.end - first);
            // SAFETY: the caller's promise; row and columns are those of the phase.
            unsafe { self.row::<S>(line / rows, line % rows, &(col..col + count)) };
            first += count;
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, image: usize, row: usize, cols: &Range<usize>) {
        let Job { input_layout, output_layout, pattern, .. } = self.job;
        let Phase { first, step, ref taps, .. } = *self.phase;
        let from = row * pattern.stride[0];
        let taps = rows_inside(taps, from, input_layout.height);
        // Without an offset, the pixel itself may lie beyond the image.
        let pixel = (image * input_layout.height + from) * input_layout.width;
        let line = Line {
            taps,
            input: self.job.input.place(pixel, 0),
            pixel: (image * output_layout.height + first[0] + row * step[0]) * output_layout.width + first[1],
        };
        let inside = columns_inside(taps, pattern.stride[1], input_layout.width, cols);
        // SAFETY: the caller's promise; inside of the image all taps exist.
        unsafe {
            self.columns::<S, true>(line, cols.start..inside.start);
            self.columns::<S, false>(line, inside.clone());
            self.columns::<S, true>(line, inside.end..cols.end);
            if let Some(function) = self.job.function {
                self.map::<S>(function, line, cols);
            }
        }
    }

    /// Some columns of a row, which have just been stored.
    #[inline(always)]
    unsafe fn map<S: Simd>(&self, function: Function, line: Line, cols: &Range<usize>) {
        let layout = self.job.output_layout;
        for col in cols.clone() {
            let pixel = line.pixel + col * self.phase.step[1];
            for channel in (0..layout.padded_channels()).step_by(S::LANES) {
                // SAFETY: the caller's promise: the pixels lie in the output, and have these channels.
                unsafe {
                    let value = self.job.output.load::<S>(pixel, channel);
                    self.job.output.store::<S>(pixel, channel, function.apply::<S>(value));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn columns<S: Simd, const EDGE: bool>(&self, line: Line, cols: Range<usize>) {
        let mut col = cols.start;
        // SAFETY: the caller's promise.
        unsafe {
            while cols.end - col >= 8 {
                self.pixels::<S, 8, EDGE>(line, col);
                col += 8;
            }
            if cols.end - col >= 4 {
                self.pixels::<S, 4, EDGE>(line, col);
                col += 4;
            }
            if cols.end - col >= 2 {
                self.pixels::<S, 2, EDGE>(line, col);
                col += 2;
            }
            if col < cols.end {
                self.pixels::<S, 1, EDGE>(line, col);
            }
        }
    }

    /// `N` pixels from a column on. Taps are added in their order, so that it does not matter how many pixels come together.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const N: usize, const EDGE: bool>(&self, line: Line, col: usize) {
        let Job { input_layout, output_layout, ref finish, .. } = self.job;
        let stride = self.job.pattern.stride[1];
        let (element, next) = (input_layout.element, stride * input_layout.pixel);
        let bytes = element.bytes();
        let origin = line.input.wrapping_byte_add(col * next * bytes);
        let (weights, width) = (self.job.filter.0.as_ptr(), output_layout.padded_channels());
        for channel in (0..width).step_by(S::LANES) {
            // SAFETY: the caller's promise: pixels that are read lie in the image, those that are written in the output, and all have these
            // channels.
            unsafe {
                let mut sums = [S::zero(); N];
                for tap in line.taps {
                    let weight = S::load(weights.add(tap.index * width + channel));
                    let from = distance(tap, input_layout) + channel as isize;
                    let from = origin.wrapping_byte_offset(from * bytes as isize);
                    for (index, sum) in sums.iter_mut().enumerate() {
                        let place = ((col + index) * stride).wrapping_add_signed(tap.offset[1]);
                        let outside = EDGE && place >= input_layout.width;
                        let from = if outside { zeros() } else { from.wrapping_byte_add(index * next * bytes) };
                        *sum = S::mul_add(load::<S>(element, from), weight, *sum);
                    }
                }
                for (index, sum) in sums.into_iter().enumerate() {
                    let pixel = line.pixel + (col + index) * self.phase.step[1];
                    let value = finish.apply::<S>(sum, pixel, channel);
                    self.job.output.store::<S>(pixel, channel, value);
                }
            }
        }
    }
}
