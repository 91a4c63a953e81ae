//! GeoParquet 1.1: a Parquet file whose metadata item `geo` says what its geometries are (<https://geoparquet.org/releases/v1.1.0>).
//!
//! Geometries are well-known binary, with a column `bbox` of their bounds, by which readers skip row groups. The CRS is written as
//! PROJJSON; a file without one says so, since a missing entry would mean longitude and latitude. Pages are not compressed. Features are
//! numbered in a column `id`, from 1, as GDAL numbers those of a GeoPackage, unless they have such a column.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use gdal_sys::OGRwkbGeometryType;
use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};
use serde_json::{Value, json};

use crate::Crs;
use crate::feature_sink::{Cell, Column, Kind};
use crate::wkb::{count, take};

/// A file in the making. Features are kept until there are enough for a row group.
pub(crate) struct GeoParquet {
    writer: SerializedFileWriter<BufWriter<File>>,
    /// Numbers of the features, unless a column is called `id`.
    ids: Option<Vec<i64>>,
    features: i64,
    buffers: Vec<Buffer>,
    geometries: Vec<ByteArray>,
    /// West, south, east, north of each.
    bounds: [Vec<f64>; 4],
    bytes: usize,
    whole: [f64; 4],
    geometry: OGRwkbGeometryType::Type,
    crs: Value,
}

/// Values of a column; of those that may be missing, levels say which are there.
enum Buffer {
    Integer(Vec<i32>),
    Long(Vec<i64>),
    Flag(Vec<bool>),
    Real(Vec<f64>, Vec<i16>),
    Text(Vec<ByteArray>, Vec<i16>),
}

/// Features and bytes of geometries of a row group.
const ROWS: usize = 1 << 16;
const BYTES: usize = 32 << 20;

impl GeoParquet {
    pub(crate) fn create(
        path: &Path,
        crs: Option<&Crs>,
        geometry: OGRwkbGeometryType::Type,
        columns: &[Column],
    ) -> Result<GeoParquet> {
        let numbered = columns.iter().all(|column| !column.name.eq_ignore_ascii_case(ID));
        let id = numbered.then(|| Column::new(ID, Kind::Long));
        let mut fields = id.iter().chain(columns).map(field).collect::<Result<Vec<_>>>()?;
        fields.push(primitive(GEOMETRY, Physical::BYTE_ARRAY, Repetition::REQUIRED, None)?);
        let side = |name: &&str| primitive(name, Physical::DOUBLE, Repetition::REQUIRED, None);
        let sides = SIDES.iter().map(side).collect::<Result<_>>()?;
        let bbox = Type::group_type_builder(BBOX).with_repetition(Repetition::REQUIRED).with_fields(sides);
        fields.push(Arc::new(bbox.build()?));
        let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
        let geometries = ColumnPath::from(GEOMETRY);
        let properties = WriterProperties::builder()
            .set_created_by(concat!("Swath ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_column_dictionary_enabled(geometries.clone(), false)
            .set_column_statistics_enabled(geometries, EnabledStatistics::None);
        let file = BufWriter::new(File::create(path)?);
        Ok(GeoParquet {
            writer: SerializedFileWriter::new(file, schema, Arc::new(properties.build()))?,
            ids: numbered.then(Vec::new),
            features: 0,
            buffers: columns.iter().map(|column| Buffer::of(column.kind)).collect(),
            geometries: Vec::new(),
            bounds: Default::default(),
            bytes: 0,
            whole: EMPTY,
            geometry,
            crs: crs.and_then(Crs::projjson).unwrap_or(Value::Null),
        })
    }

    /// Adds a feature; see [`crate::feature_sink::FeatureSink::add`].
    pub(crate) fn add(&mut self, cells: &[Cell<'_>], wkb: &[u8]) -> Result<()> {
        self.features += 1;
        self.ids.iter_mut().for_each(|ids| ids.push(self.features));
        for (buffer, cell) in self.buffers.iter_mut().zip(cells) {
            buffer.push(cell)?;
        }
        let bounds = bounds_of(wkb)?;
        self.whole = united(self.whole, bounds);
        for (side, value) in self.bounds.iter_mut().zip(bounds) {
            side.push(value);
        }
        self.geometries.push(ByteArray::from(wkb.to_vec()));
        self.bytes += wkb.len();
        if self.geometries.len() >= ROWS || self.bytes >= BYTES { self.write_group() } else { Ok(()) }
    }

    /// Writes what is left, and what the file says about itself.
    pub(crate) fn finish(mut self) -> Result<()> {
        if !self.geometries.is_empty() {
            self.write_group()?;
        }
        let about = self.about().to_string();
        self.writer.append_key_value_metadata(KeyValue::new("geo".to_owned(), about));
        self.writer.close()?;
        Ok(())
    }

    fn write_group(&mut self) -> Result<()> {
        let mut group = self.writer.next_row_group()?;
        if let Some(ids) = &mut self.ids {
            write::<Int64Type>(&mut group, ids, None)?;
        }
        for buffer in &mut self.buffers {
            buffer.write(&mut group)?;
        }
        write::<ByteArrayType>(&mut group, &mut self.geometries, None)?;
        for side in &mut self.bounds {
            write::<DoubleType>(&mut group, side, None)?;
        }
        self.bytes = 0;
        group.close()?;
        Ok(())
    }

    fn about(&self) -> Value {
        let kind = match self.geometry {
            OGRwkbGeometryType::wkbPoint => "Point",
            OGRwkbGeometryType::wkbLineString => "LineString",
            OGRwkbGeometryType::wkbMultiPolygon => "MultiPolygon",
            _ => "Polygon",
        };
        let covering: Value = SIDES.iter().map(|side| ((*side).to_owned(), json!([BBOX, side]))).collect();
        let mut column = json!({
            "encoding": "WKB",
            "geometry_types": [kind],
            "crs": self.crs,
            "edges": "planar",
            "covering": { "bbox": covering },
        });
        if matches!(kind, "Polygon" | "MultiPolygon") {
            column["orientation"] = json!("counterclockwise");
        }
        if self.whole != EMPTY {
            column["bbox"] = json!(self.whole);
        }
        json!({ "version": "1.1.0", "primary_column": GEOMETRY, "columns": { GEOMETRY: column } })
    }
}

const ID: &str = "id";
const GEOMETRY: &str = "geometry";
const BBOX: &str = "bbox";
const SIDES: [&str; 4] = ["xmin", "ymin", "xmax", "ymax"];
const EMPTY: [f64; 4] = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];

fn primitive(name: &str, kind: Physical, repetition: Repetition, logical: Option<LogicalType>) -> Result<TypePtr> {
    let field = Type::primitive_type_builder(name, kind).with_repetition(repetition).with_logical_type(logical);
    field.build().map(Arc::new)
}

fn field(column: &Column) -> Result<TypePtr> {
    let (kind, repetition, logical) = match column.kind {
        Kind::Integer => (Physical::INT32, Repetition::REQUIRED, None),
        Kind::Long => (Physical::INT64, Repetition::REQUIRED, None),
        Kind::Flag => (Physical::BOOLEAN, Repetition::REQUIRED, None),
        Kind::Real => (Physical::DOUBLE, Repetition::OPTIONAL, None),
        Kind::Text => (Physical::BYTE_ARRAY, Repetition::OPTIONAL, Some(LogicalType::String)),
    };
    primitive(&column.name, kind, repetition, logical)
}

impl Buffer {
    fn of(kind: Kind) -> Buffer {
        match kind {
            Kind::Integer => Buffer::Integer(Vec::new()),
            Kind::Long => Buffer::Long(Vec::new()),
            Kind::Flag => Buffer::Flag(Vec::new()),
            Kind::Real => Buffer::Real(Vec::new(), Vec::new()),
            Kind::Text => Buffer::Text(Vec::new(), Vec::new()),
        }
    }

    fn push(&mut self, cell: &Cell<'_>) -> Result<()> {
        match (self, *cell) {
            (Buffer::Integer(values), Cell::Whole(value)) => values.push(value as i32),
            (Buffer::Long(values), Cell::Whole(value)) => values.push(value),
            (Buffer::Flag(values), Cell::Whole(value)) => values.push(value != 0),
            (Buffer::Real(values, levels), Cell::Real(value)) => {
                values.push(value);
                levels.push(1);
            }
            (Buffer::Text(values, levels), Cell::Text(text)) => {
                values.push(ByteArray::from(text));
                levels.push(1);
            }
            (Buffer::Real(_, levels) | Buffer::Text(_, levels), Cell::Missing) => levels.push(0),
            (_, cell) => return Err(ParquetError::General(format!("{cell:?} is of another type than its column"))),
        }
        Ok(())
    }

    fn write(&mut self, group: &mut Group<'_>) -> Result<()> {
        match self {
            Buffer::Integer(values) => write::<Int32Type>(group, values, None),
            Buffer::Long(values) => write::<Int64Type>(group, values, None),
            Buffer::Flag(values) => write::<BoolType>(group, values, None),
            Buffer::Real(values, levels) => write::<DoubleType>(group, values, Some(levels)),
            Buffer::Text(values, levels) => write::<ByteArrayType>(group, values, Some(levels)),
        }
    }
}

type Group<'a> = SerializedRowGroupWriter<'a, BufWriter<File>>;

/// Writes the next column of a row group and empties its buffers.
fn write<T: DataType>(group: &mut Group<'_>, values: &mut Vec<T::T>, levels: Option<&mut Vec<i16>>) -> Result<()> {
    let missing = || ParquetError::General("the file has fewer columns than there are values for".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels.as_deref().map(Vec::as_slice), None)?;
    column.close()?;
    values.clear();
    if let Some(levels) = levels {
        levels.clear();
    }
    Ok(())
}

fn united(a: [f64; 4], b: [f64; 4]) -> [f64; 4] {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

/// Bounds of a geometry of points, lines or polygons in the plane.
fn bounds_of(wkb: &[u8]) -> Result<[f64; 4]> {
    let mut bounds = EMPTY;
    let mut rest = wkb;
    geometry(&mut rest, &mut bounds).ok_or_else(|| ParquetError::General("a geometry is cut off".into()))?;
    Ok(bounds)
}

/// Reads one geometry, little endian.
fn geometry(rest: &mut &[u8], bounds: &mut [f64; 4]) -> Option<()> {
    take::<1>(rest)?;
    match count(rest)? {
        OGRwkbGeometryType::wkbPoint => point(rest, bounds),
        OGRwkbGeometryType::wkbLineString => points(rest, bounds),
        OGRwkbGeometryType::wkbPolygon => (0..count(rest)?).try_for_each(|_| points(rest, bounds)),
        _ => (0..count(rest)?).try_for_each(|_| geometry(rest, bounds)),
    }
}

fn points(rest: &mut &[u8], bounds: &mut [f64; 4]) -> Option<()> {
    (0..count(rest)?).try_for_each(|_| point(rest, bounds))
}

fn point(rest: &mut &[u8], bounds: &mut [f64; 4]) -> Option<()> {
    let (x, y) = (f64::from_le_bytes(take(rest)?), f64::from_le_bytes(take(rest)?));
    *bounds = united(*bounds, [x, y, x, y]);
    Some(())
}
