//! Gradients of convolutions: the adjoint identity term by term, in f64.

use proptest::prelude::*;
use swath_kernels::{Convolution, Isa, Layout, Method, Plan, Precision, WeightGradient, bias_gradient};

use crate::support::{
    Random, convolutions, depthwise_convolutions, each_product, planes, rounded, winograd_convolutions,
};

/// Bounds of the error, relative to the standard deviation that sums of such products have; that of a few sums may by chance be anything.
const INPUT: f64 = 1e-5;
const WEIGHTS: f64 = 2e-5;

const METHODS: [Method; 5] =
    [Method::Direct, Method::Depthwise, Method::Winograd2, Method::Winograd4, Method::Winograd6];

/// Sums of products in f64, and the sums of their squares.
struct Sums {
    sums: Vec<f64>,
    squares: f64,
}

impl Sums {
    fn new(len: usize) -> Sums {
        Sums { sums: vec![0.0; len], squares: 0.0 }
    }

    fn add(&mut self, index: usize, product: f64) {
        self.sums[index] += product;
        self.squares += product * product;
    }

    fn error(&self, found: &[f64]) -> f64 {
        assert_eq!(found.len(), self.sums.len());
        let difference: f64 = found.iter().zip(&self.sums).map(|(a, b)| (a - b).powi(2)).sum();
        (difference / self.squares.max(f64::MIN_POSITIVE)).sqrt()
    }
}

fn check(convolution: Convolution, batch: usize, [height, width]: [usize; 2], transposed: bool) {
    let input = Layout::new(batch, height, width, convolution.inputs);
    let plan = if transposed {
        Plan::transposed_input_gradient(&convolution, input, [0, 0])
    } else {
        Plan::input_gradient(&convolution, input)
    };
    let plan = plan.expect("a plan");
    assert_eq!(plan.output(), &input);
    let mut random = Random::new(7);
    let (x, dy) = (random.image(&input), random.image(plan.input()));
    let weights = random.values(convolution.weights());
    let (wide_x, wide_dy) = (planes(&input, &x), planes(plan.input(), &dy));
    // What is left of them in pairs, whose products are exact.
    let rounded = |values: &[f32]| values.iter().copied().map(rounded).collect::<Vec<_>>();
    let (rounded_x, rounded_dy) = (planes(&input, &rounded(&x)), planes(plan.input(), &rounded(&dy)));

    let mut expected = Sums::new(wide_x.len());
    let mut expected_weights = [Sums::new(weights.len()), Sums::new(weights.len())];
    let out = [plan.input().height, plan.input().width];
    if transposed {
        let back = Convolution { inputs: convolution.outputs, outputs: convolution.inputs, ..convolution };
        each_product(&back, batch, out, [height, width], |to, weight, from| {
            expected.add(from, wide_dy[to] * f64::from(weights[weight]));
            expected_weights[0].add(weight, wide_x[from] * wide_dy[to]);
            expected_weights[1].add(weight, rounded_x[from] * rounded_dy[to]);
        });
    } else {
        each_product(&convolution, batch, [height, width], out, |from, weight, to| {
            expected.add(from, wide_dy[to] * f64::from(weights[weight]));
            expected_weights[0].add(weight, wide_x[from] * wide_dy[to]);
            expected_weights[1].add(weight, rounded_x[from] * rounded_dy[to]);
        });
    }

    for (isa, method) in Isa::available().into_iter().flat_map(|isa| METHODS.map(|method| (isa, method))) {
        let plan = plan.clone().with_isa(isa).with_method(method);
        if plan.method() == method {
            let filter = plan.filter(&weights).expect("a filter");
            let mut dx = vec![f32::NAN; input.len()];
            plan.run(&dy, &filter, &Default::default(), &mut dx);
            let error = expected.error(&planes(&input, &dx));
            assert!(
                error < INPUT,
                "{} {method:?}: error {error:.2e} of dx for {convolution:?} of {input:?}",
                isa.name()
            );
        }
        let gradient = if transposed {
            WeightGradient::transposed(&convolution, input, [0, 0])
        } else {
            WeightGradient::convolution(&convolution, input)
        };
        let gradient = gradient.expect("a plan").with_isa(isa).with_method(method);
        if gradient.method() == method {
            let mut dw = vec![f32::NAN; weights.len()];
            gradient.run(&x, &dy, &mut dw);
            let dw: Vec<f64> = dw.into_iter().map(f64::from).collect();
            let error = expected_weights[0].error(&dw);
            assert!(
                error < WEIGHTS,
                "{} {method:?}: error {error:.2e} of dW for {convolution:?} of {input:?}",
                isa.name()
            );
        }
        let gradient = gradient.with_precision(Precision::Bf16).with_method(method);
        if gradient.precision() == Precision::Bf16 {
            let mut dw = vec![f32::NAN; weights.len()];
            gradient.run(&x, &dy, &mut dw);
            let dw: Vec<f64> = dw.into_iter().map(f64::from).collect();
            let error = expected_weights[1].error(&dw);
            assert!(error < WEIGHTS, "pairs: error {error:.2e} of dW for {convolution:?} of {input:?}");
        }
    }
}

#[test]
fn shapes_of_networks() {
    let conv = Convolution::new;
    check(conv(32, 32).kernel(3).padding(1), 2, [24, 20], false);
    check(conv(64, 48).kernel(3).padding(1), 1, [16, 16], false);
    check(conv(144, 40).kernel(3).padding(1), 1, [9, 7], false);
    check(conv(3, 32).kernel(3).padding(1), 2, [33, 47], false);
    check(conv(10, 64).kernel(7).stride(2).padding(3), 1, [33, 47], false);
    check(conv(32, 48).kernel(3).stride(2).padding(1), 2, [33, 47], false);
    check(conv(64, 256), 1, [14, 15], false);
    check(conv(256, 64).stride(2), 1, [14, 15], false);
    check(conv(32, 2), 2, [60, 61], false);
    check(conv(32, 32).kernel(3).dilation(2).padding(2), 2, [24, 27], false);
    check(conv(144, 40).kernel(3).dilation(4).padding(4), 1, [33, 30], false);
    check(conv(32, 32).kernel(3).dilation(6).padding(6), 1, [20, 23], false);
    check(conv(64, 64).kernel(3).padding(1).groups(32), 1, [12, 13], false);
    check(conv(40, 40).kernel(5).stride(2).padding(2).groups(40), 1, [12, 13], false);
    check(conv(96, 96).kernel(7).padding(3).groups(96), 2, [33, 47], false);
    check(conv(20, 20).kernel(3).padding(1).groups(20), 1, [5, 70], false);
    check(Convolution { padding: [[0, 1], [2, 0]], ..conv(32, 32).kernel(3) }, 1, [18, 21], false);
    check(conv(32, 32).kernel(3), 1, [18, 21], false);
    check(conv(32, 32).kernel(3).padding(3), 1, [8, 9], false);
}

#[test]
fn transposed_convolutions() {
    let conv = Convolution::new;
    check(conv(32, 16).kernel(2).stride(2), 2, [9, 11], true);
    check(conv(48, 24).kernel(4).stride(2).padding(1), 1, [9, 11], true);
    check(conv(5, 7).kernel(16).stride(8).padding(4), 1, [9, 11], true);
    check(conv(32, 32).kernel(3).padding(1), 1, [9, 11], true);
    check(conv(20, 20).kernel(4).stride(2).padding(1).groups(20), 2, [9, 11], true);
}

#[test]
fn what_is_not_finite_touches_the_weights_that_meet_it() {
    let convolution = Convolution::new(20, 20).groups(20).kernel(3).padding(1);
    let layout = Layout::new(1, 6, 40, 20);
    let mut random = Random::new(17);
    let (mut x, mut dy) = (random.image(&layout), random.image(&layout));
    // In the first pixel: taps above and left of the middle never read it, those below and right never read for it.
    x[3] = f32::NAN;
    dy[7] = f32::INFINITY;
    let gradient = WeightGradient::convolution(&convolution, layout).expect("a plan");
    assert_eq!(gradient.method(), Method::Depthwise);
    for isa in Isa::available() {
        let mut dw = vec![0.0; convolution.weights()];
        gradient.clone().with_isa(isa).run(&x, &dy, &mut dw);
        for (index, value) in dw.into_iter().enumerate() {
            let (channel, row, col) = (index / 9, index / 3 % 3, index % 3);
            let nan = channel == 3 && row <= 1 && col <= 1;
            let infinite = channel == 7 && row >= 1 && col >= 1;
            assert_eq!((value.is_nan(), value.is_infinite()), (nan, infinite), "{} at {index}", isa.name());
        }
    }
}

#[test]
fn pairs_are_for_tiles_and_for_taps_that_stay_near() {
    let gradient = |convolution: Convolution, isa: Isa| {
        let layout = Layout::new(2, 24, 40, 64);
        let gradient = WeightGradient::convolution(&convolution, layout).expect("a plan");
        gradient.with_isa(isa).with_precision(Precision::Bf16)
    };
    let near = Convolution::new(64, 64).kernel(3).padding(1);
    for isa in Isa::available() {
        let expected = if isa.has_tiles() { Precision::Bf16 } else { Precision::Fp32 };
        assert_eq!(gradient(near, isa).precision(), expected, "{}", isa.name());
        let far = gradient(near.dilation(8).padding(8), isa);
        assert_eq!((far.precision(), far.method()), (Precision::Fp32, Method::Winograd2), "{}", isa.name());
    }
}

/// Lines of wide images are rounded a few at a time, and their products added to those before; chunks begin and end within images.
#[test]
fn pairs_of_many_lines_are_those_of_floats() {
    for (inputs, stride) in [(40, 1), (40, 2), (160, 1)] {
        let convolution = Convolution::new(inputs, 250).kernel(3).stride(stride).padding(1);
        let layout = Layout::new(3, 32, 300, inputs);
        let floats = WeightGradient::convolution(&convolution, layout).expect("a plan");
        let mut random = Random::new(19);
        let [height, width] = convolution.output_size([32, 300]).expect("a size");
        let (x, dy) = (random.image(&layout), random.image(&Layout::new(3, height, width, 250)));
        let (x, dy): (Vec<f32>, Vec<f32>) =
            (x.into_iter().map(rounded).collect(), dy.into_iter().map(rounded).collect());
        let run = |gradient: &WeightGradient| {
            let mut dw = vec![f32::NAN; convolution.weights()];
            gradient.run(&x, &dy, &mut dw);
            dw
        };
        let (found, expected) = (run(&floats.clone().with_precision(Precision::Bf16)), run(&floats));
        let square = |value: f32| f64::from(value).powi(2);
        let difference: f64 = found.iter().zip(&expected).map(|(a, b)| square(a - b)).sum();
        let error = (difference / expected.iter().map(|value| square(*value)).sum::<f64>()).sqrt();
        assert!(error < WEIGHTS, "{inputs} channels, stride {stride}: error {error:.2e}");
    }
}

#[test]
fn what_is_not_finite_in_pairs_stays_in_its_channel() {
    let convolution = Convolution::new(40, 40).kernel(3).padding(1);
    let layout = Layout::new(2, 9, 21, 40);
    let mut random = Random::new(18);
    let (mut x, mut dy) = (random.image(&layout), random.image(&layout));
    let middle = (4 * 21 + 10) * layout.pixel;
    x[middle + 3] = f32::NAN;
    dy[middle + 37] = f32::INFINITY;
    let gradient = WeightGradient::convolution(&convolution, layout).expect("a plan").with_precision(Precision::Bf16);
    let mut dw = vec![0.0; convolution.weights()];
    gradient.run(&x, &dy, &mut dw);
    for (index, value) in dw.into_iter().enumerate() {
        let (output, input) = (index / 9 / 40, index / 9 % 40);
        assert_eq!(value.is_finite(), output != 37 && input != 3, "{value} from {input} to {output}");
    }
}

#[test]
fn a_bias_gets_the_sum_over_pixels() {
    let layout = Layout::new(3, 50, 70, 20).within(48);
    let image = Random::new(8).image(&layout);
    let mut sums = vec![0.0; 20];
    bias_gradient(&layout, &image, &mut sums);
    let planes = planes(&layout, &image);
    for (channel, sum) in sums.into_iter().enumerate() {
        let area = 50 * 70;
        let expected: f64 = (0..3).flat_map(|image| &planes[(image * 20 + channel) * area..][..area]).sum();
        assert!((f64::from(sum) - expected).abs() < 1e-3, "{sum}, not {expected}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_convolution((convolution, batch, size) in convolutions()) {
        if convolution.output_size(size).is_ok() {
            check(convolution, batch, size, false);
        }
    }

    #[test]
    fn any_3x3_by_winograd((convolution, batch, size) in winograd_convolutions()) {
        if convolution.output_size(size).is_ok() {
            check(convolution, batch, size, false);
        }
    }

    #[test]
    fn any_depthwise_convolution((convolution, batch, size) in depthwise_convolutions()) {
        if convolution.output_size(size).is_ok() {
            check(convolution, batch, size, false);
        }
    }

    #[test]
    fn any_transposed_depthwise_convolution((convolution, batch, size) in depthwise_convolutions()) {
        if convolution.transposed_output_size(size, [0, 0]).is_ok() {
            check(convolution, batch, size, true);
        }
    }

    #[test]
    fn any_transposed_convolution((convolution, batch, size) in convolutions()) {
        if convolution.transposed_output_size(size, [0, 0]).is_ok() {
            check(convolution, batch, size, true);
        }
    }
}
