//! Layers of polygons with their class and their measures.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use gdal_sys::OGRwkbGeometryType;
use serde::Serialize;

use crate::feature_sink::{Cell, Column, FeatureSink, Kind, begin_wkb, touches_edge};
use crate::gdal_setup::{init, take_messages};
use crate::merge::{Merged, Parts};
use crate::outline::Ruler;
use crate::vector_file::{LayerPlan, VectorFile};
use crate::{ClassEntry, GeoError, Grid, KnownClasses, Outline, Result};

/// What a layer of polygons is made for.
#[derive(Debug)]
pub struct PolygonLayer<'a> {
    /// The grid of whose pixels the outlines are told.
    pub grid: &'a Grid,
    /// Names and colours.
    pub classes: KnownClasses,
    /// Whether a feature may be several polygons.
    pub multipolygons: bool,
    /// Whether all polygons of a class become one feature, at the end; see [`PolygonWriter::add_merged`].
    pub merge: bool,
    /// Features smaller than this are left out, in square metres (pixels without georeference).
    pub min_area_m2: f64,
    /// Whether features have a status.
    pub status: bool,
    /// Whether features have a confidence.
    pub confidence: bool,
    /// Columns that have the same text in every feature: name and text.
    pub constants: Vec<(&'static str, String)>,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// Pixels of one class that become one feature.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolygonFeature {
    /// Class value.
    pub class: u32,
    /// How many pixels.
    pub pixels: u64,
    /// Whether one of them lies at the edge of the map.
    pub touches_edge: bool,
    /// What became of their outline, for layers with a status.
    pub status: &'static str,
    /// How sure the class is, for layers with a confidence.
    pub confidence: Option<Confidence>,
    /// Their outline.
    pub outline: Outline,
}

/// Confidence of the pixels of a feature, between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// Mean.
    pub mean: f64,
    /// What a tenth of the pixels does not exceed.
    pub p10: f64,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct VectorizeSummary {
    /// Polygons written, each a feature, or all of a class one where they are merged.
    pub polygons: u64,
    /// Polygons left out as too small.
    pub dropped: u64,
    /// Per class that occurs, by ascending value.
    pub classes: Vec<ClassPolygons>,
    /// Classes that were asked for and that no pixel has, for whoever reads the pixels to fill in.
    pub absent: Vec<u32>,
}

/// Polygons of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassPolygons {
    /// Pixel value.
    pub value: u32,
    /// Name.
    pub name: String,
    /// Polygons written.
    pub polygons: u64,
    /// Their area in square metres on the ellipsoid (pixels without georeference), as far as it is known.
    pub area_m2: f64,
}

/// Writes a file with one layer of polygons, which `fill` adds.
///
/// The extension of `out` names the format: `.gpkg` (with styles, so that QGIS opens it coloured), `.fgb`, `.geojson`
/// (RFC 7946: WGS 84, cut at the antimeridian), `.parquet` (GeoParquet 1.1) or `.shp`. Attributes are `class_id`, `class`, `area_m2`, `perimeter_m` (`perim_m` in
/// shapefiles), `n_pixels` and `touches_edge` (`touch_edge`), and those that the layer asks for: `status`, `conf_mean` and `conf_p10`,
/// its constants, `n_polygons` (`n_polys`) where polygons are merged; without georeference `area_px` and `perim_px`. GeoParquet and GeoJSON number
/// features by `id`, as GeoPackage does by `fid`. Areas and perimeters are empty for what lies beside what the projection shows. Outer rings run
/// counterclockwise, in shapefiles clockwise.
///
/// # Errors
/// When the output exists and `overwrite` is off or cannot be written, for GeoJSON of a grid without CRS or of places that have no longitude and
/// latitude, and what `fill` returns.
pub fn write_polygons<E: From<GeoError>>(
    out: &Path,
    layer: PolygonLayer<'_>,
    fill: impl FnOnce(&mut PolygonWriter<'_, '_>) -> std::result::Result<(), E>,
) -> std::result::Result<VectorizeSummary, E> {
    init();
    let file = VectorFile::create(out, layer.overwrite)?;
    let folder = file.scratch().folder().to_path_buf();
    let geometry = if layer.multipolygons || layer.merge {
        OGRwkbGeometryType::wkbMultiPolygon
    } else {
        OGRwkbGeometryType::wkbPolygon
    };
    let ruler = Ruler::new(layer.grid);
    let crs = layer.grid.crs.clone();
    let columns = columns(&layer, ruler.is_metric(), file.name_limit());
    file.write_layer(&LayerPlan { crs: crs.as_ref(), geometry, columns, ordered: false }, |sink| {
        let merged = if layer.merge { Some(Merged::new(&folder)?) } else { None };
        let mut writer = PolygonWriter {
            sink,
            out,
            folder,
            // Seen from above, rings run the other way where the grid mirrors the ground.
            mirrored: layer.grid.transform.determinant() > 0.0,
            layer,
            ruler,
            merged,
            totals: HashMap::new(),
            dropped: 0,
            wkb: Vec::new(),
        };
        fill(&mut writer)?;
        Ok(writer.end())
    })
}

fn columns(layer: &PolygonLayer<'_>, metric: bool, name_limit: usize) -> Vec<Column> {
    let short = name_limit < "perimeter_m".len();
    let (area, perimeter) = match (metric, short) {
        (true, false) => ("area_m2", "perimeter_m"),
        (true, true) => ("area_m2", "perim_m"),
        (false, _) => ("area_px", "perim_px"),
    };
    let mut columns = vec![
        Column::new("class_id", Kind::Integer),
        Column::new("class", Kind::Text),
        Column::new(area, Kind::Real),
        Column::new(perimeter, Kind::Real),
        Column::new("n_pixels", Kind::Long),
        Column::new(touches_edge(name_limit), Kind::Flag),
    ];
    if layer.merge {
        columns.push(Column::new(if short { "n_polys" } else { "n_polygons" }, Kind::Long));
    }
    if layer.status {
        columns.push(Column::new("status", Kind::Text));
    }
    if layer.confidence {
        columns.extend(["conf_mean", "conf_p10"].map(|name| Column::new(name, Kind::Real)));
    }
    columns.extend(layer.constants.iter().map(|(name, _)| Column::new(name, Kind::Text)));
    columns
}

/// Adds features to a layer.
pub struct PolygonWriter<'a, 'b> {
    sink: &'a mut FeatureSink<'b>,
    out: &'a Path,
    folder: PathBuf,
    layer: PolygonLayer<'a>,
    mirrored: bool,
    ruler: Ruler,
    merged: Option<Merged>,
    /// Every class that occurs: its name, polygons and area.
    totals: HashMap<u32, ClassPolygons>,
    dropped: u64,
    wkb: Vec<u8>,
}

impl PolygonWriter<'_, '_> {
    /// A folder for temporary files; it goes when the output is finished.
    pub fn scratch(&self) -> &Path {
        &self.folder
    }

    /// Refuses an outline that has grown too large for a feature; [`PolygonWriter::add`] does so, too, but then all of it is in memory.
    ///
    /// # Errors
    /// When it takes more than 2 GB.
    pub fn check_size(&self, feature: &PolygonFeature) -> Result<()> {
        if feature.outline.wkb_bytes() <= LARGEST {
            return Ok(());
        }
        let name = self.layer.classes.entry(feature.class).name;
        let problem = format!(
            "a polygon of class {name:?} takes more than 2 GB, which fits into no feature; clean the map first, or leave \
             out --eight-connected"
        );
        Err(GeoError::write(self.out, problem))
    }

    /// Adds a feature, unless it is too small, and says whether it did. Where polygons are merged it waits for the others of its class.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn add(&mut self, feature: &PolygonFeature) -> Result<bool> {
        self.check_size(feature)?;
        let area = self.ruler.area(&feature.outline);
        if area < self.layer.min_area_m2 {
            self.dropped += 1;
            return Ok(false);
        }
        let parts = Parts {
            area,
            perimeter: self.ruler.perimeter(&feature.outline),
            pixels: feature.pixels,
            touches_edge: feature.touches_edge,
            polygons: feature.outline.polygons() as u64,
        };
        let total = self.totals.entry(feature.class).or_insert_with(|| {
            let name = self.layer.classes.entry(feature.class).name;
            ClassPolygons { value: feature.class, name, polygons: 0, area_m2: 0.0 }
        });
        total.polygons += 1;
        total.area_m2 += if area.is_nan() { 0.0 } else { area };
        self.wkb.clear();
        self.wkb.reserve_exact(MULTIPOLYGON + feature.outline.wkb_bytes());
        if self.layer.multipolygons && self.merged.is_none() {
            begin_multipolygon(parts.polygons as u32, &mut self.wkb);
        }
        let begun = self.wkb.len();
        polygons_to_wkb(self.layer.grid, &feature.outline, self.mirrored, &mut self.wkb);
        debug_assert_eq!(self.wkb.len() - begun, feature.outline.wkb_bytes(), "the size is known before");
        match &mut self.merged {
            Some(merged) => merged.add(feature.class, &parts, &self.wkb)?,
            None => self.store(feature.class, &parts, feature.status, feature.confidence)?,
        }
        Ok(true)
    }

    /// Adds one feature for each class, of all polygons that were added, with the confidence that `confidence` knows of the class. Does
    /// nothing where polygons are not merged.
    ///
    /// # Errors
    /// When one cannot be stored, or is larger than 2 GB.
    pub fn add_merged(&mut self, confidence: impl Fn(u32) -> Option<Confidence>) -> Result<()> {
        let Some(mut merged) = self.merged.take() else { return Ok(()) };
        for class in merged.classes() {
            self.wkb.clear();
            begin_multipolygon(0, &mut self.wkb);
            let parts = merged.read(class, &mut self.wkb)?;
            let count = u32::try_from(parts.polygons).unwrap_or(u32::MAX);
            self.wkb[COUNT..COUNT + 4].copy_from_slice(&count.to_le_bytes());
            self.store(class, &parts, "", confidence(class))?;
        }
        Ok(())
    }

    /// Stores a feature whose geometry is in `self.wkb`.
    fn store(&mut self, class: u32, parts: &Parts, status: &str, confidence: Option<Confidence>) -> Result<()> {
        let real = |value: Option<f64>, digits: f64| {
            let known = value.filter(|value| !value.is_nan());
            known.map_or(Cell::Missing, |value| Cell::Real((value * digits).round() / digits))
        };
        let name = self.totals.get(&class).map_or("", |total| total.name.as_str());
        let mut cells = vec![
            Cell::Whole(i64::from(class)),
            Cell::Text(name),
            // Square millimetres say nothing and fill files.
            real(Some(parts.area), 1e3),
            real(Some(parts.perimeter), 1e3),
            Cell::Whole(parts.pixels as i64),
            Cell::Whole(i64::from(parts.touches_edge)),
        ];
        if self.layer.merge {
            cells.push(Cell::Whole(parts.polygons as i64));
        }
        if self.layer.status {
            cells.push(Cell::Text(status));
        }
        if self.layer.confidence {
            cells.extend([real(confidence.map(|c| c.mean), 1e4), real(confidence.map(|c| c.p10), 1e4)]);
        }
        cells.extend(self.layer.constants.iter().map(|(_, text)| Cell::Text(text)));
        let stored = self.sink.add(&cells, &self.wkb);
        stored.map_err(|error| GeoError::write(self.out, take_messages(&error.to_string())))
    }

    /// The summary, and the classes that were declared or occur.
    fn end(self) -> (VectorizeSummary, Vec<ClassEntry>) {
        let totals: BTreeMap<u32, ClassPolygons> = self.totals.into_iter().collect();
        let mut classes = self.layer.classes.declared().to_vec();
        let known: HashSet<u32> = classes.iter().map(|class| class.value).collect();
        classes
            .extend(totals.keys().filter(|value| !known.contains(value)).map(|&value| self.layer.classes.entry(value)));
        let classes_found: Vec<ClassPolygons> = totals.into_values().collect();
        let polygons = classes_found.iter().map(|class| class.polygons).sum();
        (VectorizeSummary { polygons, dropped: self.dropped, classes: classes_found, absent: Vec::new() }, classes)
    }
}

/// Where the number of parts stands in well-known binary.
const COUNT: usize = 5;
/// Bytes with which well-known binary of several polygons begins.
const MULTIPOLYGON: usize = 9;
/// Bytes of well-known binary that GDAL takes at most.
const LARGEST: usize = i32::MAX as usize - MULTIPOLYGON;

fn begin_multipolygon(polygons: u32, wkb: &mut Vec<u8>) {
    begin_wkb(OGRwkbGeometryType::wkbMultiPolygon, wkb);
    wkb.extend(polygons.to_le_bytes());
}

/// Appends the polygons of an outline in world coordinates.
fn polygons_to_wkb(grid: &Grid, outline: &Outline, mirrored: bool, wkb: &mut Vec<u8>) {
    let (mut count_at, mut rings) = (0, 0u32);
    for (outer, ring) in outline.rings() {
        if outer {
            rings = 0;
            begin_wkb(OGRwkbGeometryType::wkbPolygon, wkb);
            count_at = wkb.len();
            wkb.extend(0u32.to_le_bytes());
        }
        rings += 1;
        wkb[count_at..count_at + 4].copy_from_slice(&rings.to_le_bytes());
        wkb.extend((ring.len() as u32).to_le_bytes());
        let mut add = |&(col, row): &(f64, f64)| {
            let (x, y) = grid.pixel_to_world(col, row);
            wkb.extend(x.to_le_bytes());
            wkb.extend(y.to_le_bytes());
        };
        if mirrored { ring.iter().rev().for_each(&mut add) } else { ring.iter().for_each(&mut add) }
    }
}
