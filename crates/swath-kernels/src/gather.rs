//! Direct convolutions: gather what an output needs, then multiply.
//!
//! Convolutions, transposed convolutions and the gradients of both by their inputs are one thing here: each output pixel
//! is a sum over taps, and the input pixel of a tap depends linearly on the output pixel. Where a stride would make taps
//! come and go from pixel to pixel, outputs are split into phases, the classes of pixels with the same taps
//! (Dumoulin, Visin: *A guide to convolution arithmetic for deep learning*, 2016, section 4).

pub(crate) mod filter;
pub(crate) mod forward;
pub(crate) mod lines;
#[cfg(target_arch = "x86_64")]
mod points;
#[cfg(target_arch = "x86_64")]
mod repair;
#[cfg(target_arch = "x86_64")]
mod strip;
pub(crate) mod weights;

use crate::image::Layout;

/// Outputs that share their taps: rows `first[0] + i * step[0]` for `i` in `0..count[0]`, and columns alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    pub first: [usize; 2],
    pub step: [usize; 2],
    pub count: [usize; 2],
    pub taps: Vec<Tap>,
}

/// A tap: output `i` of its phase reads the input at `i * stride + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    pub offset: [isize; 2],
    /// Where its weights lie in the kernel: `row * columns + column`.
    pub index: usize,
}

impl Phase {
    /// The numbers of outputs from number `first` of the phase on, image by image and row by row.
    #[inline(always)]
    fn pixels(&self, layout: &Layout, first: usize, mut out: &mut [usize]) {
        let [rows, cols] = self.count;
        let (mut image, mut row, mut col) = (first / cols / rows, first / cols % rows, first % cols);
        while !out.is_empty() {
            let (line, rest) = out.split_at_mut(out.len().min(cols - col));
            self.pixels_of_line(layout, [image, row, col], line);
            (out, row, col) = (rest, row + 1, 0);
            if row == rows {
                (image, row) = (image + 1, 0);
            }
        }
    }

    /// The numbers of outputs of a row of the phase, from one of its columns on.
    #[inline(always)]
    fn pixels_of_line(&self, layout: &Layout, [image, row, col]: [usize; 3], out: &mut [usize]) {
        let line = image * layout.height + self.first[0] + row * self.step[0];
        let first = line * layout.width + self.first[1] + col * self.step[1];
        for (index, pixel) in out.iter_mut().enumerate() {
            *pixel = first + index * self.step[1];
        }
    }

    /// The image of one of the phase's outputs, and its row and column within the phase.
    #[inline(always)]
    fn locate(&self, layout: &Layout, pixel: usize) -> [usize; 3] {
        let (line, col) = (pixel / layout.width, pixel % layout.width);
        let row = line % layout.height;
        [line / layout.height, (row - self.first[0]) / self.step[0], (col - self.first[1]) / self.step[1]]
    }
}

/// How outputs depend on inputs, in space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    pub phases: Vec<Phase>,
    /// Input pixels from one output of a phase to the next.
    pub stride: [usize; 2],
}

/// Kernel size, stride, dilation and padding before the first pixel, rows and columns each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub dilation: [usize; 2],
    pub padding: [usize; 2],
}

impl Pattern {
    /// A convolution with `output` rows and columns.
    pub(crate) fn convolution(geometry: &Geometry, output: [usize; 2]) -> Pattern {
        let taps =
            taps(geometry, |axis, k| Some((k * geometry.dilation[axis]) as isize - geometry.padding[axis] as isize));
        let phase = Phase { first: [0, 0], step: [1, 1], count: output, taps };
        Pattern { phases: vec![phase], stride: geometry.stride }
    }

    /// The transposed of [`convolution`](Self::convolution): a transposed convolution, or the gradient by the input, with `output`
    /// rows and columns.
    pub(crate) fn transposed(geometry: &Geometry, output: [usize; 2]) -> Pattern {
        let [rows, cols] = geometry.stride;
        let phase = |first: [usize; 2]| {
            let count = [0, 1].map(|axis| output[axis].saturating_sub(first[axis]).div_ceil(geometry.stride[axis]));
            // Input i contributes to output o where o = i * stride + k * dilation - padding.
            let taps = taps(geometry, |axis, k| {
                let from = (first[axis] + geometry.padding[axis]) as isize - (k * geometry.dilation[axis]) as isize;
                let stride = geometry.stride[axis] as isize;
                (from % stride == 0).then_some(from / stride)
            });
            Phase { first, step: geometry.stride, count, taps }
        };
        let phases = (0..rows).flat_map(|row| (0..cols).map(move |col| [row, col])).map(phase).collect();
        Pattern { phases, stride: [1, 1] }
    }
}

/// The taps of a kernel whose offsets along an axis `offset(axis, k)` knows; without one a tap never meets these outputs.
fn taps(geometry: &Geometry, offset: impl Fn(usize, usize) -> Option<isize>) -> Vec<Tap> {
    let [rows, cols] = geometry.kernel;
    let places = (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col)));
    let tap = |(row, col)| {
        let offset = [offset(0, row)?, offset(1, col)?];
        Some(Tap { offset, index: row * cols + col })
    };
    places.filter_map(tap).collect()
}

/// Groups of channels that are computed together, so that vectors are full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Groups {
    /// How many of them.
    pub count: usize,
    /// Input channels of each.
    pub inputs: usize,
    /// Output channels of each.
    pub outputs: usize,
    /// Groups of the convolution in each; where there are several, the weights between them are zeros.
    pub merged: usize,
}

impl Groups {
    /// Merges as few groups as make whole vectors of inputs and outputs; all where no number does.
    pub(crate) fn new(groups: usize, inputs: usize, outputs: usize) -> Groups {
        let (inputs, outputs) = (inputs / groups, outputs / groups);
        let whole = |merged: &usize| {
            groups.is_multiple_of(*merged)
                && (inputs * merged).is_multiple_of(crate::simd::WIDEST)
                && (outputs * merged).is_multiple_of(crate::simd::WIDEST)
        };
        let merged = (1..=groups).find(whole).unwrap_or(groups);
        Groups { count: groups / merged, inputs: inputs * merged, outputs: outputs * merged, merged }
    }
}
