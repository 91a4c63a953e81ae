//! Convolutions and transposed convolutions.

use proptest::prelude::*;
use swath_kernels::{Activation, Bias, Convolution, Epilogue, Isa, Layout, Method, Plan, Precision};

use crate::support::{
    Random, convolutions, convolve, convolve_transposed, depthwise_convolutions, error, planes, winograd_convolutions,
};

/// Bounds of the error, relative to the standard deviation of the result.
pub(crate) const DIRECT: f64 = 1e-6;
const BF16X2: f64 = 8e-6;
const WINOGRAD2: f64 = 2e-6;
const WINOGRAD4: f64 = 1e-5;
const WINOGRAD6: f64 = 2.5e-5;
const BF16: f64 = 6e-3;

pub(crate) fn bound(plan: &Plan) -> f64 {
    match (plan.precision(), plan.method()) {
        (Precision::Bf16, _) => BF16,
        (Precision::Bf16x2, _) => BF16X2,
        (_, Method::Direct | Method::Depthwise) => DIRECT,
        (_, Method::Winograd2) => WINOGRAD2,
        (_, Method::Winograd4) => WINOGRAD4,
        (_, Method::Winograd6) => WINOGRAD6,
    }
}

/// All ways to compute a convolution.
pub(crate) fn ways(plan: &Plan) -> Vec<Plan> {
    let precisions = [Precision::Fp32, Precision::Bf16x3, Precision::Bf16x2, Precision::Bf16];
    let precisions = precisions.map(|precision| plan.clone().with_precision(precision));
    let methods = [Method::Direct, Method::Depthwise, Method::Winograd2, Method::Winograd4, Method::Winograd6];
    let ways = precisions.iter().flat_map(|plan| methods.map(|method| (method, plan.clone().with_method(method))));
    let mut known = Vec::new();
    ways.filter(|(method, plan)| plan.method() == *method)
        .filter(|(method, plan)| {
            let new = !known.contains(&(*method, plan.precision()));
            known.push((*method, plan.precision()));
            new
        })
        .map(|(_, plan)| plan)
        .collect()
}

/// Runs the plan with every instruction set and compares with f64; on several images where outputs are few, whose mean error may by chance be anything.
fn check(plan: &Plan, convolution: &Convolution, transposed: bool, seed: u64) {
    let mut random = Random::new(seed);
    let size = [plan.output().height, plan.output().width];
    let definition = if transposed { convolve_transposed } else { convolve };
    let mut errors = vec![0.0; Isa::available().len()];
    // The variance that sums of such products have.
    let mut variance = f64::MIN_POSITIVE;
    for _ in 0..256usize.div_ceil(plan.output().pixels() * plan.output().channels) {
        let image = random.image(plan.input());
        let weights = random.values(convolution.weights());
        let inputs = planes(plan.input(), &image);
        let expected = definition(convolution, plan.input(), &inputs, &weights, size);
        let squares: Vec<f64> = inputs.iter().map(|value| value * value).collect();
        let weight_squares: Vec<f32> = weights.iter().map(|weight| weight * weight).collect();
        variance += definition(convolution, plan.input(), &squares, &weight_squares, size).iter().sum::<f64>();
        for (isa, error) in Isa::available().into_iter().zip(&mut errors) {
            let plan = plan.clone().with_isa(isa);
            let filter = plan.filter(&weights).expect("as many weights as it needs");
            let mut out = vec![f32::NAN; plan.output().len()];
            plan.run(&image, &filter, &Epilogue::default(), &mut out);
            let out = planes(plan.output(), &out);
            *error += out.iter().zip(&expected).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        }
    }
    for (isa, error) in Isa::available().into_iter().zip(errors) {
        let (plan, error) = (plan.clone().with_isa(isa), (error / variance).sqrt());
        let method = plan.method();
        assert!(
            error <= bound(&plan),
            "{} {method:?} {:?}: error {error:.2e} for {convolution:?} of {:?}",
            isa.name(),
            plan.precision(),
            plan.input()
        );
    }
}

fn check_convolution(convolution: Convolution, batch: usize, [height, width]: [usize; 2]) {
    let layout = Layout::new(batch, height, width, convolution.inputs);
    let plan = Plan::convolution(&convolution, layout).expect("a plan");
    for plan in ways(&plan) {
        check(&plan, &convolution, false, 1);
    }
}

/// With filters that no cache holds, all threads work on the same tiles: the first channels have the bits that they have with a filter of these alone.
#[test]
fn large_filters_have_the_bits_of_small_ones() {
    let (all, few) = (Convolution::new(640, 256).kernel(3).padding(1), Convolution::new(640, 64).kernel(3).padding(1));
    let layout = Layout::new(1, 38, 34, 640);
    let mut random = Random::new(7);
    let (image, weights) = (random.image(&layout), random.values(all.weights()));
    let isas = Isa::available();
    for isa in isas.into_iter().rev().take(2) {
        for method in [Method::Winograd4, Method::Winograd6] {
            let [large, small] =
                [(all, &weights[..]), (few, &weights[..few.weights()])].map(|(convolution, weights)| {
                    let plan =
                        Plan::convolution(&convolution, layout).expect("a plan").with_isa(isa).with_method(method);
                    let filter = plan.filter(weights).expect("as many weights as it needs");
                    let mut out = vec![f32::NAN; plan.output().len()];
                    plan.run(&image, &filter, &Epilogue::default(), &mut out);
                    out
                });
            for (pixel, (large, small)) in large.chunks(256).zip(small.chunks(64)).enumerate() {
                assert!(large[..64] == small[..], "{} {method:?}, pixel {pixel}", isa.name());
            }
        }
    }
}

#[test]
fn shapes_of_networks() {
    let conv = Convolution::new;
    // U-Net's 3x3.
    check_convolution(conv(32, 32).kernel(3).padding(1), 1, [40, 36]);
    check_convolution(conv(64, 32).kernel(3).padding(1), 2, [16, 16]);
    check_convolution(conv(128, 96).kernel(3).padding(1), 1, [8, 8]);
    // Stems.
    for bands in [3, 4, 10, 12, 13] {
        check_convolution(conv(bands, 32).kernel(3).padding(1), 1, [17, 19]);
        check_convolution(conv(bands, 64).kernel(7).stride(2).padding(3), 1, [33, 47]);
    }
    // Strides, 1x1, odd sizes.
    check_convolution(conv(32, 48).kernel(3).stride(2).padding(1), 2, [33, 47]);
    check_convolution(conv(64, 256), 1, [14, 15]);
    check_convolution(conv(512, 64), 1, [7, 7]);
    check_convolution(conv(24, 40).kernel(3).padding(1), 1, [33, 47]);
    check_convolution(conv(16, 16).kernel(3).padding(1), 3, [1, 29]);
    check_convolution(conv(32, 2), 1, [30, 31]);
    // Dilation.
    for dilation in [2, 6, 12, 18] {
        check_convolution(conv(32, 32).kernel(3).dilation(dilation).padding(dilation), 1, [20, 23]);
    }
    // Groups and depthwise.
    check_convolution(conv(64, 64).kernel(3).padding(1).groups(32), 1, [12, 13]);
    check_convolution(conv(64, 128).kernel(3).padding(1).groups(4), 1, [12, 13]);
    check_convolution(conv(40, 40).kernel(5).stride(2).padding(2).groups(40), 1, [12, 13]);
    check_convolution(conv(9, 6).kernel(3).padding(1).groups(3), 2, [12, 13]);
    check_convolution(conv(96, 96).kernel(7).padding(3).groups(96), 2, [20, 23]);
    check_convolution(conv(1, 1).kernel(3).padding(1), 1, [20, 23]);
    check_convolution(conv(24, 48).kernel(3).padding(1).groups(24), 1, [12, 13]);
    // Asymmetric padding.
    let asymmetric = Convolution { padding: [[0, 1], [2, 0]], ..conv(32, 32).kernel(3) };
    check_convolution(asymmetric, 1, [18, 21]);
    check_convolution(Convolution { stride: [2, 1], kernel: [2, 5], ..asymmetric }, 1, [18, 21]);
}

#[test]
fn transposed_convolutions() {
    let conv = Convolution::new;
    let cases = [
        (conv(32, 16).kernel(2).stride(2), [0, 0]),
        (conv(48, 24).kernel(4).stride(2).padding(1), [0, 0]),
        (conv(16, 16).kernel(3).stride(2).padding(1), [1, 1]),
        (conv(5, 7).kernel(64).stride(32).padding(16), [0, 0]),
        (conv(16, 32).kernel(3).padding(1), [0, 0]),
        (conv(16, 16).kernel(3).stride(3).dilation(2).groups(4), [2, 0]),
        // Bilinear upsampling, as FCN has it.
        (conv(21, 21).kernel(4).stride(2).padding(1).groups(21), [0, 0]),
        (conv(5, 5).kernel(16).stride(8).padding(4).groups(5), [0, 0]),
        (conv(16, 16).kernel(5).padding(2).dilation(2).groups(16), [1, 0]),
        // Outputs that no input reaches.
        (conv(16, 16).kernel(2).stride(3).groups(16), [1, 0]),
        (conv(16, 16).kernel(2).stride(3), [1, 0]),
    ];
    for (convolution, extra) in cases {
        let layout = Layout::new(2, 5, 7, convolution.inputs);
        let plan = Plan::transposed(&convolution, layout, extra).expect("a plan");
        for plan in ways(&plan) {
            check(&plan, &convolution, true, 2);
        }
    }
}

#[test]
fn methods_are_chosen_by_shape() {
    let method = |convolution: Convolution, side: usize| {
        let layout = Layout::new(1, side, side + 5, convolution.inputs);
        let back = Plan::input_gradient(&convolution, layout).expect("a plan").method();
        let plan = Plan::convolution(&convolution, layout).expect("a plan");
        assert_eq!(plan.method(), back, "{convolution:?}");
        // Two parts are for tiles; elsewhere they are floats.
        let tiles = Isa::best().name() == "amx" && plan.method() != Method::Depthwise;
        let parts = plan.clone().with_precision(Precision::Bf16x2);
        let expected = if tiles { (Method::Direct, Precision::Bf16x2) } else { (plan.method(), Precision::Fp32) };
        assert_eq!((parts.method(), parts.precision()), expected, "{convolution:?}");
        plan.method()
    };
    let same = |channels: usize, dilation: usize| {
        Convolution::new(channels, channels).kernel(3).dilation(dilation).padding(dilation)
    };
    assert_eq!(method(same(32, 1), 6), Method::Winograd4);
    assert_eq!(method(same(32, 1), 24), Method::Winograd6);
    // Too much of its tiles would lie beyond the edge.
    assert_eq!(method(same(32, 1), 20), Method::Winograd4);
    // Filters of 64 MB are read for 30 tiles, or for 110.
    assert_eq!(method(same(512, 1), 30), Method::Winograd4);
    assert_eq!(method(same(512, 1), 60), Method::Winograd6);
    assert_eq!(method(same(32, 1), 5), Method::Winograd2);
    assert_eq!(method(same(32, 1), 2), Method::Direct);
    assert_eq!(method(same(15, 1), 32), Method::Direct);
    // Scores of few classes, which fill a vector all the same, and first layers of some bands.
    let to = |inputs: usize, outputs: usize| Convolution { outputs, ..same(inputs, 1) };
    let forward = |convolution: Convolution, side: usize| {
        let plan = Plan::convolution(&convolution, Layout::new(1, side, side, convolution.inputs)).expect("a plan");
        plan.method()
    };
    assert_eq!([(to(16, 2), 64), (to(10, 32), 24)].map(|(to, side)| forward(to, side)), [Method::Winograd6; 2]);
    assert_eq!([(to(16, 2), 60), (to(5, 32), 64)].map(|(to, side)| forward(to, side)), [Method::Direct; 2]);
    // With a dilation, what counts is the map of one phase.
    assert_eq!(method(same(32, 5), 32), Method::Winograd4);
    assert_eq!(method(same(32, 6), 32), Method::Winograd2);
    assert_eq!(method(same(32, 12), 32), Method::Direct);
    assert_eq!(method(same(32, 40), 32), Method::Direct);
    assert_eq!(method(same(32, 2).groups(32), 32), Method::Depthwise);
    assert_eq!(method(same(32, 2).groups(8), 32), Method::Direct);
}

/// Inputs that are multiplied where they lie, and the same inputs in pixels that kernels cannot step over and therefore gather.
#[test]
fn gathering_changes_no_bit() {
    for (inputs, outputs, kernel, stride, dilation, groups) in [
        (3, 32, 3, 1, 1, 1),
        (3, 40, 7, 2, 1, 1),
        (10, 17, 3, 2, 2, 1),
        (16, 24, 2, 1, 3, 1),
        (32, 64, 1, 1, 1, 1),
        (6, 9, 3, 1, 1, 3),
        (4, 8, 5, 3, 1, 1),
    ] {
        let convolution = Convolution::new(inputs, outputs).kernel(kernel).stride(stride).dilation(dilation);
        let convolution = Convolution { padding: [[kernel / 2, 0], [1, kernel]], ..convolution.groups(groups) };
        let mut random = Random::new(3);
        let weights = random.values(convolution.weights());
        let own = Layout::new(2, 11, 37, inputs);
        let wide = own.within(80);
        let image = random.image(&wide);
        let mut packed = vec![0.0; own.len()];
        for (to, from) in packed.chunks_mut(own.pixel).zip(image.chunks(wide.pixel)) {
            to[..inputs].copy_from_slice(&from[..inputs]);
        }
        for isa in Isa::available() {
            let [in_place, gathered] = [(own, &packed), (wide, &image)].map(|(layout, image)| {
                let plan = Plan::convolution(&convolution, layout).expect("a plan");
                let plan = plan.with_method(Method::Direct).with_isa(isa);
                let filter = plan.filter(&weights).expect("a filter");
                let mut out = vec![0.0; plan.output().len()];
                plan.run(image, &filter, &Epilogue::default(), &mut out);
                planes(plan.output(), &out).into_iter().map(f64::to_bits).collect::<Vec<_>>()
            });
            assert!(in_place == gathered, "{}: {convolution:?}", isa.name());
        }
        let plan = |layout| Plan::convolution(&convolution, layout).expect("a plan").with_precision(Precision::Bf16);
        for isa in Isa::available() {
            // Faster than gathered pairs, but not than tiles.
            let floats = inputs < 16 && stride < 3 && isa.name() != "amx";
            let precision = plan(own).with_method(Method::Direct).with_isa(isa).precision();
            assert_eq!(precision == Precision::Fp32, floats, "{}: {convolution:?}", isa.name());
        }
        assert_eq!(plan(wide).with_method(Method::Direct).precision(), Precision::Bf16);
    }
}

#[test]
fn depthwise_convolutions_finish_and_use_wider_images() {
    let convolution = Convolution::new(20, 20).groups(20).kernel(3).padding(1).stride(2);
    let layout = Layout::new(2, 13, 18, 20);
    let wide = layout.within(48);
    let plan = Plan::convolution(&convolution, layout).expect("a plan").from_wider(48).into_wider(64);
    assert_eq!(plan.method(), Method::Depthwise);
    let mut random = Random::new(9);
    let (image, weights, bias) = (random.image(&wide), random.values(convolution.weights()), random.values(20));
    let small = Layout::new(2, 7, 9, 20);
    let addend = random.image(&small);
    let sums = convolve(&convolution, &wide, &planes(&wide, &image), &weights, [7, 9]);
    let added = planes(&small, &addend);
    let expected: Vec<f64> =
        (0..sums.len()).map(|i| (sums[i] + f64::from(bias[i / 63 % 20]) + added[i]).max(0.0)).collect();
    let bias = Bias::new(&bias);
    for isa in Isa::available() {
        let plan = plan.clone().with_isa(isa);
        let filter = plan.filter(&weights).expect("a filter");
        assert_eq!(filter.bytes(), 9 * 32 * 4);
        let mut out = vec![7.0; plan.output().len()];
        let add = Some((addend.as_slice(), small));
        plan.run(
            &image,
            &filter,
            &Epilogue { bias: Some(&bias), add, activation: Activation::Relu, ..Epilogue::default() },
            &mut out,
        );
        assert!(error(&planes(plan.output(), &out), &expected) < DIRECT, "{}", isa.name());
        assert!(out.chunks(64).all(|pixel| pixel.iter().skip(32).all(|&value| value == 7.0)));
    }
}

#[test]
#[should_panic(expected = "a filter for another method")]
fn filters_belong_to_their_method() {
    let convolution = Convolution::new(16, 16).groups(16).kernel(3);
    let plan = Plan::convolution(&convolution, Layout::new(1, 3, 3, 16)).expect("a plan");
    let filter = plan.clone().with_method(Method::Direct).filter(&[1.0; 144]).expect("a filter");
    plan.run(&[0.0; 144], &filter, &Epilogue::default(), &mut [0.0; 16]);
}

#[test]
fn wrong_shapes_are_told() {
    let layout = Layout::new(1, 4, 4, 16);
    let message = |convolution: Convolution| Plan::convolution(&convolution, layout).expect_err("an error").to_string();
    assert!(message(Convolution::new(16, 16).kernel(5)).contains("[5, 5]"));
    assert!(message(Convolution::new(16, 16).stride(0)).contains("stride"));
    assert!(message(Convolution::new(8, 16)).contains("16 channels"));
    assert!(message(Convolution::new(16, 16).groups(3)).contains("3 groups"));
    let plan = Plan::convolution(&Convolution::new(16, 16), layout).expect("a plan");
    assert!(plan.filter(&[0.0; 7]).err().expect("an error").to_string().contains("7 weights"));
    let huge = Layout::new(usize::MAX / 8, 4, 4, 16);
    assert!(Plan::convolution(&Convolution::new(16, 16), huge).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_convolution((convolution, batch, size) in convolutions()) {
        if convolution.output_size(size).is_ok() {
            check_convolution(convolution, batch, size);
        }
    }

    #[test]
    fn any_transposed_convolution((convolution, batch, [height, width]) in convolutions()) {
        let layout = Layout::new(batch, height, width, convolution.inputs);
        if let Ok(plan) = Plan::transposed(&convolution, layout, [0, 0]) {
            for plan in ways(&plan) {
                check(&plan, &convolution, true, 6);
            }
        }
    }

    #[test]
    fn any_depthwise_convolution((convolution, batch, size) in depthwise_convolutions()) {
        if convolution.output_size(size).is_ok() {
            check_convolution(convolution, batch, size);
        }
    }

    #[test]
    fn any_transposed_depthwise_convolution((convolution, batch, [height, width]) in depthwise_convolutions()) {
        let layout = Layout::new(batch, height, width, convolution.inputs);
        if let Ok(plan) = Plan::transposed(&convolution, layout, [0, 0]) {
            prop_assert_eq!(plan.method(), Method::Depthwise);
            check(&plan, &convolution, true, 6);
            check(&plan.with_method(Method::Direct), &convolution, true, 6);
        }
    }

    #[test]
    fn any_3x3_by_winograd((convolution, batch, size) in winograd_convolutions()) {
        if convolution.output_size(size).is_ok() {
            check_convolution(convolution, batch, size);
        }
    }

    #[test]
    fn any_transposed_3x3_by_winograd((convolution, batch, [height, width]) in winograd_convolutions()) {
        let layout = Layout::new(batch, height, width, convolution.inputs);
        if let Ok(plan) = Plan::transposed(&convolution, layout, [0, 0]) {
            for method in [Method::Direct, Method::Winograd2, Method::Winograd4, Method::Winograd6] {
                check(&plan.clone().with_method(method), &convolution, true, 6);
            }
        }
    }
}
