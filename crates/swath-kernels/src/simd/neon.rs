//! NEON, which every 64-bit ARM machine has.

use std::arch::aarch64::*;

use super::{Kernel, Simd};

/// Vectors of 4 floats.
#[derive(Clone, Copy)]
pub(crate) struct Neon;

// SAFETY: every method consists of instructions of the named set.
unsafe impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    // 24 of 32 registers hold sums.
    const ROWS: usize = 12;

    #[inline(never)]
    unsafe fn call<K: Kernel>(kernel: K) {
        // SAFETY: the caller's promise.
        unsafe { kernel.compute::<Neon>() }
    }

    methods! {
        splat(value: f32) -> float32x4_t = vdupq_n_f32(value);
        load(from: *const f32) -> float32x4_t = vld1q_f32(from);
        store(to: *mut f32, value: float32x4_t) = vst1q_f32(to, value);
        add(a: float32x4_t, b: float32x4_t) -> float32x4_t = vaddq_f32(a, b);
        sub(a: float32x4_t, b: float32x4_t) -> float32x4_t = vsubq_f32(a, b);
        mul(a: float32x4_t, b: float32x4_t) -> float32x4_t = vmulq_f32(a, b);
        div(a: float32x4_t, b: float32x4_t) -> float32x4_t = vdivq_f32(a, b);
        sqrt(a: float32x4_t) -> float32x4_t = vsqrtq_f32(a);
        mul_add(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t = vfmaq_f32(c, a, b);
        neg_mul_add(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t = vfmsq_f32(c, a, b);
        select_greater(a: float32x4_t, b: float32x4_t, yes: float32x4_t, no: float32x4_t) -> float32x4_t =
            vbslq_f32(vcgtq_f32(a, b), yes, no);
        select_nan(a: float32x4_t, yes: float32x4_t, no: float32x4_t) -> float32x4_t =
            vbslq_f32(vceqq_f32(a, a), no, yes);
        // Gives NaN where one operand is NaN.
        relu(a: float32x4_t) -> float32x4_t = vmaxq_f32(a, vdupq_n_f32(0.0));
        power_of_two(n: float32x4_t) -> float32x4_t = {
            let exponent = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
            vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
        };
        any_nan(a: float32x4_t) -> bool = vminvq_u32(vceqq_f32(a, a)) == 0;
        load_halves(from: *const u16) -> float32x4_t = vreinterpretq_f32_u32(vshll_n_u16::<16>(vld1_u16(from)));
        store_halves(to: *mut u16, value: float32x4_t) = vst1_u16(to, vmovn_u32(rounded(value)));
        first(pairs: float32x4_t) -> float32x4_t =
            vreinterpretq_f32_u32(vshlq_n_u32::<16>(vreinterpretq_u32_f32(pairs)));
        second(pairs: float32x4_t) -> float32x4_t =
            vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(pairs), vdupq_n_u32(0xffff_0000)));
        to_pairs(low: float32x4_t, high: float32x4_t) -> float32x4_t =
            vreinterpretq_f32_u16(vcombine_u16(vmovn_u32(rounded(low)), vmovn_u32(rounded(high))));
    }
}

/// Floats as bfloat16 in the lower halves of their lanes.
#[inline(always)]
unsafe fn rounded(values: float32x4_t) -> uint32x4_t {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let bits = vreinterpretq_u32_f32(values);
        let upper = vshrq_n_u32::<16>(bits);
        let even = vandq_u32(upper, vdupq_n_u32(1));
        let rounded = vaddq_u32(vaddq_u32(bits, vdupq_n_u32(0x7fff)), even);
        let quiet = vorrq_u32(upper, vdupq_n_u32(0x40));
        vbslq_u32(vceqq_f32(values, values), vshrq_n_u32::<16>(rounded), quiet)
    }
}
