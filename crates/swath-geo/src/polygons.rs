//! Polygons of vector files in a common plane.

use std::path::Path;

use gdal::spatial_ref::CoordTransform;
use gdal::vector::{Geometry, LayerAccess};
use gdal_sys::OGRwkbGeometryType;

use crate::gdal_setup::{clear_messages, take_messages};
use crate::vector::{find_field, find_layer, geometry, layer_crs, open_vector, reprojection, set_filter};
use crate::{Crs, GeoError, Result};

/// A feature of polygons.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Its polygons, each a list of closed rings of (x, y), the outer one first.
    pub polygons: Vec<Vec<Vec<(f64, f64)>>>,
    /// The value of the field that was asked for, where it is a number.
    pub number: Option<f64>,
}

/// Which features of which layer to read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolygonSource {
    /// Layer; `None` for the only one.
    pub layer: Option<String>,
    /// Condition on the features in OGR SQL.
    pub filter: Option<String>,
    /// Field whose numbers are wanted.
    pub number: Option<String>,
}

/// Reads polygons, in the plane `to` if both that and the layer's CRS are known, else as they are. Features without a geometry are
/// left out.
///
/// # Errors
/// When the file, the layer or the field does not exist, or a feature is no polygon or cannot be brought to the plane.
pub fn read_polygons(path: &Path, source: &PolygonSource, to: Option<&Crs>) -> Result<Vec<Shape>> {
    let dataset = open_vector(path)?;
    let mut layer = find_layer(&dataset, path, source.layer.as_deref())?;
    let number = source.number.as_deref().map(|field| find_field(&layer, path, field)).transpose()?;
    set_filter(&mut layer, path, source.filter.as_deref())?;
    clear_messages();
    let transform = match (layer_crs(&layer), to) {
        (Some(from), Some(to)) if !from.same(to) => Some(reprojection(path, &from, to)?),
        _ => None,
    };
    let mut features = Vec::new();
    for feature in layer.features() {
        let Some(geometry) = geometry(&feature).filter(|geometry| !geometry.is_empty()) else { continue };
        let mut polygons = Vec::new();
        add(path, geometry, transform.as_ref(), &mut polygons)?;
        let text = number.and_then(|index| feature.field_as_string(index).ok().flatten());
        let number = text.and_then(|text| text.trim().parse().ok());
        features.push(Shape { polygons, number });
    }
    let complaint = take_messages("");
    if complaint.is_empty() { Ok(features) } else { Err(GeoError::input(path, complaint)) }
}

/// A plane in metres around the middle of some shapes: the equal-area azimuthal projection, in which areas are true and distances
/// are true nearby. `None` where there are none that can be brought to longitude and latitude.
///
/// The middle is the mean direction from the centre of the earth to the first point of each polygon: longitudes have none where some are beyond the
/// antimeridian.
pub fn metric_plane(crs: &Crs, shapes: &[Shape]) -> Option<Crs> {
    let lonlat = Crs::from_user("OGC:CRS84").ok()?;
    let transform = CoordTransform::new(&crs.spatial_ref().ok()?, &lonlat.spatial_ref().ok()?).ok()?;
    let mut sum = [0.0; 3];
    for ring in shapes.iter().flat_map(|shape| &shape.polygons).filter_map(|rings| rings.first()) {
        let Some(&(x, y)) = ring.first() else { continue };
        let (mut x, mut y) = ([x], [y]);
        if transform.transform_coords(&mut x, &mut y, &mut []).is_ok() {
            let (longitude, latitude) = (x[0].to_radians(), y[0].to_radians());
            let direction = [latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()];
            sum.iter_mut().zip(direction).for_each(|(sum, direction)| *sum += direction);
        }
    }
    clear_messages();
    let [x, y, z] = sum;
    if sum == [0.0; 3] {
        return None;
    }
    let (longitude, latitude) = (y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees());
    Crs::from_user(&format!("+proj=laea +lat_0={latitude} +lon_0={longitude} +datum=WGS84 +units=m +no_defs")).ok()
}

fn add(
    path: &Path,
    geometry: &Geometry,
    transform: Option<&CoordTransform>,
    polygons: &mut Vec<Vec<Vec<(f64, f64)>>>,
) -> Result<()> {
    match gdal::vector::geometry_type_flatten(geometry.geometry_type()) {
        OGRwkbGeometryType::wkbPolygon => {
            let ring = |index| {
                let mut points = Vec::new();
                geometry.get_geometry(index).get_points(&mut points);
                let (mut x, mut y): (Vec<f64>, Vec<f64>) = points.into_iter().map(|(x, y, _)| (x, y)).unzip();
                if let Some(transform) = transform {
                    transform.transform_coords(&mut x, &mut y, &mut []).map_err(|_| {
                        clear_messages();
                        let problem = "one of its polygons lies where the plane of the others has no place; compare the \
                                       coordinate reference systems with swath info";
                        GeoError::input(path, problem)
                    })?;
                }
                Ok(x.into_iter().zip(y).collect())
            };
            polygons.push((0..geometry.geometry_count()).map(ring).collect::<Result<_>>()?);
            Ok(())
        }
        OGRwkbGeometryType::wkbMultiPolygon | OGRwkbGeometryType::wkbGeometryCollection => (0..geometry
            .geometry_count())
            .try_for_each(|index| add(path, &geometry.get_geometry(index), transform, polygons)),
        _ => Err(GeoError::input(path, format!("it holds a {}; give polygons", geometry.geometry_name()))),
    }
}
