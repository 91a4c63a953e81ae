//! Integration tests of swath-geo: files in, files out.

mod bad_input;
mod files;
mod geojson;
mod info;
mod rasterize;
mod read;
mod stack;
mod write;
