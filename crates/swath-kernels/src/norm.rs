//! Batch normalization in training, with ReLU after it where asked for.
//!
//! Ioffe, Szegedy: *Batch Normalization*. ICML 2015, algorithm 1 and the gradients below it. With
//! `x' = (x - mean) / sqrt(variance + epsilon)` the output is `y = gamma x' + beta`; statistics are those of each channel over all
//! pixels of the batch, the variance divided by their number.

use crate::elementwise::same_size;
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd};
use crate::threads::parallel;

mod group;

pub use group::GroupNorm;

/// Pixels whose sums are taken in single precision before they are added in double.
const CHUNK: usize = 1024;

/// Statistics of a batch, one value for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Means.
    pub mean: Vec<f32>,
    /// Variances, divided by the number of pixels.
    pub variance: Vec<f32>,
}

/// Parameters of a batch normalization.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm<'a> {
    /// Scales.
    pub gamma: &'a [f32],
    /// Shifts.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether ReLU follows.
    pub relu: bool,
}

impl BatchNorm<'_> {
    /// Normalizes a batch by its own statistics and returns these.
    ///
    /// # Panics
    /// When layouts differ in more than the distance of pixels, or a slice has another length than they say.
    pub fn forward(&self, (layout, x): (&Layout, &[f32]), out_layout: &Layout, y: &mut [f32]) -> Statistics {
        self.check(layout);
        same_size(layout, out_layout);
        let source = Source::new("the image", layout, x);
        let statistics = statistics(layout, source);
        let affine = self.affine(layout, &statistics);
        let kernel = Normalize { x: source, y: Target::new("the output", out_layout, y), affine, relu: self.relu };
        // SAFETY: the slices hold their layouts, which have the same pixels and channels.
        unsafe { each_pixel(layout, &kernel) };
        statistics
    }

    /// Writes the gradient by the image, and returns those by `gamma` and `beta`, from the image, its statistics and the gradient of
    /// the output.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn backward(
        &self,
        (layout, x): (&Layout, &[f32]),
        statistics: &Statistics,
        (dy_layout, dy): (&Layout, &[f32]),
        dx_layout: &Layout,
        dx: &mut [f32],
    ) -> (Vec<f32>, Vec<f32>) {
        self.check(layout);
        same_size(layout, dy_layout);
        same_size(layout, dx_layout);
        let affine = self.affine(layout, statistics);
        let source = Source::new("the image", layout, x);
        let gradient = Source::new("the gradient", dy_layout, dy);
        let width = layout.padded_channels();
        let of_chunk = |pixels: std::ops::Range<usize>, out: *mut f32| GradientSums {
            x: source,
            dy: gradient,
            affine: &affine,
            relu: self.relu,
            pixels,
            out,
        };
        let [sum, centered] = channel_sums(layout, of_chunk);
        // dx = gamma / s (dy - mean(dy) - x' mean(dy x')), which is a linear function of dy and x for each channel.
        let count = layout.pixels() as f64;
        let mut by_x = vec![0.0; width];
        let mut constant = vec![0.0; width];
        let mut gammas = vec![0.0; layout.channels];
        for channel in 0..layout.channels {
            let inverse = 1.0 / (f64::from(statistics.variance[channel]) + self.epsilon).sqrt();
            let gamma_gradient = centered[channel] * inverse;
            gammas[channel] = gamma_gradient as f32;
            let factor = f64::from(self.gamma[channel]) * inverse;
            let slope = -factor * inverse * gamma_gradient / count;
            by_x[channel] = slope as f32;
            // Around the mean, so that large means cost no digits.
            constant[channel] = (-factor * sum[channel] / count) as f32;
        }
        let kernel = Gradient {
            x: source,
            dy: gradient,
            dx: Target::new("the result", dx_layout, dx),
            affine,
            by_x,
            constant,
            relu: self.relu,
        };
        // SAFETY: the slices hold their layouts, which have the same pixels and channels.
        unsafe { each_pixel(layout, &kernel) };
        (gammas, sum[..layout.channels].iter().map(|&sum| sum as f32).collect())
    }

    #[track_caller]
    fn check(&self, layout: &Layout) {
        let lengths = (self.gamma.len(), self.beta.len());
        assert_eq!(lengths, (layout.channels, layout.channels), "a norm for another number of channels");
    }

    /// `y = scale x + shift` for each channel, padded with zeros.
    fn affine(&self, layout: &Layout, statistics: &Statistics) -> Affine {
        let factor =
            |(gamma, variance): (&f32, &f32)| (f64::from(*gamma) / (f64::from(*variance) + self.epsilon).sqrt()) as f32;
        let scale: Vec<f32> = self.gamma.iter().zip(&statistics.variance).map(factor).collect();
        let width = layout.padded_channels();
        let [scale, center, shift] = [&scale, &statistics.mean, self.beta].map(|values| padded_values(values, width));
        Affine { scale, center, shift }
    }
}

fn padded_values(values: &[f32], width: usize) -> Vec<f32> {
    let mut padded = values.to_vec();
    padded.resize(width, 0.0);
    padded
}

fn statistics(layout: &Layout, x: Source) -> Statistics {
    let width = layout.padded_channels();
    // Sums of squares are taken around the first pixel: around 0 they would cancel where the mean is large.
    let mut center = vec![0.0; width];
    // SAFETY: the image has a pixel with these channels.
    unsafe { isa::run(Isa::best(), FirstPixel { x, out: &mut center }) };
    let of_chunk = |pixels: std::ops::Range<usize>, out: *mut f32| Moments { x, center: &center, pixels, out };
    let [sum, squares] = channel_sums(layout, of_chunk);
    let count = layout.pixels() as f64;
    let (mut mean, mut variance) = (Vec::new(), Vec::new());
    for channel in 0..layout.channels {
        let offset = sum[channel] / count;
        mean.push((f64::from(center[channel]) + offset) as f32);
        variance.push((squares[channel] / count - offset * offset).max(0.0) as f32);
    }
    Statistics { mean, variance }
}

/// Two sums for each channel over all pixels: chunks in single precision by kernels that write `[2][width]` floats, then
/// in order in double. Chunks do not depend on the number of threads.
pub(crate) fn channel_sums<K: Kernel>(
    layout: &Layout,
    of_chunk: impl Fn(std::ops::Range<usize>, *mut f32) -> K + Sync,
) -> [Vec<f64>; 2] {
    let (pixels, width) = (layout.pixels(), layout.padded_channels());
    let chunks = pixels.div_ceil(CHUNK);
    let mut sums = vec![0.0; chunks * 2 * width];
    let shared = SharedMut(sums.as_mut_ptr());
    parallel(chunks, |chunk| {
        let pixels = chunk * CHUNK..((chunk + 1) * CHUNK).min(pixels);
        // SAFETY: each chunk has its own sums, and its pixels exist.
        unsafe { isa::run(Isa::best(), of_chunk(pixels, shared.get().add(chunk * 2 * width))) };
    });
    let mut totals = [vec![0.0; width], vec![0.0; width]];
    for chunk in sums.chunks_exact(2 * width) {
        for (total, sums) in totals.iter_mut().zip(chunk.chunks_exact(width)) {
            total.iter_mut().zip(sums).for_each(|(total, sum)| *total += f64::from(*sum));
        }
    }
    totals
}

/// The channels of the first pixel.
struct FirstPixel<'a> {
    x: Source,
    out: &'a mut [f32],
}

impl Kernel for FirstPixel<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        for channel in (0..self.out.len()).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe { S::store(self.out.as_mut_ptr().add(channel), self.x.load::<S>(0, channel)) };
        }
    }
}

/// Sums and sums of squares around `center`.
struct Moments<'a> {
    x: Source,
    center: &'a [f32],
    pixels: std::ops::Range<usize>,
    out: *mut f32,
}

impl Kernel for Moments<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let width = self.center.len();
        for channel in (0..width).step_by(S::LANES) {
            // SAFETY: the caller's promise; `out` has two rows of `width` floats.
            unsafe {
                let center = S::load(self.center.as_ptr().add(channel));
                let (mut sum, mut squares) = (S::zero(), S::zero());
                for pixel in self.pixels.start..self.pixels.end {
                    let value = S::sub(self.x.load::<S>(pixel, channel), center);
                    sum = S::add(sum, value);
                    squares = S::mul_add(value, value, squares);
                }
                S::store(self.out.add(channel), sum);
                S::store(self.out.add(width + channel), squares);
            }
        }
    }
}

/// `y = scale (x - center) + shift` in each channel. The mean is taken off first, so that a large one costs no digits.
struct Affine {
    scale: Vec<f32>,
    center: Vec<f32>,
    shift: Vec<f32>,
}

impl Affine {
    /// `x - center` and `y`.
    #[inline(always)]
    unsafe fn apply<S: Simd>(&self, x: S::V, channel: usize) -> (S::V, S::V) {
        // SAFETY: there are as many parameters as padded channels.
        unsafe {
            let offset = S::sub(x, S::load(self.center.as_ptr().add(channel)));
            let shift = S::load(self.shift.as_ptr().add(channel));
            (offset, S::mul_add(offset, S::load(self.scale.as_ptr().add(channel)), shift))
        }
    }
}

/// The affine function, and ReLU.
struct Normalize {
    x: Source,
    y: Target,
    affine: Affine,
    relu: bool,
}

impl PixelKernel for Normalize {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let (_, y) = self.affine.apply::<S>(self.x.load::<S>(pixel, channel), channel);
            self.y.store::<S>(pixel, channel, if self.relu { S::relu(y) } else { y });
        }
    }
}

/// The gradient of the output where ReLU let the output pass, else 0.
#[inline(always)]
unsafe fn passed<S: Simd>(relu: bool, y: S::V, dy: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { if relu { S::select_greater(y, S::zero(), dy, S::zero()) } else { dy } }
}

/// Sums of the gradient, and of the gradient times `x - center`.
struct GradientSums<'a> {
    x: Source,
    dy: Source,
    affine: &'a Affine,
    relu: bool,
    pixels: std::ops::Range<usize>,
    out: *mut f32,
}

impl Kernel for GradientSums<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let width = self.affine.scale.len();
        for channel in (0..width).step_by(S::LANES) {
            // SAFETY: the caller's promise; `out` has two rows of `width` floats.
            unsafe {
                let (mut sum, mut centered) = (S::zero(), S::zero());
                for pixel in self.pixels.start..self.pixels.end {
                    let (offset, y) = self.affine.apply::<S>(self.x.load::<S>(pixel, channel), channel);
                    let dy = passed::<S>(self.relu, y, self.dy.load::<S>(pixel, channel));
                    sum = S::add(sum, dy);
                    centered = S::mul_add(dy, offset, centered);
                }
                S::store(self.out.add(channel), sum);
                S::store(self.out.add(width + channel), centered);
            }
        }
    }
}

/// `dx = scale dy + by_x (x - center) + constant`
struct Gradient {
    x: Source,
    dy: Source,
    dx: Target,
    affine: Affine,
    by_x: Vec<f32>,
    constant: Vec<f32>,
    relu: bool,
}

impl PixelKernel for Gradient {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise; there are as many parameters as padded channels.
        unsafe {
            let (offset, y) = self.affine.apply::<S>(self.x.load::<S>(pixel, channel), channel);
            let dy = passed::<S>(self.relu, y, self.dy.load::<S>(pixel, channel));
            let constant = S::load(self.constant.as_ptr().add(channel));
            let rest = S::mul_add(S::load(self.by_x.as_ptr().add(channel)), offset, constant);
            let scale = S::load(self.affine.scale.as_ptr().add(channel));
            self.dx.store::<S>(pixel, channel, S::mul_add(scale, dy, rest));
        }
    }
}
