//! Integration tests of swath: files in, files out.

mod vectorize;
mod vectorize_outputs;
