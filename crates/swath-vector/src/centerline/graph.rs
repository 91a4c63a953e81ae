//! Nodes and edges of a skeleton: branches that come from rough edges go, and crossings that fell apart are joined.

use super::gaps::is_gap;
use super::lines::{closed, grain, length, smoothed};
use super::strip::SkeletonPixel;
use super::width::typical;
use crate::Point;

#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) edges: Vec<Edge>,
    /// Closed lines without a node.
    pub(super) rings: Vec<Vec<Stop>>,
}

/// A point of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// The middle between both edges.
    pub(super) at: Point,
    /// The centre of the skeleton's pixel.
    pub(super) pixel: Point,
    pub(super) width: f64,
}

/// Where lines end or meet: pixels that are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    sum: Point,
    pixels: f64,
    pub(super) width: f64,
    /// Where a line goes on from here beyond the edge of the raster.
    exit: Option<Point>,
    /// Edges that end here, once for each end.
    pub(super) edges: Vec<u32>,
}

#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub(super) ends: [u32; 2],
    /// Between the ends.
    pub(super) points: Vec<Stop>,
    pub(super) gone: bool,
}

impl Node {
    /// The end of a line at one of its points.
    pub(super) fn at(stop: &Stop) -> Node {
        Node { sum: stop.at, pixels: 1.0, width: stop.width, ..Node::default() }
    }

    /// Takes another pixel.
    pub(super) fn take(&mut self, pixel: &SkeletonPixel) {
        let middle = grain(pixel.middle);
        self.sum = (self.sum.0 + middle.0, self.sum.1 + middle.1);
        self.pixels += 1.0;
        self.width = self.width.max(pixel.width);
        self.exit = self.exit.or(pixel.exit);
    }

    /// Whether a line ends here, at the edge of the raster, and goes on beyond, or two that are one beyond.
    pub(super) fn is_exit(&self) -> bool {
        self.exit.is_some() && self.edges.len() <= 2
    }

    /// Lines that meet here, with what goes on beyond the edge of the raster.
    pub(super) fn degree(&self) -> usize {
        self.edges.len() + usize::from(self.exit.is_some())
    }

    /// A multiple of a grain, as all places are: what is measured between them decides alike wherever on the map they lie.
    pub(super) fn place(&self) -> Point {
        let mean = (self.sum.0 / self.pixels, self.sum.1 / self.pixels);
        grain(self.exit.filter(|_| self.is_exit()).unwrap_or(mean))
    }
}

impl Stop {
    fn of(pixel: &SkeletonPixel) -> Stop {
        let centre = (f64::from(pixel.col) + 0.5, f64::from(pixel.row) + 0.5);
        Stop { at: grain(pixel.middle), pixel: centre, width: pixel.width }
    }
}

impl Edge {
    pub(super) fn new<'a>(from: u32, to: u32, pixels: impl Iterator<Item = &'a SkeletonPixel>) -> Edge {
        Edge { ends: [from, to], points: pixels.map(Stop::of).collect(), gone: false }
    }
}

impl Graph {
    pub(super) fn add(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    pub(super) fn node(&mut self, node: u32) -> &mut Node {
        &mut self.nodes[node as usize]
    }

    pub(super) fn connect(&mut self, edge: Edge) {
        let number = self.edges.len() as u32;
        edge.ends.iter().for_each(|&end| self.nodes[end as usize].edges.push(number));
        self.edges.push(edge);
    }

    pub(super) fn ring<'a>(&mut self, pixels: impl Iterator<Item = &'a SkeletonPixel>) {
        self.rings.push(pixels.map(Stop::of).collect());
    }

    /// Joins crossings, takes loops and rings around gaps away, and branches that are no longer than the line is wide, and makes one edge of two where nothing else meets.
    pub(super) fn clean(&mut self) {
        while self.join_crossings() | self.close_gaps() | self.join_around_gaps() | self.prune() | self.join_ends() {}
        self.rings.retain(|ring| {
            let middle: Vec<Point> = ring.iter().map(|stop| stop.at).collect();
            let drawn = closed(smoothed(&middle, true));
            let width = typical(ring.iter().map(|stop| stop.width).collect());
            !is_gap(length(&drawn), width.unwrap_or(1.0))
        });
    }

    /// Makes one crossing of those that fell apart, the nearest first, so that it does not matter where on the map they come; whether there was one.
    fn join_crossings(&mut self) -> bool {
        let split = (0..self.edges.len() as u32).filter(|&edge| self.is_split(edge));
        let mut near: Vec<(f64, u32)> = split.map(|edge| (self.length(edge), edge)).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for &(_, edge) in &near {
            if self.is_split(edge) {
                self.contract(edge);
            }
        }
        !near.is_empty()
    }

    pub(super) fn length(&self, edge: u32) -> f64 {
        length(&self.line(&self.edges[edge as usize], |stop| stop.at))
    }

    /// The points of an edge, from node to node.
    pub(super) fn line(&self, edge: &Edge, point: impl Fn(&Stop) -> Point) -> Vec<Point> {
        let [from, to] = edge.ends.map(|end| self.nodes[end as usize].place());
        let middle = edge.points.iter().map(point);
        std::iter::once(from).chain(middle).chain([to]).collect()
    }

    /// Makes one node of an edge's two.
    pub(super) fn contract(&mut self, edge: u32) {
        let [kept, gone] = self.edges[edge as usize].ends;
        self.remove(edge);
        let old = std::mem::take(&mut self.nodes[gone as usize]);
        for &moved in &old.edges {
            for end in self.edges[moved as usize].ends.iter_mut().filter(|end| **end == gone) {
                *end = kept;
            }
        }
        let node = &mut self.nodes[kept as usize];
        node.sum = (node.sum.0 + old.sum.0, node.sum.1 + old.sum.1);
        node.pixels += old.pixels;
        node.width = node.width.max(old.width);
        node.exit = node.exit.or(old.exit);
        node.edges.extend(old.edges);
    }

    /// Takes short branches away; whether there was one.
    fn prune(&mut self) -> bool {
        let mut short: Vec<(f64, u32)> = Vec::new();
        for (number, edge) in (0u32..).zip(&self.edges).filter(|(_, edge)| !edge.gone) {
            let degrees = edge.ends.map(|end| self.nodes[end as usize].degree());
            let foot = match degrees {
                [1, other] if other > 2 => edge.ends[1],
                [other, 1] if other > 2 => edge.ends[0],
                _ => continue,
            };
            let length = self.length(number);
            if length <= REACH * self.nodes[foot as usize].width + 1.5 {
                short.push((length, number));
            }
        }
        short.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut found = false;
        for (_, edge) in short {
            // The two longest branches of a node stay: they are the line.
            if self.edges[edge as usize].ends.iter().any(|&end| self.nodes[end as usize].degree() > 2) {
                self.remove(edge);
                found = true;
            }
        }
        found
    }

    /// Where two edges meet and nothing else, they become one; whether there were some.
    fn join_ends(&mut self) -> bool {
        (0..self.nodes.len() as u32).fold(false, |found, node| self.join(node) | found)
    }

    fn join(&mut self, node: u32) -> bool {
        let [first, second] = self.nodes[node as usize].edges[..] else { return false };
        if first == second || self.nodes[node as usize].is_exit() {
            return false;
        }
        let Node { width, .. } = self.nodes[node as usize];
        let place = self.nodes[node as usize].place();
        let (mut a, mut b) = (self.edges[first as usize].clone(), self.edges[second as usize].clone());
        if a.ends[1] != node {
            a.points.reverse();
            a.ends.reverse();
        }
        if b.ends[0] != node {
            b.points.reverse();
            b.ends.reverse();
        }
        self.remove(first);
        self.remove(second);
        let mut points = a.points;
        points.push(Stop { at: place, pixel: place, width });
        points.extend(b.points);
        self.connect(Edge { ends: [a.ends[0], b.ends[1]], points, gone: false });
        true
    }

    pub(super) fn remove(&mut self, edge: u32) {
        self.edges[edge as usize].gone = true;
        for end in self.edges[edge as usize].ends {
            self.nodes[end as usize].edges.retain(|&other| other != edge);
        }
    }
}

/// A branch as long as this part of the line's width ends in a corner of the line's own outline.
const REACH: f64 = 0.75;
