//! Maxima of 2x2 windows, taken while their pixels are at hand.

use super::{Places, greater};
use crate::image::Layout;
use crate::pixels::Target;
use crate::simd::Simd;

/// Images of half the size, to which the maxima of 2x2 windows go while their pixels are at hand.
#[derive(Clone, Copy)]
pub(crate) struct Halved {
    pub to: Target,
    pub layout: Layout,
}

impl Halved {
    /// Stores the maximum of the window of these halved images' pixel `[image, row, col]`, for a vector of channels of `images`.
    ///
    /// # Safety
    /// The machine must have the instruction set, the pixel and its channels exist, and nothing else write them.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd>(
        &self,
        images: Target,
        layout: &Layout,
        [image, row, col]: [usize; 3],
        channel: usize,
    ) {
        // SAFETY: the caller's promise; windows lie in images of at least twice the size.
        unsafe {
            let mut most = S::splat(f32::NEG_INFINITY);
            for (row, col) in [(0, 0), (0, 1), (1, 0), (1, 1)].map(|place| (2 * row + place.0, 2 * col + place.1)) {
                let pixel = Places::pixel(layout, image, row, col);
                most = greater::<S>(images.load::<S>(pixel, channel), most);
            }
            self.to.store::<S>(Places::pixel(&self.layout, image, row, col), channel, most);
        }
    }
}
