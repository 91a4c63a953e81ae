//! Integration tests of swath: files in, files out.

mod maps;
mod vectorize;
mod vectorize_outputs;
