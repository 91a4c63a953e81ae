//! Computations pixel by pixel and channel by channel, on all threads.

use crate::image::Layout;
use crate::isa::{self, Isa};
use crate::simd::{Kernel, Simd};
use crate::threads::parallel;

/// Floats that one item of a parallel loop computes: some ten microseconds of work.
const ITEM: usize = 32 * 1024;

/// A pixel: its number, and the image, row and column that it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub pixel: usize,
    pub image: usize,
    pub row: usize,
    pub col: usize,
}

/// What is computed for one vector of channels of one pixel.
pub(crate) trait PixelKernel: Sync {
    /// Computes channels `channel..channel + LANES` of a pixel. Must be `#[inline(always)]`.
    ///
    /// # Safety
    /// The machine must have the instruction set of `S`, and pixel and channels must exist.
    unsafe fn vector<S: Simd>(&self, place: Place, channel: usize);

    /// Computes all channels of a pixel, `channels` with their padding: where something is worth finding out once for all of them.
    ///
    /// # Safety
    /// As [`vector`](Self::vector).
    #[inline(always)]
    unsafe fn pixel<S: Simd>(&self, place: Place, channels: usize) {
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe { self.vector::<S>(place, channel) };
        }
    }
}

/// Runs a kernel for all pixels and padded channels of a layout.
///
/// # Safety
/// Pixels and channels must exist in all images that the kernel uses, and different pixels must write to different places.
pub(crate) unsafe fn each_pixel<K: PixelKernel>(layout: &Layout, kernel: &K) {
    let pixels = layout.pixels();
    let items = (pixels * layout.padded_channels()).div_ceil(ITEM);
    parallel(items, |item| {
        let run = Run { kernel, layout, first: pixels * item / items, last: pixels * (item + 1) / items };
        // SAFETY: the caller's promise.
        unsafe { isa::run(Isa::best(), run) };
    });
}

struct Run<'a, K> {
    kernel: &'a K,
    layout: &'a Layout,
    first: usize,
    last: usize,
}

impl<K: PixelKernel> Kernel for Run<'_, K> {
    #[inline(always)]
    unsafe fn compute<S: Simd>(self) {
        let Layout { height, width, .. } = *self.layout;
        let line = self.first / width;
        // Counted up from here on: a division costs as much as the work on a vector.
        let (mut image, mut row, mut col) = (line / height, line % height, self.first % width);
        for pixel in self.first..self.last {
            // SAFETY: the caller's promise.
            unsafe { self.kernel.pixel::<S>(Place { pixel, image, row, col }, self.layout.padded_channels()) };
            col += 1;
            if col == width {
                (row, col) = (row + 1, 0);
                if row == height {
                    (image, row) = (image + 1, 0);
                }
            }
        }
    }
}

/// An image that kernels read: its start, and floats from pixel to pixel.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    start: *const f32,
    pixel: usize,
}

// SAFETY: only read while kernels run.
unsafe impl Sync for Source {}

impl Source {
    /// # Panics
    /// When the slice does not hold the layout.
    #[track_caller]
    pub(crate) fn new(what: &str, layout: &Layout, image: &[f32]) -> Source {
        layout.check(what, image.len());
        Source { start: image.as_ptr(), pixel: layout.pixel }
    }

    /// # Safety
    /// The pixel and its channels must exist, and the machine have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd>(&self, pixel: usize, channel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load(self.start.add(pixel * self.pixel + channel)) }
    }
}

/// An image that kernels write.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    start: *mut f32,
    pixel: usize,
}

// SAFETY: different pixels are written by different threads.
unsafe impl Sync for Target {}

impl Target {
    /// # Panics
    /// When the slice does not hold the layout.
    #[track_caller]
    pub(crate) fn new(what: &str, layout: &Layout, image: &mut [f32]) -> Target {
        layout.check(what, image.len());
        Target { start: image.as_mut_ptr(), pixel: layout.pixel }
    }

    /// What is there now.
    ///
    /// # Safety
    /// The pixel and its channels must exist, and the machine have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd>(&self, pixel: usize, channel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load(self.start.add(pixel * self.pixel + channel)) }
    }

    /// # Safety
    /// The pixel and its channels must exist, and the machine have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd>(&self, pixel: usize, channel: usize, value: S::V) {
        // SAFETY: the caller's promise.
        unsafe { S::store(self.start.add(pixel * self.pixel + channel), value) }
    }
}
