//! `vgg`: very deep chains of 3x3 convolutions.
//!
//! Simonyan, Zisserman: *Very Deep Convolutional Networks for Large-Scale Image Recognition*. ICLR 2015.
//! <https://arxiv.org/abs/1409.1556>
//!
//! Layers and parameter names follow torchvision, with and without batch normalization; levels are those of
//! segmentation_models.pytorch.
//!
//! `classifier` makes convolutions of the fully connected layers, 7x7 and 1x1, as FCN has it (Long, Shelhamer, Darrell 2015).
//! They are padded to keep the size, where FCN pads the image by 100 pixels and crops; there is no dropout.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::sequential::{self, Chain, Classifier, Layer, Pool, Window};
use super::{Demand, Features, refuse};
use crate::family::{FamilyError, Level};

/// Options of `[model.encoder.vgg]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VggConfig {
    /// Number of layers with weights, counted as the paper does: 11, 13, 16 or 19.
    pub depth: usize,
    /// Channels of the finest level, 64 in the paper; the others have 2, 4, 8 and 8 times as many.
    pub width: usize,
    /// Batch normalization after each convolution. The paper has none.
    pub batch_norm: bool,
    /// Channels of the two fully connected layers (4096 in the paper), which become convolutions and the deepest level.
    /// By default they are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<usize>,
}

impl Default for VggConfig {
    fn default() -> Self {
        Self { depth: 16, width: 64, batch_norm: false, classifier: None }
    }
}

/// A depth of the paper's Table 1: convolutions before each pool.
struct Variant {
    depth: usize,
    convs: [usize; 5],
}

const VARIANTS: [Variant; 4] = [
    Variant { depth: 11, convs: [1, 1, 2, 2, 2] },
    Variant { depth: 13, convs: [2, 2, 2, 2, 2] },
    Variant { depth: 16, convs: [2, 2, 3, 3, 3] },
    Variant { depth: 19, convs: [2, 2, 4, 4, 4] },
];

/// Channels between the pools, as multiples of the width.
const TIMES: [usize; 5] = [1, 2, 4, 8, 8];

impl VggConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 1, 2, 4, 8 and 16, each before a pool, and 32.
    ///
    /// # Errors
    /// When an option is out of range, or another output stride than 32 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value, reason, nearest| refuse("encoder vgg", option, value, reason, nearest);
        let variant = self.variant();
        if variant.depth != self.depth {
            return Err(refuse("depth", self.depth, "depths are 11, 13, 16 and 19", variant.depth));
        }
        if !(1..=1024).contains(&self.width) {
            let nearest = self.width.clamp(1, 1024);
            return Err(refuse("width", self.width, "the finest level has 1 to 1024 channels", nearest));
        }
        if let Some(channels) = self.classifier.filter(|channels| !(1..=16384).contains(channels)) {
            let nearest = channels.clamp(1, 16384);
            return Err(refuse("classifier", channels, "its layers have 1 to 16384 channels", nearest));
        }
        if let Some(stride) = output_stride.filter(|&stride| stride != 32) {
            let reason = "its pools leave stride 32; encoder dilated_vgg has stride 8";
            return Err(refuse("output_stride", stride, reason, 32));
        }
        let before_pool = |i: usize| Level::new(self.width * TIMES[i], 1 << i).pooled();
        let deepest = Level::new(self.classifier.unwrap_or(self.width * TIMES[4]), 32);
        Ok((0..5).map(before_pool).chain([deepest]).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Vgg {
        let mut features = Chain::new(demand.bands, device);
        for (convs, times) in self.variant().convs.into_iter().zip(TIMES) {
            for _ in 0..convs {
                features.conv(self.width * times, Window::same(3, 1), self.batch_norm);
            }
            features.pool(Pool::halving());
        }
        let channels_in = self.width * TIMES[4];
        let classifier =
            self.classifier.map(|channels| Classifier::new(channels_in, Window::same(7, 1), channels, device));
        Vgg { features: features.finish(), classifier, indices: demand.indices }
    }

    /// The variant of this depth, or the nearest one.
    fn variant(&self) -> &'static Variant {
        let distance = |variant: &&Variant| variant.depth.abs_diff(self.depth);
        VARIANTS.iter().min_by_key(distance).unwrap_or(&VARIANTS[0])
    }
}

/// VGG without its class scores.
#[derive(Module, Debug)]
pub struct Vgg {
    features: Vec<Layer>,
    classifier: Option<Classifier>,
    /// Whether the decoder asks where the maxima stood.
    indices: bool,
}

impl Vgg {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: maps at strides 1, 2, 4, 8, 16 and 32
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let features = sequential::forward(&self.features, images, self.indices);
        sequential::classified(features, self.classifier.as_ref())
    }
}
