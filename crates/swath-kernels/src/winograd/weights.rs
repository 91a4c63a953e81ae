//! The gradient by the kernel: `dg = G^T [sum over tiles of (B^T d B) * (A dy A^T)] G`.
//!
//! For each element of the tile the sum is a product of matrices, inputs by outputs, with the tiles as depth.

use std::marker::PhantomData;

use super::forward::transform;
use super::tiles::{Square, Tiling};
use super::transform::{LONGEST, Transform};
use crate::blocking;
use crate::gemm::{self, LeftTransposed, Rows};
use crate::image::{Layout, padded};
use crate::isa::{self, Isa};
use crate::memory::Buffer;
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd};
use crate::threads::parallel;

/// What the sum runs over, checked: pointers are valid for their layouts.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub input: *const f32,
    pub input_layout: &'a Layout,
    /// The gradient of the output.
    pub gradient: *const f32,
    pub gradient_layout: &'a Layout,
    /// Rows above and columns left of the image.
    pub padding: [usize; 2],
}

// SAFETY: pointers to memory that is only read.
unsafe impl Sync for Job<'_> {}

/// Input channels of one product.
const ROWS: usize = 56;

/// Calls `visit(input channel, output channel, kernel)` with every gradient.
///
/// # Safety
/// The job's pointers must be valid for its layouts.
pub(crate) unsafe fn run<T: Transform>(isa: Isa, job: &Job, visit: impl Fn(usize, usize, [f32; 9]) + Sync) {
    let tiling = Tiling::new(job.gradient_layout, T::OUT);
    let (tiles, elements) = (tiling.len(), T::IN * T::IN);
    let (inputs, outputs) = (job.input_layout.channels, job.gradient_layout.channels);
    let panels = Panels::new(isa, outputs);
    let (lines, columns) = (padded(inputs), panels.columns());
    let most = blocking::winograd_gradient_tiles(elements, lines + columns).min(tiles);
    let (plane, gradient_plane) = (blocking::plane(most * lines), blocking::plane(most * columns));
    let mut transformed = Buffer::new(elements * (plane + gradient_plane));
    let mut sums = Buffer::zeroed(elements * inputs * columns);
    let (scratch, out) = (SharedMut(transformed.as_mut_ptr()), SharedMut(sums.as_mut_ptr()));
    let parts = inputs.div_ceil(ROWS);
    let mut first = 0;
    while first < tiles {
        let count = most.min(tiles - first);
        let pieces = count.div_ceil(16);
        parallel(pieces, |piece| {
            let tiles = count * piece / pieces..count * (piece + 1) / pieces;
            let gradients = scratch.get().wrapping_add(elements * plane);
            let kernel = TransformBoth::<T> {
                job: *job,
                tiling,
                first,
                tiles,
                lines,
                columns,
                plane,
                gradient_plane,
                transformed: scratch.get(),
                gradients,
                transform: PhantomData,
            };
            // SAFETY: the caller's promise; each item writes its own tiles.
            unsafe { isa::run(isa, kernel) };
        });
        parallel(elements * parts, |item| {
            let (element, part) = (item / parts, item % parts);
            let rows = inputs * part / parts..inputs * (part + 1) / parts;
            // SAFETY: each item adds to its own element and rows, and reads what the items before have written.
            unsafe {
                let left = scratch.get().add(element * plane + rows.start);
                let right = scratch.get().add(elements * plane + element * gradient_plane);
                let product = Product {
                    rows: rows.len(),
                    depth: count,
                    panels,
                    left: LeftTransposed { start: left, step: lines },
                    right: Rows { start: right, step: columns },
                    out: Rows { start: out.get().add((element * inputs + rows.start) * columns), step: columns },
                };
                isa::run(isa, product);
            }
        });
        first += count;
    }
    parallel(inputs, |input| {
        for output in 0..outputs {
            let at = |element: usize| f64::from(sums[(element * inputs + input) * columns + output]);
            let mut lines = [[0.0; LONGEST]; 3];
            for col in 0..T::IN {
                let mut u = [0.0; LONGEST];
                for (row, value) in u.iter_mut().enumerate().take(T::IN) {
                    *value = at(row * T::IN + col);
                }
                for (line, value) in lines.iter_mut().zip(T::filter_gradient(u)) {
                    line[col] = value;
                }
            }
            let rows = lines.map(T::filter_gradient);
            visit(input, output, std::array::from_fn(|tap| rows[tap / 3][tap % 3] as f32));
        }
    });
}

/// Transforms some tiles of the input and of the gradient: element `e` of tile `t` at `e * plane + t * lines`.
struct TransformBoth<'a, T> {
    job: Job<'a>,
    tiling: Tiling,
    /// The first tile of the block; `tiles` count from it.
    first: usize,
    tiles: std::ops::Range<usize>,
    lines: usize,
    columns: usize,
    plane: usize,
    gradient_plane: usize,
    transformed: *mut f32,
    gradients: *mut f32,
    transform: PhantomData<T>,
}

impl<T: Transform> Kernel for TransformBoth<'_, T> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let job = self.job;
        for index in self.tiles.start..self.tiles.end {
            let tile = self.tiling.tile(self.first + index);
            let (row, col) = (tile.row as isize, tile.col as isize);
            let (top, left) = (job.padding[0] as isize, job.padding[1] as isize);
            let square = Square::new(job.input, job.input_layout, tile.image, row - top, col - left, T::IN);
            for channel in (0..self.lines).step_by(S::LANES) {
                // SAFETY: the square lies in the image or reads zeros, and the scratch has room for all tiles.
                unsafe {
                    let to = self.transformed.add(index * self.lines + channel);
                    if square.is_inside() {
                        transform::<S, T>(|row, col| square.pixel_inside(row, col, channel), to, self.plane);
                    } else {
                        transform::<S, T>(|row, col| square.pixel(row, col, channel), to, self.plane);
                    }
                }
            }
            // Beyond the edge the output does not exist, and its gradient is 0.
            let square = Square::new(job.gradient, job.gradient_layout, tile.image, row, col, T::OUT);
            for channel in (0..self.columns).step_by(S::LANES) {
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
unsafe fn transform_gradient<S: Simd, T: Transform>(square: &Square, channel: usize, to: *mut f32, plane: usize) {
    // SAFETY: the caller's promise about the square and about `to`.
    unsafe {
        let mut rows = [[S::zero(); 4]; LONGEST];
        for col in 0..T::OUT {
            let mut y = [S::zero(); 4];
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

/// `out += left right` for all panels.
struct Product {
    rows: usize,
    depth: usize,
    panels: Panels,
    left: LeftTransposed,
    right: Rows<*const f32>,
    out: Rows<*mut f32>,
}

impl Kernel for Product {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Product { rows, depth, panels, left, right, out } = self;
        for panel in 0..panels.count() {
            let column = panels.first(panel);
            // SAFETY: the caller's promise about the matrices.
            unsafe {
                let right = Rows { start: right.start.add(column), ..right };
                let out = Rows { start: out.start.add(column), ..out };
                let vecs = panels.width(panel) / S::LANES;
                S::call(gemm::AddTransposed { rows, vecs, depth, left, right, out });
            }
        }
    }
}
