//! Whole scenes through a network in bounded memory.
//!
//! The engine ([`predict_units`]) knows neither files nor networks, only the traits [`ChipSource`], [`Network`] and
//! [`PatchSink`]. Its promises:
//!
//! - **Memory** is bounded by the chip, the overlap and the width of the scene: [`Plan::memory`] says how much.
//! - **Same bits**: the result depends on the chip, the overlap, the blend and the network, not on batch, readers, threads,
//!   how the work is cut into units, or in how many runs it was done.
//! - **No seams**: a pixel is only predicted from chips that see at least a quarter of the overlap around it.
//! - **Validity**: invalid pixels are 0 (the mean of their band) before the network, whatever the file holds there, and
//!   get no prediction. Chips without data are not computed.
//! - **Units**: chip rows own disjoint rows of the scene and the chip grid is anchored to its first pixel, so that
//!   units can be computed apart and a killed run goes on where it stopped.
//!
//! | file | what |
//! | --- | --- |
//! | `axis` | chips along one axis: ownership, ramps, weights |
//! | `plan` | options, units, memory |
//! | `engine` | reading, network and writing at the same time |
//! | `blend`, `softmax`, `dihedral` | scores, their sum and the finished pixels |
//! | `network`, `sink` | the traits |

mod axis;
mod blend;
mod dihedral;
mod engine;
mod network;
mod plan;
mod sink;
mod softmax;

pub use axis::Blend;
pub use engine::{Progress, predict_rows, predict_units};
pub use network::{ChipBatch, ChipPixels, ChipSource, Network};
pub use plan::{Memory, Options, Plan};
pub use sink::{LabelRows, Patch, PatchSink, RowSink};

#[cfg(test)]
mod tests;
