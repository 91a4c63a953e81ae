//! The raw pixels of a scratch folder as a GDAL dataset, with everything that the finished file shall carry.

use std::fmt::Write as _;
use std::path::Path;

use gdal::Dataset;

use crate::config_scope::ConfigScope;
use crate::gdal_setup::{clear_messages, init, take_messages};
use crate::xml::escape;
use crate::{CogOptions, GeoError, Grid, Result};

/// Name of the raw file in the scratch folder: band after band, rows from the top, little endian.
pub(crate) const PIXELS: &str = "pixels.raw";

/// Size of the raw file.
pub(crate) fn pixel_bytes(grid: &Grid, options: &CogOptions) -> u64 {
    grid.width as u64 * grid.height as u64 * options.bands as u64 * options.dtype.size() as u64
}

/// Opens the raw file of `folder`.
pub(crate) fn open(folder: &Path, grid: &Grid, options: &CogOptions, metadata: &[(String, String)]) -> Result<Dataset> {
    init();
    let path = folder.join("pixels.vrt");
    std::fs::write(&path, describe(grid, options, metadata)).map_err(|error| GeoError::io(&path, error))?;
    // Switched off for files of unknown origin; this one was written a moment ago.
    let _allowed = ConfigScope::set("GDAL_VRT_ENABLE_RAWRASTERBAND", "YES");
    clear_messages();
    Dataset::open(&path)
        .map_err(|error| GeoError::Open { path: path.clone(), message: take_messages(&error.to_string()) })
}

fn describe(grid: &Grid, options: &CogOptions, metadata: &[(String, String)]) -> String {
    let mut xml = format!("<VRTDataset rasterXSize=\"{}\" rasterYSize=\"{}\">\n", grid.width, grid.height);
    push_georeference(&mut xml, grid);
    push_metadata(&mut xml, metadata);
    let sample = options.dtype.size();
    let line = grid.width * sample;
    for band in 0..options.bands {
        let data_type = options.dtype.gdal_name();
        let number = band + 1;
        let offset = band as u64 * line as u64 * grid.height as u64;
        let _ = write!(
            xml,
            "<VRTRasterBand dataType=\"{data_type}\" band=\"{number}\" subClass=\"VRTRawRasterBand\">\n\
             <SourceFilename relativeToVRT=\"1\">{PIXELS}</SourceFilename>\n<ImageOffset>{offset}</ImageOffset>\n\
             <PixelOffset>{sample}</PixelOffset>\n<LineOffset>{line}</LineOffset>\n<ByteOrder>LSB</ByteOrder>\n"
        );
        if let Some(name) = options.band_names.as_ref().and_then(|names| names.get(band)) {
            let _ = writeln!(xml, "<Description>{}</Description>", escape(name));
        }
        if let Some(nodata) = options.nodata {
            let _ = writeln!(xml, "<NoDataValue>{nodata}</NoDataValue>");
        }
        if let Some(colors) = &options.colors {
            xml.push_str("<ColorInterp>Palette</ColorInterp>\n<ColorTable>\n");
            for [red, green, blue, alpha] in colors {
                let _ = writeln!(xml, "<Entry c1=\"{red}\" c2=\"{green}\" c3=\"{blue}\" c4=\"{alpha}\"/>");
            }
            xml.push_str("</ColorTable>\n");
        } else {
            xml.push_str("<ColorInterp>Gray</ColorInterp>\n");
        }
        xml.push_str("</VRTRasterBand>\n");
    }
    xml.push_str("</VRTDataset>\n");
    xml
}

/// Appends the CRS and the transform of a grid, as a VRT writes them.
pub(crate) fn push_georeference(xml: &mut String, grid: &Grid) {
    if let Some(crs) = &grid.crs {
        // Coordinates are always x, y (longitude, latitude), which is what a VRT assumes without a mapping.
        let _ = writeln!(xml, "<SRS>{}</SRS>", escape(crs.wkt()));
    }
    let [x, dx, rx, y, ry, dy] = grid.transform.0;
    if grid.crs.is_some() || grid.transform.0 != [0.0, 1.0, 0.0, 0.0, 0.0, 1.0] {
        let _ = writeln!(xml, "<GeoTransform>{x:?}, {dx:?}, {rx:?}, {y:?}, {ry:?}, {dy:?}</GeoTransform>");
    }
}

/// Appends metadata items of the default domain.
pub(crate) fn push_metadata(xml: &mut String, items: &[(String, String)]) {
    if items.is_empty() {
        return;
    }
    xml.push_str("<Metadata>\n");
    for (key, value) in items {
        let _ = writeln!(xml, "<MDI key=\"{}\">{}</MDI>", escape(key), escape(value));
    }
    xml.push_str("</Metadata>\n");
}
