//! Between layouts: planes of channels, as other software has them, and channels last.

use crate::image::Layout;
use crate::pixels::{Source, Target};
use crate::shared::SharedMut;
use crate::simd::{Scalar, WIDEST};
use crate::threads::parallel;

/// Pixels that are turned around at a time: their channels stay in L1 while planes are read one after the other.
const SEGMENT: usize = 64;

/// Planes `[image, channel, row, column]` into images; padding channels become 0.
///
/// # Panics
/// When a slice has not the layout's size, or images are not of floats.
pub fn pack(planes: &[f32], layout: &Layout, image: &mut [f32]) {
    layout.check_floats("the image", image.len());
    assert_eq!(planes.len(), layout.pixels() * layout.channels, "planes of another size than {layout:?}");
    let area = layout.height * layout.width;
    let out = SharedMut(image.as_mut_ptr());
    each_segment(layout, |image, first, count| {
        // SAFETY: each segment has its own pixels, and the slice holds the layout.
        let pixels = unsafe { out.get().add((image * area + first) * layout.pixel) };
        let padded = layout.padded_channels();
        if layout.channels < padded {
            for pixel in 0..count {
                // SAFETY: as above; these are the last of the pixel's channels, with their padding.
                unsafe { pixels.add(pixel * layout.pixel + padded - WIDEST).write_bytes(0, WIDEST) };
            }
        }
        for channel in 0..layout.channels {
            let plane = &planes[(image * layout.channels + channel) * area + first..][..count];
            for (pixel, value) in plane.iter().enumerate() {
                // SAFETY: as above; the pixel has this channel.
                unsafe { pixels.add(pixel * layout.pixel + channel).write(*value) };
            }
        }
    });
}

/// Images into planes `[image, channel, row, column]`.
///
/// # Panics
/// When a slice has not the layout's size, or images are not of floats.
pub fn unpack(layout: &Layout, image: &[f32], planes: &mut [f32]) {
    layout.check_floats("the image", image.len());
    assert_eq!(planes.len(), layout.pixels() * layout.channels, "planes of another size than {layout:?}");
    let area = layout.height * layout.width;
    let out = SharedMut(planes.as_mut_ptr());
    each_segment(layout, |index, first, count| {
        let pixels = &image[(index * area + first) * layout.pixel..];
        for channel in 0..layout.channels {
            for pixel in 0..count {
                let at = (index * layout.channels + channel) * area + first + pixel;
                // SAFETY: each segment has its own pixels, and the slice holds all planes.
                unsafe { out.get().add(at).write(pixels[pixel * layout.pixel + channel]) };
            }
        }
    });
}

/// Copies all channels of images into other images, or into some channels of wider ones.
///
/// # Panics
/// When the layouts differ in more than the distance of pixels and what they hold, or a slice is too short.
pub fn copy(from_layout: &Layout, from: &[f32], to_layout: &Layout, to: &mut [f32]) {
    assert!(from_layout.has_size_of(to_layout), "images of different sizes");
    let from = Source::new("the source", from_layout, from);
    let to = Target::new("the target", to_layout, to);
    let area = from_layout.height * from_layout.width;
    let same = from_layout.element == to_layout.element;
    let bytes = from_layout.channels * from_layout.element.bytes();
    each_segment(from_layout, |image, first, count| {
        for pixel in image * area + first..image * area + first + count {
            // SAFETY: each pixel comes once, and the slices hold the layouts.
            unsafe {
                if same {
                    let to = to.place(pixel, 0).cast::<u8>();
                    to.copy_from_nonoverlapping(from.place(pixel, 0).cast(), bytes);
                } else {
                    let channels = 0..from_layout.channels;
                    channels
                        .for_each(|channel| to.store::<Scalar>(pixel, channel, from.load::<Scalar>(pixel, channel)));
                }
            }
        }
    });
}

/// Calls `work(image, first pixel, pixels)` for segments of all images, on all threads.
fn each_segment(layout: &Layout, work: impl Fn(usize, usize, usize) + Sync) {
    let area = layout.height * layout.width;
    // Some thousand floats in an item.
    let together = (16 * 1024 / (SEGMENT * layout.padded_channels())).max(1) * SEGMENT;
    let items = area.div_ceil(together);
    parallel(layout.batch * items, |item| {
        let (image, first) = (item / items, item % items * together);
        let last = (first + together).min(area);
        (first..last).step_by(SEGMENT).for_each(|first| work(image, first, SEGMENT.min(last - first)));
    });
}
