//! The operations on `swath-kernels`, for tensors of Burn's CPU backend with and without autodiff.
//!
//! Each is a Burn backend extension: a trait with a method on primitives, for the plain backend and for autodiff over it.
//! The functions here look whether a tensor may go there, and take it from Burn's tensors to primitives and back.

use burn::backend::{Dispatch, DispatchDevice};
use burn::module::Param;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::nn::{BatchNorm, GroupNorm, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::ops::{AvgPoolOptions, ConvTransposeOptions, InterpolateMode, MaxPoolOptions};
use burn::tensor::{DType, Device, Int, Tensor};
use swath_kernels::{Alignment, Convolution, Divisor, Function, Interpolation, Pooling};

use convolution::{ConvolutionOps, Convolve, Maybe};
use indices::IndexOps;
use join::JoinOps;
use norm::{GroupNormalize, NormOps, Normalize};
use pointwise::PointwiseOps;
use resolution::{Resize, ResolutionOps};

use super::Activation;

mod convolution;
mod image;
mod indices;
mod join;
mod norm;
mod pointwise;
mod resolution;

pub(crate) use image::{contiguous, values};

/// Whether the kernels can work on this tensor: float32 of Burn's CPU backend.
pub(super) fn serve(x: &Tensor<4>) -> bool {
    is_served(x)
}

/// The same of any tensor.
pub(crate) fn is_served<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    let device = match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device,
        device => device,
    };
    matches!(device, DispatchDevice::Flex(_)) && x.dtype() == DType::F32
}

/// The convolution as the kernels know it; none where they cannot serve it.
pub(super) fn convolution(conv: &Conv2d, x: &Tensor<4>) -> Option<Convolution> {
    if !serve(x) {
        return None;
    }
    let padding = match conv.padding {
        PaddingConfig2d::Explicit(top, left, bottom, right) => [[top, bottom], [left, right]],
        PaddingConfig2d::Valid => [[0, 0], [0, 0]],
        // Depends on the image: Burn knows how.
        PaddingConfig2d::Same => return None,
    };
    let [outputs, inputs, ..] = conv.weight.dims();
    Some(Convolution {
        inputs: inputs * conv.groups,
        outputs,
        kernel: conv.kernel_size,
        stride: conv.stride,
        dilation: conv.dilation,
        padding,
        groups: conv.groups,
    })
}

pub(super) fn convolve(conv: &Conv2d, shape: Convolution, relu: bool, x: Tensor<4>) -> Tensor<4> {
    let options = Convolve::new(shape, relu);
    apply(x, conv.weight.val(), conv.bias.as_ref().map(Param::val), options)
}

pub(super) fn pointwise(weight: Tensor<4>, bias: Option<Tensor<1>>, relu: bool, x: Tensor<4>) -> Tensor<4> {
    let [outputs, inputs, ..] = weight.dims();
    let options = Convolve::new(Convolution::new(inputs, outputs), relu);
    apply(x, weight, bias, options)
}

pub(super) fn convolve_transposed(conv: &ConvTranspose2d, x: Tensor<4>) -> Tensor<4> {
    apply(x, conv.weight.val(), conv.bias.as_ref().map(Param::val), transposed(conv))
}

fn transposed(conv: &ConvTranspose2d) -> Convolve {
    let [inputs, outputs, ..] = conv.weight.dims();
    let convolution = Convolution {
        inputs,
        outputs: outputs * conv.groups,
        kernel: conv.kernel_size,
        stride: conv.stride,
        dilation: conv.dilation,
        padding: conv.padding.map(|padding| [padding; 2]),
        groups: conv.groups,
    };
    Convolve { transposed: Some(conv.padding_out), ..Convolve::new(convolution, false) }
}

/// A transposed convolution with weights that are no parameter.
pub(super) fn convolve_transposed_by(x: Tensor<4>, weight: Tensor<4>, options: &ConvTransposeOptions<2>) -> Tensor<4> {
    let [inputs, outputs, rows, cols] = weight.dims();
    let convolution = Convolution {
        inputs,
        outputs: outputs * options.groups,
        kernel: [rows, cols],
        stride: options.stride,
        dilation: options.dilation,
        padding: options.padding.map(|padding| [padding; 2]),
        groups: options.groups,
    };
    let options = Convolve { transposed: Some(options.padding_out), ..Convolve::new(convolution, false) };
    apply(x, weight, None, options)
}

/// Normalizes as `BatchNorm::forward` does, in training and in prediction.
pub(super) fn convolve_normalize(
    conv: &Conv2d,
    shape: Convolution,
    norm: &BatchNorm,
    rectify: bool,
    x: Tensor<4>,
) -> Tensor<4> {
    match (x.device().is_autodiff(), norm.training.is_enabled()) {
        (true, true) => normalize(norm, rectify, convolve(conv, shape, false, x)),
        // A frozen norm within a training.
        (true, false) => {
            let y = norm.forward(convolve(conv, shape, false, x));
            if rectify { relu(y) } else { y }
        }
        (false, _) => {
            let outputs = shape.outputs;
            let (weight, bias) = folded(conv.weight.val(), [outputs, 1, 1, 1], conv.bias.as_ref(), norm);
            apply(x, weight, Some(bias), Convolve::new(shape, rectify))
        }
    }
}

/// As [`convolve_normalize`], without a convolution.
pub(super) fn normalize_rectified(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    match (x.device().is_autodiff(), norm.training.is_enabled()) {
        (true, true) => normalize(norm, true, x),
        (true, false) => relu(norm.forward(x)),
        (false, _) => {
            let [_, channels, ..] = x.dims();
            let (scale, shift) = affine(norm, &x.device());
            let convolution = Convolution::new(channels, channels).groups(channels);
            let options = Convolve::new(convolution, true);
            apply(x, scale.reshape([channels, 1, 1, 1]), Some(shift), options)
        }
    }
}

pub(super) fn group_norm_relu(norm: &GroupNorm, gamma: Tensor<1>, beta: Tensor<1>, x: Tensor<4>) -> Tensor<4> {
    let options = GroupNormalize { groups: norm.num_groups, epsilon: norm.epsilon, relu: true };
    let (gamma, beta) = (gamma.into_dispatch(), beta.into_dispatch());
    Tensor::from_dispatch(<Dispatch as NormOps>::group_normalize(x.into_dispatch(), gamma, beta, options))
}

/// `relu(norm(conv(x)))` with a transposed convolution of one group.
pub(super) fn convolve_transposed_normalize(conv: &ConvTranspose2d, norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    match (x.device().is_autodiff(), norm.training.is_enabled()) {
        (true, true) => normalize(norm, true, convolve_transposed(conv, x)),
        (true, false) => relu(norm.forward(convolve_transposed(conv, x))),
        (false, _) => {
            let outputs = conv.weight.dims()[1];
            let (weight, bias) = folded(conv.weight.val(), [1, outputs, 1, 1], conv.bias.as_ref(), norm);
            let options = Convolve { relu: true, ..transposed(conv) };
            apply(x, weight, Some(bias), options)
        }
    }
}

pub(super) fn max_pool(x: Tensor<4>, options: &MaxPoolOptions<2>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as ResolutionOps>::max_pool(x.into_dispatch(), pooling(options)))
}

pub(super) fn max_pool_with_indices(x: Tensor<4>, options: &MaxPoolOptions<2>) -> (Tensor<4>, Tensor<4, Int>) {
    let maxima = <Dispatch as IndexOps>::max_pool_with_indices(x.into_dispatch(), pooling(options));
    (Tensor::from_dispatch(maxima.values), Tensor::from_dispatch(maxima.indices))
}

pub(super) fn unpool(x: Tensor<4>, indices: Tensor<4, Int>, size: [usize; 2]) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as IndexOps>::unpool(x.into_dispatch(), indices.into_dispatch(), size))
}

fn pooling(options: &MaxPoolOptions<2>) -> Pooling {
    Pooling {
        kernel: options.kernel_size,
        stride: options.stride,
        padding: options.padding.map(|(before, after)| [before, after]),
        dilation: options.dilation,
        ceil: options.ceil_mode,
    }
}

/// The kernels' name of an activation; none where they cannot serve it by itself.
pub(super) fn function(activation: Activation, x: &Tensor<4>) -> Option<Function> {
    let function = match activation {
        Activation::Identity | Activation::Relu => return None,
        Activation::Relu6 => Function::Relu6,
        Activation::Sigmoid => Function::Sigmoid,
        Activation::Silu => Function::Silu,
        Activation::Gelu => Function::Gelu,
    };
    serve(x).then_some(function)
}

pub(super) fn map(x: Tensor<4>, function: Function) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as PointwiseOps>::map(x.into_dispatch(), function))
}

pub(super) fn multiply(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as PointwiseOps>::multiply(a.into_dispatch(), b.into_dispatch()))
}

pub(super) fn layer_norm(x: Tensor<4>, gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64) -> Tensor<4> {
    let (x, gamma, beta) = (x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
    Tensor::from_dispatch(<Dispatch as PointwiseOps>::normalize_pixels(x, gamma, beta, epsilon))
}

/// A convolution of each channel by itself with one weight.
pub(super) fn scale_channels(x: Tensor<4>, scale: Tensor<1>) -> Tensor<4> {
    let channels = scale.dims()[0];
    let convolution = Convolution::new(channels, channels).groups(channels);
    let options = Convolve::new(convolution, false);
    apply(x, scale.reshape([channels, 1, 1, 1]), None, options)
}

pub(super) fn average_pool(x: Tensor<4>, options: &AvgPoolOptions<2>) -> Tensor<4> {
    let pooling = Pooling {
        kernel: options.kernel_size,
        stride: options.stride,
        padding: options.padding.map(|(before, after)| [before, after]),
        dilation: [1, 1],
        ceil: options.ceil_mode,
    };
    let divisor = if options.count_include_pad { Divisor::Padded } else { Divisor::Image };
    Tensor::from_dispatch(<Dispatch as ResolutionOps>::average_pool(x.into_dispatch(), pooling, divisor))
}

/// The kernels' name of an interpolation; none where they cannot serve it.
pub(super) fn interpolation(mode: &InterpolateMode, x: &Tensor<4>) -> Option<Interpolation> {
    let interpolation = match mode {
        InterpolateMode::Nearest => Interpolation::Nearest,
        InterpolateMode::Bilinear => Interpolation::Bilinear,
        InterpolateMode::Bicubic => Interpolation::Bicubic,
        InterpolateMode::NearestExact | InterpolateMode::Lanczos3 => return None,
    };
    serve(x).then_some(interpolation)
}

/// With the centres of the corner pixels kept in place where `corners` says so, else with the edges.
pub(super) fn resample(x: Tensor<4>, interpolation: Interpolation, corners: bool, size: [usize; 2]) -> Tensor<4> {
    let alignment = if corners { Alignment::Centers } else { Alignment::Edges };
    let resize = Resize { interpolation, alignment };
    Tensor::from_dispatch(<Dispatch as ResolutionOps>::resample(x.into_dispatch(), resize, size))
}

pub(super) fn adaptive_average_pool(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as ResolutionOps>::adaptive_average_pool(x.into_dispatch(), size))
}

/// Whether the second image's channels would lie on a boundary that kernels can write at.
pub(super) fn may_concatenate(a: &Tensor<4>, b: &Tensor<4>) -> bool {
    serve(a) && serve(b) && image::may_begin_at(a.dims()[1])
}

/// As [`may_concatenate`] for each image but the first, behind those before it.
pub(super) fn may_concatenate_all(parts: &[Tensor<4>]) -> bool {
    let mut channels = 0;
    parts.iter().all(|part| {
        let possible = serve(part) && image::may_begin_at(channels);
        channels += part.dims()[1];
        possible
    })
}

pub(super) fn concat(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as JoinOps>::concat(a.into_dispatch(), b.into_dispatch()))
}

pub(super) fn add(a: Tensor<4>, b: Tensor<4>, relu: bool) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as JoinOps>::sum(a.into_dispatch(), b.into_dispatch(), relu))
}

pub(super) fn fork(x: Tensor<4>) -> [Tensor<4>; 2] {
    let branches = <Dispatch as JoinOps>::fork(x.into_dispatch());
    [branches.first, branches.second].map(Tensor::from_dispatch)
}

pub(super) fn planes(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as JoinOps>::planes(x.into_dispatch()))
}

fn apply(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>, options: Convolve) -> Tensor<4> {
    let bias = bias.map_or(Maybe::None, |bias| Maybe::Some(bias.into_dispatch()));
    let y = <Dispatch as ConvolutionOps>::convolve(x.into_dispatch(), weight.into_dispatch(), bias, options);
    Tensor::from_dispatch(y)
}

/// Normalizes by the batch's statistics, and moves the running ones towards them.
fn normalize(norm: &BatchNorm, relu: bool, x: Tensor<4>) -> Tensor<4> {
    let device = x.device();
    let (gamma, beta) = (norm.gamma.val().into_dispatch(), norm.beta.val().into_dispatch());
    let options = Normalize { epsilon: norm.epsilon, relu };
    let normalized = <Dispatch as NormOps>::normalize(x.into_dispatch(), gamma, beta, options);
    for (running, batch) in [(&norm.running_mean, normalized.mean), (&norm.running_var, normalized.variance)] {
        let old = running.value_sync().to_device(&device).mul_scalar(1.0 - norm.momentum);
        let batch = Tensor::<1>::from_dispatch(batch).mul_scalar(norm.momentum);
        running.update((old + batch).detach());
    }
    Tensor::from_dispatch(normalized.output)
}

/// Weights and bias of the convolution that also normalizes by the running statistics; `along` is the weights' shape
/// with nothing but its output channels.
fn folded(
    weight: Tensor<4>,
    along: [usize; 4],
    bias: Option<&Param<Tensor<1>>>,
    norm: &BatchNorm,
) -> (Tensor<4>, Tensor<1>) {
    let (scale, shift) = affine(norm, &weight.device());
    let bias = match bias {
        Some(bias) => bias.val() * scale.clone() + shift,
        None => shift,
    };
    (weight * scale.reshape(along), bias)
}

/// Normalization by the running statistics as `scale x + shift`.
fn affine(norm: &BatchNorm, device: &Device) -> (Tensor<1>, Tensor<1>) {
    let deviation = norm.running_var.value().to_device(device).add_scalar(norm.epsilon).sqrt();
    let scale = norm.gamma.val() / deviation;
    let mean = norm.running_mean.value().to_device(device);
    (scale.clone(), norm.beta.val() - mean * scale)
}
