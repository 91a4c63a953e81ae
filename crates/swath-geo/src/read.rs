//! Reading pixels of a scene.

use crate::load::Loader;
use crate::raster_io::Request;
use crate::{Pixels, Raster, Result, Scene, Window, mirror};

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
    loader: Loader,
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
    /// [`GeoError::Open`](crate::GeoError::Open) when a file has gone since the scene was opened, [`GeoError::Read`](crate::GeoError::Read) when its pixels
    /// cannot be decoded.
    pub fn read(&mut self, window: Window, edge: Edge) -> Result<Pixels> {
        let bands = self.loader.scene().bands().len();
        let extent = self.loader.scene().grid().window();
        if window.is_empty() {
            let values = Raster::filled(bands, window.height, window.width, 0.0);
            return Ok(Pixels { values, valid: Vec::new() });
        }
        if extent.contains(&window) {
            return self.load(window);
        }
        match edge {
            Edge::Invalid => {
                let mut pixels = Pixels {
                    values: Raster::filled(bands, window.height, window.width, 0.0),
                    valid: vec![false; window.area()],
                };
                if let Some(inside) = extent.intersect(&window) {
                    let part = self.load(inside)?;
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
                let part = self.load(source)?;
                Ok(gather(&part, source, &rows, &cols))
            }
        }
    }

    pub(crate) fn new(scene: Scene) -> Self {
        Self { loader: Loader::new(scene) }
    }

    fn load(&mut self, window: Window) -> Result<Pixels> {
        self.loader.load(Request { window, size: (window.width, window.height) })
    }
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
