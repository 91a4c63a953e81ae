//! The verbs, in the order in which a map is made.

pub(crate) mod area;
pub(crate) mod assess;
pub(crate) mod classify;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod evaluate;
#[cfg(feature = "cpu")]
pub(crate) mod export;
pub(crate) mod info;
pub(crate) mod man;
pub(crate) mod models;
pub(crate) mod outline;
pub(crate) mod predict;
pub(crate) mod rasterize;
pub(crate) mod stack;
pub(crate) mod train;
pub(crate) mod vectorize;
