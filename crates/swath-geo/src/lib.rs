//! Scenes, grids, windows and vectors: the only part of Swath that calls GDAL.
//!
//! A [`Scene`] is one or many files on one [`Grid`]. It is plain data and can be shared; every thread that
//! reads opens its own [`Reader`]. Rasters are `[band, row, column]`, pixel coordinates count from the top-left
//! *corner* of the first pixel, areas are square metres on the ellipsoid.

mod area;
mod crs;
mod ellipsoid;
mod error;
mod gdal_setup;
mod grid;
mod raster;
mod tiling;
mod window;

pub use area::PixelAreas;
pub use crs::Crs;
pub use error::{GeoError, Result};
pub use gdal_setup::{init, set_cache_mb};
pub use grid::{Affine, Grid};
pub use raster::{Pixels, Raster};
pub use tiling::Tiling;
pub use window::{Window, mirror};
