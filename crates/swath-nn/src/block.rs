//! Building blocks that several members share.
//!
//! Batch normalization is Burn's: as in PyTorch, but the running variance is the batch's own (divided by n), where
//! PyTorch stores the unbiased one (divided by n - 1). On images the two differ by less than a thousandth.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

mod aspp;
mod conv_norm;
mod double_conv;
mod enlarge;
mod inverted_residual;
mod layer_norm;
mod mlp;
mod pixel_mlp;
mod resample;
mod separable;
mod squeeze_excitation;
mod upsample;

pub use aspp::{Aspp, AsppConfig};
pub use conv_norm::ConvNorm;
pub use double_conv::{DoubleConv, DoubleConvConfig};
pub use enlarge::{Enlarge, Interpolation};
pub use inverted_residual::{InvertedResiduals, InvertedResidualsConfig, Placement, Stage, round_channels};
pub use layer_norm::LayerNorm;
pub use mlp::Mlp;
pub use pixel_mlp::PixelMlp;
pub(crate) use resample::{crop, pad_mirror};
pub use resample::{resize, resize_corners};
pub use separable::{Conv3x3, Conv3x3Config};
pub use squeeze_excitation::SqueezeExcitation;
pub use upsample::{Fixed, MaxUnpooling, PixelShuffle, Upsample, UpsampleConfig, Upsampling};

/// What convolutions do at the edge of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// They see zeros beyond it, and keep the size.
    #[default]
    Same,
    /// They keep away from it: each 3x3 convolution loses one pixel on each side.
    Valid,
}

/// A convolution with bias that keeps the size of its input (odd `kernel`).
pub fn conv2d(channels_in: usize, channels_out: usize, kernel: usize, device: &Device) -> Conv2d {
    same_conv(channels_in, channels_out, kernel, 1).with_bias(true).init(device)
}

/// A convolution without bias for batch normalization to follow, whose shift takes the bias's place (odd `kernel`).
pub fn conv2d_for_norm(
    channels_in: usize,
    channels_out: usize,
    kernel: usize,
    stride: usize,
    device: &Device,
) -> Conv2d {
    same_conv(channels_in, channels_out, kernel, stride).with_bias(false).init(device)
}

/// A convolution with bias whose windows are centred on every `stride`th pixel (odd `kernel`).
pub fn conv2d_strided(
    channels_in: usize,
    channels_out: usize,
    kernel: usize,
    stride: usize,
    device: &Device,
) -> Conv2d {
    same_conv(channels_in, channels_out, kernel, stride).with_bias(true).init(device)
}

/// A convolution with bias of each channel by itself, which keeps the size (odd `kernel`).
pub fn depthwise(channels: usize, kernel: usize, device: &Device) -> Conv2d {
    same_conv(channels, channels, kernel, 1).with_groups(channels).with_bias(true).init(device)
}

/// A convolution with bias of squares of `size` pixels that do not overlap.
pub fn patches(channels_in: usize, channels_out: usize, size: usize, device: &Device) -> Conv2d {
    same_conv(channels_in, channels_out, size, size).with_padding(PaddingConfig2d::Valid).with_bias(true).init(device)
}

/// Parameters start as zeros: `weights::initialize` knows what each kind of layer needs.
pub(crate) fn same_conv(channels_in: usize, channels_out: usize, kernel: usize, stride: usize) -> Conv2dConfig {
    let pad = kernel / 2;
    Conv2dConfig::new([channels_in, channels_out], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_initializer(Initializer::Zeros)
}
