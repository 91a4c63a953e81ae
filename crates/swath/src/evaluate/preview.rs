//! A small picture's worth of labels and map, gathered while rows pass by.

use crate::IGNORE;

/// Labels and map of a scene at reduced size: every `factor`-th pixel of every `factor`-th row.
///
/// # Shapes
/// `labels`, `predicted`: `[height, width]`, class ids or [`IGNORE`]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Pixels of the map for each pixel of the preview, along both axes.
    pub factor: usize,
    /// Reference.
    pub labels: Vec<u16>,
    /// Map.
    pub predicted: Vec<u16>,
}

impl Preview {
    /// An empty preview of a map of `width` x `height`, to be at most `side` pixels wide and high.
    pub fn new(width: usize, height: usize, side: usize) -> Self {
        let factor = width.max(height).div_ceil(side.max(1)).max(1);
        let (width, height) = (width.div_ceil(factor), height.div_ceil(factor));
        let empty = || vec![IGNORE; width * height];
        Self { width, height, factor, labels: empty(), predicted: empty() }
    }

    /// Takes what it needs of row `row` of the map.
    pub fn push_row(&mut self, row: usize, labels: &[u16], predicted: &[u16]) {
        if !row.is_multiple_of(self.factor) || row / self.factor >= self.height {
            return;
        }
        let start = row / self.factor * self.width;
        let pixels = labels.iter().zip(predicted).step_by(self.factor).take(self.width);
        for (offset, (&label, &class)) in pixels.enumerate() {
            self.labels[start + offset] = label;
            self.predicted[start + offset] = class;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_takes_every_second_pixel() {
        let mut preview = Preview::new(5, 3, 3);
        for row in 0..3u16 {
            let labels: Vec<u16> = (0..5).map(|col| 10 * row + col).collect();
            preview.push_row(usize::from(row), &labels, &labels);
        }
        assert_eq!((preview.width, preview.height, preview.factor), (3, 2, 2));
        assert_eq!(preview.labels, [0, 2, 4, 20, 22, 24]);
        assert_eq!(preview.predicted, preview.labels);
    }
}
