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
}
