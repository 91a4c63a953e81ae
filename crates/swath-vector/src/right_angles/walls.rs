//! Walls: from an outline, or a part of one, to straight lines in frames of right angles, and the corners where they meet.

use super::frame::Frame;
use super::{cross, distance, gap};
use crate::Point;

/// The ends of the walls of a line of points: where it is cut by Douglas and Peucker's measure. A closed line repeats its first point at the
/// end, and is cut first where it is widest; the first end comes again as the last.
pub(super) fn outline(points: &[Point], closed: bool, tolerance: f64) -> Vec<usize> {
    let last = points.len() - 1;
    let whole: Vec<usize> = (0..=last).collect();
    let (turned, mut open) = if closed {
        // Between the two points that are farthest apart, as seen from the first.
        let far = farthest(0, last, |at| gap(points[at], points[0]));
        let other = farthest(0, last, |at| gap(points[at], points[far]));
        let (a, b) = (far.min(other), far.max(other));
        if a == b {
            return vec![0, last];
        }
        let turned: Vec<usize> = (a..last).chain(0..=a).collect();
        let end = turned.len() - 1;
        (turned, vec![(b - a, end), (0, b - a)])
    } else {
        (whole, vec![(0, last)])
    };
    let mut kept = vec![turned[0]];
    while let Some((from, to)) = open.pop() {
        let measure = |at: usize| distance(points[turned[at]], points[turned[from]], points[turned[to]]);
        if to > from + 1 {
            let middle = farthest(from, to, measure);
            if measure(middle) > tolerance {
                open.push((middle, to));
                open.push((from, middle));
                continue;
            }
        }
        kept.push(turned[to]);
    }
    kept
}

/// The walls of a closed line as straight lines through all of their points, not their ends alone: these are corners of pixels.
pub(super) fn straight(points: &[Point], tolerance: f64) -> Vec<(Point, Point)> {
    let ends = outline(points, true, tolerance);
    let line = |pair: &[usize]| {
        let stretch = stretch(points, pair[0], pair[1]);
        let (a, b) = (stretch[0], stretch[stretch.len() - 1]);
        let count = stretch.len() as f64;
        let centre =
            (stretch.iter().map(|p| p.0).sum::<f64>() / count, stretch.iter().map(|p| p.1).sum::<f64>() / count);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for point in &stretch {
            let (x, y) = (point.0 - centre.0, point.1 - centre.1);
            (xx, xy, yy) = (xx + x * x, xy + x * y, yy + y * y);
        }
        // The direction in which the points spread most.
        let angle = (2.0 * xy).atan2(xx - yy) / 2.0;
        let (x, y) = (angle.cos() * gap(a, b) / 2.0, angle.sin() * gap(a, b) / 2.0);
        ((centre.0 - x, centre.1 - y), (centre.0 + x, centre.1 + y))
    };
    ends.windows(2).map(line).collect()
}

/// The index strictly between two others for which a measure is largest.
fn farthest(from: usize, to: usize, measure: impl Fn(usize) -> f64) -> usize {
    (from + 1..to).max_by(|&a, &b| measure(a).total_cmp(&measure(b)).then(b.cmp(&a))).unwrap_or(from)
}

/// A line `normal . point = offset`, for as much outline as `length`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wall {
    /// Whether it keeps the direction that it had.
    oblique: bool,
    /// Whether it had no direction of the frame, and is too short to be oblique.
    slanted: bool,
    normal: Point,
    offset: f64,
    length: f64,
}

/// The walls of a line of points; `frame` says in which frame the wall around a point is. `None` when a closed line has fewer than
/// four walls, or two walls that follow each other do not meet.
pub(super) fn fit(points: &[Point], closed: bool, frame: &dyn Fn(usize) -> Frame, tolerance: f64) -> Option<Vec<Wall>> {
    let ends = outline(points, closed, tolerance);
    let mut walls: Vec<Wall> = Vec::new();
    for pair in ends.windows(2) {
        let wall = Wall::of(&stretch(points, pair[0], pair[1]), frame(pair[0].midpoint(pair[1])), tolerance);
        // Two walls of one direction that are apart have a short one between them.
        if let Some(before) = walls.last()
            && before.is_same_way(&wall)
            && (before.offset - before.offset_of(&wall)).abs() > SHORT * tolerance
        {
            walls.push(Wall::across(&wall, points[pair[0]]));
        }
        walls.push(wall);
    }
    drop_chamfers(&mut walls, closed);
    let least = if closed { 4 } else { 1 };
    loop {
        merge(&mut walls, closed);
        if walls.len() < least {
            return None;
        }
        let mut corners = corners(&walls, closed)?;
        if !closed {
            corners.insert(0, walls[0].foot(points[0]));
            corners.push(walls[walls.len() - 1].foot(points[points.len() - 1]));
        }
        let length = |at: usize| gap(corners[at], corners[(at + 1) % corners.len()]);
        // Less than 1 for a wall that is too short.
        let share = |at: usize| {
            let enough = if walls[at].oblique && is_chamfer(&walls, closed, at) { OBLIQUE } else { SHORT };
            length(at) / (enough * tolerance)
        };
        let shortest = (0..walls.len()).min_by(|&a, &b| share(a).total_cmp(&share(b)))?;
        if share(shortest) >= 1.0 || walls.len() == least {
            if closed {
                corners.push(corners[0]);
            }
            refit(&mut walls, points, closed, &corners, tolerance);
            return Some(walls);
        }
        walls.remove(shortest);
    }
}

/// Moves each wall to the mean of the outline between its corners: cuts of the outline are not where the walls meet.
fn refit(walls: &mut [Wall], points: &[Point], closed: bool, corners: &[Point], tolerance: f64) {
    let nearest = |from: usize, corner: &Point| {
        (from..points.len())
            .min_by(|&a, &b| gap(points[a], *corner).total_cmp(&gap(points[b], *corner)))
            .unwrap_or(from)
    };
    let mut cuts: Vec<usize> = Vec::new();
    for (at, corner) in corners.iter().enumerate() {
        // An open line may come to one of its points a second time: its corners follow each other, from its first point to its last.
        cuts.push(match cuts.last() {
            _ if closed => nearest(0, corner),
            None => 0,
            Some(_) if at + 1 == corners.len() => points.len() - 1,
            Some(&before) => nearest(before, corner),
        });
    }
    for (wall, (ends, cuts)) in walls.iter_mut().zip(corners.windows(2).zip(cuts.windows(2))) {
        if wall.oblique || cuts[0] == cuts[1] {
            continue;
        }
        let ahead = stretch(points, cuts[0], cuts[1]);
        let along = |point: Point| -wall.normal.1 * point.0 + wall.normal.0 * point.1;
        let across = |point: Point| wall.normal.0 * point.0 + wall.normal.1 * point.1;
        let length = along(ahead[ahead.len() - 1]) - along(ahead[0]);
        let expected = along(ends[1]) - along(ends[0]);
        // The outline may run otherwise than the walls where these are short.
        if length / expected > 0.5 && length / expected < 1.5 {
            let part = |p: &[Point]| (along(p[1]) - along(p[0])) * (across(p[0]) + across(p[1])) / 2.0;
            let offset = ahead.windows(2).map(part).sum::<f64>() / length;
            if (offset - wall.offset).abs() < SHORT * tolerance {
                wall.offset = offset;
            }
        }
    }
}

/// Where walls meet: each with the one before in a closed line, with its first corner at the start of the first wall; between
/// neighbours otherwise.
pub(super) fn corners(walls: &[Wall], closed: bool) -> Option<Vec<Point>> {
    let count = walls.len();
    (usize::from(!closed)..count).map(|at| walls[(at + count - 1) % count].meet(&walls[at])).collect()
}

/// The points of a line from one to another, round the end of a closed one where necessary.
fn stretch(points: &[Point], from: usize, to: usize) -> Vec<Point> {
    if from < to {
        points[from..=to].to_vec()
    } else {
        points[from..points.len() - 1].iter().chain(&points[..=to]).copied().collect()
    }
}

impl Wall {
    fn of(stretch: &[Point], frame: Frame, tolerance: f64) -> Wall {
        let stretch: Vec<Point> = stretch.iter().map(|&point| frame.turn(point)).collect();
        let (a, b) = (stretch[0], stretch[stretch.len() - 1]);
        let (x, y) = (b.0 - a.0, b.1 - a.1);
        let length = x.hypot(y);
        // More than 30 degrees from either direction, and long enough to be meant. Whole numbers of pixels are often just as long, whatever their
        // last bits are in the frame.
        let slanted = x.abs().min(y.abs()) > 0.5 * length;
        let wall =
            |oblique, normal: Point, offset| Wall { oblique, slanted, normal: frame.turn_back(normal), offset, length };
        if slanted && length > OBLIQUE * tolerance * (1.0 + 1e-9) {
            let normal = (-y / length, x / length);
            return wall(true, normal, normal.0 * a.0 + normal.1 * a.1);
        }
        // Mean of the outline across the wall, so that area is neither won nor lost.
        if x.abs() >= y.abs() {
            let moment: f64 = stretch.windows(2).map(|p| (p[1].0 - p[0].0) * (p[0].1 + p[1].1) / 2.0).sum();
            wall(false, (0.0, 1.0), if x == 0.0 { a.1 } else { moment / x })
        } else {
            let moment: f64 = stretch.windows(2).map(|p| (p[1].1 - p[0].1) * (p[0].0 + p[1].0) / 2.0).sum();
            wall(false, (1.0, 0.0), moment / y)
        }
    }

    /// A wall without length at a right angle to another one.
    fn across(other: &Wall, at: Point) -> Wall {
        let normal = (-other.normal.1, other.normal.0);
        Wall { oblique: false, slanted: false, normal, offset: normal.0 * at.0 + normal.1 * at.1, length: 0.0 }
    }

    /// Whether both have one direction of one frame.
    fn is_same_way(&self, other: &Wall) -> bool {
        !self.oblique && !other.oblique && cross((0.0, 0.0), self.normal, other.normal).abs() < 1e-9
    }

    /// The offset of a wall of the same direction along this wall's normal: normals of one frame agree up to their sign.
    fn offset_of(&self, other: &Wall) -> f64 {
        let cosine = self.normal.0 * other.normal.0 + self.normal.1 * other.normal.1;
        if cosine < 0.0 { -other.offset } else { other.offset }
    }

    fn is_parallel(&self, other: &Wall) -> bool {
        cross((0.0, 0.0), self.normal, other.normal).abs() < PARALLEL
    }

    /// The point of the wall that is nearest to another one.
    pub(super) fn foot(&self, point: Point) -> Point {
        let away = self.offset - self.normal.0 * point.0 - self.normal.1 * point.1;
        (point.0 + away * self.normal.0, point.1 + away * self.normal.1)
    }

    /// Where the lines of two walls meet, if they are not parallel.
    pub(super) fn meet(&self, other: &Wall) -> Option<Point> {
        let determinant = cross((0.0, 0.0), self.normal, other.normal);
        (determinant.abs() >= PARALLEL).then(|| {
            let x = (self.offset * other.normal.1 - other.offset * self.normal.1) / determinant;
            let y = (self.normal.0 * other.offset - other.normal.0 * self.offset) / determinant;
            (x, y)
        })
    }

    /// Where the line of the wall meets the straight line between two points, not beyond its ends.
    pub(super) fn meet_edge(&self, a: Point, b: Point) -> Option<Point> {
        let side = |point: Point| self.normal.0 * point.0 + self.normal.1 * point.1 - self.offset;
        let (from, to) = (side(a), side(b));
        let share = from / (from - to);
        ((from <= 0.0) != (to <= 0.0) && (from - to).abs() >= PARALLEL * gap(a, b))
            .then_some((a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1)))
    }

    /// A point of the wall, and another one from there in the direction away from a third.
    pub(super) fn beyond(&self, end: Point, inner: Point, reach: f64) -> Point {
        let foot = self.foot(end);
        let along = (-self.normal.1, self.normal.0);
        let outwards = (foot.0 - inner.0) * along.0 + (foot.1 - inner.1) * along.1;
        let step = if outwards < 0.0 { -reach } else { reach };
        (foot.0 + step * along.0, foot.1 + step * along.1)
    }
}

/// Takes short slanted walls away between two that meet without them: pixels cut corners off.
fn drop_chamfers(walls: &mut Vec<Wall>, closed: bool) {
    let mut at = 0;
    while walls.len() > 3 && at < walls.len() {
        if !walls[at].oblique && is_chamfer(walls, closed, at) {
            walls.remove(at);
        } else {
            at += 1;
        }
    }
}

/// Whether a wall is slanted, and those beside it are not and meet without it.
fn is_chamfer(walls: &[Wall], closed: bool, at: usize) -> bool {
    let count = walls.len();
    if !closed && (at == 0 || at + 1 == count) {
        return false;
    }
    let (before, after) = (walls[(at + count - 1) % count], walls[(at + 1) % count]);
    walls[at].slanted && !before.slanted && !after.slanted && !before.is_parallel(&after)
}

/// Where two lines meet, each a point and a direction, if they are not parallel.
pub(super) fn line_meet(a: Point, along_a: Point, b: Point, along_b: Point) -> Option<Point> {
    let determinant = cross((0.0, 0.0), along_a, along_b);
    let share = cross((0.0, 0.0), (b.0 - a.0, b.1 - a.1), along_b) / determinant;
    (determinant.abs() >= PARALLEL).then_some((a.0 + share * along_a.0, a.1 + share * along_a.1))
}

/// Makes one wall of neighbours of one direction, round the end of the list where the line is closed.
fn merge(walls: &mut Vec<Wall>, closed: bool) {
    let mut at = 0;
    while walls.len() > if closed { 2 } else { 1 } && at + usize::from(!closed) < walls.len() {
        let next = (at + 1) % walls.len();
        let (a, b) = (walls[at], walls[next]);
        if a.is_parallel(&b) {
            let length = a.length + b.length;
            let share = if length > 0.0 { b.length / length } else { 0.5 };
            let longer = if a.length >= b.length { a } else { b };
            walls[at] = if a.is_same_way(&b) {
                Wall { offset: a.offset + share * (a.offset_of(&b) - a.offset), length, ..a }
            } else {
                Wall { length, ..longer }
            };
            walls.remove(next);
            at = at.saturating_sub(1);
        } else {
            at += 1;
        }
    }
}

/// Oblique walls are at least this many tolerances long.
const OBLIQUE: f64 = 6.0;
/// Sine of the angle below which walls have one direction.
const PARALLEL: f64 = 0.25;
/// Walls are at least this many tolerances long.
const SHORT: f64 = 2.0;
