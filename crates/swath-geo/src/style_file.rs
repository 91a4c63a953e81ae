//! Style files beside an output. QGIS looks for `NAME.qml` whether it opens `NAME.tif` or `NAME.fgb`, so that one file may hold the
//! styles of a raster and of vectors: each kind of layer reads its own elements of it.

use std::path::Path;

use crate::scratch::Scratch;
use crate::{GeoError, Result};

/// What a style is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layer {
    Raster,
    Vector,
}

impl Layer {
    /// The elements of a layer's style in a QML file: how the first begins and the last ends.
    fn elements(self) -> (&'static str, &'static str) {
        match self {
            Layer::Raster => ("  <pipe>", "</pipe>\n"),
            Layer::Vector => ("  <renderer-v2 ", "</layerGeometryType>\n"),
        }
    }

    fn other(self) -> Layer {
        match self {
            Layer::Raster => Layer::Vector,
            Layer::Vector => Layer::Raster,
        }
    }
}

/// Tells our own styles from those that somebody has saved.
pub(crate) const MARK: &str = "<!-- Written by Swath with the map; it is replaced with it. -->";

/// Puts `NAME.qml` with these elements beside an output, and leaves those that a layer of the other kind has there. Somebody's own style
/// stays as it is.
pub(crate) fn write_qml(scratch: &Scratch, target: &Path, layer: Layer, elements: &str) -> Result<()> {
    let destination = target.with_extension("qml");
    let Some(old) = own(&destination) else { return Ok(()) };
    let (begins, ends) = layer.other().elements();
    let kept = old.find(begins).and_then(|start| {
        let length = old[start..].find(ends)? + ends.len();
        Some(&old[start..start + length])
    });
    write(scratch, &destination, &document(elements, kept.unwrap_or_default()))
}

/// A QML file of some elements.
pub(crate) fn document(elements: &str, more: &str) -> String {
    format!(
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{MARK}\n\
         <qgis version=\"3.22.0\" styleCategories=\"Symbology\">\n{elements}{more}  <blendMode>0</blendMode>\n</qgis>\n"
    )
}

/// Writes a style to its place, unless somebody's own is there.
pub(crate) fn write_unless_foreign(scratch: &Scratch, destination: &Path, text: &str) -> Result<()> {
    own(destination).map_or(Ok(()), |_| write(scratch, destination, text))
}

/// What we wrote there before, nothing where nothing is; `None` where it is somebody else's.
fn own(path: &Path) -> Option<String> {
    match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).ok().filter(|text| text.contains(MARK)),
        Err(error) => (error.kind() == std::io::ErrorKind::NotFound).then(String::new),
    }
}

fn write(scratch: &Scratch, destination: &Path, text: &str) -> Result<()> {
    let mut name = std::ffi::OsString::from("style.");
    name.push(destination.extension().unwrap_or_default());
    let file = scratch.file(name);
    std::fs::write(&file, text).map_err(|error| GeoError::io(&file, error))?;
    scratch.publish(&file, destination)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raster_and_vectors_of_one_name_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let (raster, vector) =
            ("  <pipe>\n    raster\n  </pipe>\n", "  <renderer-v2 type=\"a\">\n  </layerGeometryType>\n");
        let write = |name: &str, layer, elements: &str| {
            let target = folder.path().join(name);
            write_qml(&Scratch::create(&target, true).unwrap(), &target, layer, elements).unwrap();
            std::fs::read_to_string(folder.path().join("map.qml")).unwrap()
        };
        assert_eq!(write("map.tif", Layer::Raster, raster), document(raster, ""));
        assert_eq!(write("map.fgb", Layer::Vector, vector), document(vector, raster));
        let newer = vector.replace("type=\"a\"", "type=\"b\"");
        assert_eq!(write("map.shp", Layer::Vector, &newer), document(&newer, raster));
        assert_eq!(write("map.tif", Layer::Raster, raster), document(raster, &newer));
        std::fs::write(folder.path().join("map.qml"), "mine").unwrap();
        assert_eq!(write("map.fgb", Layer::Vector, vector), "mine");
    }
}
