//! Changes of size: upsampling between levels, resizing of the logits, padding to whole strides.

use burn::tensor::ops::InterpolateMode;
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::ops;

/// How a decoder doubles the resolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Upsampling {
    /// Learned 2x2 transposed convolution of stride 2, U-Net's own "up-convolution".
    #[default]
    Transposed,
    /// Bilinear interpolation.
    Bilinear,
    /// Each pixel becomes four.
    Nearest,
}

/// Bilinear resizing to a size in pixels, with half-pixel centres (`align_corners = false` in PyTorch).
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, size[0], size[1]]`
pub fn resize(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if [height, width] == size { x } else { ops::resample(x, InterpolateMode::Bilinear, size) }
}

/// Bilinear resizing to a size in pixels, with the centres of the corner pixels kept in place (`align_corners = true` in
/// PyTorch).
///
/// # Shapes
/// As [`resize`].
pub fn resize_corners(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    if [height, width] == size { x } else { ops::resample_corners(x, InterpolateMode::Bilinear, size) }
}

/// Doubles height and width without parameters: `bilinear` or by repetition.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, 2 h, 2 w]`
pub fn upsample(x: Tensor<4>, bilinear: bool) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let mode = if bilinear { InterpolateMode::Bilinear } else { InterpolateMode::Nearest };
    ops::resample(x, mode, [2 * height, 2 * width])
}

/// Extends the lower and right edge to a multiple of `multiple` by mirroring without repeating the edge pixel, as
/// the scene readers extend a scene. Sizes below the padding are mirrored as often as needed.
///
/// # Shapes
/// - `x`: `[batch, channels, H, W]`
/// - output: `[batch, channels, ceil(H / multiple) multiple, ceil(W / multiple) multiple]`
pub(crate) fn pad_mirror(x: Tensor<4>, multiple: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let x = extend(x, 2, height, height.next_multiple_of(multiple));
    extend(x, 3, width, width.next_multiple_of(multiple))
}

/// Keeps the upper left part.
pub(crate) fn crop(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    if [height, width] == size { x } else { x.slice([0..batch, 0..channels, 0..size[0], 0..size[1]]) }
}

fn extend(x: Tensor<4>, axis: usize, from: usize, to: usize) -> Tensor<4> {
    if from == to {
        return x;
    }
    let index: Vec<i64> = (0..to).map(|i| mirror(i, from) as i64).collect();
    let index = Tensor::<1, Int>::from_data(TensorData::new(index, [to]), &x.device());
    x.select(axis, index)
}

/// Position within `0..size` that the mirrored position `i` shows: 0 1 2 | 1 0 1 2 ...
fn mirror(i: usize, size: usize) -> usize {
    let period = 2 * (size - 1);
    if period == 0 {
        return 0;
    }
    let i = i % period;
    i.min(period - i)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_turns_at_the_edge_without_repeating_it() {
        let seen: Vec<usize> = (0..8).map(|i| mirror(i, 3)).collect();
        assert_eq!(seen, [0, 1, 2, 1, 0, 1, 2, 1]);
        assert_eq!((0..3).map(|i| mirror(i, 1)).collect::<Vec<_>>(), [0, 0, 0]);
    }

    #[test]
    fn padding_mirrors_and_cropping_undoes_it() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats([1., 2., 3., 4., 5., 6.], &device).reshape([1, 1, 2, 3]);
        let padded = pad_mirror(x.clone(), 4);
        let expected = [1., 2., 3., 2., 4., 5., 6., 5., 1., 2., 3., 2., 4., 5., 6., 5.];
        assert_eq!(padded.to_data().try_to_vec::<f32>().unwrap(), expected);
        assert_eq!(crop(padded, [2, 3]).to_data(), x.to_data());
    }
}
