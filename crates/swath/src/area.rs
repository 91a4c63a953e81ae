//! Areas of classes on the ground.

mod tally;

pub use tally::{ClassTally, tally};
