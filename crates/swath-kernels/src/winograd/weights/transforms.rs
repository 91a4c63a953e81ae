//! Tiles of inputs and gradients into the form in which they are multiplied, and sums back into kernels.

use std::marker::PhantomData;
use std::ops::Range;

use super::Job;
use crate::simd::{Kernel, Simd};
use crate::winograd::filter::{Lanes, SIDE};
use crate::winograd::forward::transform;
use crate::winograd::tiles::{Square, Tiling};
use crate::winograd::transform::{Adjoint, LONGEST, MOST};

/// Sums by chunk, element, input and output.
pub(super) struct Sums<'a> {
    pub(super) values: &'a [f32],
    pub(super) chunks: usize,
    /// Floats from chunk to chunk, element to element and input to input.
    pub(super) chunk: usize,
    pub(super) element: usize,
    pub(super) row: usize,
    /// The first input and output that they hold.
    pub(super) first: [usize; 2],
}

impl Sums<'_> {
    /// An element of several kernels, added over chunks. Outputs are padded, so that all lanes exist.
    #[inline(always)]
    fn lanes(&self, element: usize, input: usize, output: usize) -> Lanes {
        let mut lanes = [0.0; SIDE];
        for chunk in 0..self.chunks {
            let row = chunk * self.chunk + element * self.element + (input - self.first[0]) * self.row;
            let sums = &self.values[row + output - self.first[1]..];
            for (value, sum) in lanes.iter_mut().zip(sums) {
                *value += f64::from(*sum);
            }
        }
        lanes
    }
}

/// `G^T U G` for some inputs and outputs.
pub(super) struct TransformBack<'a, T, F> {
    pub(super) sums: Sums<'a>,
    pub(super) inputs: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) visit: &'a F,
    pub(super) transform: PhantomData<T>,
}

impl<T: Adjoint, F: Fn(usize, usize, [f32; 9])> Kernel for TransformBack<'_, T, F> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let columns = self.columns;
        for input in self.inputs {
            for first in columns.clone().step_by(SIDE) {
                let mut rows = [[[0.0; SIDE]; LONGEST]; 3];
                for col in 0..T::IN {
                    let mut u = [[0.0; SIDE]; LONGEST];
                    for (row, values) in u.iter_mut().enumerate().take(T::IN) {
                        *values = self.sums.lanes(row * T::IN + col, input, first);
                    }
                    for (line, values) in rows.iter_mut().zip(gradient_lanes::<T>(u)) {
                        line[col] = values;
                    }
                }
                let rows = [gradient_lanes::<T>(rows[0]), gradient_lanes::<T>(rows[1]), gradient_lanes::<T>(rows[2])];
                for (lane, output) in (first..columns.end).take(SIDE).enumerate() {
                    let mut kernel = [0.0; 9];
                    for (tap, value) in kernel.iter_mut().enumerate() {
                        *value = rows[tap / 3][tap % 3][lane] as f32;
                    }
                    (self.visit)(input, output, kernel);
                }
            }
        }
    }
}

/// `G^T u` of several kernels.
#[inline(always)]
fn gradient_lanes<T: Adjoint>(u: [Lanes; LONGEST]) -> [Lanes; 3] {
    let mut g = [[0.0; SIDE]; 3];
    for lane in 0..SIDE {
        let mut lanes = [0.0; LONGEST];
        for element in 0..LONGEST {
            lanes[element] = u[element][lane];
        }
        let gradient = T::filter_gradient(lanes);
        g[0][lane] = gradient[0];
        g[1][lane] = gradient[1];
        g[2][lane] = gradient[2];
    }
    g
}

/// Transforms some tiles of the input and of the gradient: element `e` of tile `t` at `e * plane + t * lines`.
pub(super) struct TransformBoth<'a, T> {
    pub(super) job: Job<'a>,
    pub(super) tiling: Tiling,
    /// The first tile of the block; `tiles` count from it.
    pub(super) first: usize,
    pub(super) tiles: Range<usize>,
    pub(super) lines: usize,
    pub(super) columns: usize,
    pub(super) plane: usize,
    pub(super) gradient_plane: usize,
    pub(super) transformed: *mut f32,
    pub(super) gradients: *mut f32,
    pub(super) transform: PhantomData<T>,
}

impl<T: Adjoint> Kernel for TransformBoth<'_, T> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let job = self.job;
        for index in self.tiles.start..self.tiles.end {
            let tile = self.tiling.tile(self.first + index);
            let square = Square::new(job.input, job.input_layout, tile, job.padding, T::IN);
            for channel in (0..job.input_layout.padded_channels()).step_by(S::LANES) {
                // SAFETY: the square lies in the image or reads zeros, and the scratch has room for all tiles.
                unsafe {
                    let to = self.transformed.add(index * self.lines + channel);
                    if square.is_inside() {
                        transform::<S, T, false>(|row, col| square.pixel_inside(row, col, channel), to, self.plane);
                    } else {
                        transform::<S, T, false>(|row, col| square.pixel(row, col, channel), to, self.plane);
                    }
                }
            }
            // Beyond the edge the output does not exist, and its gradient is 0.
            let square = Square::new(job.gradient, job.gradient_layout, tile, [0, 0], T::OUT);
            for channel in (0..job.gradient_layout.padded_channels()).step_by(S::LANES) {
                // SAFETY: as above.
                unsafe {
                    let to = self.gradients.add(index * self.columns + channel);
                    transform_gradient::<S, T>(&square, channel, to, self.gradient_plane);
                }
            }
        }
    }
}

/// `A dy A^T` of one tile and one vector of channels; element `e` goes to `to + e plane`.
#[inline(always)]
unsafe fn transform_gradient<S: Simd, T: Adjoint>(square: &Square, channel: usize, to: *mut f32, plane: usize) {
    // SAFETY: the caller's promise about the square and about `to`.
    unsafe {
        let mut rows = [[S::zero(); MOST]; LONGEST];
        for col in 0..T::OUT {
            let mut y = [S::zero(); MOST];
            for (row, value) in y.iter_mut().enumerate().take(T::OUT) {
                *value = S::load(square.pixel(row, col, channel));
            }
            for (line, value) in rows.iter_mut().zip(T::output_gradient::<S>(y)) {
                line[col] = value;
            }
        }
        for (row, line) in rows.iter().enumerate().take(T::IN) {
            let z = T::output_gradient::<S>(*line);
            for (col, value) in z.iter().enumerate().take(T::IN) {
                S::store(to.add((row * T::IN + col) * plane), *value);
            }
        }
    }
}
