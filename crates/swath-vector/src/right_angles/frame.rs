//! Frames: the directions in which something was built.

use std::f64::consts::FRAC_PI_2;

use super::gap;
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

    /// Directions that walls may have been built in: their mean modulo a right angle, weighted by length; that of the longest; and the
    /// one along which the box around them is smallest.
    pub(super) fn candidates(walls: &[(Point, Point)]) -> Vec<Frame> {
        let mut angles = vec![Mean::of(walls).angle()];
        angles.extend(walls.iter().max_by(|a, b| gap(a.0, a.1).total_cmp(&gap(b.0, b.1))).map(angle));
        let box_of = |edge: &(Point, Point)| {
            let frame = Frame::new(angle(edge));
            let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
            for point in walls.iter().map(|wall| frame.turn(wall.0)) {
                low = (low.0.min(point.0), low.1.min(point.1));
                high = (high.0.max(point.0), high.1.max(point.1));
            }
            (high.0 - low.0) * (high.1 - low.1)
        };
        // The box fits along one of its sides: the longest walls are enough to try.
        let mut longest: Vec<&(Point, Point)> = walls.iter().collect();
        longest.sort_by(|a, b| gap(b.0, b.1).total_cmp(&gap(a.0, a.1)));
        longest.truncate(TRIED);
        angles.extend(longest.into_iter().min_by(|a, b| box_of(a).total_cmp(&box_of(b))).map(angle));
        angles.into_iter().map(Frame::new).collect()
    }

    /// A frame for each of several objects, given the walls of each: objects whose means differ by less than ten degrees have one.
    pub(super) fn common(objects: &[Vec<(Point, Point)>]) -> Vec<Frame> {
        let means: Vec<Mean> = objects.iter().map(|walls| Mean::of(walls)).collect();
        let mut order: Vec<usize> = (0..means.len()).collect();
        order.sort_by(|&a, &b| means[b].weight().total_cmp(&means[a].weight()).then(a.cmp(&b)));
        let mut clusters: Vec<Mean> = Vec::new();
        let mut chosen = vec![0; means.len()];
        // The longest walls first: the others join them, or found their own.
        for at in order {
            let near = |cluster: &Mean| means[at].apart(cluster);
            let best = (0..clusters.len()).min_by(|&a, &b| near(&clusters[a]).total_cmp(&near(&clusters[b])));
            chosen[at] = match best.filter(|&best| near(&clusters[best]) < AGREE) {
                Some(best) => {
                    clusters[best] = Mean { x: clusters[best].x + means[at].x, y: clusters[best].y + means[at].y };
                    best
                }
                None => {
                    clusters.push(means[at]);
                    clusters.len() - 1
                }
            };
        }
        chosen.into_iter().map(|cluster| Frame::new(clusters[cluster].angle())).collect()
    }

    /// The share of a ring's length that is neither along the frame nor across.
    pub(super) fn oblique(self, ring: &[Point]) -> f64 {
        let sides = ring.windows(2).map(|pair| {
            let (x, y) = self.turn((pair[1].0 - pair[0].0, pair[1].1 - pair[0].1));
            let length = x.hypot(y);
            (length, if x.abs().min(y.abs()) > 1e-6 * length { length } else { 0.0 })
        });
        let (all, oblique) = sides.fold((0.0, 0.0), |sum, side| (sum.0 + side.0, sum.1 + side.1));
        oblique / all
    }

    /// Coordinates along the frame.
    pub(super) fn turn(self, (x, y): Point) -> Point {
        (self.cos * x + self.sin * y, self.cos * y - self.sin * x)
    }

    pub(super) fn turn_back(self, (x, y): Point) -> Point {
        (self.cos * x - self.sin * y, self.cos * y + self.sin * x)
    }
}

fn angle(&(a, b): &(Point, Point)) -> f64 {
    (b.1 - a.1).atan2(b.0 - a.0)
}

/// A mean direction modulo a right angle: the sum of walls with four times their angle.
#[derive(Debug, Clone, Copy)]
struct Mean {
    x: f64,
    y: f64,
}

impl Mean {
    fn of(walls: &[(Point, Point)]) -> Mean {
        let add = |sum: Mean, wall: &(Point, Point)| {
            let (length, angle) = (gap(wall.0, wall.1), 4.0 * angle(wall));
            Mean { x: sum.x + length * angle.cos(), y: sum.y + length * angle.sin() }
        };
        walls.iter().fold(Mean { x: 0.0, y: 0.0 }, add)
    }

    fn angle(&self) -> f64 {
        self.y.atan2(self.x) / 4.0
    }

    fn weight(&self) -> f64 {
        self.x.hypot(self.y)
    }

    /// Angle between two, at most half a right angle.
    fn apart(&self, other: &Mean) -> f64 {
        let apart = (self.angle() - other.angle()).rem_euclid(FRAC_PI_2);
        apart.min(FRAC_PI_2 - apart)
    }
}

/// Ten degrees, in radians.
const AGREE: f64 = 0.1745;
/// Walls along which a box is tried.
const TRIED: usize = 32;
