//! Output pixels as rows of a product.

use super::Job;
use crate::gemm;
use crate::simd::{Simd, WIDEST, prefetch_to_write};

/// Output pixels as a product's rows: sums are finished as they are stored.
#[derive(Clone, Copy)]
pub(in crate::gather) struct Outputs<'a> {
    pub(in crate::gather) job: &'a Job<'a>,
    /// Their numbers.
    pub(in crate::gather) pixels: *const usize,
    /// Of the first column.
    pub(in crate::gather) channel: usize,
}

impl Outputs<'_> {
    /// `rows` rows of `VECS` times 16 sums.
    #[inline(always)]
    unsafe fn finish_rows<S: Simd, const VECS: usize>(&self, rows: usize, sums: *const f32, [step, next]: [usize; 2]) {
        let output = self.job.output;
        // SAFETY: the caller's promise: pixels and channels exist.
        unsafe {
            for lane in (0..WIDEST).step_by(S::LANES) {
                let channel = self.channel + lane;
                let finish = [
                    self.job.finish.of_channels::<S>(channel),
                    self.job.finish.of_channels::<S>(channel + (VECS - 1) * WIDEST),
                ];
                for row in 0..rows {
                    let pixel = *self.pixels.add(row);
                    let mut values = [S::zero(); VECS];
                    for (vec, value) in values.iter_mut().enumerate() {
                        *value = finish[vec].apply(S::load(sums.add(row * step + vec * next + lane)), pixel);
                    }
                    if VECS == 2 && S::LANES == WIDEST {
                        output.store_both::<S>(pixel, channel, values[0], values[VECS - 1]);
                    } else {
                        for (vec, value) in values.into_iter().enumerate() {
                            output.store::<S>(pixel, channel + vec * WIDEST, value);
                        }
                    }
                }
            }
        }
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
                prefetch_to_write(self.job.output.place(pixel, self.channel + line));
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
            self.job.output.store::<S>(pixel, self.channel + column, value);
        }
    }

    #[inline(always)]
    unsafe fn put_rows<S: Simd>(self, [rows, vecs]: [usize; 2], sums: *const f32, steps: [usize; 2]) {
        // SAFETY: the caller's promise.
        unsafe {
            match vecs {
                1 => self.finish_rows::<S, 1>(rows, sums, steps),
                _ => self.finish_rows::<S, 2>(rows, sums, steps),
            }
        }
    }
}
