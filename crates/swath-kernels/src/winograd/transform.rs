//! The small linear maps of F(2x2, 3x3) and F(4x4, 3x3), in one dimension; a tile is transformed by columns, then by rows.
//!
//! They come from polynomial interpolation: with points `p` and infinity, row `p` of `A` and of `G` evaluates a polynomial at
//! `p`, `G`'s divided by the product of the differences to the other points. F4 stands on 0, 1/2, -1/2, 3/2, -3/2, whose
//! rounding error is half of that of the usual 0, 1, -1, 2, -2.

use crate::simd::Simd;

/// The longest transformed tile; shorter ones leave the rest alone.
pub(crate) const LONGEST: usize = 6;

/// One member of Winograd's family.
pub(crate) trait Transform: Copy + Send + Sync + 'static {
    /// Outputs of a tile, `m`.
    const OUT: usize;
    /// Inputs of a tile, `m + 2`.
    const IN: usize;

    /// `B^T d`
    unsafe fn input<S: Simd>(d: [S::V; LONGEST]) -> [S::V; LONGEST];
    /// `A^T m`
    unsafe fn output<S: Simd>(m: [S::V; LONGEST]) -> [S::V; 4];
    /// `A y`, the transposed of [`output`](Self::output).
    unsafe fn output_gradient<S: Simd>(y: [S::V; 4]) -> [S::V; LONGEST];
    /// `G g`
    fn filter(g: [f64; 3]) -> [f64; LONGEST];
    /// `G^T u`, the transposed of [`filter`](Self::filter).
    fn filter_gradient(u: [f64; LONGEST]) -> [f64; 3];
    /// `g` from `G g`.
    unsafe fn kernel<S: Simd>(u: [S::V; LONGEST]) -> [S::V; 3];
}

/// F(2x2, 3x3) on the points 0, 1, -1.
#[derive(Clone, Copy)]
pub(crate) struct F2;

/// F(4x4, 3x3) on the points 0, 1/2, -1/2, 3/2, -3/2.
#[derive(Clone, Copy)]
pub(crate) struct F4;

impl Transform for F2 {
    const OUT: usize = 2;
    const IN: usize = 4;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; LONGEST]) -> [S::V; LONGEST] {
        // SAFETY: the caller has the instruction set.
        unsafe { [S::sub(d[0], d[2]), S::add(d[1], d[2]), S::sub(d[2], d[1]), S::sub(d[1], d[3]), d[4], d[5]] }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; LONGEST]) -> [S::V; 4] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let sum = S::add(m[0], S::add(m[1], m[2]));
            let difference = S::sub(S::sub(m[1], m[2]), m[3]);
            [sum, difference, m[4], m[5]]
        }
    }

    #[inline(always)]
    unsafe fn output_gradient<S: Simd>(y: [S::V; 4]) -> [S::V; LONGEST] {
        // SAFETY: the caller has the instruction set.
        unsafe { [y[0], S::add(y[0], y[1]), S::sub(y[0], y[1]), S::sub(S::zero(), y[1]), y[2], y[3]] }
    }

    #[inline(always)]
    fn filter(g: [f64; 3]) -> [f64; LONGEST] {
        let even = (g[0] + g[2]) / 2.0;
        let odd = g[1] / 2.0;
        [g[0], even + odd, even - odd, g[2], 0.0, 0.0]
    }

    #[inline(always)]
    fn filter_gradient(u: [f64; LONGEST]) -> [f64; 3] {
        let sum = (u[1] + u[2]) / 2.0;
        [u[0] + sum, (u[1] - u[2]) / 2.0, sum + u[3]]
    }

    #[inline(always)]
    unsafe fn kernel<S: Simd>(u: [S::V; LONGEST]) -> [S::V; 3] {
        // SAFETY: the caller has the instruction set.
        unsafe { [u[0], S::sub(u[1], u[2]), u[3]] }
    }
}

impl Transform for F4 {
    const OUT: usize = 4;
    const IN: usize = 6;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; LONGEST]) -> [S::V; LONGEST] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            // With x(x - 1/2)(x + 1/2)(x - 3/2)(x + 3/2) = x^5 - 5/2 x^3 + 9/16 x, each row is that polynomial without
            // one of its factors.
            let [quarter, half] = [S::splat(0.25), S::splat(0.5)];
            let [near, far] = [S::splat(2.25), S::splat(1.5)];
            let [sum, product] = [S::splat(2.5), S::splat(0.5625)];
            let even = S::neg_mul_add(near, d[2], d[4]);
            let odd = S::neg_mul_add(near, d[1], d[3]);
            let even_far = S::neg_mul_add(quarter, d[2], d[4]);
            let odd_far = S::neg_mul_add(quarter, d[1], d[3]);
            [
                S::mul_add(product, d[0], S::neg_mul_add(sum, d[2], d[4])),
                S::mul_add(half, odd, even),
                S::neg_mul_add(half, odd, even),
                S::mul_add(far, odd_far, even_far),
                S::neg_mul_add(far, odd_far, even_far),
                S::mul_add(product, d[1], S::neg_mul_add(sum, d[3], d[5])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; LONGEST]) -> [S::V; 4] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let (even, odd) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (even_far, odd_far) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            [
                S::add(S::add(m[0], even), even_far),
                S::mul_add(S::splat(1.5), odd_far, S::mul(S::splat(0.5), odd)),
                S::mul_add(S::splat(2.25), even_far, S::mul(S::splat(0.25), even)),
                S::mul_add(S::splat(3.375), odd_far, S::mul_add(S::splat(0.125), odd, m[5])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn output_gradient<S: Simd>(y: [S::V; 4]) -> [S::V; LONGEST] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let even = S::mul_add(S::splat(0.25), y[2], y[0]);
            let odd = S::mul_add(S::splat(0.125), y[3], S::mul(S::splat(0.5), y[1]));
            let even_far = S::mul_add(S::splat(2.25), y[2], y[0]);
            let odd_far = S::mul_add(S::splat(3.375), y[3], S::mul(S::splat(1.5), y[1]));
            [y[0], S::add(even, odd), S::sub(even, odd), S::add(even_far, odd_far), S::sub(even_far, odd_far), y[3]]
        }
    }

    #[inline(always)]
    fn filter(g: [f64; 3]) -> [f64; LONGEST] {
        let even = -(g[0] + 0.25 * g[2]);
        let odd = -0.5 * g[1];
        let even_far = (g[0] + 2.25 * g[2]) / 9.0;
        let odd_far = 1.5 * g[1] / 9.0;
        [g[0] / 0.5625, even + odd, even - odd, even_far + odd_far, even_far - odd_far, g[2]]
    }

    #[inline(always)]
    fn filter_gradient(u: [f64; LONGEST]) -> [f64; 3] {
        let (sum, difference) = (u[1] + u[2], u[1] - u[2]);
        let (sum_far, difference_far) = ((u[3] + u[4]) / 9.0, (u[3] - u[4]) / 9.0);
        [u[0] / 0.5625 - sum + sum_far, 1.5 * difference_far - 0.5 * difference, 2.25 * sum_far - 0.25 * sum + u[5]]
    }

    #[inline(always)]
    unsafe fn kernel<S: Simd>(u: [S::V; LONGEST]) -> [S::V; 3] {
        // SAFETY: the caller has the instruction set.
        unsafe { [S::mul(S::splat(0.5625), u[0]), S::sub(u[2], u[1]), u[5]] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Scalar;

    /// `y[i] = sum over j of d[i + j] g[j]`, and its two adjoints.
    fn check<T: Transform>() {
        let d: Vec<f32> = (0..LONGEST).map(|i| [0.3, -1.1, 0.7, 2.0, -0.4, 1.6][i]).collect();
        let g = [0.9, -0.35, 1.25];
        let d: [f32; LONGEST] = d.try_into().expect("six values");
        // SAFETY: plain Rust runs everywhere.
        let (v, weights) = (unsafe { T::input::<Scalar>(d) }, T::filter(g));
        let mut m = [0.0; LONGEST];
        for e in 0..T::IN {
            m[e] = (f64::from(v[e]) * weights[e]) as f32;
        }
        // SAFETY: as above.
        let y = unsafe { T::output::<Scalar>(m) };
        for i in 0..T::OUT {
            let expected: f64 = (0..3).map(|j| f64::from(d[i + j]) * g[j]).sum();
            assert!((f64::from(y[i]) - expected).abs() < 1e-5, "output {i} is {}, not {expected}", y[i]);
        }

        // SAFETY: as above.
        let kernel = unsafe { T::kernel::<Scalar>(weights.map(|weight| weight as f32)) };
        assert!(kernel.iter().zip(g).all(|(found, g)| (f64::from(*found) - g).abs() < 1e-6));

        // The gradient of the kernel: dg[j] = sum over i of dy[i] d[i + j].
        let dy = [1.0, -2.0, 0.5, 3.0];
        // SAFETY: as above.
        let z = unsafe { T::output_gradient::<Scalar>(dy) };
        let mut du = [0.0; LONGEST];
        for e in 0..T::IN {
            du[e] = f64::from(v[e]) * f64::from(z[e]);
        }
        for (j, found) in T::filter_gradient(du).into_iter().enumerate() {
            let expected: f64 = (0..T::OUT).map(|i| f64::from(dy[i]) * f64::from(d[i + j])).sum();
            assert!((found - expected).abs() < 1e-5, "gradient {j} is {found}, not {expected}");
        }
    }

    #[test]
    fn both_sizes_convolve_and_give_the_gradient_of_the_kernel() {
        check::<F2>();
        check::<F4>();
    }
}
