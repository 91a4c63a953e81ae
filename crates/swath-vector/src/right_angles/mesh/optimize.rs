//! Boundaries on the mesh, and the moves that make them cheaper.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use super::super::layout::Layout;
use super::super::network::{End, Network, Window};
use super::super::walls::line_meet;
use super::super::{cross, gap};
use super::energy::Energy;
use super::triangles::Triangles;
use crate::Point;

/// The boundaries of a network as vertices of the mesh.
#[derive(Debug)]
pub(super) struct Boundary<'a> {
    network: &'a Network,
    lines: Vec<Line>,
    /// The mesh's vertices of the nodes.
    nodes: Vec<u32>,
    knots: HashMap<u32, Knot>,
}

/// A chain.
#[derive(Debug)]
struct Line {
    /// Its first and last vertex; a closed one ends where it begins.
    first: u32,
    last: u32,
    /// Next to the first and the last vertex.
    second: u32,
    before_last: u32,
    /// How many vertices, a closed one's first counted once.
    count: usize,
    labels: [u32; 2],
    closed: bool,
    /// Whether it runs along the raster's edge and stays there.
    edge: bool,
}

/// What a vertex of a boundary is.
#[derive(Debug, Clone, Copy)]
enum Knot {
    Node(usize),
    On { line: usize, before: u32, after: u32 },
}

impl<'a> Boundary<'a> {
    pub(super) fn new(network: &'a Network, window: &Window) -> Boundary<'a> {
        let mut boundary = Boundary { network, lines: Vec::new(), nodes: Vec::new(), knots: HashMap::new() };
        for (number, node) in network.nodes.iter().enumerate() {
            let vertex = window.vertex(node.corner);
            boundary.nodes.push(vertex);
            boundary.knots.insert(vertex, Knot::Node(number));
        }
        for (line, chain) in network.chains.iter().enumerate() {
            let corners: Vec<_> = chain.points.iter().map(|&point| network.corner(point)).collect();
            let mut vertices = vec![window.vertex(corners[0])];
            for pair in corners.windows(2) {
                vertices.extend(window.between(pair[0], pair[1]));
            }
            let closed = chain.is_closed();
            let last = vertices.len() - 1;
            for at in usize::from(!closed)..last {
                let before = vertices[if at > 0 { at - 1 } else { last - 1 }];
                boundary.knots.insert(vertices[at], Knot::On { line, before, after: vertices[at + 1] });
            }
            boundary.lines.push(Line {
                first: vertices[0],
                last: vertices[last],
                second: vertices[1],
                before_last: vertices[last - 1],
                count: if closed { last } else { last + 1 },
                labels: chain.sides.map(|side| side.map_or(0, |member| member as u32 + 1)),
                closed,
                edge: chain.edge,
            });
        }
        boundary
    }

    /// Whether a vertex is on a boundary.
    pub(super) fn has(&self, vertex: u32) -> bool {
        self.knots.contains_key(&vertex)
    }

    /// Takes vertices out as long as each lowers the energy, the one that lowers it most first.
    pub(super) fn decimate(&mut self, mesh: &mut Triangles, energy: &Energy) {
        let mut stamps: HashMap<u32, u32> = HashMap::new();
        let mut heap: BinaryHeap<Reverse<Candidate>> = BinaryHeap::new();
        let mut all: Vec<u32> = self.knots.keys().copied().collect();
        all.sort_unstable();
        heap.extend(all.into_iter().filter_map(|vertex| self.candidate(vertex, 0, mesh, energy)).map(Reverse));
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

    /// Moves vertices and walls, and takes vertices out, as long as that lowers the energy.
    pub(super) fn relax(&mut self, mesh: &mut Triangles, energy: &Energy) {
        // Where nothing has changed near a vertex, it has been tried.
        let mut awake: BTreeSet<u32> = self.knots.keys().copied().collect();
        for _ in 0..ROUNDS {
            for vertex in std::mem::take(&mut awake) {
                if !self.has(vertex) {
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

    /// The lines as they are now.
    pub(super) fn layout(&self, mesh: &Triangles) -> Layout {
        let mut layout = Layout::unchanged(self.network);
        let place = |vertex: u32| mesh.places[vertex as usize];
        for (number, &vertex) in self.nodes.iter().enumerate() {
            layout.nodes[number] = place(vertex);
        }
        for (number, line) in self.lines.iter().enumerate() {
            let mut points = vec![place(line.first)];
            let mut at = line.second;
            while at != line.last {
                points.push(place(at));
                let Some(&Knot::On { after, .. }) = self.knots.get(&at) else { break };
                at = after;
            }
            points.push(place(line.last));
            layout.chains[number] = Some(points);
        }
        layout
    }

    /// What taking a vertex out would change, if it may go and that lowers the energy.
    fn candidate(&self, vertex: u32, stamp: u32, mesh: &mut Triangles, energy: &Energy) -> Option<Candidate> {
        let Some(&Knot::On { line, before, after }) = self.knots.get(&vertex) else { return None };
        let Line { labels, closed, count, edge, .. } = self.lines[line];
        let [a, at, b] = [before, vertex, after].map(|vertex| mesh.places[vertex as usize]);
        if count <= if closed { 3 } else { 2 } || a == b || edge && cross(a, at, b) != 0.0 {
            return None;
        }
        let edges = energy.edge(a, b, labels) - energy.edge(a, at, labels) - energy.edge(at, b, labels);
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
        let change = edges + corners - energy.vertex;
        (change < 0.0).then_some(Candidate { change, vertex, stamp })
    }

    /// Takes a vertex out, if the mesh allows it; its neighbours then.
    fn remove(&mut self, vertex: u32, mesh: &mut Triangles) -> Option<[u32; 2]> {
        let Some(&Knot::On { line, before, after }) = self.knots.get(&vertex) else { return None };
        if !mesh.remove(vertex) {
            return None;
        }
        self.knots.remove(&vertex);
        let ends = &mut self.lines[line];
        ends.count -= 1;
        if ends.closed && ends.first == vertex {
            (ends.first, ends.last) = (after, after);
            ends.before_last = before;
            ends.second = match self.knots.get(&after) {
                Some(&Knot::On { after, .. }) => after,
                _ => ends.second,
            };
        } else {
            ends.second = if ends.second == vertex { after } else { ends.second };
            ends.before_last = if ends.before_last == vertex { before } else { ends.before_last };
        }
        if let Some(Knot::On { after: link, .. }) = self.knots.get_mut(&before) {
            *link = after;
        }
        if let Some(Knot::On { before: link, .. }) = self.knots.get_mut(&after) {
            *link = before;
        }
        Some([before, after])
    }

    /// The vertices that a vertex has lines to, with the labels on the left and the right on the way there.
    fn neighbours(&self, vertex: u32) -> Vec<(u32, [u32; 2])> {
        let turned = |[left, right]: [u32; 2]| [right, left];
        match self.knots[&vertex] {
            Knot::On { line, before, after } => {
                let labels = self.lines[line].labels;
                vec![(before, turned(labels)), (after, labels)]
            }
            Knot::Node(node) => {
                let ends = self.network.nodes[node].ends.iter();
                let end = |end: &End| {
                    let line = &self.lines[end.chain];
                    if end.last { (line.before_last, turned(line.labels)) } else { (line.second, line.labels) }
                };
                ends.map(end).collect()
            }
        }
    }

    /// The price of the corners at some vertices.
    fn corners(&self, vertices: &[u32], mesh: &Triangles, energy: &Energy) -> f64 {
        let place = |vertex: u32| mesh.places[vertex as usize];
        let corner = |&vertex: &u32| {
            let near = self.neighbours(vertex);
            let pairs = (0..near.len()).flat_map(|a| (a + 1..near.len()).map(move |b| (a, b)));
            pairs.map(|(a, b)| energy.corner(place(vertex), place(near[a].0), place(near[b].0))).sum::<f64>()
        };
        vertices.iter().map(corner).sum()
    }

    /// The energy of all that changes with some vertices: the lines to their neighbours, and the corners there.
    fn around(&self, vertices: &[u32], mesh: &Triangles, energy: &Energy) -> f64 {
        let mut corners: Vec<u32> = vertices.to_vec();
        let mut total = 0.0;
        for (number, &vertex) in vertices.iter().enumerate() {
            for (near, labels) in self.neighbours(vertex) {
                if !vertices[..number].contains(&near) {
                    total += energy.edge(mesh.places[vertex as usize], mesh.places[near as usize], labels);
                }
                if !corners.contains(&near) {
                    corners.push(near);
                }
            }
        }
        total + self.corners(&corners, mesh, energy)
    }

    /// Whether a vertex may move: none does that is on the raster's edge.
    fn is_free(&self, vertex: u32) -> bool {
        match self.knots[&vertex] {
            Knot::On { line, .. } => !self.lines[line].edge,
            Knot::Node(node) => self.network.nodes[node].ends.iter().all(|end| !self.lines[end.chain].edge),
        }
    }

    /// Moves a vertex to the best of some places.
    fn move_vertex(&self, vertex: u32, mesh: &mut Triangles, energy: &Energy) -> bool {
        if !self.is_free(vertex) {
            return false;
        }
        let at = mesh.places[vertex as usize];
        let mut places = Vec::new();
        let near = self.neighbours(vertex);
        if let [(a, _), (b, _)] = near[..] {
            let [a, b] = [a, b].map(|vertex| mesh.places[vertex as usize]);
            // On the circle over the line between the neighbours corners are right.
            let (middle, radius) = ((f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1)), gap(a, b) / 2.0);
            let away = gap(at, middle).max(f64::MIN_POSITIVE);
            places.push((middle.0 + (at.0 - middle.0) * radius / away, middle.1 + (at.1 - middle.1) * radius / away));
        }
        for step in STEPS {
            let step = step * self.network.tolerance;
            for (x, y) in DIRECTIONS {
                places.push((at.0 + step * x, at.1 + step * y));
            }
        }
        let reach = REACH * self.network.tolerance;
        let options = places.into_iter().filter(|place| gap(*place, at) <= reach).map(|place| vec![(vertex, place)]);
        self.best(&[vertex], options, 0.0, mesh, energy)
    }

    /// Turns or shifts the wall from a vertex to the next one; their other walls keep their directions.
    fn move_wall(&self, vertex: u32, mesh: &mut Triangles, energy: &Energy) -> bool {
        let Knot::On { before, after: next, .. } = self.knots[&vertex] else { return false };
        let Some(&Knot::On { after, .. }) = self.knots.get(&next) else { return false };
        if before == next || after == vertex || after == before || !self.is_free(vertex) || !self.is_free(next) {
            return false;
        }
        let [a, p, q, b] = [before, vertex, next, after].map(|vertex| mesh.places[vertex as usize]);
        let unit = |from: Point, to: Point| {
            let length = gap(from, to).max(f64::MIN_POSITIVE);
            ((to.0 - from.0) / length, (to.1 - from.1) / length)
        };
        let (wall, first, last) = (unit(p, q), unit(a, p), unit(q, b));
        let middle = (f64::midpoint(p.0, q.0), f64::midpoint(p.1, q.1));
        let normal = (-wall.1, wall.0);
        // The wall through a point in a direction, between the lines of its neighbours.
        let through = |at: Point, along: Point| Some((line_meet(at, along, p, first)?, line_meet(at, along, q, last)?));
        let mut options: Vec<Option<(Point, Point)>> = Vec::new();
        for other in [first, last] {
            let right = (-other.1, other.0);
            let along = if (wall.0 * right.0 + wall.1 * right.1).abs() > 0.7 { right } else { other };
            options.push(through(middle, along));
            // Parallel neighbours meet no wall: then its ends turn around its middle.
            let half = gap(p, q) / 2.0 * (along.0 * wall.0 + along.1 * wall.1).signum();
            let end = |sign: f64| (middle.0 + sign * half * along.0, middle.1 + sign * half * along.1);
            options.push(Some((end(-1.0), end(1.0))));
        }
        for step in STEPS {
            for sign in [-1.0, 1.0] {
                let step = sign * step * self.network.tolerance;
                options.push(through((middle.0 + step * normal.0, middle.1 + step * normal.1), wall));
            }
        }
        let reach = REACH * self.network.tolerance;
        let options = options.into_iter().flatten().filter(|(to, end)| gap(*to, p) <= reach && gap(*end, q) <= reach);
        self.best(&[vertex, next], options.map(|(to, end)| vec![(vertex, to), (next, end)]), 0.0, mesh, energy)
    }

    /// Makes one wall of the two on both sides of a short one, through its middle: its ends come to lie on the new wall, and may go.
    fn join_walls(&self, vertex: u32, mesh: &mut Triangles, energy: &Energy) -> bool {
        let Knot::On { before, after: next, .. } = self.knots[&vertex] else { return false };
        let Some(&Knot::On { after, .. }) = self.knots.get(&next) else { return false };
        let four = [before, vertex, next, after];
        if (0..4).any(|a| four[..a].contains(&four[a])) || !four[1..3].iter().all(|&vertex| self.is_free(vertex)) {
            return false;
        }
        let [a, p, q, b] = four.map(|vertex| mesh.places[vertex as usize]);
        let middle = (f64::midpoint(p.0, q.0), f64::midpoint(p.1, q.1));
        if gap(p, q) > JOIN * self.network.tolerance {
            return false;
        }
        // The direction of the wall before, where it ends at another wall.
        let line = |vertex: u32, other: u32, at: Point| {
            let Some(&Knot::On { before, after, .. }) = self.knots.get(&vertex) else { return None };
            let beyond = mesh.places[if before == other { after } else { before } as usize];
            self.is_free(vertex).then_some((at.0 - beyond.0, at.1 - beyond.1))
        };
        let ends = [line(before, vertex, a), line(after, next, b)];
        let unit = |(x, y): Point| (x / x.hypot(y).max(f64::MIN_POSITIVE), y / x.hypot(y).max(f64::MIN_POSITIVE));
        let straight = unit((b.0 - a.0, b.1 - a.1));
        let mut along = vec![straight];
        along.extend(ends.iter().flatten().map(|&(x, y)| unit((-y, x))));
        let options = along.into_iter().filter_map(|along| {
            let end = |at: Point, other: Option<Point>| match other {
                Some(other) => line_meet(middle, along, at, unit(other)),
                None => Some(at),
            };
            let (first, last) = (end(a, ends[0])?, end(b, ends[1])?);
            let onto = |point: Point| {
                let (x, y) = (last.0 - first.0, last.1 - first.1);
                let share =
                    ((point.0 - first.0) * x + (point.1 - first.1) * y) / (x * x + y * y).max(f64::MIN_POSITIVE);
                (first.0 + share * x, first.1 + share * y)
            };
            let reach = REACH * self.network.tolerance;
            let places = [first, onto(p), onto(q), last];
            let near = places.iter().zip([a, p, q, b]).all(|(&to, from)| gap(to, from) <= reach);
            near.then(|| four.into_iter().zip(places).collect::<Vec<_>>())
        });
        let options: Vec<_> = options.collect();
        self.best(&four, options.into_iter(), 2.0 * energy.vertex, mesh, energy)
    }

    /// Makes the best of some moves, which save a price besides, if it lowers the energy and the mesh allows it.
    fn best(
        &self,
        vertices: &[u32],
        options: impl Iterator<Item = Vec<(u32, Point)>>,
        saved: f64,
        mesh: &mut Triangles,
        energy: &Energy,
    ) -> bool {
        let old: Vec<(u32, Point)> = vertices.iter().map(|&vertex| (vertex, mesh.places[vertex as usize])).collect();
        let stands = self.around(vertices, mesh, energy);
        let mut found: Vec<(f64, Vec<(u32, Point)>)> = Vec::new();
        for option in options {
            option.iter().for_each(|&(vertex, to)| mesh.places[vertex as usize] = to);
            let change = self.around(vertices, mesh, energy) - stands - saved;
            if change < -LEAST * energy.vertex {
                found.push((change, option));
            }
        }
        old.iter().for_each(|&(vertex, from)| mesh.places[vertex as usize] = from);
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(TRIED);
        found.into_iter().any(|(_, option)| {
            let done = option.iter().take_while(|&&(vertex, to)| mesh.shift(vertex, to)).count();
            if done == option.len() {
                return true;
            }
            // Back where it was, which the mesh cannot refuse: the triangles there stood.
            done > 0 && !old[..done].iter().rev().all(|&(vertex, from)| mesh.shift(vertex, from))
        })
    }
}

/// By change of energy, then by vertex, so that the order does not depend on chance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
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

/// Rounds over all vertices at most.
const ROUNDS: usize = 12;
/// Lengths of moves, in tolerances.
const STEPS: [f64; 4] = [1.0, 0.4, 0.15, 0.05];
const DIRECTIONS: [Point; 8] =
    [(1.0, 0.0), (0.7, 0.7), (0.0, 1.0), (-0.7, 0.7), (-1.0, 0.0), (-0.7, -0.7), (0.0, -1.0), (0.7, -0.7)];
/// Tolerances that a wall is long at most between two that become one.
const JOIN: f64 = 3.0;
/// Tolerances that a vertex moves at once.
const REACH: f64 = 2.0;
/// Prices of a vertex by which a move has to pay.
const LEAST: f64 = 1e-4;
/// Moves that are tried on the mesh.
const TRIED: usize = 3;
