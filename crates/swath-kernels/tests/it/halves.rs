//! Images of bfloat16: every kernel computes what it computes of the same values as floats, and rounds what it stores.

use proptest::prelude::*;
use swath_kernels::{
    Activation, Alignment, Bias, Buffer, Convolution, Divisor, Element, Epilogue, Function, GroupNorm, Interpolation,
    Isa, LayerNorm, Layout, Method, Plan, PlanError, Pooling, Precision, activate, adaptive_average_pool, add,
    average_pool, copy, map, max_pool, multiply, resize, resize_and_add,
};

use crate::support::{Random, convolutions, depthwise_convolutions};

/// The upper half of a float, rounded to the nearest, to even where two are near.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() { 0x7fc0 } else { ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16 }
}

/// The image as bfloat16, in a slice of floats.
fn halves(image: &[f32]) -> Vec<f32> {
    let pair = |pair: &[f32]| f32::from_bits(u32::from(half(pair[0])) | u32::from(half(pair[1])) << 16);
    image.chunks(2).map(pair).collect()
}

/// The image as floats.
fn floats(image: &[f32]) -> Vec<f32> {
    image.iter().flat_map(|pair| [pair.to_bits() << 16, pair.to_bits() & 0xffff_0000]).map(f32::from_bits).collect()
}

fn rounded(image: &[f32]) -> Vec<f32> {
    floats(&halves(image))
}

/// The channels that there are, without padding.
fn channels<'a>(layout: &Layout, image: &'a [f32]) -> Vec<&'a [f32]> {
    image.chunks(layout.pixel).map(|pixel| &pixel[..layout.channels]).collect()
}

fn bits(layout: &Layout, image: &[f32]) -> Vec<u32> {
    channels(layout, image).concat().iter().map(|value| if value.is_nan() { !0 } else { value.to_bits() }).collect()
}

fn of_halves(layout: &Layout) -> Layout {
    layout.of(Element::Bfloat16)
}

/// A convolution, as `plan` has it, of a rounded image, with all combinations of elements.
fn check(layout: Layout, weights: usize, plan: impl Fn(Layout) -> Result<Plan, PlanError>, random: &mut Random) {
    let Ok(floats_plan) = plan(layout) else { return };
    let to = *floats_plan.output();
    let image = rounded(&random.image(&layout));
    let addend = rounded(&random.image(&to));
    let weights = random.values(weights);
    let bias = Bias::new(&random.values(to.channels));
    let precisions = [Precision::Fp32, Precision::Bf16x3, Precision::Bf16x2, Precision::Bf16];
    for (isa, precision) in Isa::available().into_iter().flat_map(|isa| precisions.map(|precision| (isa, precision))) {
        let of = |element: Element| {
            let plan = plan(layout.of(element)).expect("a plan").with_isa(isa).with_precision(precision);
            if plan.method() == Method::Depthwise { plan } else { plan.with_method(Method::Direct) }
        };
        let [plan, read] = [Element::Float, Element::Bfloat16].map(of);
        let what = format!("{} {precision:?}: {plan:?}", isa.name());
        let run = |plan: &Plan, image: &[f32], (addend, of): (&[f32], Layout)| {
            let filter = plan.filter(&weights).expect("a filter");
            let (add, activation) = (Some((addend, of)), Activation::Relu);
            let mut out = vec![f32::NAN; plan.output().len()];
            plan.run(image, &filter, &Epilogue { bias: Some(&bias), add, activation, function: None }, &mut out);
            out
        };
        let expected = run(&plan, &image, (&addend, to));
        // Other kernels may read them, in another order of sums; a few channels of floats are not rounded where they lie.
        let found = run(&read, &halves(&image), (&halves(&addend), of_halves(&to)));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-5 * (1.0 + b.abs());
        let [a, b] = [&found, &expected].map(|image| channels(&to, image).concat());
        assert!(plan.precision() != read.precision() || a.iter().zip(&b).all(near), "{what}");
        let written = run(&read.clone().writing(Element::Bfloat16), &halves(&image), (&addend, to));
        assert_eq!(bits(&to, &floats(&written)), bits(&to, &rounded(&found)), "{what}");
        let written = run(&plan.clone().writing(Element::Bfloat16), &image, (&addend, to));
        assert_eq!(bits(&to, &floats(&written)), bits(&to, &rounded(&expected)), "{what}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_convolution((convolution, batch, size) in convolutions(), words in 0usize..3, wider in 0usize..3, seed in 0u64..1000) {
        let inputs = if words == 0 { convolution.inputs } else { 32 * words * convolution.groups };
        let convolution = Convolution { inputs, outputs: 3 * convolution.outputs, ..convolution };
        let layout = Layout::new(batch, size[0], size[1], inputs);
        let layout = layout.within(layout.pixel + 16 * wider);
        check(layout, convolution.weights(), |layout| Plan::convolution(&convolution, layout), &mut Random::new(seed));
    }

    #[test]
    fn any_convolution_of_points((stride, inputs, outputs) in (1usize..4, 1usize..160, 1usize..80), batch in 1usize..3, height in 1usize..20, width in 1usize..40, seed in 0u64..1000) {
        // Even numbers mostly, which tiles read where they lie.
        let inputs = if inputs < 100 { 2 * inputs } else { inputs };
        let convolution = Convolution::new(inputs, outputs).stride(stride);
        let layout = Layout::new(batch, height, width, inputs);
        check(layout, convolution.weights(), |layout| Plan::convolution(&convolution, layout), &mut Random::new(seed));
        let convolution = Convolution::new(inputs, outputs).kernel(stride).stride(stride);
        let plan = |layout| Plan::transposed(&convolution, layout, [0, 0]);
        check(layout, convolution.weights(), plan, &mut Random::new(seed));
    }

    #[test]
    fn any_depthwise_convolution((convolution, batch, size) in depthwise_convolutions(), seed in 0u64..1000) {
        let layout = Layout::new(batch, size[0], size[1], convolution.inputs);
        check(layout, convolution.weights(), |layout| Plan::convolution(&convolution, layout), &mut Random::new(seed));
    }
}

/// Where a transposed convolution is cut off at the edges, phases read beyond the image, or compute nothing.
#[test]
fn phases_at_the_edge() {
    let mut random = Random::new(13);
    for (height, width, padding) in [(1, 1, [[0, 1], [0, 1]]), (4, 9, [[1, 0], [1, 1]]), (1, 5, [[1, 0], [0, 1]])] {
        let convolution = Convolution { padding, ..Convolution::new(32, 20).kernel(2).stride(2) };
        let layout = Layout::new(2, height, width, 32);
        let plan = |layout| Plan::transposed(&convolution, layout, [0, 0]);
        assert!(plan(layout).is_ok());
        check(layout, convolution.weights(), plan, &mut random);
    }
}

#[test]
fn maxima_on_the_way() {
    let mut random = Random::new(9);
    for (inputs, outputs, [height, width]) in [(32, 48, [10, 36]), (64, 96, [7, 21]), (3, 20, [8, 9])] {
        let convolution = Convolution::new(inputs, outputs).kernel(3).padding(1);
        let layout = Layout::new(2, height, width, inputs);
        let plan = Plan::convolution(&convolution, of_halves(&layout)).expect("a plan");
        let plan = plan.with_precision(Precision::Bf16).with_method(Method::Direct).writing(Element::Bfloat16);
        let half = Layout::new(2, height / 2, width / 2, outputs);
        let (image, weights) = (halves(&random.image(&layout)), random.values(convolution.weights()));
        let filter = plan.filter(&weights).expect("a filter");
        let mut alone = vec![0.0; plan.output().len()];
        plan.run(&image, &filter, &Epilogue::default(), &mut alone);
        let mut expected = vec![0.0; half.len()];
        let whole = plan.output().of(Element::Float);
        max_pool(&Pooling::new(2, 2), &whole, &floats(&alone), &half, &mut expected);
        let [mut out, mut maxima] = [vec![0.0; plan.output().len()], vec![0.0; of_halves(&half).len()]];
        plan.run_and_halve(&image, &filter, &Epilogue::default(), &mut out, (&of_halves(&half), &mut maxima));
        assert_eq!(bits(&whole, &floats(&out)), bits(&whole, &floats(&alone)));
        assert_eq!(bits(&half, &floats(&maxima)), bits(&half, &expected));
    }
}

/// A pixel that is not finite reaches its own outputs only, also from the end of the image, where tiles have room of their own.
#[test]
fn what_is_not_finite_stays_where_it_is_read() {
    let convolution = Convolution::new(32, 40);
    let layout = of_halves(&Layout::new(1, 3, 7, 32));
    let mut random = Random::new(5);
    let weights = random.values(convolution.weights());
    for pixel in [0, 15, 16, 20] {
        let mut image = random.image(&layout.of(Element::Float));
        image[pixel * 32 + 7] = f32::NAN;
        let image = halves(&image);
        for isa in Isa::available() {
            let plan = Plan::convolution(&convolution, layout).expect("a plan").with_isa(isa);
            let plan = plan.with_precision(Precision::Bf16).with_method(Method::Direct);
            let mut out = vec![0.0; plan.output().len()];
            plan.run(&image, &plan.filter(&weights).expect("a filter"), &Epilogue::default(), &mut out);
            for (at, values) in channels(plan.output(), &out).into_iter().enumerate() {
                let all = values.iter().all(|value| value.is_nan() == (at == pixel));
                assert!(all, "{}: pixel {at} for {pixel}", isa.name());
            }
        }
    }
}

/// An operation on an image, and on another of the same size.
type Operation<'a> = &'a dyn Fn((&Layout, &[f32]), (&Layout, &[f32]), &Layout, &mut [f32]);

#[test]
fn other_operations() {
    let gamma: Vec<f32> = (0..20).map(|channel| 0.5 + channel as f32 / 20.0).collect();
    let layer = LayerNorm { gamma: &gamma, beta: &gamma, epsilon: 1e-5 };
    let group = GroupNorm { groups: 4, gamma: &gamma, beta: &gamma, epsilon: 1e-5, relu: true };
    let (linear, edges) = (Interpolation::Bilinear, Alignment::Edges);
    let pooling = Pooling::new(3, 2).padding(1);
    let operations: [(&str, [usize; 2], Operation); 13] = [
        ("add", [9, 12], &|a, b, to, out| add(a, b, Activation::Relu, to, out)),
        ("activate", [9, 12], &|a, _, to, out| activate(a, Activation::Relu6, to, out)),
        ("map", [9, 12], &|a, _, to, out| map(Function::Gelu, a, to, out)),
        ("multiply", [9, 12], &|a, b, to, out| multiply(a, b, to, out)),
        ("layer norm", [9, 12], &|a, _, to, out| layer.forward(a, to, out)),
        ("group norm", [9, 12], &|a, _, to, out| group.forward(a, to, out)),
        ("copy", [9, 12], &|a, _, to, out| copy(a.0, a.1, to, out)),
        ("max pool", [5, 6], &|a, _, to, out| max_pool(&pooling, a.0, a.1, to, out)),
        ("average pool", [5, 6], &|a, _, to, out| average_pool(&pooling, Divisor::Image, a.0, a.1, to, out)),
        ("adaptive pool", [2, 5], &|a, _, to, out| adaptive_average_pool(a.0, a.1, to, out)),
        ("nearest", [18, 24], &|a, _, to, out| resize(Interpolation::Nearest, edges, a.0, a.1, to, out)),
        ("bilinear", [17, 30], &|a, _, to, out| resize(linear, edges, a.0, a.1, to, out)),
        ("resize and add", [9, 12], &|a, b, to, out| resize_and_add(linear, edges, a, b, to, out)),
    ];
    let layout = Layout::new(2, 9, 12, 20);
    let mut random = Random::new(21);
    let [a, b] = [0, 1].map(|_| rounded(&random.image(&layout)));
    for (name, [height, width], operation) in operations {
        let to = Layout::new(2, height, width, 20);
        let mut expected = vec![f32::NAN; to.len()];
        operation((&layout, &a), (&layout, &b), &to, &mut expected);
        let mut out = vec![f32::NAN; to.len()];
        operation((&of_halves(&layout), &halves(&a)), (&of_halves(&layout), &halves(&b)), &to, &mut out);
        assert_eq!(bits(&to, &out), bits(&to, &expected), "{name}, read");
        let mut out = vec![f32::NAN; of_halves(&to).len()];
        operation((&of_halves(&layout), &halves(&a)), (&layout, &b), &of_halves(&to), &mut out);
        assert_eq!(bits(&to, &floats(&out)), bits(&to, &rounded(&expected)), "{name}, written");
    }
}

/// Images that do not stay in a cache are written past it, if their pixels begin at cache lines: here those that are channels of wider images.
#[test]
fn large_images_have_the_bits_of_others() {
    let (convolution, layout) = (Convolution::new(32, 48).kernel(3).padding(1), Layout::new(1, 251, 233, 32));
    let mut random = Random::new(23);
    let (image, weights) = (halves(&random.image(&layout)), random.values(convolution.weights()));
    let half = of_halves(&Layout::new(1, 125, 116, 48));
    let run = |wider: usize| {
        let plan = Plan::convolution(&convolution, of_halves(&layout)).expect("a plan").writing(Element::Bfloat16);
        let plan = plan.with_precision(Precision::Bf16).with_method(Method::Direct).into_wider(wider);
        let filter = plan.filter(&weights).expect("a filter");
        // Vectors need not begin at cache lines.
        let mut images = [(); 2].map(|()| Buffer::new(plan.output().len()));
        images.iter_mut().for_each(|image| image.fill(7.0));
        let mut maxima = vec![0.0; half.len()];
        let [alone, halved] = &mut images;
        plan.run(&image, &filter, &Epilogue::default(), alone);
        plan.run_and_halve(&image, &filter, &Epilogue::default(), halved, (&half, &mut maxima));
        let before = floats(&[7.0; 48]);
        // Behind the last pixel there is nothing.
        let rest = |image: &[f32]| floats(image).chunks(wider).any(|pixel| !before[48..].starts_with(&pixel[48..]));
        assert!(images.iter().all(|image| !rest(image)), "nothing else is written");
        (images.map(|image| bits(plan.output(), &floats(&image))), maxima)
    };
    let (narrow, wide) = (run(48), run(96));
    assert_eq!(narrow.0[0], narrow.0[1]);
    assert!(narrow == wide);
}

/// Winograd's methods transform what bfloat16 stands for, and round what they store: with maxima on the way, an addend, and values that spread over tiles.
#[test]
fn tiles_of_winograd() {
    let mut random = Random::new(31);
    let methods = [Method::Winograd2, Method::Winograd4, Method::Winograd6];
    for (inputs, outputs, batch, [height, width]) in
        [(32, 48, 2, [13, 22]), (17, 20, 1, [6, 31]), (64, 33, 1, [18, 18])]
    {
        let convolution = Convolution::new(inputs, outputs).kernel(3).padding(1);
        let layout = Layout::new(batch, height, width, inputs);
        let layout = layout.within(layout.pixel + 16);
        let half = Layout::new(batch, height / 2, width / 2, outputs);
        let mut image = rounded(&random.image(&layout));
        // Repaired output by output.
        image[layout.pixel * (width + 3) + 1] = f32::INFINITY;
        let to = Layout::new(batch, height, width, outputs);
        let addend = rounded(&random.image(&to));
        let (weights, bias) = (random.values(convolution.weights()), Bias::new(&random.values(outputs)));
        for (isa, method) in Isa::available().into_iter().flat_map(|isa| methods.map(|method| (isa, method))) {
            for precision in [Precision::Fp32, Precision::Bf16] {
                let run = |read: Element, write: Element| {
                    let plan = Plan::convolution(&convolution, layout.of(read)).expect("a plan").writing(write);
                    let plan = plan.with_isa(isa).with_precision(precision).with_method(method);
                    assert_eq!(plan.method(), method);
                    let filter = plan.filter(&weights).expect("a filter");
                    let (mut out, mut maxima) =
                        (vec![f32::NAN; plan.output().len()], vec![f32::NAN; half.of(write).len()]);
                    let image = if read == Element::Float { image.clone() } else { halves(&image) };
                    let addend = if write == Element::Float { addend.clone() } else { halves(&addend) };
                    let add = Some((&addend[..], to.of(write)));
                    let epilogue = Epilogue { bias: Some(&bias), add, ..Epilogue::default() };
                    plan.run_and_halve(&image, &filter, &epilogue, &mut out, (&half.of(write), &mut maxima));
                    [out, maxima]
                };
                let expected = run(Element::Float, Element::Float);
                let what = format!("{} {method:?} {precision:?} {inputs} -> {outputs}", isa.name());
                let read = run(Element::Bfloat16, Element::Float);
                let written = run(Element::Bfloat16, Element::Bfloat16);
                for (index, layout) in [to, half].iter().enumerate() {
                    assert_eq!(bits(layout, &read[index]), bits(layout, &expected[index]), "{what}");
                    let [written, expected] = [floats(&written[index]), rounded(&expected[index])];
                    assert_eq!(bits(layout, &written), bits(layout, &expected), "{what}");
                }
            }
        }
    }
}
