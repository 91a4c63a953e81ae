//! Maps brought to the size of finer ones, as decoders do that join levels of several strides.

use burn::module::Module;
use burn::tensor::ops::InterpolateMode;
use burn::tensor::{Device, Tensor};

use super::{Upsample, UpsampleConfig, Upsampling};
use crate::family::FamilyError;
use crate::ops;

/// Upsampling to the size of a finer map: interpolation in one step, or a layer for each doubling.
#[derive(Module, Debug)]
pub struct Enlarge {
    doublings: Vec<Upsample>,
    #[module(skip)]
    interpolation: Interpolation,
}

/// Interpolation to any size.
#[derive(Clone, Copy, Debug)]
pub struct Interpolation {
    upsampling: Upsampling,
    corners: bool,
}

impl Interpolation {
    /// The interpolation of this name; `corners` keeps the centres of the corner pixels in place (`align_corners = true` in
    /// PyTorch) where it is bilinear or bicubic.
    pub fn new(upsampling: Upsampling, corners: bool) -> Self {
        Self { upsampling, corners }
    }

    /// Refuses what is no interpolation.
    pub(crate) fn check(upsampling: Upsampling, member: &'static str) -> Result<(), FamilyError> {
        let interpolates = matches!(upsampling, Upsampling::Nearest | Upsampling::Bilinear | Upsampling::Bicubic);
        refuse(
            interpolates,
            upsampling,
            member,
            "maps of 1 to 6 pixels grow to any size, which only interpolation can do",
        )
    }

    /// # Shapes
    /// - `x`: `[batch, channels, h, w]`
    /// - output: `[batch, channels, size[0], size[1]]`
    pub fn forward(self, x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let mode = match self.upsampling {
            _ if [height, width] == size => return x,
            Upsampling::Nearest => return ops::resample(x, InterpolateMode::Nearest, size),
            Upsampling::Bicubic => InterpolateMode::Bicubic,
            _ => InterpolateMode::Bilinear,
        };
        if self.corners { ops::resample_corners(x, mode, size) } else { ops::resample(x, mode, size) }
    }
}

impl Enlarge {
    /// For maps of `channels` that become `factor` times as large, a power of two. See [`Interpolation::new`] for `corners`.
    pub fn new(upsampling: Upsampling, channels: usize, factor: usize, corners: bool, device: &Device) -> Self {
        let interpolates = matches!(upsampling, Upsampling::Nearest | Upsampling::Bilinear | Upsampling::Bicubic);
        let doublings = if interpolates { 0 } else { factor.ilog2() };
        let config = UpsampleConfig { upsampling, channels_in: channels, learned: channels, indexed: 0, kernel: 2 };
        let doublings = (0..doublings).map(|_| config.init(device)).collect();
        Self { doublings, interpolation: Interpolation::new(upsampling, corners) }
    }

    /// Refuses max-unpooling: what these decoders enlarge are not the features whose maxima an encoder has found.
    pub(crate) fn check(upsampling: Upsampling, member: &'static str) -> Result<(), FamilyError> {
        let reason = "what it enlarges are not the features whose maxima the encoder has found";
        refuse(upsampling != Upsampling::MaxUnpooling, upsampling, member, reason)
    }

    /// # Shapes
    /// - `x`: `[batch, channels, h, w]`
    /// - output: `[batch, channels, size[0], size[1]]`, with `size` the factor times that of `x`
    pub fn forward(&self, x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        if self.doublings.is_empty() {
            return self.interpolation.forward(x, size);
        }
        self.doublings.iter().fold(x, |x, layer| layer.forward(x, None))
    }
}

fn refuse(fits: bool, upsampling: Upsampling, member: &'static str, reason: &str) -> Result<(), FamilyError> {
    if fits {
        return Ok(());
    }
    Err(FamilyError::Option {
        member,
        option: "upsampling",
        value: format!("\"{}\"", upsampling.name()),
        reason: reason.into(),
        nearest: "`upsampling = \"bilinear\"`".into(),
    })
}
