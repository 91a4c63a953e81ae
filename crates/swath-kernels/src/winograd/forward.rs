//! The convolution itself: transform tiles, multiply, transform back.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::filter::Transformed;
use super::finish::{Target, finish};
use super::room::Room;
use super::tiles::{Square, Tiling};
use super::transform::{LONGEST, Transform};
use crate::blocking;
use crate::epilogue::Finish;
use crate::gemm::{self, BEYOND, Left, Rows};
use crate::image::{Element, Layout};
use crate::isa::{self, Isa};
use crate::memory::{Buffer, with_scratch};
use crate::next::Next;
use crate::operands::Operands;
use crate::pixels;
use crate::pooling::Halved;
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST, prefetch, prefetch_to_write};
use crate::threads::{parallel, threads};

/// Everything that one convolution consists of, checked: pointers are valid for their layouts.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub input: *const f32,
    pub input_layout: &'a Layout,
    pub output: *mut f32,
    pub output_layout: &'a Layout,
    /// Rows above and columns left of the image.
    pub padding: [usize; 2],
    /// Pixels from one tap to the next.
    pub dilation: [usize; 2],
    pub filter: &'a Transformed,
    pub finish: Finish,
    /// Where the maxima of 2x2 windows go as well; only without dilation.
    pub halved: Option<Halved>,
    /// What becomes of the output instead of being stored.
    pub next: Option<Next<'a>>,
}

// SAFETY: items of the job write to disjoint outputs, and read what nobody writes.
unsafe impl Sync for Job<'_> {}

/// Tiles `first..first + count` and where their transformed inputs lie: element `e` of tile `t` in block `b` of 16
/// words at `e * plane + (b * stride + t) * 16`.
#[derive(Clone, Copy)]
struct Block {
    tiling: Tiling,
    first: usize,
    count: usize,
    transformed: *mut f32,
    plane: usize,
    stride: usize,
}

// SAFETY: a pointer to scratch; whoever uses it answers for the parts being disjoint.
unsafe impl Sync for Block {}

impl Block {
    fn new(tiling: Tiling, first: usize, count: usize, stride: usize, words: usize, transformed: *mut f32) -> Block {
        Block { tiling, first, count, transformed, plane: Block::plane(stride, words), stride }
    }

    fn plane(stride: usize, words: usize) -> usize {
        blocking::plane(stride * words.next_multiple_of(WIDEST))
    }
}

/// Runs the convolution.
///
/// # Safety
/// The job's pointers must be valid for its layouts, and the output not be used otherwise.
pub(crate) unsafe fn run<T: Transform, O: Operands>(isa: Isa, job: &Job) {
    let tiling = Tiling::new(job.output_layout, T::OUT, job.dilation);
    let (tiles, words) = (tiling.len(), O::words(job.input_layout.channels));
    let (elements, panels) = (T::IN * T::IN, job.filter.panels);
    let most = blocking::winograd_tiles(elements, words, panels.widest());
    let blocks = tiles.div_ceil(most);
    let together = blocking::winograd_tiles_together(elements, words, panels.columns());
    // A head adds up panels in their order.
    if job.next.is_none() && (blocks < 2 * threads() || together.is_some() && panels.count() >= 2 * threads()) {
        // SAFETY: the caller's promise.
        return unsafe { run_together::<T, O>(isa, job, tiling, together.unwrap_or(tiles)) };
    }
    let products = elements * blocking::plane(most * panels.widest());
    let room = job.next.map_or(0, |next| Room::len(T::OUT, panels.widest(), &next));
    // As many blocks for each thread, of the same size.
    let blocks = blocks.next_multiple_of(threads());
    parallel(blocks, |index| {
        let first = tiles * index / blocks;
        let count = tiles * (index + 1) / blocks - first;
        let size = elements * Block::plane(most, words) + BEYOND;
        with_scratch(size + products + room, |scratch| {
            let (transformed, scratch) = scratch.split_at_mut(size);
            let (products, room) = scratch.split_at_mut(products);
            let block = Block::new(tiling, first, count, most, words, transformed.as_mut_ptr());
            let scratch = [products, room].map(<[f32]>::as_mut_ptr);
            // SAFETY: the caller's promise; each item has its own tiles and scratch.
            unsafe {
                isa::run(isa, TransformInput::<T, O>::new(*job, block, 0, words.div_ceil(WIDEST)));
                isa::run(isa, Multiply::<T, O>::new(*job, block, 0..panels.count(), 1, scratch));
            }
        });
    });
}

/// Runs the convolution in blocks of at most `most` tiles that all threads work on: each transforms some of the channels, and then takes some of the
/// filter's panels, which are read only once for a block.
///
/// # Safety
/// As [`run`].
unsafe fn run_together<T: Transform, O: Operands>(isa: Isa, job: &Job, tiling: Tiling, most: usize) {
    let (tiles, words) = (tiling.len(), O::words(job.input_layout.channels));
    let (elements, panels) = (T::IN * T::IN, job.filter.panels);
    let blocks = tiles.div_ceil(most);
    let most = tiles.div_ceil(blocks);
    let least = panels.count().div_ceil(blocking::PANELS_TOGETHER);
    let shares = least.next_multiple_of(threads()).min(panels.count());
    let widest = panels.count().div_ceil(shares);
    let products = widest * elements * blocking::plane(most * panels.widest());
    let mut transformed = Buffer::new(elements * Block::plane(most, words) + BEYOND);
    let start = SharedMut(transformed.as_mut_ptr());
    for index in 0..blocks {
        let (first, next) = (tiles * index / blocks, tiles * (index + 1) / blocks);
        let block = || Block::new(tiling, first, next - first, most, words, start.get());
        parallel(words.div_ceil(WIDEST), |part| {
            // SAFETY: the caller's promise; each item writes its own block of words.
            unsafe { isa::run(isa, TransformInput::<T, O>::new(*job, block(), part, part + 1)) }
        });
        parallel(shares, |share| {
            let range = panels.count() * share / shares..panels.count() * (share + 1) / shares;
            with_scratch(products, |products| {
                let scratch = [products.as_mut_ptr(), std::ptr::null_mut()];
                // SAFETY: the caller's promise; each item writes the output channels of its panels.
                unsafe { isa::run(isa, Multiply::<T, O>::new(*job, block(), range.clone(), widest, scratch)) }
            });
        });
    }
}

/// Transforms the inputs of a block's tiles, for blocks `first..last` of 16 words.
struct TransformInput<'a, T, O> {
    job: Job<'a>,
    block: Block,
    first: usize,
    last: usize,
    kind: PhantomData<(T, O)>,
}

impl<'a, T, O> TransformInput<'a, T, O> {
    fn new(job: Job<'a>, block: Block, first: usize, last: usize) -> Self {
        TransformInput { job, block, first, last, kind: PhantomData }
    }
}

impl<T: Transform, O: Operands> Kernel for TransformInput<'_, T, O> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let TransformInput { job, block, .. } = self;
        // Transformed vectors that become pairs.
        let mut vectors = [0.0; 2 * LONGEST * LONGEST * WIDEST];
        for index in 0..block.count {
            let tile = block.tiling.tile(block.first + index);
            let square = Square::new(job.input, job.input_layout, tile, job.padding, T::IN);
            let next = block.tiling.tile((block.first + index + 1).min(block.tiling.len() - 1));
            let next = Square::new(job.input, job.input_layout, next, job.padding, T::IN);
            for word in (self.first * WIDEST..self.last * WIDEST).step_by(S::LANES) {
                let to = (word / WIDEST * block.stride + index) * WIDEST + word % WIDEST;
                // SAFETY: the square lies in the image or reads zeros, and `to` lies in each plane of the block.
                unsafe {
                    let to = block.transformed.add(to);
                    if O::STEPS == 1 {
                        for row in 0..T::IN {
                            for col in T::IN - T::OUT..T::IN {
                                prefetch::<true>(next.pixel_inside(row, col, word));
                            }
                        }
                        transform_square::<S, T>(&square, word, to, block.plane);
                    } else {
                        let channels = job.input_layout.padded_channels();
                        let pairs = vectors.as_mut_ptr();
                        for channel in (word * O::STEPS..channels).step_by(S::LANES).take(O::STEPS) {
                            let to = pairs.add(channel - word * O::STEPS);
                            transform_square::<S, T>(&square, channel, to, O::STEPS * S::LANES);
                        }
                        let len = channels.saturating_sub(word * O::STEPS).min(O::STEPS * S::LANES);
                        for element in 0..T::IN * T::IN {
                            let from = pairs.add(element * O::STEPS * S::LANES);
                            S::store(to.add(element * block.plane), O::load::<S>(from, 0, len));
                        }
                    }
                }
            }
        }
    }
}

/// `B^T d B` of a square; see [`transform`].
#[inline(always)]
unsafe fn transform_square<S: Simd, T: Transform>(square: &Square, channel: usize, to: *mut f32, plane: usize) {
    // SAFETY: the caller's promise about the channel and about `to`.
    unsafe {
        let inside = |row, col| square.pixel_inside(row, col, channel);
        // What lies outside reads as zeros, for any channel.
        let anywhere = |row, col| square.pixel(row, col, channel);
        match (square.element(), square.is_inside()) {
            (Element::Float, true) => transform::<S, T, false>(inside, to, plane),
            (Element::Float, false) => transform::<S, T, false>(anywhere, to, plane),
            (Element::Bfloat16, true) => transform::<S, T, true>(inside, to, plane),
            (Element::Bfloat16, false) => transform::<S, T, true>(anywhere, to, plane),
        }
    }
}

/// `B^T d B` of one tile and one vector of channels, of floats or `HALVES`; element `e` goes to `to + e plane`.
#[inline(always)]
pub(super) unsafe fn transform<S: Simd, T: Transform, const HALVES: bool>(
    pixel: impl Fn(usize, usize) -> *const f32,
    to: *mut f32,
    plane: usize,
) {
    // SAFETY: the caller's promise about the pixels and about `to`.
    unsafe {
        let mut rows = [[MaybeUninit::<S::V>::uninit(); LONGEST]; LONGEST];
        for col in 0..T::IN {
            let mut d = [S::zero(); LONGEST];
            for (row, value) in d.iter_mut().enumerate().take(T::IN) {
                let from = pixel(row, col);
                *value = if HALVES { S::load_halves(from.cast()) } else { S::load(from) };
            }
            for (line, value) in rows.iter_mut().zip(T::input::<S>(d)).take(T::IN) {
                line[col].write(value);
            }
        }
        for (row, line) in rows.iter().enumerate().take(T::IN) {
            let v = T::input::<S>(written::<S, T>(line));
            for (col, value) in v.iter().enumerate().take(T::IN) {
                S::store(to.add((row * T::IN + col) * plane), *value);
            }
        }
    }
}

/// The first `T::IN` vectors of a line, and zeros. Memory for the longest lines is not cleared, which would take as long as a transform.
///
/// # Safety
/// These vectors must have been written.
#[inline(always)]
pub(super) unsafe fn written<S: Simd, T: Transform>(line: &[MaybeUninit<S::V>; LONGEST]) -> [S::V; LONGEST] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut values = [S::zero(); LONGEST];
        for (value, written) in values.iter_mut().zip(line).take(T::IN) {
            *value = written.assume_init();
        }
        values
    }
}

/// Multiplies a block's tiles with some panels of the filter, transforms back, finishes and stores.
struct Multiply<'a, T, O> {
    job: Job<'a>,
    block: Block,
    panels: Range<usize>,
    /// Panels that each element of the tiles is multiplied with before the next: more than one where tiles come from afar.
    together: usize,
    /// Panel `p` of those that go together, element `e`, tile `t` and column `c` at `(p * elements + e) * plane + t * width + c`.
    products: *mut f32,
    /// For what follows.
    room: *mut f32,
    kind: PhantomData<(T, O)>,
}

impl<'a, T, O> Multiply<'a, T, O> {
    fn new(job: Job<'a>, block: Block, panels: Range<usize>, together: usize, [products, room]: [*mut f32; 2]) -> Self {
        Multiply { job, block, panels, together, products, room, kind: PhantomData }
    }
}

impl<T: Transform, O: Operands> Multiply<'_, T, O> {
    /// Asks for some of the pixels of the tiles behind this block, which this thread most likely transforms next: an element's share.
    #[inline(always)]
    fn prefetch_next(&self, element: usize) {
        let (job, tiling) = (&self.job, self.block.tiling);
        let next = self.block.first + self.block.count;
        let tiles = self.block.count.min(tiling.len() - next);
        let (lines, elements) = (tiles * T::IN, T::IN * T::IN);
        for line in lines * element / elements..lines * (element + 1) / elements {
            let tile = tiling.tile(next + line / T::IN);
            let square = Square::new(job.input, job.input_layout, tile, job.padding, T::IN);
            for col in T::IN - T::OUT..T::IN {
                for channel in (0..job.input_layout.channels).step_by(WIDEST) {
                    prefetch::<false>(square.pixel_inside(line % T::IN, col, channel));
                }
            }
        }
    }

    /// Asks for some of the outputs that will be written: an element's share of these panels'.
    #[inline(always)]
    fn expect(&self, panels: Range<usize>, element: usize) {
        let Multiply { job, block, .. } = self;
        let (layout, filter) = (job.output_layout, job.filter.panels);
        let output = pixels::Target::at(job.output, layout);
        let (lines, elements) = (block.count * T::OUT, T::IN * T::IN);
        let channels = filter.first(panels.start)..filter.first(panels.end - 1) + filter.width(panels.end - 1);
        for line in lines * element / elements..lines * (element + 1) / elements {
            let tile = block.tiling.tile(block.first + line / T::OUT);
            let (height, width) = tile.size(layout, T::OUT);
            if line % T::OUT >= height {
                continue;
            }
            for col in 0..width {
                let pixel = tile.pixel(layout, line % T::OUT, col);
                for channel in channels.clone().step_by(WIDEST) {
                    prefetch_to_write(output.place(pixel, channel));
                }
            }
        }
    }
}

impl<T: Transform, O: Operands> Kernel for Multiply<'_, T, O> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Multiply { job, block, .. } = self;
        let (filter, room, elements) = (job.filter, Room::new(self.room, T::OUT), T::IN * T::IN);
        let ahead = blocking::winograd_looks_ahead(job.input_layout.len(), job.input_layout.channels);
        let expects = job.next.is_none() && blocking::winograd_expects(job.output_layout.len());
        for start in self.panels.clone().step_by(self.together) {
            let panels = start..self.panels.end.min(start + self.together);
            let plane = blocking::plane(block.count * filter.panels.width(start));
            let products = |panel: usize, element: usize| {
                self.products.wrapping_add(((panel - start) * elements + element) * plane)
            };
            for element in 0..elements {
                if start == self.panels.start && self.together == 1 && ahead {
                    self.prefetch_next(element);
                }
                if expects {
                    self.expect(panels.clone(), element);
                }
                for panel in panels.clone() {
                    // SAFETY: the matrices of the block, the filter and the scratch have these sizes.
                    unsafe {
                        let width = filter.panels.width(panel);
                        let start = block.transformed.add(element * block.plane);
                        let left = Left { start, block: block.stride * WIDEST, afar: self.together > 1 };
                        let right = Rows { start: filter.matrix(panel, element), step: width };
                        let out = Rows { start: products(panel, element), step: width };
                        let (rows, vecs, depth) = (block.count, width / S::LANES, O::words(job.input_layout.channels));
                        S::call(gemm::Multiply::<O, _> { rows, vecs, depth, left, right, out, operands: PhantomData });
                    }
                }
            }
            for index in 0..block.count {
                let tile = block.tiling.tile(block.first + index);
                for panel in panels.clone() {
                    let (first, width) = (filter.panels.first(panel), filter.panels.width(panel));
                    for lane in (0..width).step_by(S::LANES) {
                        let to = match job.next {
                            None => Target::output(&job, tile, first + lane),
                            Some(_) => room.target(lane),
                        };
                        let from = products(panel, 0).wrapping_add(index * width + lane);
                        // SAFETY: as above; the channels exist, since panels cover the padded ones.
                        unsafe { finish::<S, T>(&job, tile, first + lane, to, from, plane) };
                    }
                    if let Some(next) = &job.next {
                        // SAFETY: the room holds what has just been finished, and was made for panels of this width.
                        unsafe { room.give::<S>(next, job.output_layout, tile, [first, width]) };
                    }
                }
            }
        }
    }
}
