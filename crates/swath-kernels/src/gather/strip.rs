//! Direct convolutions in tiles of pairs. What some rows of outputs read is rounded once, with zeros around the image, and multiplied where it
//! then lies: 16 outputs of a row are a tile's rows at each block of [`Lines`].

use std::ops::Range;

use super::Phase;
use super::forward::{Job, Outputs};
use super::lines::Lines;
use crate::blocking;
use crate::gemm::Rows;
use crate::image::Element;
use crate::isa::{self, Isa};
use crate::memory::with_scratch;
use crate::operands::{Operands, Pairs};
use crate::pixels::load;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::{parallel, threads};
use crate::tiles::{Pixels, SIDE, Tiles};

/// Runs the convolution.
///
/// # Safety
/// The job's pointers must be valid for its layouts, the output not be used otherwise, the convolution have [lines](super::lines::has_lines),
/// and its filter be in their order.
pub(super) unsafe fn run(isa: Isa, job: &Job) {
    let frame = Frame::new(job);
    let ([rows, _], batch) = (job.pattern.phases[0].count, job.output_layout.batch);
    let groups = job.filter.groups.count;
    let most = blocking::strip_rows(frame.line(), frame.reach[0], job.pattern.stride[0]);
    // As many strips for each thread, of the same size; windows of halved images lie in one of them.
    let unit = if job.halved.is_some() { 2 } else { 1 };
    let units = rows.div_ceil(unit);
    let panels = job.filter.panels.count();
    let least = rows.div_ceil(most.next_multiple_of(unit));
    let strips = least.next_multiple_of(threads()).min(units);
    // Of a large filter each thread then reads a part, at the price of rounding strips twice.
    let items = if blocking::stays_in_l2(job.filter.bytes()) { threads() } else { 2 * threads() };
    let shares = items.div_ceil(groups * batch * strips).min(panels);
    parallel(groups * batch * strips * shares, |item| {
        let (item, share) = (item / shares, item % shares);
        let (item, index) = (item / strips, item % strips);
        let edge = |index: usize| (units * index / strips * unit).min(rows);
        let rows = edge(index)..edge(index + 1);
        with_scratch(frame.lines(rows.len()) * frame.line() + frame.beyond(), |words| {
            let strip = Strip {
                job,
                frame: &frame,
                group: item / batch,
                image: item % batch,
                rows,
                panels: panels * share / shares..panels * (share + 1) / shares,
                words: words.as_mut_ptr(),
            };
            // SAFETY: the caller's promise; each item has its own outputs, and scratch for its strip.
            unsafe { isa::run(isa, strip) };
        });
    });
}

/// What outputs read, in space, and how it lies once it is rounded.
struct Frame {
    /// The least offset of a tap.
    first: [isize; 2],
    /// Pixels from the first to the last tap, both included.
    reach: [usize; 2],
    stride: [usize; 2],
    /// Pixels of a line, and words of a pixel.
    width: usize,
    pixel: usize,
    /// Words that are multiplied at once, and where they lie, from an output's first input on.
    block: usize,
    offsets: Vec<usize>,
    /// One for each channel that there is, and zeros up to whole vectors.
    there: Vec<f32>,
}

impl Frame {
    fn new(job: &Job) -> Frame {
        let Phase { taps, count, .. } = &job.pattern.phases[0];
        let stride = job.pattern.stride;
        let offsets = |axis: usize| taps.iter().map(move |tap| tap.offset[axis]);
        let first = [0, 1].map(|axis| offsets(axis).min().unwrap_or(0));
        let reach = [0, 1].map(|axis| (offsets(axis).max().unwrap_or(0) - first[axis]) as usize + 1);
        let width = (count[1] - 1) * stride[1] + reach[1];
        let lines = Lines::new(&job.pattern.phases[0], &job.filter.groups);
        let (pixel, block) = (lines.pixel, lines.block);
        let place = |tap: usize| {
            let [row, col] = [0, 1].map(|axis| (taps[tap].offset[axis] - first[axis]) as usize);
            (row * width + col) * pixel
        };
        let offsets = lines.blocks().map(|(tap, word)| place(tap) + word).collect();
        let mut there = vec![1.0; job.filter.groups.inputs];
        there.resize(there.len().next_multiple_of(WIDEST), 0.0);
        Frame { first, reach, stride, width, pixel, block, offsets, there }
    }

    /// Words of a line.
    fn line(&self) -> usize {
        self.width * self.pixel
    }

    /// Lines that so many rows of outputs read.
    fn lines(&self, rows: usize) -> usize {
        (rows - 1) * self.stride[0] + self.reach[0]
    }

    /// Words behind the last line: what is read there fills a tile, and pixels are written in whole vectors.
    fn beyond(&self) -> usize {
        (SIDE - 1) * self.stride[1] * self.pixel + WIDEST
    }
}

/// Some rows of one image's outputs.
struct Strip<'a> {
    job: &'a Job<'a>,
    frame: &'a Frame,
    group: usize,
    image: usize,
    rows: Range<usize>,
    panels: Range<usize>,
    /// Room for what they read.
    words: *mut f32,
}

impl Kernel for Strip<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        // SAFETY: the caller's promise.
        unsafe {
            self.round::<S>();
            self.multiply::<S>();
        }
    }
}

impl Strip<'_> {
    /// Rounds what the outputs read, or copies what is rounded.
    #[inline(always)]
    unsafe fn round<S: Simd>(&self) {
        let (layout, frame) = (self.job.input_layout, self.frame);
        let top = (self.rows.start * frame.stride[0]) as isize + frame.first[0];
        let left = frame.first[1];
        // Columns of a line that lie in the image.
        let inside = (-left).clamp(0, frame.width as isize) as usize
            ..(layout.width as isize - left).clamp(0, frame.width as isize) as usize;
        for line in 0..frame.lines(self.rows.len()) {
            let to = self.words.wrapping_add(line * frame.line());
            let row = top + line as isize;
            let there = (0..layout.height as isize).contains(&row);
            let inside = if there { inside.clone() } else { frame.width..frame.width };
            let first = (self.image * layout.height).wrapping_add_signed(row) * layout.width;
            // SAFETY: the scratch has these lines and a vector behind them, and the image these pixels.
            unsafe {
                to.write_bytes(0, inside.start * frame.pixel);
                if !inside.is_empty() {
                    let first = first.wrapping_add_signed(left + inside.start as isize);
                    self.line::<S>(first, inside.len(), to.add(inside.start * frame.pixel));
                }
                let end = inside.end.max(inside.start);
                to.add(end * frame.pixel).write_bytes(0, (frame.width - end) * frame.pixel);
            }
        }
    }

    /// Pixels `first..first + count` of the image.
    #[inline(always)]
    unsafe fn line<S: Simd>(&self, first: usize, count: usize, to: *mut f32) {
        let (layout, frame) = (self.job.input_layout, self.frame);
        let inputs = self.job.filter.groups.inputs;
        let channel = self.group * inputs;
        let halves = layout.element == Element::Bfloat16;
        // Whether words hold all channels and nothing else.
        let alone = inputs == Pairs::STEPS * frame.pixel;
        let whole = alone && frame.pixel.is_multiple_of(WIDEST);
        // SAFETY: the caller's promise.
        unsafe {
            if halves && alone && layout.pixel == inputs {
                let from = self.job.input.place(first, channel);
                return to.copy_from_nonoverlapping(from, count * frame.pixel);
            }
            for pixel in 0..count {
                let from = self.job.input.place(first + pixel, channel);
                let to = to.add(pixel * frame.pixel);
                for word in (0..frame.pixel).step_by(S::LANES) {
                    Pairs::expect(from, word);
                    let value = match (whole, halves) {
                        (true, true) => S::load(from.add(word)),
                        (true, false) => Pairs::load::<S>(from, word, inputs),
                        (false, _) => self.load_there::<S>(from, Pairs::STEPS * word),
                    };
                    // What goes beyond the pixel is written over by the next one, or by zeros.
                    S::store(to.add(word), value);
                }
            }
        }
    }

    /// A vector of pairs of a pixel's channels from `channel` on, with zeros for those that there are not.
    #[inline(always)]
    unsafe fn load_there<S: Simd>(&self, from: *const f32, channel: usize) -> S::V {
        let end = self.job.filter.groups.inputs.next_multiple_of(WIDEST);
        let element = self.job.input_layout.element;
        // SAFETY: channels are padded to whole vectors, and the mask to whole vectors of pairs.
        unsafe {
            let channels = |channel: usize| {
                if channel >= end {
                    return S::zero();
                }
                let there = S::load(self.frame.there.as_ptr().add(channel));
                let value = load::<S>(element, from.byte_add(channel * element.bytes()));
                S::select_greater(there, S::zero(), value, S::zero())
            };
            S::to_pairs(channels(channel), channels(channel + S::LANES))
        }
    }

    /// Multiplies the strip with its panels of the filter.
    #[inline(always)]
    unsafe fn multiply<S: Simd>(&self) {
        let (job, frame, filter) = (self.job, self.frame, self.job.filter);
        let Phase { first, step, count: [_, cols], .. } = job.pattern.phases[0];
        let (across, pieces) = (job.output_layout, cols.div_ceil(SIDE));
        // SAFETY: kernels run where the machine has the instructions.
        let tiles = unsafe { Tiles::new(frame.block) };
        for (panels, mut ahead) in filter.panels_together([0, self.group], self.panels.clone()) {
            // Windows are halved as soon as their rows are there.
            let together = if job.halved.is_some() { 2 } else { self.rows.len() };
            for start in (0..self.rows.len()).step_by(together) {
                let rows = start..(start + together).min(self.rows.len());
                for piece in (rows.start * pieces..rows.end * pieces).step_by(2) {
                    let mut pixels = [0; 2 * SIDE];
                    let mut left = Pixels {
                        starts: [self.words; 2].map(<*mut f32>::cast_const),
                        counts: [0; 2],
                        steps: [frame.stride[1] * frame.pixel; 2],
                    };
                    for tile in 0..2.min(rows.end * pieces - piece) {
                        let (row, col) = ((piece + tile) / pieces, (piece + tile) % pieces * SIDE);
                        left.counts[tile] = (cols - col).min(SIDE);
                        let place = row * frame.stride[0] * frame.line() + col * left.steps[tile];
                        left.starts[tile] = self.words.wrapping_add(place).cast_const();
                        let line = self.image * across.height + first[0] + (self.rows.start + row) * step[0];
                        let start = line * across.width + first[1] + col * step[1];
                        let places = pixels[tile * SIDE..].iter_mut().take(left.counts[tile]).enumerate();
                        places.for_each(|(index, pixel)| *pixel = start + index * step[1]);
                    }
                    for (number, panel) in panels.clone().enumerate() {
                        let (done, all) = (piece / 2 * panels.len() + number + 1, self.rows.len() * pieces / 2);
                        ahead.begin(frame.offsets.len(), done, all.max(1) * panels.len());
                        let out = Outputs { job, pixels: pixels.as_ptr(), channel: self.channel(panel) };
                        let blocks = (frame.offsets.len(), |block: usize| frame.offsets[block]);
                        let (right, width) = (filter.matrix(0, self.group, panel), filter.panels.width(panel));
                        let right = Rows { start: right, step: width };
                        // SAFETY: the strip holds what these outputs read and some words beyond, and the filter has these columns.
                        unsafe { tiles.multiply_pixels::<S, _>(left, blocks, right, width / WIDEST, &mut ahead, out) };
                    }
                }
                if let (Some(halved), 2) = (&job.halved, rows.len()) {
                    let row = (self.rows.start + start) / 2;
                    let last = panels.end - 1;
                    let channels = self.channel(panels.start)..self.channel(last) + filter.panels.width(last);
                    for (col, channel) in (0..cols / 2)
                        .flat_map(|col| channels.clone().step_by(S::LANES).map(move |channel| (col, channel)))
                    {
                        // SAFETY: both rows have been stored, and the halved images have the outputs' channels.
                        unsafe { halved.store::<S>(job.output, across, [self.image, row, col], channel) };
                    }
                }
            }
        }
    }

    /// The first output channel of a panel.
    #[inline(always)]
    fn channel(&self, panel: usize) -> usize {
        self.group * self.job.filter.groups.outputs + self.job.filter.panels.first(panel)
    }
}
