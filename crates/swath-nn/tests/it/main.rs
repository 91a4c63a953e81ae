//! Integration tests of `swath-nn`.

mod family;
mod golden;
mod loss;
mod weights;
