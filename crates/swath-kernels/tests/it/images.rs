//! Pooling, resizing, normalization, sums and layouts.

use proptest::prelude::*;
use swath_kernels::{
    Activation, Alignment, BatchNorm, Divisor, GroupNorm, Interpolation, Layout, Pooling, adaptive_average_pool,
    adaptive_average_pool_gradient, add, average_pool, average_pool_gradient, copy, max_pool, max_pool_gradient, pack,
    relu_gradient, resize, resize_and_add, resize_gradient, resize_to_planes, unpack,
};

use crate::support::{Random, error, planes};

fn zeros(layout: &Layout) -> Vec<f32> {
    vec![0.0; layout.len()]
}

/// `<y, dy>` of a linear map and `<x, dx>` of its transposed must be the same.
fn same_products(y: (&Layout, &[f32]), dy: &[f32], x: (&Layout, &[f32]), dx: &[f32]) {
    let dot = |layout: &Layout, a: &[f32], b: &[f32]| -> f64 {
        planes(layout, a).iter().zip(planes(layout, b)).map(|(a, b)| a * b).sum()
    };
    let (out, back) = (dot(y.0, y.1, dy), dot(x.0, x.1, dx));
    let size = (dot(y.0, y.1, y.1) * dot(y.0, dy, dy)).sqrt();
    assert!((out - back).abs() <= 1e-6 * size.max(1.0), "{out} and {back}");
}

#[test]
fn maxima_of_windows() {
    let layout = Layout::new(1, 4, 4, 1);
    let values = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 7.0, 8.0, 0.0, 0.0, -1.0, -2.0, 0.0, 0.0, -3.0, -4.0];
    let mut x = zeros(&layout);
    pack(&values, &layout, &mut x);
    let pooling = Pooling::new(2, 2);
    let out = Layout::new(1, 2, 2, 1);
    let mut y = zeros(&out);
    max_pool(&pooling, &layout, &x, &out, &mut y);
    assert_eq!(planes(&out, &y), [9.0, 8.0, 0.0, -1.0]);
    // Each gradient goes to the greatest pixel, the first of several.
    let mut dy = zeros(&out);
    pack(&[1.0, 2.0, 3.0, 4.0], &out, &mut dy);
    let mut dx = zeros(&layout);
    max_pool_gradient(&pooling, (&layout, &x), (&out, &dy), &layout, &mut dx);
    let expected = [0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 2.0, 3.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(planes(&layout, &dx), expected);
}

#[test]
fn a_window_with_nan_is_nan() {
    let (layout, out) = (Layout::new(1, 1, 4, 1), Layout::new(1, 1, 2, 1));
    let mut x = zeros(&layout);
    pack(&[f32::NAN, 2.0, f32::INFINITY, f32::NEG_INFINITY], &layout, &mut x);
    let mut y = zeros(&out);
    let pooling = Pooling { kernel: [1, 2], stride: [1, 2], ..Pooling::new(1, 1) };
    max_pool(&pooling, &layout, &x, &out, &mut y);
    let y = planes(&out, &y);
    assert!(y[0].is_nan() && y[1] == f64::INFINITY);
}

#[test]
fn resizing_by_known_values() {
    let (layout, out) = (Layout::new(1, 1, 2, 1), Layout::new(1, 1, 4, 1));
    let mut x = zeros(&layout);
    pack(&[0.0, 4.0], &layout, &mut x);
    let resized = |interpolation, alignment| {
        let mut y = zeros(&out);
        resize(interpolation, alignment, &layout, &x, &out, &mut y);
        planes(&out, &y)
    };
    assert_eq!(resized(Interpolation::Nearest, Alignment::Edges), [0.0, 0.0, 4.0, 4.0]);
    assert_eq!(resized(Interpolation::Bilinear, Alignment::Edges), [0.0, 1.0, 3.0, 4.0]);
    let centers = resized(Interpolation::Bilinear, Alignment::Centers);
    assert!(error(&centers, &[0.0, 4.0 / 3.0, 8.0 / 3.0, 4.0]) < 1e-6);
    // torch.nn.functional.interpolate([[0, 4]], size=4, mode="bicubic") gives these.
    let cubic = resized(Interpolation::Bicubic, Alignment::Edges);
    assert!(error(&cubic, &[-0.421875, 0.90625, 3.09375, 4.421875]) < 1e-6, "{cubic:?}");
}

#[test]
fn batch_norm_by_its_definition() {
    let layout = Layout::new(2, 21, 33, 20);
    let mut random = Random::new(11);
    // A mean far from 0 must not cost digits.
    let x: Vec<f32> = random.image(&layout).iter().map(|value| value + 50.0).collect();
    let (gamma, beta, dy) = (random.values(20), random.values(20), random.image(&layout));
    for relu in [false, true] {
        let norm = BatchNorm { gamma: &gamma, beta: &beta, epsilon: 1e-5, relu };
        let (mut y, mut dx) = (zeros(&layout), zeros(&layout));
        let statistics = norm.forward((&layout, &x), &layout, &mut y);
        let (dgamma, dbeta) = norm.backward((&layout, &x), &statistics, (&layout, &dy), &layout, &mut dx);

        let (wide_x, wide_dy) = (planes(&layout, &x), planes(&layout, &dy));
        let (area, count) = (21 * 33, 2.0 * 21.0 * 33.0);
        let (mut expected_y, mut expected_dx) = (vec![0.0; wide_x.len()], vec![0.0; wide_x.len()]);
        for channel in 0..20 {
            let indices =
                || (0..2).flat_map(move |image| (image * 20 + channel) * area..(image * 20 + channel + 1) * area);
            let mean = indices().map(|i| wide_x[i]).sum::<f64>() / count;
            let variance = indices().map(|i| (wide_x[i] - mean).powi(2)).sum::<f64>() / count;
            assert!((f64::from(statistics.mean[channel]) - mean).abs() < 1e-5);
            assert!((f64::from(statistics.variance[channel]) - variance).abs() < 1e-6);
            let inverse = 1.0 / (variance + 1e-5).sqrt();
            let (gamma, beta) = (f64::from(gamma[channel]), f64::from(beta[channel]));
            let normal = |i: usize| (wide_x[i] - mean) * inverse;
            let value = |i: usize| gamma * normal(i) + beta;
            let passed = |i: usize| if relu && value(i) <= 0.0 { 0.0 } else { wide_dy[i] };
            let by_beta: f64 = indices().map(passed).sum();
            let by_gamma: f64 = indices().map(|i| passed(i) * normal(i)).sum();
            assert!((f64::from(dbeta[channel]) - by_beta).abs() < 1e-3);
            assert!((f64::from(dgamma[channel]) - by_gamma).abs() < 1e-2, "{} {by_gamma}", dgamma[channel]);
            for i in indices() {
                expected_y[i] = if relu { value(i).max(0.0) } else { value(i) };
                expected_dx[i] = gamma * inverse * (passed(i) - by_beta / count - normal(i) * by_gamma / count);
            }
        }
        let (y, dx) = (planes(&layout, &y), planes(&layout, &dx));
        assert!(error(&y, &expected_y) < 3e-5, "{}", error(&y, &expected_y));
        assert!(error(&dx, &expected_dx) < 1e-3, "{}", error(&dx, &expected_dx));
    }
}

#[test]
fn group_norm_by_its_definition() {
    let layout = Layout::new(2, 11, 13, 20);
    let wide = layout.within(48);
    let mut random = Random::new(15);
    // Means far from 0 must not cost digits.
    let x: Vec<f32> = random.image(&layout).iter().map(|value| value + 50.0).collect();
    let (gamma, beta, dy) = (random.values(20), random.values(20), random.image(&wide));
    for (groups, relu) in [(1, false), (5, false), (5, true), (20, true)] {
        let norm = GroupNorm { groups, gamma: &gamma, beta: &beta, epsilon: 1e-5, relu };
        let (mut y, mut dx) = (zeros(&wide), zeros(&layout));
        norm.forward((&layout, &x), &wide, &mut y);
        let (dgamma, dbeta) = norm.backward((&layout, &x), (&wide, &dy), &layout, &mut dx);

        let (wide_x, wide_dy) = (planes(&layout, &x), planes(&wide, &dy));
        let (area, size) = (11 * 13, 11 * 13 * 20 / groups);
        let (mut expected_y, mut expected_dx) = (vec![0.0; wide_x.len()], vec![0.0; wide_x.len()]);
        let (mut by_gamma, mut by_beta) = (vec![0.0; 20], vec![0.0; 20]);
        for start in (0..wide_x.len()).step_by(size) {
            let (indices, count) = (start..start + size, size as f64);
            let mean = indices.clone().map(|i| wide_x[i]).sum::<f64>() / count;
            let variance = indices.clone().map(|i| (wide_x[i] - mean).powi(2)).sum::<f64>() / count;
            let inverse = 1.0 / (variance + 1e-5).sqrt();
            let channel = |i: usize| i / area % 20;
            let normal = |i: usize| (wide_x[i] - mean) * inverse;
            let value = |i: usize| f64::from(gamma[channel(i)]) * normal(i) + f64::from(beta[channel(i)]);
            let passed = |i: usize| if relu && value(i) <= 0.0 { 0.0 } else { wide_dy[i] };
            let scaled = |i: usize| f64::from(gamma[channel(i)]) * passed(i);
            let total = indices.clone().map(scaled).sum::<f64>() / count;
            let product = indices.clone().map(|i| scaled(i) * normal(i)).sum::<f64>() / count;
            for i in indices {
                expected_y[i] = if relu { value(i).max(0.0) } else { value(i) };
                expected_dx[i] = inverse * (scaled(i) - total - normal(i) * product);
                by_gamma[channel(i)] += passed(i) * normal(i);
                by_beta[channel(i)] += passed(i);
            }
        }
        let close = |found: &[f64], expected: &[f64], most: f64| {
            let error = error(found, expected);
            assert!(error < most, "{groups} groups: an error of {error}");
        };
        close(&planes(&wide, &y), &expected_y, 3e-5);
        close(&planes(&layout, &dx), &expected_dx, 1e-3);
        let double = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
        close(&double(dgamma), &by_gamma, 1e-4);
        close(&double(dbeta), &by_beta, 1e-4);
    }
}

#[test]
fn sums_and_the_gradient_of_relu() {
    let layout = Layout::new(1, 2, 3, 5);
    let wide = layout.within(32);
    let mut random = Random::new(12);
    let (a, b) = (random.image(&layout), random.image(&wide));
    let mut sum = zeros(&layout);
    add((&layout, &a), (&wide, &b), Activation::Relu, &layout, &mut sum);
    let (a, b) = (planes(&layout, &a), planes(&wide, &b));
    let expected: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (a + b).max(0.0)).collect();
    assert!(error(&planes(&layout, &sum), &expected) < 1e-6);
    let dy = random.image(&layout);
    let mut dx = zeros(&layout);
    relu_gradient((&layout, &sum), (&layout, &dy), &layout, &mut dx);
    for ((y, dy), dx) in expected.iter().zip(planes(&layout, &dy)).zip(planes(&layout, &dx)) {
        assert_eq!(dx, if *y > 0.0 { dy } else { 0.0 });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn packing_and_unpacking_are_inverse(batch in 1usize..4, height in 1usize..80, width in 1usize..80, channels in 1usize..40, wider in 0usize..3) {
        let layout = Layout::new(batch, height, width, channels);
        let layout = layout.within(layout.pixel + 16 * wider);
        let values = Random::new(13).values(layout.pixels() * channels);
        let mut image = vec![f32::NAN; layout.len()];
        pack(&values, &layout, &mut image);
        let mut back = vec![0.0; values.len()];
        unpack(&layout, &image, &mut back);
        prop_assert_eq!(&back, &values);
        let narrow = Layout::new(batch, height, width, channels);
        let mut copied = vec![0.0; narrow.len()];
        copy(&layout, &image, &narrow, &mut copied);
        let wide: Vec<f64> = values.into_iter().map(f64::from).collect();
        let direct: Vec<f64> = back.into_iter().map(f64::from).collect();
        prop_assert_eq!(direct, wide);
        prop_assert_eq!(planes(&narrow, &copied), planes(&layout, &image));
    }

    #[test]
    fn pooling_and_its_gradient(
        (kernel, stride, dilation) in ((1usize..4, 1usize..4), (1usize..4, 1usize..4), (1usize..3, 1usize..3)),
        (top, left) in (0usize..2, 0usize..2),
        ceil in any::<bool>(),
        (height, width) in (1usize..12, 1usize..12),
    ) {
        let pooling = Pooling {
            kernel: kernel.into(),
            stride: stride.into(),
            padding: [[top.min(kernel.0 / 2); 2], [left.min(kernel.1 / 2); 2]],
            dilation: dilation.into(),
            ceil,
        };
        let layout = Layout::new(2, height, width, 7);
        if let Ok([rows, cols]) = pooling.output_size([height, width]) {
            let out = Layout::new(2, rows, cols, 7);
            let mut random = Random::new(14);
            let (x, dy) = (random.image(&layout), random.image(&out));
            let (mut y, mut dx) = (zeros(&out), zeros(&layout));
            max_pool(&pooling, &layout, &x, &out, &mut y);
            for (index, found) in planes(&out, &y).into_iter().enumerate() {
                let (plane, row, col) = (index / (rows * cols), index / cols % rows, index % cols);
                let mut expected = f64::NEG_INFINITY;
                for (ky, kx) in (0..kernel.0).flat_map(|ky| (0..kernel.1).map(move |kx| (ky, kx))) {
                    let row = (row * stride.0 + ky * dilation.0).wrapping_sub(pooling.padding[0][0]);
                    let col = (col * stride.1 + kx * dilation.1).wrapping_sub(pooling.padding[1][0]);
                    if row < height && col < width {
                        expected = expected.max(planes(&layout, &x)[(plane * height + row) * width + col]);
                    }
                }
                prop_assert_eq!(found, expected);
            }
            // The maximum is linear where no value is hit twice: <y, dy> = <x, dx>.
            if y.iter().all(|value| value.is_finite()) {
                max_pool_gradient(&pooling, (&layout, &x), (&out, &dy), &layout, &mut dx);
                same_products((&out, &y), &dy, (&layout, &x), &dx);
            }
            for divisor in [Divisor::Image, Divisor::Padded] {
                average_pool(&pooling, divisor, &layout, &x, &out, &mut y);
                average_pool_gradient(&pooling, divisor, (&out, &dy), &layout, &mut dx);
                same_products((&out, &y), &dy, (&layout, &x), &dx);
            }
            average_pool(&pooling, Divisor::Image, &layout, &vec![1.0; layout.len()], &out, &mut y);
            let covered = |value: f64| value == 0.0 || (value - 1.0).abs() < 1e-6;
            prop_assert!(planes(&out, &y).into_iter().all(covered));
        }
    }

    #[test]
    fn resizing_into_planes(channels in 1usize..40, height in 1usize..9, width in 1usize..9, rows in 1usize..20, cols in 1usize..20) {
        let (layout, out) = (Layout::new(2, height, width, channels), Layout::new(2, rows, cols, channels));
        let x = Random::new(3).image(&layout);
        for interpolation in [Interpolation::Nearest, Interpolation::Bilinear, Interpolation::Bicubic] {
            let mut y = zeros(&out);
            resize(interpolation, Alignment::Edges, &layout, &x, &out, &mut y);
            let [mut expected, mut found] = [0, 1].map(|_| vec![f32::NAN; out.pixels() * channels]);
            unpack(&out, &y, &mut expected);
            resize_to_planes(interpolation, Alignment::Edges, (&layout, &x), [rows, cols], &mut found);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn resizing_keeps_constants_and_has_its_transposed(
        (height, width) in (1usize..12, 1usize..12),
        (rows, cols) in (1usize..12, 1usize..12),
    ) {
        let (layout, out) = (Layout::new(1, height, width, 3), Layout::new(1, rows, cols, 3));
        let mut random = Random::new(15);
        let (x, dy) = (random.image(&layout), random.image(&out));
        let (mut y, mut dx) = (zeros(&out), zeros(&layout));
        for interpolation in [Interpolation::Nearest, Interpolation::Bilinear, Interpolation::Bicubic] {
            for alignment in [Alignment::Edges, Alignment::Centers] {
                resize(interpolation, alignment, &layout, &x, &out, &mut y);
                resize_gradient(interpolation, alignment, (&out, &dy), &layout, &mut dx);
                same_products((&out, &y), &dy, (&layout, &x), &dx);
                let (wide, mut sum) = (out.within(out.pixel + 16), zeros(&out));
                let addend = random.image(&wide);
                resize_and_add(interpolation, alignment, (&layout, &x), (&wide, &addend), &out, &mut sum);
                for ((sum, y), addend) in planes(&out, &sum).iter().zip(planes(&out, &y)).zip(planes(&wide, &addend)) {
                    prop_assert!((sum - (y + addend)).abs() <= 1e-6);
                }
                resize(interpolation, alignment, &layout, &vec![2.0; layout.len()], &out, &mut y);
                prop_assert!(planes(&out, &y).into_iter().all(|value| (value - 2.0).abs() < 1e-5));
            }
        }
        adaptive_average_pool(&layout, &x, &out, &mut y);
        adaptive_average_pool_gradient((&out, &dy), &layout, &mut dx);
        same_products((&out, &y), &dy, (&layout, &x), &dx);
    }
}
