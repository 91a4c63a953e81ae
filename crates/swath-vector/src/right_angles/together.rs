//! Regions of a coverage with right angles, in groups that touch.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use rstar::AABB;

use super::crossings::crossings;
use super::frame::Frame;
use super::gate::holds_together;
use super::layout::{Drawing, Layout};
use super::mesh::fit_mesh;
use super::near::{Edge, Near, bounds};
use super::network::Network;
use super::strokes::fit_walls;
use super::walls::straight;
use super::{Regularity, area, round};
use crate::{Corner, Coverage, Lines, Point, Ring};

/// How right angles are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RightAngleMethod {
    /// Walls are fitted in the directions of a building: see [`square`](crate::square).
    #[default]
    Walls,
    /// A triangle mesh over the group's label map is made coarser, after Tasar et al. 2018. Groups whose box has more than a million pixels,
    /// and those for which the result is refused, get walls.
    Mesh,
}

/// Which regions get right angles, and how.
pub struct RightAngles<'a> {
    /// How they are found.
    pub method: RightAngleMethod,
    /// How far walls of regions of a label may move, in metres; `None` for those that stay.
    pub tolerance: &'a dyn Fn(u32) -> Option<f64>,
    /// Width and height of a pixel in metres at a corner.
    pub pixel: &'a dyn Fn(Corner) -> (f64, f64),
}

/// The regions of a coverage that are to get right angles, with their outlines as they were when this was made.
#[derive(Debug)]
pub struct Groups {
    method: RightAngleMethod,
    networks: Vec<Network>,
    /// Regions of groups that are too large.
    large: Vec<usize>,
    /// Other arcs that end at corners of the groups, `true` for their last point.
    attached: HashMap<Corner, Vec<(usize, bool)>>,
}

impl Groups {
    /// Gathers regions that touch, by an arc or a corner; their outlines are remembered, so that the coverage may be simplified after.
    pub fn new(coverage: &Coverage, options: &RightAngles<'_>) -> Groups {
        let tolerances: Vec<Option<f64>> =
            coverage.regions().iter().map(|region| (options.tolerance)(region.label)).collect();
        let mut groups = Gathered((0..coverage.regions().len()).collect());
        let mut seen: HashMap<(bool, u64), usize> = HashMap::new();
        let mut corners: HashMap<Corner, Vec<(usize, bool)>> = HashMap::new();
        for region in (0..tolerances.len()).filter(|&region| tolerances[region].is_some()) {
            for half in coverage.rings(region).flat_map(Ring::arcs) {
                let arc = coverage.arc_at(half.arc as usize);
                let ends = [arc.corners[0], arc.corners[arc.corners.len() - 1]];
                let key = |corner: Corner| (true, u64::from(corner.row) << 32 | u64::from(corner.col));
                let keys = if arc.ring { vec![(false, half.arc)] } else { ends.map(key).to_vec() };
                for key in keys {
                    groups.join(region, *seen.entry(key).or_insert(region));
                }
                if !arc.ring {
                    for corner in ends {
                        corners.entry(corner).or_default();
                    }
                }
            }
        }
        for (number, arc) in coverage.arcs().enumerate().filter(|(_, arc)| !arc.ring) {
            let squared = [arc.left, arc.right].into_iter().flatten().any(|id| tolerances[id as usize].is_some());
            if !squared && !arc.corners.is_empty() {
                for (corner, last) in [(arc.corners[0], false), (arc.corners[arc.corners.len() - 1], true)] {
                    if let Some(attached) = corners.get_mut(&corner) {
                        attached.push((number, last));
                    }
                }
            }
        }
        corners.retain(|_, attached| !attached.is_empty());
        let mut together: HashMap<usize, Vec<usize>> = HashMap::new();
        for region in (0..tolerances.len()).filter(|&region| tolerances[region].is_some()) {
            together.entry(groups.root(region)).or_default().push(region);
        }
        let mut together: Vec<Vec<usize>> = together.into_values().collect();
        together.sort_unstable();
        let all = coverage.arcs().flat_map(|arc| arc.corners);
        let extent = all.fold(Corner { col: 0, row: 0 }, |last, corner| Corner {
            col: last.col.max(corner.col),
            row: last.row.max(corner.row),
        });
        let (mut networks, mut large) = (Vec::new(), Vec::new());
        for regions in together {
            let arcs = regions.iter().flat_map(|&region| coverage.rings(region)).flat_map(Ring::arcs);
            if arcs.map(|half| coverage.arc_at(half.arc as usize).corners.len()).sum::<usize>() > LARGEST {
                large.extend(regions);
                continue;
            }
            let first = coverage.rings(regions[0]).flat_map(Ring::arcs).next().map_or(0, |half| half.arc as usize);
            let tolerance = regions.iter().filter_map(|&region| tolerances[region]).fold(f64::INFINITY, f64::min);
            let pixel = (options.pixel)(coverage.arc_at(first).corners[0]);
            networks.push(Network::new(coverage, &regions, extent, pixel, tolerance));
        }
        Groups { method: options.method, networks, large, attached: corners }
    }

    /// Gives the regions right angles where that is possible, and says of each, by its place in the coverage, what became of it.
    ///
    /// The lines of neighbours change with them, so that whatever tiled the plane still does.
    pub fn square(&self, lines: &mut Lines<'_>) -> Vec<(usize, Regularity)> {
        let boxes = self.networks.iter().map(|network| around(network, lines));
        let mut near = Near::new(lines, boxes);
        let mut done: Vec<(usize, Regularity)> =
            self.large.iter().map(|&region| (region, Regularity::Kept("kept: too many neighbours"))).collect();
        for network in &self.networks {
            let (drawing, regularity) = self.solve(network, lines, &near);
            for (arc, points) in drawing {
                lines.change(arc, points);
                near.changed(lines, arc);
            }
            done.extend(network.members.iter().zip(regularity).map(|(member, regularity)| (member.region, regularity)));
        }
        done.sort_unstable_by_key(|&(region, _)| region);
        done
    }

    /// New arcs for a group. Members that cannot have right angles stay as they are with all of their boundaries, and the others are
    /// tried again without them.
    fn solve(&self, network: &Network, lines: &Lines<'_>, near: &Near) -> (Vec<(usize, Vec<Point>)>, Vec<Regularity>) {
        let mut kept: Vec<Option<&'static str>> = vec![None; network.members.len()];
        let mut holes = vec![false; network.chains.len()];
        let mut squared = if network.members.len() > 1 { Regularity::Together } else { Regularity::Squared };
        if let Some(circle) = circle(network)
            && let Ok(drawing) = circle.draw(network, lines.coverage())
            && let Ok(drawing) = self.check(network, drawing, lines, near)
        {
            return (drawing, vec![Regularity::Round]);
        }
        if self.method == RightAngleMethod::Mesh
            && let Some(layout) = fit_mesh(network)
            && let verdict = layout.judge(network)
            && verdict.refused.is_empty()
            && verdict.holes.is_empty()
            && let Ok(drawing) = layout.draw(network, lines.coverage())
            && let Ok(drawing) = self.check(network, drawing, lines, near)
        {
            return (drawing, vec![squared; network.members.len()]);
        }
        let frames = candidates(network);
        let mut drawing = Vec::new();
        for round in 0.. {
            if kept.iter().all(Option::is_some) {
                break;
            }
            let frozen: Vec<bool> = network
                .chains
                .iter()
                .zip(&holes)
                .map(|(chain, &hole)| hole || chain.sides.iter().flatten().any(|&member| kept[member].is_some()))
                .collect();
            let mut tried: Vec<_> = frames
                .iter()
                .map(|frames| {
                    let layout = fit_walls(network, frames, &frozen);
                    let verdict = layout.judge(network);
                    (verdict, layout)
                })
                .collect();
            tried.sort_by(|(a, _), (b, _)| {
                (a.refused.len() + a.holes.len())
                    .cmp(&(b.refused.len() + b.holes.len()))
                    .then(a.cost.total_cmp(&b.cost))
            });
            let mut problem = None;
            for (verdict, layout) in &tried {
                let refused: Vec<(usize, &'static str)> = if !(verdict.refused.is_empty() && verdict.holes.is_empty()) {
                    verdict.holes.iter().for_each(|&chain| holes[chain] |= problem.is_none());
                    verdict.refused.clone()
                } else {
                    let drawn = layout.draw(network, lines.coverage());
                    match drawn.and_then(|drawn| self.check(network, drawn, lines, near)) {
                        Ok(drawn) => {
                            drawing = drawn;
                            problem = None;
                            break;
                        }
                        Err(members) => members.into_iter().map(|member| (member, "kept: crosses itself")).collect(),
                    }
                };
                problem.get_or_insert(refused);
            }
            let Some(refused) = problem else { break };
            let last = round + 1 == ROUNDS;
            for (member, reason) in refused {
                kept[member].get_or_insert(reason);
            }
            if last {
                for kept in &mut kept {
                    kept.get_or_insert("kept: too many neighbours");
                }
            }
        }
        if kept.iter().flatten().count() + 1 == kept.len() {
            squared = Regularity::Squared;
        }
        let regularity = kept.into_iter().map(|kept| kept.map_or(squared, Regularity::Kept));
        (drawing, regularity.collect())
    }

    /// All arcs that change, if no line crosses another one then; the members concerned otherwise.
    fn check(
        &self,
        network: &Network,
        (mut arcs, corners): Drawing,
        lines: &Lines<'_>,
        near: &Near,
    ) -> Result<Vec<(usize, Vec<Point>)>, Vec<usize>> {
        let mut members_of: HashMap<usize, Vec<usize>> = HashMap::new();
        for chain in &network.chains {
            for (half, _) in &chain.pieces {
                members_of.insert(half.arc as usize, chain.sides.iter().flatten().copied().collect());
            }
        }
        // Arcs of others follow the corners at which they end.
        let mut follow: HashMap<usize, Vec<Point>> = HashMap::new();
        let mut moved: Vec<_> = corners.iter().collect();
        moved.sort_unstable_by_key(|&(corner, _)| *corner);
        for (corner, &point) in moved {
            for &(arc, last) in self.attached.get(corner).map_or(&[][..], |attached| attached) {
                let points = follow.entry(arc).or_insert_with(|| lines.arc(arc).into_owned());
                let at = if last { points.len() - 1 } else { 0 };
                points[at] = point;
                members_of.entry(arc).or_default().extend(0..network.members.len());
            }
        }
        arcs.extend(follow);
        arcs.sort_by_key(|&(arc, _)| arc);
        let changed: HashSet<usize> = arcs.iter().map(|&(arc, _)| arc).collect();
        let mut around = around(network, lines);
        arcs.iter().for_each(|(_, points)| rstar::Envelope::merge(&mut around, &bounds(points)));
        let old: Vec<Edge> =
            near.edges(lines, &around).into_iter().filter(|edge| !changed.contains(&edge.arc)).collect();
        let edges = |(arc, points): &(usize, Vec<Point>)| {
            let arc = *arc;
            points.windows(2).map(move |edge| Edge { from: edge[0], to: edge[1], arc }).collect::<Vec<_>>()
        };
        let new: Vec<Edge> = arcs.iter().flat_map(edges).collect();
        let mut clashes: Vec<usize> = Vec::new();
        for (first, second) in crossings(&new, &old) {
            let arcs = [Some(new[first].arc), new.get(second).map(|edge| edge.arc)];
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
        for (half, _) in network.chains.iter().flat_map(|chain| &chain.pieces) {
            let arc = half.arc as usize;
            let corners = coverage.arc_at(arc).corners;
            if !coverage.arc_at(arc).ring {
                ends.entry(corners[0]).or_default().push((arc, false));
                ends.entry(corners[corners.len() - 1]).or_default().push((arc, true));
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
        let numbers: Vec<usize> = outside.flat_map(|chain| &chain.pieces).map(|(half, _)| half.arc as usize).collect();
        // Lines that end at the group cannot be on its other side without crossing it.
        let mut own: HashSet<usize> = HashSet::new();
        for (half, _) in network.chains.iter().flat_map(|chain| &chain.pieces) {
            let corners = lines.coverage().arc_at(half.arc as usize).corners;
            own.insert(half.arc as usize);
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
            .filter(|edge| !own.contains(&edge.arc) && tested.insert(edge.arc))
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
fn around(network: &Network, lines: &Lines<'_>) -> AABB<[f64; 2]> {
    let arcs = network.chains.iter().flat_map(|chain| &chain.pieces).map(|(half, _)| half.arc as usize);
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

/// A circle for a single region that nearly is one.
fn circle(network: &Network) -> Option<Layout> {
    let [member] = &network.members[..] else { return None };
    let small = 4.0 * network.tolerance * network.tolerance;
    let ring = |chains: &[(usize, bool)]| network.ring(chains, &|chain| &network.chains[chain].points);
    let [(true, outer), holes @ ..] = &member.rings[..] else { return None };
    let &[(chain, reversed)] = &outer[..] else { return None };
    if holes.iter().any(|(outer, chains)| *outer || area(&ring(chains)).abs() >= small) {
        return None;
    }
    let mut layout = Layout::unchanged(network);
    let mut circle = round::circle(&ring(outer), network.tolerance)?;
    if reversed {
        circle.reverse();
    }
    layout.chains[chain] = Some(circle);
    network.chains[chain].is_closed().then_some(layout)
}

/// Frames to try, each time one for every member: those of objects that agree, and one for all.
fn candidates(network: &Network) -> Vec<Vec<Frame>> {
    let walls: Vec<Vec<(Point, Point)>> = network
        .members
        .iter()
        .map(|member| {
            let outer = member.rings.iter().filter(|(outer, _)| *outer);
            let rings = outer.map(|(_, chains)| network.ring(chains, &|chain| &network.chains[chain].points));
            rings.flat_map(|ring| straight(&ring, network.tolerance)).collect()
        })
        .collect();
    let all: Vec<(Point, Point)> = walls.iter().flatten().copied().collect();
    let count = network.members.len();
    let mut frames = if count > 1 { vec![Frame::common(&walls)] } else { Vec::new() };
    frames.extend(Frame::candidates(&all).into_iter().map(|frame| vec![frame; count]));
    frames
}

/// Union-find.
struct Gathered(Vec<usize>);

impl Gathered {
    fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.0[a.max(b)] = a.min(b);
    }
}

/// Corners of a group at most: what a block of houses has a hundred times over, and a land cover map of all classes does not.
const LARGEST: usize = 1 << 20;
/// How often what is left of a group is tried again.
const ROUNDS: usize = 16;
