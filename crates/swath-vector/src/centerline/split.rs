//! Which crossings of a skeleton are one: it has two where lines cross at a small angle, or where pixels make it so.

use super::gaps::is_gap;
use super::graph::{Edge, Graph};
use super::lines::{gap, length, unit};
use crate::Point;

impl Graph {
    /// Whether an edge is between two nodes that are one crossing: they are no farther apart than one falls apart, or a little farther and
    /// around a gap, or where lines cross at a small angle.
    pub(super) fn is_split(&self, edge: u32) -> bool {
        let Edge { ends: [from, to], gone, points } = &self.edges[edge as usize];
        let [a, b] = [from, to].map(|&end| &self.nodes[end as usize]);
        if *gone || from == to || a.edges.len() < 3 || b.edges.len() < 3 {
            return false;
        }
        // The nodes may lie in opposite corners of the crossing, where the circles are smaller than between.
        let width = points.iter().map(|stop| stop.width).fold(a.width.max(b.width), f64::max);
        let length = self.length(edge);
        let beside = || {
            a.edges.iter().any(|&other| {
                let ends = self.edges[other as usize].ends;
                let parallel = other != edge && (ends == [*from, *to] || ends == [*to, *from]);
                parallel && is_gap(self.length(other) + length, width)
            })
        };
        length <= ONE * width + 1.5 || (length <= SPLIT * width + 4.0 && (beside() || self.is_slanted(edge)))
    }

    /// Whether all other lines at an edge's two ends, drawn on straight, meet in a point near it. Those of two crossings do not: there two
    /// lines meet the third in places of their own.
    fn is_slanted(&self, edge: u32) -> bool {
        let ends = self.edges[edge as usize].ends;
        let [a, b] = ends.map(|end| self.nodes[end as usize].place());
        let middle = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
        let mut straight = Vec::new();
        for end in ends {
            let node = &self.nodes[end as usize];
            for &other in node.edges.iter().filter(|&&other| other != edge) {
                let other = &self.edges[other as usize];
                // As seen from the middle: rounding must not tell where on the map that is.
                let seen = |point: Point| (point.0 - middle.0, point.1 - middle.1);
                let mut line: Vec<Point> = self.line(other, |stop| stop.at).into_iter().map(seen).collect();
                if other.ends[0] != end {
                    line.reverse();
                }
                let meets = other.ends.map(|end| self.nodes[end as usize].edges.len() > 1) == [true; 2];
                let Some(found) = course(&line, node.width, meets) else { return false };
                straight.push(found);
            }
        }
        // The point with the least sum of squared distances to the lines.
        let sum = |value: fn(&Straight) -> f64| straight.iter().map(value).sum::<f64>();
        let (xx, xy, yy) = (sum(|l| l.x * l.x), sum(|l| l.x * l.y), sum(|l| l.y * l.y));
        let (x, y) = (sum(|l| l.x * l.off), sum(|l| l.y * l.off));
        let turn = xx * yy - xy * xy;
        let point = ((x * yy - y * xy) / turn, (y * xx - x * xy) / turn);
        let (most, far) = ((self.length(edge) / 3.0).max(1.5), point.0.hypot(point.1));
        far <= self.length(edge) && straight.iter().all(|l| (l.x * point.0 + l.y * point.1 - l.off).abs() <= most)
    }
}

/// A straight line: what lies on it has the sum `off` of coordinates times its normal.
struct Straight {
    x: f64,
    y: f64,
    off: f64,
}

/// The course of a line beyond the crossing where it begins, beside which a skeleton turns from one line to the other, and before the one where
/// it ends, if it `meets` others there, too.
fn course(line: &[Point], crossing: f64, meets: bool) -> Option<Straight> {
    let (clear, length) = (1.5 * crossing + 3.0, length(line));
    let first = clear.min(if meets { 0.35 } else { 0.5 } * length);
    let last = (first + 3.0 * crossing.max(6.0)).min(if meets { length - first } else { length });
    let mean = |sixths: [u8; 3]| {
        let points = sixths.map(|by| at(line, first + f64::from(by) / 6.0 * (last - first)));
        (points.iter().map(|p| p.0).sum::<f64>() / 3.0, points.iter().map(|p| p.1).sum::<f64>() / 3.0)
    };
    let (near, far) = (mean([0, 1, 2]), mean([4, 5, 6]));
    let (x, y) = unit(near, far)?;
    Some(Straight { x: -y, y: x, off: x * near.1 - y * near.0 })
}

/// The place on a line some way from its beginning, at most its end.
fn at(line: &[Point], mut distance: f64) -> Point {
    for pair in line.windows(2) {
        let step = gap(pair[0], pair[1]);
        if distance < step {
            let share = distance / step;
            return (pair[0].0 + share * (pair[1].0 - pair[0].0), pair[0].1 + share * (pair[1].1 - pair[0].1));
        }
        distance -= step;
    }
    line[line.len() - 1]
}

/// A crossing at 60 degrees falls apart by this times the width of the widest circle in it, one at a right angle by some pixels only.
const ONE: f64 = 0.5;
/// Lines that cross at a small angle are one for about as long as they are wide.
const SPLIT: f64 = 1.5;
