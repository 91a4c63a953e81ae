//! Boundary F1: do the outlines of the map lie where the reference has them?
//!
//! Paper: Csurka, Larlus, Perronnin, "What is a good evaluation measure for semantic segmentation?", BMVC 2013.
//! A boundary pixel of class c is a pixel of class c with a side neighbour of another class. With B_map and B_ref the
//! boundary pixels of c and d the Euclidean distance between pixel centres:
//!
//! - precision = share of B_map with a pixel of B_ref at d <= theta,
//! - recall = share of B_ref with a pixel of B_map at d <= theta,
//! - F1 = 2 precision recall / (precision + recall).
//!
//! What differs: the paper averages F1 over images; here counts are pooled over everything that was pushed, as for all
//! other scores of Swath. Pixels that are ignored on either side are taken out of both before boundaries are found, so
//! the edge of the valid area and the edge of the scene are no boundaries.
//!
//! Exact for any theta and bounded in memory: rows go in one after the other, and only the boundary columns of the
//! 2 r + 1 rows around the row being matched are kept, with r = theta in rows.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::scores::mean;
use crate::IGNORE;

/// How far apart two boundary pixels may lie and still match.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundaryTolerance {
    /// Greatest distance theta, in the unit of `pixel`; negative counts as 0.
    pub distance: f64,
    /// Width and height of a pixel: `(1.0, 1.0)` for distances in pixels, the ground sample distance for metres.
    pub pixel: (f64, f64),
}

impl BoundaryTolerance {
    /// A distance in pixels.
    pub fn pixels(distance: f64) -> Self {
        Self { distance, pixel: (1.0, 1.0) }
    }

    /// Rows above and below that the distance reaches.
    fn rows(&self) -> usize {
        (self.distance.max(0.0) / self.pixel.1 + ROUNDING).floor() as usize
    }

    /// For every row offset up to [`Self::rows`], the columns to either side that the distance reaches.
    fn half_widths(&self) -> Vec<usize> {
        let distance = self.distance.max(0.0);
        (0..=self.rows())
            .map(|row| {
                let up = row as f64 * self.pixel.1;
                ((distance * distance - up * up).max(0.0).sqrt() / self.pixel.0 + ROUNDING).floor() as usize
            })
            .collect()
    }
}

/// Keeps `3 x 0.1 m / 0.1 m` at 3 pixels where floating point gives 2.999...
const ROUNDING: f64 = 1e-9;

/// Boundary pixels of each class and how many of them match; adds up over scenes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundaryCounts {
    /// One entry for each class.
    pub classes: Vec<ClassBoundary>,
}

/// Boundary pixels of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassBoundary {
    /// Boundary pixels in the reference.
    pub reference: u64,
    /// Those of them with a boundary pixel of the map near enough.
    pub reference_matched: u64,
    /// Boundary pixels in the map.
    pub map: u64,
    /// Those of them with a boundary pixel of the reference near enough.
    pub map_matched: u64,
}

/// Boundary scores; `None` where there is no boundary to speak of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundaryScores {
    /// Mean of the classes' F1, over the classes that have one.
    pub mean_f1: Option<f64>,
    /// Precision of each class; `None` when the map has no boundary of it.
    pub precision: Vec<Option<f64>>,
    /// Recall of each class; `None` when the reference has no boundary of it.
    pub recall: Vec<Option<f64>>,
    /// F1 of each class: `None` when neither side has a boundary of it, 0 when only one has.
    pub f1: Vec<Option<f64>>,
}

impl BoundaryCounts {
    /// No boundaries yet.
    pub fn new(classes: usize) -> Self {
        Self { classes: vec![ClassBoundary::default(); classes] }
    }

    /// Adds the counts of another scene.
    ///
    /// # Panics
    /// When the numbers of classes differ.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.classes.len(), other.classes.len(), "counts of different numbers of classes");
        for (class, more) in self.classes.iter_mut().zip(&other.classes) {
            class.reference += more.reference;
            class.reference_matched += more.reference_matched;
            class.map += more.map;
            class.map_matched += more.map_matched;
        }
    }

    /// Precision, recall and F1 of the counts.
    pub fn scores(&self) -> BoundaryScores {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let precision: Vec<_> = self.classes.iter().map(|c| share(c.map_matched, c.map)).collect();
        let recall: Vec<_> = self.classes.iter().map(|c| share(c.reference_matched, c.reference)).collect();
        let f1: Vec<_> = precision
            .iter()
            .zip(&recall)
            .map(|(p, r)| match (p, r) {
                (None, None) => None,
                (Some(p), Some(r)) if p + r > 0.0 => Some(2.0 * p * r / (p + r)),
                _ => Some(0.0),
            })
            .collect();
        BoundaryScores { mean_f1: mean(f1.iter().copied()), precision, recall, f1 }
    }
}

/// Counts boundary matches of one scene from its rows, top to bottom.
///
/// ```
/// use swath::metrics::{BoundaryCounter, BoundaryTolerance};
/// let reference = [0, 0, 1, 1, 1, 1];
/// let predicted = [0, 0, 0, 1, 1, 1];
/// let f1 = |pixels| {
///     let mut counter = BoundaryCounter::new(2, 6, BoundaryTolerance::pixels(pixels));
///     counter.push_rows(&reference, &predicted);
///     counter.finish().scores().mean_f1
/// };
/// assert_eq!((f1(0.0), f1(1.0)), (Some(0.0), Some(1.0)));
/// ```
#[derive(Clone, Debug)]
pub struct BoundaryCounter {
    width: usize,
    half_widths: Vec<usize>,
    counts: BoundaryCounts,
    /// The last rows pushed, at most two: boundaries need the row below.
    labels: VecDeque<[Vec<u16>; 2]>,
    /// Boundaries of the rows that may still match, the row to be matched next at `next`.
    edges: VecDeque<[RowEdges; 2]>,
    next: usize,
}

/// Boundary pixels of one row as sorted `(class, column)`.
type RowEdges = Vec<(u16, usize)>;

const REFERENCE: usize = 0;
const MAP: usize = 1;

impl BoundaryCounter {
    /// A counter for label rows of `width` pixels.
    pub fn new(classes: usize, width: usize, tolerance: BoundaryTolerance) -> Self {
        Self {
            width,
            half_widths: tolerance.half_widths(),
            counts: BoundaryCounts::new(classes),
            labels: VecDeque::new(),
            edges: VecDeque::new(),
            next: 0,
        }
    }

    /// Takes the next rows, any number at a time: the result does not depend on how the scene is cut.
    ///
    /// # Shapes
    /// `reference`, `predicted`: `[rows, width]`
    ///
    /// # Panics
    /// When the lengths differ or are not whole rows, or when a label is neither a class nor [`IGNORE`].
    pub fn push_rows(&mut self, reference: &[u16], predicted: &[u16]) {
        assert_eq!(reference.len(), predicted.len(), "reference and map must have the same number of pixels");
        if self.width == 0 {
            return;
        }
        assert_eq!(reference.len() % self.width, 0, "labels must come in whole rows of {} pixels", self.width);
        for (reference, predicted) in reference.chunks(self.width).zip(predicted.chunks(self.width)) {
            let both = |&(&r, &p): &(&u16, &u16)| r != IGNORE && p != IGNORE;
            let pixels = || reference.iter().zip(predicted);
            let keep = |label: u16, kept: bool| if kept { label } else { IGNORE };
            self.labels.push_back([
                pixels().map(|pair| keep(*pair.0, both(&pair))).collect(),
                pixels().map(|pair| keep(*pair.1, both(&pair))).collect(),
            ]);
            self.find_edges();
        }
    }

    /// Matches what is left and returns the counts.
    pub fn finish(mut self) -> BoundaryCounts {
        if let Some(last) = self.labels.pop_back() {
            let above = self.labels.pop_back();
            self.push_edges(above.as_ref(), &last, None);
        }
        while self.next < self.edges.len() {
            self.match_next();
        }
        self.counts
    }

    /// Finds the boundaries of the row above the newest one, whose neighbours are all known now.
    fn find_edges(&mut self) {
        let Some(row) = self.labels.len().checked_sub(2) else { return };
        let above = if row > 0 { self.labels.pop_front() } else { None };
        if let [Some(current), Some(below)] = [self.labels.pop_front(), self.labels.pop_front()] {
            self.push_edges(above.as_ref(), &current, Some(&below));
            self.labels.extend([current, below]);
        }
        while self.next + self.reach() < self.edges.len() {
            self.match_next();
        }
    }

    fn push_edges(&mut self, above: Option<&[Vec<u16>; 2]>, current: &[Vec<u16>; 2], below: Option<&[Vec<u16>; 2]>) {
        let edges = [REFERENCE, MAP].map(|side| {
            row_edges(above.map(|rows| &rows[side][..]), &current[side], below.map(|rows| &rows[side][..]))
        });
        self.edges.push_back(edges);
    }

    fn match_next(&mut self) {
        let first = self.next.saturating_sub(self.reach());
        let last = (self.next + self.reach()).min(self.edges.len() - 1);
        // Near rows first: most boundaries match there.
        let mut rows: Vec<_> = (first..=last).map(|row| (row, self.half_widths[row.abs_diff(self.next)])).collect();
        rows.sort_by_key(|(row, _)| row.abs_diff(self.next));
        for side in [REFERENCE, MAP] {
            for &(class, column) in &self.edges[self.next][side] {
                let matched = rows.iter().any(|&(row, reach)| occurs(&self.edges[row][1 - side], class, column, reach));
                let counts = &mut self.counts.classes[usize::from(class)];
                let (all, hits) = match side {
                    REFERENCE => (&mut counts.reference, &mut counts.reference_matched),
                    _ => (&mut counts.map, &mut counts.map_matched),
                };
                *all += 1;
                *hits += u64::from(matched);
            }
        }
        self.next += 1;
        if self.next > self.reach() {
            self.edges.pop_front();
            self.next -= 1;
        }
    }

    fn reach(&self) -> usize {
        self.half_widths.len() - 1
    }
}

/// Whether a row has a boundary pixel of `class` at most `reach` columns away from `column`.
fn occurs(edges: &RowEdges, class: u16, column: usize, reach: usize) -> bool {
    let from = edges.partition_point(|&edge| edge < (class, column.saturating_sub(reach)));
    edges.get(from).is_some_and(|&(c, found)| c == class && found <= column.saturating_add(reach))
}

fn row_edges(above: Option<&[u16]>, row: &[u16], below: Option<&[u16]>) -> RowEdges {
    let mut edges: RowEdges = Vec::new();
    for (column, &class) in row.iter().enumerate() {
        let neighbours = [
            column.checked_sub(1).map(|left| row[left]),
            row.get(column + 1).copied(),
            above.map(|row| row[column]),
            below.map(|row| row[column]),
        ];
        if class != IGNORE && neighbours.into_iter().flatten().any(|other| other != IGNORE && other != class) {
            edges.push((class, column));
        }
    }
    edges.sort_unstable();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLASSES: usize = 3;

    fn count(reference: &[u16], predicted: &[u16], width: usize, tolerance: BoundaryTolerance) -> BoundaryCounts {
        let mut counter = BoundaryCounter::new(CLASSES, width, tolerance);
        counter.push_rows(reference, predicted);
        counter.finish()
    }

    /// The definition, word by word, over all pairs of pixels.
    fn by_definition(
        reference: &[u16],
        predicted: &[u16],
        width: usize,
        tolerance: BoundaryTolerance,
    ) -> BoundaryCounts {
        let height = reference.len() / width;
        let valid = |i: usize| reference[i] != IGNORE && predicted[i] != IGNORE;
        let boundary = |labels: &[u16], class: u16| -> Vec<(usize, usize)> {
            let pixels = (0..height).flat_map(|row| (0..width).map(move |col| (row, col)));
            pixels
                .filter(|&(row, col)| {
                    let here = row * width + col;
                    let differs = |there: usize| valid(there) && labels[there] != class;
                    valid(here)
                        && labels[here] == class
                        && ((row > 0 && differs(here - width))
                            || (row + 1 < height && differs(here + width))
                            || (col > 0 && differs(here - 1))
                            || (col + 1 < width && differs(here + 1)))
                })
                .collect()
        };
        let near = |a: &(usize, usize), b: &(usize, usize)| {
            let dy = a.0.abs_diff(b.0) as f64 * tolerance.pixel.1;
            let dx = a.1.abs_diff(b.1) as f64 * tolerance.pixel.0;
            dx * dx + dy * dy <= tolerance.distance * tolerance.distance + 1e-9
        };
        let matched = |these: &[(usize, usize)], those: &[(usize, usize)]| {
            these.iter().filter(|a| those.iter().any(|b| near(a, b))).count() as u64
        };
        let classes = (0..CLASSES as u16).map(|class| {
            let (r, m) = (boundary(reference, class), boundary(predicted, class));
            ClassBoundary {
                reference: r.len() as u64,
                reference_matched: matched(&r, &m),
                map: m.len() as u64,
                map_matched: matched(&m, &r),
            }
        });
        BoundaryCounts { classes: classes.collect() }
    }

    #[test]
    fn a_shifted_square_matches_within_its_shift() {
        let square = |from: usize| -> Vec<u16> {
            (0..144).map(|i| u16::from((3..9).contains(&(i / 12)) && (from..from + 5).contains(&(i % 12)))).collect()
        };
        let f1 = |pixels| count(&square(2), &square(4), 12, BoundaryTolerance::pixels(pixels)).scores().mean_f1;
        assert!(f1(1.0) < Some(1.0));
        assert_eq!(f1(2.0), Some(1.0));
    }

    #[test]
    fn edges_of_the_scene_and_of_invalid_areas_are_no_boundaries() {
        let reference = [1, 1, IGNORE, 0, 0, 0];
        let counts = count(&reference, &[1, 1, 0, 0, 0, 0], 6, BoundaryTolerance::pixels(1.0));
        assert_eq!(counts, BoundaryCounts::new(CLASSES));
        assert_eq!(counts.scores().mean_f1, None);
    }

    #[test]
    fn a_boundary_that_only_one_side_has_scores_zero() {
        let scores = count(&[0, 0, 1, 1], &[0, 0, 0, 0], 4, BoundaryTolerance::pixels(2.0)).scores();
        assert_eq!((scores.precision[1], scores.recall[1], scores.f1[1]), (None, Some(0.0), Some(0.0)));
        assert_eq!(scores.f1[2], None);
    }

    #[test]
    fn distances_in_metres_follow_the_pixel_size() {
        let (reference, predicted) = ([0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1]);
        let f1 = |metres| {
            let tolerance = BoundaryTolerance { distance: metres, pixel: (0.1, 0.1) };
            count(&reference, &predicted, 6, tolerance).scores().mean_f1
        };
        assert_eq!((f1(0.19), f1(0.2)), (Some(0.0), Some(1.0)));
    }

    fn label() -> impl Strategy<Value = u16> {
        prop_oneof![6 => 0..CLASSES as u16, 1 => Just(IGNORE)]
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            pixels in prop::collection::vec((label(), label()), 9 * 11),
            distance in 0.0..6.0f64,
            pixel in (0.5..2.0f64, 0.5..2.0f64),
        ) {
            let (reference, predicted): (Vec<_>, Vec<_>) = pixels.into_iter().unzip();
            let tolerance = BoundaryTolerance { distance, pixel };
            prop_assert_eq!(
                count(&reference, &predicted, 9, tolerance),
                by_definition(&reference, &predicted, 9, tolerance)
            );
        }

        #[test]
        fn strips_give_the_same_as_the_whole(
            pixels in prop::collection::vec((label(), label()), 5 * 20),
            cuts in prop::collection::vec(0usize..=20, 0..5),
            distance in 0.0..4.0f64,
        ) {
            let (reference, predicted): (Vec<_>, Vec<_>) = pixels.into_iter().unzip();
            let tolerance = BoundaryTolerance::pixels(distance);
            let mut cuts: Vec<_> = cuts.into_iter().map(|row| row * 5).chain([0, 100]).collect();
            cuts.sort_unstable();
            let mut counter = BoundaryCounter::new(CLASSES, 5, tolerance);
            for strip in cuts.windows(2) {
                counter.push_rows(&reference[strip[0]..strip[1]], &predicted[strip[0]..strip[1]]);
            }
            prop_assert_eq!(counter.finish(), count(&reference, &predicted, 5, tolerance));
        }

        #[test]
        fn a_perfect_map_scores_one_at_any_distance(labels in prop::collection::vec(label(), 8 * 8)) {
            let scores = count(&labels, &labels, 8, BoundaryTolerance::pixels(0.0)).scores();
            prop_assert!(scores.f1.iter().all(|f1| f1.is_none_or(|f1| f1 == 1.0)));
        }
    }
}
