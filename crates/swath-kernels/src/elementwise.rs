//! Sums and activations by themselves, where no convolution does them on the way.

use crate::epilogue::{Activation, activate_vector};
use crate::image::Layout;
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::simd::Simd;

/// `out = activation(a + b)`
///
/// # Panics
/// When the layouts differ in more than the distance of pixels, or a slice is too short.
pub fn add(
    (a_layout, a): (&Layout, &[f32]),
    (b_layout, b): (&Layout, &[f32]),
    activation: Activation,
    out_layout: &Layout,
    out: &mut [f32],
) {
    same_size(a_layout, out_layout);
    same_size(b_layout, out_layout);
    let kernel = Add {
        a: Source::new("the first addend", a_layout, a),
        b: Source::new("the second addend", b_layout, b),
        out: Target::new("the sum", out_layout, out),
        activation,
    };
    // SAFETY: the slices hold their layouts, which have the same pixels and channels.
    unsafe { each_pixel(out_layout, &kernel) };
}

/// `out = activation(a)`
///
/// # Panics
/// As [`add`].
pub fn activate((a_layout, a): (&Layout, &[f32]), activation: Activation, out_layout: &Layout, out: &mut [f32]) {
    same_size(a_layout, out_layout);
    let kernel = Activate {
        a: Source::new("the image", a_layout, a),
        out: Target::new("the result", out_layout, out),
        activation,
    };
    // SAFETY: the slices hold their layouts, which have the same pixels and channels.
    unsafe { each_pixel(out_layout, &kernel) };
}

/// The gradient of ReLU by its input, from its output: `dx = y > 0 ? dy : 0`.
///
/// # Panics
/// As [`add`].
pub fn relu_gradient(
    (y_layout, y): (&Layout, &[f32]),
    (dy_layout, dy): (&Layout, &[f32]),
    dx_layout: &Layout,
    dx: &mut [f32],
) {
    same_size(y_layout, dx_layout);
    same_size(dy_layout, dx_layout);
    let kernel = ReluGradient {
        y: Source::new("the output", y_layout, y),
        dy: Source::new("the gradient", dy_layout, dy),
        dx: Target::new("the result", dx_layout, dx),
    };
    // SAFETY: the slices hold their layouts, which have the same pixels and channels.
    unsafe { each_pixel(dx_layout, &kernel) };
}

/// Panics unless the layouts have the same pixels and channels.
#[track_caller]
pub(crate) fn same_size(a: &Layout, b: &Layout) {
    assert!(a.has_size_of(b), "images of different sizes: {a:?} and {b:?}");
}

struct Add {
    a: Source,
    b: Source,
    out: Target,
    activation: Activation,
}

impl PixelKernel for Add {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let sum = S::add(self.a.load::<S>(pixel, channel), self.b.load::<S>(pixel, channel));
            self.out.store::<S>(pixel, channel, activate_vector::<S>(sum, self.activation));
        }
    }
}

struct Activate {
    a: Source,
    out: Target,
    activation: Activation,
}

impl PixelKernel for Activate {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let value = self.a.load::<S>(pixel, channel);
            self.out.store::<S>(pixel, channel, activate_vector::<S>(value, self.activation));
        }
    }
}

struct ReluGradient {
    y: Source,
    dy: Source,
    dx: Target,
}

impl PixelKernel for ReluGradient {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let (y, dy) = (self.y.load::<S>(pixel, channel), self.dy.load::<S>(pixel, channel));
            self.dx.store::<S>(pixel, channel, S::select_greater(y, S::zero(), dy, S::zero()));
        }
    }
}
