//! The operations that networks are made of: the one place where their layers meet the arithmetic.
//!
//! On `cpu`, with feature `cpu`, float32 tensors go through `swath-kernels`: operations of ours give tensors whose memory has
//! channels last and take such tensors without copying, so a network that stays with this module never rearranges its
//! features. Everywhere else, while a graph is captured included, these are Burn's own operations. Both give the same numbers
//! within rounding, and gradients by automatic differentiation.

use burn::module::Param;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::nn::{BatchNorm, GroupNorm};
use burn::tensor::activation::{gelu, relu, sigmoid, silu};
use burn::tensor::module::{
    adaptive_avg_pool2d, attention as burn_attention, avg_pool2d, conv_transpose2d, conv2d, interpolate,
    layer_norm as burn_layer_norm, max_pool2d, max_pool2d_with_indices,
};
use burn::tensor::ops::{
    AttentionModuleOptions, AvgPoolOptions, ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions,
    MaxPoolOptions,
};
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

#[cfg(feature = "cpu")]
pub(crate) mod kernels;

/// A function of single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x`
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `x sigmoid(x)`
    Silu,
    /// `x (1 + erf(x / sqrt(2))) / 2`
    Gelu,
}

/// A convolution with its bias, if it has one.
///
/// # Shapes
/// - `x`: `[batch, channels_in, h, w]`
/// - output: `[batch, channels_out, h', w']`
pub fn conv(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if let Some(shape) = kernels::convolution(conv, &x) {
        return kernels::convolve(conv, shape, false, x);
    }
    conv.forward(x)
}

/// `relu(conv(x))`
///
/// # Shapes
/// As [`conv`].
pub fn conv_relu(conv: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if let Some(shape) = kernels::convolution(conv, &x) {
        return kernels::convolve(conv, shape, true, x);
    }
    relu(conv.forward(x))
}

/// `norm(conv(x))`: by the batch's own statistics on a device with autodiff, which also updates the running ones, and by the
/// running statistics elsewhere.
///
/// # Shapes
/// As [`conv`].
pub fn conv_norm(conv: &Conv2d, norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if let Some(shape) = kernels::convolution(conv, &x) {
        return kernels::convolve_normalize(conv, shape, norm, false, x);
    }
    norm.forward(conv.forward(x))
}

/// `relu(norm(conv(x)))`, see [`conv_norm`].
///
/// # Shapes
/// As [`conv`].
pub fn conv_norm_relu(conv: &Conv2d, norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if let Some(shape) = kernels::convolution(conv, &x) {
        return kernels::convolve_normalize(conv, shape, norm, true, x);
    }
    relu(norm.forward(conv.forward(x)))
}

/// `activation(norm(conv(x)))`, see [`conv_norm`].
///
/// # Shapes
/// As [`conv`].
pub fn conv_norm_activate(conv: &Conv2d, norm: &BatchNorm, activation: Activation, x: Tensor<4>) -> Tensor<4> {
    match activation {
        Activation::Relu => conv_norm_relu(conv, norm, x),
        activation => activate(activation, conv_norm(conv, norm, x)),
    }
}

/// An activation by itself.
///
/// # Shapes
/// All `[batch, channels, h, w]`.
pub fn activate(activation: Activation, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if let Some(function) = kernels::function(activation, &x) {
        return kernels::map(x, function);
    }
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Sigmoid => sigmoid(x),
        Activation::Silu => silu(x),
        Activation::Gelu => gelu(x),
    }
}

/// `(x - mean) / sqrt(variance + epsilon) gamma + beta`, with mean and variance of each pixel over its channels.
///
/// # Shapes
/// - `gamma`, `beta`: `[channels]`
/// - `x` and output: `[batch, channels, h, w]`
pub fn layer_norm(gamma: Tensor<1>, beta: Tensor<1>, epsilon: f64, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::layer_norm(x, gamma, beta, epsilon);
    }
    let channels = [1, gamma.dims()[0], 1, 1];
    let x = x.clone() - x.mean_dim(1);
    let variance = (x.clone() * x.clone()).mean_dim(1);
    x / variance.add_scalar(epsilon).sqrt() * gamma.reshape(channels) + beta.reshape(channels)
}

/// `relu(norm(x))`: each image by its own statistics, in groups of channels.
///
/// # Shapes
/// All `[batch, channels, h, w]`.
///
/// # Panics
/// When the norm has no scale and shift.
pub fn group_norm_relu(norm: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    let values = |parameter: &Option<Param<Tensor<1>>>| parameter.as_ref().expect("a norm with scale and shift").val();
    let (gamma, beta) = (values(&norm.gamma), values(&norm.beta));
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::group_norm_relu(norm, gamma, beta, x);
    }
    // Each group is a row of a layer normalization, which stays one operation where the network is recorded.
    let [batch, channels, height, width] = x.dims();
    let size = channels / norm.num_groups * height * width;
    let ones = Tensor::ones([size], (&x.device(), x.dtype()));
    let rows = x.reshape([batch, norm.num_groups, size]);
    let normal = burn_layer_norm(rows, ones, None, norm.epsilon).reshape([batch, channels, height, width]);
    let of_channels = [1, channels, 1, 1];
    relu(normal * gamma.reshape(of_channels) + beta.reshape(of_channels))
}

/// Each channel times its own number.
///
/// # Shapes
/// - `scale`: `[channels]`
/// - `x` and output: `[batch, channels, h, w]`
pub fn scale_channels(scale: Tensor<1>, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::scale_channels(x, scale);
    }
    let channels = scale.dims()[0];
    x * scale.reshape([1, channels, 1, 1])
}

/// `a b`, where `b` may have one pixel that all pixels of `a` share.
///
/// # Shapes
/// - `a` and output: `[batch, channels, h, w]`
/// - `b`: the same, or `[batch, channels, 1, 1]`
pub fn multiply(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&a) && kernels::serve(&b) {
        return kernels::multiply(a, b);
    }
    a * b
}

/// Attention of the pixels of one image to those of another, in heads of equally many channels.
///
/// # Shapes
/// - `query` and output: `[batch, channels, h, w]`
/// - `key`, `value`: `[batch, channels, h', w']`
pub fn attention(heads: usize, query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = query.dims();
    let tokens = |x: Tensor<4>| {
        let [_, _, height, width] = x.dims();
        planes(x).reshape([batch, heads, channels / heads, height * width]).swap_dims(2, 3)
    };
    let x = token_attention(tokens(query), tokens(key), tokens(value), None);
    x.swap_dims(2, 3).reshape([batch, channels, height, width])
}

/// `softmax(query keyᵗ / sqrt(size) + bias) value` in each head.
///
/// # Shapes
/// - `query` and output: `[batch, heads, queries, size]`
/// - `key`, `value`: `[batch, heads, keys, size]`
/// - `bias`: `[batch or 1, heads, queries, keys]`
pub fn token_attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, bias: Option<Tensor<4>>) -> Tensor<4> {
    burn_attention(query, key, value, None, bias, AttentionModuleOptions::default())
}

/// A 1x1 convolution by given weights, with ReLU where asked for.
///
/// # Shapes
/// - `weight`: `[channels_out, channels_in, 1, 1]`
/// - `bias`: `[channels_out]`
/// - `x`: `[batch, channels_in, h, w]`
/// - output: `[batch, channels_out, h, w]`
pub fn pointwise(weight: Tensor<4>, bias: Option<Tensor<1>>, rectify: bool, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::pointwise(weight, bias, rectify, x);
    }
    let y = conv2d(x, weight, bias, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
    if rectify { relu(y) } else { y }
}

/// `relu(norm(x))` where no convolution comes before, see [`conv_norm`].
///
/// # Shapes
/// All `[batch, channels, h, w]`.
pub fn norm_relu(norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::normalize_rectified(norm, x);
    }
    relu(norm.forward(x))
}

/// A transposed convolution with its bias, if it has one.
///
/// # Shapes
/// - `x`: `[batch, channels_in, h, w]`
/// - output: `[batch, channels_out, h', w']`
pub fn conv_transpose(conv: &ConvTranspose2d, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::convolve_transposed(conv, x);
    }
    conv.forward(x)
}

/// `relu(norm(conv(x)))` with a transposed convolution, see [`conv_norm`].
///
/// # Shapes
/// As [`conv_transpose`].
pub fn conv_transpose_norm_relu(conv: &ConvTranspose2d, norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) && conv.groups == 1 {
        return kernels::convolve_transposed_normalize(conv, norm, x);
    }
    relu(norm.forward(conv.forward(x)))
}

/// Each pixel at the upper left of 2x2 pixels, the others zero.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, 2 h, 2 w]`
pub fn bed_of_nails(x: Tensor<4>) -> Tensor<4> {
    let channels = x.dims()[1];
    let weight = Tensor::ones([channels, 1, 1, 1], (&x.device(), x.dtype()));
    spread(x, weight, [1, 1], channels)
}

/// Each four channels as one of 2x2 pixels, row by row: `PixelShuffle(2)` in PyTorch.
///
/// # Shapes
/// - `x`: `[batch, 4 channels, h, w]`
/// - output: `[batch, channels, 2 h, 2 w]`
pub fn pixel_shuffle(x: Tensor<4>) -> Tensor<4> {
    let channels = x.dims()[1] / 4;
    // One of four pixels for each of four channels.
    let pixels = TensorData::new((0..16).map(|i| f32::from(u8::from(i % 5 == 0))).collect(), [4, 1, 2, 2]);
    let weight = Tensor::from_data(pixels, (&x.device(), x.dtype())).repeat_dim(0, channels);
    spread(x, weight, [0, 0], channels)
}

/// A transposed convolution of stride 2 with given weights, each group of input channels to one output channel.
fn spread(x: Tensor<4>, weight: Tensor<4>, padding_out: [usize; 2], groups: usize) -> Tensor<4> {
    let options = ConvTransposeOptions::new([2, 2], [0, 0], padding_out, [1, 1], groups);
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::convolve_transposed_by(x, weight, &options);
    }
    conv_transpose2d(x, weight, None, options)
}

/// The mean of parts that lie one after the other along the channels.
///
/// # Shapes
/// - `x`: `[batch, parts * channels, h, w]`
/// - output: `[batch, channels, h, w]`
pub fn mean_of_parts(x: Tensor<4>, parts: usize) -> Tensor<4> {
    let channels = x.dims()[1] / parts;
    let device = x.device();
    let mean = Tensor::<2>::eye(channels, &device).cast(x.dtype()).div_scalar(parts as f32).repeat_dim(1, parts);
    pointwise(mean.reshape([channels, parts * channels, 1, 1]), None, false, x)
}

/// The greatest value of each window.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, h', w']`
pub fn max_pool(x: Tensor<4>, options: MaxPoolOptions<2>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::max_pool(x, &options);
    }
    max_pool2d(x, options)
}

/// The mean of each window.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, h', w']`
pub fn average_pool(x: Tensor<4>, options: AvgPoolOptions<2>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::average_pool(x, &options);
    }
    avg_pool2d(x, options)
}

/// The greatest value of each window, and where it stood: `row * w + column` within its channel of `x`, the first of several.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: both `[batch, channels, h', w']`
pub fn max_pool_with_indices(x: Tensor<4>, options: MaxPoolOptions<2>) -> (Tensor<4>, Tensor<4, Int>) {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::max_pool_with_indices(x, &options);
    }
    max_pool2d_with_indices(x, options)
}

/// Puts each value to the pixel that its index names, and zero to all others: the partial inverse of
/// [`max_pool_with_indices`], `max_unpool2d` in PyTorch. Where windows overlapped, one of the values that name a pixel stays.
///
/// # Shapes
/// - `x`, `indices`: `[batch, channels, h, w]`, indices below `size[0] * size[1]`
/// - output: `[batch, channels, size[0], size[1]]`
pub fn unpool(x: Tensor<4>, indices: Tensor<4, Int>, size: [usize; 2]) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::unpool(x, indices, size);
    }
    let [batch, channels, height, width] = x.dims();
    let flat = [batch, channels, height * width];
    let zeros = Tensor::<3>::zeros([batch, channels, size[0] * size[1]], (&x.device(), x.dtype()));
    let pixels = zeros.scatter(2, indices.reshape(flat), x.reshape(flat), IndexingUpdateOp::Assign);
    pixels.reshape([batch, channels, size[0], size[1]])
}

/// Means over windows that divide the image into as many rows and columns as the output has; one mean a channel for size
/// `[1, 1]`.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, size[0], size[1]]`
pub fn adaptive_average_pool(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::adaptive_average_pool(x, size);
    }
    adaptive_avg_pool2d(x, size)
}

/// Pixel `[row, col]` of the output is pixel `[rows[row], cols[col]]` of `x`.
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, rows.len(), cols.len()]`
pub fn take(x: Tensor<4>, rows: &[usize], cols: &[usize]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let along = |x: Tensor<4>, axis: usize, size: usize, places: &[usize]| {
        if places.iter().copied().eq(0..size) {
            return x;
        }
        let index: Vec<i64> = places.iter().map(|&place| place as i64).collect();
        let index = Tensor::<1, Int>::from_data(TensorData::new(index, [places.len()]), &x.device());
        x.select(axis, index)
    };
    along(along(x, 2, height, rows), 3, width, cols)
}

/// Interpolation to a size in pixels, with half-pixel centres (`align_corners = false` in PyTorch).
///
/// # Shapes
/// - `x`: `[batch, channels, h, w]`
/// - output: `[batch, channels, size[0], size[1]]`
pub fn resample(x: Tensor<4>, mode: InterpolateMode, size: [usize; 2]) -> Tensor<4> {
    interpolated(x, mode, size, false)
}

/// Interpolation to a size in pixels, with the centres of the corner pixels kept in place (`align_corners = true` in PyTorch).
///
/// # Shapes
/// As [`resample`].
pub fn resample_corners(x: Tensor<4>, mode: InterpolateMode, size: [usize; 2]) -> Tensor<4> {
    interpolated(x, mode, size, true)
}

fn interpolated(x: Tensor<4>, mode: InterpolateMode, size: [usize; 2], corners: bool) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if let Some(interpolation) = kernels::interpolation(&mode, &x) {
        return kernels::resample(x, interpolation, corners, size);
    }
    interpolate(x, InterpolateOptions::new(mode).with_align_corners(corners).with_output_size(size))
}

/// The channels of both, one after the other.
///
/// # Shapes
/// - `a`: `[batch, channels_a, h, w]`
/// - `b`: `[batch, channels_b, h, w]`
/// - output: `[batch, channels_a + channels_b, h, w]`
pub fn concat(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::may_concatenate(&a, &b) {
        return kernels::concat(a, b);
    }
    Tensor::cat(vec![a, b], 1)
}

/// The channels of all, one after the other.
///
/// # Shapes
/// - `parts`: at least one, `[batch, channels_i, h, w]`
/// - output: `[batch, sum of channels_i, h, w]`
pub fn concat_all(parts: Vec<Tensor<4>>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::may_concatenate_all(&parts) {
        return parts.into_iter().reduce(kernels::concat).expect("at least one part");
    }
    Tensor::cat(parts, 1)
}

/// `a + b`
///
/// # Shapes
/// All `[batch, channels, h, w]`.
pub fn add(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&a) && kernels::serve(&b) {
        return kernels::add(a, b, false);
    }
    a + b
}

/// `relu(a + b)`
///
/// # Shapes
/// All `[batch, channels, h, w]`.
pub fn add_relu(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&a) && kernels::serve(&b) {
        return kernels::add(a, b, true);
    }
    relu(a + b)
}

/// Two of one: for features that two layers take, in place of a clone. The gradients of both are added here, where Burn
/// would add them in an order of memory that suits neither.
///
/// # Shapes
/// All `[batch, channels, h, w]`.
pub fn fork(x: Tensor<4>) -> [Tensor<4>; 2] {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::fork(x);
    }
    [x.clone(), x]
}

/// As many of one as asked for, see [`fork`].
///
/// # Shapes
/// All `[batch, channels, h, w]`.
pub fn fork_many(x: Tensor<4>, count: usize) -> Vec<Tensor<4>> {
    let mut branches = Vec::with_capacity(count);
    let mut rest = x;
    while branches.len() + 1 < count {
        let [branch, next] = fork(rest);
        branches.push(branch);
        rest = next;
    }
    branches.push(rest);
    branches
}

/// The same values plane by plane in memory, for what follows the network: Burn's operations are slow with channels last.
///
/// # Shapes
/// All `[batch, channels, h, w]`.
pub fn planes(x: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "cpu")]
    if kernels::serve(&x) {
        return kernels::planes(x);
    }
    x
}
