//! Plain Rust: the reference, and the way out on machines without a known instruction set.

use super::{Kernel, Simd};
use crate::operands::{first_of_pair, from_half, pair, second_of_pair, to_half};

/// Vectors of one float.
#[derive(Clone, Copy)]
pub(crate) struct Scalar;

// SAFETY: needs no instruction set.
unsafe impl Simd for Scalar {
    type V = f32;
    const LANES: usize = 1;
    const ROWS: usize = 4;

    #[inline(never)]
    unsafe fn call<K: Kernel>(kernel: K) {
        // SAFETY: the caller's promise.
        unsafe { kernel.compute::<Scalar>() }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> f32 {
        value
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { from.read() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: f32) {
        // SAFETY: the caller's promise.
        unsafe { to.write(value) }
    }
    #[inline(always)]
    unsafe fn load_halves(from: *const u16) -> f32 {
        // SAFETY: the caller's promise.
        from_half(unsafe { from.read() })
    }
    #[inline(always)]
    unsafe fn store_halves(to: *mut u16, value: f32) {
        // SAFETY: the caller's promise.
        unsafe { to.write(to_half(value)) }
    }
    #[inline(always)]
    unsafe fn add(a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    unsafe fn sub(a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    unsafe fn mul(a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    unsafe fn sqrt(a: f32) -> f32 {
        a.sqrt()
    }
    #[inline(always)]
    unsafe fn div(a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    unsafe fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
    #[inline(always)]
    unsafe fn neg_mul_add(a: f32, b: f32, c: f32) -> f32 {
        c - a * b
    }
    #[inline(always)]
    unsafe fn select_greater(a: f32, b: f32, yes: f32, no: f32) -> f32 {
        if a > b { yes } else { no }
    }
    #[inline(always)]
    unsafe fn select_nan(a: f32, yes: f32, no: f32) -> f32 {
        if a.is_nan() { yes } else { no }
    }
    #[inline(always)]
    unsafe fn relu(a: f32) -> f32 {
        if a < 0.0 { 0.0 } else { a }
    }
    #[inline(always)]
    unsafe fn power_of_two(n: f32) -> f32 {
        f32::from_bits(((n as i32 + 127) as u32) << 23)
    }
    #[inline(always)]
    unsafe fn any_nan(a: f32) -> bool {
        a.is_nan()
    }
    #[inline(always)]
    unsafe fn to_pairs(low: f32, high: f32) -> f32 {
        pair(low, high)
    }
    #[inline(always)]
    unsafe fn first(pairs: f32) -> f32 {
        first_of_pair(pairs)
    }
    #[inline(always)]
    unsafe fn second(pairs: f32) -> f32 {
        second_of_pair(pairs)
    }
}
