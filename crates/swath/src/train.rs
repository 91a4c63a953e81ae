//! Training: how weights follow gradients, step by step.

pub mod optimizer;
pub mod schedule;
