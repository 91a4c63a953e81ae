//! `upernet`: a pyramid pooling module on top of a feature pyramid.
//!
//! Xiao, Liu, Zhou, Jiang, Sun: *Unified Perceptual Parsing for Scene Understanding*. ECCV 2018.
//! <https://arxiv.org/abs/1807.10221>
//!
//! The `UPerNet` of segmentation_models.pytorch, for scenes only: the paper's heads for objects, parts, materials and textures
//! are other tasks. As there, each level is first normalized over its channels, which transformers' features need.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::{Output, at_least_one, pyramid, required};
use crate::block::{ConvNorm, Enlarge, LayerNorm, Upsampling, resize};
use crate::encoder::Features;
use crate::family::{FamilyError, Level};
use crate::ops;

/// Options of `[model.decoder.upernet]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpernetConfig {
    /// Channels of the pyramid and of the output.
    pub channels: usize,
    /// How levels get the size of finer ones. Pooled maps are always interpolated bilinearly.
    pub upsampling: Upsampling,
}

impl Default for UpernetConfig {
    fn default() -> Self {
        Self { channels: 256, upsampling: Upsampling::Bilinear }
    }
}

/// Rows and columns of each pooled map.
const SIZES: [usize; 4] = [1, 2, 3, 6];

impl UpernetConfig {
    /// See [`DecoderConfig::output_stride`](super::DecoderConfig::output_stride): any.
    pub fn output_stride(&self) -> Option<usize> {
        None
    }

    /// See [`DecoderConfig::needs_indices`](super::DecoderConfig::needs_indices): no.
    pub fn needs_indices(&self) -> bool {
        false
    }

    /// See [`DecoderConfig::out`](super::DecoderConfig::out).
    ///
    /// # Errors
    /// When there are no channels, for max-unpooling, or when the encoder has no features of stride 4.
    pub fn out(&self, levels: &[Level], _classes: usize) -> Result<Output, FamilyError> {
        const MEMBER: &str = "decoder upernet";
        at_least_one(MEMBER, &[("channels", self.channels)])?;
        Enlarge::check(self.upsampling, MEMBER)?;
        required("upernet", levels, 4)?;
        Ok(Output::Features(Level::new(self.channels, 4)))
    }

    /// Makes the decoder for an encoder's levels, which [`out`](Self::out) has accepted.
    pub fn init(&self, levels: &[Level], _classes: usize, device: &Device) -> Upernet {
        let sources: Vec<usize> = pyramid(levels).into_iter().rev().collect();
        let channels: Vec<usize> = sources.iter().map(|&source| levels[source].channels).collect();
        let conv = |channels_in, kernel| ConvNorm::new(channels_in, self.channels, kernel, device);
        let coarsest = channels.first().copied().unwrap_or_default();
        let strides: Vec<usize> = sources.iter().map(|&source| levels[source].stride).collect();
        let enlarge = |factor| Enlarge::new(self.upsampling, self.channels, factor, false, device);
        Upernet {
            norms: channels.iter().map(|&channels| LayerNorm::new(channels, 1e-6, device)).collect(),
            pooled: SIZES.iter().map(|_| conv(coarsest, 1)).collect(),
            pool: conv(coarsest + SIZES.len() * self.channels, 3),
            laterals: channels.iter().skip(1).map(|&channels| conv(channels, 1)).collect(),
            doublings: strides.windows(2).map(|pair| enlarge(pair[0] / pair[1])).collect(),
            enlarge: strides.iter().map(|stride| enlarge(stride / 4)).collect(),
            convs: channels.iter().skip(1).map(|_| conv(self.channels, 3)).collect(),
            fuse: conv(channels.len() * self.channels, 3),
            sources,
        }
    }
}

/// Pyramid pooling, the pyramid, and their fusion. Lists of levels run from coarse to fine.
#[derive(Module, Debug)]
pub struct Upernet {
    norms: Vec<LayerNorm>,
    /// For means over 1, 2x2, 3x3 and 6x6 parts of the coarsest map.
    pooled: Vec<ConvNorm>,
    pool: ConvNorm,
    /// For each level but the coarsest.
    laterals: Vec<ConvNorm>,
    /// As `laterals`: from the level before to this one.
    doublings: Vec<Enlarge>,
    /// For each level, to the finest one.
    enlarge: Vec<Enlarge>,
    /// As `laterals`.
    convs: Vec<ConvNorm>,
    fuse: ConvNorm,
    /// Indices of the levels.
    sources: Vec<usize>,
}

impl Upernet {
    /// See [`Decoder::forward`](super::Decoder::forward).
    ///
    /// # Shapes
    /// - `features`: those of the levels given to `init`
    /// - output: `[batch, channels, H / 4, W / 4]`
    pub fn forward(&self, features: Features) -> Tensor<4> {
        let mut levels = self.norms.iter().zip(features.take(&self.sources)).map(|(norm, map)| norm.forward(map));
        let top = self.pyramid_pooling(levels.next().expect("at least one level"));
        let [top, mut coarser] = ops::fork(top);
        let mut maps = vec![top];
        let layers = self.laterals.iter().zip(&self.doublings).zip(&self.convs);
        for (((lateral, double), conv), level) in layers.zip(levels) {
            let level = lateral.forward(level);
            let [_, _, height, width] = level.dims();
            let [map, next] = ops::fork(ops::add(double.forward(coarser, [height, width]), level));
            maps.push(conv.forward(map));
            coarser = next;
        }
        let [_, _, height, width] = maps.last().expect("at least one level").dims();
        let maps = maps.into_iter().zip(&self.enlarge).rev();
        let maps = maps.map(|(map, enlarge)| enlarge.forward(map, [height, width]));
        self.fuse.forward(ops::concat_all(maps.collect()))
    }

    fn pyramid_pooling(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let mut branches = ops::fork_many(x, SIZES.len() + 1);
        let whole = branches.pop().expect("one branch more than sizes");
        let pooled = self.pooled.iter().zip(SIZES).zip(branches).map(|((conv, size), x)| {
            resize(conv.forward(ops::adaptive_average_pool(x, [size, size])), [height, width])
        });
        self.pool.forward(ops::concat_all(std::iter::once(whole).chain(pooled).collect()))
    }
}
