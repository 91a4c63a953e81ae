//! One output by definition.

use super::{Convolution, Layout};

/// The sum over the kernel for an output channel at `[image, row, col]`, in f64; 0 for channels that are padding.
pub(crate) fn output(
    convolution: &Convolution,
    layout: &Layout,
    input: &[f32],
    weights: &[f32],
    [image, row, col]: [usize; 3],
    channel: usize,
) -> f32 {
    let Convolution { inputs, outputs, groups, kernel, stride, dilation, padding, .. } = *convolution;
    if channel >= outputs {
        return 0.0;
    }
    let own = inputs / groups;
    let group = channel / (outputs / groups);
    let mut sum = 0.0;
    for ky in 0..kernel[0] {
        for kx in 0..kernel[1] {
            let row = (row * stride[0] + ky * dilation[0]).wrapping_sub(padding[0][0]);
            let col = (col * stride[1] + kx * dilation[1]).wrapping_sub(padding[1][0]);
            if row >= layout.height || col >= layout.width {
                continue;
            }
            let pixel = &input[((image * layout.height + row) * layout.width + col) * layout.pixel..];
            for from in 0..own {
                let weight = weights[((channel * own + from) * kernel[0] + ky) * kernel[1] + kx];
                sum += f64::from(pixel[group * own + from]) * f64::from(weight);
            }
        }
    }
    sum as f32
}
