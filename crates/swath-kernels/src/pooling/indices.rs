//! Maxima with the places where they stand, and the way back to these places.
//!
//! An index is the number of a pixel within its image, `row * width + column`, as in PyTorch. Each channel has its own. Indices lie as
//! [`Layout::new`] of the pooled images says, `[image, row, column, channel]` with channels padded to a multiple of 16,
//! also where the pooled values themselves are some channels of wider images; what stands in the padding is arbitrary.

use std::slice;

use super::{Places, Pooling, Window};
use crate::image::Layout;
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::shared::SharedMut;
use crate::simd::{Scalar, Simd, WIDEST};
use crate::threads::parallel;

/// [`max_pool`](super::max_pool), and for each maximum the index of its pixel: the first of several, and the last NaN where there
/// is one.
///
/// ```
/// use swath_kernels::{Layout, Pooling, max_pool_with_indices};
///
/// let (image, pooled) = (Layout::new(1, 2, 4, 1), Layout::new(1, 1, 2, 1));
/// let mut x = vec![0.0; image.len()];
/// //  3 1 | 5 5
/// //  0 7 | 2 4
/// for (pixel, value) in x.chunks_mut(image.pixel).zip([3.0, 1.0, 5.0, 5.0, 0.0, 7.0, 2.0, 4.0]) {
///     pixel[0] = value;
/// }
/// let mut y = vec![0.0; pooled.len()];
/// let mut indices = vec![0; pooled.len()];
/// max_pool_with_indices(&Pooling::new(2, 2), &image, &x, &pooled, &mut y, &mut indices);
/// assert_eq!([y[0], y[pooled.pixel]], [7.0, 5.0]);
/// assert_eq!([indices[0], indices[pooled.pixel]], [5, 2]);
/// ```
///
/// # Panics
/// When layouts and pooling do not fit, a slice is too short, a window covers padding only, or images have more than `u32::MAX` pixels.
pub fn max_pool_with_indices(
    pooling: &Pooling,
    layout: &Layout,
    x: &[f32],
    out_layout: &Layout,
    y: &mut [f32],
    indices: &mut [u32],
) {
    pooling.check(layout, out_layout);
    let own = check_indices(out_layout, indices.len());
    assert!(u32::try_from(layout.height * layout.width).is_ok(), "{layout:?} has more pixels than indices");
    let [rows, cols] = pooling.axes(layout, out_layout);
    let empty = rows.iter().chain(&cols).any(|window| window.count == 0);
    assert!(!empty, "a window of {pooling:?} covers no pixel of {layout:?}");
    // SAFETY: floats have the size and alignment of indices, and all bits are allowed in both.
    let bits = unsafe { slice::from_raw_parts_mut(indices.as_mut_ptr().cast::<f32>(), indices.len()) };
    let kernel = MaxWithIndex {
        x: Source::new("the image", layout, x),
        y: Target::new("the output", out_layout, y),
        indices: Target::new("the indices", &own, bits),
        places: Places { from: *layout, to: *out_layout },
        rows,
        cols,
    };
    // SAFETY: the slices hold their layouts, and windows lie in the image.
    unsafe { each_pixel(out_layout, &kernel) };
}

/// The gradient of [`max_pool_with_indices`] by the image: each pixel gets the sum of the gradients of the windows whose maximum it
/// is, added in row-major order.
///
/// # Panics
/// When batch or channels differ, a slice is too short, an index lies beyond the image, or images are not of floats.
pub fn max_pool_gradient_by_indices(
    (out_layout, dy): (&Layout, &[f32]),
    indices: &[u32],
    layout: &Layout,
    dx: &mut [f32],
) {
    scatter((out_layout, dy), indices, layout, dx, |sum, value| *sum += value);
}

/// The partial inverse of [`max_pool_with_indices`], PyTorch's `max_unpool2d`: writes each value to the pixel that its index names, and zeros
/// to all others. Where windows overlap, several may name the same pixel: the last of them in row-major order wins.
///
/// # Panics
/// As [`max_pool_gradient_by_indices`].
pub fn unpool((layout, x): (&Layout, &[f32]), indices: &[u32], out_layout: &Layout, y: &mut [f32]) {
    scatter((layout, x), indices, out_layout, y, |pixel, value| *pixel = value);
}

/// The gradient of [`unpool`] by its values: reads the gradient of the pixel that each index names. As in PyTorch that is so for all
/// values that name a pixel, also for those that did not win.
///
/// # Panics
/// As [`max_pool_gradient_by_indices`].
pub fn unpool_gradient((out_layout, dy): (&Layout, &[f32]), indices: &[u32], layout: &Layout, dx: &mut [f32]) {
    check_images(layout, out_layout);
    let own = check_indices(layout, indices.len());
    let kernel = Gather {
        dy: Source::new("the gradient", out_layout, dy),
        indices,
        step: own.pixel,
        dx: Target::new("the result", layout, dx),
        image: *out_layout,
    };
    // SAFETY: the slices hold their layouts, and indices are checked when they are used.
    unsafe { each_pixel(layout, &kernel) };
}

#[track_caller]
fn check_images(small: &Layout, large: &Layout) {
    assert_eq!((small.batch, small.channels), (large.batch, large.channels), "batch and channels of a pooling");
}

/// The layout of the indices of these images.
#[track_caller]
fn check_indices(layout: &Layout, len: usize) -> Layout {
    let own = Layout::new(layout.batch, layout.height, layout.width, layout.channels);
    assert!(own.fits(len), "{len} indices for {layout:?}, which needs {}", own.len());
    own
}

/// The index, once it is known to lie within its image.
#[inline(always)]
fn checked(index: u32, image: &Layout) -> usize {
    let (index, pixels) = (index as usize, image.height * image.width);
    assert!(index < pixels, "index {index} lies beyond an image of {} x {} pixels", image.height, image.width);
    index
}

/// Zeros, and then each value put to its pixel. An item of the parallel loop is a block of channels of one image, so that values come in
/// row-major order whatever the number of threads.
fn scatter(
    (small, values): (&Layout, &[f32]),
    indices: &[u32],
    large: &Layout,
    out: &mut [f32],
    put: impl Fn(&mut f32, f32) + Sync,
) {
    check_images(small, large);
    let own = check_indices(small, indices.len());
    small.check_floats("the values", values.len());
    large.check_floats("the result", out.len());
    let (from, to) = (small.height * small.width, large.height * large.width);
    let blocks = large.channels.div_ceil(WIDEST);
    let out = SharedMut(out.as_mut_ptr());
    parallel(large.batch * blocks, |item| {
        let (image, first) = (item / blocks, item % blocks * WIDEST);
        let channels = first..(first + WIDEST).min(large.channels);
        let target = |pixel: usize, channel: usize| {
            // SAFETY: the pixel is one of the image, which the slice holds, and each item has its own image and channels.
            unsafe { &mut *out.get().add((image * to + pixel) * large.pixel + channel) }
        };
        for pixel in 0..to {
            channels.clone().for_each(|channel| *target(pixel, channel) = 0.0);
        }
        for pixel in image * from..(image + 1) * from {
            for channel in channels.clone() {
                let index = checked(indices[pixel * own.pixel + channel], large);
                put(target(index, channel), values[pixel * small.pixel + channel]);
            }
        }
    });
}

struct MaxWithIndex {
    x: Source,
    y: Target,
    /// Indices as the bits of floats, so that vectors select among them.
    indices: Target,
    places: Places,
    rows: Vec<Window>,
    cols: Vec<Window>,
}

impl PixelKernel for MaxWithIndex {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, place: Place, channel: usize) {
        let (rows, cols) = (self.rows[place.row], self.cols[place.col]);
        let width = self.places.from.width;
        let bits = |row: usize, col: usize| f32::from_bits((row * width + col) as u32);
        // SAFETY: the caller's promise; windows lie in the image.
        unsafe {
            let mut most = S::splat(f32::NEG_INFINITY);
            let mut index = S::splat(bits(rows.first, cols.first));
            for row in rows.pixels() {
                for col in cols.pixels() {
                    let value = self.x.load::<S>(Places::pixel(&self.places.from, place.image, row, col), channel);
                    let own = S::splat(bits(row, col));
                    index = S::select_nan(value, own, S::select_greater(value, most, own, index));
                    most = S::select_nan(value, value, S::greater(value, most));
                }
            }
            self.y.store::<S>(place.pixel, channel, most);
            self.indices.store::<S>(place.pixel, channel, index);
        }
    }
}

struct Gather<'a> {
    dy: Source,
    indices: &'a [u32],
    /// Indices from pixel to pixel.
    step: usize,
    dx: Target,
    /// What indices point into.
    image: Layout,
}

impl PixelKernel for Gather<'_> {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, place: Place, channel: usize) {
        let area = self.image.height * self.image.width;
        for channel in channel..(channel + S::LANES).min(self.image.channels) {
            let index = checked(self.indices[place.pixel * self.step + channel], &self.image);
            // SAFETY: the caller's promise, and the index lies in the image.
            unsafe {
                let value = self.dy.load::<Scalar>(place.image * area + index, channel);
                self.dx.store::<Scalar>(place.pixel, channel, value);
            }
        }
    }
}
