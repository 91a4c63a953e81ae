//! Where the tiles of an image lie.

use crate::image::Layout;
use crate::zeros::zeros;

/// Tiles of `OUT x OUT` pixels over a batch of images, counted row by row, image by image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    /// Side of a tile in output pixels.
    pub side: usize,
    rows: usize,
    cols: usize,
    batch: usize,
}

/// A tile: its image and the output pixel in its upper left corner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    pub image: usize,
    pub row: usize,
    pub col: usize,
}

impl Tiling {
    pub(crate) fn new(output: &Layout, side: usize) -> Tiling {
        Tiling { side, rows: output.height.div_ceil(side), cols: output.width.div_ceil(side), batch: output.batch }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows * self.cols * self.batch
    }

    #[inline(always)]
    pub(crate) fn tile(&self, index: usize) -> Tile {
        let (line, col) = (index / self.cols, index % self.cols);
        Tile { image: line / self.rows, row: line % self.rows * self.side, col: col * self.side }
    }
}

/// A square of pixels of an image that may reach beyond it.
#[derive(Clone, Copy)]
pub(crate) struct Square {
    /// The pixel in its upper left corner, or where that would be.
    corner: *const f32,
    pixel: usize,
    row: usize,
    /// Rows and columns of the square that lie within the image.
    rows: (usize, usize),
    cols: (usize, usize),
    inside: bool,
}

impl Square {
    /// The square of `side` pixels at `row` and `col`, which may be negative.
    #[inline(always)]
    pub(crate) fn new(image: *const f32, layout: &Layout, index: usize, row: isize, col: isize, side: usize) -> Square {
        let clip = |from: isize, size: usize| {
            let first = (-from).clamp(0, side as isize) as usize;
            let last = (size as isize - from).clamp(0, side as isize) as usize;
            (first, last)
        };
        let (rows, cols) = (clip(row, layout.height), clip(col, layout.width));
        let first = (index * layout.height) as isize + row;
        let corner = image.wrapping_offset((first * layout.width as isize + col) * layout.pixel as isize);
        let inside = rows == (0, side) && cols == (0, side);
        Square { corner, pixel: layout.pixel, row: layout.width * layout.pixel, rows, cols, inside }
    }

    /// Whether no pixel lies outside of the image.
    #[inline(always)]
    pub(crate) fn is_inside(&self) -> bool {
        self.inside
    }

    /// Channels from `channel` of a pixel of a square that [is inside](Self::is_inside).
    #[inline(always)]
    pub(crate) fn pixel_inside(&self, row: usize, col: usize, channel: usize) -> *const f32 {
        self.corner.wrapping_add(row * self.row + col * self.pixel + channel)
    }

    /// Channels from `channel` of a pixel, or zeros outside of the image. At most 16 channels may be read, and no more than
    /// up to the next multiple of 16.
    #[inline(always)]
    pub(crate) fn pixel(&self, row: usize, col: usize, channel: usize) -> *const f32 {
        if row >= self.rows.0 && row < self.rows.1 && col >= self.cols.0 && col < self.cols.1 {
            self.pixel_inside(row, col, channel)
        } else {
            zeros()
        }
    }

    /// One channel of a pixel, or 0 outside of the image.
    ///
    /// # Safety
    /// The image must have the channel.
    #[inline(always)]
    pub(crate) unsafe fn value(&self, row: usize, col: usize, channel: usize) -> f32 {
        let pixel = self.pixel(row, col, 0);
        // SAFETY: the caller's promise; zeros stand for any channel.
        unsafe { if pixel == zeros() { 0.0 } else { *pixel.add(channel) } }
    }
}
