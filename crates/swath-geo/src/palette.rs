//! Colour tables of rasters.

use std::path::Path;

use crate::open::open_raster;
use crate::{GeoError, Result};

/// The colour table of a band (from 1): red, green and blue by pixel value; `None` when it has none.
///
/// # Errors
/// When the file does not open or has no such band.
pub fn palette(path: &Path, band: usize) -> Result<Option<Vec<[u8; 3]>>> {
    let dataset = open_raster(path)?;
    let band = dataset.rasterband(band).map_err(|error| GeoError::input(path, format!("no band {band}: {error}")))?;
    let Some(table) = band.color_table() else { return Ok(None) };
    let colors = (0..table.entry_count()).map(|value| {
        let color = table.entry_as_rgb(value);
        color.map_or([0; 3], |color| [color.r as u8, color.g as u8, color.b as u8])
    });
    Ok(Some(colors.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClassEntry, CogOptions, CogWriter, Grid, Samples, Window};

    #[test]
    fn palettes_are_read_and_their_absence_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.tif");
        let classes = [ClassEntry { value: 1, name: "water".into(), color: [0, 0, 255] }];
        for (options, expected) in
            [(CogOptions::labels(&classes, None), Some([0, 0, 255])), (CogOptions::new(crate::DType::U8, 1), None)]
        {
            let options = CogOptions { overwrite: true, ..options };
            let mut writer = CogWriter::create(&path, &Grid::plain(1, 1), &options).unwrap();
            writer.write(Window::new(0, 0, 1, 1), 0, Samples::U8(&[1])).unwrap();
            writer.finish().unwrap();
            assert_eq!(palette(&path, 1).unwrap().map(|colors| colors[1]), expected);
        }
        assert!(palette(&path, 2).is_err());
    }
}
