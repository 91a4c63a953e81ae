//! Map styles of classes, so that a GIS opens polygons coloured: QML for QGIS, in a table of a GeoPackage or beside any other file, and SLD
//! for others, in GeoPackages.

use std::fmt::Write as _;
use std::path::Path;

use gdal::Dataset;
use gdal::vector::{Feature, LayerAccess, LayerOptions};
use gdal_sys::{OGRFieldType, OGRwkbGeometryType};

use crate::gdal_setup::take_messages;
use crate::scratch::Scratch;
use crate::style_file::{Layer, document, write_qml};
use crate::xml::escape;
use crate::{ClassEntry, GeoError, Result};

/// How features are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// An area of the class's colour.
    Fill,
    /// A line of the class's colour.
    Line,
}

impl Symbol {
    /// The symbol of a type of geometries.
    pub(crate) fn of(geometry: OGRwkbGeometryType::Type) -> Symbol {
        if geometry == OGRwkbGeometryType::wkbLineString { Symbol::Line } else { Symbol::Fill }
    }
}

/// Writes the table in which QGIS looks for the styles of a GeoPackage's layers.
pub(crate) fn write_styles(
    dataset: &mut Dataset,
    out: &Path,
    layer: &str,
    symbol: Symbol,
    classes: &[ClassEntry],
) -> Result<()> {
    let failed = |error: gdal::errors::GdalError| GeoError::write(out, take_messages(&error.to_string()));
    let columns: [(&str, OGRFieldType::Type, &str); 12] = [
        ("f_table_catalog", OGRFieldType::OFTString, ""),
        ("f_table_schema", OGRFieldType::OFTString, ""),
        ("f_table_name", OGRFieldType::OFTString, layer),
        ("f_geometry_column", OGRFieldType::OFTString, "geom"),
        ("styleName", OGRFieldType::OFTString, "classes"),
        ("styleQML", OGRFieldType::OFTString, &document(&qml(symbol, classes), "")),
        ("styleSLD", OGRFieldType::OFTString, &sld(layer, symbol, classes)),
        ("useAsDefault", OGRFieldType::OFTInteger, "1"),
        ("description", OGRFieldType::OFTString, "Classes of the map, written by Swath"),
        ("owner", OGRFieldType::OFTString, ""),
        ("ui", OGRFieldType::OFTString, ""),
        ("update_time", OGRFieldType::OFTDateTime, ""),
    ];
    let table = dataset
        .create_layer(LayerOptions {
            name: "layer_styles",
            ty: OGRwkbGeometryType::wkbNone,
            options: Some(&["FID=id"]),
            ..Default::default()
        })
        .map_err(failed)?;
    let definitions: Vec<(&str, OGRFieldType::Type)> = columns.iter().map(|&(name, kind, _)| (name, kind)).collect();
    table.create_defn_fields(&definitions).map_err(failed)?;
    let mut row = Feature::new(table.defn()).map_err(failed)?;
    for (name, kind, value) in &columns {
        let index = table.defn().field_index(name).map_err(failed)?;
        let set = match *kind {
            OGRFieldType::OFTInteger => row.set_field_integer(index, i32::from(*value == "1")),
            OGRFieldType::OFTString => row.set_field_string(index, value),
            // QGIS expects the column; the time of writing would only make equal outputs differ.
            _ => Ok(()),
        };
        set.map_err(failed)?;
    }
    row.create(&table).map_err(failed)
}

/// Puts `NAME.qml` beside a vector file, unless there is somebody's own.
pub(crate) fn write_beside(scratch: &Scratch, target: &Path, symbol: Symbol, classes: &[ClassEntry]) -> Result<()> {
    write_qml(scratch, target, Layer::Vector, &qml(symbol, classes))
}

/// The elements of vectors in a QML file: one symbol per value of `class_id`.
fn qml(symbol: Symbol, classes: &[ClassEntry]) -> String {
    let (kind, class, geometry) = match symbol {
        Symbol::Fill => ("fill", "SimpleFill", 2),
        Symbol::Line => ("line", "SimpleLine", 1),
    };
    let (mut categories, mut symbols) = (String::new(), String::new());
    for (index, ClassEntry { value, name, color: [red, green, blue] }) in classes.iter().enumerate() {
        let name = escape(name);
        let _ = writeln!(
            categories,
            "      <category render=\"true\" value=\"{value}\" type=\"long\" symbol=\"{index}\" label=\"{name}\"/>"
        );
        let color = format!("{red},{green},{blue},255");
        let properties = match symbol {
            Symbol::Fill => [("color", color.as_str()), ("style", "solid"), ("outline_style", "no")],
            Symbol::Line => [("line_color", color.as_str()), ("line_style", "solid"), ("line_width", "0.5")],
        };
        let _ = writeln!(
            symbols,
            "      <symbol type=\"{kind}\" name=\"{index}\" alpha=\"1\" clip_to_extent=\"1\" force_rhr=\"0\">\n\
             \x20       <layer class=\"{class}\" enabled=\"1\" locked=\"0\" pass=\"0\">\n\
             \x20         <Option type=\"Map\">"
        );
        for (key, value) in properties {
            let _ = writeln!(symbols, "            <Option type=\"QString\" name=\"{key}\" value=\"{value}\"/>");
        }
        symbols.push_str("          </Option>\n");
        // QGIS before 3.22 reads these instead.
        for (key, value) in properties {
            let _ = writeln!(symbols, "          <prop k=\"{key}\" v=\"{value}\"/>");
        }
        symbols.push_str("        </layer>\n      </symbol>\n");
    }
    format!(
        "  <renderer-v2 type=\"categorizedSymbol\" attr=\"class_id\" symbollevels=\"0\" enableorderby=\"0\" forceraster=\"0\">\n\
         \x20   <categories>\n{categories}    </categories>\n    <symbols>\n{symbols}    </symbols>\n\
         \x20 </renderer-v2>\n  <layerGeometryType>{geometry}</layerGeometryType>\n"
    )
}

/// An OGC style: one rule per value of `class_id`.
fn sld(layer: &str, symbol: Symbol, classes: &[ClassEntry]) -> String {
    let (symbolizer, part, key) = match symbol {
        Symbol::Fill => ("PolygonSymbolizer", "Fill", "fill"),
        Symbol::Line => ("LineSymbolizer", "Stroke", "stroke"),
    };
    let mut rules = String::new();
    for ClassEntry { value, name, color: [red, green, blue] } in classes {
        let name = escape(name);
        let _ = writeln!(
            rules,
            "        <se:Rule><se:Name>{name}</se:Name>\
             <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>class_id</ogc:PropertyName>\
             <ogc:Literal>{value}</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>\
             <se:{symbolizer}><se:{part}><se:SvgParameter name=\"{key}\">#{red:02x}{green:02x}{blue:02x}\
             </se:SvgParameter></se:{part}></se:{symbolizer}></se:Rule>"
        );
    }
    let layer = escape(layer);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <StyledLayerDescriptor xmlns=\"http://www.opengis.net/sld\" xmlns:se=\"http://www.opengis.net/se\" \
         xmlns:ogc=\"http://www.opengis.net/ogc\" version=\"1.1.0\">\n  <NamedLayer>\n    <se:Name>{layer}</se:Name>\n\
         \x20   <UserStyle><se:Name>{layer}</se:Name>\n      <se:FeatureTypeStyle>\n{rules}\
         \x20     </se:FeatureTypeStyle>\n    </UserStyle>\n  </NamedLayer>\n</StyledLayerDescriptor>\n"
    )
}
