//! What can go wrong between labels and polygons.

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, VectorError>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// The temporary file of outlines cannot be written or read: a full disk, most often.
    #[error("the temporary file of outlines: {0}; see that its folder has space")]
    Spill(#[from] std::io::Error),
    /// An array has another size than it should.
    #[error("{0}")]
    Size(String),
    /// A sample of a map says too little, or contradicts itself.
    #[error("the sample cannot be used: {problem}")]
    Sample {
        /// What is wrong and what to do.
        problem: String,
    },
    /// An option makes no sense; the text says which and what to do.
    #[error("{0}")]
    Argument(String),
}
