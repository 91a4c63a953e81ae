//! Regions that touch, as a network: nodes where three or more of their boundaries meet, and chains of arcs between nodes.
//!
//! Where only the region on the far side of a boundary changes, such as from a road to a meadow along the wall of a house, the chain goes on.
//! Along the raster's edge boundaries are chains of their own, which stay where they are.

use std::collections::HashMap;
use std::ops::Range;

use super::sides::{Part, Sides};
use crate::{Corner, Coverage, Point};

/// Regions that are connected by arcs or corners, in metres from one of their corners.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) nodes: Vec<Node>,
    pub(super) chains: Vec<Chain>,
    pub(super) members: Vec<Member>,
    /// Metres that a wall may move: the least of the members' tolerances.
    pub(super) tolerance: f64,
    /// The raster's.
    pub(super) sides: Sides,
    pub(super) origin: Corner,
    /// Width and height of a pixel in metres.
    pub(super) pixel: (f64, f64),
}

/// Where chains end.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Point,
    pub(super) corner: Corner,
    /// Which ends of chains meet here.
    pub(super) ends: Vec<End>,
}

/// One end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct End {
    pub(super) chain: usize,
    /// Whether it is the last point, not the first.
    pub(super) last: bool,
}

/// A boundary between two members, or a member and the rest.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) points: Vec<Point>,
    /// Nodes of the first and the last point; `None` for a closed chain without nodes.
    pub(super) nodes: Option<(usize, usize)>,
    /// The members on the left and the right.
    pub(super) sides: [Option<usize>; 2],
    /// Its arcs, or parts of them, one after the other.
    pub(super) pieces: Vec<Piece>,
    /// Whether it runs along the edge of the raster.
    pub(super) edge: bool,
}

/// An arc, or a part of it, in a chain.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) arc: usize,
    /// Whether the chain runs through the arc from its last point to its first.
    pub(super) reversed: bool,
    /// Which part of the arc it is, of how many.
    pub(super) number: usize,
    pub(super) count: usize,
    /// Its corners at the ends, in the arc's order.
    pub(super) ends: [Corner; 2],
    /// Where it ends among the chain's points.
    pub(super) end: usize,
}

/// A region of the network.
#[derive(Debug)]
pub(super) struct Member {
    /// Its place in the coverage.
    pub(super) region: usize,
    /// Chains of each ring, `true` for those in reverse, and whether the ring is an outer one.
    pub(super) rings: Vec<(bool, Vec<(usize, bool)>)>,
}

impl Chain {
    pub(super) fn is_closed(&self) -> bool {
        self.nodes.is_none()
    }
}

impl Network {
    /// The network of some regions.
    pub(super) fn new(
        coverage: &Coverage,
        regions: &[usize],
        sides: Sides,
        pixel: (f64, f64),
        tolerance: f64,
    ) -> Network {
        let member_of: HashMap<u64, usize> =
            regions.iter().enumerate().map(|(member, &region)| (coverage.regions()[region].id, member)).collect();
        let mut arcs: Vec<usize> = regions
            .iter()
            .flat_map(|&region| coverage.rings(region))
            .flat_map(|ring| ring.arcs().map(|half| half.arc as usize))
            .collect();
        arcs.sort_unstable();
        arcs.dedup();
        let origin = coverage.arc_at(arcs[0]).corners[0];
        let mut parts: Vec<Part> = Vec::new();
        let mut parts_of: HashMap<usize, Range<usize>> = HashMap::new();
        for arc in arcs {
            let from = parts.len();
            parts.extend(sides.cut(coverage, arc));
            parts_of.insert(arc, from..parts.len());
        }
        let mut ends: HashMap<Corner, Vec<(usize, bool)>> = HashMap::new();
        for (number, part) in parts.iter().enumerate().filter(|(_, part)| !part.ring) {
            ends.entry(part.corners[0]).or_default().push((number, false));
            ends.entry(part.corners[part.corners.len() - 1]).or_default().push((number, true));
        }
        let mut network =
            Network { nodes: Vec::new(), chains: Vec::new(), members: Vec::new(), tolerance, sides, origin, pixel };
        let mut node_of: HashMap<Corner, usize> = HashMap::new();
        let mut corners: Vec<Corner> = ends.keys().copied().collect();
        corners.sort_unstable();
        for corner in corners {
            let at = &ends[&corner];
            let [first, second] = [at.first(), at.last()].map(|end| end.is_some_and(|&(part, _)| parts[part].edge));
            if at.len() != 2 || first != second || first && sides.is_corner(corner) {
                node_of.insert(corner, network.nodes.len());
                network.nodes.push(Node { at: network.metres(corner), corner, ends: Vec::new() });
            }
        }
        // From nodes first; what is left are closed chains.
        let mut taken: HashMap<usize, (usize, bool)> = HashMap::new();
        let starts = (0..parts.len()).flat_map(|part| [(part, false), (part, true)]);
        let from_node = |&(part, reversed): &(usize, bool)| {
            let Part { corners, ring, .. } = &parts[part];
            let start = if reversed { corners.last() } else { corners.first() };
            !ring && start.is_some_and(|start| node_of.contains_key(start))
        };
        let ordered: Vec<(usize, bool)> =
            starts.clone().filter(from_node).chain((0..parts.len()).map(|part| (part, false))).collect();
        for start in ordered {
            if taken.contains_key(&start.0) {
                continue;
            }
            let chain = network.chains.len();
            let (mut corners, mut pieces, mut next) = (Vec::new(), Vec::new(), Some(start));
            while let Some((number, reversed)) = next.filter(|(part, _)| !taken.contains_key(part)) {
                taken.insert(number, (chain, reversed));
                corners.pop();
                let part = &parts[number];
                if reversed {
                    corners.extend(part.corners.iter().rev());
                } else {
                    corners.extend(&part.corners);
                }
                pieces.push(Piece {
                    arc: part.arc,
                    reversed,
                    number: part.number,
                    count: part.count,
                    ends: [part.corners[0], part.corners[part.corners.len() - 1]],
                    end: corners.len() - 1,
                });
                let end = corners[corners.len() - 1];
                let beyond = |&&(other, at_end): &&(usize, bool)| (other, at_end) != (number, !reversed);
                next = match ends.get(&end) {
                    Some(at) if !part.ring && !node_of.contains_key(&end) => at.iter().find(beyond).copied(),
                    _ => None,
                };
            }
            let part = &parts[start.0];
            let line = coverage.arc_at(part.arc);
            let (left, right) = if start.1 { (line.right, line.left) } else { (line.left, line.right) };
            let nodes = node_of.get(&corners[0]).zip(node_of.get(&corners[corners.len() - 1]));
            let nodes = nodes.map(|(&first, &last)| (first, last)).filter(|_| !part.ring);
            if let Some((first, last)) = nodes {
                network.nodes[first].ends.push(End { chain, last: false });
                network.nodes[last].ends.push(End { chain, last: true });
            }
            network.chains.push(Chain {
                points: corners.iter().map(|&corner| network.metres(corner)).collect(),
                nodes,
                sides: [left, right].map(|side| side.and_then(|region| member_of.get(&region).copied())),
                pieces,
                edge: part.edge,
            });
        }
        for &region in regions {
            let rings = coverage.rings(region).map(|ring| {
                let mut chains: Vec<(usize, bool)> = Vec::new();
                for half in ring.arcs() {
                    let parts = parts_of[&(half.arc as usize)].clone();
                    let count = parts.len();
                    for at in 0..count {
                        let (chain, reversed) = taken[&(parts.start + if half.reversed { count - 1 - at } else { at })];
                        let step = (chain, reversed != half.reversed);
                        if chains.last() != Some(&step) {
                            chains.push(step);
                        }
                    }
                }
                // A ring may begin in the middle of a chain.
                if chains.len() > 1 && chains.first() == chains.last() {
                    chains.pop();
                }
                (ring.outer, chains)
            });
            network.members.push(Member { region, rings: rings.collect() });
        }
        network
    }

    /// A corner in metres.
    pub(super) fn metres(&self, corner: Corner) -> Point {
        self.metres_of((f64::from(corner.col), f64::from(corner.row)))
    }

    /// A point in pixels.
    pub(super) fn pixels(&self, point: Point) -> Point {
        (point.0 / self.pixel.0 + f64::from(self.origin.col), point.1 / self.pixel.1 + f64::from(self.origin.row))
    }

    /// A point in metres.
    pub(super) fn metres_of(&self, (col, row): Point) -> Point {
        ((col - f64::from(self.origin.col)) * self.pixel.0, (row - f64::from(self.origin.row)) * self.pixel.1)
    }

    /// A corner where a point is one.
    pub(super) fn corner(&self, point: Point) -> Corner {
        let (col, row) = self.pixels(point);
        Corner { col: col.round() as u32, row: row.round() as u32 }
    }

    /// Columns and rows beyond which no wall moves.
    pub(super) fn reach(&self) -> (f64, f64) {
        (4.0 * self.tolerance / self.pixel.0, 4.0 * self.tolerance / self.pixel.1)
    }

    /// The points of a ring in metres, the first repeated at the end.
    pub(super) fn ring<'a>(&self, chains: &[(usize, bool)], points: &dyn Fn(usize) -> &'a [Point]) -> Vec<Point> {
        let mut ring = Vec::new();
        for &(chain, reversed) in chains {
            ring.pop();
            if reversed {
                ring.extend(points(chain).iter().rev());
            } else {
                ring.extend(points(chain));
            }
        }
        ring
    }
}
