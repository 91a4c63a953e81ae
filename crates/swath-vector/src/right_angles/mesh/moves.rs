//! Moves of vertices and walls that may make a boundary cheaper.

use super::super::gap;
use super::super::walls::line_meet;
use super::boundary::{Boundary, Knot};
use super::energy::Energy;
use super::triangles::Triangles;
use crate::Point;

impl Boundary<'_> {
    /// Moves a vertex to the best of some places.
    pub(super) fn move_vertex(&self, vertex: u32, mesh: &mut Triangles, energy: &Energy) -> bool {
        if !self.is_free(vertex) {
            return false;
        }
        let at = mesh.places[vertex as usize];
        let mut places = Vec::new();
        let near = self.neighbours(vertex);
        if let [(a, _), (b, _)] = near[..] {
            let [a, b] = [a, b].map(|vertex| mesh.places[vertex as usize]);
            // On the circle over the line between the neighbours corners are right.
            let (middle, radius) = ((f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1)), gap(a, b) / 2.0);
            let away = gap(at, middle).max(f64::MIN_POSITIVE);
            places.push((middle.0 + (at.0 - middle.0) * radius / away, middle.1 + (at.1 - middle.1) * radius / away));
        }
        for step in STEPS {
            let step = step * self.tolerance(vertex);
            for (x, y) in DIRECTIONS {
                places.push((at.0 + step * x, at.1 + step * y));
            }
        }
        let reach = REACH * self.tolerance(vertex);
        let options = places.into_iter().filter(|place| gap(*place, at) <= reach).map(|place| [place]);
        self.best([vertex], options.collect(), 0.0, mesh, energy)
    }

    /// Turns or shifts the wall from a vertex to the next one; their other walls keep their directions.
    pub(super) fn move_wall(&self, vertex: u32, mesh: &mut Triangles, energy: &Energy) -> bool {
        let Some(Knot::On { before, after: next, .. }) = self.knot(vertex) else { return false };
        let Some(Knot::On { after, .. }) = self.knot(next) else { return false };
        if before == next || after == vertex || after == before || !self.is_free(vertex) || !self.is_free(next) {
            return false;
        }
        let [a, p, q, b] = [before, vertex, next, after].map(|vertex| mesh.places[vertex as usize]);
        let unit = |from: Point, to: Point| {
            let length = gap(from, to).max(f64::MIN_POSITIVE);
            ((to.0 - from.0) / length, (to.1 - from.1) / length)
        };
        let (wall, first, last) = (unit(p, q), unit(a, p), unit(q, b));
        let middle = (f64::midpoint(p.0, q.0), f64::midpoint(p.1, q.1));
        let normal = (-wall.1, wall.0);
        // The wall through a point in a direction, between the lines of its neighbours.
        let through = |at: Point, along: Point| Some((line_meet(at, along, p, first)?, line_meet(at, along, q, last)?));
        let mut options: Vec<Option<(Point, Point)>> = Vec::new();
        for other in [first, last] {
            let right = (-other.1, other.0);
            let along = if (wall.0 * right.0 + wall.1 * right.1).abs() > 0.7 { right } else { other };
            options.push(through(middle, along));
            // Parallel neighbours meet no wall: then its ends turn around its middle.
            let half = gap(p, q) / 2.0 * (along.0 * wall.0 + along.1 * wall.1).signum();
            let end = |sign: f64| (middle.0 + sign * half * along.0, middle.1 + sign * half * along.1);
            options.push(Some((end(-1.0), end(1.0))));
        }
        for step in STEPS {
            for sign in [-1.0, 1.0] {
                let step = sign * step * self.tolerance(vertex);
                options.push(through((middle.0 + step * normal.0, middle.1 + step * normal.1), wall));
            }
        }
        let reach = REACH * self.tolerance(vertex);
        let options = options.into_iter().flatten().filter(|(to, end)| gap(*to, p) <= reach && gap(*end, q) <= reach);
        self.best([vertex, next], options.map(|(to, end)| [to, end]).collect(), 0.0, mesh, energy)
    }

    /// Makes one wall of the two on both sides of a short one, through its middle: its ends come to lie on the new wall, and may go.
    pub(super) fn join_walls(&self, vertex: u32, mesh: &mut Triangles, energy: &Energy) -> bool {
        let Some(Knot::On { before, after: next, .. }) = self.knot(vertex) else { return false };
        let Some(Knot::On { after, .. }) = self.knot(next) else { return false };
        let four = [before, vertex, next, after];
        if (0..4).any(|a| four[..a].contains(&four[a])) || !four[1..3].iter().all(|&vertex| self.is_free(vertex)) {
            return false;
        }
        let [a, p, q, b] = four.map(|vertex| mesh.places[vertex as usize]);
        let middle = (f64::midpoint(p.0, q.0), f64::midpoint(p.1, q.1));
        if gap(p, q) > JOIN * self.tolerance(vertex) {
            return false;
        }
        // The direction of the wall before, where it ends at another wall.
        let line = |vertex: u32, other: u32, at: Point| {
            let Some(Knot::On { before, after, .. }) = self.knot(vertex) else { return None };
            let beyond = mesh.places[if before == other { after } else { before } as usize];
            self.is_free(vertex).then_some((at.0 - beyond.0, at.1 - beyond.1))
        };
        let ends = [line(before, vertex, a), line(after, next, b)];
        let unit = |(x, y): Point| (x / x.hypot(y).max(f64::MIN_POSITIVE), y / x.hypot(y).max(f64::MIN_POSITIVE));
        let straight = unit((b.0 - a.0, b.1 - a.1));
        let mut along = vec![straight];
        along.extend(ends.iter().flatten().map(|&(x, y)| unit((-y, x))));
        let options = along.into_iter().filter_map(|along| {
            let end = |at: Point, other: Option<Point>| match other {
                Some(other) => line_meet(middle, along, at, unit(other)),
                None => Some(at),
            };
            let (first, last) = (end(a, ends[0])?, end(b, ends[1])?);
            let onto = |point: Point| {
                let (x, y) = (last.0 - first.0, last.1 - first.1);
                let share =
                    ((point.0 - first.0) * x + (point.1 - first.1) * y) / (x * x + y * y).max(f64::MIN_POSITIVE);
                (first.0 + share * x, first.1 + share * y)
            };
            let reach = REACH * self.tolerance(vertex);
            let places = [first, onto(p), onto(q), last];
            let near = places.iter().zip([a, p, q, b]).all(|(&to, from)| gap(to, from) <= reach);
            near.then_some(places)
        });
        let options = options.collect();
        let go = self.spare(vertex).min(2) as f64;
        self.best(four, options, go * self.weight(vertex) * energy.vertex, mesh, energy)
    }
}

/// Lengths of moves, in tolerances.
const STEPS: [f64; 4] = [1.0, 0.4, 0.15, 0.05];
const DIRECTIONS: [Point; 8] =
    [(1.0, 0.0), (0.7, 0.7), (0.0, 1.0), (-0.7, 0.7), (-1.0, 0.0), (-0.7, -0.7), (0.0, -1.0), (0.7, -0.7)];
/// Tolerances that a wall is long at most between two that become one.
const JOIN: f64 = 3.0;
/// Tolerances that a vertex moves at once.
const REACH: f64 = 2.0;
