//! `dilated_vgg`: VGG16 with holes, the network of DeepLab-LargeFOV.
//!
//! Chen, Papandreou, Kokkinos, Murphy, Yuille: *Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected
//! CRFs*. ICLR 2015. <https://arxiv.org/abs/1412.7062>
//! Chen, Papandreou, Kokkinos, Murphy, Yuille: *DeepLab*. IEEE TPAMI 2018. <https://arxiv.org/abs/1606.00915>
//!
//! The last two pools do not subsample, the convolutions between them dilate by 2, and the fully connected layers become a 3x3
//! convolution dilated by 12 and a 1x1, with 1024 channels each. As in the authors' model, though not in their text, pools
//! cover 3x3 pixels around their centre, and a 3x3 mean follows the last.
//!
//! Differs from that model: an even size is halved exactly, where Caffe's pools add a row and a column; there is no dropout.
//! Convolutions up to the last pool have the names and shapes of torchvision's `vgg16`.

use burn::module::Module;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::sequential::{self, Chain, Classifier, Layer, Pool, Window};
use super::{Demand, Features, refuse};
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.encoder.dilated_vgg]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DilatedVggConfig {
    /// Channels of the finest level, 64 in the paper; the others have 2, 4, 8 and 8 times as many.
    pub width: usize,
    /// Channels of the two layers that were fully connected.
    pub classifier: usize,
}

impl Default for DilatedVggConfig {
    fn default() -> Self {
        Self { width: 64, classifier: 1024 }
    }
}

/// Between the pools: number of convolutions, channels as multiples of the width, dilation, and the stride of the pool behind.
const STAGES: [(usize, usize, usize, usize); 5] =
    [(2, 1, 1, 2), (2, 2, 1, 2), (3, 4, 1, 2), (3, 8, 1, 1), (3, 8, 2, 1)];

impl DilatedVggConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Strides 1, 2, 4, 8 and 8, each before a pool, and 8.
    ///
    /// # Errors
    /// When `width` or `classifier` is out of range, or another output stride than 8 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value, reason, nearest| refuse("encoder dilated_vgg", option, value, reason, nearest);
        if !(1..=1024).contains(&self.width) {
            let nearest = self.width.clamp(1, 1024);
            return Err(refuse("width", self.width, "the finest level has 1 to 1024 channels", nearest));
        }
        if !(1..=16384).contains(&self.classifier) {
            let nearest = self.classifier.clamp(1, 16384);
            return Err(refuse("classifier", self.classifier, "its layers have 1 to 16384 channels", nearest));
        }
        if let Some(stride) = output_stride.filter(|&stride| stride != 8) {
            return Err(refuse("output_stride", stride, "it is dilated for stride 8", 8));
        }
        let mut stride = 1;
        let before_pool = STAGES.map(|(_, times, _, step)| {
            let level = Level::new(self.width * times, stride);
            stride *= step;
            level
        });
        Ok(before_pool.into_iter().chain([Level::new(self.classifier, 8)]).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> DilatedVgg {
        let mut features = Chain::new(demand.bands, device);
        for (convs, times, dilation, stride) in STAGES {
            for _ in 0..convs {
                features.conv(self.width * times, Window::same(3, dilation), false);
            }
            features.pool(Pool::centred(stride));
        }
        let classifier = Classifier::new(8 * self.width, Window::same(3, 12), self.classifier, device);
        DilatedVgg { features: features.finish(), classifier }
    }
}

/// VGG16 with holes.
#[derive(Module, Debug)]
pub struct DilatedVgg {
    features: Vec<Layer>,
    classifier: Classifier,
}

impl DilatedVgg {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: maps at strides 1, 2, 4, 8, 8 and 8
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let mut features = sequential::forward(&self.features, images, false);
        let mean = AvgPoolOptions::new([3, 3]).with_stride([1, 1]).with_padding([1, 1]);
        let pooled = features.maps.pop().map(|pooled| ops::average_pool(pooled, mean));
        features.maps.extend(pooled.map(|mean| self.classifier.forward(mean)));
        features
    }
}
