//! Pixel rectangles.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A pixel rectangle of a grid; it may reach beyond the grid, also to negative columns and rows.
///
/// ```
/// use swath_geo::Window;
///
/// let scene = Window::new(0, 0, 10, 10);
/// let chip = Window::new(-2, 6, 8, 8);
/// assert_eq!(scene.intersect(&chip), Some(Window::new(0, 6, 6, 4)));
/// assert_eq!(chip.expand(1), Window::new(-3, 5, 10, 10));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// First column.
    pub col: isize,
    /// First row.
    pub row: isize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Window {
    /// A window from its first column and row and its size.
    pub const fn new(col: isize, row: isize, width: usize, height: usize) -> Self {
        Self { col, row, width, height }
    }

    /// One past the last column.
    pub fn col_end(&self) -> isize {
        self.col + self.width as isize
    }

    /// One past the last row.
    pub fn row_end(&self) -> isize {
        self.row + self.height as isize
    }

    /// Whether it holds no pixel.
    pub fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// Number of pixels.
    pub fn area(&self) -> usize {
        self.width * self.height
    }

    /// The part that both cover; `None` when they share no pixel.
    pub fn intersect(&self, other: &Window) -> Option<Window> {
        let (col, row) = (self.col.max(other.col), self.row.max(other.row));
        let width = self.col_end().min(other.col_end()) - col;
        let height = self.row_end().min(other.row_end()) - row;
        (width > 0 && height > 0).then(|| Window::new(col, row, width as usize, height as usize))
    }

    /// Whether every pixel of `other` lies in this window. An empty window lies in every window.
    pub fn contains(&self, other: &Window) -> bool {
        other.is_empty() || self.intersect(other) == Some(*other)
    }

    /// Whether the pixel lies in this window.
    pub fn contains_pixel(&self, col: isize, row: isize) -> bool {
        (self.col..self.col_end()).contains(&col) && (self.row..self.row_end()).contains(&row)
    }

    /// The window moved by columns and rows.
    pub fn shifted(&self, cols: isize, rows: isize) -> Window {
        Window { col: self.col + cols, row: self.row + rows, ..*self }
    }

    /// The window with `margin` more pixels on each of its four sides.
    pub fn expand(&self, margin: usize) -> Window {
        let m = margin as isize;
        Window::new(self.col - m, self.row - m, self.width + 2 * margin, self.height + 2 * margin)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}, row {}, {}x{} pixels", self.col, self.row, self.width, self.height)
    }
}

/// Reflects an index into `0..len` without repeating the edge, as often as needed (reflect-101).
///
/// ```
/// use swath_geo::mirror;
///
/// // 3 2 1 | 0 1 2 3 | 2 1 0 1
/// let reflected: Vec<usize> = (-3..8).map(|i| mirror(i, 4)).collect();
/// assert_eq!(reflected, [3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
/// ```
///
/// # Panics
/// When `len` is 0: nothing can be reflected into nothing.
pub fn mirror(index: isize, len: usize) -> usize {
    assert!(len > 0, "mirror into an empty range");
    if len == 1 {
        return 0;
    }
    let last = len - 1;
    let phase = index.rem_euclid(2 * last as isize) as usize;
    last - last.abs_diff(phase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn windows() -> impl Strategy<Value = Window> {
        (-20isize..20, -20isize..20, 0usize..12, 0usize..12).prop_map(|(c, r, w, h)| Window::new(c, r, w, h))
    }

    proptest! {
        #[test]
        fn intersection_holds_exactly_the_common_pixels(a in windows(), b in windows()) {
            let common = a.intersect(&b);
            for col in -20..32 {
                for row in -20..32 {
                    let both = a.contains_pixel(col, row) && b.contains_pixel(col, row);
                    prop_assert_eq!(both, common.is_some_and(|w| w.contains_pixel(col, row)));
                }
            }
        }

        #[test]
        fn expanding_keeps_what_was_there(a in windows(), margin in 0usize..5) {
            let wide = a.expand(margin);
            prop_assert!(wide.contains(&a));
            prop_assert_eq!(wide.area(), (a.width + 2 * margin) * (a.height + 2 * margin));
        }

        #[test]
        fn mirror_is_even_periodic_and_identity_inside(index in -200isize..200, len in 1usize..9) {
            let here = mirror(index, len);
            prop_assert!(here < len);
            prop_assert_eq!(here, mirror(-index, len));
            if (0..len as isize).contains(&index) {
                prop_assert_eq!(here as isize, index);
            }
            if len > 1 {
                prop_assert_eq!(here, mirror(index + 2 * (len as isize - 1), len));
                prop_assert_eq!(here.abs_diff(mirror(index + 1, len)), 1);
            }
        }
    }
}
