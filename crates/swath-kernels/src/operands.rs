//! What matrices hold in each word of four bytes: a float, or a pair of bfloat16.
//!
//! Pairs lie along the depth: two neighbouring channels of the left matrix, two neighbouring rows of the right one. A product of two
//! bfloat16 is exact in single precision, in which all sums are taken, so that rounding the operands is all that is lost.

use crate::blocking;
use crate::simd::{Simd, WIDEST, prefetch};

/// The numbers that a convolution multiplies. It always adds in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// float32.
    #[default]
    Fp32,
    /// float32 in three parts of bfloat16, each what rounding took of the one before: all 24 bits of mantissa. Where there are tiles for bfloat16, six
    /// products of these are faster than one of float32; elsewhere, and with Winograd's methods, this is [`Fp32`](Self::Fp32).
    Bf16x3,
    /// float32 in two parts: 16 bits of mantissa, and three products. Elsewhere this is [`Fp32`](Self::Fp32).
    Bf16x2,
    /// bfloat16, float32 rounded to 8 bits of mantissa. Winograd's F(4x4, 3x3) keeps float32, since its transforms make rounding
    /// errors grow.
    Bf16,
}

impl Precision {
    /// Parts of bfloat16 that a float is taken apart into; none where it is multiplied as it is.
    pub(crate) fn parts(self) -> usize {
        match self {
            Precision::Fp32 => 0,
            Precision::Bf16x3 => 3,
            Precision::Bf16x2 => 2,
            Precision::Bf16 => 1,
        }
    }
}

/// One of the two forms of operands.
pub(crate) trait Operands: Copy + Send + Sync + 'static {
    /// Steps of the depth in one word.
    const STEPS: usize;

    /// A vector of words: steps `STEPS * word..` of `from`, of which those from `len` on count as zeros. `len` is a multiple of
    /// the vector.
    ///
    /// # Safety
    /// `from` must be valid for reading `len` floats, and the machine have the instruction set.
    unsafe fn load<S: Simd>(from: *const f32, word: usize, len: usize) -> S::V;

    /// The same of bfloat16, `2 * WIDEST` or more steps.
    ///
    /// # Safety
    /// As [`load`](Self::load).
    unsafe fn load_halves<S: Simd>(from: *const u16, word: usize) -> S::V;

    /// `a b + c` of words `a` and `b`.
    ///
    /// # Safety
    /// The machine must have the instruction set.
    unsafe fn mul_add<S: Simd>(a: S::V, b: S::V, c: S::V) -> S::V;

    /// Asks for what 16 words will be [loaded](Self::load) from that lie [`blocking::AHEAD`] floats behind these.
    #[inline(always)]
    fn expect(from: *const f32, word: usize) {
        for step in 0..Self::STEPS {
            prefetch::<true>(from.wrapping_add(blocking::AHEAD + Self::STEPS * word + step * WIDEST));
        }
    }

    /// Words for so many steps of the depth.
    fn words(depth: usize) -> usize {
        depth.div_ceil(Self::STEPS)
    }
}

/// A float in each word.
#[derive(Clone, Copy)]
pub(crate) struct Floats;

/// A pair of bfloat16 in each word.
#[derive(Clone, Copy)]
pub(crate) struct Pairs;

impl Operands for Floats {
    const STEPS: usize = 1;

    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const f32, word: usize, len: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { if word < len { S::load(from.add(word)) } else { S::zero() } }
    }

    #[inline(always)]
    unsafe fn load_halves<S: Simd>(from: *const u16, word: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_halves(from.add(word)) }
    }

    #[inline(always)]
    unsafe fn mul_add<S: Simd>(a: S::V, b: S::V, c: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::mul_add(a, b, c) }
    }
}

impl Operands for Pairs {
    const STEPS: usize = 2;

    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const f32, word: usize, len: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            let low = Floats::load::<S>(from, 2 * word, len);
            S::to_pairs(low, Floats::load::<S>(from, 2 * word + S::LANES, len))
        }
    }

    #[inline(always)]
    unsafe fn load_halves<S: Simd>(from: *const u16, word: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load(from.cast::<f32>().add(word)) }
    }

    #[inline(always)]
    unsafe fn mul_add<S: Simd>(a: S::V, b: S::V, c: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::pair_mul_add(a, b, c) }
    }
}

/// A value as bfloat16, rounded to the nearest, to even where two are near.
#[inline(always)]
pub(crate) fn to_half(value: f32) -> u16 {
    let bits = value.to_bits();
    // A NaN stays one: with all bits set, rounding would carry over into the sign.
    let rounded = if value.is_nan() { (bits >> 16) | 0x40 } else { (bits + 0x7fff + ((bits >> 16) & 1)) >> 16 };
    rounded as u16
}

/// A bfloat16 as float.
#[inline(always)]
pub(crate) fn from_half(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// Both values as bfloat16.
#[inline(always)]
pub(crate) fn pair(first: f32, second: f32) -> f32 {
    f32::from_bits(u32::from(to_half(first)) | (u32::from(to_half(second)) << 16))
}

/// Rows of `width` floats as half as many rows of pairs; the last is filled up with zeros.
pub(crate) fn round_rows(rows: &[f32], width: usize, out: &mut [f32]) {
    for (rows, out) in rows.chunks(2 * width).zip(out.chunks_mut(width)) {
        for (column, out) in out.iter_mut().enumerate() {
            *out = pair(rows[column], rows.get(width + column).copied().unwrap_or(0.0));
        }
    }
}

/// The first value of a pair.
#[inline(always)]
pub(crate) fn first_of_pair(pair: f32) -> f32 {
    f32::from_bits(pair.to_bits() << 16)
}

/// The second value of a pair.
#[inline(always)]
pub(crate) fn second_of_pair(pair: f32) -> f32 {
    f32::from_bits(pair.to_bits() & 0xffff_0000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_round_to_the_nearest_and_to_even() {
        let rounded = |value: f32| first_of_pair(pair(value, 0.0));
        let step = 1.0 / 128.0;
        assert_eq!(rounded(1.0 + 0.49 * step), 1.0);
        assert_eq!(rounded(1.0 + 0.5 * step), 1.0);
        assert_eq!(rounded(1.0 + 0.51 * step), 1.0 + step);
        assert_eq!(rounded(1.0 + 1.5 * step), 1.0 + 2.0 * step);
        assert_eq!(rounded(f32::MAX), f32::INFINITY);
        assert_eq!(rounded(f32::NEG_INFINITY), f32::NEG_INFINITY);
        assert!(rounded(f32::from_bits(0x7fff_ffff)).is_nan());
        assert!(rounded(f32::from_bits(0x7f80_0001)).is_nan());
        assert_eq!((first_of_pair(pair(-2.0, 3.0)), second_of_pair(pair(-2.0, 3.0))), (-2.0, 3.0));
    }
}
