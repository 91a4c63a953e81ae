//! Turns any GDAL dataset into a cloud-optimized GeoTIFF.

use std::path::Path;

use gdal::cpl::CslStringList;
use gdal::{Dataset, DriverManager, Metadata};

use crate::config_scope::ConfigScope;
use crate::gdal_setup::{clear_messages, take_messages};
use crate::raster_io::read_band;
use crate::scratch::with_suffix;
use crate::turns::{reading, write_rasters};
use crate::{Compression, GeoError, Resampling, Result, Window};

/// How a COG is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CogLayout {
    pub(crate) compression: Compression,
    pub(crate) overview: Resampling,
    /// Whether differences between neighbours are compressed: for measurements, not for labels, which are equal
    /// rather than similar.
    pub(crate) predictor: bool,
}

/// Tile size of every COG.
const BLOCK: &str = "512";
/// Compression threads at most: more of them wait for the disk.
const MAX_THREADS: usize = 4;

/// Copies `source` to `path`. Errors name `target`, the file that the user asked for.
pub(crate) fn copy_to_cog(source: &Dataset, path: &Path, target: &Path, layout: &CogLayout) -> Result<()> {
    // The classes go into the file and into a sidecar of our own; GDAL's would carry the name of a scratch file.
    let _no_sidecar = ConfigScope::set("GDAL_PAM_ENABLED", "NO");
    clear_messages();
    let failed = |error: gdal::errors::GdalError| GeoError::write(target, take_messages(&error.to_string()));
    let driver = DriverManager::get_driver_by_name("COG").map_err(failed)?;
    let options = creation_options(layout).map_err(failed)?;
    write_rasters(|| source.create_copy(&driver, path, &options)?.close()).map_err(failed)?;
    // Before version 3.7 GDAL does not return what went wrong in the last writes, but it reports it. It also reports
    // what does no harm, such as CRS that GeoTIFF cannot express fully: then the pixels decide.
    let complaints = take_messages("");
    verify(path, target)?;
    if complaints.is_empty() || same_pixels(source, path).unwrap_or(false) {
        return Ok(());
    }
    Err(GeoError::write(target, complaints))
}

/// Removes what GDAL would read together with a GeoTIFF of that name: names of other classes, overviews and masks of
/// other pixels would be worse than none.
pub(crate) fn remove_companions(target: &Path) -> Result<()> {
    for suffix in [".aux.xml", ".ovr", ".msk"] {
        let companion = with_suffix(target, suffix);
        match std::fs::remove_file(&companion) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(GeoError::io(companion, error)),
            _ => {}
        }
    }
    Ok(())
}

fn creation_options(layout: &CogLayout) -> gdal::errors::Result<CslStringList> {
    // GDAL chooses the predictor that fits integers or floating-point numbers.
    let predictor = if layout.predictor { "YES" } else { "NO" };
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get().min(MAX_THREADS));
    let compression = match layout.compression {
        Compression::Deflate => "DEFLATE",
        Compression::Zstd => "ZSTD",
        Compression::None => "NONE",
    };
    let mut options = CslStringList::new();
    options.set_name_value("COMPRESS", compression)?;
    if layout.compression != Compression::None {
        options.set_name_value("PREDICTOR", predictor)?;
        options.set_name_value("OVERVIEW_PREDICTOR", predictor)?;
    }
    options.set_name_value("BLOCKSIZE", BLOCK)?;
    options.set_name_value("OVERVIEW_RESAMPLING", layout.overview.gdal_name())?;
    options.set_name_value("OVERVIEWS", "IGNORE_EXISTING")?;
    options.set_name_value("BIGTIFF", "IF_SAFER")?;
    options.set_name_value("NUM_THREADS", &threads.to_string())?;
    Ok(options)
}

/// Compares all bands, and reads all overviews.
fn same_pixels(source: &Dataset, path: &Path) -> gdal::errors::Result<bool> {
    let copy = Dataset::open(path)?;
    let _turn = reading();
    for number in 1..=source.raster_count() {
        let (original, band) = (source.rasterband(number)?, copy.rasterband(number)?);
        if original.checksum((0, 0), original.size())? != band.checksum((0, 0), band.size())? {
            return Ok(false);
        }
        for index in 0..band.overview_count()?.max(0) as usize {
            let overview = band.overview(index)?;
            overview.checksum((0, 0), overview.size())?;
        }
    }
    Ok(true)
}

/// Opens the finished file once more: an incomplete one must never replace an older output.
fn verify(path: &Path, target: &Path) -> Result<()> {
    clear_messages();
    let failed = |error: gdal::errors::GdalError| GeoError::write(target, take_messages(&error.to_string()));
    let dataset = Dataset::open(path).map_err(failed)?;
    if dataset.metadata_item("LAYOUT", "IMAGE_STRUCTURE").as_deref() != Some("COG") {
        return Err(GeoError::write(target, "GDAL did not make a cloud-optimized GeoTIFF"));
    }
    let (width, height) = dataset.raster_size();
    for band in dataset.rasterbands() {
        let mut last = [0.0f64];
        let corner = Window::new(width as isize - 1, height as isize - 1, 1, 1);
        band.and_then(|band| read_band(&band, corner, (1, 1), &mut last)).map_err(failed)?;
    }
    Ok(())
}
