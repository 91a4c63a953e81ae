//! Label files: rasters by value or by colour, and vectors burned onto the scene's grid.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use swath_geo::{
    BurnOrder, BurnRule, ClassEntry, Edge, GeoError, Grid, GridChoice, RasterizeSpec, Reader, Resampling, Scene,
    SceneSpec, Source, Tiling, Window, palette, rasterize, vector_layers,
};
use tempfile::TempDir;

use super::DataError;
use super::rules::{LabelRules, shortened};
use super::source::{LabelReader, LabelSource};
use crate::IGNORE;
use crate::classes::{Class, to_hex};

/// The labels of a file, on a scene's grid.
#[derive(Clone, Debug)]
pub struct FileLabels {
    path: PathBuf,
    raster: Scene,
    rules: Arc<LabelRules>,
    by_color: bool,
    /// The colours of the values of a raster with a colour table.
    palette: Option<Arc<Vec<[u8; 3]>>>,
    /// Holds the raster of vector labels.
    _scratch: Option<Arc<TempDir>>,
}

/// How vector labels become classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorLabels {
    /// The attribute that names the class, compared with each class's `attributes`.
    pub field: Option<String>,
    /// The class of every feature, in place of `field`.
    pub class: Option<u16>,
    /// The layer; the only one unless given.
    pub layer: Option<String>,
    /// Only features for which this SQL condition holds.
    pub filter: Option<String>,
    /// Whether every pixel that a feature touches is burned.
    pub all_touched: bool,
    /// Polygons outside of which nothing is labelled.
    pub aoi: Option<PathBuf>,
    /// The class of pixels that no feature covers; unlabelled unless given.
    pub background: Option<u16>,
    /// Which feature wins where several overlap.
    pub order: BurnOrder,
}

/// Whether a label file holds vectors, by its extension.
///
/// ```
/// use swath::dataset::is_vector;
/// assert!(is_vector("fields.gpkg".as_ref()) && !is_vector("fields.tif".as_ref()));
/// ```
pub fn is_vector(path: &Path) -> bool {
    const EXTENSIONS: [&str; 13] =
        ["gpkg", "geojson", "json", "geojsonl", "fgb", "shp", "kml", "kmz", "gml", "gpx", "sqlite", "tab", "parquet"];
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    EXTENSIONS.contains(&extension.as_str())
}

impl FileLabels {
    /// Opens a label raster for the scene `name` on `grid`.
    ///
    /// One band holds values, three bands hold colours, and so does one band with a colour table: writers number the
    /// colours of a table as they please. There the numbers count only where a class has `values` of its own, or where
    /// the table's colours are not those of the classes. On another grid labels are resampled to the nearest pixel, and
    /// reprojected where need be. A file without georeference belongs to a scene of its size.
    ///
    /// # Errors
    /// When the file cannot be read, does not overlap the scene, has no georeference and another size, or holds neither
    /// one band nor three.
    pub fn open_raster(path: &Path, name: &str, grid: &Grid, rules: Arc<LabelRules>) -> Result<Self, DataError> {
        let source = || Source { raw: true, ..Source::new(path) };
        let on = |choice| SceneSpec {
            grid: choice,
            resampling: Resampling::Nearest,
            ..SceneSpec::from_sources(vec![source()])
        };
        let own = Scene::open(&on(GridChoice::First))?;
        let problem = |problem| DataError::Labels { path: path.to_path_buf(), problem };
        let by_color = match own.bands().len() {
            1 => false,
            3 => true,
            bands => {
                let advice = "labels need one band of values or three bands of colours";
                return Err(problem(format!("{bands} bands: {advice}")));
            }
        };
        let misfit = |problem| DataError::Misfit { labels: path.to_path_buf(), scene: name.to_owned(), problem };
        let raster = if placed(own.grid()) && placed(grid) {
            Scene::open(&on(GridChoice::Given(grid.clone()))).map_err(|error| match error {
                GeoError::GridMismatch { .. } => misfit(extents(own.grid(), grid)),
                other => other.into(),
            })?
        } else if (own.grid().width, own.grid().height) == (grid.width, grid.height) {
            own
        } else {
            let [w, h, sw, sh] = [own.grid().width, own.grid().height, grid.width, grid.height];
            return Err(misfit(format!(
                "{w}x{h} against {sw}x{sh} pixels; without a georeference on both sides they need the same size"
            )));
        };
        let palette = if by_color { None } else { palette(path, 1)?.map(Arc::new) };
        let mut labels = Self { path: path.to_path_buf(), raster, rules, by_color, palette, _scratch: None };
        if let Some(palette) = labels.palette.clone().filter(|_| labels.rules.knows_colors()) {
            labels.rules = Arc::new(labels.rules.through(&palette, &labels.present()?));
        }
        Ok(labels)
    }

    /// The values below 65536 that occur.
    fn present(&self) -> Result<Vec<usize>, DataError> {
        let mut seen = vec![false; 1 << 16];
        let mut reader = self.raster.reader()?;
        for window in self.blocks().clipped_windows() {
            let pixels = reader.read(window, Edge::Invalid)?;
            for (value, _) in pixels.values.data.iter().zip(&pixels.valid).filter(|(_, valid)| **valid) {
                if let Some(seen) = seen.get_mut(*value as usize) {
                    *seen = true;
                }
            }
        }
        Ok((0..seen.len()).filter(|value| seen[*value]).collect())
    }

    /// A value with its colour, or a colour.
    fn name(&self, found: Found) -> String {
        match found {
            Found::Color(color) => to_hex(color),
            Found::Value(bits) => {
                let value = f32::from_bits(bits);
                let color = self.palette.as_ref().and_then(|palette| palette.get(value as usize));
                color.map_or_else(|| value.to_string(), |color| format!("{value} ({})", to_hex(*color)))
            }
        }
    }

    fn blocks(&self) -> Tiling {
        let grid = self.raster.grid();
        Tiling::blocks((grid.width, grid.height), self.raster.block_size(), 1 << 20)
    }

    /// Burns vector labels on `grid` into a file in the folder `scratch`, and opens it.
    ///
    /// The file is removed with the last of the labels' copies.
    ///
    /// # Errors
    /// When neither `field` nor `class` is given, the vectors cannot be read, no feature has a class, or they do not
    /// overlap the scene; when the folder cannot be written.
    pub fn open_vector(
        path: &Path,
        name: &str,
        grid: &Grid,
        vector: &VectorLabels,
        classes: &[Class],
        scratch: &Path,
    ) -> Result<Self, DataError> {
        let ignore = if classes.len() <= usize::from(u8::MAX) { u16::from(u8::MAX) } else { IGNORE };
        let value = |class: u16| u32::from(class);
        let rules = match (&vector.field, vector.class) {
            (None, Some(class)) => vec![BurnRule { class: value(class), ..BurnRule::default() }],
            (Some(_), _) => (0u16..)
                .zip(classes)
                .map(|(id, class)| BurnRule { class: value(id), values: class.attributes.clone(), layer: None })
                .collect(),
            (None, None) => return Err(no_field(path, vector.layer.as_deref())),
        };
        let spec = RasterizeSpec {
            layer: vector.layer.clone(),
            field: vector.field.clone(),
            rules,
            all_touched: vector.all_touched,
            background: value(vector.background.unwrap_or(ignore)),
            ignore: value(ignore),
            aoi: vector.aoi.clone(),
            filter: vector.filter.clone(),
            order: vector.order.clone(),
            ..RasterizeSpec::new(path)
        };
        let folder = TempDir::with_prefix_in("labels-", scratch)
            .map_err(|source| DataError::Geo(GeoError::io(scratch, source)))?;
        let file = folder.path().join("labels.tif");
        let entries: Vec<ClassEntry> = (0u32..)
            .zip(classes)
            .map(|(value, class)| ClassEntry { value, name: class.name.clone(), color: class.color })
            .collect();
        rasterize(&spec, grid, &file, &entries, true)?;
        let burned = Self::open_raster(&file, name, grid, Arc::new(LabelRules::identity(classes.len(), ignore)))?;
        Ok(Self { path: path.to_path_buf(), _scratch: Some(Arc::new(folder)), ..burned })
    }

    /// The label file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl LabelSource for FileLabels {
    fn reader(&self) -> Result<Box<dyn LabelReader>, DataError> {
        Ok(Box::new(FileLabelReader { labels: self.clone(), raster: self.raster.reader()? }))
    }
}

struct FileLabelReader {
    labels: FileLabels,
    raster: Reader,
}

/// What a pixel holds that no class is named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Found {
    /// The bits of an f32.
    Value(u32),
    Color([u8; 3]),
}

impl LabelReader for FileLabelReader {
    fn read(&mut self, window: Window) -> Result<Vec<u16>, DataError> {
        let mut unknown = false;
        let labels = self.classify(window, |_, _| unknown = true)?;
        if unknown { Err(self.count_unknown()?) } else { Ok(labels) }
    }
}

impl FileLabelReader {
    /// Classes of a window; tells of every pixel that has none.
    fn classify(&mut self, window: Window, mut tell: impl FnMut(usize, Found)) -> Result<Vec<u16>, DataError> {
        let pixels = self.raster.read(window, Edge::Invalid)?;
        let (values, plane) = (&pixels.values.data, window.area());
        let mut labels = vec![IGNORE; plane];
        // Neighbours mostly have the same colour.
        let mut last = None;
        for (at, label) in labels.iter_mut().enumerate().filter(|(at, _)| pixels.valid[*at]) {
            let (class, found) = if self.labels.by_color {
                let color = [0, 1, 2].map(|band| values[band * plane + at]);
                match last {
                    Some((seen, class)) if seen == color => (Some(class), Found::Color([0; 3])),
                    _ => {
                        let exact = color.iter().all(|v| (0.0..=255.0).contains(v) && v.fract() == 0.0);
                        let bytes = color.map(|v| v as u8);
                        let class = if exact { self.labels.rules.of_color(bytes) } else { None };
                        last = class.map(|class| (color, class));
                        (class, Found::Color(bytes))
                    }
                }
            } else {
                (self.labels.rules.of_value(values[at]), Found::Value(values[at].to_bits()))
            };
            match class {
                Some(class) => *label = class,
                None => tell(at, found),
            }
        }
        Ok(labels)
    }

    /// The error for a file with unknown labels, counted over the whole file.
    fn count_unknown(&mut self) -> Result<DataError, DataError> {
        let mut counts: HashMap<Found, u64> = HashMap::new();
        let (mut count, mut first) = (0, None);
        for window in self.labels.blocks().clipped_windows() {
            self.classify(window, |at, found| {
                count += 1;
                let pixel = (window.row + (at / window.width) as isize, window.col + (at % window.width) as isize);
                first = Some(first.map_or(pixel, |first: (isize, isize)| first.min(pixel)));
                // A photograph given by mistake must not fill the memory.
                if counts.len() < 10_000 || counts.contains_key(&found) {
                    *counts.entry(found).or_default() += 1;
                }
            })?;
        }
        let mut found: Vec<(Found, u64)> = counts.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        let names: Vec<String> = found.iter().map(|(found, _)| self.labels.name(*found)).collect();
        let by_color = self.labels.by_color;
        let palette = self.labels.palette.is_some();
        let kind = if by_color { "colour" } else { "value" };
        let keys = if by_color || palette { "colors" } else { "values" };
        let lossy = if by_color && names.len() > 100 { "; save labels without JPEG compression" } else { "" };
        let (row, col) = first.unwrap_or_default();
        Ok(DataError::UnknownLabel {
            path: self.labels.path.clone(),
            found: match &names[..] {
                [only] => format!("{kind} {only} is"),
                names => format!("{kind}s {} are", shortened(names, 5)),
            },
            count,
            first: (col, row),
            advice: format!(
                "add it to a class's `{keys}` or to data.ignore_{keys}{lossy}; known are {}",
                self.labels.rules.known(by_color || palette)
            ),
        })
    }
}

/// Whether a grid says where it lies.
fn placed(grid: &Grid) -> bool {
    grid.crs.is_some() || grid.transform != swath_geo::Affine::IDENTITY
}

fn extents(labels: &Grid, scene: &Grid) -> String {
    let words = |grid: &Grid| {
        let [west, south, east, north] = grid.bounds();
        let crs = grid.crs.as_ref().map_or("no CRS".to_owned(), ToString::to_string);
        format!("x {west:.6}..{east:.6}, y {south:.6}..{north:.6} ({crs})")
    };
    if labels.crs.is_some() != scene.crs.is_some() {
        let without = if labels.crs.is_none() { "the labels have" } else { "the scene has" };
        return format!("{without} coordinates but no CRS; name it with gdal_edit.py -a_srs");
    }
    format!("they do not overlap; labels cover {}, the scene {}", words(labels), words(scene))
}

fn no_field(path: &Path, layer: Option<&str>) -> DataError {
    let layers = match vector_layers(path) {
        Ok(layers) => layers,
        Err(error) => return error.into(),
    };
    let fields: Vec<String> = layers
        .into_iter()
        .filter(|info| layer.is_none_or(|name| info.name == name))
        .flat_map(|info| info.fields)
        .collect();
    let problem = format!(
        "vector labels need the attribute that names the class (field = \"...\" in a recipe, --class-field otherwise; there are: {}) or the class of \
         every feature (class = \"...\" in a recipe)",
        shortened(&fields, 20)
    );
    DataError::Labels { path: path.to_path_buf(), problem }
}
