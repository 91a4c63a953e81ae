//! Map styles of rasters of classes, as files beside them: QML, which QGIS reads by itself, and SLD for others.

use std::fmt::Write as _;
use std::path::Path;

use crate::scratch::Scratch;
use crate::style_file::{Layer, MARK, write_qml, write_unless_foreign};
use crate::xml::escape;
use crate::{ClassEntry, Result};

/// Puts `NAME.qml` and `NAME.sld` beside a raster, unless there are others than Swath's: somebody's own style stays.
pub(crate) fn write_beside(scratch: &Scratch, target: &Path, classes: &[ClassEntry]) -> Result<()> {
    let layer = target.file_stem().unwrap_or_default().to_string_lossy();
    write_qml(scratch, target, Layer::Raster, &qml(classes))?;
    write_unless_foreign(scratch, &target.with_extension("sld"), &sld(&layer, classes))
}

/// The elements of a raster in a QML file.
fn qml(classes: &[ClassEntry]) -> String {
    let mut entries = String::new();
    for ClassEntry { value, name, color: [red, green, blue] } in classes {
        let name = escape(name);
        let _ = writeln!(
            entries,
            "        <paletteEntry value=\"{value}\" color=\"#{red:02x}{green:02x}{blue:02x}\" alpha=\"255\" label=\"{name}\"/>"
        );
    }
    format!(
        "  <pipe>\n\
         \x20   <rasterrenderer type=\"paletted\" band=\"1\" opacity=\"1\" alphaBand=\"-1\" nodataColor=\"\">\n\
         \x20     <rasterTransparency/>\n      <colorPalette>\n{entries}      </colorPalette>\n\
         \x20   </rasterrenderer>\n    <brightnesscontrast/>\n    <huesaturation/>\n    <rasterresampler/>\n\
         \x20 </pipe>\n"
    )
}

fn sld(layer: &str, classes: &[ClassEntry]) -> String {
    let mut entries = String::new();
    for ClassEntry { value, name, color: [red, green, blue] } in classes {
        let name = escape(name);
        let _ = writeln!(
            entries,
            "              <ColorMapEntry color=\"#{red:02x}{green:02x}{blue:02x}\" quantity=\"{value}\" label=\"{name}\" opacity=\"1\"/>"
        );
    }
    let layer = escape(layer);
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{MARK}\n\
         <StyledLayerDescriptor xmlns=\"http://www.opengis.net/sld\" xmlns:ogc=\"http://www.opengis.net/ogc\" version=\"1.0.0\">\n\
         \x20 <NamedLayer>\n    <Name>{layer}</Name>\n    <UserStyle>\n      <FeatureTypeStyle>\n        <Rule>\n\
         \x20         <RasterSymbolizer>\n            <ColorMap type=\"values\">\n{entries}            </ColorMap>\n\
         \x20         </RasterSymbolizer>\n        </Rule>\n      </FeatureTypeStyle>\n    </UserStyle>\n\
         \x20 </NamedLayer>\n</StyledLayerDescriptor>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("map.tif");
        let classes = [ClassEntry { value: 3, name: "Wald & <Forst>".into(), color: [255, 8, 0] }];
        let write = || write_beside(&Scratch::create(&target, true).unwrap(), &target, &classes).unwrap();
        let read = |extension: &str| std::fs::read_to_string(target.with_extension(extension)).unwrap();
        write();
        assert!(read("qml").contains("value=\"3\" color=\"#ff0800\" alpha=\"255\" label=\"Wald &amp; &lt;Forst&gt;\""));
        assert!(read("sld").contains("color=\"#ff0800\" quantity=\"3\" label=\"Wald &amp; &lt;Forst&gt;\""));
        std::fs::write(target.with_extension("qml"), "mine").unwrap();
        std::fs::write(target.with_extension("sld"), format!("{MARK} old")).unwrap();
        write();
        assert_eq!(read("qml"), "mine");
        assert!(read("sld").contains("quantity=\"3\""));
    }
}
