//! Pooling with indices, and unpooling.

use proptest::prelude::*;
use swath_kernels::{
    Layout, Pooling, max_pool, max_pool_gradient, max_pool_gradient_by_indices, max_pool_with_indices, pack, unpool,
    unpool_gradient,
};

use crate::support::{Random, planes};

/// Images in which many values are equal, and some are infinite or not a number.
fn repetitive(random: &mut Random, layout: &Layout) -> Vec<f32> {
    let mut image = random.image(layout);
    for pixel in image.chunks_mut(layout.pixel) {
        for value in &mut pixel[..layout.channels] {
            *value = match (*value * 20.0) as i32 {
                19 => f32::NAN,
                -10..=-5 => f32::NEG_INFINITY,
                other => (other / 5) as f32,
            };
        }
    }
    image
}

/// PyTorch's loop: value and index of each window, in planes.
fn reference(pooling: &Pooling, from: &Layout, x: &[f64], to: &Layout) -> Vec<(f64, usize)> {
    let mut found = Vec::new();
    for (plane, row, col) in (0..from.batch * from.channels)
        .flat_map(|plane| (0..to.height * to.width).map(move |at| (plane, at / to.width, at % to.width)))
    {
        let mut best: Option<(f64, usize)> = None;
        for (ky, kx) in (0..pooling.kernel[0]).flat_map(|ky| (0..pooling.kernel[1]).map(move |kx| (ky, kx))) {
            let y = (row * pooling.stride[0] + ky * pooling.dilation[0]).wrapping_sub(pooling.padding[0][0]);
            let x_ = (col * pooling.stride[1] + kx * pooling.dilation[1]).wrapping_sub(pooling.padding[1][0]);
            if y < from.height && x_ < from.width {
                let index = y * from.width + x_;
                let value = x[plane * from.height * from.width + index];
                if best.is_none_or(|(most, _)| value > most || value.is_nan()) {
                    best = Some((value, index));
                }
            }
        }
        found.push(best.expect("a pixel in every window"));
    }
    found
}

/// Indices in planes.
fn index_planes(layout: &Layout, indices: &[u32]) -> Vec<usize> {
    let values: Vec<f32> = indices.iter().map(|index| *index as f32).collect();
    let own = Layout::new(layout.batch, layout.height, layout.width, layout.channels);
    planes(&own, &values).into_iter().map(|value| value as usize).collect()
}

fn same(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a == b || a.is_nan() && b.is_nan())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn check(pooling: &Pooling, layout: Layout, wider: usize) {
    let [rows, cols] = pooling.output_size([layout.height, layout.width]).expect("a size");
    let own = Layout::new(layout.batch, rows, cols, layout.channels);
    let (from, to) = (layout.within(layout.pixel + wider), own.within(own.pixel + wider));
    let mut random = Random::new(31);
    let x = repetitive(&mut random, &from);
    let mut y = vec![7.0; to.len()];
    let mut indices = vec![u32::MAX; own.len()];
    max_pool_with_indices(pooling, &from, &x, &to, &mut y, &mut indices);

    let (values, places): (Vec<f64>, Vec<usize>) =
        reference(pooling, &from, &planes(&from, &x), &to).into_iter().unzip();
    assert!(same(&planes(&to, &y), &values), "values of {pooling:?} over {from:?}");
    assert_eq!(index_planes(&to, &indices), places, "indices of {pooling:?} over {from:?}");
    let mut alone = vec![0.0; own.len()];
    max_pool(pooling, &from, &x, &own, &mut alone);
    assert!(same(&planes(&own, &alone), &values));

    // Sums and last values in planes, by the same indices.
    let (area, window_count) = (from.height * from.width, rows * cols);
    let dy = random.image(&to);
    let (mut sums, mut last) = (vec![0.0f32; planes(&from, &x).len()], vec![0.0; planes(&from, &x).len()]);
    for (window, (value, place)) in planes(&to, &dy).into_iter().zip(&places).enumerate() {
        let at = window / window_count * area + place;
        sums[at] += value as f32;
        last[at] = value;
    }
    let sums: Vec<f64> = sums.into_iter().map(f64::from).collect();
    let mut dx = vec![7.0; from.len()];
    max_pool_gradient_by_indices((&to, &dy), &indices, &from, &mut dx);
    assert!(same(&planes(&from, &dx), &sums), "gradient of {pooling:?} over {from:?}");
    let mut by_values = vec![7.0; from.len()];
    max_pool_gradient(pooling, (&from, &x), (&to, &dy), &from, &mut by_values);
    assert!(same(&planes(&from, &by_values), &sums), "gradient by values of {pooling:?} over {from:?}");
    let mut back = vec![7.0; from.len()];
    unpool((&to, &dy), &indices, &from, &mut back);
    assert!(same(&planes(&from, &back), &last), "unpooling of {pooling:?} over {from:?}");

    // Reading by indices is the transposed of adding by them: <gather(z), dy> = <z, scatter(dy)>.
    let z = random.image(&from);
    let mut gathered = vec![7.0; to.len()];
    unpool_gradient((&from, &z), &indices, &to, &mut gathered);
    let (a, b) = (dot(&planes(&to, &gathered), &planes(&to, &dy)), dot(&planes(&from, &z), &sums));
    assert!((a - b).abs() < 1e-5 * (1.0 + rows as f64 * cols as f64), "{a} and {b}");
    // Other channels of wider images stay as they are.
    for (image, layout) in [(&y, &to), (&dx, &from), (&back, &from), (&gathered, &to)] {
        let between = image.chunks(layout.pixel).flat_map(|pixel| pixel.iter().skip(layout.padded_channels()));
        assert!(between.into_iter().all(|&value| value == 7.0));
    }
}

#[test]
fn poolings_of_networks() {
    // SegNet's, ResNet's with overlap, and odd sizes.
    check(&Pooling::new(2, 2), Layout::new(2, 12, 14, 64), 0);
    check(&Pooling::new(2, 2), Layout::new(1, 13, 15, 20), 0);
    check(&Pooling { ceil: true, ..Pooling::new(2, 2) }, Layout::new(1, 13, 15, 20), 16);
    check(&Pooling::new(3, 2).padding(1), Layout::new(2, 33, 47, 24), 32);
    check(&Pooling { dilation: [2, 1], ..Pooling::new(3, 1).padding(1) }, Layout::new(1, 9, 7, 5), 0);
}

#[test]
fn the_last_of_several_windows_wins() {
    // The pixel in the middle is the maximum of all four windows.
    let (layout, out) = (Layout::new(1, 3, 3, 1), Layout::new(1, 2, 2, 1));
    let mut x = vec![0.0; layout.len()];
    pack(&[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], &layout, &mut x);
    let (mut y, mut indices) = (vec![0.0; out.len()], vec![0; out.len()]);
    max_pool_with_indices(&Pooling::new(2, 1), &layout, &x, &out, &mut y, &mut indices);
    assert_eq!(index_planes(&out, &indices), [4; 4]);
    pack(&[1.0, 2.0, 3.0, 4.0], &out, &mut y);
    unpool((&out, &y), &indices, &layout, &mut x);
    assert_eq!(planes(&layout, &x), [0.0, 0.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0]);
    max_pool_gradient_by_indices((&out, &y), &indices, &layout, &mut x);
    assert_eq!(planes(&layout, &x), [0.0, 0.0, 0.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0]);
}

/// Indices of one value that name this pixel of an image of 2 x 3.
fn index_of_small_image(index: u32) -> (Layout, Layout, Vec<u32>) {
    (Layout::new(1, 1, 1, 1), Layout::new(1, 2, 3, 1), vec![index; 16])
}

#[test]
#[should_panic(expected = "index 6 lies beyond an image of 2 x 3 pixels")]
fn unpooling_beyond_the_image_panics() {
    let (small, large, indices) = index_of_small_image(6);
    unpool((&small, &[0.0; 16]), &indices, &large, &mut [0.0; 96]);
}

#[test]
#[should_panic(expected = "index 4000000000 lies beyond an image of 2 x 3 pixels")]
fn reading_beyond_the_image_panics() {
    let (small, large, indices) = index_of_small_image(4_000_000_000);
    unpool_gradient((&large, &[0.0; 96]), &indices, &small, &mut [0.0; 16]);
}

#[test]
#[should_panic(expected = "15 indices")]
fn too_few_indices_panic() {
    let (small, large, indices) = index_of_small_image(0);
    unpool((&small, &[0.0; 16]), &indices[1..], &large, &mut [0.0; 96]);
}

#[test]
#[should_panic(expected = "covers no pixel")]
fn windows_over_padding_alone_have_no_index() {
    let (layout, out) = (Layout::new(1, 1, 1, 1), Layout::new(1, 3, 3, 1));
    let pooling = Pooling::new(1, 1).padding(1);
    max_pool_with_indices(&pooling, &layout, &[0.0; 16], &out, &mut [0.0; 144], &mut [0; 144]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_pooling(
        (kernel, stride, dilation) in ((1usize..4, 1usize..4), (1usize..4, 1usize..4), (1usize..3, 1usize..3)),
        (top, left, ceil) in (0usize..2, 0usize..2, any::<bool>()),
        (height, width) in (1usize..12, 1usize..12),
        (batch, channels, wider) in (1usize..3, 1usize..40, 0usize..2),
    ) {
        let pooling = Pooling {
            kernel: kernel.into(),
            stride: stride.into(),
            padding: [[top.min(kernel.0 / 2); 2], [left.min(kernel.1 / 2); 2]],
            dilation: dilation.into(),
            ceil,
        };
        // With a dilation wider than the image, a window may miss it.
        let misses = height < dilation.0 || width < dilation.1;
        if pooling.output_size([height, width]).is_ok() && !misses {
            check(&pooling, Layout::new(batch, height, width, channels), 16 * wider);
        }
    }
}
