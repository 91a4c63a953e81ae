//! Vectors of floats: what every kernel is written in.
//!
//! A kernel is one generic function over [`Simd`], which [`Simd::call`] compiles once for each instruction set. All methods are
//! inlined into that one function, which is the only one that has the instruction set's features.

use crate::operands::pair;

/// Methods that are one intrinsic each, whose safety is the trait's.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! methods {
    ($($name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? = $body:expr;)*) => {
        $(#[inline(always)]
        unsafe fn $name($($arg: $type),*) $(-> $out)? {
            // SAFETY: the caller promises the instruction set and valid pointers.
            unsafe { $body }
        })*
    };
}

#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use scalar::Scalar;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Amx, Avx2, Avx512, Avx512Bf16};

/// The widest vector of any instruction set. Channels are padded to whole multiples of it.
pub(crate) const WIDEST: usize = 16;

/// Asks for the cache line of an address, which need not be valid, without waiting for it: for L1 when it is needed `SOON`, otherwise
/// for L2. Does nothing where the compiler has no such instruction.
#[inline(always)]
pub(crate) fn prefetch<const SOON: bool>(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, and every x86-64 processor has it.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        if SOON {
            _mm_prefetch::<_MM_HINT_T0>(address.cast());
        } else {
            _mm_prefetch::<_MM_HINT_T1>(address.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// As [`prefetch`], for L1, of a cache line that will be written.
#[inline(always)]
pub(crate) fn prefetch_to_write(address: *mut f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults, and processors that do not know this one do nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_ET0>(address.cast_const().cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// A computation in vectors: its arguments, and one generic function.
pub(crate) trait Kernel {
    /// Computes. Must be `#[inline(always)]`, and so must be all that it calls, other kernels by [`Simd::call`] excepted: whatever
    /// is not inlined is compiled without the instruction set.
    ///
    /// # Safety
    /// The machine must have the instruction set of `S`; a kernel adds its own conditions.
    unsafe fn compute<S: Simd>(self);
}

/// Arithmetic on vectors of `LANES` floats.
///
/// # Safety
/// Every method may only run on a machine that has the instruction set. `load` reads and `store` writes `LANES` floats,
/// which must be valid for that.
pub(crate) unsafe trait Simd: Copy + 'static {
    /// A vector.
    type V: Copy;
    /// Floats in a vector; divides [`WIDEST`].
    const LANES: usize;
    /// Rows of the matrix kernel: with two vectors each, they and the operands fill the registers.
    const ROWS: usize;
    /// Whether the machine multiplies [tiles](crate::tiles) of pairs.
    const TILES: bool = false;

    /// Runs a kernel in a function of its own that has the instruction set's features.
    unsafe fn call<K: Kernel>(kernel: K);

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { Self::splat(0.0) }
    }
    unsafe fn splat(value: f32) -> Self::V;
    unsafe fn load(from: *const f32) -> Self::V;
    unsafe fn store(to: *mut f32, value: Self::V);
    /// The same to a multiple of 64 bytes, for what will not be read soon: processors that can do so do not fetch what was there. Other threads
    /// see it after a [`fence`](Self::fence).
    #[inline(always)]
    unsafe fn stream(to: *mut f32, value: Self::V) {
        // SAFETY: the caller's promise.
        unsafe { Self::store(to, value) }
    }
    /// After all that was [streamed](Self::stream).
    #[inline(always)]
    unsafe fn fence() {}
    /// `LANES` bfloat16 as floats.
    unsafe fn load_halves(from: *const u16) -> Self::V;
    /// Rounds to bfloat16: `LANES` of them.
    unsafe fn store_halves(to: *mut u16, value: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    /// `a b + c`
    unsafe fn mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a b`
    unsafe fn neg_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a > b ? yes : no`; `no` where one is NaN.
    unsafe fn select_greater(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `a > b ? a : b`; `b` where one is NaN.
    #[inline(always)]
    unsafe fn greater(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { Self::select_greater(a, b, a, b) }
    }
    /// `a < b ? a : b`; `b` where one is NaN.
    #[inline(always)]
    unsafe fn less(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe { Self::select_greater(b, a, a, b) }
    }
    /// `a` is NaN ? `yes` : `no`
    unsafe fn select_nan(a: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// `max(a, 0)`; NaN stays NaN.
    unsafe fn relu(a: Self::V) -> Self::V;
    /// `2^n` for whole numbers from -126 to 127.
    unsafe fn power_of_two(n: Self::V) -> Self::V;
    /// Whether a float is NaN.
    unsafe fn any_nan(a: Self::V) -> bool;

    /// Rounds `low` and then `high` to bfloat16, two neighbours in each lane, the first in its lower half.
    unsafe fn to_pairs(low: Self::V, high: Self::V) -> Self::V;
    /// Rounds both to bfloat16, and puts those of the same lane into one, the first in its lower half.
    #[inline(always)]
    unsafe fn pair_lanes(first: Self::V, second: Self::V) -> Self::V {
        let mut values = [0.0; 2 * WIDEST];
        // SAFETY: the caller's promise.
        unsafe {
            Self::store(values.as_mut_ptr(), first);
            Self::store(values.as_mut_ptr().add(WIDEST), second);
            for lane in 0..Self::LANES {
                values[lane] = pair(values[lane], values[WIDEST + lane]);
            }
            Self::load(values.as_ptr())
        }
    }
    /// Writes a square of `LANES` rows of as many words, `step` words from each other, with rows and columns exchanged.
    #[inline(always)]
    unsafe fn transpose((from, step): (*const f32, usize), (to, to_step): (*mut f32, usize)) {
        for (row, col) in (0..Self::LANES).flat_map(|row| (0..Self::LANES).map(move |col| (row, col))) {
            // SAFETY: the caller's promise.
            unsafe { to.add(col * to_step + row).write_unaligned(from.add(row * step + col).read()) };
        }
    }
    /// The lower halves of lanes that hold pairs of bfloat16, as floats.
    unsafe fn first(pairs: Self::V) -> Self::V;
    /// The upper halves.
    unsafe fn second(pairs: Self::V) -> Self::V;
    /// `a0 b0 + a1 b1 + c` for pairs `a` and `b` of bfloat16 in each lane.
    #[inline(always)]
    unsafe fn pair_mul_add(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the caller's promise.
        unsafe {
            let sum = Self::mul_add(Self::first(a), Self::first(b), c);
            Self::mul_add(Self::second(a), Self::second(b), sum)
        }
    }
}
