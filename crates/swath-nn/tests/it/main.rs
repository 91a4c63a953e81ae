//! Integration tests of `swath-nn`.

mod double;
mod executor;
mod family;
mod foreign;
mod golden;
mod loss;
mod measure;
mod onnx;
mod ops;
mod optim;
mod precision;
mod refusals;
mod training;
mod weights;
