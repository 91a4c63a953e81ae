//! Triangles with labels that tile a window, and the changes that neither turn one over nor open a gap.

use spade::{DelaunayTriangulation, Point2, Triangulation};

use super::super::cross;
use super::super::window::Window;
use crate::Point;

/// Vertices and triangles. Triangles know their vertices, and vertices their triangles.
#[derive(Debug)]
pub(super) struct Triangles {
    pub(super) places: Vec<Point>,
    /// The vertices of each triangle, in one sense; [`GONE`] where there is none any more.
    corners: Vec<[u32; 3]>,
    labels: Vec<u32>,
    around: Vec<Vec<u32>>,
    free: Vec<u32>,
}

/// Neighbours of a vertex one after the other, with triangles of one label between them.
struct Fan {
    label: u32,
    rim: Vec<u32>,
}

impl Triangles {
    /// The Delaunay triangulation of some corners of pixels, by their numbers in the window, and of the window's own.
    ///
    /// The side of a pixel is in every Delaunay triangulation of corners of pixels, as no other one lies within the circle around it. So a
    /// triangle is within one label when all corners on the boundaries are there.
    pub(super) fn delaunay(window: &Window, labels: &[u32], vertices: &[u32]) -> Option<Triangles> {
        let across = window.width + 1;
        let inner = vertices.iter().map(|&vertex| (vertex as usize % across, vertex as usize / across));
        let outer = [(0, 0), (window.width, 0), (0, window.height), (window.width, window.height)];
        let corners: Vec<(usize, usize)> = inner.chain(outer).collect();
        let places: Vec<Point> = corners.iter().map(|&(col, row)| window.metres(col, row)).collect();
        let around = vec![Vec::new(); places.len()];
        let mut mesh = Triangles { places, corners: Vec::new(), labels: Vec::new(), around, free: Vec::new() };
        let points = corners.iter().map(|&(col, row)| Point2::new(col as f64, row as f64)).collect();
        // Coordinates that are no numbers or too large would be refused.
        let delaunay = DelaunayTriangulation::<Point2<f64>>::bulk_load_stable(points).ok()?;
        for face in delaunay.inner_faces() {
            let [a, b, c] = face.vertices().map(|vertex| vertex.fix().index());
            let middle = |at: fn(&(usize, usize)) -> usize| {
                [a, b, c].iter().map(|&corner| at(&corners[corner])).sum::<usize>() / 3
            };
            let pixel = middle(|corner| corner.1) * window.width + middle(|corner| corner.0);
            mesh.add([a, b, c].map(|corner| corner as u32), labels[pixel]);
        }
        Some(mesh)
    }

    /// Takes a vertex out, if the boundary through it, if any, may go straight on between the neighbours. Changes nothing otherwise.
    pub(super) fn remove(&mut self, vertex: u32) -> bool {
        let fans = self.fans(vertex);
        if fans.len() > 2 {
            return false;
        }
        let mut new = Vec::new();
        for fan in &fans {
            if let [a, b] = fan.rim[..] {
                // A single triangle goes: its label must be beyond it, too, or it would be torn there.
                if fans.len() < 2
                    || self.beyond(vertex, a, b).is_none_or(|other| self.labels[other as usize] != fan.label)
                {
                    return false;
                }
                continue;
            }
            let Some(triangles) = self.clip(&fan.rim) else { return false };
            new.extend(triangles.into_iter().map(|triangle| (triangle, fan.label)));
        }
        if new.is_empty() {
            return false;
        }
        self.replace(vertex, new);
        true
    }

    /// Moves a vertex of a boundary, if no triangle turns over; the triangles around it may become others. Changes nothing otherwise.
    pub(super) fn shift(&mut self, vertex: u32, to: Point) -> bool {
        let from = std::mem::replace(&mut self.places[vertex as usize], to);
        if self.around[vertex as usize].iter().all(|&triangle| self.stands(self.corners[triangle as usize])) {
            return true;
        }
        self.places[vertex as usize] = from;
        self.widen(vertex, to);
        let fans = self.fans(vertex);
        self.places[vertex as usize] = to;
        let mut new = Vec::new();
        for fan in fans.iter().filter(|_| fans.len() > 1) {
            let polygon: Vec<u32> = fan.rim.iter().copied().chain([vertex]).collect();
            match self.clip(&polygon) {
                Some(triangles) => new.extend(triangles.into_iter().map(|triangle| (triangle, fan.label))),
                None => {
                    new.clear();
                    break;
                }
            }
        }
        if new.is_empty() {
            self.places[vertex as usize] = from;
            return false;
        }
        self.replace(vertex, new);
        true
    }

    /// Flips edges that a vertex would have to cross on its way to a point, where both sides have one label.
    fn widen(&mut self, vertex: u32, to: Point) {
        for _ in 0..FLIPS {
            let ahead = self.around[vertex as usize].iter().copied().find(|&triangle| {
                let [_, b, c] = self.from(triangle, vertex);
                cross(self.places[b as usize], self.places[c as usize], to) <= 0.0
            });
            let Some(triangle) = ahead else { return };
            let [a, b, c] = self.from(triangle, vertex);
            let label = self.labels[triangle as usize];
            let Some(other) = self.beyond(a, b, c).filter(|&other| self.labels[other as usize] == label) else {
                return;
            };
            let [_, _, d] = self.from(other, c);
            if !self.stands([a, b, d]) || !self.stands([a, d, c]) {
                return;
            }
            self.take(triangle);
            self.take(other);
            self.add([a, b, d], label);
            self.add([a, d, c], label);
        }
    }

    /// The triangle on the other side of an edge `b` to `c` of a triangle with `a`.
    fn beyond(&self, a: u32, b: u32, c: u32) -> Option<u32> {
        self.around[b as usize].iter().copied().find(|&triangle| {
            let corners = self.corners[triangle as usize];
            corners.contains(&c) && !corners.contains(&a)
        })
    }

    /// The rims of the triangles around a vertex, one for each run of one label; a single label all round makes one that is closed.
    fn fans(&self, vertex: u32) -> Vec<Fan> {
        let mut steps: Vec<([u32; 2], u32)> = self.around[vertex as usize]
            .iter()
            .map(|&triangle| {
                let [_, b, c] = self.from(triangle, vertex);
                ([b, c], self.labels[triangle as usize])
            })
            .collect();
        // Begin where another label or the window's edge is before.
        let before = |at: usize, steps: &[([u32; 2], u32)]| {
            steps.iter().find(|step| step.0[1] == steps[at].0[0]).map(|step| step.1)
        };
        let first = (0..steps.len()).find(|&at| before(at, &steps) != Some(steps[at].1)).unwrap_or(0);
        steps.swap(0, first);
        for at in 1..steps.len() {
            let Some(next) = (at..steps.len()).find(|&next| steps[next].0[0] == steps[at - 1].0[1]) else { break };
            steps.swap(at, next);
        }
        let closed = steps[steps.len() - 1].0[1] == steps[0].0[0];
        let mut fans: Vec<Fan> = Vec::new();
        for ([b, c], label) in steps {
            match fans.last_mut() {
                Some(fan) if fan.label == label => fan.rim.push(c),
                _ => fans.push(Fan { label, rim: vec![b, c] }),
            }
        }
        if let ([fan], true) = (&mut fans[..], closed) {
            fan.rim.pop();
        }
        fans
    }

    /// The triangles of a polygon, by cutting ears, the best ones first; `None` if it crosses itself, or has too many corners to try.
    fn clip(&self, polygon: &[u32]) -> Option<Vec<[u32; 3]>> {
        let mut left = polygon.to_vec();
        let mut triangles = Vec::with_capacity(left.len());
        if left.len() > MOST {
            return None;
        }
        while left.len() > 3 {
            let count = left.len();
            let ear = |at: usize| [left[(at + count - 1) % count], left[at], left[(at + 1) % count]];
            let fits = |at: &usize| {
                let ear = ear(*at);
                self.stands(ear) && !left.iter().any(|other| !ear.contains(other) && self.holds(ear, *other))
            };
            let best =
                (0..count).filter(fits).max_by(|&a, &b| self.quality(ear(a)).total_cmp(&self.quality(ear(b))))?;
            triangles.push(ear(best));
            left.remove(best);
        }
        let last = [left[0], left[1], left[2]];
        triangles.push(last);
        self.stands(last).then_some(triangles)
    }

    /// Whether a triangle has its right sense and is no line.
    fn stands(&self, [a, b, c]: [u32; 3]) -> bool {
        self.quality([a, b, c]) > FLAT
    }

    /// Height over the longest side; negative when it is turned over.
    fn quality(&self, corners: [u32; 3]) -> f64 {
        let [a, b, c] = corners.map(|corner| self.places[corner as usize]);
        let squared = |a: Point, b: Point| (a.0 - b.0) * (a.0 - b.0) + (a.1 - b.1) * (a.1 - b.1);
        let longest = squared(a, b).max(squared(b, c)).max(squared(c, a));
        if longest > 0.0 { cross(a, b, c) / longest } else { 0.0 }
    }

    fn holds(&self, [a, b, c]: [u32; 3], other: u32) -> bool {
        let [a, b, c, other] = [a, b, c, other].map(|vertex| self.places[vertex as usize]);
        cross(a, b, other) >= 0.0 && cross(b, c, other) >= 0.0 && cross(c, a, other) >= 0.0
    }

    /// The vertices of a triangle, from one of them on.
    fn from(&self, triangle: u32, vertex: u32) -> [u32; 3] {
        let [a, b, c] = self.corners[triangle as usize];
        match vertex {
            _ if vertex == a => [a, b, c],
            _ if vertex == b => [b, c, a],
            _ => [c, a, b],
        }
    }

    /// Other triangles in the place of those around a vertex.
    fn replace(&mut self, vertex: u32, new: Vec<([u32; 3], u32)>) {
        for triangle in self.around[vertex as usize].clone() {
            self.take(triangle);
        }
        for (corners, label) in new {
            self.add(corners, label);
        }
    }

    fn add(&mut self, corners: [u32; 3], label: u32) {
        let triangle = self.free.pop().unwrap_or(self.corners.len() as u32);
        if triangle as usize == self.corners.len() {
            self.corners.push(corners);
            self.labels.push(label);
        } else {
            (self.corners[triangle as usize], self.labels[triangle as usize]) = (corners, label);
        }
        corners.iter().for_each(|&corner| self.around[corner as usize].push(triangle));
    }

    fn take(&mut self, triangle: u32) {
        for corner in std::mem::replace(&mut self.corners[triangle as usize], [GONE; 3]) {
            self.around[corner as usize].retain(|&other| other != triangle);
        }
        self.free.push(triangle);
    }
}

const GONE: u32 = u32::MAX;
/// Corners of a polygon that is cut into triangles, at most.
const MOST: usize = 64;
/// Edges that are flipped for one move, at most.
const FLIPS: usize = 4;
/// Height of a triangle over its longest side below which it is a line.
const FLAT: f64 = 1e-7;
