//! Where lines that should only meet at their ends do more.

use rstar::primitives::{GeomWithData, Line};
use rstar::{AABB, RTree, RTreeObject};

use super::near::Edge;
use super::{cross, gap};
use crate::Point;

/// Pairs of a new edge and any other one, by index, new edges first, that cross, touch or lie on each other other than by a common end.
pub(super) fn crossings(new: &[Edge], old: &[Edge]) -> Vec<(usize, usize)> {
    let edge = |at: usize| if at < new.len() { new[at] } else { old[at - new.len()] };
    let line = |at: usize| {
        let Edge { from, to, .. } = edge(at);
        GeomWithData::new(Line::new([from.0, from.1], [to.0, to.1]), at)
    };
    let tree = RTree::bulk_load((0..new.len() + old.len()).map(line).collect());
    let mut found = Vec::new();
    for at in 0..new.len() {
        let envelope: AABB<[f64; 2]> = line(at).envelope();
        for other in tree.locate_in_envelope_intersecting(&envelope) {
            let (a, b) = (edge(at), edge(other.data));
            if (other.data >= new.len() || other.data > at) && clash((a.from, a.to), (b.from, b.to)) {
                found.push((at, other.data));
            }
        }
    }
    found
}

/// Whether two edges have more in common than an end.
fn clash((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    let common = [(a, b, c, d), (a, b, d, c), (b, a, c, d), (b, a, d, c)].into_iter().find(|ends| ends.0 == ends.2);
    if let Some((at, one, _, other)) = common {
        let (x, y) = ((one.0 - at.0, one.1 - at.1), (other.0 - at.0, other.1 - at.1));
        let flat = cross(at, one, other).abs() <= 1e-9 * gap(at, one) * gap(at, other);
        return flat && x.0 * y.0 + x.1 * y.1 >= 0.0;
    }
    cross(a, b, c) * cross(a, b, d) <= 0.0 && cross(c, d, a) * cross(c, d, b) <= 0.0 && !is_apart((a, b), (c, d))
}

/// Whether the boxes of two edges have nothing in common: straight lines that follow each other.
fn is_apart((a, b): (Point, Point), (c, d): (Point, Point)) -> bool {
    a.0.max(b.0) < c.0.min(d.0)
        || c.0.max(d.0) < a.0.min(b.0)
        || a.1.max(b.1) < c.1.min(d.1)
        || c.1.max(d.1) < a.1.min(b.1)
}
