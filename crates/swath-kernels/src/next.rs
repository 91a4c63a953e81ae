//! What becomes of outputs while they are at hand, instead of being stored with channels last: a 1x1 convolution, or planes. These are a network's last
//! layers.

use std::marker::PhantomData;

use crate::epilogue::Finish;
use crate::gather::filter::Gathered;
use crate::gemm::{self, Left, Rows};
use crate::image::Layout;
use crate::operands::Floats;
use crate::simd::{Simd, WIDEST};
#[cfg(target_arch = "x86_64")]
use crate::tiles::{Ahead, Pixels, SIDE, Tiles};

/// What follows a convolution.
#[derive(Clone, Copy)]
pub(crate) enum Next<'a> {
    Head(Head<'a>),
    Planes(Planes),
}

impl Next<'_> {
    /// Columns of products that there must be room for.
    pub(crate) fn columns(&self) -> usize {
        match self {
            Next::Head(head) => head.filter.panels.widest(),
            Next::Planes(_) => 0,
        }
    }

    /// Takes channels `first..first + width` of some pixels, which are rows of the left matrix: `pixels` are numbers of rows, below `rows`, and of the
    /// outputs that they belong to. The first channels must come first and the last ones last. The products have room for the rows and
    /// [`columns`](Self::columns).
    ///
    /// # Safety
    /// The pixels must lie in the output, and matrix and products be there.
    #[inline(always)]
    pub(crate) unsafe fn take<S: Simd>(
        &self,
        (left, rows): (Left, usize),
        products: *mut f32,
        pixels: impl Iterator<Item = (usize, usize)> + Clone,
        channels: [usize; 2],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Next::Head(head) => head.add::<S>((left, rows), products, pixels, channels),
                Next::Planes(planes) => planes.put(left, pixels, channels),
            }
        }
    }
}

/// Planes `[channel, row, column]` of one image.
#[derive(Clone, Copy)]
pub(crate) struct Planes {
    pub start: *mut f32,
    pub channels: usize,
    /// Floats from one to the next.
    pub area: usize,
}

impl Planes {
    /// # Safety
    /// As [`Next::take`].
    #[inline(always)]
    pub(crate) unsafe fn put(
        &self,
        left: Left,
        pixels: impl Iterator<Item = (usize, usize)> + Clone,
        [first, width]: [usize; 2],
    ) {
        for channel in first..(first + width).min(self.channels) {
            let (block, lane) = ((channel - first) / WIDEST, (channel - first) % WIDEST);
            for (row, pixel) in pixels.clone() {
                // SAFETY: the caller's promise.
                unsafe {
                    let value = *left.start.add(block * left.block + row * WIDEST + lane);
                    self.start.add(channel * self.area + pixel).write(value);
                }
            }
        }
    }
}

/// A 1x1 convolution, checked: its inputs are the outputs of the convolution that it follows.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    /// In floats, or after a convolution in tiles of pairs, in pairs.
    pub filter: &'a Gathered,
    pub finish: Finish,
    pub output: *mut f32,
    pub output_layout: &'a Layout,
}

impl Head<'_> {
    /// Adds the share of some channels to the outputs, which may be planes of one image.
    ///
    /// # Safety
    /// As [`Next::take`].
    #[inline(always)]
    unsafe fn add<S: Simd>(
        &self,
        (left, rows): (Left, usize),
        products: *mut f32,
        pixels: impl Iterator<Item = (usize, usize)> + Clone,
        [first, width]: [usize; 2],
    ) {
        let (panels, depth) = (self.filter.panels, self.filter.depth(0));
        if first >= depth {
            // A panel of padding.
            return;
        }
        for panel in 0..panels.count() {
            let (to, columns) = (panels.first(panel), panels.width(panel));
            // SAFETY: the caller's promise; the filter has a row for each channel, and the output its columns.
            unsafe {
                S::call(gemm::Multiply::<Floats, _> {
                    rows,
                    vecs: columns / S::LANES,
                    depth: width.min(depth - first),
                    left,
                    right: Rows { start: self.filter.matrix(0, 0, panel).add(first * columns), step: columns },
                    out: Rows { start: products, step: columns },
                    operands: PhantomData,
                });
                for (row, pixel) in pixels.clone() {
                    for lane in (0..columns).step_by(S::LANES) {
                        let mut value = S::load(products.add(row * columns + lane));
                        if first > 0 {
                            value = S::add(self.load::<S>(pixel, to + lane), value);
                        }
                        if first + width >= depth {
                            value = self.finish.apply::<S>(value, pixel, to + lane);
                        }
                        self.store::<S>(pixel, to + lane, value);
                    }
                }
            }
        }
    }

    /// A vector of channels of an output, of which those in planes may be fewer.
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, pixel: usize, channel: usize) -> S::V {
        let layout = self.output_layout;
        // SAFETY: the caller's promise.
        unsafe {
            if !layout.planes {
                return S::load(self.output.add(pixel * layout.pixel + channel));
            }
            let mut values = [0.0; WIDEST];
            for (lane, value) in
                values.iter_mut().enumerate().take(layout.channels.saturating_sub(channel).min(S::LANES))
            {
                *value = *self.output.add((channel + lane) * layout.pixels() + pixel);
            }
            S::load(values.as_ptr())
        }
    }

    /// Stores it.
    #[inline(always)]
    unsafe fn store<S: Simd>(&self, pixel: usize, channel: usize, value: S::V) {
        let layout = self.output_layout;
        // SAFETY: the caller's promise.
        unsafe {
            if !layout.planes {
                return S::store(self.output.add(pixel * layout.pixel + channel), value);
            }
            let mut values = [0.0; WIDEST];
            S::store(values.as_mut_ptr(), value);
            let there = layout.channels.saturating_sub(channel).min(S::LANES);
            for (lane, value) in values.into_iter().enumerate().take(there) {
                self.output.add((channel + lane) * layout.pixels() + pixel).write(value);
            }
        }
    }
}

/// Outputs of a head as rows of a product in tiles.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct HeadOutputs<'a> {
    head: &'a Head<'a>,
    /// Their pixels.
    pixels: *const usize,
    /// Of the first column.
    channel: usize,
}

#[cfg(target_arch = "x86_64")]
impl gemm::Out for HeadOutputs<'_> {
    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        HeadOutputs { pixels: self.pixels.wrapping_add(rows), ..self }
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(self, row: usize, column: usize, sum: S::V) {
        // SAFETY: the caller's promise.
        unsafe {
            let (pixel, channel) = (*self.pixels.add(row), self.channel + column);
            self.head.store::<S>(pixel, channel, self.head.finish.apply::<S>(sum, pixel, channel));
        }
    }

    #[inline(always)]
    unsafe fn put_rows<S: Simd>(self, [rows, _]: [usize; 2], sums: *const f32, [step, _]: [usize; 2]) {
        let (head, layout) = (self.head, self.head.output_layout);
        let mut values = Finished([0.0; SIDE * WIDEST]);
        let values = values.0.as_mut_ptr();
        // SAFETY: the caller's promise; a head has one vector of columns.
        unsafe {
            for lane in (0..WIDEST).step_by(S::LANES) {
                let channel = self.channel + lane;
                let finish = head.finish.of_channels::<S>(channel);
                for row in 0..rows {
                    let pixel = *self.pixels.add(row);
                    let value = finish.apply(S::load(sums.add(row * step + lane)), pixel);
                    let image = head.output.wrapping_add(pixel * layout.pixel + channel);
                    S::store(if layout.planes { values.add(row * WIDEST + lane) } else { image }, value);
                }
            }
            if layout.planes {
                // Values are read across, and written along.
                for channel in 0..layout.channels - self.channel {
                    let plane = head.output.add((self.channel + channel) * layout.pixels());
                    for row in 0..rows {
                        plane.add(*self.pixels.add(row)).write(*values.add(row * WIDEST + channel));
                    }
                }
            }
        }
    }
}

/// Finished outputs of a tile's rows.
#[cfg(target_arch = "x86_64")]
#[repr(align(64))]
struct Finished([f32; SIDE * WIDEST]);

#[cfg(target_arch = "x86_64")]
impl Head<'_> {
    /// Computes outputs of two tiles' pixels from a left matrix of pairs, of which 16 words of all rows lie `step` floats from the next ones.
    ///
    /// # Safety
    /// The tiles must be for 16 words, the filter be in pairs and as deep as the matrix, and the pixels lie in the output.
    #[inline(always)]
    pub(crate) unsafe fn multiply<S: Simd>(&self, tiles: &Tiles, left: Left, counts: [usize; 2], pixels: &[usize]) {
        let panels = self.filter.panels;
        for panel in 0..panels.count() {
            let width = panels.width(panel);
            let rows = Pixels {
                starts: [left.start, left.start.wrapping_add(SIDE * WIDEST)],
                counts,
                steps: [WIDEST; 2],
                rest: 0,
            };
            let blocks = (self.filter.rows(0) / WIDEST, |block: usize| block * left.block);
            let right = Rows { start: self.filter.matrix(0, 0, panel), step: width };
            let out = HeadOutputs { head: self, pixels: pixels.as_ptr(), channel: panels.first(panel) };
            // SAFETY: the caller's promise.
            unsafe { tiles.multiply_pixels::<S, _, 1>(rows, blocks, right, width / WIDEST, &mut Ahead::new(&[]), out) };
        }
    }
}
