//! Convolutions of pairs of bfloat16 with whole words of channels, which some processors multiply in tiles.

use proptest::prelude::*;
use swath_kernels::{Activation, Bias, Convolution, Epilogue, Isa, Layout, Method, Plan, Precision};

use crate::convolution::DIRECT;
use crate::support::{Random, convolutions, convolve, error, planes, rounded};

/// Any convolution whose groups have whole words of channels, and images some tiles wide.
fn whole_words() -> impl Strategy<Value = (Convolution, usize, [usize; 2])> {
    convolutions().prop_map(|(convolution, batch, size)| {
        let groups = convolution.groups;
        let inputs = 32 * (1 + convolution.inputs / groups % 3) * groups;
        (Convolution { inputs, outputs: 3 * convolution.outputs, ..convolution }, batch, size.map(|side| 2 * side))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_but_the_operands_is_rounded((convolution, batch, size) in whole_words(), seed in 0u64..1000) {
        let layout = Layout::new(batch, size[0], size[1], convolution.inputs);
        let layout = layout.within(layout.pixel + 16 * (seed as usize % 3));
        let Ok(plan) = Plan::convolution(&convolution, layout) else { return Ok(()) };
        let plan = plan.with_precision(Precision::Bf16).with_method(Method::Direct);
        let mut random = Random::new(seed);
        let image: Vec<f32> = random.image(&layout).into_iter().map(rounded).collect();
        let weights: Vec<f32> = random.values(convolution.weights()).into_iter().map(rounded).collect();
        let (bias, add) = (random.values(convolution.outputs), random.image(plan.output()));
        let size = [plan.output().height, plan.output().width];
        let inputs = planes(&layout, &image);
        let sums = convolve(&convolution, &layout, &inputs, &weights, size);
        // What is summed, without signs, to which errors of single precision are in proportion.
        let sizes: Vec<f64> = inputs.iter().map(|value| value.abs()).collect();
        let weight_sizes: Vec<f32> = weights.iter().map(|value| value.abs()).collect();
        let sizes = convolve(&convolution, &layout, &sizes, &weight_sizes, size);
        let added = planes(plan.output(), &add);
        let shift = |at: usize| f64::from(bias[at / (size[0] * size[1]) % convolution.outputs]) + added[at];
        let expected: Vec<f64> = (0..sums.len()).map(|at| (sums[at] + shift(at)).max(0.0)).collect();
        let bounds: Vec<f64> = (0..sums.len()).map(|at| 1e-6 * (sizes[at] + shift(at).abs() + 1.0)).collect();
        let bias = Bias::new(&bias);
        for isa in Isa::available() {
            let plan = plan.clone().with_isa(isa);
            let filter = plan.filter(&weights).expect("a filter");
            let epilogue = Epilogue {
                bias: Some(&bias), add: Some((&add, *plan.output())), activation: Activation::Relu, function: None,
            };
            let mut out = vec![f32::NAN; plan.output().len()];
            plan.run(&image, &filter, &epilogue, &mut out);
            for (at, found) in planes(plan.output(), &out).into_iter().enumerate() {
                let error = (found - expected[at]).abs();
                prop_assert!(
                    error <= bounds[at], "{}: {error:.1e} for {convolution:?} of {layout:?}", isa.name()
                );
            }
        }
    }
}

/// A pixel that is not finite reaches the outputs that read it, and no others: not those whose tile it fills up.
#[test]
fn what_is_not_finite_stays_where_it_is_read() {
    let convolution = Convolution::new(32, 40).kernel(3).padding(1);
    let layout = Layout::new(2, 9, 21, 32);
    let plan = Plan::convolution(&convolution, layout).expect("a plan").with_precision(Precision::Bf16);
    let mut random = Random::new(5);
    let weights = random.values(convolution.weights());
    for (row, col) in [(0, 0), (4, 16), (8, 20), (3, 15)] {
        let mut image = random.image(&layout);
        image[(row * 21 + col) * 32 + 7] = f32::NAN;
        for isa in Isa::available() {
            let plan = plan.clone().with_method(Method::Direct).with_isa(isa);
            let mut out = vec![0.0; plan.output().len()];
            plan.run(&image, &plan.filter(&weights).expect("a filter"), &Epilogue::default(), &mut out);
            for (pixel, values) in out.chunks(plan.output().pixel).enumerate() {
                let near = pixel < 9 * 21 && (pixel / 21).abs_diff(row) < 2 && (pixel % 21).abs_diff(col) < 2;
                let all = values[..40].iter().all(|value| value.is_nan() == near);
                assert!(all, "{}: pixel {pixel} for {row}, {col}", isa.name());
            }
        }
    }
}

/// What is multiplied in bfloat16 is the rounded image and the rounded weights, and nothing else is lost.
#[test]
fn bf16_rounds_the_operands_only() {
    for (inputs, taps) in [(64, 3), (48, 1), (3, 3), (5, 2)] {
        let convolution = Convolution::new(inputs, 24).kernel(taps);
        // A few channels of wide pixels: alone they would be multiplied where they lie, in floats.
        let layout = Layout::new(1, 9, 8, inputs).within(80);
        let mut random = Random::new(7);
        let (image, weights) = (random.image(&layout), random.values(convolution.weights()));
        let plan = Plan::convolution(&convolution, layout).expect("a plan").with_precision(Precision::Bf16);
        let plan = plan.with_method(Method::Direct);
        assert_eq!(plan.precision(), Precision::Bf16);
        let image_rounded: Vec<f32> = image.iter().copied().map(rounded).collect();
        let size = [plan.output().height, plan.output().width];
        let weights_rounded: Vec<f32> = weights.iter().copied().map(rounded).collect();
        let expected = convolve(&convolution, &layout, &planes(&layout, &image_rounded), &weights_rounded, size);
        for isa in Isa::available() {
            let plan = plan.clone().with_isa(isa);
            let filter = plan.filter(&weights).expect("a filter");
            let mut out = vec![0.0; plan.output().len()];
            plan.run(&image, &filter, &Epilogue::default(), &mut out);
            let error = error(&planes(plan.output(), &out), &expected);
            assert!(error < DIRECT, "{}: {error} for {inputs} channels", isa.name());
        }
    }
}
