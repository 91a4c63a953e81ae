//! New lines for one group: a circle, a mesh or walls, whichever comes first and may stand.

use super::super::frame::Frame;
use super::super::layout::Layout;
use super::super::mesh::fit_mesh;
use super::super::near::Near;
use super::super::network::Network;
use super::super::strokes::fit_walls;
use super::super::walls::straight;
use super::super::{Regularity, area, round};
use super::{Groups, RightAngleMethod};
use crate::{Lines, Point};

impl Groups {
    /// New arcs for a group. Members that cannot have right angles stay as they are with all of their boundaries, and the others are
    /// tried again without them.
    pub(super) fn solve(
        &self,
        network: &Network,
        lines: &Lines<'_>,
        near: &Near,
    ) -> (Vec<(usize, Vec<Point>)>, Vec<Regularity>) {
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
            && let Some(drawing) = self.solve_by_mesh(network, lines, near)
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

    /// New arcs for a group by a mesh. Members for which the result is refused are tried again with half the tolerance.
    fn solve_by_mesh(&self, network: &Network, lines: &Lines<'_>, near: &Near) -> Option<Vec<(usize, Vec<Point>)>> {
        let mut shares = vec![1.0; network.members.len()];
        for _ in 0..TRIES {
            let layout = fit_mesh(network, &shares)?;
            let verdict = layout.judge(network);
            let mut refused: Vec<usize> = verdict.refused.iter().map(|&(member, _)| member).collect();
            refused.extend(verdict.holes.iter().flat_map(|&chain| network.chains[chain].sides.iter().flatten()));
            if refused.is_empty() {
                let drawn = layout.draw(network, lines.coverage());
                match drawn.and_then(|drawn| self.check(network, drawn, lines, near)) {
                    Ok(drawn) => return Some(drawn),
                    Err(members) => refused = members,
                }
            }
            refused.sort_unstable();
            refused.dedup();
            refused.into_iter().for_each(|member| shares[member] /= 2.0);
        }
        None
    }
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

/// How often what is left of a group is tried again.
const ROUNDS: usize = 16;
/// How often a mesh is tried.
const TRIES: usize = 4;
