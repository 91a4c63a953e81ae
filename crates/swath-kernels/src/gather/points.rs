//! Direct convolutions with one tap, in tiles of pairs: images of bfloat16 are multiplied where they lie, 16 pixels of a row at a time.

use std::ops::Range;

use super::forward::{Job, Outputs};
use super::{Groups, Pattern, Phase};
use crate::blocking;
use crate::gemm::Rows;
use crate::image::{Element, Layout};
use crate::isa::{self, Isa};
use crate::memory::with_scratch;
use crate::operands::{Operands, Pairs};
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::{parallel, threads};
use crate::tiles::{Pixels, SIDE, Tiles};

/// Words that are multiplied at once: as many as a tile holds that divide a group's channels, so that nothing else is read. None where these are
/// odd, or so few that tiles would be mostly empty.
fn block(groups: &Groups) -> Option<usize> {
    let words = groups.inputs / Pairs::STEPS;
    let block = (1..=WIDEST).rev().find(|block| words.is_multiple_of(*block))?;
    (groups.inputs.is_multiple_of(Pairs::STEPS) && block >= WIDEST / 2).then_some(block)
}

/// Whether a convolution is computed so: all of its inputs must lie in the image, and channels fill whole [blocks](block) of words.
pub(super) fn is_possible(isa: Isa, pattern: &Pattern, groups: &Groups, input: &Layout) -> bool {
    let inside = |phase: &Phase| {
        let [tap] = phase.taps.as_slice() else { return false };
        [0, 1].into_iter().all(|axis| {
            let size = [input.height, input.width][axis] as isize;
            let behind = tap.offset[axis] + (phase.count[axis] * pattern.stride[axis]) as isize;
            tap.offset[axis] >= 0 && behind - (pattern.stride[axis] as isize) < size
        })
    };
    let halves = isa.has_tiles() && input.element == Element::Bfloat16;
    halves && block(groups).is_some() && pattern.phases.iter().all(inside)
}

/// Runs phases that read the same inputs.
///
/// # Safety
/// The job's pointers must be valid for its layouts, the output not be used otherwise, and this [be possible](is_possible).
pub(super) unsafe fn run(isa: Isa, job: &Job, phases: Range<usize>) {
    let panels = job.filter.panels;
    let inputs = Inputs::new(job, &job.pattern.phases[phases.start]);
    let Some(words) = block(&job.filter.groups).filter(|_| inputs.count > 0) else { return };
    let most = blocking::points(job.filter.rows(phases.start));
    let blocks = inputs.count.div_ceil(most).next_multiple_of(threads()).min(inputs.count);
    // With few pixels, the panels of the filter are shared out as well.
    let shares = (2 * threads()).div_ceil(blocks).min(panels.count());
    let groups = job.filter.groups.count;
    parallel(groups * blocks * shares, |item| {
        let (group, item) = (item / (blocks * shares), item % (blocks * shares));
        let (block, share) = (item / shares, item % shares);
        // Room for pixels of tiles at the end of the image.
        let room = job.input_layout.floats(job.filter.groups.inputs);
        with_scratch(blocking::MOST_POINTS * SIDE * room, |room| {
            let block = Block {
                job,
                phases: phases.clone(),
                inputs,
                group,
                pixels: inputs.count * block / blocks..inputs.count * (block + 1) / blocks,
                panels: panels.count() * share / shares..panels.count() * (share + 1) / shares,
                block: words,
                room: room.as_mut_ptr(),
            };
            // SAFETY: the caller's promise; each item has its own pixels or channels, and scratch.
            unsafe { isa::run(isa, block) };
        });
    });
}

/// The pixels that outputs read, one for each, in lines of equal distances.
#[derive(Clone, Copy)]
struct Inputs {
    /// Outputs, and how many of them form a line.
    count: usize,
    line: usize,
    /// Words from pixel to pixel of a line.
    step: usize,
}

impl Inputs {
    fn new(job: &Job, phase: &Phase) -> Inputs {
        let (layout, stride, [rows, cols]) = (job.input_layout, job.pattern.stride, phase.count);
        let count = layout.batch * rows * cols;
        let whole = stride == [1, 1] && [rows, cols] == [layout.height, layout.width];
        let line = if whole { count } else { cols };
        Inputs { count, line, step: layout.floats(stride[1] * layout.pixel) }
    }
}

/// Some pixels, and some panels of a group's filter.
struct Block<'a> {
    job: &'a Job<'a>,
    phases: Range<usize>,
    inputs: Inputs,
    group: usize,
    pixels: Range<usize>,
    panels: Range<usize>,
    /// Words that are multiplied at once.
    block: usize,
    room: *mut f32,
}

/// Some outputs of a line: the number of the first, how many, where the first one's inputs lie, and the words from one to the next.
#[derive(Clone, Copy)]
struct Tile {
    first: usize,
    count: usize,
    start: *const f32,
    step: usize,
}

impl Kernel for Block<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let mut tiles = [Tile { first: 0, count: 0, start: self.room.cast_const(), step: 0 }; blocking::MOST_POINTS];
        let mut next = self.pixels.start;
        while next < self.pixels.end {
            let mut count = 0;
            while next < self.pixels.end && count < tiles.len() {
                // SAFETY: the pixel is one of the block.
                tiles[count] = unsafe { self.tile(next, count) };
                next += tiles[count].count;
                count += 1;
            }
            // SAFETY: these are the block's tiles.
            unsafe { self.multiply::<S>(&tiles[..count]) };
        }
    }
}

impl Block<'_> {
    /// The tile that begins with a pixel, number `index` of those that are multiplied together.
    #[inline(always)]
    unsafe fn tile(&self, first: usize, index: usize) -> Tile {
        let Inputs { line, step, .. } = self.inputs;
        let count = (line - first % line).min(self.pixels.end - first).min(SIDE);
        let (layout, pattern) = (self.job.input_layout, self.job.pattern);
        let phase = &pattern.phases[self.phases.start];
        let [image, row, col] = place(phase, first);
        let offset = phase.taps[0].offset;
        let row = (row * pattern.stride[0]).wrapping_add_signed(offset[0]);
        let col = (col * pattern.stride[1]).wrapping_add_signed(offset[1]);
        let groups = &self.job.filter.groups;
        let pixel = (image * layout.height + row) * layout.width + col;
        let start = self.job.input.place(pixel, self.group * groups.inputs);
        // A tile register takes 16 pixels in any case: the last ones of the image are copied to where there is room for them.
        let words = layout.floats(groups.inputs);
        let beyond = self.job.input.place(layout.pixels() - 1, layout.padded_channels());
        if start.wrapping_add((SIDE - 1) * step + words) <= beyond {
            return Tile { first, count, start, step };
        }
        let room = self.room.wrapping_add(index * SIDE * words);
        for pixel in 0..count {
            // SAFETY: these pixels lie in the image, and each tile has room for 16.
            unsafe { room.add(pixel * words).copy_from_nonoverlapping(start.add(pixel * step), words) };
        }
        Tile { first, count, start: room, step: words }
    }

    /// All phases and panels of some tiles. Panels that stay in L2 together are taken together, so that inputs are read and outputs written side
    /// by side.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(&self, tiles: &[Tile]) {
        let (job, filter) = (self.job, self.job.filter);
        // SAFETY: kernels run where the machine has the instructions.
        let registers = unsafe { Tiles::new(self.block) };
        let blocks = filter.groups.inputs / Pairs::STEPS / self.block;
        let mut pixels = [0; blocking::MOST_POINTS * SIDE];
        for phase in self.phases.clone() {
            for (tile, pixels) in tiles.iter().zip(pixels.chunks_mut(SIDE)) {
                let phase = &job.pattern.phases[phase];
                phase.pixels(job.output_layout, tile.first, &mut pixels[..tile.count]);
            }
            for (panels, mut ahead) in filter.panels_together([phase, self.group], self.panels.clone()) {
                for (index, pair) in tiles.chunks(2).enumerate() {
                    let mut left =
                        Pixels { starts: [pair[0].start; 2], counts: [0; 2], steps: [pair[0].step; 2], rest: 0 };
                    for (index, tile) in pair.iter().enumerate() {
                        (left.starts[index], left.counts[index], left.steps[index]) =
                            (tile.start, tile.count, tile.step);
                    }
                    for (number, panel) in panels.clone().enumerate() {
                        let done = index * panels.len() + number + 1;
                        ahead.begin(blocks, done, tiles.len().div_ceil(2) * panels.len());
                        let width = filter.panels.width(panel);
                        let right = Rows { start: filter.matrix(phase, self.group, panel), step: width };
                        let channel = self.group * filter.groups.outputs + filter.panels.first(panel);
                        let out = Outputs::new(job, pixels[2 * index * SIDE..].as_ptr(), channel);
                        let blocks = (blocks, |block: usize| block * self.block);
                        // SAFETY: 16 pixels can be read from where tiles begin, and outputs and filter have these columns.
                        unsafe {
                            registers.multiply_pixels::<S, _, 1>(left, blocks, right, width / WIDEST, &mut ahead, out)
                        };
                    }
                }
            }
        }
    }
}

/// Image, row and column of an output of a phase.
#[inline(always)]
fn place(phase: &Phase, output: usize) -> [usize; 3] {
    let [rows, cols] = phase.count;
    [output / cols / rows, output / cols % rows, output % cols]
}
