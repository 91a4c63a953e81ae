//! Tables of points with attributes, in and out.

use std::path::Path;

use gdal::vector::{Feature, Geometry, LayerAccess};
use gdal_sys::OGRwkbGeometryType;

use crate::feature_sink::{Cell, Column, Kind, begin_wkb};
use crate::gdal_setup::{clear_messages, take_messages};
use crate::vector::{find_field, find_table, geometry, layer_crs, open_vector};
use crate::vector_file::{LayerPlan, VectorFile};
use crate::{Crs, GeoError, Result};

/// Some columns of a table, as texts.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// CRS of the points, where the file says it.
    pub crs: Option<Crs>,
    /// Rows, in the file's order.
    pub rows: Vec<TableRow>,
}

/// One row of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// Values of the wanted columns; `None` for missing ones.
    pub values: Vec<Option<String>>,
    /// The row's point, where it has one.
    pub point: Option<(f64, f64)>,
}

/// Reads columns of a vector file, or of a table without geometries such as a CSV.
///
/// # Errors
/// When the file, the layer or a column does not exist, naming those that do.
pub fn read_table(path: &Path, layer: Option<&str>, columns: &[&str]) -> Result<Table> {
    let dataset = open_vector(path)?;
    let mut layer = find_table(&dataset, path, layer)?;
    let indices = columns.iter().map(|column| find_field(&layer, path, column)).collect::<Result<Vec<_>>>()?;
    let crs = layer_crs(&layer);
    clear_messages();
    let row = |feature: Feature<'_>| TableRow {
        values: indices.iter().map(|&index| text(&feature, index)).collect(),
        point: geometry(&feature).and_then(point),
    };
    let rows = layer.features().map(row).collect();
    let complaint = take_messages("");
    if complaint.is_empty() { Ok(Table { crs, rows }) } else { Err(GeoError::input(path, complaint)) }
}

/// The value of a field; `None` where it has none, be it null or, as FlatGeobuf has it, not there.
fn text(feature: &Feature<'_>, index: usize) -> Option<String> {
    // SAFETY: the feature is valid, and the field one of its layer's.
    let there = unsafe { gdal_sys::OGR_F_IsFieldSetAndNotNull(feature.c_feature(), index as i32) } != 0;
    if there { feature.field_as_string(index).ok().flatten() } else { None }
}

/// Names of the columns of a table.
///
/// # Errors
/// When the file or the layer does not exist.
pub fn table_columns(path: &Path, layer: Option<&str>) -> Result<Vec<String>> {
    let dataset = open_vector(path)?;
    let layer = find_table(&dataset, path, layer)?;
    Ok(layer.defn().fields().map(|field| field.name()).collect())
}

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Whole number.
    Integer(i64),
    /// Number.
    Real(f64),
    /// Text.
    Text(String),
    /// Nothing, in a column of texts.
    Empty,
}

/// A point with its values, in the order of the columns.
#[derive(Debug, Clone, PartialEq)]
pub struct PointRow {
    /// Coordinates in the file's CRS.
    pub point: (f64, f64),
    /// One value for each column.
    pub values: Vec<Value>,
}

/// Writes points with attributes; the extension of `out` names the format, as for [`crate::write_polygons`]. Columns have the
/// types of the first point's values.
///
/// # Errors
/// When the output exists and `overwrite` is off, or cannot be written.
pub fn write_points(
    out: &Path,
    crs: Option<&Crs>,
    columns: &[&str],
    points: &[PointRow],
    overwrite: bool,
) -> Result<()> {
    let kinds = points.first().map_or(&[][..], |point| &point.values);
    let columns = columns.iter().zip(kinds).map(|(name, value)| Column::new(name, kind(value))).collect();
    let layer = LayerPlan { crs, geometry: OGRwkbGeometryType::wkbPoint, columns, ordered: true };
    VectorFile::create(out, overwrite)?.write_layer(&layer, |sink| {
        let mut wkb = Vec::new();
        for PointRow { point: (x, y), values } in points {
            wkb.clear();
            begin_wkb(OGRwkbGeometryType::wkbPoint, &mut wkb);
            wkb.extend(x.to_le_bytes());
            wkb.extend(y.to_le_bytes());
            let cells: Vec<Cell<'_>> = values.iter().map(cell).collect();
            let added = sink.add(&cells, &wkb);
            added.map_err(|error| GeoError::write(out, take_messages(&error.to_string())))?;
        }
        Ok(((), Vec::new()))
    })
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Integer(_) => Kind::Long,
        Value::Real(_) => Kind::Real,
        Value::Text(_) | Value::Empty => Kind::Text,
    }
}

fn cell(value: &Value) -> Cell<'_> {
    match value {
        Value::Integer(number) => Cell::Whole(*number),
        Value::Real(number) => Cell::Real(*number),
        Value::Text(text) => Cell::Text(text),
        Value::Empty => Cell::Missing,
    }
}

fn point(geometry: &Geometry) -> Option<(f64, f64)> {
    let flat = geometry.geometry_type() & 0xff;
    (flat == OGRwkbGeometryType::wkbPoint && !geometry.is_empty()).then(|| {
        let (x, y, _) = geometry.get_point(0);
        (x, y)
    })
}
