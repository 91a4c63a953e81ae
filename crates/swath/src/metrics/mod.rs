//! How good a map is: confusion matrix, scores, boundary scores and calibration.
//!
//! Everything here computes on plain arrays of class ids, with [`IGNORE`](crate::IGNORE) where a pixel is unlabelled,
//! invalid or outside; this module knows no files.
//!
//! | file | what |
//! | --- | --- |
//! | `confusion` | counts of (reference, predicted) pairs |
//! | `scores` | accuracy, precision, recall, F1, IoU, kappa from the counts |
//! | `boundary` | boundary F1 within a distance, computed row by row |
//! | `calibration` | expected calibration error, one temperature |

mod boundary;
mod calibration;
mod confusion;
mod scores;

pub use boundary::{BoundaryCounter, BoundaryCounts, BoundaryScores, BoundaryTolerance, ClassBoundary};
pub use calibration::{CalibrationError, Temperature, fit_temperature};
pub use confusion::Confusion;
pub use scores::{ClassScores, Scores};

#[cfg(test)]
mod golden;
