//! Visvalingam and Whyatt 1993, over all arcs at once: the corner with the smallest triangle of the whole coverage goes first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::index::{CornerIndex, last};
use super::{Chords, cross};
use crate::{Corner, Coverage};

pub(super) fn simplify(coverage: &mut Coverage, tolerance: f64, pixel: &dyn Fn(Corner) -> (f64, f64)) {
    let mut work = Work::new(coverage, pixel);
    work.run(tolerance * tolerance);
    work.store(coverage);
}

struct Work<'a> {
    pixel: &'a dyn Fn(Corner) -> (f64, f64),
    vertices: Vec<Vertex>,
    arcs: Vec<Line>,
    heap: BinaryHeap<Reverse<Candidate>>,
    index: CornerIndex,
    chords: Chords,
    /// Vertices that another one is in the way of, by that one.
    waiting: HashMap<Corner, Vec<u32>>,
}

#[derive(Debug, Clone, Copy)]
struct Vertex {
    corner: Corner,
    before: u32,
    after: u32,
    arc: u32,
    /// Counts changes of its triangle, so that older candidates are known; [`GONE`] when removed.
    stamp: u32,
}

/// An arc as vertices.
#[derive(Debug, Clone, Copy)]
struct Line {
    first: u32,
    /// Different corners that are left.
    corners: u32,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Between two nodes.
    Open,
    /// From a node to itself.
    Loop,
    /// Closed and without a node: every vertex may go.
    Ring,
}

/// By area, then by vertex, so that the order does not depend on chance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    area: f64,
    vertex: u32,
    stamp: u32,
}

impl<'a> Work<'a> {
    /// Takes the corners out of the arcs, so that they are in memory once.
    fn new(coverage: &mut Coverage, pixel: &'a dyn Fn(Corner) -> (f64, f64)) -> Work<'a> {
        let mut work = Work {
            pixel,
            vertices: Vec::new(),
            arcs: Vec::new(),
            heap: BinaryHeap::new(),
            index: CornerIndex::new(Corner { col: 0, row: 0 }),
            chords: Chords::of(coverage),
            waiting: HashMap::new(),
        };
        for (number, arc) in coverage.arcs.iter_mut().enumerate() {
            let first = work.vertices.len() as u32;
            let corners = std::mem::take(&mut arc.corners);
            let closed = corners[0] == corners[corners.len() - 1];
            let shape = match closed {
                false => Shape::Open,
                true if arc.ring => Shape::Ring,
                true => Shape::Loop,
            };
            let kept = if shape == Shape::Ring { &corners[1..] } else { &corners[..] };
            let count = kept.len() as u32;
            for (at, &corner) in kept.iter().enumerate() {
                let at = at as u32;
                let before = if at > 0 {
                    first + at - 1
                } else if shape == Shape::Ring {
                    first + count - 1
                } else {
                    NONE
                };
                let after = if at + 1 < count {
                    first + at + 1
                } else if shape == Shape::Ring {
                    first
                } else {
                    NONE
                };
                work.vertices.push(Vertex { corner, before, after, arc: number as u32, stamp: 0 });
            }
            let corners = if shape == Shape::Loop { count - 1 } else { count };
            work.arcs.push(Line { first, corners, shape });
        }
        work.index = CornerIndex::new(last(work.vertices.iter().map(|vertex| vertex.corner)));
        for vertex in &work.vertices {
            if vertex.before == NONE || vertex.after == NONE {
                work.index.insert_end(vertex.corner);
            } else {
                work.index.insert(vertex.corner);
            }
        }
        work
    }

    fn run(&mut self, limit: f64) {
        for vertex in 0..self.vertices.len() as u32 {
            self.offer(vertex, limit);
        }
        while let Some(Reverse(Candidate { vertex, stamp, .. })) = self.heap.pop() {
            let Vertex { corner, before, after, arc, stamp: current } = self.vertices[vertex as usize];
            if stamp != current || !self.may_lose(arc) {
                continue;
            }
            let (u, w) = (self.vertices[before as usize].corner, self.vertices[after as usize].corner);
            if let Some(other) = self.in_the_way(u, corner, w) {
                self.waiting.entry(other).or_default().push(vertex);
                continue;
            }
            if self.arcs[arc as usize].shape == Shape::Open
                && self.arcs[arc as usize].corners == 3
                && !self.chords.take(u, w)
            {
                continue;
            }
            self.remove(vertex);
            for near in [before, after] {
                if self.vertices[near as usize].stamp != GONE {
                    self.vertices[near as usize].stamp += 1;
                    self.offer(near, limit);
                }
            }
            for vertex in self.waiting.remove(&corner).unwrap_or_default() {
                self.offer(vertex, limit);
            }
        }
    }

    fn may_lose(&self, arc: u32) -> bool {
        let Line { corners, shape, .. } = self.arcs[arc as usize];
        corners > if shape == Shape::Open { 2 } else { 3 }
    }

    /// Puts a vertex into the heap, if its triangle is small enough and it is no node.
    fn offer(&mut self, vertex: u32, limit: f64) {
        let Vertex { corner, before, after, stamp, .. } = self.vertices[vertex as usize];
        if before == NONE || after == NONE || stamp == GONE {
            return;
        }
        let doubled = cross(self.vertices[before as usize].corner, corner, self.vertices[after as usize].corner);
        let (width, height) = (self.pixel)(corner);
        let area = doubled.unsigned_abs() as f64 / 2.0 * width * height;
        if area <= limit {
            self.heap.push(Reverse(Candidate { area, vertex, stamp }));
        }
    }

    /// Another corner in the closed triangle.
    fn in_the_way(&self, u: Corner, v: Corner, w: Corner) -> Option<Corner> {
        let low = Corner { col: u.col.min(v.col).min(w.col), row: u.row.min(v.row).min(w.row) };
        let high = Corner { col: u.col.max(v.col).max(w.col), row: u.row.max(v.row).max(w.row) };
        self.index.find(low, high, |other| {
            if other == u || other == v || other == w {
                return false;
            }
            let sides = [cross(u, v, other), cross(v, w, other), cross(w, u, other)];
            sides.iter().all(|&side| side >= 0) || sides.iter().all(|&side| side <= 0)
        })
    }

    fn remove(&mut self, vertex: u32) {
        let Vertex { corner, before, after, arc, .. } = self.vertices[vertex as usize];
        self.vertices[before as usize].after = after;
        self.vertices[after as usize].before = before;
        self.vertices[vertex as usize].stamp = GONE;
        self.index.remove(corner);
        let line = &mut self.arcs[arc as usize];
        line.corners -= 1;
        if line.first == vertex {
            line.first = after;
        }
    }

    fn store(&self, coverage: &mut Coverage) {
        for (arc, line) in coverage.arcs.iter_mut().zip(&self.arcs) {
            arc.corners.clear();
            let mut at = line.first;
            while at != NONE {
                arc.corners.push(self.vertices[at as usize].corner);
                at = self.vertices[at as usize].after;
                if at == line.first {
                    arc.corners.push(self.vertices[at as usize].corner);
                    break;
                }
            }
            arc.corners.shrink_to_fit();
        }
    }
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.area.total_cmp(&other.area).then(self.vertex.cmp(&other.vertex)).then(self.stamp.cmp(&other.stamp))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

const NONE: u32 = u32::MAX;
const GONE: u32 = u32::MAX;
