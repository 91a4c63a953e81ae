//! Regular tilings of a raster by windows.

use crate::{GeoError, Result, Window};

/// Windows of one size on a regular lattice that starts at the first pixel, in row-major order.
///
/// With a stride smaller than the size the windows overlap; with a stride equal to it every pixel lies in
/// exactly one window. The last windows may reach beyond the raster: [`Tiling::window`] gives them whole,
/// [`Tiling::clipped`] cuts them at the edge.
///
/// ```
/// use swath_geo::{Tiling, Window};
///
/// // 10 columns in chips of 4 that overlap by 1: 0..4, 3..7, 6..10.
/// let tiling = Tiling::new((10, 3), (4, 4), (3, 3)).unwrap();
/// assert_eq!((tiling.columns(), tiling.rows()), (3, 1));
/// assert_eq!(tiling.window(2), Window::new(6, 0, 4, 4));
/// assert_eq!(tiling.clipped(2), Window::new(6, 0, 4, 3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiling {
    extent: (usize, usize),
    size: (usize, usize),
    stride: (usize, usize),
}

impl Tiling {
    /// A tiling of a raster; all pairs are (columns, rows).
    ///
    /// # Errors
    /// [`GeoError::Argument`] when size or stride is 0, or when the stride is larger than the size and would
    /// leave gaps.
    pub fn new(extent: (usize, usize), size: (usize, usize), stride: (usize, usize)) -> Result<Self> {
        if stride.0 == 0 || stride.1 == 0 || stride.0 > size.0 || stride.1 > size.1 {
            return Err(GeoError::Argument(format!(
                "windows of {}x{} pixels cannot advance by {}x{}: the step must be at least 1 and at most the size",
                size.0, size.1, stride.0, stride.1
            )));
        }
        Ok(Self { extent, size, stride })
    }

    /// A tiling by whole multiples of a file's blocks, about `pixels` a window, each pixel exactly once.
    ///
    /// Windows grow along rows first, because that is how striped files are stored. Blocks of more than `pixels`
    /// are cut into rows.
    pub fn blocks(extent: (usize, usize), block: (usize, usize), pixels: usize) -> Self {
        let mut block = (block.0.clamp(1, extent.0.max(1)), block.1.clamp(1, extent.1.max(1)));
        block.1 = block.1.min((pixels / block.0).max(1));
        let across = (pixels / (block.0 * block.1).max(1)).clamp(1, extent.0.div_ceil(block.0).max(1));
        let width = (block.0 * across).min(extent.0.max(1));
        let down = (pixels / (width * block.1).max(1)).clamp(1, extent.1.div_ceil(block.1).max(1));
        let size = (width, (block.1 * down).min(extent.1.max(1)));
        Self { extent, size, stride: size }
    }

    /// Windows in a row of windows.
    pub fn columns(&self) -> usize {
        steps(self.extent.0, self.size.0, self.stride.0)
    }

    /// Rows of windows.
    pub fn rows(&self) -> usize {
        steps(self.extent.1, self.size.1, self.stride.1)
    }

    /// Number of windows; 0 for an empty raster.
    pub fn len(&self) -> usize {
        self.columns() * self.rows()
    }

    /// Whether the raster is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of every window as (columns, rows).
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    /// The window with this number, whole even where it reaches beyond the raster.
    ///
    /// # Panics
    /// When there is no such window.
    pub fn window(&self, index: usize) -> Window {
        assert!(index < self.len(), "window {index} of {}", self.len());
        let (col, row) = (index % self.columns() * self.stride.0, index / self.columns() * self.stride.1);
        Window::new(col as isize, row as isize, self.size.0, self.size.1)
    }

    /// The window with this number, cut at the raster's edge.
    ///
    /// # Panics
    /// When there is no such window.
    pub fn clipped(&self, index: usize) -> Window {
        let window = self.window(index);
        Window {
            width: window.width.min(self.extent.0 - window.col as usize),
            height: window.height.min(self.extent.1 - window.row as usize),
            ..window
        }
    }

    /// All windows, whole.
    pub fn windows(&self) -> impl ExactSizeIterator<Item = Window> + use<> {
        let tiling = *self;
        (0..tiling.len()).map(move |index| tiling.window(index))
    }

    /// All windows, cut at the raster's edge.
    pub fn clipped_windows(&self) -> impl ExactSizeIterator<Item = Window> + use<> {
        let tiling = *self;
        (0..tiling.len()).map(move |index| tiling.clipped(index))
    }
}

/// The fewest windows whose union covers `extent`.
fn steps(extent: usize, size: usize, stride: usize) -> usize {
    if extent == 0 { 0 } else { extent.saturating_sub(size).div_ceil(stride) + 1 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cover(extent: (usize, usize), windows: impl Iterator<Item = Window>) -> Vec<u32> {
        let mut count = vec![0; extent.0 * extent.1];
        for window in windows {
            for row in window.row..window.row_end() {
                for col in window.col..window.col_end() {
                    count[row as usize * extent.0 + col as usize] += 1;
                }
            }
        }
        count
    }

    proptest! {
        #[test]
        fn without_overlap_each_pixel_is_covered_once(w in 1usize..40, h in 1usize..40, size in 1usize..20) {
            let tiling = Tiling::new((w, h), (size, size), (size, size)).unwrap();
            prop_assert!(cover((w, h), tiling.clipped_windows()).iter().all(|&n| n == 1));
        }

        #[test]
        fn with_overlap_each_pixel_is_covered(w in 1usize..40, h in 1usize..40, size in 2usize..20, lap in 1usize..19) {
            let stride = size - lap.min(size - 1);
            let tiling = Tiling::new((w, h), (size, size), (stride, stride)).unwrap();
            prop_assert!(cover((w, h), tiling.clipped_windows()).iter().all(|&n| n >= 1));
            // One window less would leave a gap.
            prop_assert!((tiling.columns() - 1) * stride + size < w + stride || tiling.columns() == 1);
        }

        #[test]
        fn blocks_cover_once_and_align(w in 1usize..60, h in 1usize..60, bw in 1usize..70, bh in 1usize..20, px in 1usize..3000) {
            let tiling = Tiling::blocks((w, h), (bw, bh), px);
            prop_assert!(cover((w, h), tiling.clipped_windows()).iter().all(|&n| n == 1));
            let (width, height) = tiling.size();
            prop_assert!(width % bw == 0 || width == w);
            prop_assert!(height % bh == 0 || height == h || bw.min(w) * bh.min(h) > px);
            prop_assert!(width * height <= px.max(bw.min(w)));
        }
    }

    #[test]
    fn steps_that_leave_gaps_are_refused() {
        assert!(Tiling::new((9, 9), (4, 4), (5, 4)).is_err());
        assert!(Tiling::new((9, 9), (4, 4), (0, 4)).is_err());
        assert!(Tiling::new((0, 9), (4, 4), (4, 4)).unwrap().is_empty());
    }
}
