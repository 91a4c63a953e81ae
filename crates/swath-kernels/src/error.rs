//! Why an operation cannot be planned.

/// A shape that an operation does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A size that must be at least 1 is 0.
    #[error("{what} is 0; it must be at least 1")]
    Zero {
        /// What is 0.
        what: &'static str,
    },
    /// Groups do not divide the channels.
    #[error("{groups} groups do not divide {inputs} input and {outputs} output channels")]
    Groups {
        /// Number of groups.
        groups: usize,
        /// Input channels.
        inputs: usize,
        /// Output channels.
        outputs: usize,
    },
    /// The kernel is larger than the padded image.
    #[error("a window of {window:?} pixels does not fit an image of {image:?} pixels, padding included")]
    Window {
        /// Rows and columns of the window, dilation included.
        window: [usize; 2],
        /// Rows and columns of the image with its padding.
        image: [usize; 2],
    },
    /// Something has another size than the operation says.
    #[error("{what} has {found}, where {expected} is needed")]
    Mismatch {
        /// What differs.
        what: &'static str,
        /// Its size.
        found: String,
        /// The size that fits.
        expected: String,
    },
    /// More floats than memory can have.
    #[error("{what} exceeds the address space")]
    TooLarge {
        /// What is too large.
        what: &'static str,
    },
}
