//! Outputs of products in parts that are not finite, computed again as floats: infinity has no second part, and times the zero that is the second
//! part of many weights it is not a number.

use super::forward::Outputs;
use super::lines::Lines;
use crate::gemm;
use crate::operands::{Operands, Pairs};
use crate::simd::{Kernel, Simd, WIDEST};
use crate::tiles::{SIDE, TILE};

/// Outputs of a phase, group and panel, which are looked through before they are stored.
#[derive(Clone, Copy)]
pub(super) struct Repaired<'a> {
    pub(super) outputs: Outputs<'a>,
    pub(super) lines: &'a Lines,
    pub(super) place: [usize; 3],
}

impl gemm::Out for Repaired<'_> {
    const STAGED: bool = true;

    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        Repaired { outputs: self.outputs.skip(rows), ..self }
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(self, row: usize, column: usize, sum: S::V) {
        // SAFETY: the caller's promise.
        unsafe { self.outputs.put::<S>(row, column, sum) }
    }

    #[inline(always)]
    unsafe fn put_tiles<S: Simd>(self, counts: [usize; 2], vecs: usize, sums: *const f32) {
        // SAFETY: the caller's promise.
        unsafe {
            // Infinity times 0 is NaN, so this is NaN where any sum is not finite.
            let mut probe = S::zero();
            for (tile, rows) in counts.into_iter().enumerate() {
                for vec in 0..vecs {
                    let sums = sums.add((2 * tile + vec) * TILE);
                    for at in (0..rows * WIDEST).step_by(S::LANES) {
                        probe = S::mul_add(S::load(sums.add(at)), S::zero(), probe);
                    }
                }
            }
            self.outputs.put_tiles::<S>(counts, vecs, sums);
            if S::any_nan(probe) {
                S::call(Repair { outputs: self, counts, vecs, sums });
            }
        }
    }
}

/// Two tiles of sums, of which some are not finite.
struct Repair<'a> {
    outputs: Repaired<'a>,
    counts: [usize; 2],
    vecs: usize,
    sums: *const f32,
}

impl Kernel for Repair<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Repair { outputs, counts, vecs, sums } = self;
        let Outputs { job, window, channel, .. } = outputs.outputs;
        // SAFETY: the caller's promise.
        unsafe {
            for (tile, rows) in counts.into_iter().enumerate() {
                let outputs = gemm::Out::skip(outputs, tile * SIDE);
                for (row, column) in
                    (0..rows).flat_map(|row| (0..vecs * WIDEST).step_by(S::LANES).map(move |c| (row, c)))
                {
                    let at = (2 * tile + column / WIDEST) * TILE + row * WIDEST + column % WIDEST;
                    if S::any_nan(S::mul(S::load(sums.add(at)), S::zero())) {
                        gemm::Out::put::<S>(outputs, row, column, outputs.sum::<S>(row, column));
                    }
                }
            }
            let (Some(halved), Some(window)) = (&job.halved, window) else { return };
            for (col, column) in
                (0..counts[0] / 2).flat_map(|col| (0..vecs * WIDEST).step_by(S::LANES).map(move |c| (col, c)))
            {
                let layout = halved.layout;
                let line = (window + col) / layout.width;
                let place = [line / layout.height, line % layout.height, (window + col) % layout.width];
                halved.store::<S>(job.output, job.output_layout, place, channel + column);
            }
        }
    }
}

impl Repaired<'_> {
    /// The sums of a vector of columns, product by product.
    #[inline(always)]
    unsafe fn sum<S: Simd>(&self, row: usize, column: usize) -> S::V {
        let (job, lines, [phase, group, panel]) = (self.outputs.job, self.lines, self.place);
        let (layout, inputs) = (job.input_layout, job.filter.groups.inputs);
        let (width, matrix) = (job.filter.panels.width(panel), job.filter.matrix(phase, group, panel));
        let (phase, parts) = (&job.pattern.phases[phase], job.filter.precision.parts());
        // SAFETY: the output exists, the filter has these columns, and pixels are looked for in the image.
        unsafe {
            let [image, place @ ..] = phase.locate(job.output_layout, *self.outputs.pixels.add(row));
            let mut sum = S::zero();
            for (index, (tap, first)) in lines.places().enumerate() {
                let offset = phase.taps[tap].offset;
                let y = (place[0] * job.pattern.stride[0]).wrapping_add_signed(offset[0]);
                let x = (place[1] * job.pattern.stride[1]).wrapping_add_signed(offset[1]);
                let pixel =
                    (y < layout.height && x < layout.width).then(|| (image * layout.height + y) * layout.width + x);
                let (block, line) = (index / lines.block, index % lines.block);
                let mut both = [S::zero(); Pairs::STEPS];
                for part in 0..parts {
                    let row = (block * parts + part) * lines.block + line;
                    let weights = S::load(matrix.add(row * width + column));
                    both = [S::add(both[0], S::first(weights)), S::add(both[1], S::second(weights))];
                }
                for (weights, channel) in both.into_iter().zip(first..inputs.min(first + Pairs::STEPS)) {
                    let value = pixel.map_or(0.0, |pixel| job.input.value(pixel, group * inputs + channel));
                    sum = S::mul_add(S::splat(value), weights, sum);
                }
            }
            sum
        }
    }
}
