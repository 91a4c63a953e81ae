//! Turns between threads that read rasters and one that writes a raster, both through GDAL.
//!
//! GDAL keeps what is written in a cache that all files of a process share, and whoever reads may have to write it out: when the cache
//! is full, and before several threads decode JPEG 2000 (`GDALRasterBlock::Internalize` and `FlushDirtyBlocks`, up to GDAL 3.6 at least).
//! The thread that owns the file goes on changing and closing it meanwhile, without a lock: pixels are lost and memory is corrupted.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

static TURNS: RwLock<()> = RwLock::new(());

/// Does work that writes rasters through GDAL, from creating the file to closing it, while no thread reads rasters through this crate.
///
/// The raster files that Swath itself writes are written so. Programs that write with GDAL in one thread and read scenes in another need it too: GDAL writes
/// the blocks of one thread's file out from another's, at times while it is being closed. The work must not read or write through this crate,
/// which would wait for its own end.
pub fn write_rasters<T>(work: impl FnOnce() -> T) -> T {
    let _turn = TURNS.write().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Held while pixels are read, and not longer: nothing is written before it is dropped.
pub(crate) fn reading() -> RwLockReadGuard<'static, ()> {
    TURNS.read().unwrap_or_else(PoisonError::into_inner)
}
