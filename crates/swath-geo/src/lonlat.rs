//! Lines of a map in longitude and latitude on WGS 84, close to where they lie on the map.
//!
//! What is straight on a map is a curve in longitude and latitude: it gets points until its parts are no farther from straight lines than
//! half a centimetre, or a millionth of its length. Longitudes go on from point to point instead of jumping at the antimeridian. A pole that
//! is one point on the map, as in polar stereographic maps, is a line in longitude and latitude, so lines end there.

use gdal::spatial_ref::CoordTransform;

use crate::feature_sink::Failure;
use crate::gdal_setup::clear_messages;
use crate::{Crs, Result};

/// x and y, or longitude and latitude in degrees.
pub(crate) type Point = (f64, f64);

/// Brings coordinates of one CRS to longitude and latitude.
pub(crate) struct LonLat {
    transform: CoordTransform,
    crs: Crs,
    /// Places of the north and the south pole on the map, where they are points.
    poles: [Option<Point>; 2],
    /// A metre (a degree where the CRS is geographic) in units of the map.
    unit: f64,
    geographic: bool,
}

/// A piece of a line: a place on the map and where it is.
type Place = (Point, Point);

/// Degrees by which a line may be off, and the share of its length; metres of a degree.
const OFF: f64 = 5e-8;
const OFF_SHARE: f64 = 1e-6;
const METRES: f64 = 111e3;
/// Degrees from which a line may bend one way and the other.
const MAY_WIND: f64 = 0.02;
/// Degrees up to which lines are straight in any projection of use, and the latitude up to which this is so: a line of this length along a parallel
/// there bends by a quarter of [`OFF`].
const SHORT: f64 = 1e-3;
const NEXT_TO_POLE: f64 = 80.0;
/// Longest pieces: metres, and degrees.
const LONG: f64 = 1e6;
const LONG_DEGREES: f64 = 30.0;
/// Halvings of a piece.
const DEPTH: u32 = 48;
/// Metres within which a place is the pole, and from which the direction to it is taken.
const AT_POLE: f64 = 1e-4;
const NEAR_POLE: f64 = 1e-3;

impl LonLat {
    /// # Errors
    /// When PROJ knows no way from the CRS to WGS 84.
    pub(crate) fn new(crs: &Crs) -> Result<LonLat> {
        let (from, to) = (crs.spatial_ref()?, Crs::from_user("EPSG:4326")?.spatial_ref()?);
        let failed = |error: gdal::errors::GdalError| crate::GeoError::Gdal {
            action: format!("find the way from {crs} to longitude and latitude"),
            message: crate::gdal_setup::take_messages(&error.to_string()),
        };
        let transform = CoordTransform::new(&from, &to).map_err(failed)?;
        let back = CoordTransform::new(&to, &from).map_err(failed)?;
        let geographic = crs.is_geographic();
        let unit = match crs.unit() {
            Some(unit) if geographic => unit.to_degrees().recip(),
            Some(unit) => unit.recip(),
            None => 1.0,
        };
        let place = |longitude: f64, latitude: f64| {
            let (mut x, mut y) = ([longitude], [latitude]);
            back.transform_coords(&mut x, &mut y, &mut []).ok()?;
            (x[0].is_finite() && y[0].is_finite()).then_some((x[0], y[0]))
        };
        let pole = |latitude: f64| {
            let first = place(0.0, latitude)?;
            let point = [90.0, 180.0, -90.0]
                .into_iter()
                .all(|turn| place(turn, latitude).is_some_and(|other| distance(first, other) < AT_POLE * unit));
            (point && !geographic).then_some(first)
        };
        let poles = [pole(90.0), pole(-90.0)];
        clear_messages();
        Ok(LonLat { transform, crs: crs.clone(), poles, unit, geographic })
    }

    /// Longitude and latitude of places; longitudes are in any turn.
    pub(crate) fn of(&self, points: &[Point]) -> std::result::Result<Vec<Point>, Failure> {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let complete = self.transform.transform_coords(&mut x, &mut y, &mut []).is_ok();
        let outside = |(x, y): (&f64, &f64)| !x.is_finite() || !y.is_finite();
        let bad = x.iter().zip(&y).position(outside).or_else(|| (!complete).then_some(0));
        if let Some(bad) = bad {
            // Ours says more than PROJ's.
            clear_messages();
            let (x, y) = points[bad];
            return Err(format!(
                "the place {x}, {y} has no longitude and latitude in {}, and GeoJSON holds nothing else; choose .gpkg, or crop the map",
                self.crs
            )
            .into());
        }
        Ok(x.into_iter().zip(y).collect())
    }

    /// Whether what lies to the left on the map lies to the right on the ground, around a place.
    pub(crate) fn mirrors(&self, (x, y): Point) -> bool {
        let step = 10.0 * if self.geographic { 1e-4 * self.unit } else { self.unit };
        let Ok(places) = self.of(&[(x, y), (x + step, y), (x, y + step)]) else { return false };
        let [a, b, c] = [places[0], places[1], places[2]];
        turn(b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * turn(c.0 - a.0) < 0.0
    }

    /// The lines between corners, each cut where a pole lies on it. Longitudes go on within a line; lines begin in any turn. Both
    /// directions give the same points.
    pub(crate) fn legs(&self, corners: &[Point]) -> std::result::Result<Vec<Vec<Point>>, Failure> {
        let places = self.of(corners)?;
        let mut legs = Vec::with_capacity(corners.len());
        for (from, to) in
            (1..corners.len()).map(|end| ((corners[end - 1], places[end - 1]), (corners[end], places[end])))
        {
            if from.0 == to.0 {
                continue;
            }
            let swapped = to.0 < from.0;
            let (from, to) = if swapped { (to, from) } else { (from, to) };
            let first = legs.len();
            let inside = self.poles.iter().flatten().find(|&&pole| self.passes(from.0, to.0, pole));
            match inside {
                Some(&pole) => {
                    let there = (pole, self.of(&[pole])?[0]);
                    legs.push(self.leg(from, there)?);
                    legs.push(self.leg(there, to)?);
                }
                None => legs.push(self.leg(from, to)?),
            }
            if swapped {
                legs[first..].reverse();
                legs[first..].iter_mut().for_each(|leg| leg.reverse());
            }
        }
        Ok(legs)
    }

    /// Whether a line passes over a pole that is not one of its ends.
    fn passes(&self, from: Point, to: Point, pole: Point) -> bool {
        let near = AT_POLE * self.unit;
        if distance(from, pole) <= near || distance(to, pole) <= near {
            return false;
        }
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let part = ((pole.0 - from.0) * dx + (pole.1 - from.1) * dy) / (dx * dx + dy * dy);
        (0.0..=1.0).contains(&part) && distance((from.0 + part * dx, from.1 + part * dy), pole) <= near
    }

    /// 90 or -90 for a pole.
    fn pole(&self, place: Point) -> Option<f64> {
        let is = |pole: &Option<Point>| pole.is_some_and(|pole| distance(place, pole) <= AT_POLE * self.unit);
        if is(&self.poles[0]) {
            return Some(90.0);
        }
        is(&self.poles[1]).then_some(-90.0)
    }

    /// A line over no pole; it may end at one.
    fn leg(&self, from: Place, to: Place) -> std::result::Result<Vec<Point>, Failure> {
        let (start, end) = (self.end(from, to.0)?, self.end(to, from.0)?);
        let mut points = vec![start.1];
        let length = distance(start.0, end.0) / self.unit;
        let off = OFF.max(OFF_SHARE * if self.geographic { length } else { length / METRES });
        let pieces = (length / if self.geographic { LONG_DEGREES } else { LONG }).ceil().max(1.0);
        let mut last = start;
        for piece in 1..=pieces as usize {
            let next = if piece as f64 == pieces { end } else { self.between(start, end, piece as f64 / pieces)? };
            self.refine(last, next, off, DEPTH, &mut points)?;
            last = next;
        }
        Ok(points)
    }

    /// The end of a line: a pole has the longitude from which the line comes.
    fn end(&self, (place, lonlat): Place, other: Point) -> std::result::Result<Place, Failure> {
        let Some(latitude) = self.pole(place) else { return Ok((place, lonlat)) };
        let part = (NEAR_POLE * self.unit / distance(place, other)).min(0.5);
        let near = (place.0 + part * (other.0 - place.0), place.1 + part * (other.1 - place.1));
        Ok((place, (self.of(&[near])?[0].0, latitude)))
    }

    /// A place between two others.
    fn between(&self, from: Place, to: Place, part: f64) -> std::result::Result<Place, Failure> {
        let place = (from.0.0 + part * (to.0.0 - from.0.0), from.0.1 + part * (to.0.1 - from.0.1));
        Ok((place, self.of(&[place])?[0]))
    }

    /// Appends the points after `from` up to `to`, none of which is left out if it is `most` degrees off.
    fn refine(
        &self,
        from: Place,
        to: Place,
        most: f64,
        depth: u32,
        points: &mut Vec<Point>,
    ) -> std::result::Result<(), Failure> {
        let (a, b) = (from.1, to.1);
        let whole = turn(b.0 - a.0);
        let across = latitude_cosine(a.1.abs().min(b.1.abs()));
        let short = (whole * across).hypot(b.1 - a.1) < SHORT && a.1.abs().max(b.1.abs()) < NEXT_TO_POLE;
        // Aliases of a whole turn are excluded by the length of pieces.
        if !short
            && depth > 0
            && distance(from.0, to.0) > AT_POLE * self.unit * if self.geographic { 1e-5 } else { 1.0 }
        {
            let middle = self.between(from, to, 0.5)?;
            let (before, after) = (turn(middle.1.0 - a.0), turn(b.0 - middle.1.0));
            let wide = before.abs().max(after.abs()) > LONG_DEGREES;
            let bend = |place: Place| {
                let across = latitude_cosine(place.1.1);
                let along = ((before + after) * across, b.1 - a.1);
                let away = (turn(place.1.0 - a.0) * across, place.1.1 - a.1);
                let length = along.0.hypot(along.1);
                // How far it is from the straight line, wherever along it.
                let off = if length == 0.0 {
                    away.0.hypot(away.1)
                } else {
                    (along.0 * away.1 - along.1 * away.0).abs() / length
                };
                (off > most, length)
            };
            let (mut bent, length) = bend(middle);
            if !wide && !bent && length > MAY_WIND {
                bent = bend(self.between(from, to, 0.25)?).0 || bend(self.between(from, to, 0.75)?).0;
            }
            if wide || bent {
                self.refine(from, middle, most, depth - 1, points)?;
                return self.refine(middle, to, most, depth - 1, points);
            }
        }
        let last = points.last().map_or(a.0, |point| point.0);
        points.push((last + turn(b.0 - last), b.1));
        Ok(())
    }
}

fn latitude_cosine(latitude: f64) -> f64 {
    latitude.to_radians().cos().max(0.0)
}

fn distance(a: Point, b: Point) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

/// The angle in degrees without whole turns, between -180 and 180.
pub(crate) fn turn(angle: f64) -> f64 {
    angle - 360.0 * (angle / 360.0).round()
}
