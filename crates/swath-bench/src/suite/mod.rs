//! The tables, one file each.

mod loader;
mod memory;
mod network;
mod pipeline;
mod predict;
mod train;

pub(crate) use loader::loader;
pub(crate) use memory::memory;
pub(crate) use network::network;
pub(crate) use predict::predict;
pub(crate) use train::train;
