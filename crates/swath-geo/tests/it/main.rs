//! Integration tests of swath-geo: files in, files out.

mod write;
