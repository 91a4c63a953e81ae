//! `swath vectorize`: polygons of a map.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use swath_geo::VectorizeOptions;

use crate::console::Console;

/// Turn a map into polygons for a GIS
///
/// Neighbouring pixels of one class become one polygon with its class, name, area and perimeter. The format follows the
/// extension: .gpkg (opens coloured in QGIS), .fgb, .geojson (WGS84) or .shp.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath vectorize map.tif -o map.gpkg
  swath vectorize map.tif -o map.geojson --min-area 500")]
pub(crate) struct VectorizeArgs {
    /// The map: a raster of class ids
    #[arg(value_name = "MAP")]
    map: PathBuf,
    /// File to write
    #[arg(long, short, value_name = "OUT")]
    out: PathBuf,
    /// Leave out polygons smaller than this, in square metres
    #[arg(long, value_name = "M2")]
    min_area: Option<f64>,
    /// Move the outlines by up to this many metres to use fewer vertices (neighbours may then part slightly)
    #[arg(long, value_name = "M")]
    simplify: Option<f64>,
    /// Pixels that touch at a corner only belong together
    #[arg(long)]
    eight_connected: bool,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &VectorizeArgs, console: &Console) -> Result<()> {
    let options = VectorizeOptions {
        min_area_m2: args.min_area,
        simplify_m: args.simplify,
        eight_connected: args.eight_connected,
        overwrite: args.overwrite,
        ..VectorizeOptions::default()
    };
    let summary = swath_geo::vectorize(&args.map, &args.out, &options)?;
    console.say(format_args!("{} polygons in {}", summary.polygons, args.out.display()));
    Ok(())
}
