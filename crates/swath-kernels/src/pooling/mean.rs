//! The mean of each window, and its gradient.

use super::{Places, Pooling, Window, covering};
use crate::image::Layout;
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::simd::Simd;

/// What divides the sum of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// The pixels of the window that lie in the image.
    Image,
    /// Those in the image or its padding.
    Padded,
}

/// The mean of each window.
///
/// # Panics
/// When layouts and pooling do not fit, or a slice is too short.
pub fn average_pool(
    pooling: &Pooling,
    divisor: Divisor,
    layout: &Layout,
    x: &[f32],
    out_layout: &Layout,
    y: &mut [f32],
) {
    pooling.check(layout, out_layout);
    average(pooling.axes(layout, out_layout), divisor, layout, x, out_layout, y);
}

/// The gradient of [`average_pool`] by the image.
///
/// # Panics
/// As [`average_pool`].
pub fn average_pool_gradient(
    pooling: &Pooling,
    divisor: Divisor,
    (out_layout, dy): (&Layout, &[f32]),
    layout: &Layout,
    dx: &mut [f32],
) {
    pooling.check(layout, out_layout);
    average_gradient(pooling.axes(layout, out_layout), divisor, (out_layout, dy), layout, dx);
}

/// Means over windows that divide the image into as many rows and columns as the output has: window `i` of `n` covers
/// `floor(i size / n)..ceil((i + 1) size / n)`.
///
/// # Panics
/// When batch or channels differ, or a slice is too short.
pub fn adaptive_average_pool(layout: &Layout, x: &[f32], out_layout: &Layout, y: &mut [f32]) {
    average(adaptive(layout, out_layout), Divisor::Image, layout, x, out_layout, y);
}

/// The gradient of [`adaptive_average_pool`] by the image.
///
/// # Panics
/// As [`adaptive_average_pool`].
pub fn adaptive_average_pool_gradient((out_layout, dy): (&Layout, &[f32]), layout: &Layout, dx: &mut [f32]) {
    average_gradient(adaptive(layout, out_layout), Divisor::Image, (out_layout, dy), layout, dx);
}

fn adaptive(from: &Layout, to: &Layout) -> [Vec<Window>; 2] {
    assert_eq!((from.batch, from.channels), (to.batch, to.channels), "batch and channels of a pooling");
    [[from.height, to.height], [from.width, to.width]].map(|[size, windows]| {
        let window = |index: usize| {
            let (first, last) = (index * size / windows, ((index + 1) * size).div_ceil(windows));
            Window { first, count: last - first, step: 1, padded: last - first }
        };
        (0..windows).map(window).collect()
    })
}

fn average(
    [rows, cols]: [Vec<Window>; 2],
    divisor: Divisor,
    layout: &Layout,
    x: &[f32],
    out_layout: &Layout,
    y: &mut [f32],
) {
    let kernel = Mean {
        x: Source::new("the image", layout, x),
        y: Target::new("the output", out_layout, y),
        places: Places { from: *layout, to: *out_layout },
        rows,
        cols,
        divisor,
    };
    // SAFETY: the slices hold their layouts, and windows lie in the image.
    unsafe { each_pixel(out_layout, &kernel) };
}

fn average_gradient(
    [rows, cols]: [Vec<Window>; 2],
    divisor: Divisor,
    (out_layout, dy): (&Layout, &[f32]),
    layout: &Layout,
    dx: &mut [f32],
) {
    let kernel = MeanGradient {
        dy: Source::new("the gradient", out_layout, dy),
        dx: Target::new("the result", layout, dx),
        places: Places { from: *layout, to: *out_layout },
        windows: [covering(&rows, layout.height), covering(&cols, layout.width)],
        rows,
        cols,
        divisor,
    };
    // SAFETY: the slices hold their layouts, and windows lie in the image.
    unsafe { each_pixel(layout, &kernel) };
}

#[inline(always)]
fn share(divisor: Divisor, row: Window, col: Window) -> f32 {
    let count = match divisor {
        Divisor::Image => row.count * col.count,
        Divisor::Padded => row.padded * col.padded,
    };
    1.0 / count.max(1) as f32
}

struct Mean {
    x: Source,
    y: Target,
    places: Places,
    rows: Vec<Window>,
    cols: Vec<Window>,
    divisor: Divisor,
}

impl PixelKernel for Mean {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, place: Place, channel: usize) {
        let (rows, cols) = (self.rows[place.row], self.cols[place.col]);
        // SAFETY: the caller's promise; windows lie in the image.
        unsafe {
            let mut sum = S::zero();
            for row in rows.pixels() {
                // A row at a time, so that rounding does not grow with the area of large windows.
                let mut line = S::zero();
                for col in cols.pixels() {
                    line = S::add(
                        line,
                        self.x.load::<S>(Places::pixel(&self.places.from, place.image, row, col), channel),
                    );
                }
                sum = S::add(sum, line);
            }
            self.y.store::<S>(place.pixel, channel, S::mul(sum, S::splat(share(self.divisor, rows, cols))));
        }
    }
}

struct MeanGradient {
    dy: Source,
    dx: Target,
    places: Places,
    windows: [Vec<Vec<usize>>; 2],
    rows: Vec<Window>,
    cols: Vec<Window>,
    divisor: Divisor,
}

impl PixelKernel for MeanGradient {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, place: Place, channel: usize) {
        // SAFETY: the caller's promise; windows lie in the output.
        unsafe {
            let mut sum = S::zero();
            for &row in &self.windows[0][place.row] {
                for &col in &self.windows[1][place.col] {
                    let dy = self.dy.load::<S>(Places::pixel(&self.places.to, place.image, row, col), channel);
                    sum = S::mul_add(dy, S::splat(share(self.divisor, self.rows[row], self.cols[col])), sum);
                }
            }
            self.dx.store::<S>(place.pixel, channel, sum);
        }
    }
}
