//! Features with attributes, into a layer of GDAL's or a GeoParquet file by the same calls.

use std::ffi::CString;

use gdal::errors::GdalError;
use gdal::vector::{Feature, Layer, LayerAccess};
use gdal_sys::{OGRErr, OGRFieldSubType, OGRFieldType, OGRwkbGeometryType};

use crate::antimeridian::Unwrapped;
use crate::geoparquet::GeoParquet;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number of 32 bits.
    Integer,
    /// A whole number of 64 bits.
    Long,
    /// A number.
    Real,
    /// Yes or no; 1 or 0 where a format knows no better.
    Flag,
    /// A text.
    Text,
}

/// A column of attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

impl Column {
    pub(crate) fn new(name: &str, kind: Kind) -> Column {
        Column { name: name.to_owned(), kind }
    }
}

/// The name of the column that says whether a feature comes to the edge of the map, where names have a longest length.
pub(crate) fn touches_edge(name_limit: usize) -> &'static str {
    if name_limit < "touches_edge".len() { "touch_edge" } else { "touches_edge" }
}

/// The value of a column for one feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    /// For [`Kind::Integer`], [`Kind::Long`] and [`Kind::Flag`].
    Whole(i64),
    /// For [`Kind::Real`].
    Real(f64),
    /// For [`Kind::Text`].
    Text(&'a str),
    /// Nothing, for [`Kind::Real`] and [`Kind::Text`].
    Missing,
}

/// Why a feature could not be stored.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where features go.
pub(crate) enum FeatureSink<'a> {
    /// A layer of GDAL's, with the places of the columns among its fields.
    Ogr { layer: Layer<'a>, fields: Vec<(usize, Kind)>, unwrapped: Option<Unwrapped>, features: u64 },
    /// A GeoParquet file.
    Parquet(Box<GeoParquet>),
}

impl<'a> FeatureSink<'a> {
    /// A layer of GDAL's, which gets the columns; in longitude and latitude if `unwrapped` says the way.
    pub(crate) fn ogr(
        layer: Layer<'a>,
        columns: &[Column],
        unwrapped: Option<Unwrapped>,
    ) -> gdal::errors::Result<FeatureSink<'a>> {
        columns.iter().try_for_each(|column| create_field(&layer, column))?;
        // Drivers may number fields differently from the order of their creation, so ask.
        let field = |column: &Column| Ok((layer.defn().field_index(&column.name)?, column.kind));
        let fields = columns.iter().map(field).collect::<gdal::errors::Result<_>>()?;
        Ok(FeatureSink::Ogr { layer, fields, unwrapped, features: 0 })
    }

    /// Adds a feature: its cells in the order of the columns, its geometry as well-known binary, little endian.
    pub(crate) fn add(&mut self, cells: &[Cell<'_>], wkb: &[u8]) -> Result<(), Failure> {
        match self {
            FeatureSink::Ogr { layer, fields, unwrapped, features } => {
                *features += 1;
                match unwrapped {
                    None => add_to_layer(layer, fields, cells, wkb, None)?,
                    // GDAL does not number features in longitude and latitude.
                    Some(unwrapped) => add_to_layer(layer, fields, cells, &unwrapped.convert(wkb)?, Some(*features))?,
                }
                Ok(())
            }
            FeatureSink::Parquet(file) => Ok(file.add(cells, wkb)?),
        }
    }
}

impl FeatureSink<'_> {
    /// Features that were added to a layer of GDAL's.
    pub(crate) fn features(&self) -> u64 {
        match self {
            FeatureSink::Ogr { features, .. } => *features,
            FeatureSink::Parquet(_) => 0,
        }
    }
}

fn create_field(layer: &Layer<'_>, column: &Column) -> gdal::errors::Result<()> {
    let kind = match column.kind {
        Kind::Integer | Kind::Flag => OGRFieldType::OFTInteger,
        Kind::Long => OGRFieldType::OFTInteger64,
        Kind::Real => OGRFieldType::OFTReal,
        Kind::Text => OGRFieldType::OFTString,
    };
    let name = CString::new(column.name.as_str())?;
    // SAFETY: the layer is valid and copies the definition, which is then freed. Formats that know no flags take them for numbers.
    let created = unsafe {
        let field = gdal_sys::OGR_Fld_Create(name.as_ptr(), kind);
        if column.kind == Kind::Flag {
            gdal_sys::OGR_Fld_SetSubType(field, OGRFieldSubType::OFSTBoolean);
        }
        let created = gdal_sys::OGR_L_CreateField(layer.c_layer(), field, 1);
        gdal_sys::OGR_Fld_Destroy(field);
        created
    };
    match created {
        OGRErr::OGRERR_NONE => Ok(()),
        err => Err(GdalError::OgrError { err, method_name: "OGR_L_CreateField" }),
    }
}

fn add_to_layer(
    layer: &Layer<'_>,
    fields: &[(usize, Kind)],
    cells: &[Cell<'_>],
    wkb: &[u8],
    id: Option<u64>,
) -> gdal::errors::Result<()> {
    let mut feature = Feature::new(layer.defn())?;
    let geojson = id.is_some();
    if let Some(id) = id {
        // SAFETY: the feature is valid; the call only stores a number.
        unsafe { gdal_sys::OGR_F_SetFID(feature.c_feature(), id as i64) };
    }
    for (&(field, kind), cell) in fields.iter().zip(cells) {
        match *cell {
            Cell::Whole(value) if kind == Kind::Long => feature.set_field_integer64(field, value)?,
            Cell::Whole(value) => feature.set_field_integer(field, value as i32)?,
            Cell::Real(value) => feature.set_field_double(field, value)?,
            Cell::Text(text) => feature.set_field_string(field, text)?,
            // GeoJSON would not have a column that is set nowhere; FlatGeobuf takes nothing for an empty text.
            Cell::Missing if geojson => feature.set_field_null(field)?,
            Cell::Missing => feature.unset_field(field)?,
        }
    }
    let length = i32::try_from(wkb.len()).map_err(|_| GdalError::BadArgument(TOO_LARGE.into()))?;
    let mut geometry = std::ptr::null_mut();
    // SAFETY: the text of bytes is as long as said; the feature takes the geometry over, which nobody else holds.
    let result = unsafe {
        let made = gdal_sys::OGR_G_CreateFromWkb(wkb.as_ptr().cast(), std::ptr::null_mut(), &mut geometry, length);
        if made == OGRErr::OGRERR_NONE {
            gdal_sys::OGR_F_SetGeometryDirectly(feature.c_feature(), geometry)
        } else {
            made
        }
    };
    if result != OGRErr::OGRERR_NONE {
        return Err(GdalError::OgrError { err: result, method_name: "OGR_F_SetGeometryDirectly" });
    }
    feature.create(layer)
}

const TOO_LARGE: &str = "a geometry of more than 2 GB fits into no feature";

/// Begins well-known binary of one type, little endian.
pub(crate) fn begin_wkb(geometry: OGRwkbGeometryType::Type, wkb: &mut Vec<u8>) {
    wkb.push(1);
    wkb.extend(geometry.to_le_bytes());
}
