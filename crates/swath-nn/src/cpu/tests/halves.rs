//! Programs in bfloat16: what is kept so, and what comes of it.

use swath_kernels::Element;

use super::*;
use crate::cpu::elements::elements;
use crate::cpu::place::Placement;

/// A 1x1 convolution of 32 channels, which all processors compute directly.
fn conv1(x: Tensor<4>, outputs: usize, seed: u64, device: &Device) -> Tensor<4> {
    let weight = tensor([outputs, x.dims()[1], 1, 1], seed, device) / 6.0;
    conv2d(x, weight, Some(tensor([outputs], seed + 1, device)), ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
}

/// The names of operations in bfloat16, and whether what they make is kept so.
fn halves(shape: [usize; 4], forward: impl Fn(&Device, Tensor<4>) -> Tensor<4>) -> Vec<(&'static str, bool)> {
    let graph = graph_in(Precision::Bf16, shape, forward);
    let elements = elements(&graph, &Placement::new(&graph), swath_kernels::Precision::Bf16).unwrap();
    let made = graph.nodes.iter().map(|node| elements[node.outputs[0].0] == Element::Bfloat16);
    names(&graph).into_iter().zip(made).collect()
}

#[test]
fn what_convolutions_round_is_kept_rounded() {
    let forward = |device: &Device, x: Tensor<4>| {
        let x = relu(conv1(x, 32, 1, device));
        let sum = conv1(x.clone(), 32, 3, device) + x;
        let pooled = max_pool2d(sum, MaxPoolOptions::new([3, 3]));
        let logits = conv1(relu(conv1(pooled, 32, 5, device)), 16, 7, device);
        interpolate(logits, InterpolateOptions::new(InterpolateMode::Bilinear).with_output_size([12, 20]))
    };
    // The logits, and what is interpolated for them, are as exact as convolutions make them.
    let expected = [
        ("convolution", true),
        ("convolution", true),
        ("max pool", true),
        ("convolution", true),
        ("convolution", false),
        ("resize", false),
    ];
    assert_eq!(halves([1, 32, 18, 30], forward), expected);
}

/// By Winograd's methods or directly, as it is best.
#[test]
fn what_convolutions_of_3x3_read_is_kept_rounded() {
    let found = halves([1, 32, 36, 40], |device, x| {
        let x = max_pool2d(relu(conv3(x, 32, 1, device)), MaxPoolOptions::new([2, 2]).with_stride([2, 2]));
        conv3(relu(conv3(x, 48, 3, device)), 16, 5, device)
    });
    // The first one takes the maxima, too.
    assert_eq!(found, [("convolution", true), ("convolution", true), ("convolution", false)]);
}

#[test]
fn what_others_need_as_floats_stays_float() {
    // Parts of a concatenation are what the whole is, and a part at an odd channel cannot be half a float.
    let join = |channels: usize| {
        halves([1, 32, 12, 10], move |device, x| {
            let (a, b) = (conv1(x.clone(), channels, 1, device), conv1(x, 16, 3, device));
            conv1(Tensor::cat(vec![a, b], 1), 32, 5, device)
        })
    };
    let all = |half: bool| {
        [("convolution", half), ("convolution", half), ("concatenate", half), ("convolution", false)].to_vec()
    };
    assert_eq!(join(16), all(true));
    assert_eq!(
        join(6),
        vec![("convolution", true), ("convolution", true), ("concatenate", true), ("convolution", false)]
    );
    assert_eq!(join(5)[2], ("concatenate", false));
    // Crops have no form for them.
    let cropped = halves([1, 32, 12, 10], |device, x| {
        conv1(conv1(x, 32, 1, device).slice([0..1, 0..32, 2..9, 0..10]), 32, 3, device)
    });
    assert_eq!(cropped, [("convolution", false), ("take", false), ("convolution", false)]);
}

#[test]
fn programs_in_bf16_stay_close() {
    let device = Device::flex();
    let shape = [1, 32, 18, 30];
    let forward = |device: &Device, x: Tensor<4>| {
        let x = relu(conv1(x, 48, 1, device));
        let joined = Tensor::cat(vec![conv1(x.clone(), 21, 3, device), conv3(x.clone(), 27, 5, device)], 1);
        let sum = relu(conv1(joined, 48, 7, device) + x);
        let small = max_pool2d(sum.clone(), MaxPoolOptions::new([2, 2]).with_stride([2, 2]));
        let enlarge = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([18, 30]);
        let large = interpolate(conv1(small, 48, 9, device), enlarge);
        conv1(relu(Tensor::cat(vec![large, sum], 1)), 16, 11, device)
    };
    let chip = values(shape.iter().product(), 7);
    let images = Tensor::from_data(TensorData::new(chip.clone(), shape), &device);
    let expected = forward(&device, images).into_data().try_into_vec::<f32>().unwrap();
    let program = |precision: Precision| {
        compile(capture(shape, forward).unwrap(), size(shape), precision, &mut Filters::default()).unwrap()
    };
    let (full, half) = (program(Precision::Fp32), program(Precision::Bf16));
    assert!(half.arena() < full.arena(), "{} of {} floats", half.arena(), full.arena());
    let mut arena = Buffer::new(half.arena());
    arena.fill(f32::NAN);
    let mut found = vec![0.0; half.outputs()];
    half.run(&chip, &mut arena, &mut found);
    let error = error(&found, &expected);
    assert!((1e-4..1e-2).contains(&error), "an error of {error}");
}
