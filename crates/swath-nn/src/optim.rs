//! Optimizers, for those of Burn that are slow on `cpu`.

use burn::optim::{AdamWConfig, AdamWState, LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

#[cfg(feature = "cpu")]
mod fused;

/// AdamW (Loshchilov and Hutter, *Decoupled Weight Decay Regularization*, 2019): Burn's, with the same states and records. On `cpu`, with feature
/// `cpu`, each parameter is read and written once in a step, which gives the same numbers several times faster.
#[derive(Clone)]
pub struct AdamW {
    options: Options,
    by_operations: burn::optim::AdamW,
}

/// What AdamW computes with.
#[derive(Clone, Copy, Debug)]
struct Options {
    betas: [f32; 2],
    epsilon: f32,
    weight_decay: f32,
}

impl AdamW {
    /// With decay rates of the averages of gradients and of their squares.
    pub fn new(betas: [f32; 2], epsilon: f32, weight_decay: f32) -> AdamW {
        let by_operations = AdamWConfig::new()
            .with_beta_1(betas[0])
            .with_beta_2(betas[1])
            .with_epsilon(epsilon)
            .with_weight_decay(weight_decay)
            .build();
        AdamW { options: Options { betas, epsilon, weight_decay }, by_operations }
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<AdamWState<D>>,
    ) -> (Tensor<D>, Option<AdamWState<D>>) {
        #[cfg(feature = "cpu")]
        if fused::serves(&tensor) && fused::serves(&grad) {
            let (weights, state) = fused::step(self.options, lr, tensor, grad, state.map(|state| state.momentum));
            return (weights, Some(AdamWState::new(state)));
        }
        self.by_operations.step(lr, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: AdamWState<D>, device: &Device) -> AdamWState<D> {
        burn::optim::AdamW::to_device(state, device)
    }
}
