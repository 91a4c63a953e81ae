//! Gaps in a line: ways around them that are short for the line's width go.

use std::collections::{BTreeMap, BTreeSet};
use std::f64::consts::SQRT_2;

use super::graph::{Edge, Graph, Node, Stop};
use super::lines::{gap, length, smoothed};
use super::width::typical;

impl Graph {
    /// Takes loops away that lead around a gap in a line; whether there was one. They are measured as they will be drawn: crossings that
    /// were joined pull the ends of a loop away from it.
    pub(super) fn close_gaps(&mut self) -> bool {
        let mut found = false;
        for edge in 0..self.edges.len() as u32 {
            let around = &self.edges[edge as usize];
            let [from, to] = around.ends;
            if around.gone || from != to {
                continue;
            }
            let drawn = smoothed(&self.line(around, |stop| stop.at), false);
            let width = typical(around.points.iter().map(|stop| stop.width).collect()).unwrap_or(0.0);
            if is_gap(length(&drawn), width.max(self.nodes[from as usize].width)) {
                self.remove(edge);
                self.end_beyond(from, edge);
                found = true;
            }
        }
        found
    }

    /// Leads a line that ends at a gap on to the farthest point of the way around it: the class goes on as far, at least.
    fn end_beyond(&mut self, node: u32, around: u32) {
        let place = self.nodes[node as usize].place();
        let far = |stop: &&Stop| gap(place, stop.at);
        let farthest = self.edges[around as usize].points.iter().max_by(|a, b| far(a).total_cmp(&far(b)));
        if let Some(end) = farthest.filter(|_| self.nodes[node as usize].degree() == 1).map(Node::at) {
            let end = self.add(end);
            self.connect(Edge { ends: [node, end], points: Vec::new(), gone: false });
        }
    }

    /// Makes one node of those around a gap, the shortest way around first; whether there was one. What goes on from any of them goes on from
    /// there: without the way around it would be a dead end.
    pub(super) fn join_around_gaps(&mut self) -> bool {
        let all = (0..self.edges.len() as u32).filter_map(|edge| Some((self.around(edge)?.0, edge)));
        let mut gaps: Vec<(f64, u32)> = all.collect();
        gaps.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for &(_, edge) in &gaps {
            // Those before may have changed it.
            let Some((_, others)) = self.around(edge) else { continue };
            for edge in others.into_iter().chain([edge]) {
                match self.edges[edge as usize].ends {
                    [from, to] if from == to => self.remove(edge),
                    _ => self.contract(edge),
                }
            }
        }
        !gaps.is_empty()
    }

    /// The shortest way around a gap that an edge is part of: its length, and the other edges.
    fn around(&self, edge: u32) -> Option<(f64, Vec<u32>)> {
        let Edge { ends: [from, to], gone, .. } = self.edges[edge as usize];
        if gone || from == to {
            return None;
        }
        let length = self.length(edge);
        let width = self.nodes[from as usize].road().max(self.nodes[to as usize].road());
        // For each node that was reached how far it is, and the edge that leads there.
        let mut reached = BTreeMap::from([(from, (0.0, edge))]);
        let mut open = BTreeSet::from([(0, from)]);
        while let Some((_, node)) = open.pop_first() {
            let far = reached[&node].0;
            if node == to {
                return Some((length + far, self.back(from, to, &reached)));
            }
            for &next in self.nodes[node as usize].edges.iter().filter(|&&next| next != edge) {
                let [a, b] = self.edges[next as usize].ends;
                let (other, far) = (if a == node { b } else { a }, far + self.length(next));
                if is_gap(length + far, width) && reached.get(&other).is_none_or(|&(before, _)| far < before) {
                    if let Some((before, _)) = reached.insert(other, (far, next)) {
                        open.remove(&(before.to_bits(), other));
                    }
                    open.insert((far.to_bits(), other));
                }
            }
        }
        None
    }

    /// The edges that lead from a node to another one.
    fn back(&self, from: u32, to: u32, reached: &BTreeMap<u32, (f64, u32)>) -> Vec<u32> {
        let (mut way, mut node) = (Vec::new(), to);
        while node != from {
            let edge = reached[&node].1;
            way.push(edge);
            let [a, b] = self.edges[edge as usize].ends;
            node = if a == node { b } else { a };
        }
        way
    }
}

impl Node {
    /// How wide the roads are that meet here: where two cross, the widest circle reaches into all four corners.
    fn road(&self) -> f64 {
        if self.edges.len() > 3 { self.width / SQRT_2 } else { self.width }
    }
}

/// Whether a loop leads around a gap in a line, by the loop's length and the line's width: a pixel that is missing is a gap even where the
/// line is narrow beside it.
pub(super) fn is_gap(length: f64, width: f64) -> bool {
    length <= 4.0 * width + 4.0
}
