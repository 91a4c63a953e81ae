//! What every term needs of a batch, computed once.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Scores and targets of a batch.
pub(super) struct Batch {
    /// Logarithm of the softmax, `[batch, class, height, width]`.
    pub(super) log_scores: Tensor<4>,
    /// 1 at the class of each labelled pixel and 0 elsewhere, `[batch, class, height, width]`.
    pub(super) target: Tensor<4>,
    /// 1 at labelled pixels and 0 at ignored ones, `[batch, 1, height, width]`.
    pub(super) labelled: Tensor<4>,
}

impl Batch {
    /// # Shapes
    /// - logits: `[batch, class, height, width]`
    /// - labels: `[batch, height, width]`
    pub(super) fn new(logits: Tensor<4>, labels: Tensor<3, Int>) -> Batch {
        let [_, classes, _, _] = logits.dims();
        let ids = Tensor::<1, Int>::arange(0..classes as i64, &labels.device()).reshape([1, classes, 1, 1]);
        // A label that is no class equals none of the ids, so its column of the target is all 0.
        let target = labels.unsqueeze_dim::<4>(1).equal(ids).float();
        let labelled = target.clone().sum_dim(1);
        Batch { log_scores: log_softmax(logits, 1), target, labelled }
    }
}

/// The sum over everything, axis by axis: partial sums keep `f32` exact enough for millions of pixels, where one
/// running sum would lose small addends.
///
/// # Shapes
/// - output: `[1]`
pub(super) fn total(values: Tensor<4>) -> Tensor<1> {
    per_class(values).sum()
}

/// The sum over batch, rows and columns.
///
/// # Shapes
/// - values: `[batch, class, height, width]`
/// - output: `[class]`
pub(super) fn per_class(values: Tensor<4>) -> Tensor<1> {
    let [_, classes, _, _] = values.dims();
    values.sum_dim(3).sum_dim(2).sum_dim(0).reshape([classes])
}

/// 0 where the value is 0, else 1.
pub(super) fn is_present(values: Tensor<1>) -> Tensor<1> {
    values.not_equal_scalar(0.0).float()
}
