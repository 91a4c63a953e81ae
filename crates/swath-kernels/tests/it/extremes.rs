//! Convolutions of infinities, of what is not a number, and of the largest and smallest floats.

use swath_kernels::{Convolution, Epilogue, Isa, Layout, Method, Plan, Precision};

use crate::convolution::{bound, ways};
use crate::support::{Random, convolve, error, planes};

#[test]
fn what_is_not_finite_touches_its_own_outputs_only() {
    for dilation in 1..=3 {
        check_not_finite(Convolution::new(16, 16).kernel(3).padding(dilation).dilation(dilation));
    }
}

fn check_not_finite(convolution: Convolution) {
    let layout = Layout::new(1, 13, 14, 16);
    let mut random = Random::new(5);
    let (mut image, weights) = (random.image(&layout), random.values(convolution.weights()));
    image[(4 * 14 + 5) * 16 + 3] = f32::INFINITY;
    image[(9 * 14 + 9) * 16 + 7] = f32::NAN;
    let plan = Plan::convolution(&convolution, layout).expect("a plan").with_method(Method::Direct);
    let filter = plan.filter(&weights).expect("a filter");
    let mut direct = vec![0.0; plan.output().len()];
    plan.run(&image, &filter, &Epilogue::default(), &mut direct);
    assert_eq!(direct.iter().filter(|value| value.is_infinite()).count(), 9 * 16);
    assert_eq!(direct.iter().filter(|value| value.is_nan()).count(), 9 * 16);
    for (isa, plan) in Isa::available().into_iter().flat_map(|isa| ways(&plan).into_iter().map(move |plan| (isa, plan)))
    {
        let plan = plan.with_isa(isa);
        let tolerance = if plan.precision() == Precision::Bf16 { 0.1 } else { 1e-4 };
        let filter = plan.filter(&weights).expect("a filter");
        let mut out = vec![0.0; plan.output().len()];
        plan.run(&image, &filter, &Epilogue::default(), &mut out);
        for (a, b) in out.iter().zip(&direct) {
            let same = if b.is_finite() {
                (a - b).abs() < tolerance
            } else {
                a.is_nan() == b.is_nan() && (b.is_nan() || a == b)
            };
            assert!(
                same,
                "{} {:?} {:?}: {a}, not {b} for {convolution:?}",
                isa.name(),
                plan.method(),
                plan.precision()
            );
        }
    }
}

/// Floats that are taken apart keep their range: the largest round to infinity, and the smallest lose their second part.
#[test]
fn the_largest_and_smallest_floats_are_multiplied() {
    let convolution = Convolution::new(32, 32).kernel(3).padding(1);
    let layout = Layout::new(1, 6, 37, 32);
    let mut random = Random::new(3);
    let weights = random.values(convolution.weights());
    let plan = Plan::convolution(&convolution, layout).expect("a plan");
    for scale in [f32::MAX / 1024.0, 1e-30, 3e-38] {
        // A few values that round up to infinity in bfloat16 among others; their products are small enough.
        let mut image: Vec<f32> = random.image(&layout).into_iter().map(|value| value * scale).collect();
        if scale > 1.0 {
            image[(2 * 37 + 9) * 32 + 5] = f32::MAX;
            image[(4 * 37 + 30) * 32 + 17] = -f32::MAX;
        }
        let weights: Vec<f32> =
            weights.iter().map(|weight| if scale > 1.0 { weight / 64.0 } else { *weight }).collect();
        let expected = convolve(&convolution, &layout, &planes(&layout, &image), &weights, [6, 37]);
        for precision in [Precision::Fp32, Precision::Bf16x3, Precision::Bf16x2] {
            for isa in Isa::available() {
                let plan = plan.clone().with_isa(isa).with_precision(precision).with_method(Method::Direct);
                let filter = plan.filter(&weights).expect("a filter");
                let mut out = vec![f32::NAN; plan.output().len()];
                plan.run(&image, &filter, &Epilogue::default(), &mut out);
                let error = error(&planes(plan.output(), &out), &expected);
                // Below the smallest normal float tiles count as zeros.
                let most = if scale < 1e-37 { 1e-2 } else { bound(&plan) };
                assert!(error < most, "{} {precision:?}: {error:.1e} at {scale:e}", isa.name());
            }
        }
    }
}

#[test]
fn what_is_not_finite_touches_its_own_channel_only() {
    let convolution = Convolution::new(20, 20).groups(20).kernel(3).padding(1);
    let layout = Layout::new(1, 13, 14, 20);
    let mut random = Random::new(10);
    let (mut image, weights) = (random.image(&layout), random.values(convolution.weights()));
    image[(4 * 14 + 5) * 32 + 3] = f32::INFINITY;
    image[7] = f32::NAN;
    let plan = Plan::convolution(&convolution, layout).expect("a plan");
    assert_eq!(plan.method(), Method::Depthwise);
    for isa in Isa::available() {
        let plan = plan.clone().with_isa(isa);
        let mut out = vec![0.0; plan.output().len()];
        plan.run(&image, &plan.filter(&weights).expect("a filter"), &Epilogue::default(), &mut out);
        for (index, value) in planes(plan.output(), &out).into_iter().enumerate() {
            let (channel, row, col) = (index / 182, index / 14 % 13, index % 14);
            let infinite = channel == 3 && row.abs_diff(4) <= 1 && col.abs_diff(5) <= 1;
            let nan = channel == 7 && row <= 1 && col <= 1;
            assert_eq!((value.is_infinite(), value.is_nan()), (infinite, nan), "{} at {index}", isa.name());
        }
    }
}
