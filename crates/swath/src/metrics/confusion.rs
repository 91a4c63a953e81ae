//! Counts of (reference, predicted) class pairs.

use serde::{Deserialize, Serialize};

use crate::IGNORE;

/// Confusion matrix: `rows()[reference][predicted]` pixels.
///
/// Pixels that are [`IGNORE`] in the reference or in the map are not counted. Matrices of strips, chips and scenes add
/// up with [`Confusion::merge`] to the matrix of the whole.
///
/// ```
/// use swath::{IGNORE, metrics::Confusion};
/// let reference = [0, 0, 1, 1, IGNORE];
/// let predicted = [0, 1, 1, 1, 1];
/// let confusion = Confusion::from_labels(2, &reference, &predicted);
/// assert_eq!(confusion.rows(), [[1, 1], [0, 2]]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<u64>>", into = "Vec<Vec<u64>>")]
pub struct Confusion {
    classes: usize,
    /// Row-major `[reference, predicted]`.
    counts: Vec<u64>,
}

impl Confusion {
    /// An empty matrix of `classes` x `classes`.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// The matrix of one pair of label arrays.
    ///
    /// # Panics
    /// As [`Confusion::add`].
    pub fn from_labels(classes: usize, reference: &[u16], predicted: &[u16]) -> Self {
        let mut confusion = Self::new(classes);
        confusion.add(reference, predicted);
        confusion
    }

    /// Counts the pixels of two label arrays of equal length.
    ///
    /// # Panics
    /// When the lengths differ, or a label is neither below `classes` nor [`IGNORE`]: both are checked where files are
    /// read.
    pub fn add(&mut self, reference: &[u16], predicted: &[u16]) {
        assert_eq!(reference.len(), predicted.len(), "reference and map must have the same number of pixels");
        for (&r, &p) in reference.iter().zip(predicted) {
            if r == IGNORE || p == IGNORE {
                continue;
            }
            let (r, p) = (usize::from(r), usize::from(p));
            assert!(r < self.classes && p < self.classes, "label {} outside {} classes", r.max(p), self.classes);
            self.counts[r * self.classes + p] += 1;
        }
    }

    /// Adds the counts of another matrix.
    ///
    /// # Panics
    /// When the numbers of classes differ.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.classes, other.classes, "matrices of different numbers of classes");
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Pixels of class `reference` that the map calls `predicted`.
    ///
    /// # Panics
    /// When a class is not below [`Confusion::classes`].
    pub fn get(&self, reference: usize, predicted: usize) -> u64 {
        assert!(reference < self.classes && predicted < self.classes, "class outside {} classes", self.classes);
        self.counts[reference * self.classes + predicted]
    }

    /// All counts, one row for each reference class.
    pub fn rows(&self) -> Vec<Vec<u64>> {
        (0..self.classes).map(|r| self.counts[r * self.classes..(r + 1) * self.classes].to_vec()).collect()
    }

    /// Pixels counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Pixels on the diagonal.
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|c| self.get(c, c)).sum()
    }

    /// Pixels that are `class` in the reference.
    pub fn in_reference(&self, class: usize) -> u64 {
        (0..self.classes).map(|p| self.get(class, p)).sum()
    }

    /// Pixels that are `class` in the map.
    pub fn in_map(&self, class: usize) -> u64 {
        (0..self.classes).map(|r| self.get(r, class)).sum()
    }
}

impl From<Confusion> for Vec<Vec<u64>> {
    fn from(confusion: Confusion) -> Self {
        confusion.rows()
    }
}

impl TryFrom<Vec<Vec<u64>>> for Confusion {
    type Error = String;

    fn try_from(rows: Vec<Vec<u64>>) -> Result<Self, String> {
        let classes = rows.len();
        match rows.iter().position(|row| row.len() != classes) {
            Some(row) => {
                Err(format!("a confusion matrix is square: row {row} has {} entries, not {classes}", rows[row].len()))
            }
            None => Ok(Self { classes, counts: rows.concat() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ignored_pixels_on_either_side_are_not_counted() {
        let confusion = Confusion::from_labels(2, &[0, IGNORE, 1, 1], &[IGNORE, 0, 1, 0]);
        assert_eq!(confusion.rows(), [[0, 0], [1, 1]]);
        assert_eq!((confusion.total(), confusion.correct()), (2, 1));
        assert_eq!((confusion.in_reference(1), confusion.in_map(1)), (2, 1));
    }

    #[test]
    #[should_panic(expected = "label 5 outside 2 classes")]
    fn a_label_outside_the_classes_is_a_bug_of_the_caller() {
        Confusion::from_labels(2, &[0], &[5]);
    }

    #[test]
    fn json_is_a_list_of_rows_and_must_be_square() {
        let confusion = Confusion::from_labels(2, &[0, 1], &[1, 1]);
        let json = serde_json::to_string(&confusion).unwrap();
        assert_eq!(json, "[[0,1],[0,1]]");
        assert_eq!(serde_json::from_str::<Confusion>(&json).unwrap(), confusion);
        assert!(serde_json::from_str::<Confusion>("[[1,2],[3]]").is_err());
    }

    proptest! {
        #[test]
        fn strips_add_up_to_the_whole(
            pixels in prop::collection::vec((prop_oneof![0u16..4, Just(IGNORE)], 0u16..4), 0..200),
            cut in 0usize..200,
        ) {
            let (reference, predicted): (Vec<_>, Vec<_>) = pixels.into_iter().unzip();
            let cut = cut.min(reference.len());
            let mut merged = Confusion::from_labels(4, &reference[..cut], &predicted[..cut]);
            merged.merge(&Confusion::from_labels(4, &reference[cut..], &predicted[cut..]));
            prop_assert_eq!(merged, Confusion::from_labels(4, &reference, &predicted));
        }
    }
}
