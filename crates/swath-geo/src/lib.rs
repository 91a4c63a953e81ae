//! Scenes, grids, windows and vectors: the only part of Swath that calls GDAL.
