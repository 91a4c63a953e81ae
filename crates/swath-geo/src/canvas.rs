//! Geometries burned into pixels by GDAL.

use std::ffi::{c_int, c_void};

use gdal::cpl::CslStringList;
use gdal::raster::Buffer;
use gdal::vector::Geometry;
use gdal::{Dataset, DriverManager};

use crate::gdal_setup::{clear_messages, take_messages};
use crate::shapes::Shapes;
use crate::{Affine, GeoError, Result, Window};

/// Burns the shapes that touch a window, over pixels that hold `fill`.
pub(crate) fn burn_shapes(
    shapes: &mut Shapes,
    to_pixels: &Affine,
    window: Window,
    all_touched: bool,
    fill: u16,
) -> Result<Vec<u16>> {
    let failed = |error: gdal::errors::GdalError| GeoError::Gdal {
        action: format!("burn geometries at {window}"),
        message: take_messages(&error.to_string()),
    };
    clear_messages();
    let size = (window.width, window.height);
    let memory = DriverManager::get_driver_by_name("MEM").map_err(failed)?;
    let mut canvas = memory.create_with_band_type::<u16, _>("", size.0, size.1, 1).map_err(failed)?;
    let mut filled = Buffer::new(size, vec![fill; window.area()]);
    canvas.rasterband(1).and_then(|mut band| band.write((0, 0), size, &mut filled)).map_err(failed)?;
    drop(filled);
    let mut options = CslStringList::new();
    options.set_name_value("ALL_TOUCHED", if all_touched { "TRUE" } else { "FALSE" }).map_err(failed)?;
    options.set_name_value("OPTIM", "RASTER").map_err(failed)?;
    // One pixel more on each side: geometries on the edge touch it.
    let rows = (window.row as f64 - 1.0, window.row_end() as f64 + 1.0);
    let cols = (window.col as f64 - 1.0, window.col_end() as f64 + 1.0);
    let placement = Placement { to_pixels: *to_pixels, col: window.col as f64, row: window.row as f64 };
    shapes.for_each(rows, cols, |geometries, values| {
        burn_geometries(&mut canvas, geometries, values, &options, &placement).map_err(failed)
    })?;
    let burned = canvas.rasterband(1).and_then(|band| band.read_band_as::<u16>()).map_err(failed)?;
    Ok(burned.into_shape_and_vec().1)
}

/// Where world coordinates lie on the canvas.
struct Placement {
    to_pixels: Affine,
    col: f64,
    row: f64,
}

fn burn_geometries(
    canvas: &mut Dataset,
    geometries: &[Geometry],
    values: &[f64],
    options: &CslStringList,
    placement: &Placement,
) -> gdal::errors::Result<()> {
    // SAFETY: the handles live until the end of this function, and GDAL only reads them.
    let handles: Vec<*mut c_void> = geometries.iter().map(|geometry| unsafe { geometry.c_geometry() }).collect();
    let band = [1 as c_int];
    // SAFETY: all pointers are valid for the lengths given, `place` matches GDAL's signature and gets a `Placement`
    // that outlives the call; some versions of the bindings lack `const`, hence the casts.
    let result = unsafe {
        gdal_sys::GDALRasterizeGeometries(
            canvas.c_dataset(),
            1,
            band.as_ptr() as *mut c_int,
            handles.len() as c_int,
            handles.as_ptr() as *mut *mut c_void,
            Some(place),
            std::ptr::from_ref(placement) as *mut c_void,
            values.as_ptr() as *mut f64,
            options.as_ptr(),
            None,
            std::ptr::null_mut(),
        )
    };
    if result == gdal_sys::CPLErr::CE_None {
        return Ok(());
    }
    Err(gdal::errors::GdalError::BadArgument("GDAL could not burn the geometries".to_owned()))
}

/// GDAL's transformer from world coordinates to pixels of the canvas: no need for a georeferenced canvas.
unsafe extern "C" fn place(
    placement: *mut c_void,
    _to_world: c_int,
    count: c_int,
    x: *mut f64,
    y: *mut f64,
    _z: *mut f64,
    success: *mut c_int,
) -> c_int {
    let Some(count) = usize::try_from(count).ok().filter(|&count| count > 0) else { return 1 };
    // SAFETY: `burn_geometries` passes a `Placement`, GDAL passes `count` coordinates and flags.
    let (placement, x, y, success) = unsafe {
        (
            &*placement.cast::<Placement>(),
            std::slice::from_raw_parts_mut(x, count),
            std::slice::from_raw_parts_mut(y, count),
            std::slice::from_raw_parts_mut(success, count),
        )
    };
    for ((x, y), success) in x.iter_mut().zip(y).zip(success) {
        let (col, row) = placement.to_pixels.apply(*x, *y);
        (*x, *y) = (col - placement.col, row - placement.row);
        *success = c_int::from(x.is_finite() && y.is_finite());
    }
    1
}
