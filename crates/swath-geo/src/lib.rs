//! Scenes, grids, windows and vectors: the only part of Swath that calls GDAL.
//!
//! A [`Scene`] is one or many files on one [`Grid`]. It is plain data and can be shared; every thread that
//! reads opens its own [`Reader`]. Rasters are `[band, row, column]`, pixel coordinates count from the top-left
//! *corner* of the first pixel, areas are square metres on the ellipsoid.

mod align;
mod area;
mod burn_rules;
mod canvas;
mod cells;
mod class_map;
mod classes;
mod cog;
mod compose;
mod confidence_map;
mod config_scope;
mod crs;
mod ellipsoid;
mod error;
mod feature_sink;
mod gdal_setup;
mod geoparquet;
mod grid;
mod info;
mod lattice;
mod line_layer;
mod load;
mod merge;
mod metric;
mod names;
mod open;
mod outline;
mod output;
mod palette;
mod pansharpen;
mod polygon_layer;
mod polygons;
mod raster;
mod raster_io;
mod raster_style;
mod rasterize;
mod raw_vrt;
mod read;
mod resampling;
mod scene;
mod scratch;
mod shapes;
mod spec;
mod stack;
mod stats;
mod style;
mod survey;
mod table;
mod tiling;
mod validity;
mod vector;
mod vector_file;
mod warp;
mod window;
mod write;
mod xml;
mod zones;

pub use area::{PixelAreas, RowAreas};
pub use class_map::{ClassMap, NO_CLASS};
pub use classes::{ClassEntry, KnownClasses, read_map_classes};
pub use confidence_map::ConfidenceMap;
pub use crs::Crs;
pub use error::{GeoError, Result};
pub use gdal_setup::{init, limit_cache, set_cache_mb};
pub use grid::{Affine, Grid};
pub use info::{BandInfo, CrsInfo, FileInfo, InfoOptions, SceneInfo, info};
pub use line_layer::{LineFeature, LineLayer, LineSummary, write_lines};
pub use outline::Outline;
pub use output::{CogOptions, Compression, DType, Samples};
pub use palette::palette;
pub use polygon_layer::{
    ClassPolygons, Confidence, PolygonFeature, PolygonLayer, PolygonWriter, VectorizeSummary, write_polygons,
};
pub use polygons::{PolygonSource, Shape, metric_plane, read_polygons};
pub use raster::{Pixels, Raster};
pub use rasterize::{BurnOrder, BurnRule, LabelBurner, RasterizeSpec, RasterizeSummary, rasterize};
pub use read::{Edge, Reader};
pub use resampling::Resampling;
pub use scene::{Band, Scene};
pub use spec::{GridChoice, SceneSpec, Source};
pub use stack::{StackOptions, stack};
pub use stats::BandStats;
pub use table::{PointRow, Table, TableRow, Value, read_table, table_columns, write_points};
pub use tiling::Tiling;
pub use vector::{LayerInfo, field_values, vector_layers};
pub use vector_file::check_vector_target;
pub use window::{Window, mirror};
pub use write::CogWriter;
pub use zones::{PixelRings, Zone, read_area, read_zones};
