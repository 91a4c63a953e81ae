//! Visvalingam and Whyatt 1993, over all arcs at once: the corner with the smallest triangle of the whole coverage goes first.
//!
//! A vertex is a place among the coverage's corners. What is kept for each is small, as there are tens of millions: its neighbours, its
//! arc, and the area of its triangle in the heap. A candidate is out of date when the triangle has another area by now.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::index::CornerIndex;
use super::{Chords, cross};
use crate::{Corner, Coverage};

pub(super) fn simplify(coverage: &mut Coverage, tolerance: f64, pixel: &dyn Fn(Corner) -> (f64, f64)) {
    let links = Work::new(coverage, pixel).run(tolerance * tolerance);
    let mut kept = Vec::new();
    for number in 0..coverage.arcs.len() {
        let vertices = coverage.arcs[number].start as usize..coverage.arcs[number].end();
        kept.clear();
        kept.extend(vertices.filter(|&vertex| links[vertex] != GONE).map(|vertex| coverage.corners[vertex]));
        if coverage.arcs[number].ring {
            kept.push(kept[0]);
        }
        coverage.shorten(number, &kept);
    }
    drop(links);
    coverage.compact();
}

struct Work<'a> {
    pixel: &'a dyn Fn(Corner) -> (f64, f64),
    corners: &'a [Corner],
    /// The vertices before and after each one; [`NONE`] at the ends of arcs.
    links: Vec<[u32; 2]>,
    /// The arc of each vertex.
    arcs: Vec<u32>,
    /// Different corners that are left of each arc, and how many have to be.
    left: Vec<u32>,
    least: Vec<u8>,
    /// By area, then by vertex, so that the order does not depend on chance.
    heap: BinaryHeap<Reverse<(Area, u32)>>,
    index: CornerIndex,
    chords: Chords,
    waiting: Waiting,
}

impl<'a> Work<'a> {
    fn new(coverage: &'a Coverage, pixel: &'a dyn Fn(Corner) -> (f64, f64)) -> Work<'a> {
        let mut links = vec![GONE; coverage.corners.len()];
        let mut arcs = vec![0; coverage.corners.len()];
        let (mut left, mut least) = (Vec::new(), Vec::new());
        for (number, arc) in coverage.arcs.iter().enumerate() {
            let (start, end) = (arc.start, arc.end() as u32);
            arcs[start as usize..end as usize].fill(number as u32);
            if arc.ring {
                // The first corner stands at the end, too.
                let first = start + 1;
                for vertex in first..end {
                    let before = if vertex == first { end - 1 } else { vertex - 1 };
                    let after = if vertex + 1 == end { first } else { vertex + 1 };
                    links[vertex as usize] = [before, after];
                }
            } else {
                for vertex in start..end {
                    let before = if vertex == start { NONE } else { vertex - 1 };
                    let after = if vertex + 1 == end { NONE } else { vertex + 1 };
                    links[vertex as usize] = [before, after];
                }
            }
            let corners = &coverage.corners[start as usize..end as usize];
            let closed = corners.first() == corners.last();
            left.push(arc.count - u32::from(closed));
            least.push(if closed { 3 } else { OPEN });
        }
        Work {
            pixel,
            corners: &coverage.corners,
            links,
            arcs,
            left,
            least,
            heap: BinaryHeap::new(),
            index: CornerIndex::of(coverage),
            chords: Chords::of(coverage),
            waiting: Waiting::default(),
        }
    }

    /// The links of the vertices that are left.
    fn run(mut self, limit: f64) -> Vec<[u32; 2]> {
        let first = (0..self.corners.len() as u32).filter_map(|vertex| self.candidate(vertex, limit).map(Reverse));
        self.heap = first.collect::<Vec<_>>().into();
        while let Some(Reverse((area, vertex))) = self.heap.pop() {
            let arc = self.arcs[vertex as usize] as usize;
            if self.candidate(vertex, limit) != Some((area, vertex)) || self.left[arc] <= u32::from(self.least[arc]) {
                continue;
            }
            let [before, after] = self.links[vertex as usize];
            let [u, v, w] = [before, vertex, after].map(|vertex| self.corners[vertex as usize]);
            if let Some(other) = self.in_the_way(u, v, w) {
                self.waiting.push(other, vertex);
                continue;
            }
            if self.least[arc] == OPEN && self.left[arc] == 3 && !self.chords.take(u, w) {
                continue;
            }
            self.links[before as usize][1] = after;
            self.links[after as usize][0] = before;
            self.links[vertex as usize] = GONE;
            self.left[arc] -= 1;
            self.index.remove(v);
            for near in [before, after] {
                self.offer(near, limit);
            }
            while let Some(vertex) = self.waiting.pop(v) {
                self.offer(vertex, limit);
            }
        }
        self.links
    }

    fn offer(&mut self, vertex: u32, limit: f64) {
        self.heap.extend(self.candidate(vertex, limit).map(Reverse));
    }

    /// A vertex with the area of its triangle, if that is small enough and the vertex neither gone nor a node.
    fn candidate(&self, vertex: u32, limit: f64) -> Option<(Area, u32)> {
        let [before, after] = self.links[vertex as usize];
        if before == NONE || after == NONE {
            return None;
        }
        let corner = self.corners[vertex as usize];
        let doubled = cross(self.corners[before as usize], corner, self.corners[after as usize]);
        let (width, height) = (self.pixel)(corner);
        let area = doubled.unsigned_abs() as f64 / 2.0 * width * height;
        (area <= limit).then_some((Area::of(area), vertex))
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
}

/// An area to seven digits, ordered: the bits of a number that is not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Area(u32);

impl Area {
    fn of(area: f64) -> Area {
        Area((area as f32).to_bits())
    }
}

/// Vertices that a corner is in the way of, by that corner: lists through one array.
#[derive(Debug, Default)]
struct Waiting {
    first: HashMap<Corner, u32>,
    /// A vertex, and the next of its list.
    entries: Vec<(u32, u32)>,
    free: Vec<u32>,
}

impl Waiting {
    fn push(&mut self, corner: Corner, vertex: u32) {
        let entry = (vertex, self.first.get(&corner).copied().unwrap_or(NONE));
        let at = match self.free.pop() {
            Some(at) => {
                self.entries[at as usize] = entry;
                at
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        self.first.insert(corner, at);
    }

    fn pop(&mut self, corner: Corner) -> Option<u32> {
        let at = self.first.remove(&corner)?;
        let (vertex, next) = self.entries[at as usize];
        if next != NONE {
            self.first.insert(corner, next);
        }
        self.free.push(at);
        Some(vertex)
    }
}

const NONE: u32 = u32::MAX;
/// Links of a vertex that was removed, or that repeats the first of a ring.
const GONE: [u32; 2] = [NONE; 2];
/// Corners that an arc between two nodes keeps.
const OPEN: u8 = 2;
