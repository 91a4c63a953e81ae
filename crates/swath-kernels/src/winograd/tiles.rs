//! Where the tiles of an image lie.
//!
//! Outputs of a convolution with dilation `d` meet only inputs that are multiples of `d` away. They fall into phases, the pixels
//! `first + i d`, and on each phase the convolution is one without dilation. A tile is a square of one phase.

use crate::image::{Element, Layout};
use crate::pixels;
use crate::zeros::zeros;

/// Square tiles over a batch of images, counted row by row, image by image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    /// Tiles along an axis.
    counts: [usize; 2],
    axes: [Axis; 2],
    batch: usize,
}

/// Tiles along an axis, phase by phase. The first phases may be a pixel longer than the others.
#[derive(Clone, Copy, Debug)]
struct Axis {
    /// Pixels of a tile, and the step from one to the next, which is the number of phases too.
    side: usize,
    step: usize,
    /// Phases of the longer kind, and tiles of each; the tiles of each of the others.
    long: usize,
    long_tiles: usize,
    short_tiles: usize,
}

/// A tile: its image, the output pixel in its upper left corner, and the steps from one of its pixels to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tile {
    pub image: usize,
    pub row: usize,
    pub col: usize,
    pub step: [usize; 2],
}

impl Tiling {
    /// Tiles of `side` pixels, which are `dilation` apart.
    pub(crate) fn new(output: &Layout, side: usize, dilation: [usize; 2]) -> Tiling {
        let axes = [Axis::new(output.height, side, dilation[0]), Axis::new(output.width, side, dilation[1])];
        Tiling { counts: axes.map(|axis| axis.count()), axes, batch: output.batch }
    }

    pub(crate) fn len(&self) -> usize {
        self.counts[0] * self.counts[1] * self.batch
    }

    #[inline(always)]
    pub(crate) fn tile(&self, index: usize) -> Tile {
        let [rows, cols] = self.counts;
        let (line, col) = (index / cols, index % cols);
        Tile {
            image: line / rows,
            row: self.axes[0].first(line % rows),
            col: self.axes[1].first(col),
            step: [self.axes[0].step, self.axes[1].step],
        }
    }
}

impl Axis {
    fn new(size: usize, side: usize, step: usize) -> Axis {
        let tiles = |pixels: usize| pixels.div_ceil(side);
        let (long_tiles, short_tiles) = (tiles(size.div_ceil(step)), tiles(size / step));
        Axis { side, step, long: size % step, long_tiles, short_tiles }
    }

    fn count(&self) -> usize {
        self.long * self.long_tiles + (self.step - self.long) * self.short_tiles
    }

    /// The first pixel of a tile.
    #[inline(always)]
    fn first(&self, index: usize) -> usize {
        if self.step == 1 {
            return index * self.side;
        }
        let longer = self.long * self.long_tiles;
        let (phase, tile) = if index < longer {
            (index / self.long_tiles, index % self.long_tiles)
        } else {
            let index = index - longer;
            (self.long + index / self.short_tiles, index % self.short_tiles)
        };
        phase + tile * self.side * self.step
    }
}

impl Tile {
    /// Rows and columns of a tile of `side` pixels that lie in the output.
    #[inline(always)]
    pub(crate) fn size(&self, output: &Layout, side: usize) -> (usize, usize) {
        let count = |pixels, step| steps(pixels, step).min(side);
        (count(output.height - self.row, self.step[0]), count(output.width - self.col, self.step[1]))
    }

    /// The number of the output pixel in a row and column of the tile.
    #[inline(always)]
    pub(crate) fn pixel(&self, output: &Layout, row: usize, col: usize) -> usize {
        let line = self.image * output.height + self.row + row * self.step[0];
        line * output.width + self.col + col * self.step[1]
    }
}

/// Steps that begin within some pixels. Without dilation nothing is divided.
#[inline(always)]
fn steps(pixels: usize, step: usize) -> usize {
    if step == 1 { pixels } else { pixels.div_ceil(step) }
}

/// A square of pixels of an image, in the steps of a tile, that may reach beyond the image.
#[derive(Clone, Copy)]
pub(crate) struct Square {
    /// The pixel in its upper left corner, or where that would be.
    corner: *const f32,
    element: Element,
    /// Bytes from pixel to pixel and row to row of the square.
    pixel: usize,
    row: usize,
    /// Rows and columns of the square that lie within the image.
    rows: (usize, usize),
    cols: (usize, usize),
    inside: bool,
}

impl Square {
    /// The square of `side` pixels that begins `padding` rows above and columns left of a tile.
    #[inline(always)]
    pub(crate) fn new(image: *const f32, layout: &Layout, tile: Tile, padding: [usize; 2], side: usize) -> Square {
        let (row, col) = (tile.row as isize - padding[0] as isize, tile.col as isize - padding[1] as isize);
        let clip = |from: isize, size: usize, step: usize| {
            let first = steps((-from).max(0) as usize, step).min(side);
            let last = steps((size as isize - from).max(0) as usize, step).min(side);
            (first, last)
        };
        let (rows, cols) = (clip(row, layout.height, tile.step[0]), clip(col, layout.width, tile.step[1]));
        let first = (tile.image * layout.height) as isize + row;
        let bytes = layout.pixel * layout.element.bytes();
        let corner = image.wrapping_byte_offset((first * layout.width as isize + col) * bytes as isize);
        let inside = rows == (0, side) && cols == (0, side);
        let (pixel, row) = (tile.step[1] * bytes, tile.step[0] * layout.width * bytes);
        Square { corner, element: layout.element, pixel, row, rows, cols, inside }
    }

    /// Whether no pixel lies outside of the image.
    #[inline(always)]
    pub(crate) fn is_inside(&self) -> bool {
        self.inside
    }

    /// What its pixels are made of.
    #[inline(always)]
    pub(crate) fn element(&self) -> Element {
        self.element
    }

    /// Channels from `channel` of a pixel of a square that [is inside](Self::is_inside).
    #[inline(always)]
    pub(crate) fn pixel_inside(&self, row: usize, col: usize, channel: usize) -> *const f32 {
        self.corner.wrapping_byte_add(row * self.row + col * self.pixel + channel * self.element.bytes())
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
        if self.pixel(row, col, 0) == zeros() {
            return 0.0;
        }
        let from = self.pixel_inside(row, col, channel);
        // SAFETY: the caller's promise.
        unsafe { pixels::value(self.element, from) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_lies_in_one_tile() {
        for (height, width) in [(1, 1), (3, 8), (6, 5), (13, 14), (24, 7)] {
            for dilation in [[1, 1], [2, 2], [3, 3], [4, 1], [5, 30]] {
                for side in [2, 4] {
                    let output = Layout::new(2, height, width, 1);
                    let tiling = Tiling::new(&output, side, dilation);
                    let mut seen = vec![0; output.pixels()];
                    for tile in (0..tiling.len()).map(|index| tiling.tile(index)) {
                        let (rows, cols) = tile.size(&output, side);
                        assert!(rows > 0 && cols > 0, "an empty tile of {height} x {width}, dilation {dilation:?}");
                        for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
                            seen[tile.pixel(&output, row, col)] += 1;
                        }
                    }
                    assert!(seen.iter().all(|&times| times == 1), "{height} x {width}, dilation {dilation:?}");
                }
            }
        }
    }
}
