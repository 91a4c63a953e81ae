//! Walls: from an outline, turned into a frame of right angles, to corners.

use super::{cross, distance};
use crate::Point;

/// A direction and the one at a right angle to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    cos: f64,
    sin: f64,
}

impl Frame {
    fn new(angle: f64) -> Frame {
        Frame { cos: angle.cos(), sin: angle.sin() }
    }

    /// Directions that an outline may have been built in: the mean of its walls modulo a right angle, weighted by length; its longest
    /// wall; and the wall along which its bounding box is smallest.
    pub(super) fn candidates(ring: &[Point], walls: &[usize]) -> Vec<Frame> {
        let edges: Vec<(Point, Point)> = walls.windows(2).map(|pair| (ring[pair[0]], ring[pair[1]])).collect();
        let step = |&(a, b): &(Point, Point)| (b.0 - a.0, b.1 - a.1);
        let length = |edge: &(Point, Point)| step(edge).0.hypot(step(edge).1);
        let angle = |edge: &(Point, Point)| step(edge).1.atan2(step(edge).0);
        let (mut x, mut y) = (0.0, 0.0);
        for edge in &edges {
            x += length(edge) * (4.0 * angle(edge)).cos();
            y += length(edge) * (4.0 * angle(edge)).sin();
        }
        let mut angles = vec![y.atan2(x) / 4.0];
        angles.extend(edges.iter().max_by(|a, b| length(a).total_cmp(&length(b))).map(angle));
        let box_of = |edge: &(Point, Point)| {
            let frame = Frame::new(angle(edge));
            let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
            for point in walls.iter().map(|&at| frame.turn(ring[at])) {
                low = (low.0.min(point.0), low.1.min(point.1));
                high = (high.0.max(point.0), high.1.max(point.1));
            }
            (high.0 - low.0) * (high.1 - low.1)
        };
        angles.extend(edges.iter().min_by(|a, b| box_of(a).total_cmp(&box_of(b))).map(angle));
        angles.into_iter().map(Frame::new).collect()
    }

    /// Coordinates along the frame.
    fn turn(self, (x, y): Point) -> Point {
        (self.cos * x + self.sin * y, self.cos * y - self.sin * x)
    }

    fn turn_back(self, (x, y): Point) -> Point {
        (self.cos * x - self.sin * y, self.cos * y + self.sin * x)
    }
}

/// The ends of a ring's walls: where it is cut by Douglas and Peucker's measure. The first one comes again at the end.
pub(super) fn outline(ring: &[Point], tolerance: f64) -> Vec<usize> {
    let last = ring.len() - 1;
    let gap = |from: Point, to: Point| (from.0 - to.0).hypot(from.1 - to.1);
    // Between the two points that are farthest apart, as seen from the first.
    let far = farthest(0, last, |at| gap(ring[at], ring[0]));
    let other = farthest(0, last, |at| gap(ring[at], ring[far]));
    let (a, b) = (far.min(other), far.max(other));
    if a == b {
        return vec![0, last];
    }
    let mut turned: Vec<usize> = (a..last).chain(0..=a).collect();
    let split = b - a;
    let mut kept = vec![0];
    let mut open = vec![(split, turned.len() - 1), (0, split)];
    while let Some((from, to)) = open.pop() {
        let measure = |at: usize| distance(ring[turned[at]], ring[turned[from]], ring[turned[to]]);
        if to > from + 1 {
            let middle = farthest(from, to, measure);
            if measure(middle) > tolerance {
                open.push((middle, to));
                open.push((from, middle));
                continue;
            }
        }
        kept.push(to);
    }
    kept.iter_mut().for_each(|at| *at = std::mem::take(&mut turned[*at]));
    kept
}

/// The index strictly between two others for which a measure is largest.
fn farthest(from: usize, to: usize, measure: impl Fn(usize) -> f64) -> usize {
    (from + 1..to).max_by(|&a, &b| measure(a).total_cmp(&measure(b)).then(b.cmp(&a))).unwrap_or(from)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Along,
    Across,
    Oblique,
}

/// A line `normal . point = offset`, for as much outline as `length`.
#[derive(Debug, Clone, Copy)]
struct Wall {
    direction: Direction,
    normal: Point,
    offset: f64,
    length: f64,
}

/// A ring of right angles, closed; `None` when fewer than four walls are left or two of them do not meet.
pub(super) fn fit(ring: &[Point], frame: Frame, tolerance: f64) -> Option<Vec<Point>> {
    let turned: Vec<Point> = ring.iter().map(|&point| frame.turn(point)).collect();
    let ends = outline(&turned, tolerance);
    let mut walls: Vec<Wall> = Vec::new();
    for pair in ends.windows(2) {
        let wall = Wall::of(&stretch(&turned, pair[0], pair[1]), tolerance);
        // Two walls of one direction that are apart have a short one between them.
        if let Some(before) = walls.last()
            && before.direction == wall.direction
            && wall.direction != Direction::Oblique
            && (before.offset - wall.offset).abs() > 2.0 * tolerance
        {
            walls.push(Wall::jog(wall.direction, turned[pair[0]]));
        }
        walls.push(wall);
    }
    let corners = loop {
        merge(&mut walls);
        if walls.len() < 4 {
            return None;
        }
        let corners = corners(&walls)?;
        let length = |at: usize| {
            let (a, b) = (corners[at], corners[(at + 1) % corners.len()]);
            (a.0 - b.0).hypot(a.1 - b.1)
        };
        let shortest = (0..walls.len()).min_by(|&a, &b| length(a).total_cmp(&length(b)))?;
        if length(shortest) >= 1.5 * tolerance || walls.len() == 4 {
            break corners;
        }
        walls.remove(shortest);
    };
    let mut ring: Vec<Point> = corners.into_iter().map(|corner| frame.turn_back(corner)).collect();
    ring.push(ring[0]);
    Some(ring)
}

/// The points of a closed ring from one to another, round its end where necessary.
fn stretch(ring: &[Point], from: usize, to: usize) -> Vec<Point> {
    if from < to {
        ring[from..=to].to_vec()
    } else {
        ring[from..ring.len() - 1].iter().chain(&ring[..=to]).copied().collect()
    }
}

impl Wall {
    fn of(stretch: &[Point], tolerance: f64) -> Wall {
        let (a, b) = (stretch[0], stretch[stretch.len() - 1]);
        let (x, y) = (b.0 - a.0, b.1 - a.1);
        let length = x.hypot(y);
        // More than 30 degrees from either direction, and long enough to be meant.
        if x.abs().min(y.abs()) > 0.5 * length && length > OBLIQUE * tolerance {
            let normal = (-y / length, x / length);
            return Wall { direction: Direction::Oblique, normal, offset: normal.0 * a.0 + normal.1 * a.1, length };
        }
        // Mean of the outline across the wall, so that area is neither won nor lost.
        if x.abs() >= y.abs() {
            let moment: f64 = stretch.windows(2).map(|p| (p[1].0 - p[0].0) * (p[0].1 + p[1].1) / 2.0).sum();
            let offset = if x == 0.0 { a.1 } else { moment / x };
            Wall { direction: Direction::Along, normal: (0.0, 1.0), offset, length }
        } else {
            let moment: f64 = stretch.windows(2).map(|p| (p[1].1 - p[0].1) * (p[0].0 + p[1].0) / 2.0).sum();
            Wall { direction: Direction::Across, normal: (1.0, 0.0), offset: moment / y, length }
        }
    }

    /// A wall without length at a right angle to a direction.
    fn jog(direction: Direction, at: Point) -> Wall {
        if direction == Direction::Along {
            Wall { direction: Direction::Across, normal: (1.0, 0.0), offset: at.0, length: 0.0 }
        } else {
            Wall { direction: Direction::Along, normal: (0.0, 1.0), offset: at.1, length: 0.0 }
        }
    }

    fn is_parallel(&self, other: &Wall) -> bool {
        (self.normal.0 * other.normal.1 - self.normal.1 * other.normal.0).abs() < PARALLEL
    }
}

/// Makes one wall of neighbours of one direction, round the end of the list, too.
fn merge(walls: &mut Vec<Wall>) {
    let mut at = 0;
    while at < walls.len() && walls.len() > 2 {
        let next = (at + 1) % walls.len();
        let (a, b) = (walls[at], walls[next]);
        if a.is_parallel(&b) {
            let length = a.length + b.length;
            let share = if length > 0.0 { b.length / length } else { 0.5 };
            let longer = if a.length >= b.length { a } else { b };
            // Oblique ones may look the other way.
            let same = a.normal.0 * b.normal.0 + a.normal.1 * b.normal.1 > 0.0;
            let offset = if longer.direction == Direction::Oblique || !same {
                longer.offset
            } else {
                a.offset + share * (b.offset - a.offset)
            };
            walls[at] = Wall { offset, length, ..longer };
            walls.remove(next);
            at = at.saturating_sub(1);
        } else {
            at += 1;
        }
    }
}

/// Where each wall meets the one before.
fn corners(walls: &[Wall]) -> Option<Vec<Point>> {
    let meet = |at: usize| {
        let (a, b) = (walls[(at + walls.len() - 1) % walls.len()], walls[at]);
        let determinant = cross((0.0, 0.0), a.normal, b.normal);
        (determinant.abs() >= PARALLEL).then(|| {
            let x = (a.offset * b.normal.1 - b.offset * a.normal.1) / determinant;
            let y = (a.normal.0 * b.offset - b.normal.0 * a.offset) / determinant;
            (x, y)
        })
    };
    (0..walls.len()).map(meet).collect()
}

/// Oblique walls are at least this many tolerances long.
const OBLIQUE: f64 = 6.0;
/// Sine of the angle below which walls have one direction.
const PARALLEL: f64 = 0.25;
