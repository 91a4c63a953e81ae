//! How sure a map is of its classes: a raster of numbers between 0 and 1 on the same grid.

use std::path::{Path, PathBuf};

use gdal::Dataset;
use gdal::errors::GdalError;

use crate::gdal_setup::{clear_messages, take_messages_about};
use crate::open::{open_raster, read_header};
use crate::raster_io::read_band;
use crate::{GeoError, Grid, Result, Window};

/// A raster of confidence, open for reading. Each thread has its own.
#[derive(Debug)]
pub struct ConfidenceMap {
    dataset: Dataset,
    path: PathBuf,
    scale: f64,
    offset: f64,
}

impl ConfidenceMap {
    /// Opens what `swath predict --confidence` has written, or any raster of one band whose numbers, after scale and offset, lie between
    /// 0 and 1.
    ///
    /// # Errors
    /// When the file cannot be opened, holds more bands than one, whole numbers of unknown meaning, or lies on another grid.
    pub fn open(path: &Path, grid: &Grid) -> Result<ConfidenceMap> {
        let dataset = open_raster(path)?;
        let header = read_header(path, &dataset)?;
        let [band] = &header.bands[..] else {
            let bands = header.bands.len();
            return Err(GeoError::input(path, format!("it holds {bands} bands, not one of confidence")));
        };
        if let Some(difference) = header.grid.describe_difference(grid) {
            return Err(GeoError::input(path, format!("it does not lie on the map's grid: {difference}")));
        }
        let bytes = header.metadata.iter().any(|line| line.starts_with("SWATH_ENCODING=0 to 254"));
        let (scale, offset) = if bytes { (1.0 / 254.0, 0.0) } else { (band.scale, band.offset) };
        if !band.dtype.name().starts_with("Float") && scale == 1.0 {
            let problem = "it holds whole numbers that do not say what they mean; give confidence between 0 and 1, as \
                           swath predict --confidence writes it";
            return Err(GeoError::input(path, problem));
        }
        Ok(ConfidenceMap { dataset, path: path.to_path_buf(), scale, offset })
    }

    /// Reads a window, row by row, into `numbers`: NaN where there is no data.
    ///
    /// # Errors
    /// When pixels cannot be decoded, or do not lie between 0 and 1.
    pub fn read(&self, window: Window, numbers: &mut Vec<f32>) -> Result<()> {
        clear_messages();
        let size = (window.width, window.height);
        let failure = |error: GdalError| {
            let message = take_messages_about(&self.path, &error.to_string());
            GeoError::Read { path: self.path.clone(), band: 1, window, message }
        };
        numbers.clear();
        numbers.resize(window.area(), 0.0);
        let band = self.dataset.rasterband(1).map_err(failure)?;
        read_band(&band, window, size, numbers).map_err(failure)?;
        if !band.mask_flags().is_ok_and(|flags| flags.is_all_valid()) {
            let mut mask = vec![0u8; window.area()];
            let mask_band = band.open_mask_band().map_err(failure)?;
            read_band(&mask_band, window, size, &mut mask).map_err(failure)?;
            numbers.iter_mut().zip(mask).filter(|(_, mask)| *mask == 0).for_each(|(number, _)| *number = f32::NAN);
        }
        for (index, number) in numbers.iter_mut().enumerate() {
            let value = f64::from(*number) * self.scale + self.offset;
            if !(value.is_nan() || (-SLACK..=1.0 + SLACK).contains(&value)) {
                let (col, row) =
                    (window.col as usize + index % window.width, window.row as usize + index / window.width);
                let problem = format!("it holds {value} at column {col}, row {row}; confidence lies between 0 and 1");
                return Err(GeoError::input(&self.path, problem));
            }
            *number = value as f32;
        }
        Ok(())
    }
}

/// Rounding.
const SLACK: f64 = 1e-3;
