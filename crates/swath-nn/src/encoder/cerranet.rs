//! `cerranet`: a patch classifier's chain of single 3x3 convolutions with average pooling, made for land use in the Cerrado.
//!
//! Miranda, Silva, Santos, Santiago Júnior, Körting, Almeida: *CerraNet: a deep convolutional neural network for classifying land
//! use and land cover on Cerrado biome tocantinense*. With its authors' code: <https://github.com/jurandy-almeida/cerranet>
//!
//! | stage | 1 | 2 | 3 | 4 | 5 | 6 |
//! |---|---|---|---|---|---|---|
//! | channels of its 3x3 convolution | 64 | 64 | 128 | 128 | 256 | 256 |
//!
//! A rectifier and 2x2 average pooling follow each convolution. The network of the paper is this encoder with
//! `[model.decoder.classifier] grid = 2, hidden = [256, 128]` on patches of 256 pixels; `depth` shortens it for smaller ones.
//!
//! Differs from the authors' code: convolutions are padded, so that levels are whole strides, and there is no dropout.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::sequential::Window;
use super::{Demand, Features, only_stride, refuse, refuse_channels};
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.encoder.cerranet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CerranetConfig {
    /// Channels of the first two stages; the others have 2 and 4 times as many.
    pub width: usize,
    /// Number of stages, 1 to 6: the coarsest stride is two to this power.
    pub depth: usize,
}

impl Default for CerranetConfig {
    fn default() -> Self {
        Self { width: 64, depth: TIMES.len() }
    }
}

/// Channels of the stages, as multiples of the width.
const TIMES: [usize; 6] = [1, 1, 2, 2, 4, 4];

impl CerranetConfig {
    /// See [`EncoderConfig::levels`](super::EncoderConfig::levels). Each stage before its pooling, and the last one after it.
    ///
    /// # Errors
    /// When `width` or `depth` is out of range, or another output stride than its own is asked for.
    pub fn levels(&self, output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError> {
        const MEMBER: &str = "encoder cerranet";
        refuse_channels(MEMBER, "width", self.width, 1024)?;
        if !(1..=TIMES.len()).contains(&self.depth) {
            let nearest = self.depth.clamp(1, TIMES.len());
            return Err(refuse(MEMBER, "depth", self.depth, "it has 1 to 6 stages", nearest));
        }
        only_stride(MEMBER, 1 << self.depth, output_stride)?;
        let channels = self.channels();
        let before_pool = channels.iter().enumerate().map(|(i, &channels)| Level::new(channels, 1 << i));
        let deepest = Level::new(channels[self.depth - 1], 1 << self.depth);
        Ok(before_pool.chain([deepest]).collect())
    }

    /// Makes the encoder for a demand that [`levels`](Self::levels) has accepted.
    pub fn init(&self, demand: Demand, device: &Device) -> Cerranet {
        let channels = self.channels();
        let inputs = std::iter::once(demand.bands).chain(channels.iter().copied());
        let conv = |(from, &to): (usize, &usize)| Window::same(3, 1).conv(from, to, device);
        Cerranet { convs: inputs.zip(&channels).map(conv).collect() }
    }

    fn channels(&self) -> Vec<usize> {
        TIMES.iter().take(self.depth).map(|times| times * self.width).collect()
    }
}

/// Single convolutions with average pooling between them.
#[derive(Module, Debug)]
pub struct Cerranet {
    convs: Vec<Conv2d>,
}

impl Cerranet {
    /// See [`Encoder::forward`](super::Encoder::forward).
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`
    /// - output: maps at strides 1, 2, 4, ... up to two to the power of the depth
    pub fn forward(&self, images: Tensor<4>) -> Features {
        let mut maps = Vec::with_capacity(self.convs.len() + 1);
        let mut x = images;
        for conv in &self.convs {
            let [map, next] = ops::fork(ops::conv_relu(conv, x));
            maps.push(map);
            x = ops::average_pool(next, AvgPoolOptions::new([2, 2]).with_stride([2, 2]));
        }
        maps.push(x);
        Features::new(maps)
    }
}
