//! The distance of outlines whose first corner is anyone's choice.
//!
//! Girard, Tarabalka: *End-to-End Learning of Polygons for Remote Sensing Image Classification*. IGARSS 2018. With `n` predicted
//! corners `p_i` and true ones `t_i`, both in the same sense of rotation:
//!
//! ```text
//! L = min over shifts s of  1/n sum_i |p_i - t_(i + s mod n)|
//! ```
//!
//! and the mean over the batch. Where a predicted corner is a true one the distance has no slope; the root is taken of a number that is
//! larger by 1e-12, a millionth of a patch beside the distance.

use burn::tensor::Tensor;
use burn::tensor::activation::sigmoid;

/// The mean distance of corners, for the shift that makes it least, in sides of the patch.
///
/// # Shapes
/// - `outlines`: `[batch, x and y of each corner]`, before the sigmoid
/// - `corners`: the same, true corners from 0 to 1
/// - output: `[1]`
///
/// # Panics
/// When the shapes differ, or hold no pairs of numbers.
pub fn corner_distance(outlines: Tensor<2>, corners: Tensor<2>) -> Tensor<1> {
    let [batch, numbers] = outlines.dims();
    assert_eq!(corners.dims(), [batch, numbers], "corners must be as many as outlines have");
    assert!(numbers > 0 && numbers.is_multiple_of(2), "{numbers} numbers are no pairs of x and y");
    let count = numbers / 2;
    let found = sigmoid(outlines).reshape([batch, 1, count, 2]);
    let truth = corners.reshape([batch, count, 2]);
    let shifted = |by: usize| match by {
        0 => truth.clone(),
        _ => Tensor::cat(vec![truth.clone().narrow(1, by, count - by), truth.clone().narrow(1, 0, by)], 1),
    };
    let shifts = Tensor::stack::<4>((0..count).map(shifted).collect(), 1);
    let distances = (found - shifts).square().sum_dim(3).add_scalar(1e-12).sqrt();
    distances.mean_dim(2).min_dim(1).mean()
}
