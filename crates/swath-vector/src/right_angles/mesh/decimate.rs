//! Vertices that go because the boundary is cheaper without them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::super::cross;
use super::boundary::{Boundary, Knot, Line};
use super::energy::Energy;
use super::triangles::Triangles;

impl Boundary<'_> {
    /// Takes vertices out as long as each lowers the energy, the one that lowers it most first.
    pub(super) fn decimate(&mut self, mesh: &mut Triangles, energy: &Energy) {
        let mut stamps: HashMap<u32, u32> = HashMap::new();
        let mut heap: BinaryHeap<Reverse<Candidate>> = BinaryHeap::new();
        heap.extend(self.vertices().filter_map(|vertex| self.candidate(vertex, 0, mesh, energy)).map(Reverse));
        while let Some(Reverse(Candidate { vertex, stamp, .. })) = heap.pop() {
            if stamps.get(&vertex).copied().unwrap_or(0) != stamp {
                continue;
            }
            let Some(near) = self.remove(vertex, mesh) else { continue };
            stamps.insert(vertex, u32::MAX);
            for near in near {
                let stamp = stamps.entry(near).or_default();
                *stamp += 1;
                heap.extend(self.candidate(near, *stamp, mesh, energy).map(Reverse));
            }
        }
    }

    /// What taking a vertex out would change, if it may go and that lowers the energy.
    pub(super) fn candidate(
        &self,
        vertex: u32,
        stamp: u32,
        mesh: &mut Triangles,
        energy: &Energy,
    ) -> Option<Candidate> {
        let Some(Knot::On { line, before, after }) = self.knot(vertex) else { return None };
        let Line { labels, edge, .. } = self.lines[line];
        let [a, at, b] = [before, vertex, after].map(|vertex| mesh.places[vertex as usize]);
        if a == b || self.stays(line) || edge && cross(a, at, b) != 0.0 {
            return None;
        }
        let west = a.0.min(at.0).min(b.0);
        let cost = |from, to| energy.edge(from, to, labels, west);
        let edges = cost(a, b) - cost(a, at) - cost(at, b);
        let corners = if energy.slant > 0.0 {
            let old = self.corners(&[before, vertex, after], mesh, energy);
            // As if the vertex lay on the line, where it costs nothing.
            let stood = std::mem::replace(
                &mut mesh.places[vertex as usize],
                (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1)),
            );
            let new = self.corners(&[before, vertex, after], mesh, energy);
            mesh.places[vertex as usize] = stood;
            new - old
        } else {
            0.0
        };
        let change = edges + corners - self.weight(vertex) * energy.vertex;
        (change < 0.0).then_some(Candidate { change, vertex, stamp })
    }

    /// The price of the corners at some vertices.
    fn corners(&self, vertices: &[u32], mesh: &Triangles, energy: &Energy) -> f64 {
        let place = |vertex: u32| mesh.places[vertex as usize];
        let corner = |&vertex: &u32| {
            let near = self.neighbours(vertex);
            let pairs = (0..near.len()).flat_map(|a| (a + 1..near.len()).map(move |b| (a, b)));
            let price: f64 = pairs.map(|(a, b)| energy.corner([vertex, near[a].0, near[b].0].map(place))).sum();
            self.weight(vertex) * price
        };
        vertices.iter().map(corner).sum()
    }
}

/// By change of energy, then by vertex, so that the order does not depend on chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    change: f64,
    vertex: u32,
    stamp: u32,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.change.total_cmp(&other.change).then(self.vertex.cmp(&other.vertex)).then(self.stamp.cmp(&other.stamp))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
