//! Maxima and means over windows, and their gradients: which pixels each window covers.

use crate::error::PlanError;
use crate::image::Layout;
use crate::simd::Simd;

mod halved;
mod indices;
mod max;
mod mean;

pub(crate) use halved::Halved;
pub use indices::{max_pool_gradient_by_indices, max_pool_with_indices, unpool, unpool_gradient};
pub use max::{max_pool, max_pool_gradient};
pub use mean::{Divisor, adaptive_average_pool, adaptive_average_pool_gradient, average_pool, average_pool_gradient};

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
pub(crate) unsafe fn greater<S: Simd>(value: S::V, most: S::V) -> S::V {
    // SAFETY: the caller's promise.
    unsafe { S::select_nan(value, value, S::greater(value, most)) }
}
