//! Training with convolutions of bfloat16.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::Param;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Distribution, Tensor};
use swath_nn::{Precision, ops};

/// The nearest bfloat16.
fn rounded(tensor: &Tensor<4>) -> Tensor<4> {
    // Dekker's splitting: 8 bits are left.
    let scaled = tensor.clone().mul_scalar(65537.0);
    Tensor::from_data((scaled.clone() - (scaled - tensor.clone())).into_data(), &tensor.device())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("floats")
}

/// Output, and gradients by input and weights of `sum(output * factors)`.
fn pass(precision: Precision, conv: &Conv2d, x: &Tensor<4>, factors: &Tensor<4>) -> [Vec<f32>; 3] {
    let x = x.clone().require_grad();
    let y = precision.scope(|| ops::conv(conv, x.clone()));
    let gradients = (y.clone() * factors.clone()).sum().backward();
    let by_input = x.grad(&gradients).expect("a gradient");
    let by_weights = conv.weight.val().grad(&gradients).expect("a gradient");
    [values(y), values(by_input), values(by_weights)]
}

fn difference(a: &[f32], b: &[f32]) -> f64 {
    let square = |value: f32| f64::from(value).powi(2);
    let (differences, squares): (f64, f64) =
        a.iter().zip(b).fold((0.0, 0.0), |(d, s), (a, b)| (d + square(a - b), s + square(*b)));
    (differences / squares).sqrt()
}

#[test]
fn nothing_but_operands_is_rounded_forward_and_backward() {
    let device = Device::flex().autodiff();
    for (kernel, stride, padding) in [(3, 1, 1), (3, 2, 1), (1, 1, 0), (2, 2, 0)] {
        let padding = PaddingConfig2d::Explicit(padding, padding, padding, padding);
        let config = Conv2dConfig::new([40, 56], [kernel, kernel]).with_stride([stride, stride]).with_padding(padding);
        let mut conv = config.with_bias(false).init(&device);
        let random = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let x = random([2, 40, 24, 31]);
        let factors = random(conv.forward(x.clone()).dims());
        let exact = pass(Precision::Fp32, &conv, &x, &factors);
        let of_pairs = pass(Precision::Bf16, &conv, &x, &factors);
        for (index, (of_pairs, exact)) in of_pairs.iter().zip(&exact).enumerate() {
            let error = difference(of_pairs, exact);
            match Precision::Bf16.trains() {
                true => assert!((1e-4..1e-2).contains(&error), "kernel {kernel}, {index}: {error:.1e}"),
                false => assert!(error < 1e-6, "kernel {kernel}, {index}: {error:.1e}"),
            }
        }
        // What is rounded already stays as it is.
        conv.weight = Param::from_tensor(rounded(&conv.weight.val()));
        let (x, factors) = (rounded(&x), rounded(&factors));
        let exact = pass(Precision::Fp32, &conv, &x, &factors);
        let of_pairs = pass(Precision::Bf16, &conv, &x, &factors);
        for (index, (of_pairs, exact)) in of_pairs.iter().zip(&exact).enumerate() {
            let error = difference(of_pairs, exact);
            // Transforms of floats have an error of their own.
            assert!(error < 1e-5, "kernel {kernel}, {index}: {error:.1e} of rounded operands");
        }
    }
}

#[test]
fn a_scope_ends_with_its_work() {
    let device = Device::flex().autodiff();
    let conv = Conv2dConfig::new([32, 32], [3, 3]).init(&device);
    let x = Tensor::<4>::random([1, 32, 9, 9], Distribution::Normal(0.0, 1.0), &device);
    let forward = || values(ops::conv(&conv, x.clone()));
    let usual = forward();
    let inner = Precision::Bf16.scope(|| (Precision::Fp32.scope(forward), forward()));
    assert_eq!(inner.0, usual);
    assert_eq!(inner.1 != usual, Precision::Bf16.trains());
    assert_eq!(forward(), usual);
    let broken = catch_unwind(AssertUnwindSafe(|| Precision::Bf16.scope(|| panic!("in a scope"))));
    assert!(broken.is_err());
    assert_eq!(forward(), usual);
}
