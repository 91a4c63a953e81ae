//! Map styles of rasters of classes, as files beside them: QML, which QGIS reads by itself, and SLD for others.

use std::fmt::Write as _;
use std::path::Path;

use crate::scratch::Scratch;
use crate::xml::escape;
use crate::{ClassEntry, GeoError, Result};

/// Puts `NAME.qml` and `NAME.sld` beside a raster, unless there are others than Swath's: somebody's own style stays.
pub(crate) fn write_beside(scratch: &Scratch, target: &Path, classes: &[ClassEntry]) -> Result<()> {
    let layer = target.file_stem().unwrap_or_default().to_string_lossy();
    for (extension, text) in [("qml", qml(classes)), ("sld", sld(&layer, classes))] {
        let destination = target.with_extension(extension);
        let foreign = match std::fs::read(&destination) {
            Ok(bytes) => !String::from_utf8_lossy(&bytes).contains(MARK),
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        if foreign {
            continue;
        }
        let file = scratch.file(format!("style.{extension}"));
        std::fs::write(&file, text).map_err(|error| GeoError::io(&file, error))?;
        scratch.publish(&file, &destination)?;
    }
    Ok(())
}

/// Tells our own styles from those that somebody has saved.
const MARK: &str = "<!-- Written by Swath with the map; it is replaced with it. -->";

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
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{MARK}\n\
         <qgis version=\"3.22.0\" styleCategories=\"Symbology\">\n  <pipe>\n\
         \x20   <rasterrenderer type=\"paletted\" band=\"1\" opacity=\"1\" alphaBand=\"-1\" nodataColor=\"\">\n\
         \x20     <rasterTransparency/>\n      <colorPalette>\n{entries}      </colorPalette>\n\
         \x20   </rasterrenderer>\n    <brightnesscontrast/>\n    <huesaturation/>\n    <rasterresampler/>\n\
         \x20 </pipe>\n  <blendMode>0</blendMode>\n</qgis>\n"
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
