//! `maggiori`: the patch network of aerial image labelling, made fully convolutional.
//!
//! Maggiori, Tarabalka, Charpiat, Alliez: *Convolutional Neural Networks for Large-Scale Remote-Sensing Image Classification*.
//! IEEE TGRS 2017. <https://hal.science/hal-01369906>
//! After Mnih: *Machine Learning for Aerial Image Labeling*. PhD thesis, Toronto 2013.
//! <https://www.cs.toronto.edu/~vmnih/docs/Mnih_Volodymyr_PhD_Thesis.pdf>
//!
//! | layer | channels | window | stride |
//! |---|---|---|---|
//! | convolution, rectifier | 64 | 12x12 | 4 |
//! | convolution, rectifier | 112 | 4x4 | 1 |
//! | convolution, rectifier | 80 | 3x3 | 1 |
//! | convolution | one a class | 9x9 | 1 |
//! | transposed convolution | one a class | | 4 |
//!
//! The encoder is the first three rows. The fourth, the patch network's fully connected layer, is a head on decoder `unet`
//! without steps (`channels = []`): `[model.head] kernel = 9`. The fifth, which begins as interpolation, is the bilinear resizing
//! that every [`Segmenter`](crate::Segmenter) ends with.
//!
//! Differs from the paper: windows are padded, so that sizes are quarters of the image exactly, where the paper takes a margin
//! of the image away. The table follows descriptions of the paper and has not been checked against its text, the first window
//! above all; `kernel = 16` is the patch network as Saito, Yamashita and Aoki describe it
//! (2016, <https://doi.org/10.2352/ISSN.2470-1173.2016.10.ROBVIS-392>).

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::sequential::Window;
use super::{Demand, Features, refuse};
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.encoder.maggiori]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaggioriConfig {
    /// Channels of the first convolution; the others have 7/4 and 5/4 of it, rounded up.
    pub width: usize,
    /// Side of the first convolution's window, an even number from 4.
    pub kernel: usize,
}

impl Default for MaggioriConfig {
    fn default() -> Self {
        Self { width: 64, kernel: 12 }
    }
}

const STRIDE: usize = 4;

impl MaggioriConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Stride 4, three times.
    ///
    /// # Errors
    /// When `width` or `kernel` is out of range, or another output stride than 4 is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        let refuse = |option, value, reason, nearest| refuse("encoder maggiori", option, value, reason, nearest);
        if !(1..=1024).contains(&self.width) {
            let nearest = self.width.clamp(1, 1024);
            return Err(refuse("width", self.width, "the first convolution has 1 to 1024 channels", nearest));
        }
        if !(4..=64).contains(&self.kernel) || self.kernel % 2 == 1 {
            let nearest = self.kernel.clamp(4, 64).next_multiple_of(2);
            return Err(refuse("kernel", self.kernel, "the first window has an even side from 4 to 64", nearest));
        }
        if let Some(stride) = output_stride.filter(|&stride| stride != STRIDE) {
            return Err(refuse("output_stride", stride, "its only stride is 4", STRIDE));
        }
        Ok(self.channels().map(|channels| Level::new(channels, STRIDE)).to_vec())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Maggiori {
        let [first, second, third] = self.channels();
        let margin = (self.kernel - STRIDE) / 2;
        let window = Window { kernel: self.kernel, stride: STRIDE, dilation: 1, padding: [margin, margin] };
        Maggiori {
            conv1: window.conv(demand.bands, first, device),
            conv2: Window::same(4, 1).conv(first, second, device),
            conv3: Window::same(3, 1).conv(second, third, device),
        }
    }

    fn channels(&self) -> [usize; 3] {
        [self.width, (7 * self.width).div_ceil(4), (5 * self.width).div_ceil(4)]
    }
}

/// Three convolutions at stride 4.
#[derive(Module, Debug)]
pub struct Maggiori {
    conv1: Conv2d,
    conv2: Conv2d,
    conv3: Conv2d,
}

impl Maggiori {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: three maps `[batch, channels, H / 4, W / 4]`
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let [first, x] = ops::fork(ops::conv_relu(&self.conv1, images));
        let [second, x] = ops::fork(ops::conv_relu(&self.conv2, x));
        Features::new(vec![first, second, ops::conv_relu(&self.conv3, x)])
    }
}
