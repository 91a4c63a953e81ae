//! New lines for one group: a circle, a mesh or walls, whichever comes first and may stand.

use super::super::frame::Frame;
use super::super::layout::Layout;
use super::super::mesh::fit_mesh;
use super::super::near::Near;
use super::super::network::Network;
use super::super::strokes::fit_walls;
use super::super::walls::straight;
use super::super::{ASTRAY, Regularity, area, round};
use super::{Groups, RightAngleMethod};
use crate::{Lines, Point};

impl Groups {
    /// New arcs for a group.
    pub(super) fn solve(&self, network: &Network, lines: &Lines<'_>, near: &Near) -> Solved {
        if let Some(circle) = circle(network)
            && let Ok(drawing) = circle.draw(network, lines.coverage())
            && let Ok(drawing) = self.check(network, drawing, lines, near)
        {
            return (drawing, vec![Regularity::Round]);
        }
        let by_mesh = match self.method {
            RightAngleMethod::Mesh => self.solve_by_mesh(network, lines, near),
            RightAngleMethod::Walls => None,
        };
        match by_mesh {
            // Where it keeps the stairs of a member, walls may fit all of them.
            Some(solved) if kept_of(&solved) > 0 => {
                let by_walls = self.solve_by_walls(network, lines, near);
                if kept_of(&by_walls) < kept_of(&solved) { by_walls } else { solved }
            }
            Some(solved) => solved,
            None => self.solve_by_walls(network, lines, near),
        }
    }

    /// New arcs for a group by walls. Members that cannot have right angles stay as they are with all of their boundaries, and the others are
    /// tried again without them.
    fn solve_by_walls(&self, network: &Network, lines: &Lines<'_>, near: &Near) -> Solved {
        let mut kept: Vec<Option<&'static str>> = vec![None; network.members.len()];
        let mut holes = vec![false; network.chains.len()];
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
                    let mut verdict = layout.judge(network);
                    if is_astray(network, &layout, frames) {
                        verdict.cost *= ASTRAY;
                    }
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
        (drawing, regularity(&kept))
    }

    /// New arcs for a group by a mesh. What is refused is tried again with half the tolerance, and stays as it is after [`LEAST`] of it, or when
    /// it keeps the stairs of pixels: members with all of their boundaries, holes alone. `None` when that would be all members.
    fn solve_by_mesh(&self, network: &Network, lines: &Lines<'_>, near: &Near) -> Option<Solved> {
        let mut members = vec![1.0; network.members.len()];
        let mut kept: Vec<Option<&'static str>> = vec![None; network.members.len()];
        let mut chains = vec![1.0; network.chains.len()];
        for _ in 0..TRIES {
            let share = |(chain, own): (usize, &f64)| {
                let sides = network.chains[chain].sides.iter().flatten();
                sides.map(|&member| members[member]).fold(*own, f64::min)
            };
            let shares: Vec<f64> = chains.iter().enumerate().map(share).collect();
            let layout = fit_mesh(network, &shares)?;
            let verdict = layout.judge(network);
            let mut refused = verdict.refused;
            for member in layout.with_stairs(network) {
                members[member] = 0.0;
                refused.push((member, "kept: stairs"));
            }
            if refused.is_empty() && verdict.holes.is_empty() {
                let drawn = layout.draw(network, lines.coverage());
                match drawn.and_then(|drawn| self.check(network, drawn, lines, near)) {
                    Ok(drawn) => return Some((drawn, regularity(&kept))),
                    Err(members) => refused.extend(members.into_iter().map(|member| (member, "kept: crosses itself"))),
                }
            }
            if !verdict.holes.is_empty() {
                small_holes(network).into_iter().for_each(|chain| chains[chain] = 0.0);
            }
            let fewer = |share: f64| if share > LEAST { share / 2.0 } else { 0.0 };
            let mut holes = verdict.holes;
            holes.sort_unstable();
            holes.dedup();
            holes.into_iter().for_each(|chain| chains[chain] = fewer(chains[chain]));
            refused.sort_unstable();
            refused.dedup_by_key(|(member, _)| *member);
            for (member, reason) in refused {
                members[member] = fewer(members[member]);
                if members[member] == 0.0 {
                    kept[member].get_or_insert(reason);
                }
            }
            if kept.iter().all(Option::is_some) {
                break;
            }
        }
        None
    }
}

/// New arcs, and what became of each member.
type Solved = (Vec<(usize, Vec<Point>)>, Vec<Regularity>);

/// How many members stayed as they were.
fn kept_of((_, regularity): &Solved) -> usize {
    regularity.iter().filter(|regularity| matches!(regularity, Regularity::Kept(_))).count()
}

/// What became of members, given why some stayed as they were.
fn regularity(kept: &[Option<&'static str>]) -> Vec<Regularity> {
    let squared =
        if kept.iter().filter(|kept| kept.is_none()).count() > 1 { Regularity::Together } else { Regularity::Squared };
    kept.iter().map(|kept| kept.map_or(squared, Regularity::Kept)).collect()
}

/// The chains of holes that are smaller than the square of two tolerances.
fn small_holes(network: &Network) -> Vec<usize> {
    let small = 4.0 * network.tolerance * network.tolerance;
    let holes = network.members.iter().flat_map(|member| &member.rings).filter(|(outer, chains)| {
        !outer && area(&network.ring(chains, &|chain| &network.chains[chain].points)).abs() < small
    });
    holes.flat_map(|(_, chains)| chains).map(|&(chain, _)| chain).collect()
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

/// Whether most walls are oblique to the frames.
fn is_astray(network: &Network, layout: &Layout, frames: &[Frame]) -> bool {
    let shares = network.members.iter().zip(frames).map(|(member, frame)| {
        let outer = member.rings.iter().find(|(outer, _)| *outer);
        outer.map_or(0.0, |(_, chains)| frame.oblique(&network.ring(chains, &|chain| layout.points(network, chain))))
    });
    shares.sum::<f64>() > 0.5 * network.members.len() as f64
}

/// How often what is left of a group is tried again.
const ROUNDS: usize = 16;
/// How often a mesh is tried.
const TRIES: usize = 8;
/// Share of the tolerance after which a mesh is not tried with less.
const LEAST: f64 = 0.25;
