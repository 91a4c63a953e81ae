//! The arcs of a coverage as they are drawn: corners of pixels, smoothed, or with other points where something changed them.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::{Coverage, Point, Ring};

/// The lines of all arcs.
#[derive(Debug)]
pub struct Lines<'a> {
    coverage: &'a Coverage,
    smoothed: Option<Vec<Vec<Point>>>,
    changed: HashMap<usize, Vec<Point>>,
}

impl<'a> Lines<'a> {
    /// The corners of the arcs, or what [`smooth`](crate::smooth) made of them.
    pub fn new(coverage: &'a Coverage, smoothed: Option<Vec<Vec<Point>>>) -> Lines<'a> {
        Lines { coverage, smoothed, changed: HashMap::new() }
    }

    /// The points of a ring, the first repeated at the end.
    ///
    /// # Panics
    /// When the ring is of another coverage.
    pub fn ring(&self, ring: Ring<'_>) -> Vec<Point> {
        let mut points = Vec::new();
        for half in ring.arcs() {
            let arc = self.arc(half.arc as usize);
            points.pop();
            if half.reversed {
                points.extend(arc.iter().rev());
            } else {
                points.extend(arc.iter());
            }
        }
        points
    }

    /// The points of an arc, from its first to its last.
    ///
    /// # Panics
    /// When there is no such arc.
    pub fn arc(&self, arc: usize) -> Cow<'_, [Point]> {
        if let Some(points) = self.changed.get(&arc) {
            return Cow::Borrowed(points);
        }
        if let Some(smoothed) = &self.smoothed {
            return Cow::Borrowed(&smoothed[arc]);
        }
        let point = |corner: &crate::Corner| (f64::from(corner.col), f64::from(corner.row));
        Cow::Owned(self.coverage.arc_at(arc).corners.iter().map(point).collect())
    }

    pub(crate) fn coverage(&self) -> &'a Coverage {
        self.coverage
    }

    /// Gives an arc other points.
    pub(crate) fn change(&mut self, arc: usize, points: Vec<Point>) {
        self.changed.insert(arc, points);
    }
}
