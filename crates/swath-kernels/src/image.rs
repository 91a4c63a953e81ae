//! How a batch of images lies in memory.

use crate::error::PlanError;
use crate::simd::WIDEST;

/// A batch of images with channels last: `[batch, row, column, channel]`.
///
/// The channels of a pixel lie side by side, padded to a multiple of 16; whatever stands in the padding is never part of a result.
/// `pixel` may be larger than that: then the image is some channels of a wider one, which is how
/// a convolution writes straight into its part of a concatenation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Number of images.
    pub batch: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
    /// Floats from one pixel to the next, a multiple of 16.
    pub pixel: usize,
}

impl Layout {
    /// Images by themselves: `pixel` is the number of channels, padded.
    pub fn new(batch: usize, height: usize, width: usize, channels: usize) -> Layout {
        Layout { batch, height, width, channels, pixel: padded(channels) }
    }

    /// The same images as some channels of wider ones, `pixel` floats from pixel to pixel.
    pub fn within(self, pixel: usize) -> Layout {
        Layout { pixel, ..self }
    }

    /// Channels with their padding.
    pub fn padded_channels(&self) -> usize {
        padded(self.channels)
    }

    /// Pixels of all images.
    pub fn pixels(&self) -> usize {
        self.batch * self.height * self.width
    }

    /// Floats from the first to the last channel, padding included: the least length of a slice that holds the images.
    pub fn len(&self) -> usize {
        match self.pixels() {
            0 => 0,
            pixels => (pixels - 1) * self.pixel + self.padded_channels(),
        }
    }

    /// Whether there is no pixel.
    pub fn is_empty(&self) -> bool {
        self.pixels() == 0
    }

    /// Checks that all sizes are at least 1, that pixels are whole vectors apart, and that the images can be addressed.
    pub(crate) fn validate(&self, what: &'static str) -> Result<(), PlanError> {
        if self.is_empty() || self.channels == 0 {
            return Err(PlanError::Zero { what });
        }
        if !self.pixel.is_multiple_of(WIDEST) || self.pixel < self.padded_channels() {
            let expected = format!("a multiple of {WIDEST} from {}", self.padded_channels());
            return Err(PlanError::Mismatch {
                what,
                found: format!("{} floats from pixel to pixel", self.pixel),
                expected,
            });
        }
        let sizes = [self.batch, self.height, self.width, self.pixel, size_of::<f32>()];
        let bytes = sizes.into_iter().try_fold(1usize, usize::checked_mul);
        match bytes {
            Some(bytes) if bytes <= isize::MAX as usize => Ok(()),
            _ => Err(PlanError::TooLarge { what }),
        }
    }

    /// Whether a slice of `len` floats holds these images.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.pixel.is_multiple_of(WIDEST) && self.pixel >= self.padded_channels() && len >= self.len()
    }

    /// Panics with the sizes unless the slice holds these images.
    #[track_caller]
    pub(crate) fn check(&self, what: &str, len: usize) {
        assert!(self.fits(len), "{what} of {len} floats does not hold {self:?}, which needs {}", self.len());
    }
}

/// The next multiple of 16.
pub(crate) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(WIDEST)
}
