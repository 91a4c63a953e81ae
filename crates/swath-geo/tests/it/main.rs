//! Integration tests of swath-geo: files in, files out.

mod files;
mod info;
mod polygonize;
mod rasterize;
mod read;
mod write;
