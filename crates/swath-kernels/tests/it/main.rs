//! Kernels against definitions in f64.

mod adamw;
mod convolution;
mod extremes;
mod finish;
mod gradient;
mod halves;
mod images;
mod indices;
mod pairs;
mod pointwise;
mod support;
mod threads;
