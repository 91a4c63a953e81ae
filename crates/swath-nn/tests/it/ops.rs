//! Operations on the kernels against Burn's own, by values, gradients, finite differences and the adjoint identity.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, GroupNormConfig, PaddingConfig2d};
use burn::tensor::activation::{gelu, relu, sigmoid, silu};
use burn::tensor::module::{
    adaptive_avg_pool2d, avg_pool2d, conv2d, interpolate, layer_norm, max_pool2d, max_pool2d_with_indices,
};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions};
use burn::tensor::{DType, Device, IndexingUpdateOp, Int, Tensor, TensorData};
use swath_nn::ops::{self, Activation};

/// Largest difference, relative to the value or to the tensor's root mean square, whichever is larger.
const TOLERANCE: f32 = 1e-4;

#[test]
fn convolutions_equal_burn() {
    let conv = |channels: [usize; 2], kernel: usize| Conv2dConfig::new(channels, [kernel; 2]);
    let same = |pad: usize| PaddingConfig2d::Explicit(pad, pad, pad, pad);
    let cases = [
        (conv([3, 16], 3).with_padding(same(1)), [2, 9, 11]),
        (conv([32, 48], 3).with_padding(same(1)), [2, 20, 17]),
        (conv([16, 16], 3).with_padding(same(1)), [1, 5, 4]),
        (conv([32, 20], 1), [2, 7, 5]),
        (conv([20, 32], 1).with_stride([2, 2]).with_bias(false), [2, 8, 7]),
        (conv([4, 16], 7).with_padding(same(3)).with_stride([2, 2]).with_bias(false), [2, 15, 16]),
        (conv([16, 32], 3).with_padding(same(1)).with_stride([2, 2]), [2, 8, 9]),
        (conv([16, 16], 3).with_padding(same(2)).with_dilation([2, 2]), [1, 9, 10]),
        (conv([32, 32], 3).with_padding(same(1)).with_groups(4), [1, 8, 8]),
        (conv([16, 16], 3).with_padding(PaddingConfig2d::Explicit(0, 1, 2, 3)), [1, 8, 9]),
        (conv([16, 16], 3).with_padding(PaddingConfig2d::Same), [1, 8, 9]),
        (conv([16, 5], 1), [1, 1, 1]),
        (conv([16, 8], 3), [2, 4, 6]),
        (conv([16, 20], 7), [2, 8, 9]),
        (conv([16, 20], 7).with_padding(PaddingConfig2d::Explicit(0, 0, 3, 1)), [2, 4, 6]),
    ];
    for (config, size) in cases {
        let conv = filled_conv(&config);
        let inputs = [[size[0], config.channels[0], size[1], size[2]]];
        let parameters = [conv.weight.val()];
        let bias: Vec<Tensor<1>> = conv.bias.iter().map(Param::val).collect();
        for (name, own, burn) in [
            (
                "conv",
                &(|x: &[Tensor<4>]| ops::conv(&conv, x[0].clone())) as Layer,
                &(|x: &[Tensor<4>]| conv.forward(x[0].clone())) as Layer,
            ),
            ("conv_relu", &|x| ops::conv_relu(&conv, x[0].clone()), &|x| relu(conv.forward(x[0].clone()))),
        ] {
            compare(&format!("{name} {config}"), &inputs, &parameters, &bias, own, burn);
        }
    }
}

/// With weights that are a part of wider ones, as levels of a pixel's perceptron have them.
#[test]
fn pointwise_layers_equal_burn() {
    let conv = filled_conv(&Conv2dConfig::new([48, 20], [1, 1]));
    let bias = || Some(conv.bias.as_ref().unwrap().val());
    for rectify in [false, true] {
        compare(
            &format!("pointwise {rectify}"),
            &[[2, 16, 5, 7]],
            &[conv.weight.val()],
            &[bias().unwrap()],
            &|x| ops::pointwise(conv.weight.val().narrow(1, 16, 16), bias(), rectify, x[0].clone()),
            &|x| {
                let y = conv2d(
                    x[0].clone(),
                    conv.weight.val().narrow(1, 16, 16),
                    bias(),
                    ConvOptions::new([1, 1], [0, 0], [1, 1], 1),
                );
                if rectify { relu(y) } else { y }
            },
        );
    }
}

#[test]
fn transposed_convolutions_equal_burn() {
    let conv = |channels: [usize; 2], kernel: usize| ConvTranspose2dConfig::new(channels, [kernel; 2]);
    let cases = [
        conv([32, 16], 2).with_stride([2, 2]),
        conv([20, 5], 2).with_stride([2, 2]).with_bias(false),
        conv([16, 16], 4).with_stride([2, 2]).with_padding([1, 1]),
        conv([16, 16], 3).with_stride([2, 2]).with_padding([1, 1]).with_padding_out([1, 1]),
        conv([16, 20], 3).with_padding([1, 1]),
        conv([8, 16], 3).with_bias(false),
        conv([20, 16], 7).with_bias(false),
    ];
    for config in cases {
        let conv = filled_transposed(&config);
        let bias: Vec<Tensor<1>> = conv.bias.iter().map(Param::val).collect();
        compare(
            &format!("{config}"),
            &[[2, config.channels[0], 5, 7]],
            &[conv.weight.val()],
            &bias,
            &|x| ops::conv_transpose(&conv, x[0].clone()),
            &|x| conv.forward(x[0].clone()),
        );
    }
}

#[test]
fn normalized_convolutions_equal_burn() {
    for (channels, bias) in [([16, 32], false), ([5, 20], true)] {
        let config = Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        let conv = filled_conv(&config.with_bias(bias));
        let parameters = [conv.weight.val()];
        for rectified in [false, true] {
            let norms = [filled_norm(channels[1], &training()), filled_norm(channels[1], &training())];
            let affine = [norms[0].gamma.val(), norms[0].beta.val()];
            // Both norms have the same values, and Burn's shares the parameters whose gradients are compared.
            let burn_norm =
                BatchNorm { gamma: norms[0].gamma.clone(), beta: norms[0].beta.clone(), ..norms[1].clone() };
            compare(
                &format!("conv_norm {channels:?} {rectified}"),
                &[[3, channels[0], 9, 10]],
                &parameters,
                &affine,
                &|x| match rectified {
                    true => ops::conv_norm_relu(&conv, &norms[0], x[0].clone()),
                    false => ops::conv_norm(&conv, &norms[0], x[0].clone()),
                },
                &|x| {
                    let y = burn_norm.forward(conv.forward(x[0].clone()));
                    if rectified { relu(y) } else { y }
                },
            );
            for (own, burn) in
                [(&norms[0].running_mean, &burn_norm.running_mean), (&norms[0].running_var, &burn_norm.running_var)]
            {
                close("running statistics", &values(own.value_sync()), &values(burn.value_sync()));
            }
        }
    }
}

#[test]
fn predictions_normalize_by_the_running_statistics() {
    let device = Device::flex();
    let config = Conv2dConfig::new([16, 20], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
    let norm = filled_norm(20, &device);
    for bias in [false, true] {
        let mut conv = filled_conv(&config.clone().with_bias(bias));
        conv.weight = Param::from_tensor(conv.weight.val().inner());
        conv.bias = conv.bias.map(|bias| Param::from_tensor(bias.val().inner()));
        let x = uniform("x", [2, 16, 7, 9], &device);
        let expected = norm.forward(conv.forward(x.clone()));
        close("norm", &values(ops::conv_norm(&conv, &norm, x.clone())), &values(expected.clone()));
        close("norm and relu", &values(ops::conv_norm_relu(&conv, &norm, x)), &values(relu(expected)));
    }
    let x = uniform("x", [2, 20, 7, 9], &device);
    close("norm alone", &values(ops::norm_relu(&norm, x.clone())), &values(relu(norm.forward(x))));
}

#[test]
fn normalization_alone_equals_burn() {
    let norms = [filled_norm(20, &training()), filled_norm(20, &training())];
    let affine = [norms[0].gamma.val(), norms[0].beta.val()];
    let burn_norm = BatchNorm { gamma: norms[0].gamma.clone(), beta: norms[0].beta.clone(), ..norms[1].clone() };
    compare("norm_relu", &[[3, 20, 9, 10]], &[], &affine, &|x| ops::norm_relu(&norms[0], x[0].clone()), &|x| {
        relu(burn_norm.forward(x[0].clone()))
    });
    close("mean", &values(norms[0].running_mean.value_sync()), &values(burn_norm.running_mean.value_sync()));
    close("variance", &values(norms[0].running_var.value_sync()), &values(burn_norm.running_var.value_sync()));
}

#[test]
fn changes_of_resolution_equal_burn() {
    let pools = [
        MaxPoolOptions::new([2, 2]),
        MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]),
        MaxPoolOptions::new([3, 2]).with_stride([2, 3]).with_dilation([2, 1]),
    ];
    for options in pools {
        let name = format!("{options:?}");
        compare(&name, &[[2, 20, 9, 12]], &[], &[], &|x| ops::max_pool(x[0].clone(), options.clone()), &|x| {
            max_pool2d(x[0].clone(), options.clone())
        });
    }
    let halving = MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_ceil_mode(true);
    for [height, width] in [[8, 12], [2, 7]] {
        let image = [2, 20, height, width];
        compare("ceil", &[image], &[], &[], &|x| ops::max_pool(x[0].clone(), halving.clone()), &|x| {
            max_pool2d(x[0].clone(), halving.clone())
        });
    }
    let centred = AvgPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]);
    for options in [
        AvgPoolOptions::new([2, 2]).with_stride([2, 2]),
        centred.clone(),
        centred.with_count_include_pad(false),
        AvgPoolOptions::new([2, 3]).with_stride([3, 2]).with_ceil_mode(true),
    ] {
        let name = format!("{options:?}");
        compare(&name, &[[2, 20, 9, 12]], &[], &[], &|x| ops::average_pool(x[0].clone(), options.clone()), &|x| {
            avg_pool2d(x[0].clone(), options.clone())
        });
    }
    for size in [[1, 1], [2, 3], [6, 6], [9, 14]] {
        let name = format!("adaptive average pooling {size:?}");
        compare(&name, &[[2, 20, 7, 9]], &[], &[], &|x| ops::adaptive_average_pool(x[0].clone(), size), &|x| {
            adaptive_avg_pool2d(x[0].clone(), size)
        });
    }
    for size in [[14, 18], [5, 9], [1, 4]] {
        let options =
            InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(true).with_output_size(size);
        compare(
            &format!("corners {size:?}"),
            &[[2, 16, 7, 9]],
            &[],
            &[],
            &|x| ops::resample_corners(x[0].clone(), InterpolateMode::Bilinear, size),
            &|x| interpolate(x[0].clone(), options.clone()),
        );
    }
    for mode in [InterpolateMode::Nearest, InterpolateMode::Bilinear, InterpolateMode::Bicubic] {
        for size in [[14, 18], [10, 5], [7, 9], [1, 1]] {
            let options = InterpolateOptions::new(mode.clone()).with_align_corners(false).with_output_size(size);
            compare(
                &format!("{mode:?} {size:?}"),
                &[[2, 16, 7, 9]],
                &[],
                &[],
                &|x| ops::resample(x[0].clone(), mode.clone(), size),
                &|x| interpolate(x[0].clone(), options.clone()),
            );
        }
    }
}

#[test]
fn joins_equal_burn() {
    let image = |channels| [2, channels, 5, 6];
    for channels in [[16, 32], [32, 20], [4, 8]] {
        compare(
            &format!("concat {channels:?}"),
            &channels.map(image),
            &[],
            &[],
            &|x| ops::concat(x[0].clone(), x[1].clone()),
            &|x| Tensor::cat(x.to_vec(), 1),
        );
    }
    for channels in [[16, 32, 20], [16, 20, 4], [3, 16, 16]] {
        compare(
            &format!("concat_all {channels:?}"),
            &channels.map(image),
            &[],
            &[],
            &|x| ops::concat_all(x.to_vec()),
            &|x| Tensor::cat(x.to_vec(), 1),
        );
    }
    let pair = [image(20), image(20)];
    compare("add", &pair, &[], &[], &|x| ops::add(x[0].clone(), x[1].clone()), &|x| x[0].clone() + x[1].clone());
    compare("add_relu", &pair, &[], &[], &|x| ops::add_relu(x[0].clone(), x[1].clone()), &|x| {
        relu(x[0].clone() + x[1].clone())
    });
    compare("planes", &[image(20)], &[], &[], &|x| ops::planes(ops::add(x[0].clone(), x[0].clone())), &|x| {
        x[0].clone() + x[0].clone()
    });
}

#[test]
fn activations_equal_burn() {
    let cases: [(&str, Activation, Layer); 4] = [
        ("relu6", Activation::Relu6, &|x| (x[0].clone() * 8.0).clamp(0.0, 6.0)),
        ("sigmoid", Activation::Sigmoid, &|x| sigmoid(x[0].clone() * 8.0)),
        ("silu", Activation::Silu, &|x| silu(x[0].clone() * 8.0)),
        ("gelu", Activation::Gelu, &|x| gelu(x[0].clone() * 8.0)),
    ];
    for (name, activation, burn) in cases {
        compare(name, &[[2, 20, 5, 6]], &[], &[], &|x| ops::activate(activation, x[0].clone() * 8.0), burn);
    }
    let conv = filled_conv(&Conv2dConfig::new([16, 20], [1, 1]).with_bias(false));
    let device = Device::flex();
    let x = uniform("x", [1, 16, 3, 4], &device);
    let conv = Conv2d { weight: Param::from_tensor(conv.weight.val().inner()), ..conv };
    let norm = filled_norm(20, &device);
    for activation in [Activation::Identity, Activation::Relu, Activation::Relu6, Activation::Silu] {
        let expected = ops::activate(activation, ops::conv_norm(&conv, &norm, x.clone()));
        let found = ops::conv_norm_activate(&conv, &norm, activation, x.clone());
        close(&format!("{activation:?}"), &values(found), &values(expected));
    }
}

#[test]
fn products_and_layer_norms_equal_burn() {
    let image = [2, 20, 5, 6];
    for other in [image, [2, 20, 1, 1]] {
        compare(
            &format!("multiply {other:?}"),
            &[image, other],
            &[],
            &[],
            &|x| ops::multiply(x[0].clone(), x[1].clone()),
            &|x| x[0].clone() * x[1].clone(),
        );
    }
    let vector = |name: &str| uniform(name, [1, 1, 1, 20], &training()).reshape([20]).detach().require_grad();
    let (scale, shift) = (vector("scale"), vector("shift"));
    compare(
        "scale_channels",
        &[image],
        &[],
        std::slice::from_ref(&scale),
        &|x| ops::scale_channels(scale.clone(), x[0].clone()),
        &|x| x[0].clone() * scale.clone().reshape([1, 20, 1, 1]),
    );
    compare(
        "layer_norm",
        &[image],
        &[],
        &[scale.clone(), shift.clone()],
        &|x| ops::layer_norm(scale.clone(), shift.clone(), 1e-6, x[0].clone()),
        &|x| {
            let last = x[0].clone().permute([0, 2, 3, 1]);
            layer_norm(last, scale.clone(), Some(shift.clone()), 1e-6).permute([0, 3, 1, 2])
        },
    );
    for groups in [1, 5, 20] {
        let mut norm = GroupNormConfig::new(groups, 20).init(&training());
        norm.gamma = Some(Param::from_tensor(scale.clone()));
        norm.beta = Some(Param::from_tensor(shift.clone()));
        let affine = [&norm.gamma, &norm.beta].map(|parameter| parameter.as_ref().unwrap().val());
        compare(
            &format!("group_norm_relu of {groups} groups"),
            &[image],
            &[],
            &affine,
            &|x| ops::group_norm_relu(&norm, x[0].clone()),
            &|x| relu(norm.forward(x[0].clone())),
        );
    }
}

#[test]
fn pixels_are_taken_by_rows_and_columns() {
    let x = Tensor::<1>::from_floats([1., 2., 3., 4., 5., 6.], &Device::flex()).reshape([1, 1, 2, 3]);
    assert_eq!(values(ops::take(x, &[1, 0, 1], &[2, 0])), [6., 4., 3., 1., 6., 4.]);
}

/// What `max_pool2d(return_indices=True)` and `max_unpool2d` of PyTorch give for these grids, in single precision and in
/// double, which the kernels do not serve.
#[test]
fn indices_count_pixels_of_each_channel_row_by_row() {
    let image = [3., 1., 5., 5., 0., 7., 2., 4., -1., -2., 8., 6., -3., -4., 6., 9.];
    let other = image.map(|value| -value);
    for dtype in [DType::F32, DType::F64] {
        let x = [image, other].concat();
        let x = Tensor::<4>::from_data(TensorData::new(x, [1, 2, 4, 4]), (&Device::flex(), dtype));
        let (y, indices) = ops::max_pool_with_indices(x, MaxPoolOptions::new([2, 2]));
        let floats = |x: Tensor<4>| x.to_data().iter::<f32>().collect::<Vec<_>>();
        assert_eq!(indices.to_data().iter::<i64>().collect::<Vec<_>>(), [5, 2, 8, 15, 4, 6, 13, 11]);
        assert_eq!(floats(y.clone()), [7., 5., -1., 9., 0., -2., 4., -6.]);
        let up = floats(ops::unpool(y, indices, [4, 4]));
        assert_eq!(up[..16], [0., 0., 5., 0., 0., 7., 0., 0., -1., 0., 0., 0., 0., 0., 0., 9.]);
        assert_eq!(up[16..], [0., 0., 0., 0., 0., 0., -2., 0., 0., 0., 0., -6., 0., 4., 0., 0.]);
    }
}

#[test]
fn unpooling_equals_burn() {
    let pools = [
        (MaxPoolOptions::new([2, 2]), [2, 20, 8, 12]),
        (MaxPoolOptions::new([2, 2]), [1, 5, 9, 13]),
        (MaxPoolOptions::new([3, 2]).with_stride([3, 2]).with_padding([1, 1]), [2, 16, 7, 10]),
    ];
    for (options, shape) in pools {
        let size = [shape[2], shape[3]];
        compare(
            &format!("unpooled {options:?}"),
            &[shape],
            &[],
            &[],
            &|x| {
                let (y, indices) = ops::max_pool_with_indices(x[0].clone(), options.clone());
                ops::unpool(y.clone() * y, indices, size)
            },
            &|x| {
                let (y, indices) = max_pool2d_with_indices(x[0].clone(), options.clone());
                let [batch, channels, height, width] = y.dims();
                let flat = [batch, channels, height * width];
                let zeros = Tensor::<3>::zeros([batch, channels, size[0] * size[1]], &training());
                let y = (y.clone() * y).reshape(flat);
                zeros.scatter(2, indices.reshape(flat), y, IndexingUpdateOp::Assign).reshape(shape)
            },
        );
    }
}

/// Indices that come from elsewhere, in Burn's own form; two of them name the same pixel, and either may win.
#[test]
fn indices_may_come_from_elsewhere() {
    let indices = Tensor::<4, Int>::from_data(TensorData::new(vec![3i64, 0, 1, 1], [1, 2, 1, 2]), &training());
    let x = uniform("x", [1, 2, 1, 2], &training()).require_grad();
    let up = ops::unpool(x.clone(), indices, [2, 2]);
    let [a, b, c, d] = values(x.clone()).try_into().unwrap();
    let found = values(up.clone());
    assert_eq!(found[..4], [b, 0., 0., a]);
    assert!([[0., c, 0., 0.], [0., d, 0., 0.]].contains(&found[4..].try_into().unwrap()), "{found:?}");
    let factor = Tensor::from_data(TensorData::from([[[[1., 2.], [3., 4.]], [[5., 6.], [7., 8.]]]]), &training());
    let gradient = x.grad(&(up * factor).sum().backward()).unwrap();
    assert_eq!(values(gradient), [4., 1., 6., 6.]);
}

/// Literal grids, as `conv_transpose2d` with a nail and `PixelShuffle(2)` of PyTorch give them.
#[test]
fn pixels_are_spread() {
    for dtype in [DType::F32, DType::F64] {
        let grid = |values: Vec<f32>, shape: [usize; 4]| {
            Tensor::<4>::from_data(TensorData::new(values, shape), (&Device::flex(), dtype))
        };
        let floats = |x: Tensor<4>| x.to_data().iter::<f32>().collect::<Vec<_>>();
        let nails = ops::bed_of_nails(grid(vec![1., 2., 3., 4.], [1, 2, 1, 2]));
        assert_eq!(nails.dims(), [1, 2, 2, 4]);
        assert_eq!(floats(nails), [1., 0., 2., 0., 0., 0., 0., 0., 3., 0., 4., 0., 0., 0., 0., 0.]);
        let shuffled = ops::pixel_shuffle(grid((0..16).map(|i| i as f32).collect(), [1, 8, 1, 2]));
        assert_eq!(shuffled.dims(), [1, 2, 2, 4]);
        let expected = [0., 2., 1., 3., 4., 6., 5., 7., 8., 10., 9., 11., 12., 14., 13., 15.];
        assert_eq!(floats(shuffled), expected);
        let mean = ops::mean_of_parts(grid(vec![1., 2., 3., 4., 8., 0.], [1, 6, 1, 1]), 3);
        let near = floats(mean).into_iter().zip([4., 2.]).all(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(near, "parts 1 2, 3 4 and 8 0 have the means 4 and 2");
    }
}

#[test]
fn spreading_equals_burn() {
    compare("nails", &[[2, 20, 5, 6]], &[], &[], &|x| ops::bed_of_nails(x[0].clone()), &|x| {
        let [batch, channels, height, width] = x[0].dims();
        let nails = x[0].clone().reshape([batch, channels, height, 1, width, 1]);
        let zeros = nails.zeros_like();
        let rows = Tensor::cat(vec![nails, zeros], 5);
        let zeros = rows.zeros_like();
        Tensor::cat(vec![rows, zeros], 3).reshape([batch, channels, 2 * height, 2 * width])
    });
    compare("shuffled", &[[2, 20, 5, 6]], &[], &[], &|x| ops::pixel_shuffle(x[0].clone()), &|x| {
        let [batch, channels, height, width] = x[0].dims();
        let pixels = x[0].clone().reshape([batch, channels / 4, 2, 2, height, width]);
        pixels.permute([0, 1, 4, 2, 5, 3]).reshape([batch, channels / 4, 2 * height, 2 * width])
    });
    compare("means", &[[2, 18, 5, 6]], &[], &[], &|x| ops::mean_of_parts(x[0].clone(), 3), &|x| {
        x[0].clone().reshape([2, 3, 6, 30]).mean_dim(1).reshape([2, 6, 5, 6])
    });
}

#[test]
fn normalized_transposed_convolutions_equal_burn() {
    for (config, bias) in [
        (ConvTranspose2dConfig::new([20, 12], [4, 4]).with_stride([2, 2]).with_padding([1, 1]), true),
        (ConvTranspose2dConfig::new([16, 16], [3, 3]).with_padding([1, 1]), false),
        (ConvTranspose2dConfig::new([8, 16], [3, 3]), false),
    ] {
        let [from, to] = config.channels;
        let conv = filled_transposed(&config.with_bias(bias));
        let norms = [filled_norm(to, &training()), filled_norm(to, &training())];
        let affine = [norms[0].gamma.val(), norms[0].beta.val()];
        let burn_norm = BatchNorm { gamma: norms[0].gamma.clone(), beta: norms[0].beta.clone(), ..norms[1].clone() };
        compare(
            "conv_transpose_norm_relu",
            &[[2, from, 5, 6]],
            &[conv.weight.val()],
            &affine,
            &|x| ops::conv_transpose_norm_relu(&conv, &norms[0], x[0].clone()),
            &|x| relu(burn_norm.forward(conv.forward(x[0].clone()))),
        );
        let conv = conv.valid();
        let norm = norms[0].valid();
        let x = uniform("x", [2, from, 5, 6], &Device::flex());
        let expected = relu(norm.forward(conv.forward(x.clone())));
        close("in prediction", &values(ops::conv_transpose_norm_relu(&conv, &norm, x)), &values(expected));
    }
}

/// Both branches, one branch, forks of forks, and of something that is no leaf.
#[test]
fn forks_add_their_gradients() {
    let inputs = [[2, 16, 5, 6], [2, 16, 5, 6]];
    compare(
        "forks",
        &inputs,
        &[],
        &[],
        &|x| {
            let [a, b] = ops::fork(ops::add(x[0].clone(), x[1].clone()));
            let [b, c] = ops::fork(b);
            let [d, _] = ops::fork(x[0].clone());
            let [e, f] = ops::fork(d);
            ops::planes(ops::concat(ops::add(a, c), b)) * 2.0 + Tensor::cat(vec![e, f * 3.0], 1)
        },
        &|x| {
            let sum = x[0].clone() + x[1].clone();
            Tensor::cat(vec![sum.clone() * 4.0 + x[0].clone(), sum * 2.0 + x[0].clone() * 3.0], 1)
        },
    );
}

#[test]
fn many_branches_add_their_gradients() {
    for count in [1, 2, 5] {
        let weigh = |branches: Vec<Tensor<4>>| {
            let weighted = branches.into_iter().enumerate().map(|(i, branch)| branch * (i + 1) as f32);
            weighted.reduce(|a, b| a + b).unwrap()
        };
        let name = format!("{count} branches");
        compare(
            &name,
            &[[2, 16, 5, 6]],
            &[],
            &[],
            &|x| weigh(ops::fork_many(ops::add(x[0].clone(), x[0].clone()), count)),
            &|x| weigh(vec![x[0].clone() * 2.0; count]),
        );
    }
}

/// What Burn does with tensors whose memory has channels last, padded or a part of wider ones.
#[test]
fn burn_reads_channels_last() {
    let device = Device::flex();
    for channels in [5, 16, 20] {
        let x = uniform("x", [2, channels, 3, 4], &device);
        let last = || ops::add(x.clone(), x.zeros_like());
        let check = |name: &str, f: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            assert_eq!(f(last()).into_data(), f(x.clone()).into_data(), "{name} of {channels} channels");
        };
        check("data", &|x| x);
        check("a product", &|x| x.clone() * x);
        check("a scaled one", &|x| x * 2.0);
        check("a slice", &|x| x.slice([0..2, 1..4, 1..3, 0..4]));
        check("a narrowed sum", &|x| x.narrow(0, 1, 1).exp());
        check("sums", &|x| x.sum_dim(1));
        check("a concatenation", &|x| Tensor::cat(vec![x.clone(), x], 0));
        check("a transposed one", &|x| x.swap_dims(1, 3));
        check("another shape", &|x| x.reshape([1, 2, channels, 12]));
        check("selected rows", &|x| x.clone().mask_fill(x.greater_scalar(0.0), 1.0));
        let part = ops::conv_relu(&filled_inner(channels), last().slice([0..1, 0..channels, 0..3, 1..4]));
        let whole = ops::conv_relu(&filled_inner(channels), x.clone().slice([0..1, 0..channels, 0..3, 1..4]));
        assert_eq!(part.into_data(), whole.into_data());
    }
}

/// `<A x, y> = <x, A' y>` for what is linear in `x`, with `A' y` from automatic differentiation.
#[test]
fn gradients_are_adjoint() {
    let conv = filled_conv(&Conv2dConfig::new([16, 32], [3, 3]).with_stride([2, 2]).with_bias(false));
    let winograd = Conv2dConfig::new([32, 32], [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
    let winograd = filled_conv(&winograd.with_bias(false));
    let up = filled_transposed(&ConvTranspose2dConfig::new([32, 16], [2, 2]).with_stride([2, 2]).with_bias(false));
    let layers: [(&str, [usize; 4], Layer); 5] = [
        ("conv", [2, 16, 11, 12], &|x| ops::conv(&conv, x[0].clone())),
        ("3x3", [2, 32, 13, 12], &|x| ops::conv(&winograd, x[0].clone())),
        ("transposed", [2, 32, 5, 6], &|x| ops::conv_transpose(&up, x[0].clone())),
        ("pooled", [2, 16, 8, 6], &|x| ops::max_pool(x[0].clone(), MaxPoolOptions::new([2, 2]))),
        ("bilinear", [2, 16, 8, 6], &|x| ops::resample(x[0].clone(), InterpolateMode::Bilinear, [11, 13])),
    ];
    for (name, shape, layer) in layers {
        let x = uniform("x", shape, &training()).require_grad();
        let out = layer(std::slice::from_ref(&x));
        let y = uniform("y", out.dims(), &training());
        let left = sum_of_products(&values(out.clone()), &values(y.clone()));
        let gradients = (out * y).sum().backward();
        let right = sum_of_products(&values(x.clone()), &values(x.grad(&gradients).unwrap()));
        assert!((left - right).abs() < 1e-4 * left.abs().max(1.0), "{name}: {left} and {right}");
    }
}

/// The whole chain of a residual block with a change of resolution, by central differences of a smooth function of its output.
#[test]
fn gradients_are_finite_differences() {
    let same = PaddingConfig2d::Explicit(1, 1, 1, 1);
    let conv = filled_conv(&Conv2dConfig::new([16, 16], [3, 3]).with_padding(same).with_bias(false));
    let norm = filled_norm(16, &training());
    let loss = |x: Tensor<4>| {
        let [a, b] = ops::fork(x);
        let y = ops::conv_norm(&conv, &norm, a);
        let [y, z] = ops::fork(ops::add(y, b));
        let y = ops::resample(y, InterpolateMode::Bilinear, [4, 4]);
        let z = ops::resample(ops::max_pool(z, MaxPoolOptions::new([2, 2])), InterpolateMode::Nearest, [4, 4]);
        let out = ops::planes(ops::concat(y, z));
        let factor = uniform("factor", out.dims(), &training());
        (out * factor).sum()
    };
    let start = uniform("x", [1, 16, 6, 4], &training());
    let x = start.clone().require_grad();
    let gradient = values(x.grad(&loss(x.clone()).backward()).unwrap());
    let at = |index: usize, step: f32| {
        let mut moved = values(start.clone());
        moved[index] += step;
        loss(Tensor::from_data(TensorData::new(moved, start.dims()), &training())).into_scalar::<f32>()
    };
    let rms = (sum_of_products(&gradient, &gradient) / gradient.len() as f64).sqrt() as f32;
    for index in (0..gradient.len()).step_by(13) {
        const STEP: f32 = 1e-2;
        let difference = (at(index, STEP) - at(index, -STEP)) / (2.0 * STEP);
        assert!((difference - gradient[index]).abs() < 0.02 * rms, "{index}: {difference}, not {}", gradient[index]);
    }
}

/// From inputs to an output.
type Layer<'a> = &'a dyn Fn(&[Tensor<4>]) -> Tensor<4>;

/// Compares the outputs, and the gradients by inputs and parameters of their product with fixed numbers.
fn compare(
    name: &str,
    inputs: &[[usize; 4]],
    parameters: &[Tensor<4>],
    vectors: &[Tensor<1>],
    own: Layer,
    burn: Layer,
) {
    let found = |layer: Layer| {
        let x: Vec<Tensor<4>> = (inputs.iter().enumerate())
            .map(|(i, &shape)| uniform(&format!("input {i}"), shape, &training()).require_grad())
            .collect();
        let y = layer(&x);
        let factor = uniform("factor", y.dims(), &training());
        let gradients = (y.clone() * factor).sum().backward();
        let fours = x.iter().chain(parameters).map(|leaf| leaf.grad(&gradients).expect("a gradient"));
        let ones = vectors.iter().map(|leaf| leaf.grad(&gradients).expect("a gradient"));
        let dims = y.dims();
        let tensors: Vec<Vec<f32>> =
            std::iter::once(values(y)).chain(fours.map(values)).chain(ones.map(values)).collect();
        (dims, tensors)
    };
    let (own, burn) = (found(own), found(burn));
    assert_eq!(own.0, burn.0, "{name}");
    for (i, (own, burn)) in own.1.iter().zip(&burn.1).enumerate() {
        close(&format!("{name}: tensor {i}"), own, burn);
    }
}

fn close(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let rms = (sum_of_products(expected, expected) / expected.len() as f64).sqrt() as f32;
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = TOLERANCE * expected.abs().max(rms);
        assert!((found - expected).abs() <= allowed, "{name}[{index}] is {found}, Burn has {expected}");
    }
}

fn sum_of_products(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

fn training() -> Device {
    Device::flex().autodiff()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

/// Numbers from -1 to 1 that depend on the name.
fn uniform<const D: usize>(name: &str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut state = name.bytes().fold(1u64, |state, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn filled_conv(config: &Conv2dConfig) -> Conv2d {
    let mut conv = config.init(&training());
    let scale = (3.0 / (config.channels[0] * config.kernel_size[0] * config.kernel_size[1]) as f32).sqrt();
    conv.weight = Param::from_tensor(uniform("weight", conv.weight.dims(), &training()) * scale);
    conv.bias = conv.bias.map(|bias| Param::from_tensor(uniform("bias", bias.dims(), &training())));
    conv
}

/// A 3x3 convolution without autodiff.
fn filled_inner(channels: usize) -> Conv2d {
    let mut conv = Conv2dConfig::new([channels, 16], [3, 3]).with_bias(false).init(&Device::flex());
    conv.weight = Param::from_tensor(uniform("weight", conv.weight.dims(), &Device::flex()));
    conv
}

fn filled_transposed(config: &ConvTranspose2dConfig) -> ConvTranspose2d {
    let mut conv = config.init(&training());
    conv.weight = Param::from_tensor(uniform("weight", conv.weight.dims(), &training()));
    conv.bias = conv.bias.map(|bias| Param::from_tensor(uniform("bias", bias.dims(), &training())));
    conv
}

fn filled_norm(channels: usize, device: &Device) -> BatchNorm {
    let mut norm = BatchNormConfig::new(channels).init(device);
    norm.gamma = Param::from_tensor(uniform("gamma", [channels], device) * 0.2 + 1.0);
    norm.beta = Param::from_tensor(uniform("beta", [channels], device) * 0.5);
    norm.running_mean.update(uniform("mean", [channels], device));
    norm.running_var.update(uniform("variance", [channels], device) * 0.5 + 1.0);
    norm.running_mean.value_sync();
    norm.running_var.value_sync();
    norm
}
