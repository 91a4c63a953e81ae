//! Small maps in files.

use std::path::{Path, PathBuf};

use swath_geo::{Affine, ClassEntry, CogOptions, CogWriter, Crs, Grid, Samples};

/// Pixels of 10 m in UTM.
pub(crate) fn grid(width: usize, height: usize) -> Grid {
    let crs = Crs::from_user("EPSG:32633").unwrap();
    Grid { crs: Some(crs), transform: Affine([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]), width, height }
}

/// Land, something that grows on it, and water.
pub(crate) fn classes(second: &str) -> Vec<ClassEntry> {
    let entry = |value, name: &str, color| ClassEntry { value, name: name.to_owned(), color };
    vec![entry(0, "land", [10, 20, 30]), entry(1, second, [0, 128, 0]), entry(2, "water", [0, 0, 255])]
}

/// Writes the rows of a map.
pub(crate) fn written(folder: &Path, grid: &Grid, options: &CogOptions, rows: &[u8]) -> PathBuf {
    let path = folder.join("map.tif");
    let mut writer = CogWriter::create(&path, grid, options).unwrap();
    writer.write(grid.window(), 0, Samples::U8(rows)).unwrap();
    writer.finish().unwrap();
    path
}

/// Five regions; 9 is nodata.
#[rustfmt::skip]
pub(crate) const SMALL: [u8; 24] = [
    0, 0, 0, 0, 9, 1,
    0, 1, 1, 0, 9, 1,
    0, 1, 2, 0, 9, 9,
    0, 0, 0, 2, 2, 2,
];
