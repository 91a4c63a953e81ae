//! Depthwise convolutions: each channel by itself. Channels are lanes, inputs are read where they lie, and sums stay in registers.
//!
//! `y[pixel][c] = sum over taps of x[pixel + tap][c] w[tap][c]`
//!
//! Rows of taps that lie outside of the image are left out for a whole row of outputs; columns are looked at near the edge only.

use std::ops::Range;

use crate::gather::Tap;
use crate::image::{Layout, padded};
use crate::memory::Buffer;

pub(crate) mod forward;
pub(crate) mod weights;

/// Kernels of all channels: `[tap][channel]`, with zeros for the padding of channels.
pub(crate) struct Kernels(Buffer);

impl Kernels {
    /// From weights `[channel][tap]`.
    pub(crate) fn new(weights: &[f32], channels: usize) -> Kernels {
        let taps = weights.len() / channels;
        let mut values = Buffer::zeroed(taps * padded(channels));
        for (tap, row) in values.chunks_exact_mut(padded(channels)).enumerate() {
            for (channel, value) in row[..channels].iter_mut().enumerate() {
                *value = weights[channel * taps + tap];
            }
        }
        Kernels(values)
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.0.len() * size_of::<f32>()
    }
}

/// The taps whose row of an image of `height` rows exists, for outputs that read from `row` on. Offsets rise or fall from tap to tap, so
/// that these are neighbours.
#[inline(always)]
fn rows_inside(taps: &[Tap], row: usize, height: usize) -> &[Tap] {
    let inside = |tap: &Tap| row.wrapping_add_signed(tap.offset[0]) < height;
    let first = taps.iter().position(inside).unwrap_or(taps.len());
    let count = taps[first..].iter().take_while(|tap| inside(tap)).count();
    &taps[first..first + count]
}

/// Those of some output columns whose taps all lie in an image of `width` columns.
#[inline(always)]
fn columns_inside(taps: &[Tap], stride: usize, width: usize, columns: &Range<usize>) -> Range<usize> {
    let offsets = || taps.iter().map(|tap| tap.offset[1]);
    let (least, most) = (offsets().min().unwrap_or(0), offsets().max().unwrap_or(0));
    // 0 <= column stride + offset < width
    let reach = |edge: isize| (edge.max(0) as usize).div_ceil(stride).clamp(columns.start, columns.end);
    let (first, last) = (reach(-least), reach(width as isize - most));
    first..last.max(first)
}

/// Floats from a pixel to the one that a tap reads for it.
#[inline(always)]
fn distance(tap: &Tap, layout: &Layout) -> isize {
    (tap.offset[0] * layout.width as isize + tap.offset[1]) * layout.pixel as isize
}
