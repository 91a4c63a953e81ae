//! What is done to a result before it is stored.

use crate::functions::Function;
use crate::image::{Layout, padded};
use crate::memory::Buffer;
use crate::pixels::Source;
use crate::simd::{Simd, prefetch};

/// An elementwise function after a convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// None.
    #[default]
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)`
    Relu6,
}

/// `function(activation(x + bias + add))`
#[derive(Clone, Copy, Default)]
pub struct Epilogue<'a> {
    /// One value for each output channel.
    pub bias: Option<&'a Bias>,
    /// Images of the output's size, of any [elements](crate::Element).
    pub add: Option<(&'a [f32], Layout)>,
    /// What follows.
    pub activation: Activation,
    /// The function at the end: in a pass of its own, except that [`Method::Depthwise`](crate::Method::Depthwise) computes it row by row.
    pub function: Option<Function>,
}

/// One value for each channel, padded with zeros.
pub struct Bias(Buffer);

impl Bias {
    /// Copies the values.
    pub fn new(values: &[f32]) -> Bias {
        let mut buffer = Buffer::zeroed(padded(values.len()));
        buffer[..values.len()].copy_from_slice(values);
        Bias(buffer)
    }

    /// Channels with their padding.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// An [`Epilogue`] that has been checked against the output, as kernels use it.
#[derive(Clone, Copy)]
pub(crate) struct Finish {
    bias: *const f32,
    add: Option<Source>,
    activation: Activation,
}

// SAFETY: pointers to memory that is only read while the kernel runs.
unsafe impl Sync for Finish {}
// SAFETY: as above.
unsafe impl Send for Finish {}

impl Finish {
    /// # Panics
    /// When bias or addend do not fit the output.
    pub(crate) fn new(epilogue: &Epilogue, output: &Layout) -> Finish {
        let bias = epilogue.bias.map_or(std::ptr::null(), |bias| {
            assert_eq!(bias.len(), output.padded_channels(), "a bias for another number of channels");
            bias.0.as_ptr()
        });
        let add = epilogue.add.map(|(images, layout)| {
            assert!(layout.has_size_of(output), "an addend of another size");
            Source::new("the addend", &layout, images)
        });
        Finish { bias, add, activation: epilogue.activation }
    }

    /// Asks for the cache line of what [`apply`](Self::apply) will add.
    #[inline(always)]
    pub(crate) fn expect(&self, pixel: usize, channel: usize) {
        if let Some(add) = &self.add {
            prefetch::<true>(add.place(pixel, channel));
        }
    }

    /// The result for channels from `channel` of pixel number `pixel`.
    ///
    /// # Safety
    /// Pixel and channels must exist in the output that this was made for.
    #[inline(always)]
    pub(crate) unsafe fn apply<S: Simd>(&self, value: S::V, pixel: usize, channel: usize) -> S::V {
        // SAFETY: bias and addend have been checked against the output.
        unsafe {
            let mut value = value;
            if !self.bias.is_null() {
                value = S::add(value, S::load(self.bias.add(channel)));
            }
            if let Some(add) = &self.add {
                value = S::add(value, add.load::<S>(pixel, channel));
            }
            activate_vector::<S>(value, self.activation)
        }
    }
}

/// A [`Finish`] for a vector of channels, with everything at hand that pixels share.
#[derive(Clone, Copy)]
pub(crate) struct FinishChannels<S: Simd> {
    add: Option<Source>,
    channel: usize,
    bias: S::V,
    least: S::V,
    most: S::V,
}

impl Finish {
    /// For a vector of channels.
    ///
    /// # Safety
    /// They must exist in the output that this was made for, and the machine have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn of_channels<S: Simd>(&self, channel: usize) -> FinishChannels<S> {
        let least = if self.activation == Activation::Identity { f32::NEG_INFINITY } else { 0.0 };
        let most = if self.activation == Activation::Relu6 { 6.0 } else { f32::INFINITY };
        // SAFETY: the bias has been checked against the output.
        unsafe {
            // What any number plus this is, is the number.
            let bias = if self.bias.is_null() { S::splat(-0.0) } else { S::load(self.bias.add(channel)) };
            FinishChannels { add: self.add, channel, bias, least: S::splat(least), most: S::splat(most) }
        }
    }
}

impl<S: Simd> FinishChannels<S> {
    /// As [`Finish::apply`], to the same bits.
    ///
    /// # Safety
    /// The pixel must exist, and the machine have the instruction set.
    #[inline(always)]
    pub(crate) unsafe fn apply(&self, sum: S::V, pixel: usize) -> S::V {
        // SAFETY: the caller's promise.
        unsafe {
            let mut value = S::add(sum, self.bias);
            if let Some(add) = &self.add {
                value = S::add(value, add.load::<S>(pixel, self.channel));
            }
            // The second operand is the result where one is NaN.
            S::less(self.most, S::greater(self.least, value))
        }
    }
}

/// # Safety
/// The machine must have the instruction set.
#[inline(always)]
pub(crate) unsafe fn activate_vector<S: Simd>(value: S::V, activation: Activation) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        match activation {
            Activation::Identity => value,
            Activation::Relu => S::relu(value),
            Activation::Relu6 => {
                let (value, six) = (S::relu(value), S::splat(6.0));
                S::less(six, value)
            }
        }
    }
}
