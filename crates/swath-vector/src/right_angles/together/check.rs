//! Whether new lines of a group cross others, or change on which side of each other they are.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use rstar::AABB;

use super::super::gate::holds_together;
use super::super::layout::Drawing;
use super::super::near::{Near, bounds, edges};
use super::super::network::Network;
use super::Groups;
use crate::crossings::{Edge, crossings};
use crate::{Corner, Coverage, Lines, Point};

impl Groups {
    /// All arcs that change, if no line crosses another one then; the members concerned otherwise.
    pub(super) fn check(
        &self,
        network: &Network,
        (mut arcs, corners): Drawing,
        lines: &Lines<'_>,
        near: &Near,
    ) -> Result<Vec<(usize, Vec<Point>)>, Vec<usize>> {
        let mut members_of: HashMap<usize, Vec<usize>> = HashMap::new();
        for chain in &network.chains {
            for piece in &chain.pieces {
                members_of.insert(piece.arc, chain.sides.iter().flatten().copied().collect());
            }
        }
        // Arcs of others follow the corners at which they end.
        let mut members_at: HashMap<Corner, Vec<usize>> = HashMap::new();
        for chain in &network.chains {
            for corner in chain.pieces.iter().flat_map(|piece| piece.ends) {
                members_at.entry(corner).or_default().extend(chain.sides.iter().flatten());
            }
        }
        let mut follow: HashMap<usize, Vec<Point>> = HashMap::new();
        let mut moved: Vec<_> = corners.iter().collect();
        moved.sort_unstable_by_key(|&(corner, _)| *corner);
        for (corner, &point) in moved {
            for &(arc, last) in self.attached.get(corner).map_or(&[][..], |attached| attached) {
                let points = follow.entry(arc).or_insert_with(|| lines.arc(arc).into_owned());
                let at = if last { points.len() - 1 } else { 0 };
                points[at] = point;
                members_of.entry(arc).or_default().extend(members_at.get(corner).into_iter().flatten());
            }
        }
        arcs.extend(follow);
        arcs.sort_by_key(|&(arc, _)| arc);
        let changed: HashSet<usize> = arcs.iter().map(|&(arc, _)| arc).collect();
        let mut around = around(network, lines);
        arcs.iter().for_each(|(_, points)| rstar::Envelope::merge(&mut around, &bounds(points)));
        let old: Vec<Edge> =
            near.edges(lines, &around).into_iter().filter(|edge| !changed.contains(&edge.line)).collect();
        let new: Vec<Edge> =
            arcs.iter().flat_map(|(arc, points)| edges(lines.coverage(), *arc, points, 0..points.len() - 1)).collect();
        let beyond = arcs.iter().filter(|(_, points)| !points.iter().all(|&point| network.sides.hold(point)));
        let mut clashes: Vec<usize> = beyond.flat_map(|(arc, _)| &members_of[arc]).copied().collect();
        for (first, second) in crossings(&new, &old) {
            let arcs = [Some(new[first].line), new.get(second).map(|edge| edge.line)];
            clashes.extend(arcs.into_iter().flatten().flat_map(|arc| &members_of[&arc]));
        }
        if clashes.is_empty() {
            let after: HashMap<usize, &[Point]> = arcs.iter().map(|(arc, points)| (*arc, &points[..])).collect();
            for ends in self.ends(network, lines.coverage()).into_values() {
                let before = order(&ends, &|arc| lines.arc(arc));
                let after = order(&ends, &|arc| {
                    after.get(&arc).map_or_else(|| lines.arc(arc), |&points| Cow::Borrowed(points))
                });
                if before != after {
                    clashes.extend(ends.iter().flat_map(|(arc, _)| members_of.get(arc).into_iter().flatten()));
                }
            }
        }
        if clashes.is_empty() && self.sweeps(network, &arcs, &old, lines) {
            clashes.extend(0..network.members.len());
        }
        if clashes.is_empty() { Ok(arcs) } else { Err(clashes) }
    }

    /// Which arcs end at the corners of a group, `true` for their last points.
    fn ends(&self, network: &Network, coverage: &Coverage) -> HashMap<Corner, Vec<(usize, bool)>> {
        let mut ends: HashMap<Corner, Vec<(usize, bool)>> = HashMap::new();
        let pieces = network.chains.iter().flat_map(|chain| &chain.pieces);
        for piece in pieces.filter(|piece| !coverage.arc_at(piece.arc).ring) {
            let [first, last] = piece.ends;
            if piece.number == 0 {
                ends.entry(first).or_default().push((piece.arc, false));
            }
            if piece.number + 1 == piece.count {
                ends.entry(last).or_default().push((piece.arc, true));
            }
        }
        for (corner, ends) in &mut ends {
            ends.extend(self.attached.get(corner).into_iter().flatten());
        }
        ends
    }

    /// Whether a line of others comes to lie on the other side of the group's boundary as a whole.
    fn sweeps(&self, network: &Network, arcs: &[(usize, Vec<Point>)], old: &[Edge], lines: &Lines<'_>) -> bool {
        let outside = network.chains.iter().filter(|chain| chain.sides.iter().flatten().count() == 1);
        let numbers: BTreeSet<usize> = outside.flat_map(|chain| &chain.pieces).map(|piece| piece.arc).collect();
        // Lines that end at the group cannot be on its other side without crossing it.
        let mut own: HashSet<usize> = HashSet::new();
        for piece in network.chains.iter().flat_map(|chain| &chain.pieces) {
            let corners = lines.coverage().arc_at(piece.arc).corners;
            own.insert(piece.arc);
            for corner in [corners.first(), corners.last()].into_iter().flatten() {
                own.extend(self.attached.get(corner).into_iter().flatten().map(|&(arc, _)| arc));
            }
        }
        let new: HashMap<usize, &Vec<Point>> = arcs.iter().map(|(arc, points)| (*arc, points)).collect();
        let before: Vec<_> = numbers.iter().map(|&arc| lines.arc(arc)).collect();
        let after: Vec<&[Point]> =
            numbers.iter().zip(&before).map(|(arc, old)| new.get(arc).map_or(&old[..], |new| &new[..])).collect();
        let before: Vec<&[Point]> = before.iter().map(|arc| &arc[..]).collect();
        let mut tested = HashSet::new();
        old.iter()
            .filter(|edge| !own.contains(&edge.line) && tested.insert(edge.line))
            .any(|edge| holds_together(&before, edge.from) != holds_together(&after, edge.from))
    }
}

/// Arcs that end at one corner by the directions in which they leave it, from the first on.
fn order<'a>(ends: &[(usize, bool)], points: &dyn Fn(usize) -> Cow<'a, [Point]>) -> Vec<usize> {
    let angle = |&(arc, last): &(usize, bool)| {
        let points = points(arc);
        let count = points.len();
        let (from, to) = if last { (points[count - 1], points[count - 2]) } else { (points[0], points[1]) };
        (to.1 - from.1).atan2(to.0 - from.0)
    };
    let angles: Vec<f64> = ends.iter().map(angle).collect();
    let mut order: Vec<usize> = (0..ends.len()).collect();
    order.sort_by(|&a, &b| angles[a].total_cmp(&angles[b]));
    let first = order.iter().position(|&at| at == 0).unwrap_or(0);
    order.rotate_left(first);
    order
}

/// The box in which a group's lines may come to lie, in pixels.
pub(super) fn around(network: &Network, lines: &Lines<'_>) -> AABB<[f64; 2]> {
    let arcs = network.chains.iter().flat_map(|chain| &chain.pieces).map(|piece| piece.arc);
    let mut around: Option<AABB<[f64; 2]>> = None;
    for arc in arcs {
        let bounds = bounds(&lines.arc(arc));
        match &mut around {
            Some(around) => rstar::Envelope::merge(around, &bounds),
            None => around = Some(bounds),
        }
    }
    let around = around.unwrap_or_else(|| AABB::from_point([0.0, 0.0]));
    let (width, height) = network.reach();
    let (low, high) = (around.lower(), around.upper());
    AABB::from_corners([low[0] - width, low[1] - height], [high[0] + width, high[1] + height])
}
