//! Losses: what training minimizes.

mod config;

pub use config::{CrossEntropyConfig, LossConfig, SoftIouConfig, Term};
