//! Changes of size around a network: resizing of the logits, mirrored edges, crops.

use burn::tensor::ops::InterpolateMode;
use burn::tensor::{Int, Tensor, TensorData};

use crate::ops;

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

/// Mirrors an image at its edges without repeating the edge pixel, as the scene readers extend a scene: `before` more rows
/// above and columns on the left, and as many below and on the right as make up `size`. Images below the padding are
/// mirrored as often as needed.
///
/// # Shapes
/// - `x`: `[batch, channels, H, W]`
/// - output: `[batch, channels, size[0], size[1]]`
pub(crate) fn pad_mirror(x: Tensor<4>, before: usize, size: [usize; 2]) -> Tensor<4> {
    let x = extend(x, 2, before, size[0]);
    extend(x, 3, before, size[1])
}

/// The part of a size that begins at a row and column.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, size[0], size[1]]`
pub(crate) fn crop(x: Tensor<4>, [row, col]: [usize; 2], size: [usize; 2]) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let range = |first: usize, len: usize| first..first + len;
    if [height, width] == size { x } else { x.slice([0..batch, 0..channels, range(row, size[0]), range(col, size[1])]) }
}

fn extend(x: Tensor<4>, axis: usize, before: usize, to: usize) -> Tensor<4> {
    let from = x.dims()[axis];
    if from == to {
        return x;
    }
    let index: Vec<i64> = (0..to).map(|i| mirror(i as isize - before as isize, from) as i64).collect();
    let index = Tensor::<1, Int>::from_data(TensorData::new(index, [to]), &x.device());
    x.select(axis, index)
}

/// Position within `0..size` that the mirrored position `i` shows: 2 1 | 0 1 2 | 1 0 1 2 ...
fn mirror(i: isize, size: usize) -> usize {
    let period = 2 * (size as isize - 1);
    if period == 0 {
        return 0;
    }
    let i = i.rem_euclid(period);
    i.min(period - i) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_turns_at_the_edge_without_repeating_it() {
        let seen: Vec<usize> = (-5..8).map(|i| mirror(i, 3)).collect();
        assert_eq!(seen, [1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1]);
        assert_eq!((0..3).map(|i| mirror(i, 1)).collect::<Vec<_>>(), [0, 0, 0]);
    }

    #[test]
    fn padding_mirrors_and_cropping_undoes_it() {
        let device = burn::tensor::Device::flex();
        let x = Tensor::<1>::from_floats([1., 2., 3., 4., 5., 6.], &device).reshape([1, 1, 2, 3]);
        let padded = pad_mirror(x.clone(), 0, [4, 4]);
        let expected = [1., 2., 3., 2., 4., 5., 6., 5., 1., 2., 3., 2., 4., 5., 6., 5.];
        assert_eq!(padded.to_data().try_to_vec::<f32>().unwrap(), expected);
        assert_eq!(crop(padded, [0, 0], [2, 3]).to_data(), x.to_data());
        let around = pad_mirror(x.clone(), 1, [4, 5]);
        let expected = [5., 4., 5., 6., 5., 2., 1., 2., 3., 2., 5., 4., 5., 6., 5., 2., 1., 2., 3., 2.];
        assert_eq!(around.to_data().try_to_vec::<f32>().unwrap(), expected);
        assert_eq!(crop(around, [1, 1], [2, 3]).to_data(), x.to_data());
    }
}
