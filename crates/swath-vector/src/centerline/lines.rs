//! From the edges of a graph to lines with widths.

use super::apart::apart;
use super::graph::{Edge, Graph, Stop};
use super::mask::Mask;
use super::width::{Across, typical};
use crate::Point;

/// The lines with their widths on the ground. Ends that meet nothing are drawn out to where the class ends; what is shorter than it is wide
/// is no line.
pub(super) fn lines(graph: &Graph, across: &Across, tolerance: f64) -> Vec<(Vec<Point>, f64)> {
    let mut found: Vec<(Forms, f64)> = Vec::new();
    let smooth = |edge: &Edge| match edge.gone {
        true => Vec::new(),
        false => smoothed(&graph.line(edge, |stop| stop.at), false),
    };
    let smooth: Vec<Vec<Point>> = graph.edges.iter().map(smooth).collect();
    let widths = across.edges(graph, &smooth);
    let edges = graph.edges.iter().zip(smooth).zip(widths);
    for ((edge, mut line), width) in edges.filter(|((edge, _), width)| !edge.gone && across.fits(*width)) {
        let nodes = edge.ends.map(|end| &graph.nodes[end as usize]);
        let pixels = width / across.on_ground(&line);
        for node in nodes {
            if node.degree() == 1 {
                draw_out(&mut line, pixels, across.mask);
            }
            // The other end, and back.
            line.reverse();
        }
        if nodes.iter().any(|node| node.edges.len() > 1)
            || nodes.iter().all(|node| node.is_exit())
            || across.length_on_ground(&line) > width
        {
            let [middle, pixels] =
                [|stop: &Stop| stop.at, |stop: &Stop| stop.pixel].map(|point| graph.line(edge, point));
            found.push((Forms { line, middle, pixels }, width));
        }
    }
    for ring in &graph.rings {
        let middle: Vec<Point> = ring.iter().map(|stop| stop.at).collect();
        let line = closed(smoothed(&middle, true));
        let widths = ring.iter().map(|stop| stop.width).collect();
        let in_pixels = || typical(widths).unwrap_or(1.0);
        let width = across.ring(&line).unwrap_or_else(|| in_pixels() * across.on_ground(&line));
        if !across.fits(width) {
            continue;
        }
        let pixels = ring.iter().map(|stop| stop.pixel).collect();
        found.push((Forms { line, middle: closed(middle), pixels: closed(pixels) }, width));
    }
    let drawn = apart(found.len(), |line, level| found[line].0.form(level, tolerance));
    let mut lines: Vec<(Vec<Point>, f64)> =
        drawn.into_iter().zip(&found).filter_map(|(line, &(_, width))| Some((line?, width))).collect();
    lines
        .sort_by(|(a, _), (b, _)| (a[0].1, a[0].0).partial_cmp(&(b[0].1, b[0].0)).unwrap_or(std::cmp::Ordering::Equal));
    lines
}

/// What a line may be drawn as.
struct Forms {
    /// Smoothed and drawn out.
    line: Vec<Point>,
    /// Through the middles between both edges.
    middle: Vec<Point>,
    /// Through the centres of the skeleton's pixels.
    pixels: Vec<Point>,
}

impl Forms {
    /// Simplified within the tolerance, and within less and less of it, and then not at all; the rougher the higher the number.
    fn form(&self, level: usize, tolerance: f64) -> Option<Vec<Point>> {
        let all = |line: &[Point]| line.iter().copied().map(grain).collect();
        match level {
            0..FINER => Some(simplified(&self.line, tolerance / 4f64.powi(level as i32))),
            FINER => Some(self.line.clone()),
            _ if level == FINER + 1 => Some(all(&self.middle)),
            _ if level == FINER + 2 => Some(all(&self.pixels)),
            _ => None,
        }
    }
}

/// How often lines that cross others are simplified with a quarter of the tolerance before.
const FINER: usize = 3;

/// Makes a line longer at its beginning, to where the class ends; its width is in pixels.
///
/// Thinning stops somewhere in the end, often in a corner: the line goes straight on from where it has not begun to turn there, or from its
/// last point when that leaves the class before. Where the class does not end, the line leads to something wide, and ends there.
fn draw_out(line: &mut Vec<Point>, width: f64, mask: &Mask) {
    let mut gone = vec![0.0];
    for pair in line.windows(2) {
        gone.push(gone[gone.len() - 1] + gap(pair[0], pair[1]));
    }
    let total = gone[gone.len() - 1];
    let beyond = |distance: f64| gone.iter().position(|&gone| gone >= distance).unwrap_or(gone.len() - 1);
    let base = width.max(BASE);
    let trim = if total >= TRIM * width + base { TRIM * width } else { 0.0 };
    for from in [trim, 0.0] {
        let (at, back) = (beyond(from), beyond(from + base));
        let Some(along) = unit(line[back], line[at]) else { continue };
        if let Some(reach) = mask.reach(line[at], along, gone[at] + width + 1.0).filter(|&reach| reach >= gone[at]) {
            let end = grain((line[at].0 + reach * along.0, line[at].1 + reach * along.1));
            line.splice(..=at, if at + 1 < line.len() && reach > 0.0 { vec![end, line[at]] } else { vec![end] });
            return;
        }
    }
}

/// Widths of a line that its skeleton may need to turn into a corner of its end.
pub(super) const TRIM: f64 = 0.75;
/// Pixels of a line that tell its direction, at least.
const BASE: f64 = 8.0;

/// Three points at a time, some rounds; the ends of an open line stay.
///
/// Points are multiples of [`GRAIN`], so that what is measured from them is the same to the last bit wherever the line lies on the map.
pub(super) fn smoothed(line: &[Point], closed: bool) -> Vec<Point> {
    let mut line = line.to_vec();
    let count = line.len();
    for _ in 0..if count < 3 { 0 } else { ROUNDS } {
        let old = line.clone();
        let open = usize::from(!closed);
        for at in open..count - open {
            let (before, after) = (old[(at + count - 1) % count], old[(at + 1) % count]);
            let mean = |a: f64, b: f64, c: f64| 0.25 * a + 0.5 * b + 0.25 * c;
            line[at] = (mean(before.0, old[at].0, after.0), mean(before.1, old[at].1, after.1));
        }
    }
    line.into_iter().map(grain).collect()
}

pub(super) fn grain((x, y): Point) -> Point {
    ((x / GRAIN).round() * GRAIN, (y / GRAIN).round() * GRAIN)
}

/// Takes the steps of pixels out, and hardly more.
const ROUNDS: usize = 4;
/// Pixels, a power of two.
const GRAIN: f64 = 1.0 / (1 << 20) as f64;

/// Douglas and Peucker's choice of points; a closed line keeps three at least.
fn simplified(line: &[Point], tolerance: f64) -> Vec<Point> {
    let last = line.len() - 1;
    let away = |at: usize, from: usize, to: usize| crate::right_angles::distance(line[at], line[from], line[to]);
    let farthest = |from: usize, to: usize, a: usize, b: usize| {
        (from + 1..to).max_by(|&x, &y| away(x, a, b).total_cmp(&away(y, a, b)))
    };
    let mut kept = vec![0];
    let mut open = vec![(0, last)];
    if line[0] == line[last]
        && let Some(far) = farthest(0, last, 0, 0)
        && let Some(wide) = farthest(0, last, 0, far).filter(|&wide| wide != far)
    {
        let (a, b) = (far.min(wide), far.max(wide));
        open = vec![(b, last), (a, b), (0, a)];
    }
    while let Some((from, to)) = open.pop() {
        match farthest(from, to, from, to).filter(|&at| away(at, from, to) > tolerance) {
            Some(middle) => open.extend([(middle, to), (from, middle)]),
            None => kept.push(to),
        }
    }
    kept.into_iter().map(|at| line[at]).collect()
}

/// A ring with its first point at its end, too.
pub(super) fn closed(mut ring: Vec<Point>) -> Vec<Point> {
    ring.push(ring[0]);
    ring
}

pub(super) fn length(line: &[Point]) -> f64 {
    line.windows(2).map(|pair| gap(pair[0], pair[1])).sum()
}

pub(super) fn gap(a: Point, b: Point) -> f64 {
    (b.0 - a.0).hypot(b.1 - a.1)
}

/// The direction from a point to another one.
pub(super) fn unit(from: Point, to: Point) -> Option<Point> {
    let length = gap(from, to);
    (length > 0.0).then(|| ((to.0 - from.0) / length, (to.1 - from.1) / length))
}
