//! The gradient by the kernel: `dg = G^T [sum over tiles of (B^T d B) * (A dy A^T)] G`.
//!
//! For each element of the tile the sum is a product of matrices, inputs by outputs, with the tiles as depth.

use std::marker::PhantomData;

use super::filter::{Lanes, SIDE};
use super::forward::transform;
use super::tiles::{Square, Tiling};
use super::transform::{Adjoint, LONGEST, MOST};
use crate::blocking;
use crate::gemm::{AddTransposed, LeftTransposed, Rows};
use crate::image::{Layout, padded};
use crate::isa::{self, Isa};
use crate::memory::{Buffer, with_scratch};
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
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
    /// Pixels from one tap to the next.
    pub dilation: [usize; 2],
}

// SAFETY: pointers to memory that is only read.
unsafe impl Sync for Job<'_> {}

/// Input channels of one product.
const ROWS: usize = 56;

/// Chunks of tiles that are summed apart where all sums of one fit into a core's cache.
const CHUNKS: usize = 8;

/// Calls `visit(input channel, output channel, kernel)` with every gradient.
///
/// # Safety
/// The job's pointers must be valid for its layouts.
pub(crate) unsafe fn run<T: Adjoint>(isa: Isa, job: &Job, visit: impl Fn(usize, usize, [f32; 9]) + Sync) {
    let run = Run::<T>::new(isa, job);
    if run.chunks == 1 && run.block == run.tiling.len() {
        // SAFETY: the caller's promise.
        return unsafe { run.sum_at_once(&visit) };
    }
    let mut sums = Buffer::zeroed(run.chunks * run.size());
    // SAFETY: the caller's promise.
    unsafe {
        if run.chunks > 1 {
            run.sum_chunks(&mut sums);
        } else {
            run.sum_together(&mut sums);
        }
    }
    let outputs = job.gradient_layout.channels;
    parallel(outputs.div_ceil(WIDEST), |item| {
        let back = TransformBack::<T, _> {
            sums: Sums {
                values: &sums,
                chunks: run.chunks,
                chunk: run.size(),
                element: run.inputs * run.columns,
                row: run.columns,
                first: [0, 0],
            },
            inputs: 0..run.inputs,
            columns: item * WIDEST..((item + 1) * WIDEST).min(outputs),
            visit: &visit,
            transform: PhantomData,
        };
        // SAFETY: the sums have these channels.
        unsafe { isa::run(isa, back) };
    });
}

/// Sizes of one sum.
struct Run<'a, T> {
    isa: Isa,
    job: &'a Job<'a>,
    tiling: Tiling,
    inputs: usize,
    /// Floats from tile to tile of transformed inputs and gradients.
    lines: usize,
    columns: usize,
    panels: Panels,
    /// Tiles that are transformed before they are multiplied.
    block: usize,
    chunks: usize,
    transform: PhantomData<T>,
}

impl<'a, T: Adjoint> Run<'a, T> {
    const ELEMENTS: usize = T::IN * T::IN;

    fn new(isa: Isa, job: &'a Job<'a>) -> Run<'a, T> {
        let tiling = Tiling::new(job.gradient_layout, T::OUT, job.dilation);
        let inputs = job.input_layout.channels;
        let panels = Panels::new(isa, job.gradient_layout.channels);
        let (lines, columns) = (blocking::row(padded(inputs)), blocking::row(panels.columns()));
        let alone = blocking::winograd_sums_fit(Self::ELEMENTS * inputs * columns);
        let block = blocking::winograd_gradient_tiles(Self::ELEMENTS, lines + columns, alone).min(tiling.len());
        let chunks = if alone { CHUNKS.min(tiling.len()) } else { 1 };
        Run { isa, job, tiling, inputs, lines, columns, panels, block, chunks, transform: PhantomData }
    }

    /// Floats of the sums of one chunk: `[element][input][column]`.
    fn size(&self) -> usize {
        Self::ELEMENTS * self.inputs * self.columns
    }

    /// Floats of a block of transformed tiles.
    fn scratch(&self) -> usize {
        Self::ELEMENTS * (blocking::plane(self.block * self.lines) + blocking::plane(self.block * self.columns))
    }

    /// Each chunk by one thread, from the first to the last tile.
    ///
    /// # Safety
    /// The job's pointers must be valid for its layouts.
    unsafe fn sum_chunks(&self, sums: &mut [f32]) {
        let (tiles, chunks) = (self.tiling.len(), self.chunks);
        let out = SharedMut(sums.as_mut_ptr());
        parallel(chunks, |chunk| {
            let (mut first, last) = (tiles * chunk / chunks, tiles * (chunk + 1) / chunks);
            with_scratch(self.scratch(), |scratch| {
                while first < last {
                    let count = self.block.min(last - first);
                    // SAFETY: the caller's promise; each chunk has its own scratch and sums.
                    unsafe {
                        self.transform(scratch.as_mut_ptr(), first, 0..count);
                        let out = out.get().add(chunk * self.size());
                        for element in 0..Self::ELEMENTS {
                            self.multiply(scratch.as_mut_ptr(), element, 0..self.inputs, count, out);
                        }
                    }
                    first += count;
                }
            });
        });
    }

    /// Block by block, each by all threads: first its tiles are shared out, then the elements and inputs of its products.
    ///
    /// # Safety
    /// The job's pointers must be valid for its layouts.
    unsafe fn sum_together(&self, sums: &mut [f32]) {
        let tiles = self.tiling.len();
        let mut transformed = Buffer::new(self.scratch());
        let (scratch, out) = (SharedMut(transformed.as_mut_ptr()), SharedMut(sums.as_mut_ptr()));
        let parts = self.inputs.div_ceil(ROWS);
        let mut first = 0;
        while first < tiles {
            let count = self.block.min(tiles - first);
            let pieces = count.div_ceil(16);
            parallel(pieces, |piece| {
                let tiles = count * piece / pieces..count * (piece + 1) / pieces;
                // SAFETY: the caller's promise; each item writes its own tiles.
                unsafe { self.transform(scratch.get(), first, tiles) };
            });
            parallel(Self::ELEMENTS * parts, |item| {
                let (element, part) = (item / parts, item % parts);
                let rows = self.inputs * part / parts..self.inputs * (part + 1) / parts;
                // SAFETY: each item adds to its own element and rows, and reads what the items before have written.
                unsafe { self.multiply(scratch.get(), element, rows, count, out.get()) };
            });
            first += count;
        }
    }

    /// All tiles in one block: first they are shared out, then inputs and panels of outputs, whose sums need no memory beyond
    /// a core's cache.
    ///
    /// # Safety
    /// The job's pointers must be valid for its layouts.
    unsafe fn sum_at_once(&self, visit: &(impl Fn(usize, usize, [f32; 9]) + Sync)) {
        let (tiles, outputs) = (self.tiling.len(), self.job.gradient_layout.channels);
        let mut transformed = Buffer::new(self.scratch());
        let scratch = SharedMut(transformed.as_mut_ptr());
        let pieces = tiles.div_ceil(16);
        parallel(pieces, |piece| {
            // SAFETY: the caller's promise; each item writes its own tiles.
            unsafe { self.transform(scratch.get(), 0, tiles * piece / pieces..tiles * (piece + 1) / pieces) };
        });
        let parts = self.inputs.div_ceil(ROWS);
        parallel(parts * self.panels.count(), |item| {
            let (panel, part) = (item / parts, item % parts);
            let rows = self.inputs * part / parts..self.inputs * (part + 1) / parts;
            let (first, width) = (self.panels.first(panel), self.panels.width(panel));
            with_scratch(Self::ELEMENTS * rows.len() * width, |sums| {
                sums.fill(0.0);
                for element in 0..Self::ELEMENTS {
                    let out = sums[element * rows.len() * width..].as_mut_ptr();
                    // SAFETY: the block is transformed, and the sums are this item's own.
                    unsafe {
                        let (left, right) = self.matrices(scratch.get(), element, rows.start);
                        let right = Rows { start: right.start.add(first), ..right };
                        let (lanes, depth) = (self.isa.lanes(), tiles);
                        let out = Rows { start: out, step: width };
                        let product = AddTransposed { rows: rows.len(), vecs: width / lanes, depth, left, right, out };
                        isa::run(self.isa, product);
                    }
                }
                let element = rows.len() * width;
                let origin = [rows.start, first];
                let back = TransformBack::<T, _> {
                    sums: Sums { values: sums, chunks: 1, chunk: 0, element, row: width, first: origin },
                    inputs: rows,
                    columns: first..(first + width).min(outputs),
                    visit,
                    transform: PhantomData,
                };
                // SAFETY: the sums have these channels.
                unsafe { isa::run(self.isa, back) };
            });
        });
    }

    /// The matrices of one element of a block: transformed inputs from an input on, and transformed gradients.
    unsafe fn matrices(&self, block: *mut f32, element: usize, input: usize) -> (LeftTransposed, Rows<*const f32>) {
        let plane = blocking::plane(self.block * self.lines);
        let gradient_plane = blocking::plane(self.block * self.columns);
        // SAFETY: the caller's promise; the block has these sizes.
        unsafe {
            let left = LeftTransposed { start: block.add(element * plane + input), step: self.lines };
            let gradients = block.add(Self::ELEMENTS * plane + element * gradient_plane);
            (left, Rows { start: gradients, step: self.columns })
        }
    }

    /// Transforms tiles `first + tiles` to their places in a block.
    unsafe fn transform(&self, block: *mut f32, first: usize, tiles: std::ops::Range<usize>) {
        let plane = blocking::plane(self.block * self.lines);
        let kernel = TransformBoth::<T> {
            job: *self.job,
            tiling: self.tiling,
            first,
            tiles,
            lines: self.lines,
            columns: self.columns,
            plane,
            gradient_plane: blocking::plane(self.block * self.columns),
            transformed: block,
            gradients: block.wrapping_add(Self::ELEMENTS * plane),
            transform: PhantomData,
        };
        // SAFETY: the caller's promise.
        unsafe { isa::run(self.isa, kernel) };
    }

    /// Adds the products of one element of a block's `count` tiles for some inputs and all outputs.
    unsafe fn multiply(
        &self,
        block: *mut f32,
        element: usize,
        rows: std::ops::Range<usize>,
        count: usize,
        out: *mut f32,
    ) {
        // SAFETY: the caller's promise; block and sums have these sizes.
        unsafe {
            let (left, right) = self.matrices(block, element, rows.start);
            let start = out.add((element * self.inputs + rows.start) * self.columns);
            let out = Rows { start, step: self.columns };
            let product = Product { rows: rows.len(), depth: count, panels: self.panels, left, right, out };
            isa::run(self.isa, product);
        }
    }
}

/// Sums by chunk, element, input and output.
struct Sums<'a> {
    values: &'a [f32],
    chunks: usize,
    /// Floats from chunk to chunk, element to element and input to input.
    chunk: usize,
    element: usize,
    row: usize,
    /// The first input and output that they hold.
    first: [usize; 2],
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
struct TransformBack<'a, T, F> {
    sums: Sums<'a>,
    inputs: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    visit: &'a F,
    transform: PhantomData<T>,
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
                        transform::<S, T>(|row, col| square.pixel_inside(row, col, channel), to, self.plane);
                    } else {
                        transform::<S, T>(|row, col| square.pixel(row, col, channel), to, self.plane);
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
                S::call(AddTransposed { rows, vecs, depth, left, right, out });
            }
        }
    }
}
