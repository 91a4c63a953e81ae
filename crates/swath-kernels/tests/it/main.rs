//! Kernels against definitions in f64.

mod convolution;
mod gradient;
mod images;
mod indices;
mod support;
mod threads;
