//! Sums of products in tiles of pairs, whose depth are pixels: both images are rounded, the gathered ones by channel with pixels side by side,
//! the others with two pixels in a word.
//!
//! Lines of pixels follow each other without a gap, those of the grid with as many zeros behind them as taps reach beyond. A tap is then a
//! distance in memory that is the same for all pixels. With a stride each phase of the gathered images is one of its own.

use std::ops::Range;

use super::{Job, Sums};
use crate::blocking;
use crate::gather::{Groups, Pattern, Tap};
use crate::gemm::Rows;
use crate::image::{Layout, padded};
use crate::isa::{self, Isa};
use crate::memory::{Buffer, with_scratch};
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::parallel;
use crate::tiles::{Pixels, SIDE, Tiles};
use crate::zeros::zeros;

/// Pixels of a tile: two in each word.
const PIXELS: usize = 2 * WIDEST;

/// Channels that are multiplied together, of either image.
const TOGETHER: usize = 2 * SIDE;

/// Gathered channels of an item, at most: the grid is rounded once for all of these.
const CHANNELS: usize = 128;

/// Items, about: pixels are shared out to as many.
const ITEMS: usize = 16;

/// Whether sums are computed so: vectors of channels of a group must not reach beyond the image, and zeros behind lines and images not be most of
/// what is multiplied, as with wide dilations.
pub(super) fn pays(isa: Isa, pattern: &Pattern, grid: &Layout, groups: &Groups) -> bool {
    let whole = groups.inputs.is_multiple_of(WIDEST) && groups.outputs.is_multiple_of(WIDEST);
    let frame = Frame::new(pattern, grid);
    let lines = frame.most(padded(groups.inputs).min(CHANNELS), padded(groups.outputs)).min(grid.height);
    let multiplied = (lines + frame.reach[0]) * frame.line;
    isa.has_tiles() && (groups.count == 1 || whole) && multiplied <= 2 * lines * grid.width
}

/// Taps whose inputs lie in one phase of the gathered images: the phase, and each tap's number and its offset there.
struct Phase {
    first: [usize; 2],
    taps: Vec<(usize, [isize; 2])>,
}

/// The phases of a stride that taps read.
fn phases(taps: &[Tap], stride: [usize; 2]) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for (number, tap) in taps.iter().enumerate() {
        let split = [0, 1].map(|axis| {
            let (offset, stride) = (tap.offset[axis], stride[axis] as isize);
            (offset.rem_euclid(stride) as usize, offset.div_euclid(stride))
        });
        let (first, tap) = (split.map(|(first, _)| first), (number, split.map(|(_, offset)| offset)));
        match phases.iter_mut().find(|phase| phase.first == first) {
            Some(phase) => phase.taps.push(tap),
            None => phases.push(Phase { first, taps: vec![tap] }),
        }
    }
    phases
}

/// How lines of pixels lie.
struct Frame {
    phases: Vec<Phase>,
    /// The least offset of a tap, and how far the others are from it at most.
    least: [isize; 2],
    reach: [usize; 2],
    /// Pixels of a line, an even number.
    line: usize,
}

impl Frame {
    fn new(pattern: &Pattern, grid: &Layout) -> Frame {
        let phases = phases(&pattern.phases[0].taps, pattern.stride);
        let offsets = |axis: usize| phases.iter().flat_map(|phase| &phase.taps).map(move |(_, offset)| offset[axis]);
        let least = [0, 1].map(|axis| offsets(axis).min().unwrap_or(0));
        let reach = [0, 1].map(|axis| (offsets(axis).max().unwrap_or(0) - least[axis]) as usize);
        let line = (grid.width + reach[1]).next_multiple_of(2);
        Frame { phases, least, reach, line }
    }

    /// Pixels from where a sum over the grid begins to a tap's first input.
    fn distance(&self, offset: [isize; 2]) -> usize {
        let [row, col] = [0, 1].map(|axis| (offset[axis] - self.least[axis]) as usize);
        row * self.line + col
    }

    /// Lines that are rounded together, of so many channels of both images.
    fn most(&self, channels: usize, columns: usize) -> usize {
        blocking::gradient_lines(self.line * (channels + columns))
    }
}

/// Lines of images of so many rows, image by image, as ranges of rows.
fn pieces(height: usize, lines: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut next = lines.start;
    std::iter::from_fn(move || {
        let (image, row) = (next / height, next % height);
        let count = (height - row).min(lines.end - next);
        next += count;
        (count > 0).then_some((image, row..row + count))
    })
}

/// The sums of all pixels, in as many chunks as the shapes ask for.
///
/// # Safety
/// The job's pointers must be valid for its layouts, and vectors of channels not reach beyond the image, as where this [pays].
pub(super) unsafe fn sum(isa: Isa, job: &Job) -> Sums {
    let Job { groups, grid_layout: grid, .. } = *job;
    let frame = Frame::new(job.pattern, grid);
    let (rows, columns) = (padded(groups.inputs), padded(groups.outputs));
    let taps = job.pattern.phases[0].taps.len();
    let size = groups.count * taps * rows * columns;
    let parts = groups.inputs.div_ceil(CHANNELS);
    let part = |part: usize| (rows * part / parts).next_multiple_of(TOGETHER).min(rows);
    let lines = grid.batch * grid.height;
    let chunks = ITEMS.div_ceil(parts * groups.count).min(lines).min(super::MOST / size).max(1);
    let mut values = Buffer::new(chunks * size);
    let shared = SharedMut(values.as_mut_ptr());
    parallel(chunks * groups.count * parts, |item| {
        let (chunk, item) = (item / (groups.count * parts), item % (groups.count * parts));
        let (group, index) = (item / parts, item % parts);
        let channels = part(index)..part(index + 1);
        let most = frame.most(channels.len(), columns);
        // SAFETY: each chunk and group has its own part of the buffer, and each item its own rows there.
        let out = unsafe { shared.get().add((chunk * groups.count + group) * taps * rows * columns) };
        let room = Room::new(&frame, most.min(lines), grid.height, channels.len(), columns);
        with_scratch(room.len(), |scratch| {
            let lines = lines * chunk / chunks..lines * (chunk + 1) / chunks;
            let scratch = scratch.as_mut_ptr();
            let sum = Sum { job, frame: &frame, group, channels, lines, most, rows, columns, room, scratch, out };
            // SAFETY: the caller's promise, and the item's own scratch and sums.
            unsafe { isa::run(isa, sum) };
        });
    });
    Sums { values, chunks, size, rows, columns }
}

/// Memory for some lines of both images.
#[derive(Clone, Copy)]
struct Room {
    /// Words from channel to channel of gathered pixels, and how many channels.
    plane: usize,
    channels: usize,
    /// Words of pairs of the grid's pixels, for 32 channels, and for all.
    pairs: usize,
    columns: usize,
}

impl Room {
    fn new(frame: &Frame, lines: usize, height: usize, channels: usize, columns: usize) -> Room {
        // Images that begin or end among the lines have zeros behind them.
        let images = lines.div_ceil(height) + 1;
        let pixels = ((lines + images * frame.reach[0]) * frame.line).next_multiple_of(PIXELS);
        let beyond = frame.reach[0] * frame.line + frame.reach[1] + 2 * PIXELS;
        let plane = blocking::row(((pixels + beyond) / 2).next_multiple_of(WIDEST));
        Room { plane, channels, pairs: pixels / 2 * TOGETHER, columns }
    }

    fn len(&self) -> usize {
        self.channels * self.plane + self.columns.div_ceil(TOGETHER) * self.pairs
    }
}

/// Sums over some lines of the grid, for some channels of the gathered images.
struct Sum<'a> {
    job: &'a Job<'a>,
    frame: &'a Frame,
    group: usize,
    channels: Range<usize>,
    lines: Range<usize>,
    /// Lines that are rounded together.
    most: usize,
    /// Rows of a tap's sums, and columns of all.
    rows: usize,
    columns: usize,
    room: Room,
    scratch: *mut f32,
    out: *mut f32,
}

impl Kernel for Sum<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        // SAFETY: kernels run where the machine has the instructions.
        let tiles = unsafe { Tiles::new(WIDEST) };
        for first in self.lines.clone().step_by(self.most) {
            let lines = first..self.lines.end.min(first + self.most);
            // SAFETY: the caller's promise; the scratch has room for so many lines.
            unsafe {
                let pixels = self.round_grid::<S>(lines.clone());
                for phase in &self.frame.phases {
                    self.round_gathered::<S>(lines.clone(), phase, pixels);
                    self.multiply(&tiles, phase, pixels, first > self.lines.start);
                }
            }
        }
    }
}

impl Sum<'_> {
    /// Two pixels of the grid in each word, 32 channels of all pixels after the other; returns how many pixels.
    #[inline(always)]
    unsafe fn round_grid<S: Simd>(&self, lines: Range<usize>) -> usize {
        let (grid, frame) = (self.job.grid_layout, self.frame);
        let channel = self.group * self.job.groups.outputs;
        let mut pixels = 0;
        for (image, rows) in pieces(grid.height, lines) {
            // Behind the last row there are as many of zeros as taps reach below.
            for row in rows.start..rows.end + frame.reach[0] {
                let line = (image * grid.height + row) * grid.width;
                let count = if row < rows.end { grid.width } else { 0 };
                for first in (0..frame.line).step_by(2) {
                    let [a, b] = [first, first + 1].map(|col| {
                        let there = self.job.grid.wrapping_add((line + col) * grid.pixel + channel);
                        if col < count { there } else { zeros() }
                    });
                    // SAFETY: the pixels exist with padded channels, or are zeros, and there is room for as many pairs.
                    unsafe { self.round_pair::<S>([a, b], (pixels + first) / 2) };
                }
                pixels += frame.line;
            }
        }
        let whole = pixels.next_multiple_of(PIXELS);
        for pair in pixels / 2..whole / 2 {
            // SAFETY: as above.
            unsafe { self.round_pair::<S>([zeros(); 2], pair) };
        }
        whole
    }

    /// All channels of a pair of the grid's pixels.
    #[inline(always)]
    unsafe fn round_pair<S: Simd>(&self, [a, b]: [*const f32; 2], pair: usize) {
        let start = self.scratch.wrapping_add(self.room.channels * self.room.plane);
        for channel in (0..self.columns).step_by(S::LANES) {
            let (block, lane) = (channel / TOGETHER, channel % TOGETHER);
            let to = start.wrapping_add(block * self.room.pairs + pair * self.width(block) + lane);
            let at = |from: *const f32| if from == zeros() { from } else { from.wrapping_add(channel) };
            // SAFETY: the caller's promise.
            unsafe { S::store(to, S::pair_lanes(S::load(at(a)), S::load(at(b)))) };
        }
    }

    /// Columns of a block of the grid's channels.
    #[inline(always)]
    fn width(&self, block: usize) -> usize {
        (self.columns - block * TOGETHER).min(TOGETHER)
    }

    /// The gathered pixels of a phase, channel by channel, with zeros where there is no image.
    #[inline(always)]
    unsafe fn round_gathered<S: Simd>(&self, lines: Range<usize>, phase: &Phase, pixels: usize) {
        let (from, grid, frame) = (self.job.gathered_layout, self.job.grid_layout, self.frame);
        let stride = self.job.pattern.stride;
        let mut done = 0;
        for (image, rows) in pieces(grid.height, lines) {
            for row in rows.start..rows.end + frame.reach[0] {
                let y = (row as isize + frame.least[0]) * stride[0] as isize + phase.first[0] as isize;
                let there = (0..from.height as isize).contains(&y);
                let line = there.then(|| (image * from.height + y as usize) * from.width);
                for first in (0..frame.line).step_by(PIXELS) {
                    // SAFETY: the caller's promise.
                    unsafe { self.round_block::<S>(line, (phase.first[1], first), done + first) };
                }
                done += frame.line;
            }
        }
        // What tiles read behind the last line meets zeros, and must be finite.
        let beyond = pixels - done + frame.reach[0] * frame.line + frame.reach[1] + 1;
        for first in (0..beyond).step_by(PIXELS) {
            // SAFETY: the caller's promise.
            unsafe { self.round_block::<S>(None, (0, 0), done + first) };
        }
    }

    /// All channels of 32 pixels of a line from `col` on, to pixel `to` of each channel. What lies behind the line is written over by the next one.
    #[inline(always)]
    unsafe fn round_block<S: Simd>(&self, line: Option<usize>, (phase, col): (usize, usize), to: usize) {
        let (from, stride) = (self.job.gathered_layout, self.job.pattern.stride[1]);
        let mut places = [zeros(); PIXELS];
        if let Some(line) = line {
            for (index, place) in places.iter_mut().enumerate() {
                let x = ((col + index) as isize + self.frame.least[1]) * stride as isize + phase as isize;
                if (0..from.width as isize).contains(&x) {
                    *place = self.job.gathered.wrapping_add((line + x as usize) * from.pixel);
                }
            }
        }
        let mut block = Words([0.0; WIDEST * WIDEST]);
        for channel in (0..self.channels.len()).step_by(WIDEST) {
            let offset = self.group * self.job.groups.inputs + self.channels.start + channel;
            // SAFETY: the pixels exist with padded channels, or are zeros; there is room for 32 pixels of each channel.
            unsafe {
                for pair in 0..WIDEST {
                    let [a, b] = [places[2 * pair], places[2 * pair + 1]];
                    let a = if a == zeros() { a } else { a.wrapping_add(offset) };
                    let b = if b == zeros() { b } else { b.wrapping_add(offset) };
                    S::store(block.0.as_mut_ptr().add(pair * WIDEST), S::pair_lanes(S::load(a), S::load(b)));
                }
                let to = self.scratch.add(channel * self.room.plane).cast::<u16>().add(to).cast::<f32>();
                S::transpose((block.0.as_ptr(), WIDEST), (to, self.room.plane));
            }
        }
    }

    /// Adds the products of a phase's taps.
    #[inline(always)]
    unsafe fn multiply(&self, tiles: &Tiles, phase: &Phase, pixels: usize, begun: bool) {
        let grid = self.scratch.wrapping_add(self.room.channels * self.room.plane).cast_const();
        let blocks = (pixels / PIXELS, |block: usize| block * WIDEST);
        for row in (0..self.channels.len()).step_by(TOGETHER) {
            let count = self.channels.len() - row;
            for block in 0..self.columns.div_ceil(TOGETHER) {
                let width = self.width(block);
                let right = Rows { start: grid.wrapping_add(block * self.room.pairs), step: width };
                for (tap, offset) in &phase.taps {
                    let start = self.scratch.wrapping_add(row * self.room.plane).cast::<u16>();
                    let start = start.wrapping_add(self.frame.distance(*offset)).cast::<f32>().cast_const();
                    let left = Pixels {
                        starts: [start, start.wrapping_add(SIDE * self.room.plane)],
                        counts: [SIDE, count.saturating_sub(SIDE).min(SIDE)],
                        steps: [self.room.plane; 2],
                        rest: 0,
                    };
                    let at = (tap * self.rows + self.channels.start + row) * self.columns + block * TOGETHER;
                    let out = Rows { start: self.out.wrapping_add(at), step: self.columns };
                    // SAFETY: the caller's promise; there are whole tiles of sums.
                    unsafe { tiles.accumulate(left, blocks, right, width / WIDEST, out, begun) };
                }
            }
        }
    }
}

/// A square of words.
#[repr(align(64))]
struct Words([f32; WIDEST * WIDEST]);
