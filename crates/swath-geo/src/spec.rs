//! What a user says about a scene: files, bands, order, and the grid they share.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Grid, Resampling};

/// Which grid the bands of a scene share.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GridChoice {
    /// The grid of the first file.
    First,
    /// The grid of the file with the smallest pixels; of equals the first.
    #[default]
    Finest,
    /// The grid of another raster; bands in another CRS are reprojected.
    Like(PathBuf),
    /// This grid; bands in another CRS are reprojected.
    Given(Grid),
}

/// One file of a scene and what to take from it.
///
/// In recipes and JSON a plain path is short for a source with defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Source {
    /// Anything GDAL opens: a path, `/vsizip/...`, `/vsicurl/...`.
    pub path: PathBuf,
    /// Bands by number from 1, in the order wanted; all but alpha bands when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bands: Option<Vec<usize>>,
    /// Names, one for each band taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// Factors, one for each band taken, instead of the file's: `value = raw * scale + offset`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<Vec<f64>>,
    /// Offsets, one for each band taken, instead of the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<Vec<f64>>,
    /// Raw value that means no data in every band, instead of the file's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodata: Option<f64>,
    /// Resampling of this file, instead of the scene's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resampling: Option<Resampling>,
    /// Whether to leave the stored numbers alone: the file's own scale and offset are not applied.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub raw: bool,
}

impl Source {
    /// All bands of a file, with defaults.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_path_buf(), ..Self::default() }
    }
}

/// A scene in plain data: its files and the grid they share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneSpec {
    /// Files, in the order of their bands.
    pub sources: Vec<Source>,
    /// The grid of the scene.
    #[serde(default)]
    pub grid: GridChoice,
    /// Resampling of files on other grids.
    #[serde(default = "bilinear")]
    pub resampling: Resampling,
    /// Whether files in another CRS are reprojected. Always so with [`GridChoice::Like`] and [`GridChoice::Given`].
    #[serde(default)]
    pub allow_reproject: bool,
}

impl SceneSpec {
    /// All bands of some files, on the finest of their grids.
    pub fn from_paths<P: AsRef<Path>>(paths: &[P]) -> Self {
        Self::from_sources(paths.iter().map(Source::new).collect())
    }

    /// Some sources, on the finest of their grids.
    pub fn from_sources(sources: Vec<Source>) -> Self {
        Self { sources, grid: GridChoice::Finest, resampling: bilinear(), allow_reproject: false }
    }

    /// A label raster: the stored numbers of its first band, never interpolated.
    pub fn labels(path: impl AsRef<Path>) -> Self {
        let source = Source { bands: Some(vec![1]), raw: true, ..Source::new(path) };
        Self { resampling: Resampling::Nearest, ..Self::from_sources(vec![source]) }
    }
}

fn bilinear() -> Resampling {
    Resampling::Bilinear
}

/// The fields of [`Source`] as a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    path: PathBuf,
    bands: Option<Vec<usize>>,
    names: Option<Vec<String>>,
    scale: Option<Vec<f64>>,
    offset: Option<Vec<f64>>,
    nodata: Option<f64>,
    resampling: Option<Resampling>,
    #[serde(default)]
    raw: bool,
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathOrTable;

        impl<'de> Visitor<'de> for PathOrTable {
            type Value = Source;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a table with path, bands, names, scale, offset, nodata, resampling, raw")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Source, E> {
                Ok(Source::new(path))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Source, M::Error> {
                let Table { path, bands, names, scale, offset, nodata, resampling, raw } =
                    Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Source { path, bands, names, scale, offset, nodata, resampling, raw })
            }
        }

        deserializer.deserialize_any(PathOrTable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_short_for_a_source() {
        let spec: SceneSpec =
            serde_json::from_str(r#"{"sources": ["a.tif", {"path": "b.tif", "bands": [3, 1], "scale": [0.1, 0.1]}]}"#)
                .unwrap();
        assert_eq!(spec.sources[0], Source::new("a.tif"));
        assert_eq!(spec.sources[1].bands, Some(vec![3, 1]));
        assert_eq!(spec.grid, GridChoice::Finest);
        let back: SceneSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
        assert_eq!(back, spec);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = serde_json::from_str::<Source>(r#"{"path": "b.tif", "band": [1]}"#).unwrap_err();
        assert!(error.to_string().contains("unknown field `band`"), "{error}");
    }
}
