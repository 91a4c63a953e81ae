//! Images of random values, and sums in f64 to compare with.

use proptest::prelude::*;
use swath_kernels::{Convolution, Layout};

/// Reproducible values between -1 and 1.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn value(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }

    pub(crate) fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.value()).collect()
    }

    /// Images with random channels, and 1e30 in the padding, which nothing may read.
    pub(crate) fn image(&mut self, layout: &Layout) -> Vec<f32> {
        let mut image = vec![1e30; layout.len()];
        for pixel in image.chunks_mut(layout.pixel) {
            pixel[..layout.channels].fill_with(|| self.value());
        }
        image
    }
}

/// `[image, channel, row, column]` of a padded image, in f64.
pub(crate) fn planes(layout: &Layout, image: &[f32]) -> Vec<f64> {
    let area = layout.height * layout.width;
    let place = |index: usize| (index / (layout.channels * area), index / area % layout.channels, index % area);
    let value = |(batch, channel, pixel)| image[(batch * area + pixel) * layout.pixel + channel];
    (0..layout.pixels() * layout.channels).map(place).map(value).map(f64::from).collect()
}

/// The convolution by its definition: planes in, planes out.
pub(crate) fn convolve(
    convolution: &Convolution,
    layout: &Layout,
    image: &[f64],
    weights: &[f32],
    [height, width]: [usize; 2],
) -> Vec<f64> {
    let mut out = vec![0.0; layout.batch * convolution.outputs * height * width];
    each_product(convolution, layout.batch, [layout.height, layout.width], [height, width], |from, weight, to| {
        out[to] += image[from] * f64::from(weights[weight]);
    });
    out
}

/// The transposed convolution by its definition: each input is spread over the output.
pub(crate) fn convolve_transposed(
    convolution: &Convolution,
    layout: &Layout,
    image: &[f64],
    weights: &[f32],
    [height, width]: [usize; 2],
) -> Vec<f64> {
    // The convolution that leads back, from the output's channels to the input's.
    let back = Convolution { inputs: convolution.outputs, outputs: convolution.inputs, ..*convolution };
    let mut out = vec![0.0; layout.batch * convolution.outputs * height * width];
    each_product(&back, layout.batch, [height, width], [layout.height, layout.width], |to, weight, from| {
        out[to] += image[from] * f64::from(weights[weight]);
    });
    out
}

/// Calls `visit` with the positions of input, weight and output for every product of a convolution.
pub(crate) fn each_product(
    convolution: &Convolution,
    batch: usize,
    [height, width]: [usize; 2],
    [rows, cols]: [usize; 2],
    mut visit: impl FnMut(usize, usize, usize),
) {
    let Convolution { inputs, outputs, kernel, stride, dilation, padding, groups } = *convolution;
    let (own_in, own_out) = (inputs / groups, outputs / groups);
    for image in 0..batch {
        for to in 0..outputs {
            for from in 0..own_in {
                let channel = to / own_out * own_in + from;
                for (ky, kx) in (0..kernel[0]).flat_map(|ky| (0..kernel[1]).map(move |kx| (ky, kx))) {
                    let weight = ((to * own_in + from) * kernel[0] + ky) * kernel[1] + kx;
                    for row in 0..rows {
                        let y = (row * stride[0] + ky * dilation[0]).wrapping_sub(padding[0][0]);
                        if y >= height {
                            continue;
                        }
                        for col in 0..cols {
                            let x = (col * stride[1] + kx * dilation[1]).wrapping_sub(padding[1][0]);
                            if x < width {
                                let input = ((image * inputs + channel) * height + y) * width + x;
                                visit(input, weight, ((image * outputs + to) * rows + row) * cols + col);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Root of the mean square of the difference, over the standard deviation of what is expected.
pub(crate) fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let count = expected.len() as f64;
    let mean = expected.iter().sum::<f64>() / count;
    let deviation = (expected.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt();
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / count;
    difference.sqrt() / deviation.max(1e-30)
}

/// Any convolution that Winograd's methods compute, otherwise as [`convolutions`].
pub(crate) fn winograd_convolutions() -> impl Strategy<Value = (Convolution, usize, [usize; 2])> {
    let channels = (1usize..40, 1usize..40);
    let padding = ((0usize..5, 0usize..5), (0usize..5, 0usize..5));
    let dilation = prop_oneof![Just((1, 1)), (1usize..6).prop_map(|side| (side, side)), (1usize..6, 1usize..6)];
    (channels, dilation, padding, 1usize..3, (1usize..25, 1usize..25)).prop_map(
        |((inputs, outputs), dilation, padding, batch, size)| {
            let convolution = Convolution {
                dilation: dilation.into(),
                padding: [padding.0.into(), padding.1.into()],
                ..Convolution::new(inputs, outputs).kernel(3)
            };
            (convolution, batch, size.into())
        },
    )
}

/// Any depthwise convolution of a kind that networks have, otherwise as [`convolutions`].
pub(crate) fn depthwise_convolutions() -> impl Strategy<Value = (Convolution, usize, [usize; 2])> {
    let channels = prop::sample::select(vec![1usize, 16, 20, 96]);
    let side = || prop::sample::select(vec![1usize, 3, 5, 7]);
    let kernel = ((side(), side()), (1usize..3, 1usize..3), (1usize..3, 1usize..3));
    let padding = ((0usize..5, 0usize..5), (0usize..5, 0usize..5));
    (channels, kernel, padding, 1usize..3, (1usize..25, 1usize..25)).prop_map(
        |(channels, kernel, padding, batch, size)| {
            let (kernel, stride, dilation) = kernel;
            let convolution = Convolution {
                kernel: kernel.into(),
                stride: stride.into(),
                dilation: dilation.into(),
                padding: [padding.0.into(), padding.1.into()],
                ..Convolution::new(channels, channels).groups(channels)
            };
            (convolution, batch, size.into())
        },
    )
}

/// Any convolution with small sizes, a batch and rows and columns of an image, which it need not fit.
pub(crate) fn convolutions() -> impl Strategy<Value = (Convolution, usize, [usize; 2])> {
    let channels = (1usize..=3, 1usize..20, 1usize..20);
    let kernel = ((1usize..5, 1usize..5), (1usize..4, 1usize..4), (1usize..4, 1usize..3));
    let padding = ((0usize..4, 0usize..4), (0usize..4, 0usize..4));
    (channels, kernel, padding, 1usize..3, (1usize..20, 1usize..20)).prop_map(
        |(channels, kernel, padding, batch, size)| {
            let (groups, inputs, outputs) = channels;
            let (kernel, stride, dilation) = kernel;
            let convolution = Convolution {
                inputs: inputs * groups,
                outputs: outputs * groups,
                kernel: kernel.into(),
                stride: stride.into(),
                dilation: dilation.into(),
                padding: [padding.0.into(), padding.1.into()],
                groups,
            };
            (convolution, batch, size.into())
        },
    )
}

/// A value that is bfloat16, the nearest one.
pub(crate) fn rounded(value: f32) -> f32 {
    let bits = value.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}
