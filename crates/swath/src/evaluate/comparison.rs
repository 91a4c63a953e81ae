//! Counting one scene row by row, and adding scenes up.

use serde::{Deserialize, Serialize};

use crate::IGNORE;
use crate::metrics::{BoundaryCounter, BoundaryCounts, BoundaryScores, BoundaryTolerance, Confusion, Scores};

/// What one scene, or several together, amount to: counts that add up and the scores that follow from them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Accuracy, precision, recall, F1, IoU, kappa.
    pub scores: Scores,
    /// Boundary scores, where a distance was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<BoundaryScores>,
    /// The counts behind the scores.
    pub counts: Counts,
}

impl Measures {
    /// The scores of counts.
    ///
    /// # Panics
    /// When `positive` is not one of the classes.
    pub fn new(counts: Counts, positive: Option<usize>) -> Self {
        Self {
            scores: Scores::with_positive(&counts.confusion, positive),
            boundary: counts.boundary.as_ref().map(BoundaryCounts::scores),
            counts,
        }
    }
}

/// Pixels, boundary pixels and areas; of several scenes they add up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Pixels `[reference][map]` where both are valid and labelled.
    pub confusion: Confusion,
    /// Matches of outlines, where a distance was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boundary: Option<BoundaryCounts>,
    /// Areas of each class where both are valid and labelled; absent where a scene has no coordinates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub areas: Option<Vec<ClassArea>>,
    /// Mapped pixels without a reference: not compared.
    pub unlabelled: u64,
    /// Labelled pixels without a map: not compared.
    pub unmapped: u64,
}

/// Area of one class, in square metres on the ellipsoid, where map and reference are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassArea {
    /// By the reference.
    pub reference_m2: f64,
    /// By the map.
    pub map_m2: f64,
}

impl Counts {
    /// Adds another scene. What only one of both has (boundaries, areas) has no sum and goes.
    ///
    /// # Panics
    /// When the numbers of classes differ.
    pub fn merge(&mut self, other: &Self) {
        self.confusion.merge(&other.confusion);
        self.unlabelled += other.unlabelled;
        self.unmapped += other.unmapped;
        self.boundary = self.boundary.take().zip(other.boundary.as_ref()).map(|(mut mine, more)| {
            mine.merge(more);
            mine
        });
        self.areas = self.areas.take().zip(other.areas.as_ref()).map(|(mut mine, more)| {
            for (area, more) in mine.iter_mut().zip(more) {
                area.reference_m2 += more.reference_m2;
                area.map_m2 += more.map_m2;
            }
            mine
        });
    }
}

/// Compares a map with its reference, row by row from the top; memory is bounded by the width.
///
/// ```
/// use swath::evaluate::Comparison;
/// let mut comparison = Comparison::new(2, 3, None);
/// comparison.push_row(&[0, 1, 1], &[0, 0, 1], Some(100.0));
/// let counts = comparison.finish();
/// assert_eq!(counts.confusion.rows(), [[1, 0], [1, 1]]);
/// assert_eq!(counts.areas.unwrap()[1].reference_m2, 200.0);
/// ```
#[derive(Clone, Debug)]
pub struct Comparison {
    counts: Counts,
    boundary: Option<BoundaryCounter>,
}

impl Comparison {
    /// A comparison of rows of `width` pixels.
    pub fn new(classes: usize, width: usize, boundary: Option<BoundaryTolerance>) -> Self {
        Self {
            counts: Counts {
                confusion: Confusion::new(classes),
                boundary: None,
                areas: Some(vec![ClassArea::default(); classes]),
                unlabelled: 0,
                unmapped: 0,
            },
            boundary: boundary.map(|tolerance| BoundaryCounter::new(classes, width, tolerance)),
        }
    }

    /// Takes the next row. `pixel_m2` is the area of one of its pixels; without it there are no areas.
    ///
    /// # Shapes
    /// `reference`, `predicted`: `[width]`, class ids or [`IGNORE`]
    ///
    /// # Panics
    /// When the lengths differ or a label is neither a class nor [`IGNORE`].
    pub fn push_row(&mut self, reference: &[u16], predicted: &[u16], pixel_m2: Option<f64>) {
        let counts = &mut self.counts;
        counts.confusion.add(reference, predicted);
        if pixel_m2.is_none() {
            counts.areas = None;
        }
        for (&r, &p) in reference.iter().zip(predicted) {
            match (r, p) {
                (IGNORE, IGNORE) => {}
                (IGNORE, _) => counts.unlabelled += 1,
                (_, IGNORE) => counts.unmapped += 1,
                _ => {
                    if let (Some(areas), Some(pixel)) = (&mut counts.areas, pixel_m2) {
                        areas[usize::from(r)].reference_m2 += pixel;
                        areas[usize::from(p)].map_m2 += pixel;
                    }
                }
            }
        }
        if let Some(boundary) = &mut self.boundary {
            boundary.push_rows(reference, predicted);
        }
    }

    /// The counts of all rows.
    pub fn finish(self) -> Counts {
        Counts { boundary: self.boundary.map(BoundaryCounter::finish), ..self.counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(reference: &[u16], predicted: &[u16], pixel_m2: Option<f64>, boundary: bool) -> Counts {
        let tolerance = boundary.then(|| BoundaryTolerance::pixels(1.0));
        let mut comparison = Comparison::new(2, reference.len(), tolerance);
        comparison.push_row(reference, predicted, pixel_m2);
        comparison.finish()
    }

    #[test]
    fn pixels_that_only_one_side_has_are_counted_apart() {
        let counts = counts(&[0, IGNORE, 1, IGNORE], &[0, 1, IGNORE, IGNORE], None, false);
        assert_eq!((counts.confusion.total(), counts.unlabelled, counts.unmapped), (1, 1, 1));
        assert_eq!(counts.areas, None);
    }

    #[test]
    fn scenes_add_up() {
        let mut sum = counts(&[0, 0, 1, 1], &[0, 0, 0, 1], Some(4.0), true);
        sum.merge(&counts(&[0, 1], &[0, 1], Some(9.0), true));
        assert_eq!(sum.confusion.rows(), [[3, 0], [1, 2]]);
        let areas = sum.areas.clone().unwrap();
        assert_eq!((areas[0].reference_m2, areas[0].map_m2), (17.0, 21.0));
        let measures = Measures::new(sum, Some(1));
        assert_eq!(measures.boundary.unwrap().mean_f1, Some(1.0));
        assert_eq!(measures.scores.headline_iou(), Some(2.0 / 3.0));
    }

    #[test]
    fn a_scene_without_coordinates_leaves_the_sum_without_areas() {
        let mut sum = counts(&[0, 1], &[0, 1], Some(1.0), false);
        sum.merge(&counts(&[0, 1], &[0, 1], None, false));
        assert_eq!((sum.areas, sum.confusion.total()), (None, 4));
    }
}
