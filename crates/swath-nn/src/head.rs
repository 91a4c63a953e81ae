//! The head: features to one channel a class. Activation is none of its business.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::block::{conv2d, patches, same_conv};
use crate::family::FamilyError;
use crate::ops;

/// Options of the head, as recipes write them: `[model.head]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HeadConfig {
    /// Side of the convolution's kernel, an odd number.
    pub kernel: usize,
}

impl Default for HeadConfig {
    fn default() -> Self {
        Self { kernel: 1 }
    }
}

impl HeadConfig {
    /// Checks the options.
    ///
    /// # Errors
    /// When the kernel is even, which would shift the map by half a pixel.
    pub fn validate(&self) -> Result<(), FamilyError> {
        if self.kernel % 2 == 1 {
            return Ok(());
        }
        Err(FamilyError::Option {
            member: "head",
            option: "kernel",
            value: self.kernel.to_string(),
            reason: "an even kernel has no centre".into(),
            nearest: format!("`kernel = {}`", self.kernel + 1),
        })
    }

    /// Makes the head for features of `channels` channels.
    pub fn init(&self, channels: usize, classes: usize, device: &Device) -> Head {
        Head { conv: conv2d(channels, classes, self.kernel, device) }
    }

    /// Makes one head for each of `count` feature maps of `channels` channels, which lie one after the other.
    pub(crate) fn init_several(&self, count: usize, channels: usize, classes: usize, device: &Device) -> Head {
        let conv = same_conv(count * channels, count * classes, self.kernel, 1).with_groups(count);
        Head { conv: conv.with_bias(true).init(device) }
    }
}

/// One convolution from features to classes.
#[derive(Module, Debug)]
pub struct Head {
    conv: Conv2d,
}

impl Head {
    /// A head that turns squares of `size` pixels into one each.
    pub(crate) fn of_patches(size: usize, channels: usize, classes: usize, device: &Device) -> Head {
        Head { conv: patches(channels, classes, size, device) }
    }

    /// Logits.
    ///
    /// # Shapes
    /// - `features`: `[batch, channels, h, w]`
    /// - output: `[batch, class, h, w]`, for several feature maps the classes of each
    pub fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        ops::conv(&self.conv, features)
    }
}
