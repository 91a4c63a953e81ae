//! Reading pixels of a scene.

use std::ffi::{c_int, c_void};

use gdal::Dataset;
use gdal::raster::RasterBand;
use gdal_sys::{CPLErr, GDALDataType, GDALRWFlag};

use crate::gdal_setup::{clear_messages, take_messages};
use crate::open::MaskKind;
use crate::scene::Pick;
use crate::validity::{convert, convert_in_place, erase_invalid};
use crate::{GeoError, Pixels, Raster, Result, Scene, Window, mirror};

/// What pixels beyond the edge of a scene are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The scene reflected without repeating its edge, values and validity alike, as often as needed.
    Mirror,
    /// Invalid, with value zero.
    Invalid,
}

/// Reads pixels of a scene. Each thread has its own; files are opened by the first read.
pub struct Reader {
    scene: Scene,
    /// One for each source of the scene, opened when first needed.
    datasets: Vec<Option<Dataset>>,
    /// Raw numbers of bands that f32 does not hold.
    wide: Vec<f64>,
    mask: Vec<f32>,
}

impl Reader {
    /// Reads all bands of a window, which may lie partly or wholly beyond the scene.
    ///
    /// Values come after scale and offset; see [`Pixels`] for invalid ones. A pixel is valid when mask band,
    /// alpha, nodata (NaN included) and finiteness say so in every band; zero is an ordinary value.
    ///
    /// # Shapes
    /// values `[bands, window.height, window.width]`, valid `[window.height, window.width]`
    ///
    /// # Errors
    /// [`GeoError::Open`] when a file has gone since the scene was opened, [`GeoError::Read`] when its pixels
    /// cannot be decoded.
    pub fn read(&mut self, window: Window, edge: Edge) -> Result<Pixels> {
        let bands = self.scene.bands().len();
        let extent = self.scene.grid().window();
        if window.is_empty() {
            let values = Raster::filled(bands, window.height, window.width, 0.0);
            return Ok(Pixels { values, valid: Vec::new() });
        }
        if extent.contains(&window) {
            return self.load(window, (window.width, window.height));
        }
        match edge {
            Edge::Invalid => {
                let mut pixels = Pixels {
                    values: Raster::filled(bands, window.height, window.width, 0.0),
                    valid: vec![false; window.area()],
                };
                if let Some(inside) = extent.intersect(&window) {
                    let part = self.load(inside, (inside.width, inside.height))?;
                    paste(&part, inside, &mut pixels, window);
                }
                Ok(pixels)
            }
            Edge::Mirror => {
                let cols: Vec<usize> = (window.col..window.col_end()).map(|col| mirror(col, extent.width)).collect();
                let rows: Vec<usize> = (window.row..window.row_end()).map(|row| mirror(row, extent.height)).collect();
                let (first_col, width) = span(&cols);
                let (first_row, height) = span(&rows);
                let source = Window::new(first_col as isize, first_row as isize, width, height);
                let part = self.load(source, (width, height))?;
                Ok(gather(&part, source, &rows, &cols))
            }
        }
    }

    pub(crate) fn new(scene: Scene) -> Self {
        let datasets = scene.files().iter().map(|_| None).collect();
        Self { scene, datasets, wide: Vec::new(), mask: Vec::new() }
    }

    /// Reads a window inside the scene into `size` (columns, rows); a smaller size takes nearest pixels, of
    /// overviews where there are some.
    pub(crate) fn load(&mut self, window: Window, size: (usize, usize)) -> Result<Pixels> {
        let scene = self.scene.clone();
        let picks = scene.picks();
        let plane = size.0 * size.1;
        let mut values = Raster::filled(picks.len(), size.1, size.0, 0.0f32);
        let mut valid = vec![true; plane];
        let mut start = 0;
        for run in picks.chunk_by(|a, b| a.file == b.file && a.wide == b.wide) {
            let target = &mut values.data[start * plane..][..run.len() * plane];
            self.load_run(run, window, size, target, &mut valid)?;
            start += run.len();
        }
        for file in 0..scene.files().len() {
            self.load_masks(file, window, size, &mut valid)?;
        }
        erase_invalid(&mut values.data, &valid);
        Ok(Pixels { values, valid })
    }

    /// Reads neighbouring bands of one file in one call: interleaved files are then decoded once.
    fn load_run(
        &mut self,
        run: &[Pick],
        window: Window,
        size: (usize, usize),
        target: &mut [f32],
        valid: &mut [bool],
    ) -> Result<()> {
        let plane = size.0 * size.1;
        let file = run[0].file;
        self.open(file)?;
        if run[0].wide {
            let mut wide = std::mem::take(&mut self.wide);
            wide.resize(plane, 0.0);
            for (pick, band) in run.iter().zip(target.chunks_exact_mut(plane)) {
                self.raster_io(file, std::slice::from_ref(pick), window, size, &mut wide)?;
                convert(&wide, pick.calibration, band, valid);
            }
            self.wide = wide;
            return Ok(());
        }
        if let Err(error) = self.raster_io(file, run, window, size, target) {
            // Name the band that fails.
            for (pick, band) in run.iter().zip(target.chunks_exact_mut(plane)) {
                self.raster_io(file, std::slice::from_ref(pick), window, size, band)?;
            }
            return Err(error);
        }
        for (pick, band) in run.iter().zip(target.chunks_exact_mut(plane)) {
            convert_in_place(pick.calibration, band, valid);
        }
        Ok(())
    }

    /// Clears `valid` where alpha or mask bands of a file do.
    fn load_masks(&mut self, file: usize, window: Window, size: (usize, usize), valid: &mut [bool]) -> Result<()> {
        let scene = self.scene.clone();
        let mut masks: Vec<MaskOf> = Vec::new();
        for pick in scene.picks().iter().filter(|pick| pick.file == file) {
            match pick.mask {
                MaskKind::None => {}
                MaskKind::Shared if masks.is_empty() => masks.push(MaskOf::MaskOfBand(pick.number)),
                MaskKind::Shared => {}
                MaskKind::Own => masks.push(MaskOf::MaskOfBand(pick.number)),
            }
        }
        let used = scene.picks().iter().any(|pick| pick.file == file);
        masks.extend(scene.files()[file].alpha.filter(|_| used).map(MaskOf::Band));
        let mut mask = std::mem::take(&mut self.mask);
        mask.resize(valid.len(), 0.0);
        for which in masks {
            self.open(file)?;
            self.mask_io(file, which, window, size, &mut mask)?;
            for (valid, &mask) in valid.iter_mut().zip(&mask) {
                *valid &= mask > 0.0;
            }
        }
        self.mask = mask;
        Ok(())
    }

    fn open(&mut self, file: usize) -> Result<()> {
        if self.datasets[file].is_none() {
            self.datasets[file] = Some(self.scene.files()[file].open()?);
        }
        Ok(())
    }

    /// Reads bands of an opened file, `[band, row, column]`.
    fn raster_io<T: Number>(
        &self,
        file: usize,
        bands: &[Pick],
        window: Window,
        size: (usize, usize),
        target: &mut [T],
    ) -> Result<()> {
        let Some(dataset) = &self.datasets[file] else { return Ok(()) };
        assert_eq!(target.len(), bands.len() * size.0 * size.1);
        let mut numbers: Vec<c_int> = bands.iter().map(|pick| pick.number as c_int).collect();
        let bytes = size_of::<T>() as i64;
        clear_messages();
        // SAFETY: the buffer holds bands * rows * columns numbers of the type named, which the assertion ensures;
        // the window lies inside the raster, which the callers ensure and GDAL checks.
        let code = unsafe {
            gdal_sys::GDALDatasetRasterIOEx(
                dataset.c_dataset(),
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
                bytes * (size.0 * size.1) as i64,
                std::ptr::null_mut(),
            )
        };
        self.check(code, file, bands[0].stored, window)
    }

    fn mask_io(
        &self,
        file: usize,
        which: MaskOf,
        window: Window,
        size: (usize, usize),
        target: &mut [f32],
    ) -> Result<()> {
        let Some(dataset) = &self.datasets[file] else { return Ok(()) };
        let (MaskOf::Band(number) | MaskOf::MaskOfBand(number)) = which;
        clear_messages();
        let failed = |error: gdal::errors::GdalError| self.failure(file, number, window, &error.to_string());
        let band = dataset.rasterband(number).map_err(failed)?;
        let band: RasterBand<'_> = match which {
            MaskOf::Band(_) => band,
            MaskOf::MaskOfBand(_) => band.open_mask_band().map_err(failed)?,
        };
        let offset = (window.col, window.row);
        band.read_into_slice(offset, (window.width, window.height), size, target, None).map_err(failed)
    }

    fn check(&self, code: CPLErr::Type, file: usize, band: usize, window: Window) -> Result<()> {
        if code < CPLErr::CE_Failure { Ok(()) } else { Err(self.failure(file, band, window, "GDAL gives no reason")) }
    }

    fn failure(&self, file: usize, band: usize, window: Window, unexplained: &str) -> GeoError {
        let path = self.scene.files()[file].path.clone();
        GeoError::Read { path, band, window, message: take_messages(unexplained) }
    }
}

/// A band whose numbers say which pixels are valid: all but zero.
#[derive(Debug, Clone, Copy)]
enum MaskOf {
    /// The band itself: alpha.
    Band(usize),
    /// The mask of this band.
    MaskOfBand(usize),
}

/// A type that GDAL reads into.
trait Number {
    const TYPE: GDALDataType::Type;
}

impl Number for f32 {
    const TYPE: GDALDataType::Type = GDALDataType::GDT_Float32;
}

impl Number for f64 {
    const TYPE: GDALDataType::Type = GDALDataType::GDT_Float64;
}

/// First index and number of indices from the smallest to the largest. The list is not empty.
fn span(indices: &[usize]) -> (usize, usize) {
    let (first, last) = indices.iter().fold((usize::MAX, 0), |(low, high), &i| (low.min(i), high.max(i)));
    (first, last - first + 1)
}

/// Copies a part into a window that contains it.
fn paste(part: &Pixels, at: Window, pixels: &mut Pixels, window: Window) {
    let (left, top) = ((at.col - window.col) as usize, (at.row - window.row) as usize);
    for row in 0..at.height {
        let target = (top + row) * window.width + left;
        pixels.valid[target..][..at.width].copy_from_slice(&part.valid[row * at.width..][..at.width]);
        for band in 0..part.values.bands {
            pixels.values.band_mut(band)[target..][..at.width].copy_from_slice(part.values.row(band, row));
        }
    }
}

/// Takes rows and columns of the scene out of a part that holds them.
fn gather(part: &Pixels, at: Window, rows: &[usize], cols: &[usize]) -> Pixels {
    let (top, left) = (at.row as usize, at.col as usize);
    let pick = |data: &[f32], row: usize, target: &mut Vec<f32>| {
        let line = &data[(row - top) * at.width..][..at.width];
        target.extend(cols.iter().map(|col| line[col - left]));
    };
    let mut data = Vec::with_capacity(part.values.bands * rows.len() * cols.len());
    for band in 0..part.values.bands {
        for &row in rows {
            pick(part.values.band(band), row, &mut data);
        }
    }
    let mut valid = Vec::with_capacity(rows.len() * cols.len());
    for &row in rows {
        let line = &part.valid[(row - top) * at.width..][..at.width];
        valid.extend(cols.iter().map(|col| line[col - left]));
    }
    Pixels { values: Raster::new(part.values.bands, rows.len(), cols.len(), data), valid }
}
