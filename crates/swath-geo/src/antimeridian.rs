//! Geometries of a map in longitude and latitude on WGS 84, as RFC 7946 has them: nothing crosses the antimeridian (section 3.1.9).
//!
//! What crosses it becomes several parts with points on it. A polygon that holds a pole runs along the antimeridian to the pole and along it, since a
//! pole is a line in longitude and latitude. Neighbours get the same points. GEOS cuts the polygons that need it; the others only
//! change their coordinates.

use gdal::vector::Geometry;
use gdal_sys::OGRwkbGeometryType;

use crate::feature_sink::{Failure, begin_wkb};
use crate::gdal_setup::clear_messages;
use crate::lonlat::{LonLat, Point};
use crate::ring::{Ring, line_parts, rounded, strip_of};
use crate::wkb::{Shape, read};

/// Square degrees from which a ring that runs the wrong way holds the rest of the world, instead of being a sliver.
const WORLD: f64 = 1e-6;
/// Degrees that an edge may be long: GDAL takes longer ones for lines over the antimeridian.
const LONGEST: f64 = 90.0;

/// Brings geometries to longitude and latitude.
pub(crate) struct Unwrapped {
    lonlat: LonLat,
    /// Whether the CRS shows the ground as in a mirror, once it is known.
    mirrored: Option<bool>,
}

impl Unwrapped {
    pub(crate) fn new(lonlat: LonLat) -> Unwrapped {
        Unwrapped { lonlat, mirrored: None }
    }

    /// A geometry of the map, as well-known binary, in longitude and latitude.
    pub(crate) fn convert(&mut self, wkb: &[u8]) -> Result<Vec<u8>, Failure> {
        let shape = read(wkb).ok_or("a geometry is cut off")?;
        let mut out = Vec::with_capacity(wkb.len());
        match shape {
            Shape::Point(point) => {
                let (x, y) = self.lonlat.of(&[point])?[0];
                begin_wkb(OGRwkbGeometryType::wkbPoint, &mut out);
                put(&mut out, (rounded(x - 360.0 * strip_of(x)), rounded(y)));
            }
            Shape::Line(points) => {
                let parts = line_parts(&self.lonlat, &points)?;
                if parts.is_empty() {
                    return Err(too_small(points.first()));
                }
                collection(OGRwkbGeometryType::wkbMultiLineString, parts.len(), &mut out);
                for part in &parts {
                    begin_wkb(OGRwkbGeometryType::wkbLineString, &mut out);
                    put_all(&mut out, part);
                }
            }
            Shape::Polygons(polygons) => {
                let mut parts = Vec::new();
                for polygon in &polygons {
                    let before = parts.len();
                    self.polygon(polygon, &mut parts)?;
                    if parts.len() == before {
                        return Err(too_small(polygon.first().and_then(|ring| ring.first())));
                    }
                }
                collection(OGRwkbGeometryType::wkbMultiPolygon, parts.len(), &mut out);
                for rings in &parts {
                    begin_wkb(OGRwkbGeometryType::wkbPolygon, &mut out);
                    out.extend((rings.len() as u32).to_le_bytes());
                    rings.iter().for_each(|ring| put_all(&mut out, ring));
                }
            }
        }
        Ok(out)
    }

    /// Appends the parts of a polygon.
    fn polygon(&mut self, rings: &[Vec<Point>], parts: &mut Vec<Vec<Vec<Point>>>) -> Result<(), Failure> {
        let mirrored = self.mirrored(rings)?;
        let mut found = Vec::with_capacity(rings.len());
        for (index, ring) in rings.iter().enumerate() {
            // What a ring holds is to lie on its left: the hole in holes.
            let ring = if mirrored != (index > 0) {
                let turned: Vec<Point> = ring.iter().rev().copied().collect();
                Ring::of(&self.lonlat, &turned)?
            } else {
                Ring::of(&self.lonlat, ring)?
            };
            // Seven digits make nothing of a ring of less than a centimetre.
            if ring.points.len() > 3 {
                found.push(ring);
            } else if index == 0 {
                return Ok(());
            }
        }
        if found.iter().all(is_plain) {
            parts.push(found.iter().map(moved).collect());
            return Ok(());
        }
        let mut base = cover(&found[0])?;
        for hole in &found[1..] {
            base = base.difference(&cover(hole)?).ok_or_else(uncut)?;
        }
        collect(&base, parts);
        Ok(())
    }

    fn mirrored(&mut self, rings: &[Vec<Point>]) -> Result<bool, Failure> {
        if let Some(mirrored) = self.mirrored {
            return Ok(mirrored);
        }
        let Some(ring) = rings.first() else { return Ok(false) };
        // Directions are uncertain next to a pole.
        let places = self.lonlat.of(ring)?;
        let far = places.iter().position(|place| place.1.abs() < 89.9);
        self.mirrored = far.map(|index| self.lonlat.mirrors(ring[index]));
        Ok(self.mirrored.unwrap_or(false))
    }
}

/// Whether a ring lies between -180 and 180 degrees, after whole turns, and holds what is on its left.
fn is_plain(ring: &Ring) -> bool {
    let (west, east) = ring.span();
    let turn = 360.0 * strip_of(f64::midpoint(west, east));
    let poles = ring.points.iter().any(|point| point.1.abs() > 90.0);
    ring.turns == 0 && west - turn >= -180.0 && east - turn <= 180.0 && !poles && ring.signed_area() > -WORLD
}

/// The points of a plain ring between -180 and 180 degrees.
fn moved(ring: &Ring) -> Vec<Point> {
    let (west, east) = ring.span();
    let turn = 360.0 * strip_of(f64::midpoint(west, east));
    ring.points.iter().map(|&(x, y)| (rounded(x - turn), y)).collect()
}

/// What a ring holds, cut into the world from -180 to 180 degrees.
fn cover(ring: &Ring) -> Result<Geometry, Failure> {
    let closed;
    let ring = match ring.turns {
        0 => ring,
        1 | -1 => {
            closed = ring.over_pole();
            &closed
        }
        _ => return Err("a polygon goes around the earth more than once; choose .gpkg".into()),
    };
    let (west, east) = ring.span();
    let whole = polygon(&ring.points)?;
    let mut cover: Option<Geometry> = None;
    let (first, last) = (strip_of(west), strip_of(east));
    let mut strip = first;
    while strip <= last {
        let turn = 360.0 * strip;
        let part = whole.intersection(&world(turn)?).ok_or_else(uncut)?;
        let mut parts = Vec::new();
        collect(&part, &mut parts);
        for rings in parts {
            let rings: Vec<Vec<Point>> =
                rings.iter().map(|ring| ring.iter().map(|&(x, y)| (rounded(x - turn), y)).collect()).collect();
            let part = geometry(&rings)?;
            cover = Some(match cover {
                Some(cover) => cover.union(&part).ok_or_else(uncut)?,
                None => part,
            });
        }
        strip += 1.0;
    }
    let cover = cover.map_or_else(|| Geometry::empty(OGRwkbGeometryType::wkbPolygon).map_err(Failure::from), Ok)?;
    if ring.signed_area() > -WORLD {
        return Ok(cover);
    }
    // It holds both poles, and not what it runs around.
    world(0.0)?.difference(&cover).ok_or_else(uncut)
}

/// All longitudes of a turn and all latitudes.
fn world(turn: f64) -> Result<Geometry, Failure> {
    let (west, east) = (turn - 180.0, turn + 180.0);
    geometry(&[vec![(west, -90.0), (east, -90.0), (east, 90.0), (west, 90.0), (west, -90.0)]])
}

/// A valid polygon, or several, within a ring.
fn polygon(points: &[Point]) -> Result<Geometry, Failure> {
    let polygon = geometry(&[points.to_vec()])?;
    if polygon.is_valid() {
        return Ok(polygon);
    }
    // Seven digits may let parts of a ring touch. What that changes is smaller than they are.
    let valid = polygon.make_valid(&gdal::cpl::CslStringList::new())?;
    clear_messages();
    let (before, after) = (polygon.area(), valid.area());
    if (before - after).abs() > 1e-6 * before.max(1e-6) {
        return Err("a polygon crosses itself in longitude and latitude; choose .gpkg".into());
    }
    Ok(valid)
}

fn geometry(rings: &[Vec<Point>]) -> Result<Geometry, Failure> {
    let mut wkb = Vec::new();
    begin_wkb(OGRwkbGeometryType::wkbPolygon, &mut wkb);
    wkb.extend((rings.len() as u32).to_le_bytes());
    for ring in rings {
        wkb.extend((ring.len() as u32).to_le_bytes());
        ring.iter().for_each(|&point| put(&mut wkb, point));
    }
    Ok(Geometry::from_wkb(&wkb)?)
}

/// Appends the rings of all polygons in a geometry of GEOS's, which may have lines and points besides.
fn collect(geometry: &Geometry, parts: &mut Vec<Vec<Vec<Point>>>) {
    match geometry.geometry_type() & 0xff {
        OGRwkbGeometryType::wkbPolygon if !geometry.is_empty() => {
            let ring = |index| {
                let mut points = Vec::new();
                geometry.get_geometry(index).get_points(&mut points);
                points.into_iter().map(|(x, y, _)| (rounded(x), rounded(y))).collect()
            };
            parts.push((0..geometry.geometry_count()).map(ring).collect());
        }
        OGRwkbGeometryType::wkbMultiPolygon | OGRwkbGeometryType::wkbGeometryCollection => {
            (0..geometry.geometry_count()).for_each(|index| collect(&geometry.get_geometry(index), parts));
        }
        _ => {}
    }
}

fn uncut() -> Failure {
    clear_messages();
    "a polygon cannot be cut at the antimeridian; choose .gpkg".into()
}

fn too_small(place: Option<&Point>) -> Failure {
    let (x, y) = place.copied().unwrap_or_default();
    clear_messages();
    format!(
        "what lies at {x}, {y} on the map is smaller than the seventh digit of a degree, or beyond a pole; choose .gpkg, or crop the map"
    )
    .into()
}

/// Begins several geometries; a single one is written as itself.
fn collection(kind: OGRwkbGeometryType::Type, count: usize, wkb: &mut Vec<u8>) {
    if count > 1 {
        begin_wkb(kind, wkb);
        wkb.extend((count as u32).to_le_bytes());
    }
}

fn put(wkb: &mut Vec<u8>, (x, y): Point) {
    wkb.extend(x.to_le_bytes());
    wkb.extend(y.to_le_bytes());
}

/// Puts a ring or a line, long edges in pieces.
fn put_all(wkb: &mut Vec<u8>, points: &[Point]) {
    let at = wkb.len();
    wkb.extend(0u32.to_le_bytes());
    let mut count = 0u32;
    for (index, &(x, y)) in points.iter().enumerate() {
        if let Some(&(last, latitude)) = index.checked_sub(1).and_then(|before| points.get(before)) {
            let pieces = ((x - last).abs() / LONGEST).ceil();
            for piece in 1..pieces as usize {
                let part = piece as f64 / pieces;
                put(wkb, (rounded(last + part * (x - last)), rounded(latitude + part * (y - latitude))));
                count += 1;
            }
        }
        put(wkb, (x, y));
        count += 1;
    }
    wkb[at..at + 4].copy_from_slice(&count.to_le_bytes());
}
