//! Integration tests of swath-geo: files in, files out.

mod rasterize;
mod write;
