//! Where the labelled pixels are: the index that samplers draw from.
//!
//! A scene is divided into square cells, and the index knows how many pixels of each class every cell holds, so that
//! the `i`-th pixel of a class over the whole data set is found by one binary search and a look at one cell. Its memory
//! is bounded by [`MAX_COUNTS`] per scene whatever the scene's size: cells grow with the scene.

use swath_geo::Window;

use crate::IGNORE;

/// The most counters (cells times classes) kept for one scene: 16 MiB.
pub const MAX_COUNTS: usize = 1 << 22;

/// Side of the smallest cell, in pixels.
const SMALLEST_CELL: usize = 32;

/// How chips lie on a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipGrid {
    /// Side of a chip in pixels.
    pub chip: usize,
    /// Distance between neighbouring chips of the grid in pixels.
    pub stride: usize,
}

/// One scene's part of the index while its labels are read.
#[derive(Clone, Debug)]
pub struct SceneTally {
    cells: Cells,
    counts: Vec<u32>,
    classes: usize,
    chip: usize,
    columns: Vec<isize>,
    rows: Vec<isize>,
    labelled: Vec<bool>,
}

impl SceneTally {
    /// A tally of `area` in a scene of `width` x `height` pixels.
    pub fn new(width: usize, height: usize, area: Window, classes: usize, grid: ChipGrid) -> Self {
        let cells = Cells::new(width, height, classes);
        let columns = grid_origins(area.col, area.width, width, grid);
        let rows = grid_origins(area.row, area.height, height, grid);
        Self {
            counts: vec![0; cells.columns * cells.rows * classes],
            labelled: vec![false; columns.len() * rows.len()],
            cells,
            classes,
            chip: grid.chip,
            columns,
            rows,
        }
    }

    /// Counts the labels of a window of the scene, `[row, column]`; every pixel must be given once.
    pub fn add(&mut self, window: Window, labels: &[u16]) {
        if window.width == 0 {
            return;
        }
        for (row, line) in (window.row..).zip(labels.chunks_exact(window.width)) {
            let cell_row = row as usize / self.cells.size * self.cells.columns;
            for (col, &class) in (window.col as usize..).zip(line) {
                if class != IGNORE {
                    self.counts[(cell_row + col / self.cells.size) * self.classes + usize::from(class)] += 1;
                }
            }
            self.mark_chips(row, window.col, line);
        }
    }

    fn mark_chips(&mut self, row: isize, col: isize, line: &[u16]) {
        let chip = self.chip as isize;
        let mut rows = (0..self.rows.len()).filter(|&i| (self.rows[i]..self.rows[i] + chip).contains(&row)).peekable();
        if rows.peek().is_none() {
            return;
        }
        let hit: Vec<usize> = (0..self.columns.len())
            .filter(|&i| {
                let from = (self.columns[i] - col).clamp(0, line.len() as isize) as usize;
                let to = (self.columns[i] + chip - col).clamp(0, line.len() as isize) as usize;
                line[from..to].iter().any(|&class| class != IGNORE)
            })
            .collect();
        for i in rows {
            for &j in &hit {
                self.labelled[i * self.columns.len() + j] = true;
            }
        }
    }
}

/// Where every class occurs in a data set, and which chips of the grid hold labels.
#[derive(Clone, Debug, Default)]
pub struct Index {
    cells: Vec<Cells>,
    classes: Vec<Occurrences>,
    grid: Vec<(u32, isize, isize)>,
    pixels: Vec<u64>,
}

/// The cells where one class occurs; `ends[i]` counts its pixels in the cells up to and with `i`.
#[derive(Clone, Debug, Default)]
struct Occurrences {
    cells: Vec<(u32, u32)>,
    ends: Vec<u64>,
}

/// A pixel of a class, by its place in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The scene's number.
    pub scene: usize,
    /// The cell that holds the pixel.
    pub cell: Window,
    /// The pixel is the `rank`-th (from 0, row by row) of its class in the cell.
    pub rank: u64,
}

impl Index {
    /// The index over scenes in this order, of labels with `classes` classes.
    pub fn new(scenes: &[SceneTally], classes: usize) -> Self {
        let mut index = Self { classes: vec![Occurrences::default(); classes], ..Self::default() };
        for (number, tally) in (0u32..).zip(scenes) {
            let mut pixels = 0;
            for (cell, counts) in (0u32..).zip(tally.counts.chunks_exact(classes.max(1))) {
                for (class, &count) in index.classes.iter_mut().zip(counts) {
                    if count > 0 {
                        let before = class.ends.last().copied().unwrap_or(0);
                        class.cells.push((number, cell));
                        class.ends.push(before + u64::from(count));
                        pixels += u64::from(count);
                    }
                }
            }
            let origins = tally.rows.iter().flat_map(|&row| tally.columns.iter().map(move |&col| (number, col, row)));
            index.grid.extend(origins.zip(&tally.labelled).filter(|(_, labelled)| **labelled).map(|(at, _)| at));
            index.cells.push(tally.cells);
            index.pixels.push(pixels);
        }
        index
    }

    /// Labelled pixels of every class.
    pub fn class_pixels(&self) -> Vec<u64> {
        self.classes.iter().map(|class| class.ends.last().copied().unwrap_or(0)).collect()
    }

    /// Labelled pixels of every scene.
    pub fn scene_pixels(&self) -> &[u64] {
        &self.pixels
    }

    /// Labelled pixels altogether.
    pub fn pixels(&self) -> u64 {
        self.pixels.iter().sum()
    }

    /// How many chips of the grid hold labelled pixels.
    pub fn grid_len(&self) -> usize {
        self.grid.len()
    }

    /// The `i`-th chip of the grid that holds labelled pixels: scene, column and row of its first pixel.
    pub fn grid_chip(&self, i: usize) -> (usize, isize, isize) {
        let (scene, col, row) = self.grid[i];
        (scene as usize, col, row)
    }

    /// The `i`-th pixel of a class over all scenes; none when the class has no more than `i` pixels.
    pub fn anchor(&self, class: usize, i: u64) -> Option<Anchor> {
        let occurrences = self.classes.get(class)?;
        let at = occurrences.ends.partition_point(|&end| end <= i);
        let &(scene, cell) = occurrences.cells.get(at)?;
        let before = if at == 0 { 0 } else { occurrences.ends[at - 1] };
        Some(Anchor { scene: scene as usize, cell: self.cells[scene as usize].window(cell), rank: i - before })
    }
}

/// The cells of a scene.
#[derive(Clone, Copy, Debug)]
struct Cells {
    size: usize,
    columns: usize,
    rows: usize,
    width: usize,
    height: usize,
}

impl Cells {
    fn new(width: usize, height: usize, classes: usize) -> Self {
        let mut size = SMALLEST_CELL;
        while width.div_ceil(size) * height.div_ceil(size) * classes > MAX_COUNTS {
            size *= 2;
        }
        Self { size, columns: width.div_ceil(size), rows: height.div_ceil(size), width, height }
    }

    fn window(&self, cell: u32) -> Window {
        let (col, row) = (cell as usize % self.columns * self.size, cell as usize / self.columns * self.size);
        Window {
            col: col as isize,
            row: row as isize,
            width: self.size.min(self.width - col),
            height: self.size.min(self.height - row),
        }
    }
}

/// The least and greatest origin of a chip along one axis of a scene of `size` pixels whose area is `start..start+len`.
///
/// Chips stay inside the area where it is large enough, else inside the scene around the area, else they hold the whole
/// scene and reach beyond it.
///
/// ```
/// use swath::dataset::origin_range;
/// assert_eq!(origin_range(0, 10, 10, 4), (0, 6));
/// assert_eq!(origin_range(5, 5, 10, 4), (5, 6)); // the right half
/// assert_eq!(origin_range(8, 2, 10, 4), (6, 6)); // an area smaller than the chip
/// assert_eq!(origin_range(0, 3, 3, 4), (-1, 0)); // a scene smaller than the chip
/// ```
pub fn origin_range(start: isize, len: usize, size: usize, chip: usize) -> (isize, isize) {
    let (chip, end, size) = (chip as isize, start + len as isize, size as isize);
    if end - start >= chip {
        (start, end - chip)
    } else if size >= chip {
        ((end - chip).max(0), start.min(size - chip))
    } else {
        (size - chip, 0)
    }
}

/// Chip origins along one axis: from the area's start by the stride, the last one moved in to end with the area.
fn grid_origins(start: isize, len: usize, size: usize, grid: ChipGrid) -> Vec<isize> {
    if len == 0 {
        return Vec::new();
    }
    let (low, high) = origin_range(start, len, size, grid.chip);
    if len <= grid.chip {
        return vec![low + (high - low) / 2];
    }
    let mut origins: Vec<isize> = (low..high).step_by(grid.stride.max(1)).collect();
    origins.push(high);
    origins
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(width: usize, height: usize) -> Window {
        Window { col: 0, row: 0, width, height }
    }

    fn tally(width: usize, labels: &[u16], classes: usize, grid: ChipGrid) -> SceneTally {
        let height = labels.len() / width;
        let mut tally = SceneTally::new(width, height, whole(width, height), classes, grid);
        tally.add(whole(width, height), labels);
        tally
    }

    #[test]
    fn the_grid_lists_labelled_chips_once() {
        const X: u16 = IGNORE;
        #[rustfmt::skip]
        let labels = [
            X, X, X, X, 0,
            X, X, X, X, X,
            1, X, X, X, X,
        ];
        let index = Index::new(&[tally(5, &labels, 2, ChipGrid { chip: 2, stride: 2 })], 2);
        let chips: Vec<_> = (0..index.grid_len()).map(|i| index.grid_chip(i)).collect();
        assert_eq!(chips, [(0, 3, 0), (0, 0, 1)]);
        assert_eq!(index.class_pixels(), [1, 1]);
    }

    #[test]
    fn grids_cover_areas_without_leaving_them() {
        let grid = ChipGrid { chip: 4, stride: 4 };
        assert_eq!(grid_origins(0, 10, 10, grid), [0, 4, 6]);
        assert_eq!(grid_origins(5, 5, 10, grid), [5, 6]);
        assert_eq!(grid_origins(0, 8, 8, grid), [0, 4]);
        assert_eq!(grid_origins(0, 4, 8, grid), [0]);
        assert_eq!(grid_origins(0, 2, 2, grid), [-1]);
    }

    #[test]
    fn counters_of_huge_scenes_are_bounded() {
        let cells = Cells::new(200_000, 150_000, 12);
        assert!(cells.columns * cells.rows * 12 <= MAX_COUNTS);
        assert!(cells.columns * cells.rows * 12 > MAX_COUNTS / 8);
        let last = cells.window((cells.columns * cells.rows - 1) as u32);
        assert_eq!((last.col as usize + last.width, last.row as usize + last.height), (200_000, 150_000));
    }

    proptest! {
        #[test]
        fn every_pixel_of_a_class_is_found_once(
            labels in prop::collection::vec(prop_oneof![Just(0u16), Just(1), Just(2), Just(IGNORE)], 70 * 40),
        ) {
            let scenes = [tally(70, &labels, 3, ChipGrid { chip: 8, stride: 8 }), tally(40, &labels, 3, ChipGrid { chip: 8, stride: 8 })];
            let index = Index::new(&scenes, 3);
            for class in 0..3u16 {
                let mut found = Vec::new();
                for i in 0..index.class_pixels()[usize::from(class)] {
                    let anchor = index.anchor(usize::from(class), i).unwrap();
                    let width = [70, 40][anchor.scene];
                    let cell = anchor.cell;
                    let pixel = (0..cell.height * cell.width)
                        .map(|p| (cell.row as usize + p / cell.width, cell.col as usize + p % cell.width))
                        .filter(|(row, col)| labels[row * width + col] == class)
                        .nth(anchor.rank as usize)
                        .unwrap();
                    found.push((anchor.scene, pixel));
                }
                found.sort_unstable();
                found.dedup();
                let expected = labels.iter().filter(|&&label| label == class).count();
                prop_assert_eq!(found.len(), 2 * expected);
                prop_assert_eq!(index.anchor(usize::from(class), 2 * expected as u64), None);
            }
        }

        #[test]
        fn blocks_tally_as_the_whole(labels in prop::collection::vec(prop_oneof![4 => Just(IGNORE), 1 => Just(0u16)], 9 * 7)) {
            let grid = ChipGrid { chip: 3, stride: 2 };
            let mut parts = SceneTally::new(9, 7, whole(9, 7), 1, grid);
            for (row, col) in [(0usize, 0usize), (0, 4), (4, 0), (4, 4)] {
                let window = Window { col: col as isize, row: row as isize, width: if col == 0 { 4 } else { 5 }, height: if row == 0 { 4 } else { 3 } };
                let part: Vec<u16> = (row..row + window.height).flat_map(|r| labels[r * 9 + col..][..window.width].to_vec()).collect();
                parts.add(window, &part);
            }
            let all = tally(9, &labels, 1, grid);
            prop_assert_eq!(&parts.counts, &all.counts);
            prop_assert_eq!(&parts.labelled, &all.labelled);
        }
    }
}
