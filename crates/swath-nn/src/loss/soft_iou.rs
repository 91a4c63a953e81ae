//! Soft intersection over union (Rahman and Wang, "Optimizing Intersection-Over-Union in Deep Neural Networks for
//! Image Segmentation", 2016), for any number of classes.
//!
//! With scores `p`, one-hot labels `y` and sums over the labelled pixels of the whole batch:
//!
//! ```text
//! L = 1 - 1/C sum_c I_c / U_c,   I_c = sum(p_c y_c),   U_c = sum(p_c + y_c - p_c y_c)
//! ```
//!
//! A class that no labelled pixel of the batch has gets no gradient from the formula, since `I_c` is 0 whatever is
//! predicted. Its ratio counts as 1 here and not as 0: so the gradients are the formula's, a perfect prediction has
//! loss 0 whichever classes a batch holds, and so has a batch without labels. No epsilon is needed, because `U_c` is
//! at least the number of pixels of a class that is there.

use burn::tensor::Tensor;

use super::batch::{Batch, is_present, per_class};

/// # Shapes
/// - output: `[1]`
pub(super) fn forward(batch: &Batch) -> Tensor<1> {
    let scores = batch.log_scores.clone().exp() * batch.labelled.clone();
    let pixels = per_class(batch.target.clone());
    let intersection = per_class(scores.clone() * batch.target.clone());
    let union = per_class(scores) + pixels.clone() - intersection.clone();
    let present = is_present(pixels);
    // Adds 1 to the union of absent classes, which may be 0 and is multiplied by 0 below.
    let absent = present.clone().neg() + 1.0;
    let ratio = intersection / (union + absent);
    (present * (ratio.neg() + 1.0)).mean()
}
