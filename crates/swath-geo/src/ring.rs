//! Rings and lines in longitude and latitude, with points where they cross the antimeridian.

use crate::feature_sink::Failure;
use crate::lonlat::{LonLat, Point, turn};

/// A ring in longitude and latitude; longitudes go on beyond 180 degrees.
#[derive(Debug, PartialEq)]
pub(crate) struct Ring {
    /// The first point is repeated at the end, `turns` later.
    pub(crate) points: Vec<Point>,
    /// How often it goes around the earth, eastwards.
    pub(crate) turns: i32,
}

/// Degrees are told to this many parts, seven digits.
const PARTS: f64 = 1e7;

/// A number of degrees with seven digits.
pub(crate) fn rounded(degrees: f64) -> f64 {
    (degrees * PARTS).round() / PARTS
}

impl Ring {
    /// Brings a ring of a map, with what it holds on the left, to longitude and latitude.
    pub(crate) fn of(lonlat: &LonLat, corners: &[Point]) -> Result<Ring, Failure> {
        let mut line = Line::default();
        for leg in lonlat.legs(corners)? {
            line.go_on(&leg);
        }
        line.close();
        let points = crossed(&line.points);
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return Ok(Ring { points, turns: 0 });
        };
        let turns = ((last.0 - first.0) / 360.0).round() as i32;
        Ok(Ring { points, turns })
    }

    /// Least and greatest longitude.
    pub(crate) fn span(&self) -> (f64, f64) {
        let longitudes = self.points.iter().map(|point| point.0);
        longitudes.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)))
    }

    /// Square degrees, positive for counterclockwise rings.
    pub(crate) fn signed_area(&self) -> f64 {
        let (x, y) = self.points.first().copied().unwrap_or_default();
        let cross = |pair: &[Point]| (pair[0].0 - x) * (pair[1].1 - y) - (pair[1].0 - x) * (pair[0].1 - y);
        self.points.windows(2).map(cross).sum::<f64>() / 2.0
    }

    /// Closes a ring around a pole by way of the antimeridian and the pole: the north pole if what is held lies to the left of an eastward ring.
    pub(crate) fn over_pole(&self) -> Ring {
        let all = &self.points[..self.points.len() - 1];
        let start = all.iter().position(|point| turn(point.0 - 180.0) == 0.0).unwrap_or(0);
        let way = 360.0 * f64::from(self.turns);
        let pole = 90.0 * f64::from(self.turns.signum());
        let after = all[..=start].iter().map(|&(x, y)| (x + way, y));
        let mut points: Vec<Point> = all[start..].iter().copied().chain(after).collect();
        let (first, last) = (points[0], points[points.len() - 1]);
        points.extend([(last.0, pole), (first.0, pole), first]);
        Ring { points, turns: 0 }
    }
}

/// The parts of a line between the points where it crosses the antimeridian or ends at a pole, all within 180 degrees.
pub(crate) fn line_parts(lonlat: &LonLat, corners: &[Point]) -> Result<Vec<Vec<Point>>, Failure> {
    let mut parts: Vec<Vec<Point>> = Vec::new();
    let mut line = Vec::new();
    let end = |line: &mut Vec<Point>, parts: &mut Vec<Vec<Point>>| {
        let mut strip = f64::NAN;
        for pair in crossed(line).windows(2) {
            let here = strip_of(f64::midpoint(pair[0].0, pair[1].0));
            let moved = |point: Point| (rounded(point.0 - 360.0 * here), point.1);
            match parts.last_mut() {
                Some(part) if here == strip => part.push(moved(pair[1])),
                _ => parts.push(vec![moved(pair[0]), moved(pair[1])]),
            }
            strip = here;
        }
        line.clear();
    };
    for leg in lonlat.legs(corners)? {
        let Some(&(start, _)) = leg.first() else { continue };
        let from = line.last().map_or(start, |&(x, _): &Point| x + turn(start - x));
        if line.last().is_some_and(|&(_, y)| y.abs() == 90.0) {
            end(&mut line, &mut parts);
        }
        let skip = usize::from(!line.is_empty());
        line.extend(leg.iter().skip(skip).map(|&(x, y)| (x - start + from, y)));
    }
    end(&mut line, &mut parts);
    Ok(parts)
}

/// The whole turn in which a longitude lies: 0 from -180 to 180.
pub(crate) fn strip_of(longitude: f64) -> f64 {
    ((longitude + 180.0) / 360.0).floor()
}

#[derive(Default)]
struct Line {
    points: Vec<Point>,
}

impl Line {
    /// Appends what begins where this ends.
    fn go_on(&mut self, leg: &[Point]) {
        let Some(&(start, latitude)) = leg.first() else { return };
        let Some(&(last, _)) = self.points.last() else { return self.points.extend(leg) };
        let from = joined(last, start, latitude);
        if from != last {
            self.points.push((from, latitude));
        }
        self.points.extend(leg[1..].iter().map(|&(x, y)| (from + (x - start), y)));
    }

    /// Comes back to the first point.
    fn close(&mut self) {
        let (Some(&(first, latitude)), Some(&(last, _))) = (self.points.first(), self.points.last()) else { return };
        let back = joined(last, first, latitude);
        if back != last {
            self.points.push((back, latitude));
        }
    }
}

/// The longitude `start` after `last`, in the same turn. At a pole the way is that of the angle between both lines, with what is held on the left.
fn joined(last: f64, start: f64, latitude: f64) -> f64 {
    if latitude == 90.0 {
        last - (last - start).rem_euclid(360.0)
    } else if latitude == -90.0 {
        last + (start - last).rem_euclid(360.0)
    } else {
        last + turn(start - last)
    }
}

/// Points with seven digits, each once, and those where the line between two of them crosses the antimeridian. Both directions and all turns
/// give the same.
fn crossed(points: &[Point]) -> Vec<Point> {
    let mut crossed: Vec<Point> = Vec::with_capacity(points.len());
    for &(x, y) in points {
        let (x, y) = (rounded(x), rounded(y));
        if let Some(&(last, latitude)) = crossed.last() {
            if (last, latitude) == (x, y) {
                continue;
            }
            let (low, high) = (last.min(x), last.max(x));
            let mut lines: Vec<f64> = Vec::new();
            let mut line = 180.0 + 360.0 * ((low - 180.0) / 360.0).floor();
            while line < high {
                if line > low {
                    lines.push(line);
                }
                line += 360.0;
            }
            if x < last {
                lines.reverse();
            }
            for line in lines {
                // Told by the distances from the antimeridian, which are the same in every turn.
                let (before, after) = (rounded((line - last).abs()), rounded((x - line).abs()));
                crossed.push((line, rounded((latitude * after + y * before) / (before + after))));
            }
        }
        crossed.push((x, y));
    }
    crossed
}
