//! What a strip reads, rounded.

use super::Strip;
use super::frame::Frame;
use crate::image::Element;
use crate::operands::{Operands, Pairs};
use crate::pixels::load;
use crate::simd::{Simd, WIDEST};

impl<const PARTS: usize> Strip<'_, PARTS> {
    /// Rounds what the outputs read, or copies what is rounded.
    #[inline(always)]
    pub(super) unsafe fn round<S: Simd>(&self) {
        let Frame { images, skip, stride, pixel, .. } = *self.frame;
        let [top, left] = self.frame.first;
        let width = self.line / pixel;
        // Columns of a line that lie in the image: `left + column * skip` in `0..width`.
        let start = left + (self.cols.start * stride[1] * skip[1]) as isize;
        let column = |edge: usize| ((edge as isize - start).max(0) as usize).div_ceil(skip[1]).min(width);
        let inside = column(0)..column(images.width);
        for line in 0..self.frame.lines(self.rows.len()) {
            let to = self.words.wrapping_add(line * self.line);
            let row = top + ((self.rows.start * stride[0] + line) * skip[0]) as isize;
            let there = (0..images.height as isize).contains(&row);
            let inside = if there { inside.clone() } else { width..width };
            let first = (self.image * images.height).wrapping_add_signed(row) * images.width;
            // SAFETY: the scratch has these lines and a vector behind them, and the image these pixels.
            unsafe {
                self.clear(to, inside.start * pixel);
                if !inside.is_empty() {
                    let first = first.wrapping_add_signed(start + (inside.start * skip[1]) as isize);
                    self.line::<S>(first, inside.len(), to.add(inside.start * pixel));
                }
                let end = inside.end.max(inside.start);
                self.clear(to.add(end * pixel), (width - end) * pixel);
            }
        }
    }

    /// Writes zeros.
    #[inline(always)]
    unsafe fn clear(&self, to: *mut f32, words: usize) {
        for part in 0..PARTS {
            // SAFETY: the caller's promise.
            unsafe { to.add(part * self.rest).write_bytes(0, words) };
        }
    }

    /// So many pixels of the image from number `first` on.
    #[inline(always)]
    unsafe fn line<S: Simd>(&self, first: usize, count: usize, to: *mut f32) {
        let (layout, frame) = (self.job.input_layout, self.frame);
        let inputs = self.job.filter.groups.inputs;
        let channel = self.group * inputs;
        let halves = layout.element == Element::Bfloat16;
        if layout.planes {
            // SAFETY: the caller's promise.
            return unsafe { self.line_of_planes::<S>(first, count, to) };
        }
        // Whether words hold all channels and nothing else.
        let alone = inputs == Pairs::STEPS * frame.pixel;
        let whole = alone && frame.pixel.is_multiple_of(WIDEST);
        // SAFETY: the caller's promise.
        unsafe {
            if PARTS == 1 && halves && alone && layout.pixel == inputs && frame.skip[1] == 1 {
                let from = self.job.input.place(first, channel);
                return to.copy_from_nonoverlapping(from, count * frame.pixel);
            }
            for pixel in 0..count {
                let from = self.job.input.place(first + pixel * frame.skip[1], channel);
                let to = to.add(pixel * frame.pixel);
                for word in (0..frame.pixel).step_by(S::LANES) {
                    Pairs::expect(from, word);
                    // What goes beyond the pixel is written over by the next one, or by zeros.
                    let to = to.add(word);
                    if PARTS == 1 && whole && halves {
                        S::store(to, S::load(from.add(word)));
                        continue;
                    }
                    let channel = Pairs::STEPS * word;
                    let low = self.load_there::<S>(from, channel, whole);
                    let high = self.load_there::<S>(from, channel + S::LANES, whole);
                    self.store_parts::<S>(to, low, high);
                }
            }
        }
    }

    /// The same of an image in planes: channels are put side by side, some pixels at a time.
    #[inline(always)]
    unsafe fn line_of_planes<S: Simd>(&self, first: usize, count: usize, to: *mut f32) {
        let (frame, inputs) = (self.frame, self.job.filter.groups.inputs);
        let channels = Pairs::STEPS * frame.pixel;
        let mut beside = BesidePlanes([0.0; MOST_BESIDE]);
        let together = MOST_BESIDE / channels;
        for start in (0..count).step_by(together.max(1)) {
            let pixels = together.min(count - start);
            for channel in 0..inputs {
                for pixel in 0..pixels {
                    let from = first + (start + pixel) * frame.skip[1];
                    // SAFETY: the caller's promise.
                    beside.0[pixel * channels + channel] =
                        unsafe { self.job.input.value(from, self.group * inputs + channel) };
                }
            }
            let words = pixels * frame.pixel;
            for word in (0..words).step_by(S::LANES) {
                // SAFETY: pixels fill at most whole vectors of words, and behind the strip's lines there is room for another one.
                unsafe {
                    let from = beside.0.as_ptr().add(Pairs::STEPS * word);
                    self.store_parts::<S>(
                        to.add(start * frame.pixel + word),
                        S::load(from),
                        S::load(from.add(S::LANES)),
                    );
                }
            }
        }
    }

    /// Rounds a vector of words, to all of their parts.
    #[inline(always)]
    unsafe fn store_parts<S: Simd>(&self, to: *mut f32, low: S::V, high: S::V) {
        // SAFETY: the caller's promise.
        unsafe {
            let (mut low, mut high) = (low, high);
            for part in 1..PARTS {
                let (a, b) = (rounded::<S>(low), rounded::<S>(high));
                S::store(to.add((part - 1) * self.rest), S::to_pairs(a, b));
                (low, high) = (S::sub(low, a), S::sub(high, b));
            }
            S::store(to.add((PARTS - 1) * self.rest), S::to_pairs(low, high));
        }
    }

    /// A vector of a pixel's channels from `channel` on, with zeros for those that there are not: they are all there where words are `whole`.
    #[inline(always)]
    unsafe fn load_there<S: Simd>(&self, from: *const f32, channel: usize, whole: bool) -> S::V {
        let element = self.job.input_layout.element;
        // SAFETY: channels are padded to whole vectors, and the mask as well.
        unsafe {
            if whole {
                return load::<S>(element, from.byte_add(channel * element.bytes()));
            }
            if channel >= self.frame.there.len() {
                return S::zero();
            }
            let there = S::load(self.frame.there.as_ptr().add(channel));
            let value = load::<S>(element, from.byte_add(channel * element.bytes()));
            S::select_greater(there, S::zero(), value, S::zero())
        }
    }
}

/// Channels of some pixels of an image in planes, side by side.
#[repr(align(64))]
struct BesidePlanes([f32; MOST_BESIDE]);

/// As many floats: some hundred pixels of a few channels.
const MOST_BESIDE: usize = 512;

/// Values rounded to the eight bits of bfloat16's mantissa, as floats (Dekker's method); not a number where they are infinite or almost.
#[inline(always)]
unsafe fn rounded<S: Simd>(values: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let scaled = S::mul(values, S::splat(65537.0));
        S::sub(scaled, S::sub(scaled, values))
    }
}
