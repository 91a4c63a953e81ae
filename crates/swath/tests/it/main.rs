//! Integration tests of swath: files in, files out.

mod maps;
mod objects;
mod vectorize;
mod vectorize_outputs;
