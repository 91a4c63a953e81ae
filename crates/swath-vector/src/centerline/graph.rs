//! Nodes and edges of a skeleton: branches that come from rough edges go, crossings that fell apart are joined, and edges become lines.

use super::strip::SkeletonPixel;
use crate::Point;

#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    /// Closed lines without a node, and their widths.
    rings: Vec<(Vec<Point>, f64)>,
}

/// Where lines end or meet: pixels that are one.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    sum: Point,
    pixels: f64,
    width: f64,
    /// Edges that end here, once for each end.
    edges: Vec<u32>,
}

#[derive(Debug, Clone)]
pub(super) struct Edge {
    ends: [u32; 2],
    /// Between the ends, with the width at each.
    points: Vec<(Point, f64)>,
    gone: bool,
}

impl Node {
    /// Takes another pixel.
    pub(super) fn take(&mut self, at: Point, width: f64) {
        self.sum = (self.sum.0 + at.0, self.sum.1 + at.1);
        self.pixels += 1.0;
        self.width = self.width.max(width);
    }

    fn place(&self) -> Point {
        (self.sum.0 / self.pixels, self.sum.1 / self.pixels)
    }
}

impl Edge {
    pub(super) fn new<'a>(from: u32, to: u32, pixels: impl Iterator<Item = &'a SkeletonPixel>) -> Edge {
        Edge { ends: [from, to], points: pixels.map(|pixel| (pixel.middle, pixel.width)).collect(), gone: false }
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
        let (points, widths): (Vec<Point>, Vec<f64>) = pixels.map(|pixel| (pixel.middle, pixel.width)).unzip();
        self.rings.push((points, typical(widths)));
    }

    /// Joins crossings, takes loops around gaps away, and branches that are no longer than the line is wide, and makes one edge of two where nothing else meets.
    pub(super) fn clean(&mut self) {
        for edge in 0..self.edges.len() as u32 {
            let ends = self.edges[edge as usize].ends;
            let crossing = |node: u32| self.nodes[node as usize].edges.len() > 2;
            let width = ends.map(|end| self.nodes[end as usize].width);
            if ends[0] != ends[1]
                && ends.iter().all(|&end| crossing(end))
                && self.length(edge) <= SPLIT * width[0].max(width[1]) + 2.5
            {
                self.contract(edge);
            }
        }
        for edge in 0..self.edges.len() as u32 {
            let Edge { ends: [from, to], gone, .. } = self.edges[edge as usize];
            if !gone && from == to && self.length(edge) <= LOOP * self.nodes[from as usize].width {
                self.remove(edge);
            }
        }
        while self.prune() {
            for node in 0..self.nodes.len() as u32 {
                self.join(node);
            }
        }
    }

    /// The lines with their widths. Ends that meet nothing are drawn out to where the class ends; what is shorter than it is wide is no line.
    pub(super) fn lines(self, tolerance: f64) -> Vec<(Vec<Point>, f64)> {
        let mut lines = Vec::new();
        for edge in self.edges.iter().filter(|edge| !edge.gone) {
            let nodes = edge.ends.map(|end| &self.nodes[end as usize]);
            let mut line = vec![nodes[0].place()];
            line.extend(edge.points.iter().map(|(point, _)| *point));
            line.push(nodes[1].place());
            let width = self.width(edge);
            let closed = edge.ends[0] == edge.ends[1];
            let mut line = simplified(&smoothed(&line, false), tolerance);
            if !closed {
                for (node, from_end) in [(nodes[0], false), (nodes[1], true)] {
                    if node.edges.len() == 1 {
                        draw_out(&mut line, from_end, width / 2.0);
                    }
                }
            }
            let free = nodes.iter().all(|node| node.edges.len() == 1);
            if !free || length(&line) > width {
                lines.push((line, width));
            }
        }
        for (ring, width) in self.rings {
            let mut line = smoothed(&ring, true);
            line.push(line[0]);
            lines.push((simplified(&line, tolerance), width));
        }
        lines.sort_by(|(a, _), (b, _)| {
            (a[0].1, a[0].0).partial_cmp(&(b[0].1, b[0].0)).unwrap_or(std::cmp::Ordering::Equal)
        });
        lines
    }

    /// The typical one of the widths, but for those near crossings, where another line is counted in.
    fn width(&self, edge: &Edge) -> f64 {
        let near = |point: Point| {
            edge.ends.map(|end| &self.nodes[end as usize]).iter().any(|node| {
                let (x, y) = node.place();
                node.edges.len() > 1 && (point.0 - x).hypot(point.1 - y) < node.width
            })
        };
        let apart: Vec<f64> = edge.points.iter().filter(|(point, _)| !near(*point)).map(|&(_, width)| width).collect();
        if !apart.is_empty() {
            return typical(apart);
        }
        let ends = edge.ends.map(|end| self.nodes[end as usize].width);
        typical(edge.points.iter().map(|&(_, width)| width).chain(ends).collect())
    }

    fn length(&self, edge: u32) -> f64 {
        let Edge { ends, points, .. } = &self.edges[edge as usize];
        let mut line = vec![self.nodes[ends[0] as usize].place()];
        line.extend(points.iter().map(|(point, _)| *point));
        line.push(self.nodes[ends[1] as usize].place());
        length(&line)
    }

    /// Makes one node of an edge's two.
    fn contract(&mut self, edge: u32) {
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
        node.edges.extend(old.edges);
    }

    /// Takes short branches away; whether there was one.
    fn prune(&mut self) -> bool {
        let mut short: Vec<(f64, u32)> = Vec::new();
        for (number, edge) in (0u32..).zip(&self.edges).filter(|(_, edge)| !edge.gone) {
            let degrees = edge.ends.map(|end| self.nodes[end as usize].edges.len());
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
            if self.edges[edge as usize].ends.iter().any(|&end| self.nodes[end as usize].edges.len() > 2) {
                self.remove(edge);
                found = true;
            }
        }
        found
    }

    /// Where two edges meet and nothing else, they become one.
    fn join(&mut self, node: u32) {
        let [first, second] = self.nodes[node as usize].edges[..] else { return };
        if first == second {
            return;
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
        points.push((place, width));
        points.extend(b.points);
        self.connect(Edge { ends: [a.ends[0], b.ends[1]], points, gone: false });
    }

    fn remove(&mut self, edge: u32) {
        self.edges[edge as usize].gone = true;
        for end in self.edges[edge as usize].ends {
            self.nodes[end as usize].edges.retain(|&other| other != edge);
        }
    }
}

/// Lines that cross at a small angle are one for about as long as they are wide.
const SPLIT: f64 = 1.5;
/// A loop that is not longer than this times the line's width goes around a gap in the line.
const LOOP: f64 = 4.0;
/// A branch as long as this part of the line's width ends in a corner of the line's own outline.
const REACH: f64 = 0.75;

/// Three points at a time, some rounds; the ends of an open line stay.
fn smoothed(line: &[Point], closed: bool) -> Vec<Point> {
    let mut line = line.to_vec();
    let count = line.len();
    if count < 3 {
        return line;
    }
    for _ in 0..ROUNDS {
        let old = line.clone();
        let open = usize::from(!closed);
        for at in open..count - open {
            let (before, after) = (old[(at + count - 1) % count], old[(at + 1) % count]);
            let mean = |a: f64, b: f64, c: f64| 0.25 * a + 0.5 * b + 0.25 * c;
            line[at] = (mean(before.0, old[at].0, after.0), mean(before.1, old[at].1, after.1));
        }
    }
    line
}

/// Takes the steps of pixels out, and hardly more.
const ROUNDS: usize = 4;

/// Douglas and Peucker's choice of points.
fn simplified(line: &[Point], tolerance: f64) -> Vec<Point> {
    let last = line.len() - 1;
    let mut kept = vec![0];
    let mut open = vec![(0, last)];
    while let Some((from, to)) = open.pop() {
        let measure = |at: &usize| crate::right_angles::distance(line[*at], line[from], line[to]);
        let farthest = (from + 1..to).max_by(|a, b| measure(a).total_cmp(&measure(b)));
        match farthest.filter(|at| measure(at) > tolerance) {
            Some(middle) => open.extend([(middle, to), (from, middle)]),
            None => kept.push(to),
        }
    }
    kept.into_iter().map(|at| line[at]).collect()
}

/// Makes a line longer at one end, in the direction it has there.
fn draw_out(line: &mut [Point], from_end: bool, by: f64) {
    if from_end {
        line.reverse();
    }
    let (end, next) = (line[0], line[1]);
    let step = (end.0 - next.0, end.1 - next.1);
    let length = step.0.hypot(step.1);
    if length > 0.0 {
        line[0] = (end.0 + step.0 / length * by, end.1 + step.1 / length * by);
    }
    if from_end {
        line.reverse();
    }
}

fn length(line: &[Point]) -> f64 {
    line.windows(2).map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1)).sum()
}

/// The mean of the middle half: single widths are whole pixels along the way across, or as many diagonals.
fn typical(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let quarter = values.len() / 4;
    let half = &values[quarter..values.len() - quarter];
    half.iter().sum::<f64>() / (half.len() as f64).max(1.0)
}
