//! The greatest value of each window, and its gradient.

use super::{Places, Pooling, Window, covering, greater};
use crate::elementwise::same_size;
use crate::image::Layout;
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::simd::Simd;

/// The greatest value of each window; NaN where it holds one.
///
/// # Panics
/// When layouts and pooling do not fit, or a slice is too short.
pub fn max_pool(pooling: &Pooling, layout: &Layout, x: &[f32], out_layout: &Layout, y: &mut [f32]) {
    pooling.check(layout, out_layout);
    let [rows, cols] = pooling.axes(layout, out_layout);
    let kernel = Max {
        x: Source::new("the image", layout, x),
        y: Target::new("the output", out_layout, y),
        places: Places { from: *layout, to: *out_layout },
        rows,
        cols,
    };
    // SAFETY: the slices hold their layouts, and windows lie in the image.
    unsafe { each_pixel(out_layout, &kernel) };
}

/// The gradient of [`max_pool`] by the image: each window's gradient goes to the first of its greatest pixels.
///
/// # Panics
/// As [`max_pool`].
pub fn max_pool_gradient(
    pooling: &Pooling,
    (layout, x): (&Layout, &[f32]),
    (out_layout, dy): (&Layout, &[f32]),
    dx_layout: &Layout,
    dx: &mut [f32],
) {
    pooling.check(layout, out_layout);
    same_size(layout, dx_layout);
    let [rows, cols] = pooling.axes(layout, out_layout);
    let kernel = MaxGradient {
        x: Source::new("the image", layout, x),
        dy: Source::new("the gradient", out_layout, dy),
        dx: Target::new("the result", dx_layout, dx),
        places: Places { from: *layout, to: *out_layout },
        windows: [covering(&rows, layout.height), covering(&cols, layout.width)],
        rows,
        cols,
    };
    // SAFETY: the slices hold their layouts, and windows lie in the image.
    unsafe { each_pixel(layout, &kernel) };
}

struct Max {
    x: Source,
    y: Target,
    places: Places,
    rows: Vec<Window>,
    cols: Vec<Window>,
}

impl PixelKernel for Max {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, place: Place, channel: usize) {
        let (rows, cols) = (self.rows[place.row], self.cols[place.col]);
        // SAFETY: the caller's promise; windows lie in the image.
        unsafe {
            let mut most = S::splat(f32::NEG_INFINITY);
            for row in rows.pixels() {
                for col in cols.pixels() {
                    let value = self.x.load::<S>(Places::pixel(&self.places.from, place.image, row, col), channel);
                    most = greater::<S>(value, most);
                }
            }
            self.y.store::<S>(place.pixel, channel, most);
        }
    }
}

struct MaxGradient {
    x: Source,
    dy: Source,
    dx: Target,
    places: Places,
    /// For each row and column, the windows over it.
    windows: [Vec<Vec<usize>>; 2],
    rows: Vec<Window>,
    cols: Vec<Window>,
}

impl PixelKernel for MaxGradient {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, place: Place, channel: usize) {
        let Places { from, to } = &self.places;
        // SAFETY: the caller's promise; windows lie in the image.
        unsafe {
            let mut sum = S::zero();
            for &window_row in &self.windows[0][place.row] {
                for &window_col in &self.windows[1][place.col] {
                    let (rows, cols) = (self.rows[window_row], self.cols[window_col]);
                    let is_own = |row, col| if [row, col] == [place.row, place.col] { 1.0 } else { 0.0 };
                    // 1 as long as the greatest value so far is this pixel's own.
                    let mut own = S::splat(is_own(rows.first, cols.first));
                    let mut most = S::splat(f32::NEG_INFINITY);
                    for row in rows.pixels() {
                        for col in cols.pixels() {
                            let value = self.x.load::<S>(Places::pixel(from, place.image, row, col), channel);
                            let mine = S::splat(is_own(row, col));
                            own = S::select_nan(value, mine, S::select_greater(value, most, mine, own));
                            most = S::select_nan(value, value, S::greater(value, most));
                        }
                    }
                    let dy = self.dy.load::<S>(Places::pixel(to, place.image, window_row, window_col), channel);
                    sum = S::add(sum, S::select_greater(own, S::zero(), dy, S::zero()));
                }
            }
            self.dx.store::<S>(place.pixel, channel, sum);
        }
    }
}
