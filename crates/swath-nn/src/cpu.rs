//! Prediction on CPUs, on the kernels of `swath-kernels`.
//!
//! An [`Executor`] records what a network does with chips of one size, turns that into a program and runs it on as many chips
//! as come. Members of the family need nothing for it: what they compute is seen operation by operation.
//!
//! ```text
//! Segmenter -> capture -> translate -> recognize -> fold, reorder, fuse -> place -> elements -> arena -> program
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `capture` | the operations of a forward pass, without those that nothing needs |
//! | `translate` | from Burn's operations to those that have a form here |
//! | `graph` | the operations, and the values between them |
//! | `tokens` | images that pass through attention as rows of tokens |
//! | `recognize` | several operations that have one form together |
//! | `fold`, `fuse` | batch normalization into weights; sums, functions, maxima and heads into convolutions |
//! | `reorder` | linear operations where they cost least |
//! | `place` | which values lie within wider ones, so that concatenations move nothing |
//! | `elements` | which images are kept as bfloat16 |
//! | `arena` | where values lie in one block of memory |
//! | `memory` | where each value of a graph is kept, by the three above |
//! | `convolve` | plans and filters of convolutions |
//! | `program` | all steps, and the run |
//! | `interpret` | single operations on Burn's own backend |
//! | `executor` | programs by the size of chips |

mod arena;
mod capture;
mod convolve;
mod elements;
mod executor;
mod fold;
mod fuse;
mod graph;
mod interpret;
mod memory;
mod place;
mod program;
mod recognize;
mod reorder;
mod tokens;
mod translate;

#[cfg(test)]
mod tests;

pub(crate) use capture::{Captured, capture};
pub use executor::Executor;
pub(crate) use interpret::{interpret, name};

/// Why a network cannot be executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecutorError {
    /// The forward pass could not be recorded.
    #[error("recording the network failed: {problem}")]
    Capture {
        /// What went wrong.
        problem: String,
    },
    /// A convolution could not be planned.
    #[error(transparent)]
    Plan(#[from] swath_kernels::PlanError),
    /// A slice has another length than the shape of the chip says.
    #[error("{what} has {found} values, where {expected} are needed")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that fits.
        expected: usize,
    },
    /// A chip of another size, after those of one size only were promised.
    #[error("a chip of {found:?} after chips of {expected:?} (bands, rows, columns), when all were to have one size")]
    Size {
        /// The size of the chip.
        found: [usize; 3],
        /// The size of those before.
        expected: [usize; 3],
    },
}
