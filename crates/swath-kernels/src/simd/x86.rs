//! AVX-512 and AVX2 with FMA.

use std::arch::x86_64::*;
use std::mem::transmute;

use super::{Kernel, Simd};

/// Vectors of 16 floats: AVX-512 F, BW, DQ and VL.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

/// The same with the instructions for bfloat16.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Bf16;

/// The same with AMX, which multiplies tiles of pairs.
#[derive(Clone, Copy)]
pub(crate) struct Amx;

/// Vectors of 8 floats: AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

/// Vectors of 16 floats: both types differ in how they work with bfloat16.
macro_rules! avx512 {
    ($type:ident, $features:literal, $tiles:literal, { $($pairs:tt)* }) => {
        // SAFETY: every method consists of instructions of the named set.
        unsafe impl Simd for $type {
            type V = __m512;
            const LANES: usize = 16;
            // 28 of 32 registers hold sums; two hold a row of the right matrix, and one the left one's element.
            const ROWS: usize = 14;
            const TILES: bool = $tiles;

            #[inline(always)]
            unsafe fn call<K: Kernel>(kernel: K) {
                #[inline(never)]
                #[target_feature(enable = $features)]
                unsafe fn featured<K: Kernel>(kernel: K) {
                    // SAFETY: the caller's promise; this function has the features.
                    unsafe { kernel.compute::<$type>() }
                }
                // SAFETY: the caller's promise.
                unsafe { featured(kernel) }
            }

            methods! {
                splat(value: f32) -> __m512 = _mm512_set1_ps(value);
                load(from: *const f32) -> __m512 = _mm512_loadu_ps(from);
                store(to: *mut f32, value: __m512) = _mm512_storeu_ps(to, value);
                stream(to: *mut f32, value: __m512) = _mm512_stream_ps(to, value);
                fence() = _mm_sfence();
                add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
                sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
                mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
                div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
                sqrt(a: __m512) -> __m512 = _mm512_sqrt_ps(a);
                mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
                neg_mul_add(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fnmadd_ps(a, b, c);
                select_greater(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 =
                    _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes);
                select_nan(a: __m512, yes: __m512, no: __m512) -> __m512 =
                    _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a), no, yes);
                // The second operand is the result where one is NaN.
                greater(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
                less(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
                relu(a: __m512) -> __m512 = _mm512_max_ps(_mm512_setzero_ps(), a);
                power_of_two(n: __m512) -> __m512 = _mm512_scalef_ps(_mm512_set1_ps(1.0), n);
                any_nan(a: __m512) -> bool = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a) != 0;
                load_halves(from: *const u16) -> __m512 = {
                    let halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
                    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(halves))
                };
                first(pairs: __m512) -> __m512 = _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_castps_si512(pairs)));
                second(pairs: __m512) -> __m512 =
                    _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(pairs), _mm512_set1_epi32(!0xffff)));
                $($pairs)*
            }
        }
    };
}

avx512!(Avx512, "avx512f,avx512bw,avx512dq,avx512vl", false, {
    store_halves(to: *mut u16, value: __m512) = _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(rounded512(value)));
    to_pairs(low: __m512, high: __m512) -> __m512 = {
        let low = _mm512_cvtepi32_epi16(rounded512(low));
        let high = _mm512_cvtepi32_epi16(rounded512(high));
        _mm512_castsi512_ps(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(low), high))
    };
});

/// One instruction set with the instructions for bfloat16.
macro_rules! avx512_bf16 {
    ($type:ident, $tiles:literal) => {
        avx512!($type, "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16", $tiles, {
            store_halves(to: *mut u16, value: __m512) =
                _mm256_storeu_si256(to.cast(), transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value)));
            // The upper half comes first.
            to_pairs(low: __m512, high: __m512) -> __m512 = transmute::<__m512bh, __m512>(_mm512_cvtne2ps_pbh(high, low));
            pair_lanes(first: __m512, second: __m512) -> __m512 = {
                let halves = transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first));
                // Number `n` of the first and of the second, side by side.
                let order = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
                let order = _mm512_or_si512(order, _mm512_slli_epi32::<16>(_mm512_add_epi32(order, _mm512_set1_epi32(16))));
                _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves))
            };
            transpose(from: (*const f32, usize), to: (*mut f32, usize)) = transpose512(from, to);
            pair_mul_add(a: __m512, b: __m512, c: __m512) -> __m512 =
                _mm512_dpbf16_ps(c, transmute::<__m512, __m512bh>(a), transmute::<__m512, __m512bh>(b));
        });
    };
}

avx512_bf16!(Avx512Bf16, false);
avx512_bf16!(Amx, true);

/// Floats as bfloat16 in the lower halves of their lanes.
#[inline(always)]
unsafe fn rounded512(values: __m512) -> __m512i {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let bits = _mm512_castps_si512(values);
        let upper = _mm512_srli_epi32::<16>(bits);
        let even = _mm512_and_si512(upper, _mm512_set1_epi32(1));
        let rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), even);
        let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(values, values);
        let quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
        _mm512_mask_blend_epi32(nan, _mm512_srli_epi32::<16>(rounded), quiet)
    }
}

/// Transposes 16 rows of 16 words: first within squares of four, then the squares.
#[inline(always)]
unsafe fn transpose512((from, step): (*const f32, usize), (to, to_step): (*mut f32, usize)) {
    // SAFETY: the caller's promise.
    unsafe {
        // Columns n, n + 4, n + 8 and n + 12 of four rows each.
        let mut squares = [[_mm512_setzero_ps(); 4]; 4];
        #[expect(clippy::needless_range_loop, reason = "the column of four squares")]
        for group in 0..4 {
            let from = from.add(4 * group * step);
            let (a, b) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(step)));
            let (c, d) = (_mm512_loadu_ps(from.add(2 * step)), _mm512_loadu_ps(from.add(3 * step)));
            let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
            let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
            squares[0][group] = _mm512_shuffle_ps::<0x44>(ab_low, cd_low);
            squares[1][group] = _mm512_shuffle_ps::<0xee>(ab_low, cd_low);
            squares[2][group] = _mm512_shuffle_ps::<0x44>(ab_high, cd_high);
            squares[3][group] = _mm512_shuffle_ps::<0xee>(ab_high, cd_high);
        }
        for (col, [a, b, c, d]) in squares.into_iter().enumerate() {
            let (ab_even, ab_odd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
            let (cd_even, cd_odd) = (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
            let columns = [
                _mm512_shuffle_f32x4::<0x88>(ab_even, cd_even),
                _mm512_shuffle_f32x4::<0x88>(ab_odd, cd_odd),
                _mm512_shuffle_f32x4::<0xdd>(ab_even, cd_even),
                _mm512_shuffle_f32x4::<0xdd>(ab_odd, cd_odd),
            ];
            for (square, column) in columns.into_iter().enumerate() {
                _mm512_storeu_ps(to.add((4 * square + col) * to_step), column);
            }
        }
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
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        sqrt(a: __m256) -> __m256 = _mm256_sqrt_ps(a);
        mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        neg_mul_add(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fnmadd_ps(a, b, c);
        select_greater(a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 =
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b));
        select_nan(a: __m256, yes: __m256, no: __m256) -> __m256 =
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a));
        // The second operand is the result where one is NaN.
        greater(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        less(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        relu(a: __m256) -> __m256 = _mm256_max_ps(_mm256_setzero_ps(), a);
        power_of_two(n: __m256) -> __m256 = {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        };
        any_nan(a: __m256) -> bool = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_UNORD_Q>(a, a)) != 0;
        load_halves(from: *const u16) -> __m256 = {
            let halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(halves))
        };
        store_halves(to: *mut u16, value: __m256) = {
            let halves = rounded256(value);
            // Works on halves of the vectors.
            let packed = _mm256_permute4x64_epi64::<0b10_00>(_mm256_packus_epi32(halves, halves));
            _mm_storeu_si128(to.cast(), _mm256_castsi256_si128(packed))
        };
        first(pairs: __m256) -> __m256 = _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(pairs)));
        second(pairs: __m256) -> __m256 =
            _mm256_castsi256_ps(_mm256_and_si256(_mm256_castps_si256(pairs), _mm256_set1_epi32(!0xffff)));
        to_pairs(low: __m256, high: __m256) -> __m256 = {
            // Works on halves of the vectors, whose quarters then have to change places.
            let packed = _mm256_packus_epi32(rounded256(low), rounded256(high));
            _mm256_castsi256_ps(_mm256_permute4x64_epi64::<0b11_01_10_00>(packed))
        };
    }
}

/// Floats as bfloat16 in the lower halves of their lanes.
#[inline(always)]
unsafe fn rounded256(values: __m256) -> __m256i {
    // SAFETY: the caller has the instruction set.
    unsafe {
        let bits = _mm256_castps_si256(values);
        let upper = _mm256_srli_epi32::<16>(bits);
        let even = _mm256_and_si256(upper, _mm256_set1_epi32(1));
        let rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), even);
        let nan = _mm256_castps_si256(_mm256_cmp_ps::<_CMP_UNORD_Q>(values, values));
        let quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
        _mm256_blendv_epi8(_mm256_srli_epi32::<16>(rounded), quiet, nan)
    }
}
