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
//! | `plan`, `even` | options, units, memory; the size of chips |
//! | `engine` | reading, network and writing at the same time |
//! | `blend`, `softmax` | scores, their sum and the finished pixels |
//! | `patches` | classifiers that slide over the scene |
//! | `network`, `sink` | the traits |
//! | `scene_source`, `segmenter_network` | scenes on disk and networks on a device behind the traits |
//! | `fit` | the bands of a scene against those of a network |
//! | `outputs`, `file_sink`, `journal` | files, and how far they are |
//! | `run` | all of it together |
//! | `whole` | one answer for a whole scene |

mod axis;
mod blend;
mod engine;
mod even;
mod file_sink;
mod fit;
mod journal;
mod network;
mod outputs;
mod patches;
mod plan;
mod run;
mod scene_source;
mod segmenter_network;
mod sink;
mod softmax;
mod whole;

pub use axis::Blend;
pub use engine::{Progress, predict_rows, predict_units};
pub use fit::{Fit, fit_scene};
pub use network::{ChipBatch, ChipPixels, ChipSource, Network};
pub use outputs::{ConfidenceOutput, Outputs, ScoreFormat, ScoresOutput};
pub use patches::Patches;
pub use plan::{Memory, Options, Plan};
pub use run::{Model, Summary, run, run_rows};
pub use scene_source::SceneSource;
pub use segmenter_network::SegmenterNetwork;
pub use sink::{LabelRows, Patch, PatchSink, RowSink};
pub use whole::{WholeScene, whole_scene};

#[cfg(test)]
mod file_tests;
#[cfg(test)]
mod tests;
