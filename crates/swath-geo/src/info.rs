//! What a scene is, in one plain structure: for people, for JSON, for a segmenter's checks.

use std::path::PathBuf;

use serde::Serialize;

use crate::scene::SourceFile;
use crate::survey::survey;
use crate::{Band, BandStats, PixelAreas, Resampling, Result, Scene};

/// How closely to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InfoOptions {
    /// Read every pixel; otherwise a sample of at most about a million pixels, evenly spread.
    pub exact: bool,
}

/// Everything about a scene that GDAL users look for and a segmenter needs.
#[derive(Debug, Clone, Serialize)]
pub struct SceneInfo {
    /// Name of the first file, without extension.
    pub name: String,
    /// The files, in order.
    pub files: Vec<FileInfo>,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Coordinate reference system; `None` without georeference, like all that follows from it.
    pub crs: Option<CrsInfo>,
    /// Affine coefficients in GDAL's order.
    pub transform: [f64; 6],
    /// `[x min, y min, x max, y max]` in units of the CRS.
    pub bounds: [f64; 4],
    /// `[west, south, east, north]` in degrees of WGS 84.
    pub lonlat_bounds: Option<[f64; 4]>,
    /// Ground sample distance along a row and along a column, in metres.
    pub gsd_m: Option<[f64; 2]>,
    /// Area of all pixels on the ellipsoid.
    pub area_km2: Option<f64>,
    /// Area of the valid pixels; estimated from the sample when `approximate`.
    pub valid_area_km2: Option<f64>,
    /// Share of pixels that are valid in every band, 0 to 1.
    pub valid_share: f64,
    /// Whether statistics and shares come from a sample.
    pub approximate: bool,
    /// Number of pixels that were looked at.
    pub sampled: u64,
    /// Time of acquisition, when known.
    pub time: Option<String>,
    /// Platform or sensor, when known.
    pub sensor: Option<String>,
    /// The bands, in order.
    pub bands: Vec<BandInfo>,
}

/// One file of a scene.
#[derive(Debug, Clone, Serialize)]
pub struct FileInfo {
    /// The file.
    pub path: PathBuf,
    /// Format, as GDAL calls it.
    pub driver: String,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bands in the file, alpha included.
    pub bands: usize,
    /// Columns and rows of a block of its first band.
    pub block: [usize; 2],
    /// Compression, as GDAL calls it.
    pub compression: Option<String>,
    /// `PIXEL` or `BAND`.
    pub interleave: Option<String>,
    /// Columns and rows of the overviews.
    pub overviews: Vec<[usize; 2]>,
    /// Number of the alpha band, from 1.
    pub alpha: Option<usize>,
    /// How the file is brought onto the scene's grid; `None` when it lies there.
    pub resampling: Option<Resampling>,
}

/// A coordinate reference system in the words people look for.
#[derive(Debug, Clone, Serialize)]
pub struct CrsInfo {
    /// Such as `WGS 84 / UTM zone 33N`.
    pub name: String,
    /// Such as `EPSG:32633`.
    pub authority: Option<String>,
    /// Whether coordinates are longitude and latitude.
    pub geographic: bool,
    /// WKT 2.
    pub wkt: String,
}

/// One band of a scene.
#[derive(Debug, Clone, Serialize)]
pub struct BandInfo {
    /// Name, type, scale, nodata, colour, and where it comes from.
    #[serde(flatten)]
    pub band: Band,
    /// Statistics over the pixels that are valid in this band.
    pub stats: BandStats,
}

/// Describes a scene. Memory is bounded whatever its size.
///
/// # Errors
/// When pixels cannot be read.
pub fn info(scene: &Scene, options: &InfoOptions) -> Result<SceneInfo> {
    let grid = scene.grid();
    let areas = PixelAreas::new(grid);
    let survey = survey(scene, options.exact, areas.as_ref())?;
    let crs = grid.crs.as_ref().map(|crs| CrsInfo {
        name: crs.name(),
        authority: crs.authority(),
        geographic: crs.is_geographic(),
        wkt: crs.wkt().to_owned(),
    });
    let bands = scene.bands().iter().zip(&survey.bands);
    Ok(SceneInfo {
        name: scene.name(),
        files: scene.files().iter().map(file_info).collect(),
        width: grid.width,
        height: grid.height,
        crs,
        transform: grid.transform.0,
        bounds: grid.bounds(),
        lonlat_bounds: grid.lonlat_bounds(),
        gsd_m: grid.gsd().map(|(x, y)| [x, y]),
        area_km2: areas.as_ref().map(|areas| areas.sum(grid.window()) / 1e6),
        valid_area_km2: areas.as_ref().map(|_| survey.valid_area_m2 / 1e6),
        valid_share: survey.valid as f64 / survey.seen.max(1) as f64,
        approximate: survey.seen < grid.width as u64 * grid.height as u64,
        sampled: survey.seen,
        time: scene.time(),
        sensor: scene.sensor(),
        bands: bands
            .map(|(band, moments)| BandInfo { band: band.clone(), stats: moments.stats(survey.seen) })
            .collect(),
    })
}

fn file_info(file: &SourceFile) -> FileInfo {
    let header = &file.header;
    let first = &header.bands[0];
    FileInfo {
        path: file.path.clone(),
        driver: header.driver.clone(),
        width: header.grid.width,
        height: header.grid.height,
        bands: header.bands.len(),
        block: [first.block.0, first.block.1],
        compression: header.compression.clone(),
        interleave: header.interleave.clone(),
        overviews: first.overviews.iter().map(|&(cols, rows)| [cols, rows]).collect(),
        alpha: header.alpha(),
        resampling: file.warp.as_ref().map(|warp| warp.resampling),
    }
}
