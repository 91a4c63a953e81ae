//! The gradient by the kernel: `dg = G^T [sum over tiles of (B^T d B) * (A dy A^T)] G`.
//!
//! For each element of the tile the sum is a product of matrices, inputs by outputs, with the tiles as depth.

use std::marker::PhantomData;

use super::tiles::Tiling;
use super::transform::Adjoint;
use crate::blocking;
use crate::gemm::{AddTransposed, LeftTransposed, Rows};
use crate::image::{Layout, padded};
use crate::isa::{self, Isa};
use crate::memory::{Buffer, with_scratch};
use crate::panels::Panels;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::parallel;

mod transforms;

use transforms::{Sums, TransformBack, TransformBoth};

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
        let most = blocking::winograd_gradient_tiles(Self::ELEMENTS, lines + columns, alone, isa.has_tiles());
        let block = most.min(tiling.len());
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
