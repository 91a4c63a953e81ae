//! Rounds of moves, as long as they lower the energy.

use std::collections::BTreeSet;

use super::boundary::Boundary;
use super::energy::Energy;
use super::triangles::Triangles;
use crate::Point;

/// What changes with some vertices.
struct Star {
    /// The lines between them and to their neighbours, with the labels on the left and the right.
    lines: Vec<(u32, u32, [u32; 2])>,
    /// The corners there and at the neighbours, with the vertices to which their two lines lead and what part of the price holds.
    corners: Vec<([u32; 3], f64)>,
}

impl Boundary<'_> {
    /// Moves vertices and walls, and takes vertices out, as long as that lowers the energy.
    pub(super) fn relax(&mut self, mesh: &mut Triangles, energy: &Energy) {
        // Where nothing has changed near a vertex, it has been tried.
        let mut awake: BTreeSet<u32> = self.vertices().collect();
        for _ in 0..ROUNDS {
            for vertex in std::mem::take(&mut awake) {
                if self.knot(vertex).is_none() {
                    continue;
                }
                let near = self.near(vertex);
                let changed =
                    if self.candidate(vertex, 0, mesh, energy).is_some() && self.remove(vertex, mesh).is_some() {
                        true
                    } else {
                        let joined = self.join_walls(vertex, mesh, energy);
                        let turned = self.move_wall(vertex, mesh, energy);
                        self.move_vertex(vertex, mesh, energy) || joined || turned
                    };
                if changed {
                    awake.extend(near);
                }
            }
        }
    }

    /// A vertex and those that are up to three lines away.
    fn near(&self, vertex: u32) -> Vec<u32> {
        let mut near = vec![vertex];
        let mut from = 0;
        for _ in 0..3 {
            let to = near.len();
            for at in from..to {
                for (other, _) in self.neighbours(near[at]) {
                    if !near.contains(&other) {
                        near.push(other);
                    }
                }
            }
            from = to;
        }
        near
    }

    fn star(&self, vertices: &[u32]) -> Star {
        let mut star = Star { lines: Vec::new(), corners: Vec::new() };
        let mut corners: Vec<u32> = vertices.to_vec();
        for (number, &vertex) in vertices.iter().enumerate() {
            for (near, labels) in self.neighbours(vertex) {
                if !vertices[..number].contains(&near) {
                    star.lines.push((vertex, near, labels));
                }
                if !corners.contains(&near) {
                    corners.push(near);
                }
            }
        }
        for at in corners {
            let near = self.neighbours(at);
            let pairs = (0..near.len()).flat_map(|a| (a + 1..near.len()).map(move |b| (a, b)));
            star.corners.extend(pairs.map(|(a, b)| ([at, near[a].0, near[b].0], self.weight(at))));
        }
        star
    }

    /// Makes the best of some moves of vertices, which save a price besides, if it lowers the energy and the mesh allows it.
    pub(super) fn best<const N: usize>(
        &self,
        vertices: [u32; N],
        options: Vec<[Point; N]>,
        saved: f64,
        mesh: &mut Triangles,
        energy: &Energy,
    ) -> bool {
        let star = self.star(&vertices);
        let old = vertices.map(|vertex| mesh.places[vertex as usize]);
        let near = star.lines.iter().flat_map(|&(from, to, _)| [from, to]).map(|vertex| mesh.places[vertex as usize]);
        let west = near.chain(options.iter().flatten().copied()).fold(f64::INFINITY, |west, (x, _)| west.min(x));
        let stands = star.energy(mesh, energy, west);
        let mut found: Vec<(f64, [Point; N])> = Vec::new();
        for option in options {
            vertices.iter().zip(option).for_each(|(&vertex, to)| mesh.places[vertex as usize] = to);
            let change = star.energy(mesh, energy, west) - stands - saved;
            if change < -LEAST * energy.vertex {
                found.push((change, option));
            }
        }
        vertices.iter().zip(old).for_each(|(&vertex, from)| mesh.places[vertex as usize] = from);
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(TRIED);
        found.into_iter().any(|(_, option)| {
            let done = vertices.iter().zip(option).take_while(|&(&vertex, to)| mesh.shift(vertex, to)).count();
            if done == N {
                return true;
            }
            // Back where it was, which the mesh cannot refuse: the triangles there stood.
            done > 0 && !(0..done).rev().all(|at| mesh.shift(vertices[at], old[at]))
        })
    }
}

impl Star {
    fn energy(&self, mesh: &Triangles, energy: &Energy, west: f64) -> f64 {
        let place = |vertex: u32| mesh.places[vertex as usize];
        let lines: f64 =
            self.lines.iter().map(|&(from, to, labels)| energy.edge(place(from), place(to), labels, west)).sum();
        let corners = self.corners.iter().filter(|_| energy.slant > 0.0);
        lines + corners.map(|(corner, weight)| weight * energy.corner(corner.map(place))).sum::<f64>()
    }
}

/// Rounds over all vertices at most.
const ROUNDS: usize = 12;
/// Prices of a vertex by which a move has to pay.
const LEAST: f64 = 1e-4;
/// Moves that are tried on the mesh.
const TRIED: usize = 3;
