//! Pixels out of one opened file.

use std::ffi::{c_int, c_void};
use std::path::Path;

use gdal::Dataset;
use gdal::errors::GdalError;
use gdal::raster::{GdalType, RasterBand};
use gdal_sys::{CPLErr, GDALDataType, GDALRWFlag};

use crate::gdal_setup::{clear_messages, take_messages_about};
use crate::turns::reading;
use crate::{GeoError, Result, Window};

/// An opened file, and its name for errors.
#[derive(Clone, Copy)]
pub(crate) struct Opened<'a> {
    pub(crate) dataset: &'a Dataset,
    pub(crate) path: &'a Path,
    /// Why reading may fail without a message: a VRT complains about missing sources when it is opened.
    pub(crate) complaint: &'a str,
}

/// A part of a raster, and how many columns and rows to read it into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// Lies inside the raster.
    pub(crate) window: Window,
    /// Columns and rows; fewer than the window has take nearest pixels, of overviews where there are some.
    pub(crate) size: (usize, usize),
}

impl Request {
    /// Pixels of one band.
    pub(crate) fn plane(&self) -> usize {
        self.size.0 * self.size.1
    }
}

/// A band whose numbers say which pixels are valid: all but zero.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mask {
    /// The band itself: alpha.
    Band(usize),
    /// The mask of this band.
    OfBand(usize),
}

/// A type that GDAL reads into.
pub(crate) trait Number {
    const TYPE: GDALDataType::Type;
}

impl Number for f32 {
    const TYPE: GDALDataType::Type = GDALDataType::GDT_Float32;
}

impl Number for f64 {
    const TYPE: GDALDataType::Type = GDALDataType::GDT_Float64;
}

impl Opened<'_> {
    /// Reads bands in one call, so that interleaved files are decoded once.
    ///
    /// # Shapes
    /// target `[bands, size.1, size.0]`
    pub(crate) fn read_bands<T: Number>(&self, bands: &[usize], request: Request, target: &mut [T]) -> Result<()> {
        if self.try_bands(bands, request, target) {
            return Ok(());
        }
        let message = take_messages_about(self.path, self.complaint);
        // Which band is it? The message stays that of the first failure.
        let mut culprit = bands[0];
        for (&band, target) in bands.iter().zip(target.chunks_exact_mut(request.plane())) {
            if !self.try_bands(&[band], request, target) {
                culprit = band;
                break;
            }
        }
        Err(self.failure(culprit, request.window, message))
    }

    /// Reads a mask.
    ///
    /// # Shapes
    /// target `[size.1, size.0]`
    pub(crate) fn read_mask(&self, mask: Mask, request: Request, target: &mut [f32]) -> Result<()> {
        let number = match mask {
            Mask::Band(number) => return self.read_bands(&[number], request, target),
            Mask::OfBand(number) => number,
        };
        let window = request.window;
        clear_messages();
        let failed =
            |error: GdalError| self.failure(number, window, take_messages_about(self.path, &error.to_string()));
        let band = self.dataset.rasterband(number).map_err(failed)?;
        let mask = band.open_mask_band().map_err(failed)?;
        read_band(&mask, window, request.size, target).map_err(failed)
    }

    fn try_bands<T: Number>(&self, bands: &[usize], request: Request, target: &mut [T]) -> bool {
        let Request { window, size } = request;
        assert_eq!(target.len(), bands.len() * request.plane());
        let mut numbers: Vec<c_int> = bands.iter().map(|&band| band as c_int).collect();
        let bytes = size_of::<T>() as i64;
        clear_messages();
        let _turn = reading();
        // SAFETY: the buffer holds bands * rows * columns numbers of the type named, which the assertion ensures;
        // GDAL checks window and band numbers itself.
        let code = unsafe {
            gdal_sys::GDALDatasetRasterIOEx(
                self.dataset.c_dataset(),
                GDALRWFlag::GF_Read,
                window.col as c_int,
                window.row as c_int,
                window.width as c_int,
                window.height as c_int,
                target.as_mut_ptr().cast::<c_void>(),
                size.0 as c_int,
                size.1 as c_int,
                T::TYPE,
                numbers.len() as c_int,
                numbers.as_mut_ptr(),
                bytes,
                bytes * size.0 as i64,
                bytes * request.plane() as i64,
                std::ptr::null_mut(),
            )
        };
        code < CPLErr::CE_Failure
    }

    fn failure(&self, band: usize, window: Window, message: String) -> GeoError {
        GeoError::Read { path: self.path.to_path_buf(), band, window, message }
    }
}

/// Reads a window of a band, or of its mask, into columns and rows of `size`.
///
/// # Shapes
/// target `[size.1, size.0]`
pub(crate) fn read_band<T: GdalType + Copy>(
    band: &RasterBand<'_>,
    window: Window,
    size: (usize, usize),
    target: &mut [T],
) -> gdal::errors::Result<()> {
    let _turn = reading();
    band.read_into_slice((window.col, window.row), (window.width, window.height), size, target, None)
}
