//! Plain chains of convolutions and pools, which the classifiers of 2012 to 2015 are, and their fully connected layers as
//! convolutions.
//!
//! Layers stand in a list with the positions that they have in torchvision's `features`, so that parameters have its names:
//! `features.3.weight`. Rectifiers hold nothing, but take a position.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, PaddingConfig2d, Relu};
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Int, Tensor};

use super::Features;
use crate::ops;

/// One layer of a chain.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a network holds few, so the size does not matter")]
pub(super) enum Layer {
    Conv(Conv2d),
    Norm(BatchNorm),
    Relu(Relu),
    Pool(Pool),
}

/// Max-pooling over square windows.
#[derive(Module, Debug)]
pub(super) struct Pool {
    kernel: usize,
    stride: usize,
    padding: usize,
    /// Whether the last window may reach beyond the image, so that an even size is halved.
    ceil: bool,
}

impl Pool {
    /// 2x2 with stride 2, whose indices can be handed on.
    pub(super) fn halving() -> Pool {
        Pool { kernel: 2, stride: 2, padding: 0, ceil: false }
    }

    /// 3x3 around each pixel, or with stride 2 around every second one.
    pub(super) fn centred(stride: usize) -> Pool {
        Pool { kernel: 3, stride, padding: 1, ceil: false }
    }

    /// 3x3 with stride 2 from the upper left corner on.
    pub(super) fn overlapping() -> Pool {
        Pool { kernel: 3, stride: 2, padding: 0, ceil: true }
    }

    fn forward(&self, x: Tensor<4>, indices: bool) -> (Tensor<4>, Option<Tensor<4, Int>>) {
        let options = MaxPoolOptions::new([self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_padding([self.padding; 2])
            .with_ceil_mode(self.ceil);
        if indices {
            let (x, indices) = ops::max_pool_with_indices(x, options);
            return (x, Some(indices));
        }
        (ops::max_pool(x, options), None)
    }
}

/// A chain while it is put together.
pub(super) struct Chain<'a> {
    layers: Vec<Layer>,
    channels: usize,
    device: &'a Device,
}

impl<'a> Chain<'a> {
    /// An empty chain on images of so many bands.
    pub(super) fn new(bands: usize, device: &'a Device) -> Self {
        Self { layers: Vec::new(), channels: bands, device }
    }

    /// A convolution with a rectifier, and batch normalization between them where asked for.
    pub(super) fn conv(&mut self, channels: usize, window: Window, batch_norm: bool) {
        self.layers.push(Layer::Conv(window.conv(self.channels, channels, self.device)));
        if batch_norm {
            self.layers.push(Layer::Norm(BatchNormConfig::new(channels).init(self.device)));
        }
        self.layers.push(Layer::Relu(Relu::new()));
        self.channels = channels;
    }

    pub(super) fn pool(&mut self, pool: Pool) {
        self.layers.push(Layer::Pool(pool));
    }

    pub(super) fn finish(self) -> Vec<Layer> {
        self.layers
    }
}

/// A convolution's window: side, stride, dilation, and padding before and after along both axes.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
    pub(super) padding: [usize; 2],
}

impl Window {
    /// Keeps the size. An even side has one more pixel after the centre than before.
    pub(super) fn same(kernel: usize, dilation: usize) -> Window {
        let reach = (kernel - 1) * dilation;
        Window { kernel, stride: 1, dilation, padding: [reach / 2, reach - reach / 2] }
    }

    pub(super) fn conv(self, channels_in: usize, channels_out: usize, device: &Device) -> Conv2d {
        let [before, after] = self.padding;
        Conv2dConfig::new([channels_in, channels_out], [self.kernel; 2])
            .with_stride([self.stride; 2])
            .with_dilation([self.dilation; 2])
            .with_padding(PaddingConfig2d::Explicit(before, before, after, after))
            .with_initializer(Initializer::Zeros)
            .init(device)
    }
}

/// The features before each pool and those after the last layer, with the pools' indices where asked for.
///
/// # Shapes
/// - `images`: `[batch, band, H, W]`
/// - output: one map a pool and one more
pub(super) fn forward(layers: &[Layer], images: Tensor<4>, indices: bool) -> Features {
    let (mut maps, mut places) = (Vec::new(), Vec::new());
    let (mut x, mut rest) = (images, layers);
    while !rest.is_empty() {
        (x, rest) = match rest {
            [Layer::Conv(conv), Layer::Norm(norm), Layer::Relu(_), rest @ ..] => {
                (ops::conv_norm_relu(conv, norm, x), rest)
            }
            [Layer::Conv(conv), Layer::Relu(_), rest @ ..] => (ops::conv_relu(conv, x), rest),
            [Layer::Pool(pool), rest @ ..] => {
                let [map, x] = ops::fork(x);
                let (x, index) = pool.forward(x, indices);
                maps.push(map);
                places.push(index);
                (x, rest)
            }
            _ => unreachable!("a chain has rectified convolutions and pools"),
        };
    }
    maps.push(x);
    places.push(None);
    Features { maps, indices: places }
}

/// Features of which the deepest went through a classifier, where there is one.
pub(super) fn classified(mut features: Features, classifier: Option<&Classifier>) -> Features {
    if let (Some(classifier), Some(deepest)) = (classifier, features.maps.last_mut()) {
        *deepest = classifier.forward(deepest.clone());
    }
    features
}

/// The fully connected layers of a classifier as convolutions, up to the class scores.
#[derive(Module, Debug)]
pub(super) struct Classifier {
    fc6: Conv2d,
    fc7: Conv2d,
}

impl Classifier {
    /// A first layer with a window on the features, a second on each pixel alone, both with so many channels.
    pub(super) fn new(channels_in: usize, window: Window, channels: usize, device: &Device) -> Self {
        Self {
            fc6: window.conv(channels_in, channels, device),
            fc7: Window::same(1, 1).conv(channels, channels, device),
        }
    }

    /// # Shapes
    /// - `x`: `[batch, channels_in, h, w]`
    /// - output: `[batch, channels, h, w]`
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        ops::conv_relu(&self.fc7, ops::conv_relu(&self.fc6, x))
    }
}
