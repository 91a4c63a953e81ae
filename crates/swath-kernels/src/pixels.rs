//! Computations pixel by pixel and channel by channel, on all threads.

use crate::image::{Element, Layout};
use crate::isa::{self, Isa};
use crate::operands::from_half;
use crate::simd::{Kernel, Simd, WIDEST};
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

/// Images that kernels read, of floats or of bfloat16.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    start: *const f32,
    pixel: usize,
    element: Element,
    /// Floats from one plane to the next, of a single image in planes.
    plane: Option<usize>,
}

// SAFETY: only read while kernels run.
unsafe impl Sync for Source {}
// SAFETY: as above.
unsafe impl Send for Source {}

impl Source {
    /// # Panics
    /// When the slice does not hold the layout.
    #[track_caller]
    pub(crate) fn new(what: &str, layout: &Layout, image: &[f32]) -> Source {
        layout.check(what, image.len());
        Source { start: image.as_ptr(), pixel: layout.pixel, element: layout.element, plane: None }
    }

    /// The same, or a single image in planes, of which channels can be had [one by one](Self::value) only.
    ///
    /// # Panics
    /// As [`new`](Self::new).
    #[track_caller]
    pub(crate) fn of_any_order(what: &str, layout: &Layout, image: &[f32]) -> Source {
        if !layout.planes {
            return Source::new(what, layout, image);
        }
        layout.check_len(what, image.len());
        Source { start: image.as_ptr(), pixel: 1, element: Element::Float, plane: Some(layout.pixels()) }
    }

    /// Where a channel of a pixel lies.
    #[inline(always)]
    pub(crate) fn place(&self, pixel: usize, channel: usize) -> *const f32 {
        self.start.wrapping_byte_add((pixel * self.pixel + channel) * self.element.bytes())
    }

    /// # Safety
    /// The pixel and its channels must exist, and the machine have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd>(&self, pixel: usize, channel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { load::<S>(self.element, self.place(pixel, channel)) }
    }

    /// One channel of a pixel.
    ///
    /// # Safety
    /// It must exist.
    #[inline(always)]
    pub(crate) unsafe fn value(&self, pixel: usize, channel: usize) -> f32 {
        let from = match self.plane {
            Some(plane) => self.start.wrapping_add(channel * plane + pixel),
            None => self.place(pixel, channel),
        };
        // SAFETY: the caller's promise.
        unsafe { value(self.element, from) }
    }
}

/// Images that kernels write, of floats or of bfloat16.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    start: *mut f32,
    pixel: usize,
    element: Element,
}

// SAFETY: different pixels are written by different threads.
unsafe impl Sync for Target {}
// SAFETY: as above.
unsafe impl Send for Target {}

impl Target {
    /// # Panics
    /// When the slice does not hold the layout.
    #[track_caller]
    pub(crate) fn new(what: &str, layout: &Layout, image: &mut [f32]) -> Target {
        layout.check(what, image.len());
        Target { start: image.as_mut_ptr(), pixel: layout.pixel, element: layout.element }
    }

    /// Images that start there.
    pub(crate) fn at(start: *mut f32, layout: &Layout) -> Target {
        Target { start, pixel: layout.pixel, element: layout.element }
    }

    /// What they are made of.
    #[inline(always)]
    pub(crate) fn element(&self) -> Element {
        self.element
    }

    /// Whether pixels begin at cache lines.
    pub(crate) fn is_aligned(&self) -> bool {
        let line = WIDEST * size_of::<f32>();
        (self.pixel * self.element.bytes()).is_multiple_of(line) && self.start.addr().is_multiple_of(line)
    }

    /// Where a channel of a pixel lies.
    #[inline(always)]
    pub(crate) fn place(&self, pixel: usize, channel: usize) -> *mut f32 {
        self.start.wrapping_byte_add((pixel * self.pixel + channel) * self.element.bytes())
    }

    /// What is there now.
    ///
    /// # Safety
    /// The pixel and its channels must exist, and the machine have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn load<S: Simd>(&self, pixel: usize, channel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { load::<S>(self.element, self.place(pixel, channel)) }
    }

    /// # Safety
    /// The pixel and its channels must exist, and the machine have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd>(&self, pixel: usize, channel: usize, value: S::V) {
        // SAFETY: the caller's promise.
        unsafe { store::<S>(self.element, self.place(pixel, channel), value) }
    }

    /// Two vectors of channels, of which the second follows the first.
    ///
    /// # Safety
    /// As [`store`](Self::store).
    #[inline(always)]
    pub(crate) unsafe fn store_both<S: Simd>(&self, pixel: usize, channel: usize, first: S::V, second: S::V) {
        let to = self.place(pixel, channel);
        // SAFETY: the caller's promise.
        unsafe {
            match self.element {
                Element::Float => {
                    S::store(to, first);
                    S::store(to.add(S::LANES), second);
                }
                Element::Bfloat16 => S::store(to, S::to_pairs(first, second)),
            }
        }
    }
}

/// One such element.
///
/// # Safety
/// It must be there.
#[inline(always)]
pub(crate) unsafe fn value(element: Element, from: *const f32) -> f32 {
    // SAFETY: the caller's promise.
    unsafe {
        match element {
            Element::Float => *from,
            Element::Bfloat16 => from_half(*from.cast()),
        }
    }
}

/// Stores a vector as such elements.
///
/// # Safety
/// There must be room for them, and the machine have the instruction set.
#[inline(always)]
pub(crate) unsafe fn store<S: Simd>(element: Element, to: *mut f32, value: S::V) {
    // SAFETY: the caller's promise.
    unsafe {
        match element {
            Element::Float => S::store(to, value),
            Element::Bfloat16 => S::store_halves(to.cast(), value),
        }
    }
}

/// A vector of such elements.
///
/// # Safety
/// They must be there, and the machine have the instruction set.
#[inline(always)]
pub(crate) unsafe fn load<S: Simd>(element: Element, from: *const f32) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        match element {
            Element::Float => S::load(from),
            Element::Bfloat16 => S::load_halves(from.cast()),
        }
    }
}
