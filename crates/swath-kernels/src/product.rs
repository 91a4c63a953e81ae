//! Products of images.

use crate::elementwise::same_size;
use crate::image::Layout;
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::simd::Simd;

/// `out = a b`, where `b` has the size of `a`, or one pixel for each image of the batch that all of its pixels share.
///
/// # Panics
/// When sizes are others, or a slice is too short.
pub fn multiply(
    (a_layout, a): (&Layout, &[f32]),
    (b_layout, b): (&Layout, &[f32]),
    out_layout: &Layout,
    out: &mut [f32],
) {
    same_size(a_layout, out_layout);
    let shared = (b_layout.height, b_layout.width) == (1, 1);
    same_size(&if shared { Layout { height: 1, width: 1, ..*a_layout } } else { *a_layout }, b_layout);
    let kernel = Multiply {
        a: Source::new("the first factor", a_layout, a),
        b: Source::new("the second factor", b_layout, b),
        shared,
        out: Target::new("the product", out_layout, out),
    };
    // SAFETY: the slices hold their layouts, which have the same pixels (the second one of each image, if shared) and channels.
    unsafe { each_pixel(out_layout, &kernel) };
}

struct Multiply {
    a: Source,
    b: Source,
    shared: bool,
    out: Target,
}

impl PixelKernel for Multiply {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, Place { pixel, image, .. }: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let b = self.b.load::<S>(if self.shared { image } else { pixel }, channel);
            self.out.store::<S>(pixel, channel, S::mul(self.a.load::<S>(pixel, channel), b));
        }
    }
}
