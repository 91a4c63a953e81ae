//! From label arrays to polygons that share their edges: plain arrays and geometry types, no files of GIS formats.
//!
//! Coordinates count pixels from the top-left corner of the first pixel, columns to the right and rows downwards; only
//! who writes them turns them into a coordinate reference system. Neighbouring polygons share *arcs*: what is done to
//! an arc is done to both of its sides, so that they can neither part nor overlap.

pub mod accuracy;
mod centerline;
mod clean;
mod coverage;
mod crossings;
mod error;
mod lines;
pub mod objects;
mod polygonize;
mod right_angles;
mod simplify;
mod smooth;
mod spans;

pub use centerline::{Centerline, CenterlineOptions, Centerliner};
pub use clean::{Cleaner, Cleaning};
pub use coverage::{ArcLine, Coverage, Ring, polygonize};
pub use error::{Result, VectorError};
pub use lines::Lines;
pub use polygonize::{
    Arc, ArcRef, Connectivity, Corner, OUTSIDE, Outlines, PolygonizeOptions, Polygonizer, Region, Sink, Spill, Tally,
};
pub use right_angles::{Groups, Regularity, RightAngleMethod, RightAngles, square};
pub use simplify::{Simplify, SimplifyMethod, simplify};
pub use smooth::{Point, smooth};
pub use spans::{Spans, united};
