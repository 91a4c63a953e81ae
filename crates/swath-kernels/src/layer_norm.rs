//! Normalization of each pixel over its channels.
//!
//! Ba, Kiros, Hinton: *Layer Normalization*. 2016. <https://arxiv.org/abs/1607.06450>. With `x' = (x - mean) / deviation`, both
//! over the channels of a pixel and `deviation = sqrt(variance + epsilon)`, the output is `y = gamma x' + beta`.

use crate::elementwise::same_size;
use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::norm::channel_sums;
use crate::pixels::{Source, Target};
use crate::shared::SharedMut;
use crate::simd::{Kernel, Simd, WIDEST};
use crate::threads::parallel;

/// Floats that one item of a parallel loop computes.
const ITEM: usize = 32 * 1024;

/// Parameters of a layer normalization.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm<'a> {
    /// Scales.
    pub gamma: &'a [f32],
    /// Shifts.
    pub beta: &'a [f32],
    /// Added to the variance.
    pub epsilon: f64,
}

impl LayerNorm<'_> {
    /// Normalizes each pixel.
    ///
    /// # Panics
    /// When layouts differ in more than the distance of pixels, or a slice has another length than they say.
    pub fn forward(&self, (layout, x): (&Layout, &[f32]), out_layout: &Layout, y: &mut [f32]) {
        same_size(layout, out_layout);
        let channels = Channels::new(self, layout);
        let source = Source::new("the image", layout, x);
        let out = Target::new("the output", out_layout, y);
        each_part(layout, |pixels| Normalize { channels: &channels, x: source, y: out, pixels });
    }

    /// Writes the gradient by the image, and returns those by `gamma` and `beta`.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn backward(
        &self,
        (layout, x): (&Layout, &[f32]),
        (dy_layout, dy): (&Layout, &[f32]),
        dx_layout: &Layout,
        dx: &mut [f32],
    ) -> (Vec<f32>, Vec<f32>) {
        same_size(layout, dy_layout);
        same_size(layout, dx_layout);
        let channels = Channels::new(self, layout);
        let x = Source::new("the image", layout, x);
        let dy = Source::new("the gradient", dy_layout, dy);
        let dx = Target::new("the result", dx_layout, dx);
        let mut moments = vec![0.0; 2 * layout.pixels()];
        let shared = SharedMut(moments.as_mut_ptr());
        each_part(layout, |pixels| Gradient { channels: &channels, x, dy, dx, moments: shared.get(), pixels });
        let moments = moments.as_slice();
        let width = layout.padded_channels();
        let of_chunk = |pixels, out| ParameterSums { x, dy, moments, width, pixels, out };
        let [sum, product] = channel_sums(layout, of_chunk);
        let single = |sums: Vec<f64>| sums[..layout.channels].iter().map(|&sum| sum as f32).collect();
        (single(product), single(sum))
    }
}

/// Parameters with padding, and which channels are none.
struct Channels {
    gamma: Vec<f32>,
    beta: Vec<f32>,
    /// 1 for channels, 0 for padding.
    exists: Vec<f32>,
    count: f32,
    epsilon: f32,
}

impl Channels {
    #[track_caller]
    fn new(norm: &LayerNorm, layout: &Layout) -> Channels {
        let lengths = (norm.gamma.len(), norm.beta.len());
        assert_eq!(lengths, (layout.channels, layout.channels), "a norm for another number of channels");
        let with_padding = |values: &[f32]| {
            let mut values = values.to_vec();
            values.resize(layout.padded_channels(), 0.0);
            values
        };
        Channels {
            gamma: with_padding(norm.gamma),
            beta: with_padding(norm.beta),
            exists: with_padding(&vec![1.0; layout.channels]),
            count: layout.channels as f32,
            epsilon: norm.epsilon as f32,
        }
    }

    /// `value`, and 0 in the padding.
    #[inline(always)]
    unsafe fn only<S: Simd>(&self, value: S::V, channel: usize) -> S::V {
        // SAFETY: the caller's promise; `exists` has all padded channels.
        unsafe { S::select_greater(S::load(self.exists.as_ptr().add(channel)), S::zero(), value, S::zero()) }
    }

    /// Mean and `1 / deviation` of a pixel.
    #[inline(always)]
    unsafe fn moments<S: Simd>(&self, x: &Source, pixel: usize) -> [f32; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let mut sum = S::zero();
            for channel in (0..self.gamma.len()).step_by(S::LANES) {
                sum = S::add(sum, self.only::<S>(x.load::<S>(pixel, channel), channel));
            }
            let mean = total::<S>(sum) / self.count;
            let mut squares = S::zero();
            for channel in (0..self.gamma.len()).step_by(S::LANES) {
                let offset = self.only::<S>(S::sub(x.load::<S>(pixel, channel), S::splat(mean)), channel);
                squares = S::mul_add(offset, offset, squares);
            }
            [mean, 1.0 / (total::<S>(squares) / self.count + self.epsilon).sqrt()]
        }
    }
}

/// The sum of a vector.
///
/// # Safety
/// The machine must have the instruction set.
#[inline(always)]
unsafe fn total<S: Simd>(value: S::V) -> f32 {
    let mut lanes = [0.0; WIDEST];
    // SAFETY: no vector is wider.
    unsafe { S::store(lanes.as_mut_ptr(), value) };
    let mut count = S::LANES;
    while count > 1 {
        count /= 2;
        for lane in 0..count {
            lanes[lane] += lanes[lane + count];
        }
    }
    lanes[0]
}

/// Runs a kernel on parts of all pixels.
fn each_part<K: Kernel>(layout: &Layout, of_part: impl Fn(std::ops::Range<usize>) -> K + Sync) {
    let pixels = layout.pixels();
    let items = (pixels * layout.padded_channels()).div_ceil(ITEM);
    parallel(items, |item| {
        let part = pixels * item / items..pixels * (item + 1) / items;
        // SAFETY: these pixels exist in all images, whose sizes have been compared, and no other part has them.
        unsafe { isa::run(Isa::best(), of_part(part)) };
    });
}

struct Normalize<'a> {
    channels: &'a Channels,
    x: Source,
    y: Target,
    pixels: std::ops::Range<usize>,
}

impl Kernel for Normalize<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Channels { gamma, beta, .. } = self.channels;
        for pixel in self.pixels.start..self.pixels.end {
            // SAFETY: the caller's promise; there are parameters for all padded channels.
            unsafe {
                let [mean, inverse] = self.channels.moments::<S>(&self.x, pixel).map(|value| S::splat(value));
                for channel in (0..gamma.len()).step_by(S::LANES) {
                    let x = S::mul(S::sub(self.x.load::<S>(pixel, channel), mean), inverse);
                    let (scale, shift) = (S::load(gamma.as_ptr().add(channel)), S::load(beta.as_ptr().add(channel)));
                    self.y.store::<S>(pixel, channel, S::mul_add(x, scale, shift));
                }
            }
        }
    }
}

/// `dx = (g - mean(g) - x' mean(g x')) / deviation` with `g = gamma dy`. Keeps the mean and `1 / deviation` of each pixel.
struct Gradient<'a> {
    channels: &'a Channels,
    x: Source,
    dy: Source,
    dx: Target,
    moments: *mut f32,
    pixels: std::ops::Range<usize>,
}

impl Kernel for Gradient<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Channels { gamma, count, .. } = self.channels;
        for pixel in self.pixels.start..self.pixels.end {
            // SAFETY: the caller's promise; there are parameters for all padded channels, and two moments for each pixel.
            unsafe {
                let moments = self.channels.moments::<S>(&self.x, pixel);
                self.moments.add(2 * pixel).write(moments[0]);
                self.moments.add(2 * pixel + 1).write(moments[1]);
                let [mean, inverse] = moments.map(|value| S::splat(value));
                let (mut sum, mut product) = (S::zero(), S::zero());
                for channel in (0..gamma.len()).step_by(S::LANES) {
                    let x = S::mul(S::sub(self.x.load::<S>(pixel, channel), mean), inverse);
                    let g = S::mul(S::load(gamma.as_ptr().add(channel)), self.dy.load::<S>(pixel, channel));
                    let g = self.channels.only::<S>(g, channel);
                    sum = S::add(sum, g);
                    product = S::add(product, self.channels.only::<S>(S::mul(g, x), channel));
                }
                let (sum, product) = (S::splat(total::<S>(sum) / count), S::splat(total::<S>(product) / count));
                for channel in (0..gamma.len()).step_by(S::LANES) {
                    let x = S::mul(S::sub(self.x.load::<S>(pixel, channel), mean), inverse);
                    let g = S::mul(S::load(gamma.as_ptr().add(channel)), self.dy.load::<S>(pixel, channel));
                    let dx = S::mul(S::neg_mul_add(x, product, S::sub(g, sum)), inverse);
                    self.dx.store::<S>(pixel, channel, dx);
                }
            }
        }
    }
}

/// Sums of the gradient, and of the gradient times `x'`, for each channel.
struct ParameterSums<'a> {
    x: Source,
    dy: Source,
    moments: &'a [f32],
    width: usize,
    pixels: std::ops::Range<usize>,
    out: *mut f32,
}

impl Kernel for ParameterSums<'_> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        for channel in (0..self.width).step_by(S::LANES) {
            // SAFETY: the caller's promise; `out` has two rows of `width` floats.
            unsafe {
                let (mut sum, mut product) = (S::zero(), S::zero());
                for pixel in self.pixels.start..self.pixels.end {
                    let mean = S::splat(*self.moments.get_unchecked(2 * pixel));
                    let inverse = S::splat(*self.moments.get_unchecked(2 * pixel + 1));
                    let dy = self.dy.load::<S>(pixel, channel);
                    let x = S::mul(S::sub(self.x.load::<S>(pixel, channel), mean), inverse);
                    sum = S::add(sum, dy);
                    product = S::mul_add(dy, x, product);
                }
                S::store(self.out.add(channel), sum);
                S::store(self.out.add(self.width + channel), product);
            }
        }
    }
}
