//! Well-known binary as this crate writes it: little endian, in the plane.

use gdal_sys::OGRwkbGeometryType;

use crate::lonlat::Point;

/// A geometry.
#[derive(Debug, PartialEq)]
pub(crate) enum Shape {
    Point(Point),
    Line(Vec<Point>),
    /// Of each polygon its rings, the outer one first.
    Polygons(Vec<Vec<Vec<Point>>>),
}

/// Reads a point, a line or polygons; `None` where it is cut off or something else.
pub(crate) fn read(wkb: &[u8]) -> Option<Shape> {
    let mut rest = wkb;
    match kind(&mut rest)? {
        OGRwkbGeometryType::wkbPoint => Some(Shape::Point(point(&mut rest)?)),
        OGRwkbGeometryType::wkbLineString => Some(Shape::Line(points(&mut rest)?)),
        OGRwkbGeometryType::wkbPolygon => Some(Shape::Polygons(vec![rings(&mut rest)?])),
        OGRwkbGeometryType::wkbMultiPolygon => {
            let polygons = count(&mut rest)?;
            let polygon = |_| (kind(&mut rest)? == OGRwkbGeometryType::wkbPolygon).then(|| rings(&mut rest)).flatten();
            Some(Shape::Polygons(several(polygons, polygon)?))
        }
        _ => None,
    }
}

fn kind(rest: &mut &[u8]) -> Option<u32> {
    take::<1>(rest)?;
    count(rest)
}

fn rings(rest: &mut &[u8]) -> Option<Vec<Vec<Point>>> {
    several(count(rest)?, |_| points(rest))
}

fn points(rest: &mut &[u8]) -> Option<Vec<Point>> {
    several(count(rest)?, |_| point(rest))
}

fn several<T>(count: u32, one: impl FnMut(u32) -> Option<T>) -> Option<Vec<T>> {
    (0..count).map(one).collect()
}

fn point(rest: &mut &[u8]) -> Option<Point> {
    Some((f64::from_le_bytes(take(rest)?), f64::from_le_bytes(take(rest)?)))
}

/// Takes a number of 32 bits from the front.
pub(crate) fn count(rest: &mut &[u8]) -> Option<u32> {
    take(rest).map(u32::from_le_bytes)
}

/// Takes bytes from the front.
pub(crate) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}
