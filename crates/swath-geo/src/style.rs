//! Map styles of classes, so that a GIS opens polygons coloured: QML for QGIS, SLD for others.

use std::fmt::Write as _;

use crate::ClassEntry;
use crate::xml::escape;

/// A QGIS style: one fill per value of `class_id`.
pub(crate) fn qml(classes: &[ClassEntry]) -> String {
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
pub(crate) fn sld(layer: &str, classes: &[ClassEntry]) -> String {
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
