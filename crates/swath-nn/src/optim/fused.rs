//! A step of AdamW on `swath-kernels`.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, ExtensionType, Flex, backend_extension};
use burn::optim::{AdaptiveMomentumState, LearningRate};
use burn::tensor::Tensor;
use swath_kernels::{AdamW, Buffer};

use super::Options;
use crate::ops::kernels::{contiguous, is_served, values};

#[backend_extension(Flex)]
trait AdamWOps: Backend {
    /// New weights and averages.
    fn adamw(
        weights: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        step: AdamW,
    ) -> Stepped<Self>;
}

/// What a step gives.
#[derive(ExtensionType)]
struct Stepped<B: Backend> {
    weights: FloatTensor<B>,
    first: FloatTensor<B>,
    second: FloatTensor<B>,
}

impl AdamWOps for Flex {
    fn adamw(
        weights: FlexTensor,
        gradient: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
        step: AdamW,
    ) -> Stepped<Self> {
        let (mut first, mut second) = (own(first), own(second));
        let shape = weights.layout().shape().clone();
        let (weights, gradient) = (values(&weights), values(&gradient));
        let mut out = Buffer::new(weights.len());
        // Written in place where nobody else holds them.
        step.step(&weights, &gradient, [first.storage_mut(), second.storage_mut()], &mut out);
        Stepped { weights: contiguous(out, shape), first, second }
    }
}

/// The tensor, with nothing but its values in memory, in order.
fn own(tensor: FlexTensor) -> FlexTensor {
    if tensor.is_contiguous() && tensor.storage::<f32>().len() == tensor.layout().num_elements() {
        return tensor;
    }
    let mut copy = Buffer::new(tensor.layout().num_elements());
    copy.copy_from_slice(&values(&tensor));
    contiguous(copy, tensor.layout().shape().clone())
}

/// Whether a parameter, or its gradient, can be given to [`step`].
pub(super) fn serves<const D: usize>(tensor: &Tensor<D>) -> bool {
    is_served(tensor) && !tensor.device().is_autodiff()
}

/// One step: the new weights and averages.
pub(super) fn step<const D: usize>(
    options: Options,
    lr: LearningRate,
    weights: Tensor<D>,
    gradient: Tensor<D>,
    state: Option<AdaptiveMomentumState<D>>,
) -> (Tensor<D>, AdaptiveMomentumState<D>) {
    let Options { betas, epsilon, weight_decay } = options;
    let state = state.unwrap_or_else(|| AdaptiveMomentumState::new(0, weights.zeros_like(), weights.zeros_like()));
    let time = state.time + 1;
    let decay = (1.0 - lr * f64::from(weight_decay)) as f32;
    let step = AdamW { rate: lr as f32, decay, betas, epsilon, time: time as i32 };
    let (first, second) = (state.moment_1.into_dispatch(), state.moment_2.into_dispatch());
    let new = <Dispatch as AdamWOps>::adamw(weights.into_dispatch(), gradient.into_dispatch(), first, second, step);
    let [weights, first, second] = [new.weights, new.first, new.second].map(Tensor::from_dispatch);
    (weights, AdaptiveMomentumState::new(time, first, second))
}
