//! Scene in, map out: training, prediction and evaluation of segmentation networks.

pub mod area;
pub mod assess;
pub mod bundle;
pub mod classes;
pub mod csv;
pub mod dataset;
mod dihedral;
mod error;
pub mod evaluate;
#[cfg(feature = "cpu")]
pub mod export;
pub mod metrics;
pub mod outline;
pub mod predict;
pub mod pretrained;
pub mod recipe;
pub mod report;
pub mod train;
pub mod vectorize;
pub mod whole_file;

pub use error::{Error, Result};

/// The label of a pixel that takes part in nothing: unlabelled, invalid or outside. Arrays inside the program use it;
/// files use the recipe's `ignore` value.
pub const IGNORE: u16 = u16::MAX;
