//! The tables, one file each.

mod family;
mod loader;
mod memory;
mod network;
mod patches;
mod pipeline;
mod predict;
mod train;
mod vectorize;

pub(crate) use family::family;
pub(crate) use loader::loader;
pub(crate) use memory::memory;
pub(crate) use network::network;
pub(crate) use patches::patches;
pub(crate) use predict::predict;
pub(crate) use train::train;
pub(crate) use vectorize::vectorize;
