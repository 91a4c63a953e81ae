//! Outlines of equal pixels, by GDAL's polygonizer.

use std::path::Path;

use gdal::vector::{FieldDefn, LayerAccess, LayerOptions};
use gdal::{Dataset, DriverManager};
use gdal_sys::{OGRFieldType, OGRwkbGeometryType};

use crate::gdal_setup::{clear_messages, take_messages};
use crate::{GeoError, Result};

/// Writes the outlines of equal pixels, with their value, into a temporary file.
pub(crate) fn trace(source: &Dataset, map: &Path, outlines: &Path, eight_connected: bool) -> Result<()> {
    clear_messages();
    let failed = |error: gdal::errors::GdalError| GeoError::write(outlines, take_messages(&error.to_string()));
    let driver = DriverManager::get_driver_by_name("FlatGeobuf").map_err(failed)?;
    let mut dataset = driver.create_vector_only(outlines).map_err(failed)?;
    let layer = dataset
        .create_layer(LayerOptions {
            name: "outlines",
            ty: OGRwkbGeometryType::wkbPolygon,
            // Written in one pass, without an index in memory.
            options: Some(&["SPATIAL_INDEX=NO"]),
            ..Default::default()
        })
        .map_err(failed)?;
    FieldDefn::new("value", OGRFieldType::OFTInteger64).and_then(|field| field.add_to_layer(&layer)).map_err(failed)?;
    let band = source.rasterband(1).map_err(failed)?;
    let all_valid = band.mask_flags().is_ok_and(|flags| flags.is_all_valid());
    let mut eight = gdal::cpl::CslStringList::new();
    if eight_connected {
        eight.add_name_value("8CONNECTED", "8").map_err(failed)?;
    }
    clear_messages();
    // SAFETY: band, mask and layer belong to datasets that are open; the mask belongs to the band.
    let result = unsafe {
        let mask = if all_valid { std::ptr::null_mut() } else { gdal_sys::GDALGetMaskBand(band.c_rasterband()) };
        gdal_sys::GDALPolygonize(
            band.c_rasterband(),
            mask,
            layer.c_layer(),
            0,
            eight.as_ptr(),
            None,
            std::ptr::null_mut(),
        )
    };
    if result != gdal_sys::CPLErr::CE_None {
        return Err(GeoError::input(map, take_messages("GDAL could not trace its classes")));
    }
    dataset.close().map_err(failed)?;
    let complaints = take_messages("");
    if complaints.is_empty() { Ok(()) } else { Err(GeoError::write(outlines, complaints)) }
}
