//! AdamW on the kernels beside Burn's.

use burn::optim::{AdamWConfig, AdamWState, Optimizer};
use burn::tensor::{Device, Distribution, Tensor};
use swath_nn::optim::AdamW;

const RATE: f64 = 3e-3;

fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f32> {
    tensor.to_data().try_into_vec().expect("floats")
}

/// All that a step gives, of several in a row.
fn check<const D: usize>(shape: [usize; D], weight_decay: f32) {
    let device = Device::flex();
    let random = || Tensor::<D>::random(shape, Distribution::Normal(0.0, 1.0), &device);
    let ours = AdamW::new([0.9, 0.99], 1e-8, weight_decay);
    let theirs = AdamWConfig::new().with_beta_2(0.99).with_epsilon(1e-8).with_weight_decay(weight_decay).build();
    let start = random();
    let mut our_side: (Tensor<D>, Option<AdamWState<D>>) = (start.clone(), None);
    let mut their_side = (start.clone(), None);
    for step in 0..4 {
        // Gradients of any order in memory.
        let gradient = if D > 1 && step % 2 == 1 { random().swap_dims(0, 1).reshape(shape) } else { random() };
        our_side = ours.step(RATE, our_side.0, gradient.clone(), our_side.1);
        their_side = theirs.step(RATE, their_side.0, gradient, their_side.1);
        let states = [&our_side.1, &their_side.1].map(|state| state.as_ref().expect("a state").momentum.clone());
        assert_eq!(states[0].time, states[1].time);
        let [ours, theirs] = states.map(|state| [values(&state.moment_1), values(&state.moment_2)]);
        assert!(ours == theirs, "averages of {shape:?} differ in step {step}");
        assert!(values(&our_side.0) == values(&their_side.0), "weights of {shape:?} differ in step {step}");
    }
    assert!(values(&start) != values(&our_side.0), "nothing was learned");
}

#[test]
fn steps_are_burns_to_the_bit() {
    for weight_decay in [0.0, 0.05] {
        check([1], weight_decay);
        check([37], weight_decay);
        check([16, 5, 3, 3], weight_decay);
        // More than one item of the kernel, and an odd rest.
        check([67, 61, 3, 3], weight_decay);
        check([33, 1001], weight_decay);
    }
}

#[test]
fn states_that_somebody_holds_stay_as_they_were() {
    let device = Device::flex();
    let gradient = Tensor::<2>::ones([3, 5], &device);
    let optimizer = AdamW::new([0.9, 0.99], 1e-8, 0.0);
    let (weights, state) = optimizer.step(RATE, gradient.clone(), gradient.clone(), None);
    let held = state.as_ref().expect("a state").momentum.moment_1.clone();
    let before = values(&held);
    let (_, next) = optimizer.step(RATE, weights, gradient, state);
    assert_eq!(values(&held), before);
    assert_ne!(values(&next.expect("a state").momentum.moment_1), before);
}
