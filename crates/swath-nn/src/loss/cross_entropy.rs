//! Softmax cross-entropy with PyTorch's `torch.nn.CrossEntropyLoss(reduction="mean")` as its definition.
//!
//! With labels `y_i`, class weights `w`, smoothing `e`, `C` classes and scores `p`, over labelled pixels `i`:
//!
//! ```text
//! L = sum_i sum_c t_ic w_c (-log p_ic) / sum_i w_(y_i),   t_ic = (1 - e) [c = y_i] + e / C
//! ```
//!
//! The divisor holds the weights of the true classes only, also with smoothing. Differs from PyTorch where the
//! divisor is 0 (nothing labelled, or only classes of weight 0): the loss is 0 there and not NaN.

use burn::tensor::Tensor;

use super::CrossEntropyConfig;
use super::batch::{Batch, is_present, total};

/// # Shapes
/// - output: `[1]`
pub(super) fn forward(config: &CrossEntropyConfig, batch: &Batch) -> Tensor<1> {
    let [_, classes, _, _] = batch.target.dims();
    let smoothing = config.label_smoothing;
    let mut hard = batch.target.clone();
    let mut soft = match smoothing {
        0.0 => hard.clone(),
        _ => {
            let even = batch.labelled.clone().mul_scalar(smoothing / classes as f64);
            hard.clone().mul_scalar(1.0 - smoothing) + even
        }
    };
    if let Some(weights) = &config.class_weights {
        let weights =
            Tensor::<1>::from_floats(&weights.iter().map(|w| *w as f32).collect::<Vec<_>>()[..], &hard.device())
                .reshape([1, classes, 1, 1]);
        hard = hard * weights.clone();
        soft = soft * weights;
    }
    let divisor = total(hard);
    // Adds 1 to a divisor of 0, above which the sum is 0 too.
    let divisor = divisor.clone() + (is_present(divisor).neg() + 1.0);
    total(soft * batch.log_scores.clone()).neg() / divisor
}
