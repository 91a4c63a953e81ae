//! `alexnet`: the network that began it.
//!
//! Krizhevsky, Sutskever, Hinton: *ImageNet Classification with Deep Convolutional Neural Networks*. NIPS 2012.
//! <https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks>
//!
//! Layers and parameter names follow torchvision, which follows Krizhevsky: *One weird trick for parallelizing convolutional
//! neural networks* (2014, <https://arxiv.org/abs/1404.5997>): one tower, other widths than in 2012, and no local response
//! normalization.
//!
//! Differs from torchvision at the lower and right edge, so that an image of `32 n` pixels has exactly `8 n`, `4 n`, `2 n` and
//! `n`: the first convolution pads 2 pixels before the image and 5 after it, where torchvision pads 2 and gives `8 n - 1`, and
//! the last window of a pool may reach beyond the features. All values whose windows lie within torchvision's are its own.
//! As in FCN, `classifier` makes convolutions of the fully connected layers; there is no dropout.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::sequential::{self, Chain, Classifier, Layer, Pool, Window};
use super::{Demand, Features, refuse};
use crate::family::{FamilyError, Level};

/// Options of `[model.encoder.alexnet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlexnetConfig {
    /// Channels of the first convolution, 64 in torchvision; the others have 3, 6, 4 and 4 times as many.
    pub width: usize,
    /// Channels of the two fully connected layers (4096 in the paper), which become convolutions and the deepest level.
    /// By default they are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<usize>,
}

impl Default for AlexnetConfig {
    fn default() -> Self {
        Self { width: 64, classifier: None }
    }
}

impl AlexnetConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 4, 8, 16 and 32: the features before each pool and
    /// after the last.
    ///
    /// # Errors
    /// When `width` or `classifier` is out of range, or another output stride than 32 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value, reason, nearest| refuse("encoder alexnet", option, value, reason, nearest);
        if !(1..=1024).contains(&self.width) {
            let nearest = self.width.clamp(1, 1024);
            return Err(refuse("width", self.width, "the first convolution has 1 to 1024 channels", nearest));
        }
        if let Some(channels) = self.classifier.filter(|channels| !(1..=16384).contains(channels)) {
            let nearest = channels.clamp(1, 16384);
            return Err(refuse("classifier", channels, "its layers have 1 to 16384 channels", nearest));
        }
        if let Some(stride) = output_stride.filter(|&stride| stride != 32) {
            return Err(refuse("output_stride", stride, "its pools leave stride 32, and no paper dilates it", 32));
        }
        let width = self.width;
        let deepest = self.classifier.unwrap_or(4 * width);
        Ok([(width, 4), (3 * width, 8), (4 * width, 16), (deepest, 32)]
            .map(|(channels, stride)| Level::new(channels, stride))
            .to_vec())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Alexnet {
        let width = self.width;
        let mut features = Chain::new(demand.bands, device);
        features.conv(width, Window { kernel: 11, stride: 4, dilation: 1, padding: [2, 5] }, false);
        features.pool(Pool::overlapping());
        features.conv(3 * width, Window::same(5, 1), false);
        features.pool(Pool::overlapping());
        for times in [6, 4, 4] {
            features.conv(times * width, Window::same(3, 1), false);
        }
        features.pool(Pool::overlapping());
        let classifier =
            self.classifier.map(|channels| Classifier::new(4 * width, Window::same(6, 1), channels, device));
        Alexnet { features: features.finish(), classifier }
    }
}

/// AlexNet without its class scores.
#[derive(Module, Debug)]
pub struct Alexnet {
    features: Vec<Layer>,
    classifier: Option<Classifier>,
}

impl Alexnet {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`, H and W multiples of 32
    /// - output: maps at strides 4, 8, 16 and 32
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let features = sequential::forward(&self.features, images, false);
        sequential::classified(features, self.classifier.as_ref())
    }
}
