//! Integration tests of `swath-nn`.

mod double;
mod executor;
mod family;
mod golden;
mod loss;
mod ops;
mod training;
mod weights;
