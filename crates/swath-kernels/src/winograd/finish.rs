//! From sums of products to outputs: transformed back, finished, stored, and repaired where something is not finite.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::filter::Transformed;
use super::forward::{Job, written};
use super::tiles::{Square, Tile};
use super::transform::{LONGEST, MOST, Transform};
use crate::image::Element;
use crate::operands::Precision;
use crate::pixels;
use crate::simd::{Kernel, Simd};

/// Where a tile's vectors of channels are stored: `start`, and the elements from one of its pixels to the next and the one below.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) start: *mut f32,
    pub(super) element: Element,
    pub(super) row: usize,
    pub(super) col: usize,
}

impl Target {
    /// The place of these channels in the job's output.
    #[inline(always)]
    pub(super) fn output(job: &Job, tile: Tile, channel: usize) -> Target {
        let layout = job.output_layout;
        Target {
            start: pixels::Target::at(job.output, layout).place(tile.pixel(layout, 0, 0), channel),
            element: layout.element,
            row: tile.step[0] * layout.width * layout.pixel,
            col: tile.step[1] * layout.pixel,
        }
    }

    /// # Safety
    /// The pixel must be the tile's, and the machine have the instruction set.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, row: usize, col: usize, value: S::V) {
        let to = self.start.wrapping_byte_add((row * self.row + col * self.col) * self.element.bytes());
        // SAFETY: the caller's promise.
        unsafe { pixels::store::<S>(self.element, to, value) }
    }
}

/// `A^T M A` of one tile and one vector of channels, finished and stored.
///
/// # Safety
/// The sums must be there, the tile and the channels exist in the job's output, and the target have room for the tile's pixels.
#[inline(always)]
pub(super) unsafe fn finish<S: Simd, T: Transform>(
    job: &Job,
    tile: Tile,
    channel: usize,
    to: Target,
    from: *const f32,
    plane: usize,
) {
    // SAFETY: the caller's promise about `from`; rows and columns are checked against the output.
    unsafe {
        let mut rows = [[MaybeUninit::<S::V>::uninit(); LONGEST]; MOST];
        for col in 0..T::IN {
            let mut m = [S::zero(); LONGEST];
            for (row, value) in m.iter_mut().enumerate().take(T::IN) {
                *value = S::load(from.add((row * T::IN + col) * plane));
            }
            for (line, value) in rows.iter_mut().zip(T::output::<S>(m)).take(T::OUT) {
                line[col].write(value);
            }
        }
        let layout = job.output_layout;
        let (height, width) = tile.size(layout, T::OUT);
        // Infinity times 0 is NaN, so this is NaN where any output is not finite.
        let mut probe = S::zero();
        let finish = job.finish.of_channels::<S>(channel);
        for (row, line) in rows.iter().enumerate().take(T::OUT) {
            if row >= height {
                break;
            }
            let y = T::output::<S>(written::<S, T>(line));
            let first = tile.pixel(layout, row, 0);
            for (col, value) in y.iter().enumerate().take(T::OUT) {
                if col < width {
                    let pixel = first + col * tile.step[1];
                    probe = S::mul_add(*value, S::zero(), probe);
                    to.store::<S>(row, col, finish.apply(*value, pixel));
                }
            }
        }
        if S::any_nan(probe) {
            S::call(Repair::<T> { job: *job, tile, channel, to, height, width, transform: PhantomData });
        }
        if let Some(halved) = &job.halved {
            // Tiles begin at even rows and columns.
            let output = pixels::Target::at(job.output, layout);
            for (row, col) in (0..height / 2).flat_map(|row| (0..width / 2).map(move |col| (row, col))) {
                let window = [tile.image, tile.row / 2 + row, tile.col / 2 + col];
                halved.store::<S>(output, layout, window, channel);
            }
        }
    }
}

/// Computes a tile again, output by output: what is infinite or not a number spreads over a whole tile in the
/// transformed sums, but touches nine outputs only.
struct Repair<'a, T> {
    job: Job<'a>,
    tile: Tile,
    channel: usize,
    to: Target,
    height: usize,
    width: usize,
    transform: PhantomData<T>,
}

impl<T: Transform> Kernel for Repair<'_, T> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Repair { job, tile, channel, to, height, width, .. } = self;
        let square = Square::new(job.input, job.input_layout, tile, job.padding, T::IN);
        // SAFETY: the square lies in the image or reads zeros; the tile lies in the output, and the filter has these
        // channels.
        unsafe {
            let mut sums = [[S::zero(); MOST]; MOST];
            for from in 0..job.input_layout.channels {
                let kernel = kernel::<S, T>(job.filter, channel, from);
                for (row, sums) in sums.iter_mut().enumerate().take(height) {
                    for (col, sum) in sums.iter_mut().enumerate().take(width) {
                        for (tap, weight) in kernel.iter().enumerate() {
                            let value = square.value(row + tap / 3, col + tap % 3, from);
                            *sum = S::mul_add(S::splat(value), *weight, *sum);
                        }
                    }
                }
            }
            let layout = job.output_layout;
            for (row, sums) in sums.iter().enumerate().take(height) {
                for (col, sum) in sums.iter().enumerate().take(width) {
                    let pixel = tile.pixel(layout, row, col);
                    to.store::<S>(row, col, job.finish.apply::<S>(*sum, pixel, channel));
                }
            }
        }
    }
}

/// The 3x3 kernels from one channel to a vector of channels, out of their transformed form.
#[inline(always)]
unsafe fn kernel<S: Simd, T: Transform>(filter: &Transformed, channel: usize, from: usize) -> [S::V; 9] {
    let widest = filter.panels.widest();
    let (panel, column) = (channel / widest, channel % widest);
    let width = filter.panels.width(panel);
    // SAFETY: the filter has these channels.
    unsafe {
        let mut rows = [[S::zero(); LONGEST]; 3];
        for col in 0..T::IN {
            let mut u = [S::zero(); LONGEST];
            for (row, value) in u.iter_mut().enumerate().take(T::IN) {
                let matrix = filter.matrix(panel, row * T::IN + col);
                *value = match filter.precision {
                    Precision::Bf16 => {
                        let pairs = S::load(matrix.add(from / 2 * width + column));
                        if from.is_multiple_of(2) { S::first(pairs) } else { S::second(pairs) }
                    }
                    _ => S::load(matrix.add(from * width + column)),
                };
            }
            for (line, value) in rows.iter_mut().zip(T::kernel::<S>(u)) {
                line[col] = value;
            }
        }
        let mut kernel = [S::zero(); 9];
        for (row, line) in rows.into_iter().enumerate() {
            kernel[3 * row..3 * row + 3].copy_from_slice(&T::kernel::<S>(line));
        }
        kernel
    }
}
