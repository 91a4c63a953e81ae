//! Label maps into polygons, by GDAL's polygonizer.
//!
//! Polygons go to a temporary file first and from there, measured and named, into the output: memory is bounded by the
//! polygons that cross one row of the map.

use std::collections::BTreeMap;
use std::path::Path;

use gdal::Dataset;
use gdal::vector::{Feature, Geometry, LayerAccess};
use gdal_sys::OGRFieldType;
use serde::Serialize;

use crate::classes::{classes_of, distinct_color};
use crate::config_scope::ConfigScope;
use crate::gdal_setup::{init, take_messages};
use crate::open::{open_raster, read_header};
use crate::outline::{Rings, Ruler};
use crate::style::write_styles;
use crate::trace::trace;
use crate::vector::open_vector;
use crate::vector_file::{VectorFile, VectorFormat};
use crate::{ClassEntry, GeoError, Grid, Result};

/// How a map becomes polygons.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VectorizeOptions {
    /// Names and colours; `None` for those that the map carries (see [`crate::read_map_classes`]).
    pub classes: Option<Vec<ClassEntry>>,
    /// Whether pixels that touch at a corner only belong together.
    pub eight_connected: bool,
    /// Polygons smaller than this are left out, in square metres (pixels without georeference).
    pub min_area_m2: Option<f64>,
    /// Outlines may move by this many metres (pixels without georeference) to have fewer vertices. Each polygon is
    /// simplified alone: neighbours may part or overlap slightly.
    pub simplify_m: Option<f64>,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct VectorizeSummary {
    /// Polygons written.
    pub polygons: u64,
    /// Polygons left out as too small.
    pub dropped: u64,
    /// Per class that occurs, by ascending value.
    pub classes: Vec<ClassPolygons>,
}

/// Polygons of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassPolygons {
    /// Pixel value.
    pub value: u32,
    /// Name.
    pub name: String,
    /// Polygons written.
    pub polygons: u64,
    /// Their area in square metres on the ellipsoid (pixels without georeference).
    pub area_m2: f64,
}

/// Turns a label map, one band of class values, into polygons with class, area and perimeter.
///
/// The extension of `out` names the format: `.gpkg` (with styles, so that QGIS opens it coloured), `.fgb`, `.geojson`
/// (RFC 7946: WGS 84) or `.shp`. Attributes are `class_id`, `class`, `area_m2` and `perimeter_m` (`perim_m` in shapefiles),
/// or `area_px` and `perim_px` without georeference. Nodata and masked pixels belong to no polygon; 0 is a class like others.
///
/// # Errors
/// When the output exists and `overwrite` is off or cannot be written, and when the map cannot be read or holds no classes, or more bands than one.
pub fn vectorize(map: &Path, out: &Path, options: &VectorizeOptions) -> Result<VectorizeSummary> {
    init();
    let format = VectorFormat::of(out)?;
    crate::scratch::check_target(out, options.overwrite)?;
    let source = open_map(map)?;
    let header = read_header(map, &source)?;
    let bands = header.bands.len() - usize::from(header.alpha().is_some());
    if bands != 1 {
        return Err(GeoError::input(map, format!("it holds {bands} bands, not one of classes; give a label map")));
    }
    let grid = header.grid;
    let mut classes = match &options.classes {
        Some(classes) => classes.clone(),
        None => classes_of(&source, map)?,
    };
    let file = VectorFile::create(out, options.overwrite)?;
    let outlines = file.scratch().file("outlines.fgb");
    trace(&source, map, &outlines, options.eight_connected)?;
    // Without a single polygon GDAL leaves an empty file, which is no vector file.
    let any = std::fs::metadata(&outlines).is_ok_and(|file| file.len() > 0);
    let traced = if any { Some(open_vector(&outlines)?) } else { None };
    let shaper = Shaper::new(&grid, out, options)?;
    let columns = Columns::new(format, shaper.ruler.is_metric());
    let layer_name = file.layer_name();
    file.write(grid.crs.as_ref(), |dataset| {
        let summary = write_polygons(traced.as_ref(), dataset, out, &shaper, &columns, &mut classes)?;
        if format.styles {
            write_styles(dataset, out, &layer_name, &classes)?;
        }
        Ok(summary)
    })
}

/// Names of the attributes.
struct Columns {
    area: &'static str,
    perimeter: &'static str,
}

impl Columns {
    fn new(format: &VectorFormat, metric: bool) -> Columns {
        match (metric, "perimeter_m".len() <= format.name_limit) {
            (true, true) => Columns { area: "area_m2", perimeter: "perimeter_m" },
            (true, false) => Columns { area: "area_m2", perimeter: "perim_m" },
            (false, _) => Columns { area: "area_px", perimeter: "perim_px" },
        }
    }
}

/// Makes the final outline of a polygon and measures it.
struct Shaper<'a> {
    grid: &'a Grid,
    to_pixels: crate::Affine,
    ruler: Ruler,
    min_area: f64,
    /// Tolerance in units of the CRS.
    tolerance: Option<f64>,
}

impl<'a> Shaper<'a> {
    fn new(grid: &'a Grid, out: &Path, options: &VectorizeOptions) -> Result<Shaper<'a>> {
        let to_pixels =
            grid.transform.inverse().ok_or_else(|| GeoError::write(out, "the transform of the map is degenerate"))?;
        let per_pixel = grid.transform.determinant().abs().sqrt();
        let metres = grid.gsd().map_or(1.0, |(width, height)| (width * height).sqrt());
        Ok(Shaper {
            grid,
            to_pixels,
            ruler: Ruler::new(grid),
            min_area: options.min_area_m2.unwrap_or(0.0),
            tolerance: options
                .simplify_m
                .filter(|&metres| metres > 0.0)
                .map(|tolerance| tolerance * per_pixel / metres),
        })
    }

    /// The outline with area and perimeter; `None` when it is too small.
    fn shape(&self, traced: &Geometry) -> gdal::errors::Result<Option<(Geometry, f64, f64)>> {
        let mut rings = self.rings(traced);
        // Vertices are corners of pixels: undo the rounding of the way there and back.
        for vertex in rings.iter_mut().flatten() {
            *vertex = (vertex.0.round(), vertex.1.round());
        }
        let area = self.ruler.area(&rings);
        if area < self.min_area {
            return Ok(None);
        }
        let exact = self.polygon(&rings)?;
        match self.tolerance {
            None => Ok(Some((exact, area, self.ruler.perimeter(&rings)))),
            Some(tolerance) => {
                let simple = exact.simplify_preserve_topology(tolerance)?;
                let rings = self.rings(&simple);
                Ok(Some((simple, self.ruler.area(&rings), self.ruler.perimeter(&rings))))
            }
        }
    }

    fn rings(&self, polygon: &Geometry) -> Rings {
        let one = |index| {
            let mut points = Vec::new();
            polygon.get_geometry(index).get_points(&mut points);
            points.into_iter().map(|(x, y, _)| self.to_pixels.apply(x, y)).collect()
        };
        (0..polygon.geometry_count()).map(one).collect()
    }

    /// A polygon in world coordinates, as well-known binary.
    fn polygon(&self, rings: &Rings) -> gdal::errors::Result<Geometry> {
        let mut wkb = vec![1u8];
        wkb.extend(3u32.to_le_bytes());
        wkb.extend((rings.len() as u32).to_le_bytes());
        for ring in rings {
            wkb.extend((ring.len() as u32).to_le_bytes());
            for &(col, row) in ring {
                let (x, y) = self.grid.pixel_to_world(col, row);
                wkb.extend(x.to_le_bytes());
                wkb.extend(y.to_le_bytes());
            }
        }
        Geometry::from_wkb(&wkb)
    }
}

fn open_map(map: &Path) -> Result<Dataset> {
    // Names and colours of foreign maps live in sidecars.
    let _sidecars = ConfigScope::set("GDAL_PAM_ENABLED", "YES");
    let source = open_raster(map)?;
    if source.rasterband(1).is_ok_and(|band| band.band_type().is_floating()) {
        return Err(GeoError::input(map, "it holds floating-point numbers, not classes; give a label map"));
    }
    Ok(source)
}

fn write_polygons(
    traced: Option<&Dataset>,
    dataset: &mut Dataset,
    out: &Path,
    shaper: &Shaper<'_>,
    columns: &Columns,
    classes: &mut Vec<ClassEntry>,
) -> Result<VectorizeSummary> {
    let failed = |error: gdal::errors::GdalError| GeoError::write(out, take_messages(&error.to_string()));
    let layer = dataset.layer(0).map_err(failed)?;
    layer
        .create_defn_fields(&[
            ("class_id", OGRFieldType::OFTInteger),
            ("class", OGRFieldType::OFTString),
            (columns.area, OGRFieldType::OFTReal),
            (columns.perimeter, OGRFieldType::OFTReal),
        ])
        .map_err(failed)?;
    // Drivers may number fields differently from the order of their creation, so ask.
    let index = |name: &str| layer.defn().field_index(name).map_err(failed);
    let fields = [index("class_id")?, index("class")?, index(columns.area)?, index(columns.perimeter)?];
    let mut outlines = traced.map(|traced| traced.layer(0)).transpose().map_err(failed)?;
    let mut dropped = 0;
    let mut totals: BTreeMap<u32, (u64, f64)> = BTreeMap::new();
    for outline in outlines.iter_mut().flat_map(|layer| layer.features()) {
        let (Ok(Some(value)), Some(geometry)) = (outline.field_as_integer64(0), outline.geometry()) else { continue };
        let Ok(value) = u32::try_from(value) else {
            return Err(GeoError::write(out, format!("the map holds the value {value}; classes are not negative")));
        };
        let Some((polygon, area, perimeter)) = shaper.shape(geometry).map_err(failed)? else {
            dropped += 1;
            continue;
        };
        let mut feature = Feature::new(layer.defn()).map_err(failed)?;
        feature
            .set_field_integer(fields[0], value as i32)
            .and_then(|()| feature.set_field_string(fields[1], &class_of(classes, value).name))
            .and_then(|()| feature.set_field_double(fields[2], millis(area)))
            .and_then(|()| feature.set_field_double(fields[3], millis(perimeter)))
            .and_then(|()| feature.set_geometry(polygon))
            .and_then(|()| feature.create(&layer))
            .map_err(failed)?;
        let total = totals.entry(value).or_default();
        *total = (total.0 + 1, total.1 + area);
    }
    let classes = totals.into_iter().map(|(value, (polygons, area_m2))| {
        let name = class_of(classes, value).name.clone();
        ClassPolygons { value, name, polygons, area_m2 }
    });
    let classes: Vec<ClassPolygons> = classes.collect();
    Ok(VectorizeSummary { polygons: classes.iter().map(|class| class.polygons).sum(), dropped, classes })
}

/// The class of a value; one that nobody named is added.
fn class_of(classes: &mut Vec<ClassEntry>, value: u32) -> &ClassEntry {
    let index = classes.iter().position(|class| class.value == value).unwrap_or_else(|| {
        classes.push(ClassEntry { value, name: value.to_string(), color: distinct_color(value) });
        classes.len() - 1
    });
    &classes[index]
}

/// Square millimetres say nothing and fill files.
fn millis(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
