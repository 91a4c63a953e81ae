//! Kernels against definitions in f64.

mod convolution;
mod support;
