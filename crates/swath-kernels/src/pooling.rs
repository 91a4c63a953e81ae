//! Maxima and means over windows, and their gradients.

use crate::elementwise::same_size;
use crate::error::PlanError;
use crate::image::Layout;
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::simd::Simd;

mod halved;
mod indices;

pub(crate) use halved::Halved;
pub use indices::{max_pool_gradient_by_indices, max_pool_with_indices, unpool, unpool_gradient};

/// Windows over an image, in the terms of PyTorch's pooling layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pooling {
    /// Rows and columns of a window.
    pub kernel: [usize; 2],
    /// Pixels from window to window.
    pub stride: [usize; 2],
    /// Rows above and below, columns left and right of the image that windows may cover.
    pub padding: [[usize; 2]; 2],
    /// Pixels from one pixel of a window to the next.
    pub dilation: [usize; 2],
    /// Whether windows that reach beyond the padding count, as long as they begin before it.
    pub ceil: bool,
}

impl Pooling {
    /// Square windows without padding or dilation.
    pub fn new(kernel: usize, stride: usize) -> Pooling {
        let padding = [[0, 0], [0, 0]];
        Pooling { kernel: [kernel; 2], stride: [stride; 2], padding, dilation: [1, 1], ceil: false }
    }

    /// With the same padding on all sides.
    pub fn padding(self, padding: usize) -> Pooling {
        Pooling { padding: [[padding; 2]; 2], ..self }
    }

    /// Rows and columns of the output for an image.
    ///
    /// # Errors
    /// When a size is 0, or the window does not fit.
    pub fn output_size(&self, image: [usize; 2]) -> Result<[usize; 2], PlanError> {
        let sizes = [self.kernel, self.stride, self.dilation].concat();
        if sizes.contains(&0) || image.contains(&0) {
            return Err(PlanError::Zero { what: "a size of the pooling" });
        }
        let window = [0, 1].map(|axis| (self.kernel[axis] - 1) * self.dilation[axis] + 1);
        // A last window may stand out by less than a stride.
        let slack = [0, 1].map(|axis| if self.ceil { self.stride[axis] - 1 } else { 0 });
        let padded = [0, 1].map(|axis| image[axis] + self.padding[axis][0] + self.padding[axis][1]);
        if [0, 1].iter().any(|&axis| window[axis] > padded[axis] + slack[axis]) {
            return Err(PlanError::Window { window, image: padded });
        }
        Ok([0, 1].map(|axis| {
            let last = (padded[axis] + slack[axis] - window[axis]) / self.stride[axis];
            let begins = last * self.stride[axis] < image[axis] + self.padding[axis][0];
            if self.ceil && !begins { last } else { last + 1 }
        }))
    }

    /// The axes of windows over an image.
    fn axes(&self, from: &Layout, to: &Layout) -> [Vec<Window>; 2] {
        let sizes = [[from.height, to.height], [from.width, to.width]];
        [0, 1].map(|axis| {
            let [size, windows] = sizes[axis];
            let place = |index: usize| {
                let first = (index * self.stride[axis]) as isize - self.padding[axis][0] as isize;
                let last = (size + self.padding[axis][1]) as isize;
                let places = (0..self.kernel[axis]).map(|k| first + (k * self.dilation[axis]) as isize);
                let padded = places.clone().filter(|place| *place < last).count();
                let pixels: Vec<isize> = places.filter(|place| (0..size as isize).contains(place)).collect();
                let first = pixels.first().map_or(0, |first| *first as usize);
                Window { first, count: pixels.len(), step: self.dilation[axis], padded }
            };
            (0..windows).map(place).collect()
        })
    }

    #[track_caller]
    pub(crate) fn check(&self, from: &Layout, to: &Layout) {
        let size = self.output_size([from.height, from.width]);
        assert_eq!(size, Ok([to.height, to.width]), "the output of {self:?} over {from:?}");
        assert_eq!((from.batch, from.channels), (to.batch, to.channels), "batch and channels of a pooling");
    }
}

/// One axis of a window.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// The first of its pixels that lie in the image, how many these are, and the step from one to the next.
    first: usize,
    count: usize,
    step: usize,
    /// Its pixels in the image or its padding.
    padded: usize,
}

impl Window {
    /// Its pixels that lie in the image.
    #[inline(always)]
    fn pixels(self) -> impl Iterator<Item = usize> {
        (0..self.count).map(move |index| self.first + index * self.step)
    }
}

/// What divides the sum of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// The pixels of the window that lie in the image.
    Image,
    /// Those in the image or its padding.
    Padded,
}

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

/// The mean of each window.
///
/// # Panics
/// As [`max_pool`].
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
/// As [`max_pool`].
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

/// For each pixel of an axis, the windows that cover it.
fn covering(windows: &[Window], size: usize) -> Vec<Vec<usize>> {
    let mut covering = vec![Vec::new(); size];
    for (index, window) in windows.iter().enumerate() {
        window.pixels().for_each(|pixel| covering[pixel].push(index));
    }
    covering
}

/// Numbers of pixels in input and output.
#[derive(Clone, Copy)]
struct Places {
    from: Layout,
    to: Layout,
}

impl Places {
    #[inline(always)]
    fn pixel(layout: &Layout, image: usize, row: usize, col: usize) -> usize {
        (image * layout.height + row) * layout.width + col
    }
}

/// The greater of two values, or the first where it is not a number.
///
/// # Safety
/// The machine must have the instruction set.
#[inline(always)]
unsafe fn greater<S: Simd>(value: S::V, most: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { S::select_nan(value, value, S::greater(value, most)) }
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
