//! Training: a recipe and its data make a bundle.
//!
//! | file | what |
//! | --- | --- |
//! | `run` | the loop: batches, steps, validations |
//! | `data` | scenes and labels, and what the bundle says about them |
//! | `optimizer`, `schedule` | how weights follow gradients |
//! | `phases` | parts of the network that are held or learn slowly |
//! | `outlines`, `pretrain` | networks that outline objects: patches, and the part that learns from generated polygons |
//! | `validate` | whole scenes through the real predictor |
//! | `checkpoint`, `folder` | what a resume needs, and where a run lies |
//! | `journal`, `log` | `metrics.jsonl` and `log.txt` |
//! | `outcome` | test scenes and report at the end |

mod checkpoint;
mod data;
#[cfg(test)]
mod file_tests;
mod folder;
pub mod journal;
mod log;
pub mod optimizer;
mod outcome;
mod outlines;
mod phases;
mod pretrain;
mod run;
pub mod schedule;
mod size;
mod validate;

pub use checkpoint::Best;
pub use folder::{Existing, RunFolder};
pub use phases::check_phases;
pub use run::{Ended, Event, Summary, TrainOptions, train};
