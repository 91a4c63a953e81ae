//! What a method makes of a network: new places of nodes and new lines of chains, and whether they may stand for the old ones.

use std::collections::{BTreeMap, HashMap};

use super::gate::{holds, ring_gate};
use super::network::{Chain, Network, Piece};
use super::track::{Place, Track};
use super::walls::outline;
use crate::{Corner, Coverage, Point};

/// New lines for a network, in metres.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) nodes: Vec<Point>,
    /// `None` where a chain stays as it is.
    pub(super) chains: Vec<Option<Vec<Point>>>,
    /// Chains for which the method found no line.
    pub(super) unsolved: Vec<bool>,
}

/// What is wrong with a layout, and how far it is from the old lines otherwise.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// Members that must stay as they are, and why.
    pub(super) refused: Vec<(usize, &'static str)>,
    /// Chains of holes that must stay as they are.
    pub(super) holes: Vec<usize>,
    /// Mean distance of the old corners of outer rings times the number of new points: a wrong direction comes near with many corners.
    pub(super) cost: f64,
}

/// New points of arcs, and of corners where arcs end, in pixels.
pub(super) type Drawing = (Vec<(usize, Vec<Point>)>, HashMap<Corner, Point>);

impl Layout {
    pub(super) fn unchanged(network: &Network) -> Layout {
        Layout {
            nodes: network.nodes.iter().map(|node| node.at).collect(),
            chains: vec![None; network.chains.len()],
            unsolved: vec![false; network.chains.len()],
        }
    }

    /// The new line of a chain, or the old one.
    pub(super) fn points<'a>(&'a self, network: &'a Network, chain: usize) -> &'a [Point] {
        self.chains[chain].as_deref().unwrap_or(&network.chains[chain].points)
    }

    /// Judges the layout member by member.
    pub(super) fn judge(&self, network: &Network) -> Verdict {
        let mut verdict = Verdict::default();
        let (mut total, mut judged) = (0.0, 0.0);
        for (number, member) in network.members.iter().enumerate() {
            let mut outer: Vec<Point> = Vec::new();
            for (is_outer, chains) in &member.rings {
                let before = network.ring(chains, &|chain| &network.chains[chain].points);
                let after = network.ring(chains, &|chain| self.points(network, chain));
                let mut result = if chains.iter().any(|&(chain, _)| self.unsolved[chain]) {
                    Err("kept: fewer than four walls")
                } else if chains.iter().all(|&(chain, _)| self.chains[chain].is_none()) {
                    Ok(0.0)
                } else {
                    ring_gate(&before, &after, network.tolerance)
                };
                if *is_outer {
                    outer = after;
                } else if result.is_ok() && !after.iter().any(|&point| holds(&outer, point)) {
                    result = Err("kept: crosses itself");
                }
                match result {
                    Ok(distance) if *is_outer => {
                        total += distance * before.len() as f64;
                        judged += before.len() as f64;
                    }
                    Ok(_) => {}
                    Err(reason) if *is_outer => verdict.refused.push((number, reason)),
                    // A hole that stays lies beyond the new walls.
                    Err(reason)
                        if chains.iter().all(|&(chain, _)| self.chains[chain].is_none() && !self.unsolved[chain]) =>
                    {
                        verdict.refused.push((number, reason));
                    }
                    Err(_) => verdict.holes.extend(chains.iter().map(|&(chain, _)| chain)),
                }
            }
        }
        let points: usize = self.chains.iter().flatten().map(Vec::len).sum();
        verdict.cost = if judged > 0.0 { total / judged * points as f64 } else { 0.0 };
        verdict
    }

    /// Members whose outer rings have far more corners than Douglas and Peucker's measure leaves of their chains: those of pixels. All of them
    /// are right, so that nothing else tells them from walls.
    pub(super) fn with_stairs(&self, network: &Network) -> Vec<usize> {
        let stairs = |(is_outer, chains): &(bool, Vec<(usize, bool)>)| {
            let changed = chains.iter().filter(|&&(chain, _)| self.chains[chain].is_some());
            let count = |(after, least): (usize, usize), &(chain, _): &(usize, bool)| {
                let Chain { points, nodes, .. } = &network.chains[chain];
                let kept = outline(points, nodes.is_none(), network.tolerance);
                (after + self.points(network, chain).len(), least + kept.len())
            };
            let (after, least) = changed.fold((0, 0), count);
            *is_outer && after > STAIRS * least
        };
        let members = network.members.iter().enumerate();
        members.filter(|(_, member)| member.rings.iter().any(stairs)).map(|(number, _)| number).collect()
    }

    /// Cuts the chains into their arcs. Fails with the members of a chain whose arcs do not follow each other along the new line.
    pub(super) fn draw(&self, network: &Network, coverage: &Coverage) -> Result<Drawing, Vec<usize>> {
        let mut corners = HashMap::new();
        // The new lines of the parts of arcs, and the old ones of those that may have to be joined to new ones.
        let (mut drawn, mut stand): (Parts, Parts) = (Parts::new(), Parts::new());
        let node_of: HashMap<Corner, usize> =
            network.nodes.iter().enumerate().map(|(at, node)| (node.corner, at)).collect();
        for (chain, line) in network.chains.iter().zip(&self.chains) {
            let Some(line) = line else {
                let mut from = 0;
                for piece in &chain.pieces {
                    if piece.count > 1 {
                        let points = chain.points[from..=piece.end].iter().map(|&point| corner_point(network, point));
                        stand.insert((piece.arc, piece.number), piece.in_order(points.collect()));
                    }
                    from = piece.end;
                }
                continue;
            };
            let track = Track::new(line.clone(), chain.is_closed());
            let middles = chain.pieces[..chain.pieces.len() - 1]
                .iter()
                .map(|piece| Place::once(track.nearest(chain.points[piece.end])));
            let free = chain.is_closed() && coverage.arc_at(chain.pieces[0].arc).ring;
            let parts = if free {
                Some(vec![line.clone()])
            } else if chain.is_closed() {
                let first = Place::once(track.nearest(chain.points[0]));
                let places: Vec<Place> = std::iter::once(first).chain(middles).collect();
                track.cut(&places)
            } else {
                let (first, last) = (Place::once(line[0]), Place::once(line[line.len() - 1]));
                let places: Vec<Place> = std::iter::once(first).chain(middles).chain([last]).collect();
                track.cut(&places)
            };
            let Some(parts) = parts else { return Err(chain.sides.iter().flatten().copied().collect()) };
            for (piece, part) in chain.pieces.iter().zip(&parts) {
                let mut points = piece.in_order(part.iter().map(|&point| network.pixels(point)).collect());
                let last = points.len() - 1;
                if !free {
                    // Where a node stays, and on the side of the raster on which it is, to the last bit.
                    for (end, corner) in [0, last].into_iter().zip(piece.ends) {
                        let stays =
                            node_of.get(&corner).is_some_and(|&node| self.nodes[node] == network.nodes[node].at);
                        if stays {
                            points[end] = (f64::from(corner.col), f64::from(corner.row));
                        } else {
                            points[end] = network.sides.snap(corner, points[end]);
                            corners.insert(corner, points[end]);
                        }
                    }
                }
                drawn.insert((piece.arc, piece.number), points);
            }
        }
        for (part, points) in stand {
            if drawn.range((part.0, 0)..=(part.0, usize::MAX)).next().is_some() {
                drawn.entry(part).or_insert(points);
            }
        }
        let mut arcs: Vec<(usize, Vec<Point>)> = Vec::new();
        for ((arc, _), points) in drawn {
            match arcs.last_mut() {
                Some((last, line)) if *last == arc => line.extend_from_slice(&points[1..]),
                _ => arcs.push((arc, points)),
            }
        }
        Ok((arcs, corners))
    }
}

/// How many times the corners that Douglas and Peucker's measure leaves are stairs.
const STAIRS: usize = 2;

/// Lines by arc and part of it.
type Parts = BTreeMap<(usize, usize), Vec<Point>>;

/// A corner in pixels, to the last bit.
fn corner_point(network: &Network, point: Point) -> Point {
    let corner = network.corner(point);
    (f64::from(corner.col), f64::from(corner.row))
}

impl Piece {
    /// Points of the chain in the arc's order.
    fn in_order(&self, mut points: Vec<Point>) -> Vec<Point> {
        if self.reversed {
            points.reverse();
        }
        points
    }
}
