//! Convolutions and their companions for CPUs: checked plans over SIMD kernels.
//!
//! Invariant: the bits of a result depend on the instruction set, and never on the number of threads, on how work was cut into
//! blocks, or on other images of a batch.

mod blocking;
mod convolution;
mod epilogue;
mod error;
mod gather;
mod gemm;
mod image;
mod isa;
mod memory;
mod panels;
mod shared;
mod simd;
mod threads;
mod winograd;
mod zeros;

pub use convolution::{Convolution, Filter, Method, Plan, WeightGradient, bias_gradient};
pub use epilogue::{Activation, Bias, Epilogue};
pub use error::PlanError;
pub use image::Layout;
pub use isa::Isa;
pub use memory::{Buffer, release_memory};
pub use threads::{parallel, set_threads, threads};
