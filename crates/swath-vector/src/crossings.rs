//! Where lines that should only meet at common vertices do more.

use rstar::primitives::{GeomWithData, Line};
use rstar::{AABB, RTree};

use crate::Point;
use crate::right_angles::distance;

/// Which vertex of a net of lines a point is. Two that are at the same place are not the same because of that.
pub(crate) type Vertex = (u64, u64);

/// A straight part of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) from: Point,
    pub(crate) to: Point,
    /// The number of the line.
    pub(crate) line: usize,
    /// What it has at `from` and `to`.
    pub(crate) ends: [Vertex; 2],
}

/// Pairs of a new edge and any other one, by index, new edges first, that cross or touch anywhere but in a common vertex. Nearer than
/// [`APART`] counts as touching: what comes later may round coordinates.
pub(crate) fn crossings(new: &[Edge], old: &[Edge]) -> Vec<(usize, usize)> {
    let edge = |at: usize| if at < new.len() { &new[at] } else { &old[at - new.len()] };
    let line = |at: usize| {
        let Edge { from, to, .. } = edge(at);
        GeomWithData::new(Line::new([from.0, from.1], [to.0, to.1]), at)
    };
    let tree = RTree::bulk_load((0..new.len() + old.len()).map(line).collect());
    let mut found = Vec::new();
    for at in 0..new.len() {
        let (low, high) = new[at].bounds();
        let around = AABB::from_corners([low.0 - APART, low.1 - APART], [high.0 + APART, high.1 + APART]);
        for other in tree.locate_in_envelope_intersecting(&around) {
            if (other.data >= new.len() || other.data > at) && new[at].clashes(edge(other.data)) {
                found.push((at, other.data));
            }
        }
        if new[at].from == new[at].to {
            found.push((at, at));
        }
    }
    found
}

impl Edge {
    fn bounds(&self) -> (Point, Point) {
        let (a, b) = (self.from, self.to);
        ((a.0.min(b.0), a.1.min(b.1)), (a.0.max(b.0), a.1.max(b.1)))
    }

    /// Whether two edges have more in common than a vertex.
    fn clashes(&self, other: &Edge) -> bool {
        let near = |point: Point, edge: &Edge| distance(point, edge.from, edge.to) < APART;
        let own = [(self.ends[0], self.to), (self.ends[1], self.from)];
        let its = [(other.ends[0], other.to), (other.ends[1], other.from)];
        let mut common = own.iter().flat_map(|a| its.iter().map(move |b| (a, b))).filter(|(a, b)| a.0 == b.0);
        if let Some((a, b)) = common.next() {
            // Two vertices in common: one line twice.
            return common.next().is_some() || near(a.1, other) || near(b.1, self);
        }
        let (a, b, c, d) = (self.from, self.to, other.from, other.to);
        let across = |a, b, c, d| (cross(a, b, c) > 0.0) != (cross(a, b, d) > 0.0);
        let crosses = across(a, b, c, d) && across(c, d, a, b);
        crosses || near(a, other) || near(b, other) || near(c, self) || near(d, self)
    }
}

/// Twice the signed area of a triangle.
fn cross(a: Point, b: Point, c: Point) -> f64 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

/// Pixels between two places that are one.
pub(crate) const APART: f64 = 1e-6;
