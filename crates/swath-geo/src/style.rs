//! Map styles of classes, so that a GIS opens polygons coloured: QML for QGIS, SLD for others.

use std::fmt::Write as _;
use std::path::Path;

use gdal::Dataset;
use gdal::vector::{Feature, LayerAccess, LayerOptions};
use gdal_sys::{OGRFieldType, OGRwkbGeometryType};

use crate::gdal_setup::take_messages;
use crate::xml::escape;
use crate::{ClassEntry, GeoError, Result};

/// Writes the table in which QGIS looks for the styles of a GeoPackage's layers.
pub(crate) fn write_styles(dataset: &mut Dataset, out: &Path, layer: &str, classes: &[ClassEntry]) -> Result<()> {
    let failed = |error: gdal::errors::GdalError| GeoError::write(out, take_messages(&error.to_string()));
    let columns: [(&str, OGRFieldType::Type, &str); 12] = [
        ("f_table_catalog", OGRFieldType::OFTString, ""),
        ("f_table_schema", OGRFieldType::OFTString, ""),
        ("f_table_name", OGRFieldType::OFTString, layer),
        ("f_geometry_column", OGRFieldType::OFTString, "geom"),
        ("styleName", OGRFieldType::OFTString, "classes"),
        ("styleQML", OGRFieldType::OFTString, &qml(classes)),
        ("styleSLD", OGRFieldType::OFTString, &sld(layer, classes)),
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

/// A QGIS style: one fill per value of `class_id`.
fn qml(classes: &[ClassEntry]) -> String {
    let (mut categories, mut symbols) = (String::new(), String::new());
    for (index, ClassEntry { value, name, color: [red, green, blue] }) in classes.iter().enumerate() {
        let name = escape(name);
        let _ = writeln!(
            categories,
            "      <category render=\"true\" value=\"{value}\" type=\"long\" symbol=\"{index}\" label=\"{name}\"/>"
        );
        let fill = format!("{red},{green},{blue},255");
        let properties = [("color", fill.as_str()), ("style", "solid"), ("outline_style", "no")];
        let _ = writeln!(
            symbols,
            "      <symbol type=\"fill\" name=\"{index}\" alpha=\"1\" clip_to_extent=\"1\" force_rhr=\"0\">\n\
             \x20       <layer class=\"SimpleFill\" enabled=\"1\" locked=\"0\" pass=\"0\">\n\
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
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n\
         <qgis version=\"3.22.0\" styleCategories=\"Symbology\">\n\
         \x20 <renderer-v2 type=\"categorizedSymbol\" attr=\"class_id\" symbollevels=\"0\" enableorderby=\"0\" forceraster=\"0\">\n\
         \x20   <categories>\n{categories}    </categories>\n    <symbols>\n{symbols}    </symbols>\n\
         \x20 </renderer-v2>\n  <layerGeometryType>2</layerGeometryType>\n</qgis>\n"
    )
}

/// An OGC style: one rule per value of `class_id`.
fn sld(layer: &str, classes: &[ClassEntry]) -> String {
    let mut rules = String::new();
    for ClassEntry { value, name, color: [red, green, blue] } in classes {
        let name = escape(name);
        let _ = writeln!(
            rules,
            "        <se:Rule><se:Name>{name}</se:Name>\
             <ogc:Filter><ogc:PropertyIsEqualTo><ogc:PropertyName>class_id</ogc:PropertyName>\
             <ogc:Literal>{value}</ogc:Literal></ogc:PropertyIsEqualTo></ogc:Filter>\
             <se:PolygonSymbolizer><se:Fill><se:SvgParameter name=\"fill\">#{red:02x}{green:02x}{blue:02x}\
             </se:SvgParameter></se:Fill></se:PolygonSymbolizer></se:Rule>"
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
