//! Scores from a confusion matrix.
//!
//! With n[r][p] the pixels of reference class r that the map calls p, N their sum, TP = n[c][c],
//! FP = sum over r != c of n[r][c] and FN = sum over p != c of n[c][p]:
//!
//! | score | formula |
//! | --- | --- |
//! | accuracy | sum over c of n\[c\]\[c\] / N |
//! | precision (user's accuracy) | TP / (TP + FP) |
//! | recall (producer's accuracy) | TP / (TP + FN) |
//! | F1 (Dice) | 2 TP / (2 TP + FP + FN) |
//! | IoU (Jaccard) | TP / (TP + FP + FN) |
//! | mean class accuracy | mean of the recalls |
//! | kappa (Cohen 1960) | (po - pe) / (1 - pe), po = accuracy, pe = sum over c of reference share x map share |
//!
//! **Undefined values.** A quotient 0/0 is `None`, never 0 or 1, and means leave it out: a class that occurs neither in
//! the reference nor in the map says nothing about the map. A class that only the map has keeps its IoU and F1 of 0 and
//! counts in their means, but has no recall. scikit-learn replaces 0/0 by its `zero_division`; elsewhere both agree.

use serde::{Deserialize, Serialize};

use super::Confusion;

/// Scores of one class; `None` where the quotient is 0/0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Class id.
    pub class: usize,
    /// Pixels of the class in the reference.
    pub support: u64,
    /// Pixels of the class in the map.
    pub predicted: u64,
    /// Share of the map's pixels of this class that are right.
    pub precision: Option<f64>,
    /// Share of the reference's pixels of this class that the map found.
    pub recall: Option<f64>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<f64>,
    /// Intersection over union.
    pub iou: Option<f64>,
}

/// Scores of a whole confusion matrix; see the file's top for formulas and for undefined values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Pixels compared.
    pub pixels: u64,
    /// Share of pixels that are right.
    pub accuracy: Option<f64>,
    /// Mean of the classes' IoU.
    pub mean_iou: Option<f64>,
    /// Mean of the classes' F1.
    pub mean_f1: Option<f64>,
    /// Mean of the classes' recall ("balanced accuracy").
    pub mean_class_accuracy: Option<f64>,
    /// Cohen's kappa.
    pub kappa: Option<f64>,
    /// The positive class of a two-class problem.
    pub positive: Option<usize>,
    /// One entry for each class, in the order of the class ids.
    pub classes: Vec<ClassScores>,
}

impl Scores {
    /// Computes the scores of a matrix. In a two-class problem the second class is the positive one.
    ///
    /// ```
    /// use swath::metrics::{Confusion, Scores};
    /// let scores = Scores::new(&Confusion::from_labels(2, &[0, 0, 1, 1], &[0, 1, 1, 1]));
    /// assert_eq!(scores.accuracy, Some(0.75));
    /// assert_eq!(scores.classes[1].iou, Some(2.0 / 3.0));
    /// assert_eq!(scores.headline_iou(), Some(2.0 / 3.0)); // of the positive class, 1
    /// ```
    pub fn new(confusion: &Confusion) -> Self {
        let positive = (confusion.classes() == 2).then_some(1);
        Self::with_positive(confusion, positive)
    }

    /// As [`Scores::new`] with the positive class named by the caller; `None` treats all classes alike.
    ///
    /// # Panics
    /// When `positive` is not a class of the matrix.
    pub fn with_positive(confusion: &Confusion, positive: Option<usize>) -> Self {
        assert!(positive.is_none_or(|p| p < confusion.classes()), "the positive class is not one of the classes");
        let classes: Vec<_> = (0..confusion.classes()).map(|class| class_scores(confusion, class)).collect();
        Self {
            pixels: confusion.total(),
            accuracy: ratio(confusion.correct(), confusion.total()),
            mean_iou: mean(classes.iter().map(|c| c.iou)),
            mean_f1: mean(classes.iter().map(|c| c.f1)),
            mean_class_accuracy: mean(classes.iter().map(|c| c.recall)),
            kappa: kappa(confusion),
            positive,
            classes,
        }
    }

    /// The one IoU to quote and to choose models by: the positive class's where there is one, else the mean.
    pub fn headline_iou(&self) -> Option<f64> {
        match self.positive {
            Some(class) => self.classes[class].iou,
            None => self.mean_iou,
        }
    }

    /// The classes in the order in which people want to read them: the positive class first, then by id.
    pub fn reading_order(&self) -> Vec<&ClassScores> {
        let mut order: Vec<_> = self.classes.iter().collect();
        order.sort_by_key(|c| (Some(c.class) != self.positive, c.class));
        order
    }
}

fn class_scores(confusion: &Confusion, class: usize) -> ClassScores {
    let hit = confusion.get(class, class);
    let support = confusion.in_reference(class);
    let predicted = confusion.in_map(class);
    ClassScores {
        class,
        support,
        predicted,
        precision: ratio(hit, predicted),
        recall: ratio(hit, support),
        f1: ratio(2 * hit, support + predicted),
        iou: ratio(hit, support + predicted - hit),
    }
}

fn kappa(confusion: &Confusion) -> Option<f64> {
    let total = confusion.total() as f64;
    let observed = ratio(confusion.correct(), confusion.total())?;
    let expected: f64 = (0..confusion.classes())
        .map(|c| (confusion.in_reference(c) as f64 / total) * (confusion.in_map(c) as f64 / total))
        .sum();
    (expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Mean of the defined values; `None` when there is none.
pub(super) fn mean(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values.flatten().fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_class_that_never_occurs_is_undefined_and_left_out_of_the_means() {
        let scores = Scores::new(&Confusion::from_labels(3, &[0, 0, 1, 1], &[0, 0, 1, 0]));
        let absent = &scores.classes[2];
        assert_eq!((absent.precision, absent.recall, absent.f1, absent.iou), (None, None, None, None));
        assert_eq!(scores.mean_iou, Some((2.0 / 3.0 + 0.5) / 2.0));
        assert_eq!(scores.mean_class_accuracy, Some(0.75));
    }

    #[test]
    fn a_class_that_only_the_map_has_counts_against_the_mean_iou() {
        let scores = Scores::new(&Confusion::from_labels(3, &[0, 0, 1], &[0, 2, 1]));
        let invented = &scores.classes[2];
        assert_eq!((invented.precision, invented.recall, invented.iou), (Some(0.0), None, Some(0.0)));
        assert_eq!(scores.mean_iou, Some(0.5));
    }

    #[test]
    fn nothing_to_compare_gives_no_score() {
        let scores = Scores::new(&Confusion::new(3));
        assert_eq!((scores.pixels, scores.accuracy, scores.mean_iou, scores.kappa), (0, None, None, None));
    }

    #[test]
    fn kappa_is_undefined_when_chance_alone_agrees() {
        assert_eq!(Scores::new(&Confusion::from_labels(2, &[1, 1], &[1, 1])).kappa, None);
    }

    #[test]
    fn two_classes_read_with_the_positive_one_first() {
        let confusion = Confusion::from_labels(2, &[0, 1], &[0, 1]);
        let order = |scores: &Scores| scores.reading_order().iter().map(|c| c.class).collect::<Vec<_>>();
        assert_eq!(order(&Scores::new(&confusion)), [1, 0]);
        assert_eq!(order(&Scores::with_positive(&confusion, Some(0))), [0, 1]);
        let three = Scores::new(&Confusion::new(3));
        assert_eq!((three.positive, order(&three)), (None, vec![0, 1, 2]));
    }

    fn label_pairs() -> impl Strategy<Value = (Vec<u16>, Vec<u16>)> {
        prop::collection::vec((0u16..4, 0u16..4), 1..200).prop_map(|pixels| pixels.into_iter().unzip())
    }

    fn close(a: Option<f64>, b: Option<f64>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (a, b) => a == b,
        }
    }

    proptest! {
        #[test]
        fn renaming_classes_only_renames_their_scores((reference, predicted) in label_pairs()) {
            let to = [2u16, 0, 3, 1];
            let renamed = |labels: &[u16]| labels.iter().map(|&l| to[usize::from(l)]).collect::<Vec<_>>();
            let before = Scores::new(&Confusion::from_labels(4, &reference, &predicted));
            let after = Scores::new(&Confusion::from_labels(4, &renamed(&reference), &renamed(&predicted)));
            for (class, &name) in to.iter().enumerate() {
                let moved = ClassScores { class, ..after.classes[usize::from(name)].clone() };
                prop_assert_eq!(&before.classes[class], &moved);
            }
            prop_assert_eq!(before.accuracy, after.accuracy);
            prop_assert!(close(before.mean_iou, after.mean_iou));
            prop_assert!(close(before.mean_class_accuracy, after.mean_class_accuracy));
            prop_assert!(close(before.kappa, after.kappa));
        }

        #[test]
        fn a_perfect_map_scores_one((reference, _) in label_pairs()) {
            let scores = Scores::new(&Confusion::from_labels(4, &reference, &reference));
            prop_assert_eq!((scores.accuracy, scores.mean_iou, scores.mean_f1), (Some(1.0), Some(1.0), Some(1.0)));
            prop_assert!(scores.kappa.is_none_or(|kappa| (kappa - 1.0).abs() < 1e-12));
        }

        #[test]
        fn swapping_reference_and_map_swaps_precision_and_recall((reference, predicted) in label_pairs()) {
            let one = Scores::new(&Confusion::from_labels(4, &reference, &predicted));
            let two = Scores::new(&Confusion::from_labels(4, &predicted, &reference));
            for (a, b) in one.classes.iter().zip(&two.classes) {
                prop_assert_eq!((a.precision, a.recall, a.iou), (b.recall, b.precision, b.iou));
            }
        }
    }
}
