//! Functions, products and layer normalization, against their definitions in f64.

use swath_kernels::{Function, LayerNorm, Layout, attention, map, map_gradient, multiply, pack};

use crate::support::{Random, error, planes};

/// The share of the normal distribution below `x`, by Simpson's rule.
fn below(x: f64) -> f64 {
    const STEPS: usize = 200;
    let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let step = x / STEPS as f64;
    let weight = |i: usize| match i {
        0 | STEPS => 1.0,
        i if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    0.5 + (0..=STEPS).map(|i| weight(i) * density(i as f64 * step)).sum::<f64>() * step / 3.0
}

fn value(function: Function, x: f64) -> f64 {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    match function {
        Function::Relu6 => x.clamp(0.0, 6.0),
        Function::Sigmoid => sigmoid,
        Function::Silu => x * sigmoid,
        Function::Gelu => x * below(x),
    }
}

#[test]
fn functions_and_their_gradients() {
    let (layout, count) = (Layout::new(1, 37, 41, 5), 37 * 41 * 5);
    let wide = layout.within(32);
    // From -12 to 12, and none of the places where ReLU6 bends.
    let numbers: Vec<f32> = (0..count).map(|i| (i as f32 + 0.25) * 24.0 / count as f32 - 12.0).collect();
    let mut x = vec![0.0; wide.len()];
    pack(&numbers, &wide, &mut x);
    let dy = Random::new(3).image(&layout);
    let wide_dy = planes(&layout, &dy);
    for function in [Function::Relu6, Function::Sigmoid, Function::Silu, Function::Gelu] {
        let (mut y, mut dx) = (vec![0.0; layout.len()], vec![0.0; layout.len()]);
        map(function, (&wide, &x), &layout, &mut y);
        map_gradient(function, (&wide, &x), (&layout, &dy), &layout, &mut dx);
        let expected: Vec<f64> = numbers.iter().map(|&x| value(function, f64::from(x))).collect();
        let found = error(&planes(&layout, &y), &expected);
        assert!(found < 2e-7, "{function:?}: {found}");
        let slope = |x: f64| (value(function, x + 1e-4) - value(function, x - 1e-4)) / 2e-4;
        let expected: Vec<f64> = numbers.iter().zip(&wide_dy).map(|(&x, dy)| slope(f64::from(x)) * dy).collect();
        let found = error(&planes(&layout, &dx), &expected);
        assert!(found < 1e-6, "the gradient of {function:?}: {found}");
    }
}

#[test]
fn functions_of_numbers_without_bounds() {
    let layout = Layout::new(1, 1, 5, 1);
    let mut x = vec![0.0; layout.len()];
    pack(&[-1e30, -100.0, 100.0, 1e30, f32::NAN], &layout, &mut x);
    let found = |function| {
        let mut y = vec![0.0; layout.len()];
        map(function, (&layout, &x), &layout, &mut y);
        planes(&layout, &y)
    };
    for (function, expected) in [
        (Function::Relu6, [0.0, 0.0, 6.0, 6.0]),
        (Function::Sigmoid, [0.0, 0.0, 1.0, 1.0]),
        (Function::Silu, [0.0, 0.0, 100.0, 1e30]),
        (Function::Gelu, [0.0, 0.0, 100.0, 1e30]),
    ] {
        let found = found(function);
        assert!(found[4].is_nan(), "{function:?} of NaN is {}", found[4]);
        for (found, expected) in found.iter().zip(expected).skip(1) {
            assert!((found - expected).abs() <= 1e-6 * expected.abs() + 1e-30, "{function:?}: {found}, not {expected}");
        }
    }
}

#[test]
fn products_with_images_and_with_one_pixel_each() {
    let layout = Layout::new(2, 3, 4, 5);
    let mut random = Random::new(5);
    let a = random.image(&layout);
    for other in [layout.within(32), Layout { height: 1, width: 1, ..layout }] {
        let b = random.image(&other);
        let mut product = vec![0.0; layout.len()];
        multiply((&layout, &a), (&other, &b), &layout, &mut product);
        let (a, b) = (planes(&layout, &a), planes(&other, &b));
        let of = |i: usize| if b.len() == a.len() { b[i] } else { b[i / 12] };
        let expected: Vec<f64> = a.iter().enumerate().map(|(i, a)| a * of(i)).collect();
        assert!(error(&planes(&layout, &product), &expected) < 1e-7, "{other:?}");
    }
}

#[test]
fn attention_by_its_definition() {
    // Blocks of queries and vectors of keys that are not whole; parts of wider images.
    for (heads, size, [height, width], [k_height, k_width]) in
        [(1, 32, [9, 17], [3, 5]), (3, 5, [2, 3], [1, 1]), (2, 40, [16, 16], [7, 9])]
    {
        let layout = Layout::new(2, height, width, heads * size);
        let keys = Layout::new(2, k_height, k_width, heads * size);
        let wide = keys.within(keys.pixel + 16);
        let mut random = Random::new(23);
        let (q, k, v) = (random.image(&layout), random.image(&wide), random.image(&keys));
        let q: Vec<f32> = q.iter().map(|value| value * 5.0).collect();
        let mut out = vec![0.0; layout.len()];
        attention(heads, (&layout, &q), (&wide, &k), (&keys, &v), &layout, &mut out);

        let (q, k, v) = (planes(&layout, &q), planes(&wide, &k), planes(&keys, &v));
        let (area, count) = (height * width, k_height * k_width);
        let mut expected = vec![0.0; q.len()];
        for head in 0..2 * heads {
            let at = |area: usize, channel: usize, pixel: usize| (head * size + channel) * area + pixel;
            for pixel in 0..area {
                let logit = |key: usize| {
                    let product = |c: usize| q[at(area, c, pixel)] * k[at(count, c, key)];
                    (0..size).map(product).sum::<f64>() / (size as f64).sqrt()
                };
                let weights: Vec<f64> = (0..count).map(|key| logit(key).exp()).collect();
                let sum: f64 = weights.iter().sum();
                for c in 0..size {
                    let mean = |key: usize| weights[key] / sum * v[at(count, c, key)];
                    expected[at(area, c, pixel)] = (0..count).map(mean).sum();
                }
            }
        }
        let error = error(&planes(&layout, &out), &expected);
        assert!(error < 2e-6, "{heads} heads of {size}: {error}");
    }
}

#[test]
fn layer_norm_by_its_definition() {
    // More and fewer channels than in whole vectors; pixels of wider images.
    for channels in [5, 16, 40] {
        let layout = Layout::new(2, 19, 33, channels);
        let wide = layout.within(layout.pixel + 16);
        let mut random = Random::new(17);
        // A mean far from 0 must not cost digits.
        let x: Vec<f32> = random.image(&wide).iter().map(|value| value + 20.0).collect();
        let (gamma, beta, dy) = (random.values(channels), random.values(channels), random.image(&layout));
        let norm = LayerNorm { gamma: &gamma, beta: &beta, epsilon: 1e-6 };
        let (mut y, mut dx) = (vec![0.0; layout.len()], vec![0.0; layout.len()]);
        norm.forward((&wide, &x), &layout, &mut y);
        let (dgamma, dbeta) = norm.backward((&wide, &x), (&layout, &dy), &layout, &mut dx);

        let (x, dy) = (planes(&wide, &x), planes(&layout, &dy));
        let (mut expected_y, mut expected_dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let (mut by_gamma, mut by_beta) = (vec![0.0; channels], vec![0.0; channels]);
        let (area, count) = (19 * 33, channels as f64);
        for pixel in 0..2 * area {
            let place = |channel: usize| (pixel / area * channels + channel) * area + pixel % area;
            let mean = (0..channels).map(|c| x[place(c)]).sum::<f64>() / count;
            let variance = (0..channels).map(|c| (x[place(c)] - mean).powi(2)).sum::<f64>() / count;
            let inverse = 1.0 / (variance + 1e-6).sqrt();
            let normal = |c: usize| (x[place(c)] - mean) * inverse;
            let g = |c: usize| f64::from(gamma[c]) * dy[place(c)];
            let (sum, product) = (0..channels).fold((0.0, 0.0), |(a, b), c| (a + g(c), b + g(c) * normal(c)));
            for c in 0..channels {
                expected_y[place(c)] = f64::from(gamma[c]) * normal(c) + f64::from(beta[c]);
                expected_dx[place(c)] = inverse * (g(c) - sum / count - normal(c) * product / count);
                by_gamma[c] += dy[place(c)] * normal(c);
                by_beta[c] += dy[place(c)];
            }
        }
        let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
        for (name, found, expected) in [
            ("y", planes(&layout, &y), expected_y),
            ("dx", planes(&layout, &dx), expected_dx),
            ("dgamma", wide(dgamma), by_gamma),
            ("dbeta", wide(dbeta), by_beta),
        ] {
            let error = error(&found, &expected);
            assert!(error < 2e-5, "{name} of {channels} channels: {error}");
        }
    }
}
