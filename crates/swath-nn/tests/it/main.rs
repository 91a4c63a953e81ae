//! Integration tests of `swath-nn`.

mod family;
mod weights;
