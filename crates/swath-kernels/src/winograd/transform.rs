//! The small linear maps of F(2x2, 3x3), F(4x4, 3x3) and F(6x6, 3x3), in one dimension; a tile is transformed by columns, then by
//! rows.
//!
//! They come from polynomial interpolation: with points `p` and infinity, row `p` of `A` and of `G` evaluates a polynomial at
//! `p`, `G`'s divided by the product of the differences to the other points. F4 stands on 0, 1/2, -1/2, 3/2, -3/2, whose
//! rounding error is half of that of the usual 0, 1, -1, 2, -2. F6 stands on 0, 1/2, -1/2, 1, -1, 2, -2: of points p, -p from fractions of
//! small numbers they err least, two and a half times as much as F4's.

use crate::simd::Simd;

/// The longest transformed tile; shorter ones leave the rest alone.
pub(crate) const LONGEST: usize = 8;

/// The most outputs of a tile.
pub(crate) const MOST: usize = 6;

/// One member of Winograd's family.
pub(crate) trait Transform: Copy + Send + Sync + 'static {
    /// Outputs of a tile, `m`.
    const OUT: usize;
    /// Inputs of a tile, `m + 2`.
    const IN: usize;

    /// `B^T d`
    unsafe fn input<S: Simd>(d: [S::V; LONGEST]) -> [S::V; LONGEST];
    /// `A^T m`
    unsafe fn output<S: Simd>(m: [S::V; LONGEST]) -> [S::V; MOST];
    /// `G g`
    fn filter(g: [f64; 3]) -> [f64; LONGEST];
    /// `g` from `G g`.
    unsafe fn kernel<S: Simd>(u: [S::V; LONGEST]) -> [S::V; 3];
}

/// The maps that gradients by the kernel take.
pub(crate) trait Adjoint: Transform {
    /// `A y`, the transposed of [`output`](Transform::output).
    unsafe fn output_gradient<S: Simd>(y: [S::V; MOST]) -> [S::V; LONGEST];
    /// `G^T u`, the transposed of [`filter`](Transform::filter).
    fn filter_gradient(u: [f64; LONGEST]) -> [f64; 3];
}

/// F(2x2, 3x3) on the points 0, 1, -1.
#[derive(Clone, Copy)]
pub(crate) struct F2;

/// F(4x4, 3x3) on the points 0, 1/2, -1/2, 3/2, -3/2.
#[derive(Clone, Copy)]
pub(crate) struct F4;

/// F(6x6, 3x3) on the points 0, 1/2, -1/2, 1, -1, 2, -2.
#[derive(Clone, Copy)]
pub(crate) struct F6;

impl Transform for F2 {
    const OUT: usize = 2;
    const IN: usize = 4;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; LONGEST]) -> [S::V; LONGEST] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            [S::sub(d[0], d[2]), S::add(d[1], d[2]), S::sub(d[2], d[1]), S::sub(d[1], d[3]), d[4], d[5], d[6], d[7]]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; LONGEST]) -> [S::V; MOST] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let sum = S::add(m[0], S::add(m[1], m[2]));
            let difference = S::sub(S::sub(m[1], m[2]), m[3]);
            [sum, difference, m[4], m[5], m[6], m[7]]
        }
    }

    #[inline(always)]
    fn filter(g: [f64; 3]) -> [f64; LONGEST] {
        let even = (g[0] + g[2]) / 2.0;
        let odd = g[1] / 2.0;
        [g[0], even + odd, even - odd, g[2], 0.0, 0.0, 0.0, 0.0]
    }

    #[inline(always)]
    unsafe fn kernel<S: Simd>(u: [S::V; LONGEST]) -> [S::V; 3] {
        // SAFETY: the caller has the instruction set.
        unsafe { [u[0], S::sub(u[1], u[2]), u[3]] }
    }
}

impl Adjoint for F2 {
    #[inline(always)]
    unsafe fn output_gradient<S: Simd>(y: [S::V; MOST]) -> [S::V; LONGEST] {
        // SAFETY: the caller has the instruction set.
        unsafe { [y[0], S::add(y[0], y[1]), S::sub(y[0], y[1]), S::sub(S::zero(), y[1]), y[2], y[3], y[4], y[5]] }
    }

    #[inline(always)]
    fn filter_gradient(u: [f64; LONGEST]) -> [f64; 3] {
        let sum = (u[1] + u[2]) / 2.0;
        [u[0] + sum, (u[1] - u[2]) / 2.0, sum + u[3]]
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
                d[6],
                d[7],
            ]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; LONGEST]) -> [S::V; MOST] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let (even, odd) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (even_far, odd_far) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            [
                S::add(S::add(m[0], even), even_far),
                S::mul_add(S::splat(1.5), odd_far, S::mul(S::splat(0.5), odd)),
                S::mul_add(S::splat(2.25), even_far, S::mul(S::splat(0.25), even)),
                S::mul_add(S::splat(3.375), odd_far, S::mul_add(S::splat(0.125), odd, m[5])),
                m[6],
                m[7],
            ]
        }
    }

    #[inline(always)]
    fn filter(g: [f64; 3]) -> [f64; LONGEST] {
        let even = -(g[0] + 0.25 * g[2]);
        let odd = -0.5 * g[1];
        let even_far = (g[0] + 2.25 * g[2]) / 9.0;
        let odd_far = 1.5 * g[1] / 9.0;
        [g[0] / 0.5625, even + odd, even - odd, even_far + odd_far, even_far - odd_far, g[2], 0.0, 0.0]
    }

    #[inline(always)]
    unsafe fn kernel<S: Simd>(u: [S::V; LONGEST]) -> [S::V; 3] {
        // SAFETY: the caller has the instruction set.
        unsafe { [S::mul(S::splat(0.5625), u[0]), S::sub(u[2], u[1]), u[5]] }
    }
}

impl Adjoint for F4 {
    #[inline(always)]
    unsafe fn output_gradient<S: Simd>(y: [S::V; MOST]) -> [S::V; LONGEST] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let even = S::mul_add(S::splat(0.25), y[2], y[0]);
            let odd = S::mul_add(S::splat(0.125), y[3], S::mul(S::splat(0.5), y[1]));
            let even_far = S::mul_add(S::splat(2.25), y[2], y[0]);
            let odd_far = S::mul_add(S::splat(3.375), y[3], S::mul(S::splat(1.5), y[1]));
            [
                y[0],
                S::add(even, odd),
                S::sub(even, odd),
                S::add(even_far, odd_far),
                S::sub(even_far, odd_far),
                y[3],
                y[4],
                y[5],
            ]
        }
    }

    #[inline(always)]
    fn filter_gradient(u: [f64; LONGEST]) -> [f64; 3] {
        let (sum, difference) = (u[1] + u[2], u[1] - u[2]);
        let (sum_far, difference_far) = ((u[3] + u[4]) / 9.0, (u[3] - u[4]) / 9.0);
        [u[0] / 0.5625 - sum + sum_far, 1.5 * difference_far - 0.5 * difference, 2.25 * sum_far - 0.25 * sum + u[5]]
    }
}

impl Transform for F6 {
    const OUT: usize = 6;
    const IN: usize = 8;

    #[inline(always)]
    unsafe fn input<S: Simd>(d: [S::V; LONGEST]) -> [S::V; LONGEST] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            // With x(x^2 - 1/4)(x^2 - 1)(x^2 - 4) = x^7 - 21/4 x^5 + 21/4 x^3 - x, each row is that polynomial without one of its
            // factors: x^2 - p^2 for p and -p, and then times x + p or x - p.
            let [middle, half, two] = [S::splat(5.25), S::splat(0.5), S::splat(2.0)];
            let even_half = S::mul_add(S::splat(4.0), d[2], S::neg_mul_add(S::splat(5.0), d[4], d[6]));
            let odd_half = S::mul_add(S::splat(4.0), d[1], S::neg_mul_add(S::splat(5.0), d[3], d[5]));
            let even_one = S::add(d[2], S::neg_mul_add(S::splat(4.25), d[4], d[6]));
            let odd_one = S::add(d[1], S::neg_mul_add(S::splat(4.25), d[3], d[5]));
            let even_two = S::mul_add(S::splat(0.25), d[2], S::neg_mul_add(S::splat(1.25), d[4], d[6]));
            let odd_two = S::mul_add(S::splat(0.25), d[1], S::neg_mul_add(S::splat(1.25), d[3], d[5]));
            [
                S::mul_add(middle, S::sub(d[2], d[4]), S::sub(d[6], d[0])),
                S::mul_add(half, odd_half, even_half),
                S::neg_mul_add(half, odd_half, even_half),
                S::add(even_one, odd_one),
                S::sub(even_one, odd_one),
                S::mul_add(two, odd_two, even_two),
                S::neg_mul_add(two, odd_two, even_two),
                S::mul_add(middle, S::sub(d[3], d[5]), S::sub(d[7], d[1])),
            ]
        }
    }

    #[inline(always)]
    unsafe fn output<S: Simd>(m: [S::V; LONGEST]) -> [S::V; MOST] {
        // SAFETY: the caller has the instruction set.
        unsafe {
            let (even_half, odd_half) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (even, odd) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            let (even_two, odd_two) = (S::add(m[5], m[6]), S::sub(m[5], m[6]));
            let sum = |half: f32, two: f32, [a, b, c]: [S::V; 3]| {
                S::mul_add(S::splat(two), c, S::mul_add(S::splat(half), a, b))
            };
            [
                S::add(S::add(m[0], even_half), S::add(even, even_two)),
                sum(0.5, 2.0, [odd_half, odd, odd_two]),
                sum(0.25, 4.0, [even_half, even, even_two]),
                sum(0.125, 8.0, [odd_half, odd, odd_two]),
                sum(0.0625, 16.0, [even_half, even, even_two]),
                S::add(sum(0.03125, 32.0, [odd_half, odd, odd_two]), m[7]),
            ]
        }
    }

    #[inline(always)]
    fn filter(g: [f64; 3]) -> [f64; LONGEST] {
        // The product of the differences from p to the other points is 2 p^2 (p^2 - q^2)(p^2 - r^2): 45/32, -9/2 and 90.
        let (even_half, odd_half) = ((g[0] + 0.25 * g[2]) / 1.40625, 0.5 * g[1] / 1.40625);
        let (even, odd) = ((g[0] + g[2]) / -4.5, g[1] / -4.5);
        let (even_two, odd_two) = ((g[0] + 4.0 * g[2]) / 90.0, 2.0 * g[1] / 90.0);
        [
            -g[0],
            even_half + odd_half,
            even_half - odd_half,
            even + odd,
            even - odd,
            even_two + odd_two,
            even_two - odd_two,
            g[2],
        ]
    }

    #[inline(always)]
    unsafe fn kernel<S: Simd>(u: [S::V; LONGEST]) -> [S::V; 3] {
        // SAFETY: the caller has the instruction set.
        unsafe { [S::sub(S::zero(), u[0]), S::mul(S::splat(2.25), S::sub(u[4], u[3])), u[7]] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Scalar;

    const D: [f32; LONGEST] = [0.3, -1.1, 0.7, 2.0, -0.4, 1.6, -0.9, 0.2];

    /// `y[i] = sum over j of d[i + j] g[j]`, and the kernel back from its transformed form.
    fn check<T: Transform>() {
        let g = [0.9, -0.35, 1.25];
        // SAFETY: plain Rust runs everywhere.
        let (v, weights) = (unsafe { T::input::<Scalar>(D) }, T::filter(g));
        let mut m = [0.0; LONGEST];
        for e in 0..T::IN {
            m[e] = (f64::from(v[e]) * weights[e]) as f32;
        }
        // SAFETY: as above.
        let y = unsafe { T::output::<Scalar>(m) };
        for i in 0..T::OUT {
            let expected: f64 = (0..3).map(|j| f64::from(D[i + j]) * g[j]).sum();
            assert!((f64::from(y[i]) - expected).abs() < 1e-5, "output {i} is {}, not {expected}", y[i]);
        }

        // SAFETY: as above.
        let kernel = unsafe { T::kernel::<Scalar>(weights.map(|weight| weight as f32)) };
        assert!(kernel.iter().zip(g).all(|(found, g)| (f64::from(*found) - g).abs() < 1e-6));
    }

    /// The gradient of the kernel: `dg[j] = sum over i of dy[i] d[i + j]`.
    fn check_adjoint<T: Adjoint>() {
        let dy = [1.0, -2.0, 0.5, 3.0, 0.0, 0.0];
        // SAFETY: plain Rust runs everywhere.
        let (v, z) = unsafe { (T::input::<Scalar>(D), T::output_gradient::<Scalar>(dy)) };
        let mut du = [0.0; LONGEST];
        for e in 0..T::IN {
            du[e] = f64::from(v[e]) * f64::from(z[e]);
        }
        for (j, found) in T::filter_gradient(du).into_iter().enumerate() {
            let expected: f64 = (0..T::OUT).map(|i| f64::from(dy[i]) * f64::from(D[i + j])).sum();
            assert!((found - expected).abs() < 1e-5, "gradient {j} is {found}, not {expected}");
        }
    }

    #[test]
    fn every_size_convolves() {
        check::<F2>();
        check::<F4>();
        check::<F6>();
    }

    #[test]
    fn adjoints_give_the_gradient_of_the_kernel() {
        check_adjoint::<F2>();
        check_adjoint::<F4>();
    }
}
