//! AVX-512 and AVX2 with FMA.

use std::arch::x86_64::*;

use super::{Kernel, Simd};

/// Vectors of 16 floats: AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// Vectors of 8 floats: AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Methods that are one intrinsic each, whose safety is the trait's.
macro_rules! methods {
    ($($name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? = $body:expr;)*) => {
        $(#[inline(always)]
        unsafe fn $name($($arg: $type),*) $(-> $out)? {
            // SAFETY: the caller promises the instruction set and valid pointers.
            unsafe { $body }
        })*
    };
}

// SAFETY: every method consists of instructions of the named set.
unsafe impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    // 28 of 32 registers hold sums; two hold a row of the right matrix, and one the left one's element.
    const ROWS: usize = 14;

    #[inline(always)]
    unsafe fn call<K: Kernel>(kernel: K) {
        #[inline(never)]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        unsafe fn featured<K: Kernel>(kernel: K) {
            // SAFETY: the caller's promise; this function has the features.
            unsafe { kernel.compute::<Avx512>() }
        }
        // SAFETY: the caller's promise.
        unsafe { featured(kernel) }
    }

    methods! {
        splat(value: f32) -> __m512 = _mm512_set1_ps(value);
        load(from: *const f32) -> __m512 = _mm512_loadu_ps(from);
        store(to: *mut f32, value: __m512) = _mm512_storeu_ps(to, value);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        neg_mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fnmadd_ps(a, b, c);
        select_greater(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 =
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes);
        select_nan(a: __m512, yes: __m512, no: __m512) -> __m512 =
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a), no, yes);
        // The second operand is the result where one is NaN.
        relu(a: __m512) -> __m512 = _mm512_max_ps(_mm512_setzero_ps(), a);
        any_nan(a: __m512) -> bool = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a) != 0;
    }
}

// SAFETY: every method consists of instructions of the named set.
unsafe impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    // 12 of 16 registers hold sums.
    const ROWS: usize = 6;

    #[inline(always)]
    unsafe fn call<K: Kernel>(kernel: K) {
        #[inline(never)]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn featured<K: Kernel>(kernel: K) {
            // SAFETY: the caller's promise; this function has the features.
            unsafe { kernel.compute::<Avx2>() }
        }
        // SAFETY: the caller's promise.
        unsafe { featured(kernel) }
    }

    methods! {
        splat(value: f32) -> __m256 = _mm256_set1_ps(value);
        load(from: *const f32) -> __m256 = _mm256_loadu_ps(from);
        store(to: *mut f32, value: __m256) = _mm256_storeu_ps(to, value);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        neg_mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fnmadd_ps(a, b, c);
        select_greater(a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 =
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b));
        select_nan(a: __m256, yes: __m256, no: __m256) -> __m256 =
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a));
        // The second operand is the result where one is NaN.
        relu(a: __m256) -> __m256 = _mm256_max_ps(_mm256_setzero_ps(), a);
        any_nan(a: __m256) -> bool = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(a, a)) != 0;
    }
}
