//! How a batch of images lies in memory.

use crate::error::PlanError;
use crate::simd::WIDEST;

/// What an image holds for each channel of a pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Element {
    /// float32.
    #[default]
    Float,
    /// bfloat16: half the memory, for what will be rounded to it in any case. Two lie in each float of a slice. Sums and functions are computed in
    /// float32; what is stored is rounded to the nearest, to even where two are near.
    Bfloat16,
}

impl Element {
    /// Bytes of one.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Element::Float => 4,
            Element::Bfloat16 => 2,
        }
    }
}

/// A batch of images with channels last: `[batch, row, column, channel]`.
///
/// The channels of a pixel lie side by side, padded to a multiple of 16; whatever stands in the padding is never part of a result.
/// `pixel` may be larger than that: then the image is some channels of a wider one, which is how
/// a convolution writes straight into its part of a concatenation.
///
/// Images lie in slices of floats, whatever their [elements](Element) are. Functions take images of all elements, unless they say that it must be
/// floats.
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
    /// Channels from one pixel to the next, a multiple of 16.
    pub pixel: usize,
    /// What a channel is.
    pub element: Element,
    /// Whether channels lie in planes of their own instead, `[batch, channel, row, column]` of floats, as other software has them. Functions take
    /// images with channels last, unless they say otherwise.
    pub planes: bool,
}

impl Layout {
    /// Images of floats by themselves: `pixel` is the number of channels, padded.
    pub fn new(batch: usize, height: usize, width: usize, channels: usize) -> Layout {
        Layout { batch, height, width, channels, pixel: padded(channels), element: Element::Float, planes: false }
    }

    /// The same images as some channels of wider ones, `pixel` channels from pixel to pixel.
    pub fn within(self, pixel: usize) -> Layout {
        Layout { pixel, ..self }
    }

    /// The same images of other elements.
    pub fn of(self, element: Element) -> Layout {
        Layout { element, ..self }
    }

    /// The same images with channels in planes of their own.
    pub fn in_planes(self) -> Layout {
        Layout { element: Element::Float, planes: true, ..self }
    }

    /// Channels with their padding.
    pub fn padded_channels(&self) -> usize {
        padded(self.channels)
    }

    /// Pixels of all images.
    pub fn pixels(&self) -> usize {
        self.batch * self.height * self.width
    }

    /// Floats that so many channels take: with bfloat16 half as many.
    pub fn floats(&self, channels: usize) -> usize {
        channels * self.element.bytes() / size_of::<f32>()
    }

    /// Floats from the first to the last channel, padding included: the least length of a slice that holds the images.
    pub fn len(&self) -> usize {
        match self.pixels() {
            0 => 0,
            pixels if self.planes => pixels * self.channels,
            pixels => self.floats((pixels - 1) * self.pixel + self.padded_channels()),
        }
    }

    /// Whether both are of the same size, with the same number of channels.
    pub(crate) fn has_size_of(&self, other: &Layout) -> bool {
        let size = |layout: &Layout| [layout.batch, layout.height, layout.width, layout.channels];
        size(self) == size(other)
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
                found: format!("{} channels from pixel to pixel", self.pixel),
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

    /// Panics with the sizes unless the slice holds these images, with channels last.
    #[track_caller]
    pub(crate) fn check(&self, what: &str, len: usize) {
        assert!(!self.planes, "{what} has its channels in planes");
        self.check_len(what, len);
    }

    /// Panics with the sizes unless the slice holds these images.
    #[track_caller]
    pub(crate) fn check_len(&self, what: &str, len: usize) {
        assert!(self.fits(len), "{what} of {len} floats does not hold {self:?}, which needs {}", self.len());
    }

    /// As [`check`](Self::check), and panics unless they are of floats.
    #[track_caller]
    pub(crate) fn check_floats(&self, what: &str, len: usize) {
        assert_eq!(self.element, Element::Float, "{what} is no image of floats");
        self.check(what, len);
    }
}

/// The next multiple of 16.
pub(crate) fn padded(channels: usize) -> usize {
    channels.next_multiple_of(WIDEST)
}
