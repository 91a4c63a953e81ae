//! Smooth activations of single values, and their gradients.
//!
//! Hendrycks, Gimpel: *Gaussian Error Linear Units (GELUs)*. 2016. <https://arxiv.org/abs/1606.08415> (there also SiLU).
//! The exponential is a power of two and a polynomial; the error function is formula 7.1.26 of Abramowitz and Stegun, off by at
//! most 1.5e-7.

use crate::elementwise::same_size;
use crate::image::Layout;
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::simd::Simd;

/// A function of one value that takes more than a few instructions; for others see [`Activation`](crate::Activation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `x sigmoid(x)`
    Silu,
    /// `x (1 + erf(x / sqrt(2))) / 2`
    Gelu,
}

/// `out = function(x)`
///
/// # Panics
/// When the layouts differ in more than the distance of pixels, or a slice is too short.
pub fn map(function: Function, (layout, x): (&Layout, &[f32]), out_layout: &Layout, out: &mut [f32]) {
    same_size(layout, out_layout);
    let x = Source::new("the image", layout, x);
    let kernel = Map { function, x, out: Target::new("the result", out_layout, out) };
    // SAFETY: the slices hold their layouts, which have the same pixels and channels.
    unsafe { each_pixel(out_layout, &kernel) };
}

/// `image = function(image)`
pub(crate) fn map_in_place(function: Function, layout: &Layout, image: &mut [f32]) {
    let kernel = MapInPlace { function, image: Target::new("the image", layout, image) };
    // SAFETY: the slice holds the layout.
    unsafe { each_pixel(layout, &kernel) };
}

/// The gradient of [`map`] by `x`: `dx = function'(x) dy`.
///
/// # Panics
/// As [`map`].
pub fn map_gradient(
    function: Function,
    (layout, x): (&Layout, &[f32]),
    (dy_layout, dy): (&Layout, &[f32]),
    dx_layout: &Layout,
    dx: &mut [f32],
) {
    same_size(layout, dx_layout);
    same_size(dy_layout, dx_layout);
    let kernel = MapGradient {
        function,
        x: Source::new("the image", layout, x),
        dy: Source::new("the gradient", dy_layout, dy),
        dx: Target::new("the result", dx_layout, dx),
    };
    // SAFETY: the slices hold their layouts, which have the same pixels and channels.
    unsafe { each_pixel(dx_layout, &kernel) };
}

struct Map {
    function: Function,
    x: Source,
    out: Target,
}

impl PixelKernel for Map {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let y = self.function.apply::<S>(self.x.load::<S>(pixel, channel));
            self.out.store::<S>(pixel, channel, y);
        }
    }
}

struct MapInPlace {
    function: Function,
    image: Target,
}

impl PixelKernel for MapInPlace {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let y = self.function.apply::<S>(self.image.load::<S>(pixel, channel));
            self.image.store::<S>(pixel, channel, y);
        }
    }
}

impl Function {
    /// # Safety
    /// The machine must have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn apply<S: Simd>(self, x: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Function::Relu6 => {
                    let (x, six) = (S::relu(x), S::splat(6.0));
                    S::less(six, x)
                }
                Function::Sigmoid => sigmoid::<S>(x),
                Function::Silu => S::mul(x, sigmoid::<S>(x)),
                Function::Gelu => S::mul(x, normal::<S>(x).0),
            }
        }
    }
}

struct MapGradient {
    function: Function,
    x: Source,
    dy: Source,
    dx: Target,
}

impl PixelKernel for MapGradient {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let (x, dy) = (self.x.load::<S>(pixel, channel), self.dy.load::<S>(pixel, channel));
            let one = S::splat(1.0);
            let dx = match self.function {
                Function::Relu6 => {
                    let below = S::select_greater(S::splat(6.0), x, dy, S::zero());
                    S::select_greater(x, S::zero(), below, S::zero())
                }
                Function::Sigmoid => {
                    let y = sigmoid::<S>(x);
                    S::mul(dy, S::neg_mul_add(y, y, y))
                }
                // y + x y (1 - y)
                Function::Silu => {
                    let y = sigmoid::<S>(x);
                    S::mul(dy, S::mul(y, S::mul_add(x, S::sub(one, y), one)))
                }
                Function::Gelu => {
                    let (below, density) = normal::<S>(x);
                    S::mul(dy, S::mul_add(x, density, below))
                }
            };
            self.dx.store::<S>(pixel, channel, dx);
        }
    }
}

/// `1 / (1 + exp(-x))`
///
/// # Safety
/// The machine must have the instruction set.
#[inline(always)]
unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let one = S::splat(1.0);
        S::div(one, S::add(one, exp::<S>(S::sub(S::zero(), x))))
    }
}

/// The normal distribution: the share below `x`, and the density there.
///
/// # Safety
/// The machine must have the instruction set.
#[inline(always)]
unsafe fn normal<S: Simd>(x: S::V) -> (S::V, S::V) {
    const SQRT_2: f32 = std::f32::consts::SQRT_2;
    /// `1 / sqrt(2 pi)`
    const PEAK: f32 = std::f32::consts::FRAC_2_SQRT_PI / SQRT_2 / 2.0;
    // SAFETY: the caller's promise.
    unsafe {
        let (zero, one) = (S::zero(), S::splat(1.0));
        let size = S::greater(S::sub(zero, x), x);
        let bell = exp::<S>(S::mul(S::mul(x, x), S::splat(-0.5)));
        let t = S::div(one, S::mul_add(size, S::splat(0.327_591_1 / SQRT_2), one));
        let mut sum = S::splat(1.061_405_4);
        for term in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
            sum = S::mul_add(sum, t, S::splat(term));
        }
        // Half of what lies beyond `size` on both sides.
        let beyond = S::mul(S::mul(S::mul(sum, t), bell), S::splat(0.5));
        (S::select_greater(zero, x, beyond, S::sub(one, beyond)), S::mul(bell, S::splat(PEAK)))
    }
}

/// `exp(x)`, from the least normal number to about the greatest; what is beyond gives these.
///
/// # Safety
/// The machine must have the instruction set.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    const LEAST: f32 = -87.336_54;
    const GREATEST: f32 = 88.02;
    /// Added to a number and taken off again, it rounds to a whole one.
    const ROUND: f32 = 12_582_912.0;
    // SAFETY: the caller's promise.
    unsafe {
        let (least, greatest, round) = (S::splat(LEAST), S::splat(GREATEST), S::splat(ROUND));
        let x = S::less(greatest, S::greater(least, x));
        let n = S::sub(S::mul_add(x, S::splat(std::f32::consts::LOG2_E), round), round);
        // x - n ln(2), with ln(2) in two parts, the first of which is exact in products with n.
        let rest = S::neg_mul_add(n, S::splat(0.693_359_4), x);
        let rest = S::neg_mul_add(n, S::splat(-2.121_944_4e-4), rest);
        let mut sum = S::splat(1.0 / 5040.0);
        for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            sum = S::mul_add(sum, rest, S::splat(term));
        }
        S::mul(sum, S::power_of_two(n))
    }
}
