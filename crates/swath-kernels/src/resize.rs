//! Changes of size by interpolation, and their gradients.
//!
//! Rows and columns are interpolated apart: each output row is a weighted sum of a few input rows, and columns alike. The
//! gradient is the transposed of that.

use crate::elementwise::same_size;
use crate::image::Layout;
use crate::pixels::{PixelKernel, Place, Source, Target, each_pixel};
use crate::shared::SharedMut;
use crate::simd::{Simd, WIDEST};

/// How pixels between pixels are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interpolation {
    /// The pixel at `floor(i size / new size)`.
    Nearest,
    /// A straight line between two pixels.
    Bilinear,
    /// A cubic through four pixels, with `a = -0.75` (Keys 1981).
    Bicubic,
}

/// Where output pixels lie between input pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alignment {
    /// The edges of both images coincide: pixel `i` lies at `(i + 1/2) size / new size - 1/2`.
    Edges,
    /// The centres of the outermost pixels coincide: pixel `i` lies at `i (size - 1) / (new size - 1)`.
    Centers,
}

/// Resizes images to the output's rows and columns.
///
/// # Panics
/// When batch or channels differ, or a slice is too short.
pub fn resize(
    interpolation: Interpolation,
    alignment: Alignment,
    layout: &Layout,
    x: &[f32],
    out_layout: &Layout,
    y: &mut [f32],
) {
    run(interpolation, alignment, (layout, x), None, out_layout, y);
}

/// Resizes images as [`resize`] does, and adds others of the output's size.
///
/// # Panics
/// As [`resize`], and when the addend has another size than the output.
pub fn resize_and_add(
    interpolation: Interpolation,
    alignment: Alignment,
    (layout, x): (&Layout, &[f32]),
    (addend_layout, addend): (&Layout, &[f32]),
    out_layout: &Layout,
    y: &mut [f32],
) {
    same_size(addend_layout, out_layout);
    let addend = Source::new("the addend", addend_layout, addend);
    run(interpolation, alignment, (layout, x), Some(addend), out_layout, y);
}

/// Resizes images as [`resize`] does, straight into planes `[image, channel, row, column]` of `height` rows and `width` columns.
///
/// # Panics
/// When a slice is too short, or the planes have another size.
pub fn resize_to_planes(
    interpolation: Interpolation,
    alignment: Alignment,
    (layout, x): (&Layout, &[f32]),
    [height, width]: [usize; 2],
    planes: &mut [f32],
) {
    let to = Layout::new(layout.batch, height, width, layout.channels);
    assert_eq!(planes.len(), to.pixels() * to.channels, "planes of another size than {to:?}");
    let planes = Planes { start: SharedMut(planes.as_mut_ptr()), channels: to.channels, area: height * width };
    run_to(interpolation, alignment, (layout, x), None, &to, planes);
}

fn run(
    interpolation: Interpolation,
    alignment: Alignment,
    image: (&Layout, &[f32]),
    addend: Option<Source>,
    out_layout: &Layout,
    y: &mut [f32],
) {
    run_to(interpolation, alignment, image, addend, out_layout, Target::new("the output", out_layout, y));
}

/// With results that go to a place of this layout.
fn run_to(
    interpolation: Interpolation,
    alignment: Alignment,
    (layout, x): (&Layout, &[f32]),
    addend: Option<Source>,
    out_layout: &Layout,
    to: impl Results,
) {
    check(layout, out_layout);
    let axis = |size, new| weights(interpolation, alignment, size, new);
    let kernel = WeightedSums {
        from: Source::new("the image", layout, x),
        from_layout: *layout,
        addend,
        to,
        rows: axis(layout.height, out_layout.height),
        cols: axis(layout.width, out_layout.width),
    };
    // SAFETY: the slices hold their layouts, and all places lie in the image.
    unsafe { each_pixel(out_layout, &kernel) };
}

/// The gradient of [`resize`] by the image, whose layout is `layout`.
///
/// # Panics
/// As [`resize`].
pub fn resize_gradient(
    interpolation: Interpolation,
    alignment: Alignment,
    (out_layout, dy): (&Layout, &[f32]),
    layout: &Layout,
    dx: &mut [f32],
) {
    check(layout, out_layout);
    let axis = |size, new| transposed(&weights(interpolation, alignment, size, new), size);
    let kernel = WeightedSums {
        from: Source::new("the gradient", out_layout, dy),
        from_layout: *out_layout,
        addend: None,
        to: Target::new("the result", layout, dx),
        rows: axis(layout.height, out_layout.height),
        cols: axis(layout.width, out_layout.width),
    };
    // SAFETY: the slices hold their layouts, and all places lie in the output.
    unsafe { each_pixel(layout, &kernel) };
}

#[track_caller]
fn check(from: &Layout, to: &Layout) {
    assert_eq!((from.batch, from.channels), (to.batch, to.channels), "resizing changes neither batch nor channels");
}

/// For each pixel of an axis, the pixels that it is a sum of, with their weights.
type Axis = Vec<Vec<(usize, f32)>>;

fn weights(interpolation: Interpolation, alignment: Alignment, size: usize, new: usize) -> Axis {
    let scale = match alignment {
        Alignment::Centers if new > 1 => (size - 1) as f64 / (new - 1) as f64,
        Alignment::Centers => 0.0,
        Alignment::Edges => size as f64 / new as f64,
    };
    let place = |index: usize| match alignment {
        Alignment::Centers => index as f64 * scale,
        Alignment::Edges => (index as f64 + 0.5) * scale - 0.5,
    };
    let last = size as isize - 1;
    let taps = |index: usize| -> Vec<(usize, f32)> {
        let taps: Vec<(isize, f64)> = match interpolation {
            Interpolation::Nearest => vec![((index * size / new) as isize, 1.0)],
            Interpolation::Bilinear => {
                let place = place(index).max(0.0);
                let (first, rest) = (place.floor() as isize, place.fract());
                vec![(first, 1.0 - rest), (first + 1, rest)]
            }
            Interpolation::Bicubic => {
                let place = place(index);
                let (first, rest) = (place.floor() as isize, place - place.floor());
                (-1..=2).map(|tap| (first + tap, cubic(tap as f64 - rest))).collect()
            }
        };
        // Beyond the edge the outermost pixel goes on.
        let mut merged: Vec<(usize, f32)> = Vec::new();
        for (pixel, weight) in taps {
            let pixel = pixel.clamp(0, last) as usize;
            match merged.iter_mut().find(|(known, _)| *known == pixel) {
                Some((_, sum)) => *sum += weight as f32,
                None => merged.push((pixel, weight as f32)),
            }
        }
        merged.retain(|(_, weight)| *weight != 0.0);
        merged
    };
    (0..new).map(taps).collect()
}

/// Keys' convolution kernel.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    let x = x.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((x - 5.0) * x + 8.0) * x * A - 4.0 * A
    } else {
        0.0
    }
}

fn transposed(axis: &Axis, size: usize) -> Axis {
    let mut transposed = vec![Vec::new(); size];
    for (to, taps) in axis.iter().enumerate() {
        taps.iter().for_each(|&(from, weight)| transposed[from].push((to, weight)));
    }
    transposed
}

/// Where interpolated pixels go.
trait Results: Sync {
    /// Takes a vector of channels of a pixel.
    ///
    /// # Safety
    /// The machine must have the instruction set, and the pixel and its channels be there, for nobody else.
    unsafe fn put<S: Simd>(&self, place: Place, channel: usize, value: S::V);
}

impl Results for Target {
    #[inline(always)]
    unsafe fn put<S: Simd>(&self, place: Place, channel: usize, value: S::V) {
        // SAFETY: the caller's promise.
        unsafe { self.store::<S>(place.pixel, channel, value) }
    }
}

/// Planes of so many channels, `area` floats each.
struct Planes {
    start: SharedMut,
    channels: usize,
    area: usize,
}

impl Results for Planes {
    #[inline(always)]
    unsafe fn put<S: Simd>(&self, place: Place, channel: usize, value: S::V) {
        let mut lanes = [0.0f32; WIDEST];
        // SAFETY: there are as many lanes, and the planes have these channels and pixels.
        unsafe {
            S::store(lanes.as_mut_ptr(), value);
            for (lane, channel) in (channel..self.channels.min(channel + S::LANES)).enumerate() {
                let pixel = place.pixel - place.image * self.area;
                let at = (place.image * self.channels + channel) * self.area + pixel;
                self.start.get().add(at).write(lanes[lane]);
            }
        }
    }
}

struct WeightedSums<R> {
    from: Source,
    from_layout: Layout,
    /// Of the target's size.
    addend: Option<Source>,
    to: R,
    rows: Axis,
    cols: Axis,
}

impl<R: Results> PixelKernel for WeightedSums<R> {
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, place: Place, channel: usize) {
        // SAFETY: the caller's promise.
        unsafe { self.sum::<S>(place, channel, &self.rows[place.row], &self.cols[place.col]) }
    }

    /// Straight lines have one or two taps along each axis, whose number the compiler then knows.
    #[inline(always)]
    unsafe fn pixel<S: Simd>(&self, place: Place, channels: usize) {
        let (rows, cols) = (&self.rows[place.row][..], &self.cols[place.col][..]);
        for channel in (0..channels).step_by(S::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                match (rows, cols) {
                    ([a, b], [c, d]) => self.sum::<S>(place, channel, &[*a, *b], &[*c, *d]),
                    ([a, b], [c]) => self.sum::<S>(place, channel, &[*a, *b], &[*c]),
                    ([a], [c, d]) => self.sum::<S>(place, channel, &[*a], &[*c, *d]),
                    _ => self.sum::<S>(place, channel, rows, cols),
                }
            }
        }
    }
}

impl<R: Results> WeightedSums<R> {
    /// # Safety
    /// As [`PixelKernel::vector`].
    #[inline(always)]
    unsafe fn sum<S: Simd>(&self, place: Place, channel: usize, rows: &[(usize, f32)], cols: &[(usize, f32)]) {
        // SAFETY: the caller's promise; all places lie in the source.
        unsafe {
            let mut sum = S::zero();
            for &(row, row_weight) in rows {
                let first = (place.image * self.from_layout.height + row) * self.from_layout.width;
                let mut line = S::zero();
                for &(col, weight) in cols {
                    line = S::mul_add(self.from.load::<S>(first + col, channel), S::splat(weight), line);
                }
                sum = S::mul_add(line, S::splat(row_weight), sum);
            }
            if let Some(addend) = &self.addend {
                sum = S::add(sum, addend.load::<S>(place.pixel, channel));
            }
            self.to.put::<S>(place, channel, sum);
        }
    }
}
