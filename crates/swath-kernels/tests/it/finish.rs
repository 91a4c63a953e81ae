//! What happens to the results of convolutions before they are stored, and where they go.

use swath_kernels::{
    Activation, Bias, Convolution, Epilogue, Function, Head, Isa, Layout, Method, Plan, Pooling, Precision, map,
    max_pool, unpack,
};

use crate::convolution::{bound, ways};
use crate::support::{Random, convolve, error, planes};

#[test]
fn the_epilogue_adds_and_activates() {
    let convolution = Convolution::new(16, 20).kernel(3).padding(1);
    let layout = Layout::new(1, 9, 10, 16);
    let mut random = Random::new(3);
    let (image, weights, bias) = (random.image(&layout), random.values(convolution.weights()), random.values(20));
    let plan = Plan::convolution(&convolution, layout).expect("a plan");
    let addend = random.image(plan.output());
    let sums = convolve(&convolution, &layout, &planes(&layout, &image), &weights, [9, 10]);
    let added = planes(plan.output(), &addend);
    let expected: Vec<f64> =
        (0..sums.len()).map(|index| (sums[index] + f64::from(bias[index / 90]) + added[index]).max(0.0)).collect();
    let bias = Bias::new(&bias);
    for (isa, plan) in Isa::available().into_iter().flat_map(|isa| ways(&plan).into_iter().map(move |plan| (isa, plan)))
    {
        let plan = plan.with_isa(isa);
        let filter = plan.filter(&weights).expect("a filter");
        let mut out = vec![0.0; plan.output().len()];
        let add = Some((addend.as_slice(), *plan.output()));
        plan.run(
            &image,
            &filter,
            &Epilogue { bias: Some(&bias), add, activation: Activation::Relu, ..Epilogue::default() },
            &mut out,
        );
        let error = error(&planes(plan.output(), &out), &expected);
        assert!(error < bound(&plan), "{} {:?}: {error}", isa.name(), plan.method());
    }
}

#[test]
fn a_function_is_the_last_step() {
    let mut random = Random::new(17);
    for convolution in [Convolution::new(20, 20).kernel(3).padding(1).groups(20), Convolution::new(20, 20).kernel(3)] {
        let plan = Plan::convolution(&convolution, Layout::new(2, 21, 11, 20)).expect("a plan");
        let (image, weights) = (random.image(plan.input()), random.values(convolution.weights()));
        for (isa, plan) in
            Isa::available().into_iter().flat_map(|isa| ways(&plan).into_iter().map(move |plan| (isa, plan)))
        {
            let plan = plan.with_isa(isa).into_wider(48);
            let filter = plan.filter(&weights).expect("a filter");
            let [mut out, mut expected] = [vec![2.0; plan.output().len()], vec![2.0; plan.output().len()]];
            plan.run(&image, &filter, &Epilogue::default(), &mut expected);
            let epilogue = Epilogue { function: Some(Function::Gelu), ..Epilogue::default() };
            plan.run(&image, &filter, &epilogue, &mut out);
            let linear = expected.clone();
            map(Function::Gelu, (plan.output(), &linear), plan.output(), &mut expected);
            let same = out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-6 * (1.0 + b.abs()));
            assert!(same && out != linear, "{} {:?}", isa.name(), plan.method());
        }
    }
}

#[test]
fn a_wider_output_keeps_its_other_channels() {
    let convolution = Convolution::new(16, 16).kernel(3).padding(1);
    let layout = Layout::new(1, 9, 10, 16);
    let mut random = Random::new(4);
    let (image, weights) = (random.image(&layout), random.values(convolution.weights()));
    let plan = Plan::convolution(&convolution, layout).expect("a plan");
    for plan in ways(&plan) {
        let filter = plan.filter(&weights).expect("a filter");
        let mut alone = vec![0.0; plan.output().len()];
        plan.run(&image, &filter, &Epilogue::default(), &mut alone);
        let wide = plan.into_wider(48);
        let mut out = vec![7.0; 90 * 48];
        wide.run(&image, &filter, &Epilogue::default(), &mut out[16..]);
        for (pixel, own) in out.chunks(48).zip(alone.chunks(16)) {
            assert_eq!(&pixel[16..32], own);
            assert!(pixel[..16].iter().chain(&pixel[32..]).all(|&value| value == 7.0));
        }
    }
}

/// To the bit what pooling of the result gives.
#[test]
fn maxima_of_a_result_are_those_of_max_pooling() {
    for (size, dilation, channels) in [([13, 22], 1, 20), ([8, 7], 1, 32), ([26, 25], 1, 48), ([12, 15], 2, 16)] {
        let convolution = Convolution::new(16, channels).kernel(3).padding(dilation).dilation(dilation);
        let layout = Layout::new(2, size[0], size[1], 16);
        let mut random = Random::new(9);
        let (mut image, weights) = (random.image(&layout), random.values(convolution.weights()));
        image[(2 * size[1] + 3) * 16 + 1] = f32::NAN;
        image[(5 * size[1] + 6) * 16 + 5] = f32::NEG_INFINITY;
        let plan = Plan::convolution(&convolution, layout).expect("a plan");
        for (isa, plan) in
            Isa::available().into_iter().flat_map(|isa| ways(&plan).into_iter().map(move |plan| (isa, plan)))
        {
            let plan = plan.with_isa(isa).into_wider(64);
            let filter = plan.filter(&weights).expect("a filter");
            let epilogue = Epilogue { activation: Activation::Relu6, ..Epilogue::default() };
            let halved = Layout::new(2, size[0] / 2, size[1] / 2, channels).within(80);
            let (mut out, mut expected) = (vec![0.0; plan.output().len()], vec![0.0; halved.len()]);
            plan.run(&image, &filter, &epilogue, &mut out);
            max_pool(&Pooling::new(2, 2), plan.output(), &out, &halved, &mut expected);
            let (mut found_out, mut found) = (vec![0.0; plan.output().len()], vec![0.0; halved.len()]);
            plan.run_and_halve(&image, &filter, &epilogue, &mut found_out, (&halved, &mut found));
            let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert!(bits(&found_out) == bits(&out), "{} {:?}", isa.name(), plan.method());
            assert!(bits(&found) == bits(&expected), "{} {:?} {size:?}", isa.name(), plan.method());
        }
    }
}

#[test]
fn a_head_is_the_same_as_one_after_the_other() {
    let mut random = Random::new(11);
    // Channels of one panel and of several, whole vectors and not; many tiles and few.
    let cases = [
        (16, 16, 2, [40, 27]),
        (20, 24, 5, [13, 14]),
        (17, 80, 16, [31, 18]),
        (32, 33, 1, [4, 5]),
        (32, 96, 3, [21, 35]),
    ];
    for (isa, (inputs, between, outputs, [height, width])) in
        Isa::available().into_iter().flat_map(|isa| cases.into_iter().map(move |case| (isa, case)))
    {
        let convolution = Convolution::new(inputs, between).kernel(3).padding(1);
        let first =
            Plan::convolution(&convolution, Layout::new(2, height, width, inputs)).expect("a plan").with_isa(isa);
        for first in ways(&first) {
            let in_pairs = first.method() == Method::Direct && first.precision() == Precision::Bf16;
            let precision = if in_pairs { Precision::Bf16 } else { Precision::Fp32 };
            let second = Plan::convolution(&Convolution::new(between, outputs), *first.output()).expect("a plan");
            let second = second.with_isa(isa).with_precision(precision).into_wider(48);
            // In tiles of pairs, whole panels of 32 outputs.
            let taken = first.method() != Method::Direct || in_pairs && isa.has_tiles() && between % 32 == 0;
            assert_eq!(first.takes_head(&second), taken);
            if !taken {
                continue;
            }
            let image = random.image(first.input());
            let image = if first.method() == Method::Winograd4 { with_infinity(image) } else { image };
            let [weights, head] = [convolution.weights(), between * outputs].map(|len| random.values(len));
            let (weights, head) = (first.filter(&weights).expect("a filter"), second.filter(&head).expect("a filter"));
            let [bias, last] = [between, outputs].map(|len| Bias::new(&random.values(len)));
            let add = random.image(first.output());
            let add = Some((add.as_slice(), *first.output()));
            let epilogue = Epilogue { bias: Some(&bias), add, activation: Activation::Relu, ..Epilogue::default() };
            let of_head = Epilogue { bias: Some(&last), ..Epilogue::default() };

            let mut between = vec![0.0; first.output().len()];
            first.run(&image, &weights, &epilogue, &mut between);
            let mut expected = vec![7.0; second.output().len()];
            second.run(&between, &head, &of_head, &mut expected);
            let mut found = vec![7.0; second.output().len()];
            let head = Head { plan: &second, filter: &head, epilogue: &of_head };
            first.run_with_head(&image, &weights, &epilogue, &head, &mut found);
            let same =
                |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5 * (10.0 + b.abs()) || a == b || (a.is_nan() && b.is_nan());
            let differ = found.iter().zip(&expected).filter(|pair| !same(*pair)).count();
            assert_eq!(
                differ,
                0,
                "{} {:?} of {between:?} channels",
                isa.name(),
                first.method(),
                between = first.output()
            );
        }
    }
}

/// An infinite value in the third channel of a pixel.
fn with_infinity(mut image: Vec<f32>) -> Vec<f32> {
    let at = image.len() / 2 / 32 * 32 + 2;
    image[at] = f32::INFINITY;
    image
}

#[test]
fn what_is_no_head_is_refused() {
    let plan = |convolution: Convolution, layout| Plan::convolution(&convolution, layout).expect("a plan");
    let first = plan(Convolution::new(32, 32).kernel(3).padding(1), Layout::new(1, 24, 24, 32));
    let head = |convolution, layout| plan(convolution, layout).with_method(Method::Direct);
    let second = |outputs| head(Convolution::new(32, outputs), *first.output());
    assert!(first.takes_head(&second(16)));
    assert!(!first.takes_head(&second(17)));
    assert!(!first.takes_head(&head(Convolution::new(32, 8).kernel(3), *first.output())));
    assert!(!first.takes_head(&head(Convolution::new(32, 8), Layout::new(1, 23, 24, 32))));
    assert!(!first.takes_head(&second(8).with_precision(Precision::Bf16)));
    assert!(!first.clone().with_method(Method::Direct).takes_head(&second(8)));
}

/// Single images in planes, read and written, have the bits of the same images with channels last.
#[test]
fn planes_are_read_and_written() {
    let mut random = Random::new(17);
    let conv = Convolution::new;
    let cases = [
        (conv(3, 32).kernel(3).padding(1), [21, 40]),
        (conv(10, 5).kernel(7).stride(2).padding(3), [33, 47]),
        (conv(32, 17).kernel(3).dilation(2).padding(2), [9, 70]),
        (conv(24, 2), [13, 18]),
        (conv(17, 40).kernel(3).padding(1), [8, 8]),
    ];
    for (isa, (convolution, [height, width])) in
        Isa::available().into_iter().flat_map(|isa| cases.into_iter().map(move |case| (isa, case)))
    {
        let layout = Layout::new(1, height, width, convolution.inputs);
        let plan = Plan::convolution(&convolution, layout).expect("a plan").with_isa(isa);
        for plan in ways(&plan) {
            let what = format!("{} {:?} {:?}: {convolution:?}", isa.name(), plan.method(), plan.precision());
            let (image, weights) = (random.image(&layout), random.values(convolution.weights()));
            let (filter, bias) =
                (plan.filter(&weights).expect("a filter"), Bias::new(&random.values(convolution.outputs)));
            let addend = random.image(plan.output());
            let (add, activation) = (Some((&addend[..], *plan.output())), Activation::Relu);
            let epilogue = Epilogue { bias: Some(&bias), add, activation, function: None };
            let mut out = vec![f32::NAN; plan.output().len()];
            plan.run(&image, &filter, &epilogue, &mut out);
            let to_planes = |layout: &Layout, image: &[f32]| {
                let mut planes = vec![f32::NAN; layout.in_planes().len()];
                unpack(layout, image, &mut planes);
                planes
            };
            let of_image = *plan.output();
            if plan.writes_planes() {
                let plan = plan.clone().into_planes();
                let mut planes = vec![f32::NAN; plan.output().len()];
                plan.run(&image, &filter, &epilogue, &mut planes);
                assert!(planes == to_planes(&of_image, &out), "{what}");
            }
            if plan.reads_planes() {
                let read = Plan::convolution(&convolution, layout.in_planes()).expect("a plan").with_isa(isa);
                let read = read.with_precision(plan.precision()).with_method(plan.method());
                let mut found = vec![f32::NAN; plan.output().len()];
                read.run(&to_planes(&layout, &image), &filter, &epilogue, &mut found);
                assert!(to_planes(&of_image, &found) == to_planes(&of_image, &out), "{what}");
            }
            let head = conv(convolution.outputs, 3);
            let second = Plan::convolution(&head, *plan.output()).expect("a plan").with_isa(isa);
            let in_pairs = plan.method() == Method::Direct && plan.precision() == Precision::Bf16;
            let second = if in_pairs { second.with_precision(Precision::Bf16) } else { second };
            if plan.takes_head(&second) {
                let filter_of_head = second.filter(&random.values(head.weights())).expect("a filter");
                let mut results =
                    [&second, &second.clone().into_planes()].map(|plan| vec![f32::NAN; plan.output().len()]);
                for (second, out) in [second.clone(), second.clone().into_planes()].iter().zip(&mut results) {
                    let of_head = Epilogue::default();
                    let head = Head { plan: second, filter: &filter_of_head, epilogue: &of_head };
                    plan.run_with_head(&image, &filter, &epilogue, &head, out);
                }
                assert!(results[1] == to_planes(second.output(), &results[0]), "{what}");
            }
        }
    }
}

#[test]
#[should_panic(expected = "in planes")]
fn planes_are_refused_where_they_cannot_be_read() {
    let layout = Layout::new(2, 8, 8, 16).in_planes();
    let plan = Plan::convolution(&Convolution::new(16, 16).kernel(3), layout).expect("a plan");
    let filter = plan.filter(&vec![0.0; 16 * 16 * 9]).expect("a filter");
    plan.run(&vec![0.0; layout.len()], &filter, &Epilogue::default(), &mut vec![0.0; plan.output().len()]);
}
