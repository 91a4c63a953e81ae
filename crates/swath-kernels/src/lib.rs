//! Convolutions and their companions for CPUs: checked plans over SIMD kernels.
//!
//! Invariant: the bits of a result depend on the instruction set, and never on the number of threads, on how work was cut into
//! blocks, or on other images of a batch.

#![cfg_attr(not(target_arch = "x86_64"), allow(dead_code, unused_imports, reason = "only x86 has tiles"))]

mod adamw;
mod attention;
mod blocking;
#[cfg(feature = "burn")]
mod burn;
mod convolution;
mod depthwise;
mod elementwise;
mod epilogue;
mod error;
mod functions;
mod gather;
mod gemm;
mod image;
mod isa;
mod layer_norm;
mod memory;
mod next;
mod norm;
mod operands;
mod panels;
mod pixels;
mod pooling;
mod product;
mod resize;
mod shared;
mod simd;
mod threads;
#[cfg(target_arch = "x86_64")]
mod tiles;
mod transfer;
mod winograd;
mod zeros;

pub use adamw::AdamW;
pub use attention::attention;
#[cfg(feature = "burn")]
pub use burn::bytes;
pub use convolution::{Convolution, Filter, Head, Method, Plan, WeightGradient, bias_gradient};
pub use elementwise::{activate, add, relu_gradient};
pub use epilogue::{Activation, Bias, Epilogue};
pub use error::PlanError;
pub use functions::{Function, map, map_gradient};
pub use image::{Element, Layout};
pub use isa::Isa;
pub use layer_norm::LayerNorm;
pub use memory::{Buffer, bits, bits_mut, release_memory};
pub use norm::{BatchNorm, GroupNorm, Statistics};
pub use operands::Precision;
pub use pooling::{
    Divisor, Pooling, adaptive_average_pool, adaptive_average_pool_gradient, average_pool, average_pool_gradient,
    max_pool, max_pool_gradient, max_pool_gradient_by_indices, max_pool_with_indices, unpool, unpool_gradient,
};
pub use product::multiply;
pub use resize::{Alignment, Interpolation, resize, resize_and_add, resize_gradient, resize_to_planes};
pub use threads::{parallel, parallel_chunks, set_threads, threads};
pub use transfer::{copy, pack, unpack};
