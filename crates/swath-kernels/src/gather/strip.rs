//! Direct convolutions in tiles of pairs. What some rows of outputs read is rounded once, with zeros around the image, and multiplied where it
//! then lies: 16 outputs of a row are a tile's rows at each block of [lines](super::lines::Lines).
//!
//! Floats are taken apart into bfloat16, their rounded value, what rounding took of it, and again: two hold 16 bits of 24, and three all. Of the
//! products of two such values those are left out that are as small as what is not held: one of four, or three of nine (Henry, Tang, Heinecke:
//! *Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations*, 2019).

use std::ops::Range;

use super::Phase;
use super::forward::{Job, Outputs, ROOM_ROWS, To};
use super::repair::Repaired;
use crate::blocking;
use crate::gemm::{Left, Rows};
use crate::image::Element;
use crate::isa::{self, Isa};
use crate::memory::with_scratch;
use crate::next::Next;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::{parallel, threads};
use crate::tiles::{Pixels, SIDE, Tiles};

mod frame;
mod inputs;

use frame::{Frame, Pieces};

/// Runs phases that read the same inputs, with operands in so many `PARTS`, one to three.
///
/// # Safety
/// The job's pointers must be valid for its layouts, the output not be used otherwise, and its filter be in the order of [lines](super::lines::Lines), of so many parts.
pub(super) unsafe fn run<const PARTS: usize>(isa: Isa, job: &Job, phases: Range<usize>) {
    let frame = Frame::new(job, &job.pattern.phases[phases.start]);
    let ([rows, cols], batch) = (frame.outputs, frame.images.batch);
    if rows * cols == 0 {
        return;
    }
    let groups = job.filter.groups.count;
    let panels = job.filter.panels.count();
    // As many strips for each thread, of the same size; windows of halved images lie in one of them. A single row is cut into pieces of tiles.
    let (all, unit, most) = match frame.is_one_line() {
        true => (cols, 2 * SIDE, blocking::strip_pixels(PARTS * frame.pixel)),
        false => {
            let most = blocking::strip_rows(PARTS * frame.line(cols), frame.reach[0], frame.stride[0]);
            (rows, if job.halved.is_some() { 2 } else { 1 }, most)
        }
    };
    let element = job.output_layout.element;
    let leaves = blocking::leaves_l2(job.output_layout.len() * size_of::<f32>(), element);
    // Panels of groups may begin within a line of bfloat16.
    let streams = leaves && job.output.is_aligned() && (groups == 1 || element == Element::Float);
    let units = all.div_ceil(unit);
    let least = all.div_ceil(most.next_multiple_of(unit));
    let (strips, shares) = if groups * batch == 1 {
        let image = frame.images.pixels() * frame.pixel * PARTS * size_of::<f32>();
        // What follows wants all panels of a pixel.
        let panels = if job.next.is_some() { 1 } else { panels };
        blocking::strips([least, units], panels, [image, job.filter.bytes()], threads())
    } else {
        let strips = least.next_multiple_of(threads()).min(units);
        let shares = if job.next.is_some() { 1 } else { threads().div_ceil(groups * batch * strips).min(panels) };
        (strips, shares)
    };
    let room = match job.next {
        None => 0,
        Some(Next::Planes(_)) => ROOM_ROWS * job.filter.panels.widest(),
        Some(Next::Head(_)) => ROOM_ROWS * WIDEST * panels,
    };
    parallel(groups * batch * strips * shares, |item| {
        // Neighbours, which one thread takes, have the same panels.
        let (share, item) = (item / (groups * batch * strips), item % (groups * batch * strips));
        let (item, index) = (item / strips, item % strips);
        let edge = |index: usize| (units * index / strips * unit).min(all);
        let part = edge(index)..edge(index + 1);
        let (rows, cols) = if frame.is_one_line() { (0..1, part) } else { (part, 0..cols) };
        let line = frame.line(cols.len());
        let rest = blocking::plane(frame.lines(rows.len()) * line + frame.beyond());
        with_scratch(PARTS * rest + room, |words| {
            let (words, room) = words.split_at_mut(PARTS * rest);
            let strip = Strip::<PARTS> {
                job,
                phases: phases.clone(),
                frame: &frame,
                group: item / batch,
                image: item % batch,
                rows,
                cols,
                panels: panels * share / shares..panels * (share + 1) / shares,
                words: words.as_mut_ptr(),
                line,
                rest,
                streams,
                room: room.as_mut_ptr(),
            };
            // SAFETY: the caller's promise; each item has its own outputs, and scratch for its strip.
            unsafe { isa::run(isa, strip) };
        });
    });
}

/// Some rows of one image's outputs, or some columns of a single row.
struct Strip<'a, const PARTS: usize> {
    job: &'a Job<'a>,
    phases: Range<usize>,
    frame: &'a Frame,
    group: usize,
    image: usize,
    rows: Range<usize>,
    cols: Range<usize>,
    panels: Range<usize>,
    /// Room for what they read, with so many words in a line, and from one part of a word to the next.
    words: *mut f32,
    line: usize,
    rest: usize,
    /// Whether outputs are written past the caches.
    streams: bool,
    /// For what follows.
    room: *mut f32,
}

impl<const PARTS: usize> Kernel for Strip<'_, PARTS> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            self.round::<S>();
            for phase in self.phases.clone() {
                self.multiply::<S>(phase);
            }
            if self.streams {
                S::fence();
            }
        }
    }
}

impl<const PARTS: usize> Strip<'_, PARTS> {
    /// Multiplies the strip with its panels of a phase's filter.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(&self, phase: usize) {
        let (job, frame, filter) = (self.job, self.frame, self.job.filter);
        let cols = self.cols.len();
        let space = &job.pattern.phases[phase];
        let offsets = frame.blocks(space, self.line);
        // SAFETY: kernels run where the machine has the instructions.
        let tiles = unsafe { Tiles::new(frame.lines.block) };
        let room = Left { start: self.room, block: ROOM_ROWS * WIDEST, afar: false };
        let pieces = Pieces { rows: self.rows.len(), cols: cols.div_ceil(SIDE) };
        for (panels, mut ahead) in filter.panels_together([phase, self.group], self.panels.clone()) {
            for index in 0..pieces.count() {
                let pair = pieces.pair(index);
                let mut pixels = [0; 2 * SIDE];
                let mut left = Pixels {
                    starts: [self.words; 2].map(<*mut f32>::cast_const),
                    counts: [0; 2],
                    steps: [frame.stride[1] * frame.pixel; 2],
                    rest: self.rest,
                };
                for (tile, [row, col]) in pair.into_iter().enumerate().filter(|(_, [_, col])| *col < pieces.cols) {
                    let col = col * SIDE;
                    left.counts[tile] = (cols - col).min(SIDE);
                    let place = row * frame.stride[0] * self.line + col * left.steps[tile];
                    left.starts[tile] = self.words.wrapping_add(place).cast_const();
                    self.pixels(space, [row, col], &mut pixels[tile * SIDE..][..left.counts[tile]]);
                }
                // Windows lie in two rows of tiles.
                let window = job.halved.filter(|_| pair[0][0] < pair[1][0]).map(|halved| {
                    let [row, col] = pair[0];
                    let line = self.image * halved.layout.height + (self.rows.start + row) / 2;
                    line * halved.layout.width + col * SIDE / 2
                });
                for (number, panel) in panels.clone().enumerate() {
                    ahead.begin(offsets.len(), index * panels.len() + number + 1, pieces.count() * panels.len());
                    let channel = self.channel(panel);
                    let to = match job.next {
                        Some(Next::Planes(_)) => To::Floats(self.room),
                        Some(Next::Head(_)) => To::Pairs(self.room.wrapping_add(panel * ROOM_ROWS * WIDEST)),
                        None if self.streams => To::PastCaches,
                        None => To::Image,
                    };
                    let out = Outputs { window, to, ..Outputs::new(job, pixels.as_ptr(), channel) };
                    let blocks = (offsets.len(), |block: usize| offsets[block]);
                    let (right, width) = (filter.matrix(phase, self.group, panel), filter.panels.width(panel));
                    let right = Rows { start: right, step: width };
                    let (vecs, ahead) = (width / WIDEST, &mut ahead);
                    // SAFETY: the strip holds what these outputs read and some words beyond, and the filter has these columns.
                    unsafe {
                        if PARTS == 1 {
                            tiles.multiply_pixels::<S, _, PARTS>(left, blocks, right, vecs, ahead, out);
                        } else {
                            let out = Repaired { outputs: out, lines: &frame.lines, place: [phase, self.group, panel] };
                            tiles.multiply_pixels::<S, _, PARTS>(left, blocks, right, vecs, ahead, out);
                        }
                        if let Some(Next::Planes(planes)) = &job.next {
                            let row = |(tile, count): (usize, usize)| (0..count).map(move |row| tile * SIDE + row);
                            let rows = left.counts.into_iter().enumerate().flat_map(row);
                            planes.put(room, rows.map(|row| (row, pixels[row])), [channel, width]);
                        }
                    };
                }
                if let Some(Next::Head(head)) = &job.next {
                    // SAFETY: all panels have left their pairs in the room, in blocks of 16 words.
                    unsafe { head.multiply::<S>(&tiles, room, left.counts, &pixels) };
                }
            }
        }
    }

    /// The numbers of outputs from a row and column of the strip on. All pixels of a phase may be one line.
    #[inline(always)]
    fn pixels(&self, phase: &Phase, [row, col]: [usize; 2], out: &mut [usize]) {
        let (layout, [row, col]) = (self.job.output_layout, [self.rows.start + row, self.cols.start + col]);
        if self.frame.outputs == phase.count {
            phase.pixels_of_line(layout, [self.image, row, col], out);
        } else {
            phase.pixels(layout, col, out);
        }
    }

    /// The first output channel of a panel.
    #[inline(always)]
    fn channel(&self, panel: usize) -> usize {
        self.group * self.job.filter.groups.outputs + self.job.filter.panels.first(panel)
    }
}
