//! Rasters in memory, `[band, row, column]`.

/// Bands of one size, `[band, row, column]`, columns fastest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Raster<T> {
    /// Bands.
    pub bands: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// `bands * height * width` samples.
    pub data: Vec<T>,
}

impl<T: Copy> Raster<T> {
    /// A raster from its samples.
    ///
    /// # Panics
    /// When `data` does not hold `bands * height * width` samples.
    pub fn new(bands: usize, height: usize, width: usize, data: Vec<T>) -> Self {
        assert_eq!(data.len(), bands * height * width, "{bands} bands of {height}x{width}");
        Self { bands, height, width, data }
    }

    /// A raster that holds `value` everywhere.
    pub fn filled(bands: usize, height: usize, width: usize, value: T) -> Self {
        Self { bands, height, width, data: vec![value; bands * height * width] }
    }

    /// One band, `[row, column]`.
    ///
    /// # Panics
    /// When there is no such band.
    pub fn band(&self, band: usize) -> &[T] {
        let plane = self.height * self.width;
        &self.data[band * plane..][..plane]
    }

    /// One band to write to, `[row, column]`.
    ///
    /// # Panics
    /// When there is no such band.
    pub fn band_mut(&mut self, band: usize) -> &mut [T] {
        let plane = self.height * self.width;
        &mut self.data[band * plane..][..plane]
    }

    /// One row of one band.
    ///
    /// # Panics
    /// When there is no such band or row.
    pub fn row(&self, band: usize, row: usize) -> &[T] {
        &self.band(band)[row * self.width..][..self.width]
    }

    /// One sample.
    ///
    /// # Panics
    /// When there is no such band, row or column.
    pub fn get(&self, band: usize, row: usize, col: usize) -> T {
        self.row(band, row)[col]
    }
}

/// Pixels of a window: values and combined validity.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// Values after scale and offset, `[band, row, column]`; 0.0 where the pixel is invalid, never NaN or infinite.
    pub values: Raster<f32>,
    /// Whether each pixel is valid in every band, `[row, column]`.
    pub valid: Vec<bool>,
}
