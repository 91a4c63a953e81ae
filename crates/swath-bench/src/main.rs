//! Benchmarks of Swath beside its peers.

fn main() {}
