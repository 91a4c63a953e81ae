//! Polygons of label maps against what can be said about them without any polygonizer.

mod centerline;
mod clean;
mod crossroads;
mod gaps;
mod golden;
mod maps;
mod objects;
mod outlines;
mod polygonize;
mod raster_edge;
mod right_angles;
mod simplify;
mod small_houses;
mod stairs;
mod together;
