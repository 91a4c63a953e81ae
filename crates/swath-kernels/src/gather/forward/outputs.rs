//! Output pixels as rows of a product.

use super::Job;
use crate::epilogue::FinishChannels;
use crate::gemm;
use crate::image::Element;
#[cfg(target_arch = "x86_64")]
use crate::pooling::{Halved, greater};
use crate::simd::{Simd, WIDEST, prefetch_to_write};
#[cfg(target_arch = "x86_64")]
use crate::tiles::{SIDE, TILE};

/// Rows of the matrix that outputs form for what follows: those of two tiles.
pub(in crate::gather) const ROOM_ROWS: usize = 32;

/// Output pixels as a product's rows: sums are finished as they are stored.
#[derive(Clone, Copy)]
pub(in crate::gather) struct Outputs<'a> {
    pub(in crate::gather) job: &'a Job<'a>,
    /// Their numbers.
    pub(in crate::gather) pixels: *const usize,
    /// Of the first column.
    pub(in crate::gather) channel: usize,
    pub(in crate::gather) to: To,
    /// Of two tiles that are windows of halved images, one below the other: the number of the first window's pixel there.
    pub(in crate::gather) window: Option<usize>,
}

/// Where outputs go.
#[derive(Clone, Copy)]
pub(in crate::gather) enum To {
    Image,
    /// The image, past the caches: pixels begin at cache lines.
    PastCaches,
    /// A left matrix of [`ROOM_ROWS`] floats each.
    Floats(*mut f32),
    /// The same of pairs, of which 32 columns make a word of each row.
    Pairs(*mut f32),
}

/// Stores finished vectors in one of these ways, so that loops over them do not ask in which.
trait Put: Copy {
    /// `VECS` vectors of a row's channels, of 16 each, from `channel` on.
    ///
    /// # Safety
    /// Pixel and channels must exist, and the machine have the instruction set.
    unsafe fn put<S: Simd, const VECS: usize>(
        self,
        outputs: &Outputs,
        row: usize,
        channel: usize,
        values: [S::V; VECS],
    );

    /// The same for the rows behind so many.
    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        let _ = rows;
        self
    }
}

#[derive(Clone, Copy)]
struct ToImage;

impl Put for ToImage {
    #[inline(always)]
    unsafe fn put<S: Simd, const VECS: usize>(
        self,
        outputs: &Outputs,
        row: usize,
        channel: usize,
        values: [S::V; VECS],
    ) {
        let output = outputs.job.output;
        // SAFETY: the caller's promise.
        unsafe {
            let pixel = *outputs.pixels.add(row);
            if VECS == 2 && S::LANES == WIDEST {
                output.store_both::<S>(pixel, channel, values[0], values[VECS - 1]);
            } else {
                for (vec, value) in values.into_iter().enumerate() {
                    output.store::<S>(pixel, channel + vec * WIDEST, value);
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct PastCaches;

impl Put for PastCaches {
    #[inline(always)]
    unsafe fn put<S: Simd, const VECS: usize>(
        self,
        outputs: &Outputs,
        row: usize,
        channel: usize,
        values: [S::V; VECS],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let output = outputs.job.output;
            let pixel = *outputs.pixels.add(row);
            match output.element() {
                Element::Float => {
                    let to = output.place(pixel, channel);
                    for (vec, value) in values.into_iter().enumerate() {
                        S::stream(to.add(vec * WIDEST), value);
                    }
                }
                // Two vectors are a whole line.
                Element::Bfloat16 if VECS == 2 && S::LANES == WIDEST => {
                    S::stream(output.place(pixel, channel), S::to_pairs(values[0], values[VECS - 1]));
                }
                Element::Bfloat16 => ToImage.put::<S, VECS>(outputs, row, channel, values),
            }
        }
    }
}

#[derive(Clone, Copy)]
struct ToFloats(*mut f32);

impl Put for ToFloats {
    #[inline(always)]
    unsafe fn put<S: Simd, const VECS: usize>(
        self,
        outputs: &Outputs,
        row: usize,
        channel: usize,
        values: [S::V; VECS],
    ) {
        let (block, lane) = ((channel - outputs.channel) / WIDEST, (channel - outputs.channel) % WIDEST);
        for (vec, value) in values.into_iter().enumerate() {
            // SAFETY: the caller's promise.
            unsafe { S::store(self.0.add(((block + vec) * ROOM_ROWS + row) * WIDEST + lane), value) };
        }
    }

    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        ToFloats(self.0.wrapping_add(rows * WIDEST))
    }
}

#[derive(Clone, Copy)]
struct ToPairs(*mut f32);

impl Put for ToPairs {
    #[inline(always)]
    unsafe fn put<S: Simd, const VECS: usize>(self, _: &Outputs, row: usize, _: usize, values: [S::V; VECS]) {
        debug_assert!(VECS == 2 && S::LANES == WIDEST, "pairs come from 32 columns");
        // SAFETY: the caller's promise.
        unsafe { S::store(self.0.add(row * WIDEST), S::to_pairs(values[0], values[VECS - 1])) };
    }

    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        ToPairs(self.0.wrapping_add(rows * WIDEST))
    }
}

impl<'a> Outputs<'a> {
    /// Outputs that are only stored.
    #[inline(always)]
    pub(in crate::gather) fn new(job: &'a Job<'a>, pixels: *const usize, channel: usize) -> Outputs<'a> {
        Outputs { job, pixels, channel, to: To::Image, window: None }
    }

    /// What is done to the sums of a vector of channels, and of that `VECS - 1` times 16 behind it.
    #[inline(always)]
    unsafe fn finish<S: Simd, const VECS: usize>(&self, channel: usize) -> [FinishChannels<S>; 2] {
        let finish = &self.job.finish;
        // SAFETY: the caller's promise: channels exist.
        unsafe { [finish.of_channels(channel), finish.of_channels(channel + (VECS - 1) * WIDEST)] }
    }

    /// `rows` rows of `VECS` times 16 sums, which go where `put` says.
    #[inline(always)]
    unsafe fn finish_rows<S: Simd, const VECS: usize>(
        &self,
        rows: usize,
        sums: *const f32,
        [step, next]: [usize; 2],
        put: impl Put,
    ) {
        // SAFETY: the caller's promise: pixels and channels exist.
        unsafe {
            for lane in (0..WIDEST).step_by(S::LANES) {
                let channel = self.channel + lane;
                let finish = self.finish::<S, VECS>(channel);
                for row in 0..rows {
                    let pixel = *self.pixels.add(row);
                    let mut values = [S::zero(); VECS];
                    for (vec, value) in values.iter_mut().enumerate() {
                        *value = finish[vec].apply(S::load(sums.add(row * step + vec * next + lane)), pixel);
                    }
                    put.put::<S, VECS>(self, row, channel, values);
                }
            }
        }
    }

    /// The same of `VECS` that is known when the program runs.
    #[inline(always)]
    unsafe fn finish_all<S: Simd>(&self, [rows, vecs]: [usize; 2], sums: *const f32, steps: [usize; 2], put: impl Put) {
        // SAFETY: the caller's promise.
        unsafe {
            match vecs {
                1 => self.finish_rows::<S, 1>(rows, sums, steps, put),
                _ => self.finish_rows::<S, 2>(rows, sums, steps, put),
            }
        }
    }

    /// `cols` columns of two tiles, and the maxima of their windows from number `window` on.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn finish_windows<S: Simd, const VECS: usize>(
        &self,
        cols: usize,
        sums: *const f32,
        (halved, window): (&Halved, usize),
        put: impl Put,
    ) {
        // SAFETY: the caller's promise: pixels and channels exist, and windows where both of their columns do.
        unsafe {
            for lane in (0..WIDEST).step_by(S::LANES) {
                let channel = self.channel + lane;
                let finish = self.finish::<S, VECS>(channel);
                for first in (0..cols).step_by(2) {
                    let mut most = [S::splat(f32::NEG_INFINITY); VECS];
                    for tile in 0..2 {
                        for col in first..cols.min(first + 2) {
                            let pixel = *self.pixels.add(tile * SIDE + col);
                            let from = sums.add(2 * tile * TILE + col * WIDEST + lane);
                            let mut values = [S::zero(); VECS];
                            for vec in 0..VECS {
                                values[vec] = finish[vec].apply(S::load(from.add(vec * TILE)), pixel);
                                most[vec] = greater::<S>(values[vec], most[vec]);
                            }
                            put.put::<S, VECS>(self, tile * SIDE + col, channel, values);
                        }
                    }
                    if first + 1 < cols {
                        for (vec, most) in most.into_iter().enumerate() {
                            halved.to.store::<S>(window + first / 2, channel + vec * WIDEST, most);
                        }
                    }
                }
            }
        }
    }

    /// Two tiles of sums, which go where `put` says.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn finish_tiles<S: Simd>(&self, counts: [usize; 2], vecs: usize, sums: *const f32, put: impl Put) {
        // SAFETY: the caller's promise.
        unsafe {
            match (&self.job.halved, self.window) {
                (Some(halved), Some(window)) if vecs == 1 => {
                    self.finish_windows::<S, 1>(counts[0], sums, (halved, window), put);
                }
                (Some(halved), Some(window)) => self.finish_windows::<S, 2>(counts[0], sums, (halved, window), put),
                _ => {
                    self.finish_all::<S>([counts[0], vecs], sums, [WIDEST, TILE], put);
                    let second = gemm::Out::skip(*self, SIDE);
                    let put = put.skip(SIDE);
                    second.finish_all::<S>([counts[1], vecs], sums.add(2 * TILE), [WIDEST, TILE], put);
                }
            }
        }
    }
}

impl gemm::Out for Outputs<'_> {
    const STAGED: bool = true;

    #[inline(always)]
    fn skip(self, rows: usize) -> Self {
        let to = match self.to {
            To::Floats(room) => To::Floats(ToFloats(room).skip(rows).0),
            To::Pairs(room) => To::Pairs(ToPairs(room).skip(rows).0),
            to => to,
        };
        Outputs { pixels: self.pixels.wrapping_add(rows), to, ..self }
    }

    /// Asks for what will be written, and what will be added to it, while the sums are taken.
    #[inline(always)]
    unsafe fn expect<S: Simd>(self, rows: usize, vecs: usize) {
        for row in 0..rows {
            // SAFETY: the caller's promise.
            let pixel = unsafe { *self.pixels.add(row) };
            for line in (0..vecs * S::LANES).step_by(WIDEST) {
                prefetch_to_write(self.job.output.place(pixel, self.channel + line));
                self.job.finish.expect(pixel, self.channel + line);
            }
        }
    }

    #[inline(always)]
    unsafe fn put<S: Simd>(self, row: usize, column: usize, sum: S::V) {
        // SAFETY: the caller's promise.
        unsafe {
            let channel = self.channel + column;
            let value = self.job.finish.apply::<S>(sum, *self.pixels.add(row), channel);
            match self.to {
                To::Floats(room) => ToFloats(room).put::<S, 1>(&self, row, channel, [value]),
                _ => ToImage.put::<S, 1>(&self, row, channel, [value]),
            }
        }
    }

    #[inline(always)]
    unsafe fn put_rows<S: Simd>(self, [rows, vecs]: [usize; 2], sums: *const f32, steps: [usize; 2]) {
        // SAFETY: the caller's promise.
        unsafe { self.finish_all::<S>([rows, vecs], sums, steps, ToImage) };
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn put_tiles<S: Simd>(self, counts: [usize; 2], vecs: usize, sums: *const f32) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.to {
                To::Image => self.finish_tiles::<S>(counts, vecs, sums, ToImage),
                To::PastCaches => self.finish_tiles::<S>(counts, vecs, sums, PastCaches),
                To::Floats(room) => self.finish_tiles::<S>(counts, vecs, sums, ToFloats(room)),
                To::Pairs(room) => self.finish_tiles::<S>(counts, vecs, sums, ToPairs(room)),
            }
        }
    }
}
