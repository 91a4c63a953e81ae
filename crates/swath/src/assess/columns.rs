//! The columns of a sample file: written by the design, read by the estimate.

/// Number of the point, from 1, in random order.
pub(super) const ID: &str = "id";
/// Name of the stratum that the pixel was drawn in.
pub(super) const STRATUM: &str = "stratum";
/// Name of the pixel's class on the map.
pub(super) const MAP_CLASS: &str = "map_class";
/// Value of that class.
pub(super) const MAP_VALUE: &str = "map_value";
/// Share of the whole map that the stratum is, by area.
pub(super) const WEIGHT: &str = "weight";
/// Pixels of the stratum.
pub(super) const STRATUM_PIXELS: &str = "stratum_px";
/// Area of the stratum in square metres on the ellipsoid.
pub(super) const STRATUM_M2: &str = "stratum_m2";
/// Area of the pixel in square metres on the ellipsoid.
pub(super) const PIXEL_M2: &str = "pixel_m2";
/// What the interpreters see; empty in a new sample.
pub(super) const REFERENCE: &str = "reference";
