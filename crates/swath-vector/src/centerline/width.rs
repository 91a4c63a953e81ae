//! How wide lines are: measured across them, away from crossings and ends.

use super::graph::{Edge, Graph};
use super::lines::{TRIM, gap, length, unit};
use super::mask::Mask;
use crate::Point;

/// Measures widths on the ground.
#[derive(Clone, Copy)]
pub(super) struct Across<'a> {
    pub(super) mask: &'a Mask,
    /// The widest line, in pixels of the shorter side.
    pub(super) widest: f64,
    /// Width and height of a pixel on the ground.
    pub(super) pixel: [f64; 2],
}

impl Across<'_> {
    /// The width of each edge of a graph, along its line.
    ///
    /// Other lines are counted in as far from a crossing as these are wide; the widest circle in it, which is known before any width, may be
    /// seen smaller where the corner of a pixel reaches into it.
    pub(super) fn edges(&self, graph: &Graph, lines: &[Vec<Point>]) -> Vec<f64> {
        let circle = |node: u32| graph.nodes[node as usize].width;
        let width = |across: &Across, number: usize, clear: [f64; 2]| match &graph.edges[number] {
            edge if edge.gone => 0.0,
            edge => across.edge(graph, edge, &lines[number], clear),
        };
        // As the circles in pixels, since it is told in pixels how far the others are in the way.
        let in_pixels = Across { pixel: PIXEL, ..*self };
        let first: Vec<f64> =
            (0..lines.len()).map(|number| width(&in_pixels, number, graph.edges[number].ends.map(circle))).collect();
        let again = |number: usize| {
            let ends = graph.edges[number].ends;
            let others = |node: u32| {
                let others = graph.nodes[node as usize].edges.iter().filter(|&&other| other as usize != number);
                others.map(|&other| first[other as usize]).fold(circle(node), f64::max)
            };
            let clear = ends.map(others);
            if self.pixel == PIXEL && clear == ends.map(circle) { first[number] } else { width(self, number, clear) }
        };
        (0..lines.len()).map(again).collect()
    }

    /// The typical one of the widths, but for those near crossings, where another line is counted in, and near ends, if there are others. A line
    /// that is nowhere far enough from a crossing is as wide as the widest circle in its narrowest place.
    fn edge(&self, graph: &Graph, edge: &Edge, line: &[Point], clear: [f64; 2]) -> f64 {
        let nodes = edge.ends.map(|end| &graph.nodes[end as usize]);
        let apart = |point: Point, crossings: f64, ends: f64| {
            nodes.iter().zip(clear).all(|(node, clear)| {
                let near = if node.edges.len() > 1 { crossings } else { ends };
                gap(point, node.place()) >= near * clear
            })
        };
        let found = [(1.0, TRIM), (1.0, 0.0), (TRIM, 0.0), (HALF, 0.0)]
            .into_iter()
            .find_map(|(crossings, ends)| typical(self.widths(line, |point| apart(point, crossings, ends))));
        let narrowest =
            || edge.points.iter().map(|stop| stop.width).chain(nodes.map(|node| node.width)).min_by(f64::total_cmp);
        found.unwrap_or_else(|| narrowest().unwrap_or(1.0) * self.on_ground(line))
    }

    /// The width of a closed line; `None` where the class is too wide all along.
    pub(super) fn ring(&self, line: &[Point]) -> Option<f64> {
        typical(self.widths(line, |_| true))
    }

    /// Whether a line is no wider than asked for, as far as thinning has not told: it knows pixels only.
    pub(super) fn fits(&self, width: f64) -> bool {
        self.pixel[0] == self.pixel[1] || width <= (self.widest + 0.5) * self.shorter()
    }

    /// The length of a line in the unit of widths.
    pub(super) fn length_on_ground(&self, line: &[Point]) -> f64 {
        line.windows(2).map(|pair| gap((0.0, 0.0), self.way_on_ground(pair[0], pair[1]))).sum()
    }

    /// What a pixel across a line is on the ground: the area of a strip along the line over its length.
    pub(super) fn on_ground(&self, line: &[Point]) -> f64 {
        let [width, height] = self.pixel;
        let (pixels, ground) = (length(line), self.length_on_ground(line));
        if ground > 0.0 { width * height * (pixels / ground) } else { self.shorter() }
    }

    fn way_on_ground(&self, from: Point, to: Point) -> Point {
        ((to.0 - from.0) * self.pixel[0], (to.1 - from.1) * self.pixel[1])
    }

    fn shorter(&self) -> f64 {
        self.pixel[0].min(self.pixel[1])
    }

    /// Widths along a line: ways across from boundary to boundary. On a slanted line they change from pixel to pixel, and only the mean of
    /// some is the area of the class over the length of the line: these are means of [`TOGETHER`] each.
    fn widths(&self, line: &[Point], counts: impl Fn(Point) -> bool) -> Vec<f64> {
        let last = line.len() - 1;
        let closed = line[0] == line[last];
        let point = |at: isize| match at.rem_euclid(last.max(1) as isize) as usize {
            at if closed => line[at],
            _ => line[at.clamp(0, last as isize) as usize],
        };
        let mut widths = Vec::new();
        for at in 0..last {
            let (from, to) = (line[at], line[at + 1]);
            let (before, after) = (point(at as isize - AROUND), point(at as isize + 1 + AROUND));
            let ground = unit((0.0, 0.0), self.way_on_ground(before, after));
            let (Some(along), Some((x, y))) = (unit(before, after), ground) else { continue };
            // Pixels on the way across, for each unit on the ground.
            let across = (-y / self.pixel[0], x / self.pixel[1]);
            for share in PLACES {
                let place = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
                if counts(place) {
                    widths.extend(self.width(place, (-along.1, along.0), across));
                }
            }
        }
        let together = TOGETHER.min(widths.len()).max(1);
        widths.windows(together).map(|widths| widths.iter().sum::<f64>() / together as f64).collect()
    }

    /// The width at a place: the line is looked for `beside` it, and measured `across`; `None` where the class is too wide.
    fn width(&self, place: Point, beside: Point, across: Point) -> Option<f64> {
        let moved = |by: f64| (place.0 + by * beside.0, place.1 + by * beside.1);
        // The middle of a narrow line may lie beside it.
        let Some(inside) = BESIDE.into_iter().map(moved).find(|&place| self.mask.holds(place)) else {
            return Some(0.0);
        };
        let most = (self.widest + 1.0) * self.shorter();
        let reach = |sign: f64| self.mask.reach(inside, (sign * across.0, sign * across.1), most);
        Some(reach(1.0)? + reach(-1.0)?).filter(|&width| width <= most)
    }
}

/// The unit of what is measured in pixels.
const PIXEL: [f64; 2] = [1.0, 1.0];
/// Widths of a crossing, which is wider by a half than its lines, from its middle as far as which other lines are, where they cross upright.
const HALF: f64 = 0.5;
/// Shares of the way between two points at which widths are measured.
const PLACES: [f64; 4] = [0.125, 0.375, 0.625, 0.875];
/// Widths of which the mean is taken.
const TOGETHER: usize = 8 * PLACES.len();
/// Points on either side that tell a line's direction.
const AROUND: isize = 6;
/// Pixels across a line at which it is looked for.
const BESIDE: [f64; 5] = [0.0, 0.5, -0.5, 1.0, -1.0];

/// The mean of the middle half; `None` of nothing.
pub(super) fn typical(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let quarter = values.len() / 4;
    let half = &values[quarter..values.len() - quarter];
    (!half.is_empty()).then(|| half.iter().sum::<f64>() / half.len() as f64)
}
