//! Polygons in the pixels of a grid: zones that areas are counted in.

use std::collections::HashMap;
use std::path::Path;

use gdal::spatial_ref::CoordTransform;
use gdal::vector::{Geometry, LayerAccess};
use gdal_sys::OGRwkbGeometryType;

use crate::gdal_setup::{clear_messages, take_messages};
use crate::vector::{find_field, find_layer, geometry, layer_crs, open_vector, reprojection, set_filter};
use crate::{Affine, Crs, GeoError, Grid, Result};

/// Rings of one polygon in pixels: (column, row), corners of pixels at whole numbers. Positions that the grid's projection does
/// not reach are not finite.
pub type PixelRings = Vec<Vec<(f64, f64)>>;

/// The polygons that share a value of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// The value.
    pub name: String,
    /// Polygons of all features with that value, in pixels of the grid.
    pub polygons: Vec<PixelRings>,
    /// Whether some of them reach beyond the grid.
    pub beyond: bool,
}

/// Reads zones in the order in which their names first occur. Features without a value are named `(none)`; a zone whose features
/// have no geometry has no polygons.
///
/// Polygons are reprojected with vertices added along their edges, since a straight line is curved in another projection, and only
/// near the grid, since a projection may not reach their far ends. On a grid of longitude and latitude a polygon also counts
/// whole turns away, so that -170 and 190 degrees are one place.
///
/// # Errors
/// When the file, the layer or the field does not exist, the layer is empty, or a feature is no polygon.
pub fn read_zones(
    path: &Path,
    layer: Option<&str>,
    field: &str,
    filter: Option<&str>,
    grid: &Grid,
) -> Result<Vec<Zone>> {
    let dataset = open_vector(path)?;
    let mut layer = find_layer(&dataset, path, layer)?;
    // Before its fields: an empty layer often has none.
    if layer.feature_count() == 0 {
        return Err(GeoError::input(path, format!("layer {:?} has no features; there are no zones", layer.name())));
    }
    let index = find_field(&layer, path, field)?;
    set_filter(&mut layer, path, filter)?;
    let placement = Placement::new(path, layer_crs(&layer).as_ref(), grid)?;
    let (mut zones, mut places) = (Vec::<Zone>::new(), HashMap::<String, usize>::new());
    clear_messages();
    for feature in layer.features() {
        let value = feature.field_as_string(index).ok().flatten().filter(|value| !value.is_empty());
        let name = value.unwrap_or_else(|| "(none)".into());
        let place = *places.entry(name).or_insert_with_key(|name| {
            zones.push(Zone { name: name.clone(), polygons: Vec::new(), beyond: false });
            zones.len() - 1
        });
        if let Some(geometry) = geometry(&feature) {
            placement.add(path, geometry, &mut zones[place])?;
        }
    }
    let complaint = take_messages("");
    if !complaint.is_empty() {
        return Err(GeoError::input(path, complaint));
    }
    if zones.is_empty() {
        let problem =
            format!("no feature of layer {:?} passes the filter {:?}", layer.name(), filter.unwrap_or_default());
        return Err(GeoError::input(path, problem));
    }
    Ok(zones)
}

/// Reads all polygons of a layer as one area; see [`read_zones`] for how they come onto the grid.
///
/// # Errors
/// When the file or the layer does not exist, the layer is empty or holds a feature that is no polygon, or no polygon touches the grid.
pub fn read_area(path: &Path, layer: Option<&str>, grid: &Grid) -> Result<Vec<PixelRings>> {
    let dataset = open_vector(path)?;
    let mut layer = find_layer(&dataset, path, layer)?;
    let placement = Placement::new(path, layer_crs(&layer).as_ref(), grid)?;
    let mut area = Zone { name: layer.name(), polygons: Vec::new(), beyond: false };
    clear_messages();
    for feature in layer.features() {
        if let Some(geometry) = geometry(&feature) {
            placement.add(path, geometry, &mut area)?;
        }
    }
    let complaint = take_messages("");
    if !complaint.is_empty() {
        return Err(GeoError::input(path, complaint));
    }
    if area.polygons.is_empty() {
        let problem = if layer.feature_count() == 0 {
            format!("layer {:?} has no features", layer.name())
        } else {
            "none of its polygons touches the map; compare their CRS and extents with swath info".into()
        };
        return Err(GeoError::input(path, problem));
    }
    Ok(area.polygons)
}

/// From a layer's coordinates to pixels.
struct Placement<'a> {
    grid: &'a Grid,
    to_pixels: Affine,
    /// To the grid's CRS, where it is another one.
    transform: Option<Reprojection>,
    /// What may be added to an x of the grid.
    turns: Vec<f64>,
}

struct Reprojection {
    transform: CoordTransform,
    /// Edges are cut into pieces of this length, in units of the layer.
    piece: f64,
    /// Where the grid lies in the layer's CRS, `[x min, y min, x max, y max]`, with some space around.
    near: Option<[f64; 4]>,
}

/// Pieces of one edge at most.
const PIECES: f64 = 2000.0;

impl<'a> Placement<'a> {
    fn new(path: &Path, from: Option<&Crs>, grid: &'a Grid) -> Result<Placement<'a>> {
        let to_pixels = grid.transform.inverse().ok_or_else(|| {
            GeoError::Argument("the map's transform is degenerate; zones cannot be placed on it".into())
        })?;
        let transform = match (from, &grid.crs) {
            (Some(from), Some(to)) if !from.same(to) => Some(Reprojection::new(path, from, to, grid)?),
            _ => None,
        };
        let turns = grid.crs.as_ref().map_or(vec![0.0], Crs::turns);
        Ok(Placement { grid, to_pixels, transform, turns })
    }

    /// Adds the polygons of a geometry to a zone.
    fn add(&self, path: &Path, geometry: &Geometry, zone: &mut Zone) -> Result<()> {
        match gdal::vector::geometry_type_flatten(geometry.geometry_type()) {
            OGRwkbGeometryType::wkbPolygon => {
                let ring = |index| {
                    let mut points = Vec::new();
                    geometry.get_geometry(index).get_points(&mut points);
                    points.into_iter().map(|(x, y, _)| (x, y)).collect()
                };
                let rings = (0..geometry.geometry_count()).map(ring).collect();
                self.add_polygon(rings, zone);
                Ok(())
            }
            OGRwkbGeometryType::wkbMultiPolygon | OGRwkbGeometryType::wkbGeometryCollection => {
                (0..geometry.geometry_count()).try_for_each(|index| self.add(path, &geometry.get_geometry(index), zone))
            }
            _ => {
                let problem =
                    format!("{:?} holds a {}, which has no area; give polygons", zone.name, geometry.geometry_name());
                Err(GeoError::input(path, problem))
            }
        }
    }

    fn add_polygon(&self, rings: PixelRings, zone: &mut Zone) {
        let world = match &self.transform {
            Some(reprojection) => {
                let near = rings.iter().map(|ring| match reprojection.near {
                    Some(near) => clipped(ring, near),
                    None => ring.clone(),
                });
                let near: PixelRings = near.collect();
                zone.beyond |= near != rings;
                near.iter().map(|ring| reprojection.apply(ring)).collect()
            }
            None => rings,
        };
        let (width, height) = (self.grid.width as f64, self.grid.height as f64);
        let mut seen = false;
        for shift in &self.turns {
            let pixel = |&(x, y): &(f64, f64)| self.to_pixels.apply(x + shift, y);
            let placed: PixelRings = world.iter().map(|ring| ring.iter().map(pixel).collect()).collect();
            let bounds = bounds(&placed);
            if bounds[0] < width && bounds[1] < height && bounds[2] > 0.0 && bounds[3] > 0.0 {
                let inside =
                    bounds[0] > -SLACK && bounds[1] > -SLACK && bounds[2] < width + SLACK && bounds[3] < height + SLACK;
                zone.beyond |= !inside;
                seen = true;
                zone.polygons.push(placed);
            }
        }
        zone.beyond |= !seen && world.iter().any(|ring| !ring.is_empty());
    }
}

/// How many pixels a zone may reach beyond the grid without a word: it is rounding.
const SLACK: f64 = 0.5;

impl Reprojection {
    fn new(path: &Path, from: &Crs, to: &Crs, grid: &Grid) -> Result<Reprojection> {
        let transform = reprojection(path, from, to)?;
        let back = CoordTransform::new(&to.spatial_ref()?, &from.spatial_ref()?).ok();
        let bounds = back.and_then(|back| back.transform_bounds(&grid.bounds(), 21).ok());
        clear_messages();
        // West of east across the date line: then nothing is known.
        let near = bounds.filter(|b| b.iter().all(|value| value.is_finite()) && b[0] < b[2] && b[1] < b[3]).map(|b| {
            let margin = 0.05 * (b[2] - b[0]).max(b[3] - b[1]);
            [b[0] - margin, b[1] - margin, b[2] + margin, b[3] + margin]
        });
        // A kilometre, or a hundredth of a degree.
        let piece = if from.is_geographic() { 1e-2f64.to_radians() } else { 1e3 } / from.unit().unwrap_or(1.0);
        Ok(Reprojection { transform, piece, near })
    }

    fn apply(&self, ring: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let dense = densified(ring, self.piece);
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = dense.into_iter().unzip();
        if self.transform.transform_coords(&mut x, &mut y, &mut []).is_err() {
            // Some have no place in the projection; the others keep theirs.
            clear_messages();
            for (x, y) in x.iter_mut().zip(&mut y) {
                let (mut one_x, mut one_y) = ([*x], [*y]);
                let placed = x.is_finite() && self.transform.transform_coords(&mut one_x, &mut one_y, &mut []).is_ok();
                (*x, *y) = if placed { (one_x[0], one_y[0]) } else { (f64::NAN, f64::NAN) };
            }
            clear_messages();
        }
        x.into_iter().zip(y).collect()
    }
}

/// The ring with vertices along its edges. Both directions of an edge give the same vertices.
fn densified(ring: &[(f64, f64)], piece: f64) -> Vec<(f64, f64)> {
    let mut dense = Vec::with_capacity(ring.len());
    for (&from, &to) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let pieces = ((to.0 - from.0).hypot(to.1 - from.1) / piece).ceil().clamp(1.0, PIECES) as usize;
        let forward = from <= to;
        let (low, high) = if forward { (from, to) } else { (to, from) };
        let at = |step: usize| {
            let part = step as f64 / pieces as f64;
            (low.0 + part * (high.0 - low.0), low.1 + part * (high.1 - low.1))
        };
        dense.push(from);
        dense.extend((1..pieces).map(|step| at(if forward { step } else { pieces - step })));
    }
    dense
}

/// The part of a ring in a rectangle (I. E. Sutherland, G. W. Hodgman, *Reentrant polygon clipping*, Communications of the ACM 17,
/// 1974). Parts that fall apart stay joined along the rectangle's sides, which is right for filling.
fn clipped(ring: &[(f64, f64)], [west, south, east, north]: [f64; 4]) -> Vec<(f64, f64)> {
    if ring.iter().all(|&(x, y)| (west..=east).contains(&x) && (south..=north).contains(&y)) {
        return ring.to_vec();
    }
    let mut points = ring.to_vec();
    for (is_x, limit, sign) in [(true, west, 1.0), (true, east, -1.0), (false, south, 1.0), (false, north, -1.0)] {
        let coordinate = |point: &(f64, f64)| if is_x { point.0 } else { point.1 };
        let inside = |point: &(f64, f64)| sign * (coordinate(point) - limit) >= 0.0;
        let mut kept = Vec::with_capacity(points.len());
        for (from, to) in points.iter().zip(points.iter().cycle().skip(1)) {
            if inside(from) {
                kept.push(*from);
            }
            if inside(from) != inside(to) {
                let part = (limit - coordinate(from)) / (coordinate(to) - coordinate(from));
                kept.push((from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1)));
            }
        }
        points = kept;
    }
    points
}

/// `[left, top, right, bottom]` of the finite positions.
fn bounds(rings: &PixelRings) -> [f64; 4] {
    let finite = rings.iter().flatten().filter(|(x, y)| x.is_finite() && y.is_finite());
    finite.fold([f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY], |b, &(x, y)| {
        [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utm() -> Grid {
        let crs = Some(Crs::from_user("EPSG:32633").unwrap());
        Grid { crs, transform: Affine([300_000.0, 10.0, 0.0, 5_800_000.0, 0.0, -10.0]), width: 500, height: 400 }
    }

    fn read(text: &str, grid: &Grid) -> Result<Vec<Zone>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zones.geojson");
        std::fs::write(&path, text).unwrap();
        read_zones(&path, None, "name", None, grid)
    }

    fn feature(name: &str, kind: &str, coordinates: &str) -> String {
        format!(
            r#"{{ "type": "Feature", "properties": {{ "name": {name} }}, "geometry": {{ "type": "{kind}", "coordinates": {coordinates} }} }}"#
        )
    }

    fn collection(features: &[String]) -> String {
        format!(r#"{{ "type": "FeatureCollection", "features": [{}] }}"#, features.join(","))
    }

    #[test]
    fn a_country_that_the_projection_does_not_reach_still_covers_the_map() {
        // Half of the world around a map in UTM, in longitude and latitude.
        let world = collection(&[feature("\"north\"", "Polygon", "[[[-100,0],[110,0],[110,89],[-100,89],[-100,0]]]")]);
        let zones = read(&world, &utm()).unwrap();
        assert!(zones[0].beyond && zones[0].polygons.len() == 1);
        let b = bounds(&zones[0].polygons[0]);
        assert!(b[0] < -5.0 && b[1] < -5.0 && b[2] > 505.0 && b[3] > 405.0, "{b:?}");
        assert!(b.iter().all(|value| value.abs() < 1e4), "{b:?}");
    }

    #[test]
    fn features_of_a_name_are_one_zone_and_have_to_be_polygons() {
        let square = |x: f64| format!("[[[{x},52],[{},52],[{},52.01],[{x},52.01],[{x},52]]]", x + 0.01, x + 0.01);
        let features = [
            feature("\"a\"", "Polygon", &square(12.08)),
            feature("null", "Polygon", &square(12.1)),
            feature("\"a\"", "MultiPolygon", &format!("[{}]", square(12.12))),
            feature("\"far\"", "Polygon", &square(50.0)),
        ];
        let zones = read(&collection(&features), &utm()).unwrap();
        let found: Vec<(&str, usize, bool)> =
            zones.iter().map(|zone| (zone.name.as_str(), zone.polygons.len(), zone.beyond)).collect();
        assert_eq!(found.iter().map(|zone| zone.0).collect::<Vec<_>>(), ["a", "(none)", "far"]);
        assert_eq!((found[2].1, found[2].2), (0, true));
        let message = |text: &str| read(text, &utm()).unwrap_err().to_string();
        assert!(message(&collection(&[feature("\"a\"", "Point", "[12, 52]")])).contains("POINT"));
        let empty = message(&collection(&[]));
        assert!(empty.contains("has no features; there are no zones") && !empty.contains("field"), "{empty}");
    }

    #[test]
    fn the_date_line_is_no_border() {
        let crs = Some(Crs::from_user("EPSG:4326").unwrap());
        let grid = Grid { crs, transform: Affine([170.0, 0.1, 0.0, 10.0, 0.0, -0.1]), width: 200, height: 100 };
        let zones = read(
            &collection(&[feature("\"fiji\"", "Polygon", "[[[-180,1],[-175,1],[-175,4],[-180,4],[-180,1]]]")]),
            &grid,
        );
        let zones = zones.unwrap();
        let b = bounds(&zones[0].polygons[0]);
        assert!(zones[0].polygons.len() == 1 && !zones[0].beyond);
        assert!([100.0, 60.0, 150.0, 90.0].iter().zip(b).all(|(want, got)| (want - got).abs() < 1e-6), "{b:?}");
    }

    #[test]
    fn clipping_keeps_what_lies_inside() {
        let ring = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)];
        let part = clipped(&ring, [5.0, -5.0, 20.0, 5.0]);
        let twice: f64 =
            part.iter().zip(part.iter().cycle().skip(1)).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>().abs();
        assert_eq!(twice / 2.0, 25.0);
        assert!(clipped(&ring, [20.0, 20.0, 30.0, 30.0]).is_empty());
        assert_eq!(clipped(&ring, [-1.0, -1.0, 11.0, 11.0]), ring);
    }

    #[test]
    fn edges_are_cut_alike_in_both_directions() {
        let there = densified(&[(0.0, 0.0), (1.0, 0.3)], 0.07);
        let mut back = densified(&[(1.0, 0.3), (0.0, 0.0)], 0.07);
        back.rotate_left(1);
        back.reverse();
        let sorted = |mut points: Vec<(f64, f64)>| {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points
        };
        assert_eq!(sorted(there), sorted(back));
    }
}
