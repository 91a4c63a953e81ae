//! Programs against Burn's own forward pass.

use burn::module::Param;
use burn::nn::GroupNormConfig;
use burn::tensor::activation::relu;
use burn::tensor::module::{
    adaptive_avg_pool2d, avg_pool2d, batch_norm, conv_transpose2d, conv2d, interpolate, layer_norm, max_pool2d,
};
use burn::tensor::ops::{
    AvgPoolOptions, ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions,
};
use burn::tensor::{Device, Int, Tensor, TensorData};
use swath_kernels::Buffer;

use super::capture::capture;
use super::convolve::Filters;
use super::executor::{compile, of_kernels, optimize};
use super::graph::{Graph, Node, Op, Size};
use super::program::Program;
use super::translate::translate;
use crate::ops;
use crate::precision::Precision;

mod halves;

/// Reproducible values between -1 and 1.
fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn tensor<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values(shape.iter().product(), seed), shape), device)
}

/// A 3x3 convolution that keeps the size.
fn conv3(x: Tensor<4>, outputs: usize, seed: u64, device: &Device) -> Tensor<4> {
    let inputs = x.dims()[1];
    let weight = tensor([outputs, inputs, 3, 3], seed, device) / (inputs as f32).sqrt();
    conv2d(x, weight, Some(tensor([outputs], seed + 1, device)), ConvOptions::new([1, 1], [1, 1], [1, 1], 1))
}

fn size([_, channels, height, width]: [usize; 4]) -> Size {
    Size { channels, height, width }
}

/// Runs `forward` as a program and on Burn, and compares. Returns the program.
fn check(shape: [usize; 4], forward: impl Fn(&Device, Tensor<4>) -> Tensor<4>) -> Program {
    let device = Device::flex();
    let chip = values(shape.iter().product(), 7);
    let images = Tensor::from_data(TensorData::new(chip.clone(), shape), &device);
    let expected = forward(&device, images).into_data().try_into_vec::<f32>().unwrap();
    let captured = capture(shape, &forward).unwrap();
    let program = compile(captured, size(shape), Precision::Fp32, &mut Filters::default()).unwrap();
    // Twice, on what the first run has left.
    let mut arena = Buffer::new(program.arena());
    arena.fill(f32::NAN);
    for _ in 0..2 {
        let mut found = vec![0.0; program.outputs()];
        program.run(&chip, &mut arena, &mut found);
        let error = error(&found, &expected);
        assert!(error < 1e-5, "an error of {error}");
    }
    program
}

/// Root of the mean square of the difference, over that of what is expected.
fn error(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |value: f64| value * value;
    let difference: f64 = found.iter().zip(expected).map(|(a, b)| square(f64::from(a - b))).sum();
    let scale: f64 = expected.iter().map(|value| square(f64::from(*value))).sum();
    (difference / scale).sqrt()
}

/// The graph of `forward` after all passes.
fn graph(shape: [usize; 4], forward: impl Fn(&Device, Tensor<4>) -> Tensor<4>) -> Graph {
    graph_in(Precision::Fp32, shape, forward)
}

fn graph_in(precision: Precision, shape: [usize; 4], forward: impl Fn(&Device, Tensor<4>) -> Tensor<4>) -> Graph {
    let mut graph = translate(capture(shape, forward).unwrap(), size(shape)).unwrap();
    optimize(&mut graph, of_kernels(precision));
    graph
}

/// `gamma (x - mean) / sqrt(variance + epsilon) + beta`
fn norm(x: Tensor<4>, seed: u64, device: &Device) -> Tensor<4> {
    let channels = x.dims()[1];
    let part = |index| tensor([channels], seed + index, device);
    batch_norm(x, part(0), part(1), part(2), part(3).abs(), 1e-5)
}

fn names(graph: &Graph) -> Vec<&'static str> {
    let name = |op: &Op| match op {
        Op::Convolution(_) => "convolution",
        Op::ConvolutionWithHead(_) => "convolution with head",
        Op::Scale { .. } => "scale",
        Op::Activate(_) => "activate",
        Op::Map(_) => "map",
        Op::Multiply => "multiply",
        Op::Attention { .. } => "attention",
        Op::LayerNorm(_) => "layer norm",
        Op::GroupNorm(_) => "group norm",
        Op::Add(_) => "add",
        Op::MaxPool(_) => "max pool",
        Op::MaxPoolWithIndices(_) => "max pool with indices",
        Op::Unpool => "unpool",
        Op::AveragePool(..) => "average pool",
        Op::AdaptiveAveragePool => "adaptive average pool",
        Op::Resize(..) => "resize",
        Op::Concatenate => "concatenate",
        Op::Take { .. } => "take",
        Op::Burn(_) => "burn",
    };
    graph.nodes.iter().map(|node| name(&node.op)).collect()
}

#[test]
fn linear_operations_come_where_they_cost_least() {
    let pixelwise = |x: Tensor<4>, outputs: usize, seed: u64, device: &Device| {
        let inputs = x.dims()[1];
        let weight = tensor([outputs, inputs, 1, 1], seed, device) / (inputs as f32).sqrt();
        conv2d(x, weight, Some(tensor([outputs], seed + 1, device)), ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    };
    let enlarge = |x: Tensor<4>, mode| interpolate(x, InterpolateOptions::new(mode).with_output_size([21, 26]));
    let forward = |device: &Device, x: Tensor<4>| {
        let fine = relu(conv3(x.clone(), 20, 1, device));
        let middle = pixelwise(relu(conv3(max_pool2d(x, MaxPoolOptions::new([2, 2])), 64, 3, device)), 96, 5, device);
        let coarse = relu(max_pool2d(middle.clone(), MaxPoolOptions::new([2, 2])));
        let parts = vec![
            enlarge(coarse.clone(), InterpolateMode::Bicubic),
            fine,
            enlarge(coarse, InterpolateMode::Nearest),
            enlarge(middle, InterpolateMode::Bilinear),
        ];
        let joined = relu(pixelwise(Tensor::cat(parts, 1), 40, 7, device));
        pixelwise(pixelwise(joined, 24, 9, device), 8, 11, device)
    };
    check([1, 16, 21, 26], forward);
    let graph = graph([1, 16, 21, 26], forward);
    let names = names(&graph);
    // Two of the input, one of the middle level that is also pooled, one for each part, and the last two as one.
    assert_eq!(names.iter().filter(|name| **name == "convolution").count(), 3 + 4 + 1, "{names:?}");
    // Enlarged parts are added as they are made, the last ones by the convolution of the first.
    assert!(!names.contains(&"concatenate") && !names.contains(&"add"), "{names:?}");
    let large = |node: &&Node| matches!(node.op, Op::Convolution(_)) && graph.size(node.outputs[0]).height == 21;
    assert_eq!(graph.nodes.iter().filter(large).count(), 3);
}

#[test]
fn maxima_become_part_of_convolutions() {
    let forward = |device: &Device, x: Tensor<4>| {
        let pool = |x: Tensor<4>| max_pool2d(x, MaxPoolOptions::new([2, 2]));
        let skip = relu(conv3(x, 20, 1, device));
        let y = pool(skip.clone());
        let sum = pool(conv3(y.clone(), 20, 3, device) + y);
        // Windows of another kind, and the same windows twice.
        let y = max_pool2d(conv3(sum, 16, 5, device), MaxPoolOptions::new([2, 2]).with_stride([1, 1]));
        let y = conv3(y, 20, 7, device);
        let y = Tensor::cat(vec![pool(y.clone()), pool(y)], 1);
        let y = interpolate(y, InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([27, 22]));
        Tensor::cat(vec![y, skip], 1)
    };
    check([1, 16, 27, 22], forward);
    let graph = graph([1, 16, 27, 22], forward);
    let pools = names(&graph).into_iter().filter(|name| *name == "max pool").count();
    assert_eq!(pools, 2, "{:?}", names(&graph));
    let halving = graph.nodes.iter().filter(|node| matches!(node.op, Op::Convolution(_)) && node.outputs.len() == 2);
    assert_eq!(halving.count(), 3);
}

#[test]
fn the_callers_planes_are_read_and_written() {
    let shape = [1, 16, 27, 22];
    let direct = |device: &Device, x: Tensor<4>| conv3(relu(conv3(x, 32, 1, device)), 16, 3, device);
    let with_head = |device: &Device, x: Tensor<4>| {
        let weight = tensor([5, 16, 1, 1], 5, device) / 4.0;
        conv2d(relu(direct(device, x)), weight, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    };
    assert_eq!(check(shape, direct).planes(), [false, true]);
    assert_eq!(check(shape, with_head).planes(), [false, true]);
    // What is read twice, or by others, is packed.
    let twice = check(shape, |device, x| conv3(x.clone(), 16, 1, device) + conv3(x, 16, 3, device));
    assert!(!twice.planes()[0]);
    // Tiles round what they read, and need no other form of it.
    let captured = capture(shape, direct).unwrap();
    let program = compile(captured, size(shape), Precision::Bf16x2, &mut Filters::default()).unwrap();
    assert_eq!(program.planes(), [swath_kernels::Isa::best().has_tiles(), true]);
}

#[test]
fn heads_are_computed_on_the_way() {
    let pointwise = |x: Tensor<4>, outputs: usize, device: &Device| {
        let weight = tensor([outputs, x.dims()[1], 1, 1], 9, device);
        conv2d(x, weight, Some(tensor([outputs], 10, device)), ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    };
    let forward = |device: &Device, x: Tensor<4>| pointwise(relu(conv3(x, 40, 1, device)), 5, device);
    check([1, 16, 27, 22], forward);
    assert_eq!(names(&graph([1, 16, 27, 22], forward)), ["convolution with head"]);
    // Too many outputs, and a result that somebody else reads.
    let forward = |device: &Device, x: Tensor<4>| {
        let x = relu(conv3(x, 40, 1, device));
        let y = pointwise(relu(conv3(x.clone(), 16, 3, device)), 17, device);
        Tensor::cat(vec![pointwise(x.clone(), 5, device), x, y], 1)
    };
    check([1, 16, 27, 22], forward);
    assert!(!names(&graph([1, 16, 27, 22], forward)).contains(&"convolution with head"));
}

#[test]
fn maxima_return_to_where_they_stood() {
    let forward = |device: &Device, x: Tensor<4>| {
        let x = conv3(x, 20, 1, device);
        let (y, outer) = ops::max_pool_with_indices(x, MaxPoolOptions::new([2, 2]));
        let (y, inner) = ops::max_pool_with_indices(y, MaxPoolOptions::new([2, 3]).with_stride([2, 3]));
        let y = ops::unpool(conv3(y, 20, 3, device), inner, [7, 11]);
        ops::unpool(y, outer, [14, 22])
    };
    assert_eq!(check([1, 6, 14, 22], forward).fallbacks().count(), 0);
    let graph = graph([1, 6, 14, 22], forward);
    let expected = ["convolution", "max pool with indices", "max pool with indices", "convolution", "unpool", "unpool"];
    assert_eq!(names(&graph), expected);
}

/// Burn reads the indices where what is done with them is no unpooling.
#[test]
fn indices_may_be_read_by_other_operations() {
    let program = check([1, 5, 8, 6], |_, x| {
        let (y, indices) = ops::max_pool_with_indices(x.clone(), MaxPoolOptions::new([2, 2]));
        let named = x.reshape([1, 5, 48]).gather(2, indices.reshape([1, 5, 12]));
        y + named.reshape([1, 5, 4, 3])
    });
    assert!(program.fallbacks().any(|name| name == "Gather"), "{:?}", program.fallbacks().collect::<Vec<_>>());
}

#[test]
fn convolutions_of_all_kinds() {
    let program = check([1, 6, 19, 23], |device, x| {
        let options = ConvOptions::new_with_padding([2, 1], [(0, 3), (2, 1)], [1, 2], 3);
        let x = conv2d(x, tensor([9, 2, 3, 2], 1, device), None, options);
        let up = ConvTransposeOptions::new([2, 3], [1, 0], [1, 2], [1, 1], 3);
        conv_transpose2d(x, tensor([9, 4, 3, 3], 2, device), Some(tensor([12], 3, device)), up)
    });
    assert_eq!(program.fallbacks().count(), 0);
}

#[test]
fn pooling_resizing_and_sums() {
    let program = check([1, 5, 21, 18], |device, x| {
        let x = conv3(x, 7, 1, device);
        let pooled = max_pool2d(x.clone(), MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]));
        let options = AvgPoolOptions::new([2, 3]).with_stride([2, 2]).with_padding([1, 1]);
        let mean = avg_pool2d(x.clone(), options.clone().with_count_include_pad(false));
        let padded = avg_pool2d(x.clone(), options);
        let to = |x, mode, corners| {
            let options = InterpolateOptions::new(mode).with_align_corners(corners).with_output_size([25, 40]);
            interpolate(x, options)
        };
        let sum = to(pooled, InterpolateMode::Bilinear, false) + to(mean, InterpolateMode::Bilinear, true);
        let sum = relu(sum + to(padded, InterpolateMode::Bicubic, false));
        sum + to(adaptive_avg_pool2d(x, [4, 5]), InterpolateMode::Nearest, false)
    });
    assert_eq!(program.fallbacks().count(), 0);
}

#[test]
fn crops_and_mirrored_edges() {
    let program = check([1, 3, 9, 11], |device, x| {
        let rows = Tensor::<1, Int>::from_ints([0, 1, 2, 3, 4, 5, 6, 7, 8, 7, 6, 5], device);
        let x = conv3(x.select(2, rows), 4, 1, device);
        x.slice([0..1, 0..4, 2..12, 1..8])
    });
    assert_eq!(program.fallbacks().count(), 0);
}

#[test]
fn what_has_no_form_runs_on_burn_and_is_named() {
    let program = check([1, 3, 10, 12], |device, x| {
        let x = conv3(x, 20, 1, device);
        let weights = x.clone().mean_dim(2).mean_dim(3).tanh();
        let scaled = x.clone() * weights.reshape([20, 1, 1]).unsqueeze();
        conv3(Tensor::cat(vec![x, scaled], 1), 5, 3, device)
    });
    let names: Vec<String> = program.fallbacks().collect();
    assert!(names.iter().any(|name| name == "MeanDim") && names.iter().any(|name| name == "Tanh"), "{names:?}");
}

#[test]
fn activations_products_and_layer_norms_have_forms() {
    let forward = |device: &Device, x: Tensor<4>| {
        let vector = |seed| tensor([20], seed, device);
        let x = ops::activate(ops::Activation::Silu, conv3(x, 20, 1, device));
        let x = ops::scale_channels(vector(3), ops::layer_norm(vector(4), vector(5), 1e-6, x));
        let weights = ops::activate(ops::Activation::Sigmoid, ops::adaptive_average_pool(x.clone(), [1, 1]));
        ops::activate(ops::Activation::Gelu, ops::multiply(x.clone(), weights) * x)
    };
    assert_eq!(check([1, 3, 9, 7], forward).fallbacks().count(), 0);
    let expected = ["convolution", "layer norm", "adaptive average pool", "map", "multiply", "multiply", "map"];
    assert_eq!(names(&graph([1, 3, 9, 7], forward)), expected);
}

#[test]
fn group_norms_have_one_form() {
    let norm = |groups, device: &Device| {
        let mut norm = GroupNormConfig::new(groups, 6).init(device);
        norm.gamma = Some(Param::from_tensor(tensor([6], 4, device)));
        norm.beta = Some(Param::from_tensor(tensor([6], 5, device)));
        norm
    };
    let forward = |device: &Device, x| {
        let x = ops::group_norm_relu(&norm(3, device), conv3(x, 6, 1, device));
        ops::group_norm_relu(&norm(1, device), x)
    };
    let program = check([1, 3, 9, 7], forward);
    assert_eq!(program.fallbacks().count(), 0);
    assert_eq!(names(&graph([1, 3, 9, 7], forward)), ["convolution", "group norm", "group norm"]);
    // Rows with parameters, or that are no groups, are another normalization.
    let other = |device: &Device, x: Tensor<4>, row: usize, gamma: Tensor<1>| {
        let x = conv3(x, 6, 1, device).reshape([1, 6 * 63 / row, row]);
        layer_norm(x, gamma, None, 1e-5).reshape([1, 6, 9, 7])
    };
    for (row, ones) in [(63, false), (7, true)] {
        let forward = |device: &Device, x| {
            let gamma = if ones { Tensor::ones([row], device) } else { tensor([row], 6, device) };
            other(device, x, row, gamma)
        };
        assert!(check([1, 3, 9, 7], forward).fallbacks().any(|name| name == "LayerNorm"));
    }
}

#[test]
fn attention_between_images_has_a_form() {
    let forward = |device: &Device, x: Tensor<4>| {
        let query = conv3(x, 32, 1, device);
        let pairs = conv3(query.clone(), 64, 3, device);
        let (key, value) = (pairs.clone().narrow(1, 0, 32), pairs.narrow(1, 32, 32));
        ops::attention(2, query, key, value)
    };
    assert_eq!(check([1, 3, 9, 7], forward).fallbacks().count(), 0);
    let expected = ["convolution", "convolution", "take", "take", "attention"];
    assert_eq!(names(&graph([1, 3, 9, 7], forward)), expected);
}

/// Tokens of another kind than an image's pixels.
#[test]
fn other_attention_runs_on_burn() {
    let program = check([1, 3, 8, 6], |_, x| {
        let tokens = x.reshape([1, 2, 12, 6]);
        ops::token_attention(tokens.clone(), tokens.clone().flip([2]), tokens, None).reshape([1, 3, 8, 6])
    });
    assert!(program.fallbacks().any(|name| name == "Attention"));
}

/// What only looks like a layer normalization, or is read elsewhere too.
#[test]
fn other_quotients_stay() {
    let centered = |x: Tensor<4>, axis: usize| x.clone() - x.mean_dim(axis);
    let norm = |x: Tensor<4>| x.clone() / ((x.clone() * x).mean_dim(1) + 0.1).sqrt();
    let program = check([1, 6, 5, 7], |_, x| norm(centered(x, 2)));
    assert!(program.fallbacks().any(|name| name == "Div"));
    let program = check([1, 6, 5, 7], |_, x| {
        let x = centered(x, 1);
        norm(x.clone()) + x
    });
    let names: Vec<String> = program.fallbacks().collect();
    assert!(!names.iter().any(|name| name == "Div") && names.iter().any(|name| name == "Sub"), "{names:?}");
}

#[test]
fn what_depends_on_constants_alone_is_computed_once() {
    let graph = graph([1, 3, 8, 8], |device, x| {
        let weight = tensor([4, 3, 1, 1], 1, device) * tensor([4, 1, 1, 1], 2, device).exp();
        conv2d(x, weight, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1))
    });
    assert_eq!(names(&graph), ["convolution"]);
}

#[test]
fn batch_norm_becomes_part_of_convolutions() {
    let forward = |device: &Device, x| {
        let x = relu(norm(conv3(x, 6, 1, device), 3, device));
        let up = ConvTransposeOptions::new([2, 2], [0, 0], [0, 0], [1, 1], 2);
        norm(conv_transpose2d(x, tensor([6, 2, 2, 2], 8, device), None, up), 9, device)
    };
    check([1, 3, 9, 7], forward);
    assert_eq!(names(&graph([1, 3, 9, 7], forward)), ["convolution", "convolution"]);
}

#[test]
fn batch_norm_elsewhere_is_a_convolution_by_itself() {
    let forward = |device: &Device, x| {
        let x = conv3(norm(x, 1, device), 6, 2, device);
        // The convolution is read twice, so that its weights have to stay.
        x.clone() + relu(norm(x, 3, device))
    };
    check([1, 3, 9, 7], forward);
    assert_eq!(names(&graph([1, 3, 9, 7], forward)), ["convolution", "convolution", "convolution", "add"]);
}

#[test]
fn sums_and_activations_become_part_of_convolutions() {
    let residual = |device: &Device, x: Tensor<4>| {
        let x = relu(conv3(x, 6, 1, device));
        let x = relu(conv3(x.clone(), 6, 2, device) + x);
        // Relu6, and a sum of two convolutions.
        let y = conv3(x.clone(), 4, 3, device) + conv3(x, 4, 4, device);
        y.clamp(0.0, 6.0)
    };
    check([1, 3, 9, 7], residual);
    assert_eq!(names(&graph([1, 3, 9, 7], residual)), ["convolution"; 4]);
}

#[test]
fn what_others_read_stays_as_it_is() {
    let forward = |device: &Device, x: Tensor<4>| {
        let x = conv3(x, 6, 1, device);
        relu(x.clone()) + x
    };
    check([1, 3, 9, 7], forward);
    assert_eq!(names(&graph([1, 3, 9, 7], forward)), ["convolution", "activate", "add"]);
}

#[test]
fn whole_vectors_of_channels_are_concatenated_without_copies() {
    let join = |channels: [usize; 2]| {
        check([1, 3, 12, 10], move |device, x| {
            let a = conv3(x, channels[0], 1, device);
            let b = max_pool2d(conv3(a.clone(), channels[1], 3, device), MaxPoolOptions::new([1, 1]));
            relu(conv3(Tensor::cat(vec![a, b], 1), 4, 5, device))
        })
        .copies()
    };
    assert_eq!(join([32, 16]), 0);
    assert_eq!(join([16, 5]), 0);
    assert_eq!(join([5, 16]), 1);
    assert_eq!(join([5, 3]), 1);
}

#[test]
fn nothing_is_written_beside_what_is_read() {
    // The second part is computed from the first: one of them has to be moved.
    let dense = check([1, 16, 12, 10], |device, x| {
        let x = relu(conv3(x, 16, 1, device));
        let x = Tensor::cat(vec![x.clone(), conv3(x, 16, 3, device)], 1);
        Tensor::cat(vec![x.clone(), conv3(x, 16, 5, device)], 1)
    });
    assert_eq!(dense.copies(), 2);
    let twice = check([1, 16, 12, 10], |device, x| {
        let x = conv3(x, 16, 1, device);
        let y = Tensor::cat(vec![x.clone(), x.clone()], 1);
        Tensor::cat(vec![y, x], 1)
    });
    assert_eq!(twice.copies(), 3);
}

#[test]
fn memory_is_used_again() {
    let channels = 32;
    let program =
        check([1, 16, 32, 32], |device, x| (0..10).fold(x, |x, layer| relu(conv3(x, channels, 2 * layer, device))));
    // Two images are alive at a time.
    assert_eq!(program.arena(), 2 * 32 * 32 * channels);
}

#[test]
fn an_interpolation_at_the_end_needs_no_memory() {
    let enlarge = InterpolateOptions::new(InterpolateMode::Bilinear).with_output_size([40, 36]);
    let program = check([1, 3, 9, 8], |device, x| interpolate(conv3(x, 20, 1, device), enlarge.clone()));
    assert!(program.arena() < 40 * 36 * 16, "{} floats", program.arena());
    // Nor a program without any other step.
    let enlarge = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([40, 36]);
    check([1, 3, 9, 8], |_, x| interpolate(x, enlarge.clone()));
}

#[test]
fn the_input_may_be_the_output() {
    check([1, 3, 5, 4], |_, x| x);
}

#[test]
fn an_output_without_an_image_is_refused() {
    let captured = capture([1, 3, 5, 4], |device, _| tensor([1, 3, 5, 4], 1, device)).unwrap();
    assert!(translate(captured, size([1, 3, 5, 4])).is_err());
}
