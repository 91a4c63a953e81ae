//! Places along a line of points.

use super::gap;
use crate::Point;

/// A line of points with the way to each; a closed one repeats its first point at the end.
#[derive(Debug)]
pub(super) struct Track {
    points: Vec<Point>,
    ways: Vec<f64>,
    closed: bool,
}

/// Where a line is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) at: Point,
    /// The direction in which the line passes, for lines that cross themselves there.
    pub(super) heading: Point,
}

impl Place {
    /// A place that the line passes once.
    pub(super) fn once(at: Point) -> Place {
        Place { at, heading: (0.0, 0.0) }
    }
}

impl Track {
    pub(super) fn new(points: Vec<Point>, closed: bool) -> Track {
        let mut ways = vec![0.0; points.len()];
        for at in 1..points.len() {
            ways[at] = ways[at - 1] + gap(points[at - 1], points[at]);
        }
        Track { points, ways, closed }
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// The point of the line nearest to another one.
    pub(super) fn nearest(&self, point: Point) -> Point {
        self.find(&Place::once(point)).0
    }

    /// The way to the point of the line nearest to a place.
    pub(super) fn way(&self, place: &Place) -> f64 {
        self.find(place).1
    }

    /// The point at a way.
    pub(super) fn at(&self, way: f64) -> Point {
        let edge = self.ways[1..self.ways.len() - 1].partition_point(|&end| end < way);
        let ([a, b], length) = ([self.points[edge], self.points[edge + 1]], self.ways[edge + 1] - self.ways[edge]);
        let share = if length > 0.0 { ((way - self.ways[edge]) / length).clamp(0.0, 1.0) } else { 0.0 };
        (a.0 + share * (b.0 - a.0), a.1 + share * (b.1 - a.1))
    }

    /// The point of the line nearest to a place, and the way to it. Where the line crosses itself there, the way in the place's direction.
    fn find(&self, place: &Place) -> (Point, f64) {
        let mut best = (self.points[0], 0.0, f64::INFINITY, f64::NEG_INFINITY);
        for (at, edge) in self.points.windows(2).enumerate() {
            let (a, b) = (edge[0], edge[1]);
            let (x, y) = (b.0 - a.0, b.1 - a.1);
            let length = x.hypot(y);
            if length == 0.0 {
                continue;
            }
            let along = ((place.at.0 - a.0) * x + (place.at.1 - a.1) * y) / (length * length);
            let along = along.clamp(0.0, 1.0);
            let foot = (a.0 + along * x, a.1 + along * y);
            let away = gap(foot, place.at);
            let agrees = (place.heading.0 * x + place.heading.1 * y) / length;
            if away < best.2 - APART || away < best.2 + APART && agrees > best.3 {
                best = (foot, self.ways[at] + along * length, away, agrees);
            }
        }
        (best.0, best.1)
    }

    /// Cuts the line at places on it, of which the first and the last are its ends too where it is open. `None` when they do not follow
    /// each other along the line; a closed line is cut into as many parts as there are places.
    pub(super) fn cut(&self, places: &[Place]) -> Option<Vec<Vec<Point>>> {
        let length = self.ways[self.ways.len() - 1];
        let mut ways: Vec<f64> = places.iter().map(|place| self.find(place).1).collect();
        let part = |track: &Track, from: usize, ways: &[f64]| {
            track.part(places[from].at, ways[from], places[(from + 1) % places.len()].at, ways[from + 1])
        };
        if !self.closed {
            let last = ways.len() - 1;
            (ways[0], ways[last]) = (0.0, length);
            return (0..last).map(|from| part(self, from, &ways)).collect();
        }
        let first = *ways.first()?;
        let turned = Track::new(self.turned(places[0].at, first), false);
        // The same ways, from the first place on.
        ways.iter_mut().for_each(|way| *way = (*way - first).rem_euclid(length));
        ways.push(length);
        (0..places.len()).map(|from| part(&turned, from, &ways)).collect()
    }

    /// From one point on the line to another one further along.
    fn part(&self, from: Point, start: f64, to: Point, end: f64) -> Option<Vec<Point>> {
        if end - start <= APART {
            return None;
        }
        let inner = self.points.iter().zip(&self.ways);
        let inner = inner.filter(|&(_, &way)| way > start + APART && way < end - APART).map(|(&point, _)| point);
        Some(std::iter::once(from).chain(inner).chain([to]).collect())
    }

    /// A closed line from another point on it.
    fn turned(&self, from: Point, way: f64) -> Vec<Point> {
        let count = self.points.len() - 1;
        let next = self.ways[..count].partition_point(|&other| other <= way + APART);
        let mut points = vec![from];
        points.extend((0..count).map(|step| (next + step) % count).map(|at| self.points[at]));
        // The point itself may be one of them.
        points.retain({
            let mut first = true;
            move |&point| std::mem::take(&mut first) || gap(point, from) > APART
        });
        points.push(from);
        points
    }
}

/// Metres below which two points are one.
const APART: f64 = 1e-6;
