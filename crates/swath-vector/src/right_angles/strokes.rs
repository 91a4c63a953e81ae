//! Walls of adjacent objects together: what two of them share is fitted once.
//!
//! At a node, chains that go straight on are one *stroke*, so that a row of houses has one front. Strokes are cut into walls and fitted
//! like single outlines; a stroke that ends at another one ends where its last wall meets the other's.

use std::collections::HashMap;

use super::frame::Frame;
use super::network::{End, Network, Node};
use super::track::{Place, Track};
use super::walls::{Wall, corners, fit};
use super::{Layout, gap};
use crate::Point;

/// Fits the chains of a network; `frames` has one frame for each member, `frozen` says of each chain whether it must stay.
pub(super) fn fit_walls(network: &Network, frames: &[Frame], frozen: &[bool]) -> Layout {
    let free = |chain: usize| !frozen[chain] && !network.chains[chain].edge;
    let mut layout = Layout::unchanged(network);
    let pairs = pairs(network, &free, frozen);
    let mut strokes: Vec<Stroke> = Vec::new();
    let mut taken = vec![false; network.chains.len()];
    let open =
        network.nodes.iter().flat_map(|node| &node.ends).filter(|end| free(end.chain) && !pairs.contains_key(end));
    let closed = (0..network.chains.len()).map(|chain| End { chain, last: false }).filter(|end| free(end.chain));
    for start in open.copied().chain(closed) {
        if let Some(stroke) = Stroke::new(network, &pairs, start, &mut taken) {
            strokes.push(stroke);
        }
    }
    let mut ends: HashMap<usize, Vec<(usize, bool)>> = HashMap::new();
    let mut through: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, stroke) in strokes.iter_mut().enumerate() {
        stroke.fit(network, frames);
        if let Some((first, last)) = stroke.ends {
            ends.entry(first).or_default().push((at, false));
            ends.entry(last).or_default().push((at, true));
        }
        for &(node, _) in &stroke.inner {
            through.entry(node).or_default().push(at);
        }
    }
    for (number, node) in network.nodes.iter().enumerate() {
        if !is_pinned(node, frozen) {
            let ended: Vec<Wall> = ends
                .get(&number)
                .map_or(&[][..], |ends| ends)
                .iter()
                .filter_map(|&(stroke, last)| strokes[stroke].end(last))
                .collect();
            let mut bases: Vec<&Track> = through
                .get(&number)
                .map_or(&[][..], |strokes| strokes)
                .iter()
                .filter_map(|&stroke| strokes[stroke].track.as_ref())
                .collect();
            let edge = edge_track(network, node);
            bases.extend(edge.as_ref());
            layout.nodes[number] = junction(node.at, &bases, &ended, network.tolerance);
        }
    }
    for (number, chain) in network.chains.iter().enumerate().filter(|(number, chain)| chain.edge && !frozen[*number]) {
        // Only its ends move, along the edge.
        let mut points = chain.points.clone();
        let last = points.len() - 1;
        if let Some((first, end)) = chain.nodes {
            (points[0], points[last]) = (layout.nodes[first], layout.nodes[end]);
        }
        layout.chains[number] = Some(points);
    }
    for stroke in &strokes {
        stroke.keep_stubs(&mut layout, network);
    }
    for stroke in &strokes {
        stroke.place(&mut layout, network.tolerance);
    }
    layout
}

/// Whether a node has to stay where it is.
fn is_pinned(node: &Node, frozen: &[bool]) -> bool {
    node.ends.iter().any(|end| frozen[end.chain])
}

/// Which chain goes on as which at the nodes: through stubs first, then the straightest, up to a bend.
fn pairs(network: &Network, free: &dyn Fn(usize) -> bool, frozen: &[bool]) -> HashMap<End, End> {
    let mut pairs = through_stubs(network, free, frozen);
    for node in network.nodes.iter().filter(|node| !is_pinned(node, frozen)) {
        let mut ends: Vec<(End, Point)> = node
            .ends
            .iter()
            .filter(|end| free(end.chain) && !pairs.contains_key(end))
            .map(|&end| (end, heading(network, end)))
            .collect();
        while ends.len() > 1 {
            let all = (0..ends.len()).flat_map(|a| (a + 1..ends.len()).map(move |b| (a, b)));
            let Some((a, b)) = straightest(all, |(a, b)| dot(ends[a].1, ends[b].1)) else { break };
            let (second, first) = (ends.swap_remove(b).0, ends.swap_remove(a).0);
            pairs.insert(first, second);
            pairs.insert(second, first);
        }
    }
    pairs
}

/// Chains of a pixel have no direction of their own: where four houses meet aslant, there are two nodes and such a stub between them. It is a
/// part of the line that goes straight on beyond both of its ends.
fn through_stubs(network: &Network, free: &dyn Fn(usize) -> bool, frozen: &[bool]) -> HashMap<End, End> {
    let mut pairs: HashMap<End, End> = HashMap::new();
    for (number, chain) in network.chains.iter().enumerate().filter(|(number, _)| free(*number)) {
        let Some((first, last)) = chain.nodes.filter(|(first, last)| first != last) else { continue };
        let length: f64 = chain.points.windows(2).map(|pair| gap(pair[0], pair[1])).sum();
        let own = [false, true].map(|last| End { chain: number, last });
        let pinned = [first, last].iter().any(|&node| is_pinned(&network.nodes[node], frozen));
        if length > stub(network) || pinned || own.iter().any(|end| pairs.contains_key(end)) {
            continue;
        }
        let others = [first, last].map(|node| {
            let ends = network.nodes[node].ends.iter().copied();
            let others = ends.filter(|end| free(end.chain) && end.chain != number && !pairs.contains_key(end));
            others.map(|end| (end, heading(network, end))).collect::<Vec<_>>()
        });
        let all = (0..others[0].len()).flat_map(|a| (0..others[1].len()).map(move |b| (a, b)));
        if let Some((a, b)) = straightest(all, |(a, b)| dot(others[0][a].1, others[1][b].1)) {
            for (end, other) in [(own[0], others[0][a].0), (own[1], others[1][b].0)] {
                pairs.insert(end, other);
                pairs.insert(other, end);
            }
        }
    }
    pairs
}

/// How long stubs are at most: a pixel, and no more than a wall may move.
fn stub(network: &Network) -> f64 {
    network.tolerance.min(1.01 * network.pixel.0.max(network.pixel.1))
}

/// The pair whose directions are most nearly opposite, by their cosine, if one goes on as the other.
fn straightest<T: Copy>(pairs: impl Iterator<Item = T>, cosine: impl Fn(T) -> f64) -> Option<T> {
    let best = pairs.map(|pair| (cosine(pair), pair)).min_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 < STRAIGHT).then_some(best.1)
}

fn dot(a: Point, b: Point) -> f64 {
    a.0 * b.0 + a.1 * b.1
}

/// The direction in which a chain leaves its end, over some tolerances.
fn heading(network: &Network, end: End) -> Point {
    let points = &network.chains[end.chain].points;
    let from = if end.last { points[points.len() - 1] } else { points[0] };
    let far = |point: &&Point| gap(from, **point) >= HEADING * network.tolerance;
    let to = if end.last { points.iter().rev().find(far) } else { points.iter().find(far) };
    let to = to.copied().unwrap_or(if end.last { points[0] } else { points[points.len() - 1] });
    let length = gap(from, to).max(f64::MIN_POSITIVE);
    ((to.0 - from.0) / length, (to.1 - from.1) / length)
}

/// Where lines meet that met at `at`: lines that go on, and walls that end.
fn junction(at: Point, bases: &[&Track], ended: &[Wall], tolerance: f64) -> Point {
    let mut places: Vec<Point> = Vec::new();
    for (number, base) in bases.iter().enumerate() {
        let edges = || base.points().windows(2);
        places.extend(ended.iter().flat_map(|wall| edges().filter_map(|edge| wall.meet_edge(edge[0], edge[1]))));
        for other in &bases[number + 1..] {
            places.extend(other.points().windows(2).flat_map(|b| edges().filter_map(|a| meet(a, b))));
        }
    }
    if bases.is_empty() {
        for (number, wall) in ended.iter().enumerate() {
            places.extend(ended[number + 1..].iter().filter_map(|other| wall.meet(other)));
        }
    }
    let best = places.into_iter().min_by(|a, b| gap(*a, at).total_cmp(&gap(*b, at)));
    match best.filter(|&best| gap(best, at) <= REACH * tolerance) {
        Some(best) => best,
        None => bases.first().map_or(at, |base| base.nearest(at)),
    }
}

/// Where two straight lines cross, between their ends.
fn meet(a: &[Point], b: &[Point]) -> Option<Point> {
    let (u, v) = ((a[1].0 - a[0].0, a[1].1 - a[0].1), (b[1].0 - b[0].0, b[1].1 - b[0].1));
    let away = (b[0].0 - a[0].0, b[0].1 - a[0].1);
    let determinant = u.0 * v.1 - u.1 * v.0;
    let (s, t) = ((away.0 * v.1 - away.1 * v.0) / determinant, (away.0 * u.1 - away.1 * u.0) / determinant);
    ((0.0..=1.0).contains(&s) && (0.0..=1.0).contains(&t)).then(|| (a[0].0 + s * u.0, a[0].1 + s * u.1))
}

/// The raster's edge at a node, as far as the node may go: not to the next node, nor to the raster's corner.
fn edge_track(network: &Network, node: &Node) -> Option<Track> {
    let along = |end: &End| {
        let points = &network.chains[end.chain].points;
        let to = if end.last { points[0] } else { points[points.len() - 1] };
        let share = (REACH * network.tolerance / gap(node.at, to)).min(NEXT);
        (node.at.0 + share * (to.0 - node.at.0), node.at.1 + share * (to.1 - node.at.1))
    };
    let edges: Vec<&End> = node.ends.iter().filter(|end| network.chains[end.chain].edge).collect();
    let far = match edges[..] {
        [] => return None,
        _ if network.sides.is_corner(node.corner) => vec![node.at],
        [end] => {
            // The other way the edge belongs to others, up to the raster's corner at most.
            let ahead = along(end);
            let reach = REACH * network.tolerance / gap(node.at, ahead).max(f64::MIN_POSITIVE);
            let back = (node.at.0 - reach * (ahead.0 - node.at.0), node.at.1 - reach * (ahead.1 - node.at.1));
            let within = network.metres_of(network.sides.clamp(network.pixels(back)));
            let share = if gap(within, back) > 0.0 { NEXT } else { 1.0 };
            let behind = (node.at.0 + share * (within.0 - node.at.0), node.at.1 + share * (within.1 - node.at.1));
            vec![behind, node.at, ahead]
        }
        [first, second, ..] => vec![along(first), node.at, along(second)],
    };
    Some(Track::new(far, false))
}

/// Chains one after the other.
#[derive(Debug)]
struct Stroke {
    /// With `true` for those in reverse.
    chains: Vec<(usize, bool)>,
    points: Vec<Point>,
    /// Which member's frame its walls are in, up to which point.
    owners: Vec<(usize, usize)>,
    /// The nodes that it passes, and where they are among the points.
    inner: Vec<(usize, usize)>,
    /// The nodes where it begins and ends; `None` when it is closed.
    ends: Option<(usize, usize)>,
    walls: Vec<Wall>,
    /// The fitted line; its ends, if it has some, go a little beyond the nodes. `None` if it cannot be fitted.
    track: Option<Track>,
}

impl Stroke {
    fn new(network: &Network, pairs: &HashMap<End, End>, start: End, taken: &mut [bool]) -> Option<Stroke> {
        let mut stroke = Stroke {
            chains: Vec::new(),
            points: Vec::new(),
            owners: Vec::new(),
            inner: Vec::new(),
            ends: None,
            walls: Vec::new(),
            track: None,
        };
        let mut next = Some(start);
        let mut ends = None;
        while let Some(End { chain, last }) = next.filter(|end| !taken[end.chain]) {
            taken[chain] = true;
            let line = &network.chains[chain];
            stroke.points.pop();
            if last {
                stroke.points.extend(line.points.iter().rev());
            } else {
                stroke.points.extend(&line.points);
            }
            stroke.chains.push((chain, last));
            let owner = line.sides[0].or(line.sides[1]).unwrap_or(0);
            stroke.owners.push((owner, stroke.points.len() - 1));
            let (from, to) = match line.nodes {
                Some((first, second)) => {
                    if last {
                        (second, first)
                    } else {
                        (first, second)
                    }
                }
                None => return Some(stroke),
            };
            ends = Some((ends.map_or(from, |(start, _)| start), to));
            next = pairs.get(&End { chain, last: !last }).copied();
            if next.is_some() {
                stroke.inner.push((to, stroke.points.len() - 1));
            }
        }
        if stroke.chains.is_empty() {
            return None;
        }
        // It came back to its start where a chain went on.
        let closed = stroke.inner.len() == stroke.chains.len();
        stroke.ends = ends.filter(|_| !closed);
        Some(stroke)
    }

    fn fit(&mut self, network: &Network, frames: &[Frame]) {
        let closed = self.ends.is_none();
        let frame = |at: usize| {
            let owner = self.owners.iter().find(|&&(_, end)| at <= end).or(self.owners.last());
            frames[owner.map_or(0, |&(member, _)| member)]
        };
        let fitted = fit(&self.points, closed, &frame, network.tolerance)
            .and_then(|walls| Some((corners(&walls, closed)?, walls)));
        let Some((mut corners, walls)) = fitted else { return };
        if closed {
            corners.push(corners[0]);
        } else {
            let (from, to) = (self.points[0], self.points[self.points.len() - 1]);
            let (first, last) = (walls[0], walls[walls.len() - 1]);
            let reach = REACH * network.tolerance;
            let start = first.beyond(from, corners.first().copied().unwrap_or(first.foot(to)), reach);
            let end = last.beyond(to, corners.last().copied().unwrap_or(last.foot(from)), reach);
            corners.insert(0, start);
            corners.push(end);
        }
        self.walls = walls;
        self.track = Some(Track::new(corners, closed));
    }

    /// The direction in which it passes a node.
    fn heading(&self, at: usize, tolerance: f64) -> Point {
        let last = self.points.len() - 1;
        let far = |other: &usize| gap(self.points[*other], self.points[at]) >= PASSING * tolerance;
        // Either way to a point that is some tolerances away; a closed stroke goes on at its other end.
        let wrap = if self.ends.is_none() { last } else { 0 };
        let after = (at + 1..=last).chain(1..wrap).find(far).unwrap_or(last);
        let before = (0..at).rev().chain((1..wrap).rev()).find(far).unwrap_or(0);
        let (a, b) = (self.points[before], self.points[after]);
        (b.0 - a.0, b.1 - a.1)
    }

    /// The first or last wall.
    fn end(&self, last: bool) -> Option<Wall> {
        if last { self.walls.last() } else { self.walls.first() }.copied()
    }

    /// Keeps the nodes of a stub in their order along the stroke and a little apart: the walls that end there are fitted each by itself.
    fn keep_stubs(&self, layout: &mut Layout, network: &Network) {
        let Some(track) = &self.track else { return };
        for pair in self.inner.windows(2) {
            let [(first, from), (second, to)] = [pair[0], pair[1]];
            if gap(self.points[from], self.points[to]) > stub(network) {
                continue;
            }
            let [start, end] = [(first, from), (second, to)].map(|(node, index)| {
                track.way(&Place { at: layout.nodes[node], heading: self.heading(index, network.tolerance) })
            });
            let least = STUB * stub(network);
            if end - start < least {
                let middle = f64::midpoint(start, end);
                layout.nodes[first] = track.at(middle - least / 2.0);
                layout.nodes[second] = track.at(middle + least / 2.0);
            }
        }
    }

    /// Writes the chains of the stroke where its nodes are known; those that cannot be fitted are unsolved.
    fn place(&self, layout: &mut Layout, tolerance: f64) {
        let cut = self.track.as_ref().and_then(|track| {
            let inner = self
                .inner
                .iter()
                .map(|&(node, index)| Place { at: layout.nodes[node], heading: self.heading(index, tolerance) });
            match self.ends {
                Some((first, last)) => {
                    let mut points = track.points().to_vec();
                    let end = points.len() - 1;
                    (points[0], points[end]) = (layout.nodes[first], layout.nodes[last]);
                    let (from, to) = (Place::once(points[0]), Place::once(points[end]));
                    let places: Vec<Place> = std::iter::once(from).chain(inner).chain([to]).collect();
                    Track::new(points, false).cut(&places)
                }
                None if self.inner.is_empty() => Some(vec![track.points().to_vec()]),
                None => {
                    // The last inner node is where the first chain begins.
                    let mut places: Vec<Place> = inner.collect();
                    places.rotate_right(1);
                    track.cut(&places)
                }
            }
        });
        match cut {
            Some(parts) => {
                for (&(chain, reversed), mut part) in self.chains.iter().zip(parts) {
                    if reversed {
                        part.reverse();
                    }
                    layout.chains[chain] = Some(part);
                }
            }
            None => self.chains.iter().for_each(|&(chain, _)| layout.unsolved[chain] = true),
        }
    }
}

/// Cosine between two chains below which one is the other's continuation: a bend of 40 degrees.
const STRAIGHT: f64 = -0.766;
/// Share of the longest stub that the nodes of one are apart at least.
const STUB: f64 = 0.1;
/// Tolerances over which a chain's direction is taken.
const HEADING: f64 = 4.0;
/// Tolerances on both sides over which the direction is taken in which a stroke passes a node.
const PASSING: f64 = 2.0;
/// Tolerances that a node may move.
const REACH: f64 = 3.5;
/// Share of the way to the next node on the raster's edge that a node may go.
const NEXT: f64 = 0.45;
