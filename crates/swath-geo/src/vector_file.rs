//! Vector outputs: one table of formats, made in a scratch folder and moved to their place when complete.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use gdal::DriverManager;
use gdal::spatial_ref::SpatialRef;
use gdal::vector::LayerOptions;
use gdal_sys::OGRwkbGeometryType;

use crate::antimeridian::Unwrapped;
use crate::config_scope::ConfigScope;
use crate::feature_sink::{Column, FeatureSink};
use crate::gdal_setup::{clear_messages, take_messages};
use crate::geoparquet::GeoParquet;
use crate::lonlat::LonLat;
use crate::scratch::{Scratch, check_target, with_suffix};
use crate::style::{Symbol, write_beside, write_styles};
use crate::{ClassEntry, Crs, GeoError, Result};

/// A vector format by its file extension.
#[derive(Debug, PartialEq)]
pub(crate) struct VectorFormat {
    extension: &'static str,
    /// GDAL's driver; none for GeoParquet, which GDAL is often built without.
    driver: Option<&'static str>,
    layer_options: &'static [&'static str],
    /// Extensions of further files that belong to an output.
    companions: &'static [&'static str],
    /// Whether coordinates are longitude and latitude, whatever the map's.
    lonlat: bool,
    /// The CRS of pixels without georeference as WKT, if the format needs one.
    unknown_crs: Option<&'static str>,
    /// Longest field name.
    name_limit: usize,
    /// Whether styles travel in the file; otherwise they stand beside it.
    holds_styles: bool,
}

static FORMATS: [VectorFormat; 5] = [
    VectorFormat {
        extension: "gpkg",
        driver: Some("GPKG"),
        layer_options: &[],
        companions: &[],
        lonlat: false,
        // By this name GDAL knows the entry -1 of the standard (OGC 12-128r18, 1.1.2.1.2); without it, it takes entry 0, degrees.
        unknown_crs: Some(r#"LOCAL_CS["Undefined Cartesian SRS"]"#),
        name_limit: usize::MAX,
        holds_styles: true,
    },
    VectorFormat {
        extension: "fgb",
        driver: Some("FlatGeobuf"),
        layer_options: &[],
        companions: &[],
        lonlat: false,
        unknown_crs: None,
        name_limit: usize::MAX,
        holds_styles: false,
    },
    VectorFormat {
        extension: "geojson",
        driver: Some("GeoJSON"),
        // WGS 84, seven digits, outer rings counterclockwise.
        layer_options: &["RFC7946=YES"],
        companions: &[],
        lonlat: true,
        unknown_crs: None,
        name_limit: usize::MAX,
        holds_styles: false,
    },
    VectorFormat {
        extension: "parquet",
        driver: None,
        layer_options: &[],
        companions: &[],
        lonlat: false,
        unknown_crs: None,
        name_limit: usize::MAX,
        holds_styles: false,
    },
    VectorFormat {
        extension: "shp",
        driver: Some("ESRI Shapefile"),
        layer_options: &["ENCODING=UTF-8"],
        companions: &["dbf", "shx", "prj", "cpg"],
        lonlat: false,
        unknown_crs: None,
        name_limit: 10,
        holds_styles: false,
    },
];

impl VectorFormat {
    /// The format of a file name.
    pub(crate) fn of(path: &Path) -> Result<&'static VectorFormat> {
        let extension = path.extension().map(|text| text.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        FORMATS.iter().find(|format| format.extension == extension).ok_or_else(|| {
            let known: Vec<String> = FORMATS.iter().map(|format| format!(".{}", format.extension)).collect();
            GeoError::Argument(format!(
                "{}: its extension names no vector format; use {}",
                path.display(),
                known.join(", ")
            ))
        })
    }
}

/// Fails unless vectors can be written to `out`: before work that takes long.
///
/// # Errors
/// When the extension names no vector format, the output exists and `overwrite` is off, or its folder does not exist.
pub fn check_vector_target(out: &Path, overwrite: bool) -> Result<()> {
    VectorFormat::of(out)?;
    check_target(out, overwrite)
}

/// The features of a GeoJSON file as GDAL writes it, one in each line; none where it has no end. What could not be written on a full disk, GDAL's
/// driver does not hear of.
fn geojson_features(file: &Path) -> std::io::Result<Option<u64>> {
    let mut lines = BufReader::with_capacity(1 << 20, File::open(file)?);
    let (mut features, mut line, mut ended) = (0, Vec::new(), false);
    loop {
        line.clear();
        // A feature is recognized by its beginning; the rest of its line may be long.
        let beginning = lines.by_ref().take(FEATURE.len() as u64).read_until(b'\n', &mut line)?;
        if beginning == 0 {
            return Ok(ended.then_some(features));
        }
        features += u64::from(line == FEATURE);
        ended = line.starts_with(b"}");
        if line.last() != Some(&b'\n') {
            lines.skip_until(b'\n')?;
        }
    }
}

/// What lines of features begin with.
const FEATURE: &[u8] = br#"{ "type": "Feature", "#;

/// What a layer is to hold.
#[derive(Debug)]
pub(crate) struct LayerPlan<'a> {
    pub(crate) crs: Option<&'a Crs>,
    pub(crate) geometry: OGRwkbGeometryType::Type,
    pub(crate) columns: Vec<Column>,
    /// Whether the order of features says something. FlatGeobuf then has no spatial index, for which it would sort them.
    pub(crate) ordered: bool,
}

/// A vector output in the making.
#[derive(Debug)]
pub(crate) struct VectorFile {
    scratch: Scratch,
    format: &'static VectorFormat,
    file: PathBuf,
}

impl VectorFile {
    /// Checks the target and makes its scratch folder.
    pub(crate) fn create(target: &Path, overwrite: bool) -> Result<VectorFile> {
        let format = VectorFormat::of(target)?;
        let scratch = Scratch::create(target, overwrite)?;
        let companions = format.companions.iter().map(|extension| target.with_extension(extension));
        if let Some(path) = companions.into_iter().find(|path| !overwrite && path.exists()) {
            return Err(GeoError::Exists { path });
        }
        let name = target.file_stem().unwrap_or_default();
        let file = scratch.file(name).with_extension(format.extension);
        Ok(VectorFile { scratch, format, file })
    }

    /// The folder in which the output is made.
    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// How long the names of columns may be.
    pub(crate) fn name_limit(&self) -> usize {
        self.format.name_limit
    }

    /// The layer's name: the file's name without extension.
    fn layer_name(&self) -> String {
        self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Makes the file with one layer, fills it by `fill`, and moves it to the target, with a style beside it where it holds none. What
    /// `fill` returns are the result and the classes of the layer's style, where it has one.
    pub(crate) fn write_layer<T, E: From<GeoError>>(
        self,
        layer: &LayerPlan<'_>,
        fill: impl FnOnce(&mut FeatureSink<'_>) -> std::result::Result<(T, Vec<ClassEntry>), E>,
    ) -> std::result::Result<T, E> {
        let (filled, classes) = match self.format.driver {
            Some(driver) => self.write_ogr(driver, layer, fill)?,
            None => self.write_parquet(layer, fill)?,
        };
        let target = self.scratch.target().to_path_buf();
        // Before the file itself: a reader that finds it finds the style.
        if !self.format.holds_styles && !classes.is_empty() {
            write_beside(&self.scratch, &target, Symbol::of(layer.geometry), &classes)?;
        }
        self.publish(&target)?;
        Ok(filled)
    }

    fn write_parquet<T, E: From<GeoError>>(
        &self,
        layer: &LayerPlan<'_>,
        fill: impl FnOnce(&mut FeatureSink<'_>) -> std::result::Result<(T, Vec<ClassEntry>), E>,
    ) -> std::result::Result<(T, Vec<ClassEntry>), E> {
        let failed = |error: parquet::errors::ParquetError| GeoError::write(self.scratch.target(), error.to_string());
        let file = GeoParquet::create(&self.file, layer.crs, layer.geometry, &layer.columns).map_err(failed)?;
        let mut sink = FeatureSink::Parquet(Box::new(file));
        let filled = fill(&mut sink)?;
        if let FeatureSink::Parquet(file) = sink {
            file.finish().map_err(failed)?;
        }
        Ok(filled)
    }

    fn write_ogr<T, E: From<GeoError>>(
        &self,
        driver: &str,
        layer: &LayerPlan<'_>,
        fill: impl FnOnce(&mut FeatureSink<'_>) -> std::result::Result<(T, Vec<ClassEntry>), E>,
    ) -> std::result::Result<(T, Vec<ClassEntry>), E> {
        // Durable as a whole when it is finished, not after every page.
        let _quick = ConfigScope::set("OGR_SQLITE_SYNCHRONOUS", "OFF");
        let target = self.scratch.target();
        clear_messages();
        let failed = |error: gdal::errors::GdalError| GeoError::write(target, take_messages(&error.to_string()));
        let driver = DriverManager::get_driver_by_name(driver).map_err(failed)?;
        let mut dataset = driver.create_vector_only(&self.file).map_err(failed)?;
        let unwrapped = self.unwrapped(layer)?;
        let reference = match (&unwrapped, layer.crs) {
            (Some(_), _) => Some(Crs::from_user("EPSG:4326")?.spatial_ref()?),
            (None, Some(crs)) => Some(crs.spatial_ref()?),
            (None, None) => self.format.unknown_crs.map(SpatialRef::from_wkt).transpose().map_err(failed)?,
        };
        let name = self.layer_name();
        let mut options = self.format.layer_options.to_vec();
        if layer.ordered && self.format.extension == "fgb" {
            options.push("SPATIAL_INDEX=NO");
        }
        dataset
            .create_layer(LayerOptions {
                name: &name,
                srs: reference.as_ref(),
                ty: layer.geometry,
                options: Some(&options),
            })
            .map_err(failed)?;
        // SAFETY: the dataset is open. Formats without transactions refuse, which changes nothing.
        let transaction = unsafe { gdal_sys::GDALDatasetStartTransaction(dataset.c_dataset(), 0) } == 0;
        clear_messages();
        let (filled, classes, features) = {
            let target_layer = dataset.layer(0).map_err(failed)?;
            let mut sink = FeatureSink::ogr(target_layer, &layer.columns, unwrapped).map_err(failed)?;
            let (filled, classes) = fill(&mut sink)?;
            (filled, classes, sink.features())
        };
        if self.format.holds_styles && !classes.is_empty() {
            write_styles(&mut dataset, target, &name, Symbol::of(layer.geometry), &classes)?;
        }
        // SAFETY: as above.
        if transaction && unsafe { gdal_sys::GDALDatasetCommitTransaction(dataset.c_dataset()) } != 0 {
            return Err(GeoError::write(target, take_messages("the last features could not be stored")).into());
        }
        dataset.close().map_err(failed)?;
        // Before version 3.7 GDAL does not return what went wrong in the last writes, but it reports it.
        let complaints = take_messages("");
        if !complaints.is_empty() {
            return Err(GeoError::write(target, complaints).into());
        }
        if self.format.extension == "geojson" && geojson_features(&self.file).ok().flatten() != Some(features) {
            let problem = "the file system did not take all of it; is it full?";
            return Err(GeoError::write(target, problem).into());
        }
        Ok((filled, classes))
    }

    /// The way to longitude and latitude, for the format that holds nothing else.
    fn unwrapped(&self, layer: &LayerPlan<'_>) -> Result<Option<Unwrapped>> {
        if !self.format.lonlat {
            return Ok(None);
        }
        let unknown = "GeoJSON holds longitude and latitude, and the map has no coordinate reference system; give it one, for example with gdal_edit -a_srs, or choose .gpkg";
        let crs = layer.crs.ok_or_else(|| GeoError::write(self.scratch.target(), unknown))?;
        Ok(Some(Unwrapped::new(LonLat::new(crs)?)))
    }

    /// Companions first: a reader that finds the main file finds all of them.
    fn publish(self, target: &Path) -> Result<()> {
        for extension in self.format.companions {
            let companion = self.file.with_extension(extension);
            if companion.exists() {
                self.scratch.publish(&companion, &target.with_extension(extension))?;
            }
        }
        // Journals of an older database would be applied to the new one; an index of older polygons is wrong.
        for stale in [with_suffix(target, "-wal"), with_suffix(target, "-shm"), with_suffix(target, "-journal")] {
            let _ = std::fs::remove_file(stale);
        }
        if self.format.extension == "shp" {
            let _ = std::fs::remove_file(target.with_extension("qix"));
        }
        self.scratch.publish(&self.file, target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geojson_that_was_cut_off_is_not_complete() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.geojson");
        let feature = r#"{ "type": "Feature", "properties": { }, "geometry": null }"#;
        let whole = format!("{{\n\"type\": \"FeatureCollection\",\n\"features\": [\n{feature},\n{feature}\n]\n}}\n");
        let counted = |text: &str| {
            std::fs::write(&file, text).unwrap();
            geojson_features(&file).unwrap()
        };
        assert_eq!(counted(&whole), Some(2));
        for end in 0..whole.len() - 2 {
            assert_eq!(counted(&whole[..end]), None, "{}", &whole[..end]);
        }
    }
}
