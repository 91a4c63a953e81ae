//! Layers of polygons with their class and their measures.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use gdal::Dataset;
use gdal::vector::{Feature, Layer, LayerAccess};
use gdal_sys::{OGRErr, OGRFieldType, OGRwkbGeometryType};
use serde::Serialize;

use crate::gdal_setup::{init, take_messages};
use crate::outline::Ruler;
use crate::style::write_styles;
use crate::vector_file::{VectorFile, VectorFormat};
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
    /// Features smaller than this are left out, in square metres (pixels without georeference).
    pub min_area_m2: f64,
    /// Whether features have a status.
    pub status: bool,
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
    /// Their outline.
    pub outline: Outline,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct VectorizeSummary {
    /// Features written.
    pub polygons: u64,
    /// Features left out as too small.
    pub dropped: u64,
    /// Per class that occurs, by ascending value.
    pub classes: Vec<ClassPolygons>,
}

/// Features of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassPolygons {
    /// Pixel value.
    pub value: u32,
    /// Name.
    pub name: String,
    /// Features written.
    pub polygons: u64,
    /// Their area in square metres on the ellipsoid (pixels without georeference).
    pub area_m2: f64,
}

/// Writes a file with one layer of polygons, which `fill` adds.
///
/// The extension of `out` names the format: `.gpkg` (with styles, so that QGIS opens it coloured), `.fgb`, `.geojson`
/// (RFC 7946: WGS 84) or `.shp`. Attributes are `class_id`, `class`, `area_m2`, `perimeter_m` (`perim_m` in shapefiles), `n_pixels` and
/// `touches_edge` (`touch_edge`), and `status` where the layer has one; without georeference `area_px` and `perim_px`.
///
/// # Errors
/// When the output exists and `overwrite` is off or cannot be written, and what `fill` returns.
pub fn write_polygons<E: From<GeoError>>(
    out: &Path,
    layer: PolygonLayer<'_>,
    fill: impl FnOnce(&mut PolygonWriter<'_>) -> std::result::Result<(), E>,
) -> std::result::Result<VectorizeSummary, E> {
    init();
    let format = VectorFormat::of(out)?;
    let file = VectorFile::create(out, layer.overwrite)?;
    let layer_name = file.layer_name();
    let folder = file.scratch().folder().to_path_buf();
    let geometry =
        if layer.multipolygons { OGRwkbGeometryType::wkbMultiPolygon } else { OGRwkbGeometryType::wkbPolygon };
    let crs = layer.grid.crs.clone();
    file.write_layer(crs.as_ref(), geometry, |dataset: &mut Dataset| {
        let mut writer = PolygonWriter::new(dataset, out, &folder, format, layer)?;
        fill(&mut writer)?;
        let (summary, classes) = writer.end();
        if format.styles {
            write_styles(dataset, out, &layer_name, &classes)?;
        }
        Ok(summary)
    })
}

/// Adds features to a layer.
pub struct PolygonWriter<'a> {
    target: Layer<'a>,
    out: &'a Path,
    folder: &'a Path,
    layer: PolygonLayer<'a>,
    ruler: Ruler,
    fields: Fields,
    /// Every class that occurs: its name, features and area.
    totals: HashMap<u32, ClassPolygons>,
    dropped: u64,
    wkb: Vec<u8>,
}

impl<'a> PolygonWriter<'a> {
    fn new(
        dataset: &'a Dataset,
        out: &'a Path,
        folder: &'a Path,
        format: &VectorFormat,
        layer: PolygonLayer<'a>,
    ) -> Result<PolygonWriter<'a>> {
        let target = dataset.layer(0).map_err(|error| GeoError::write(out, take_messages(&error.to_string())))?;
        let ruler = Ruler::new(layer.grid);
        let fields = Fields::create(&target, format, ruler.is_metric(), layer.status)
            .map_err(|error| GeoError::write(out, take_messages(&error.to_string())))?;
        Ok(PolygonWriter {
            target,
            out,
            folder,
            layer,
            ruler,
            fields,
            totals: HashMap::new(),
            dropped: 0,
            wkb: Vec::new(),
        })
    }

    /// A folder for temporary files; it goes when the output is finished.
    pub fn scratch(&self) -> &Path {
        self.folder
    }

    /// Adds a feature, unless it is too small.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn add(&mut self, feature: &PolygonFeature) -> Result<()> {
        let area = self.ruler.area(&feature.outline);
        if area < self.layer.min_area_m2 {
            self.dropped += 1;
            return Ok(());
        }
        let perimeter = self.ruler.perimeter(&feature.outline);
        let PolygonFeature { class: value, .. } = *feature;
        let total = self.totals.entry(value).or_insert_with(|| {
            let name = self.layer.classes.entry(value).name;
            ClassPolygons { value, name, polygons: 0, area_m2: 0.0 }
        });
        self.layer.to_wkb(&feature.outline, &mut self.wkb);
        let stored = self.fields.store(&self.target, feature, &total.name, [area, perimeter], &self.wkb);
        stored.map_err(|error| GeoError::write(self.out, take_messages(&error.to_string())))?;
        total.polygons += 1;
        total.area_m2 += area;
        Ok(())
    }

    /// The summary, and the classes that were declared or occur.
    fn end(self) -> (VectorizeSummary, Vec<ClassEntry>) {
        let totals: BTreeMap<u32, ClassPolygons> = self.totals.into_iter().collect();
        let mut classes = self.layer.classes.declared().to_vec();
        let known: std::collections::HashSet<u32> = classes.iter().map(|class| class.value).collect();
        classes
            .extend(totals.keys().filter(|value| !known.contains(value)).map(|&value| self.layer.classes.entry(value)));
        let classes_found: Vec<ClassPolygons> = totals.into_values().collect();
        let polygons = classes_found.iter().map(|class| class.polygons).sum();
        (VectorizeSummary { polygons, dropped: self.dropped, classes: classes_found }, classes)
    }
}

impl PolygonLayer<'_> {
    /// An outline in world coordinates, as well-known binary.
    fn to_wkb(&self, outline: &Outline, wkb: &mut Vec<u8>) {
        wkb.clear();
        let mut polygons = 0u32;
        if self.multipolygons {
            wkb.push(1);
            wkb.extend(OGRwkbGeometryType::wkbMultiPolygon.to_le_bytes());
            wkb.extend(0u32.to_le_bytes());
        }
        let mut count_at = 0;
        let mut rings = 0u32;
        for (outer, ring) in outline.rings() {
            if outer {
                polygons += 1;
                rings = 0;
                wkb.push(1);
                wkb.extend(OGRwkbGeometryType::wkbPolygon.to_le_bytes());
                count_at = wkb.len();
                wkb.extend(0u32.to_le_bytes());
            }
            rings += 1;
            wkb[count_at..count_at + 4].copy_from_slice(&rings.to_le_bytes());
            wkb.extend((ring.len() as u32).to_le_bytes());
            for &(col, row) in ring {
                let (x, y) = self.grid.pixel_to_world(col, row);
                wkb.extend(x.to_le_bytes());
                wkb.extend(y.to_le_bytes());
            }
        }
        if self.multipolygons {
            wkb[5..9].copy_from_slice(&polygons.to_le_bytes());
        }
    }
}

/// Indices of the attributes.
struct Fields {
    class_id: usize,
    class: usize,
    measures: [usize; 2],
    pixels: usize,
    touches_edge: usize,
    status: Option<usize>,
}

impl Fields {
    fn create(layer: &Layer<'_>, format: &VectorFormat, metric: bool, status: bool) -> gdal::errors::Result<Fields> {
        let short = format.name_limit < "touches_edge".len();
        let (area, perimeter) = match (metric, short) {
            (true, false) => ("area_m2", "perimeter_m"),
            (true, true) => ("area_m2", "perim_m"),
            (false, _) => ("area_px", "perim_px"),
        };
        let edge = if short { "touch_edge" } else { "touches_edge" };
        layer.create_defn_fields(&[
            ("class_id", OGRFieldType::OFTInteger),
            ("class", OGRFieldType::OFTString),
            (area, OGRFieldType::OFTReal),
            (perimeter, OGRFieldType::OFTReal),
            ("n_pixels", OGRFieldType::OFTInteger64),
            (edge, OGRFieldType::OFTInteger),
        ])?;
        if status {
            layer.create_defn_fields(&[("status", OGRFieldType::OFTString)])?;
        }
        // Drivers may number fields differently from the order of their creation, so ask.
        let index = |name: &str| layer.defn().field_index(name);
        Ok(Fields {
            class_id: index("class_id")?,
            class: index("class")?,
            measures: [index(area)?, index(perimeter)?],
            pixels: index("n_pixels")?,
            touches_edge: index(edge)?,
            status: status.then(|| index("status")).transpose()?,
        })
    }

    fn store(
        &self,
        layer: &Layer<'_>,
        shape: &PolygonFeature,
        class: &str,
        measures: [f64; 2],
        wkb: &[u8],
    ) -> gdal::errors::Result<()> {
        let mut feature = Feature::new(layer.defn())?;
        feature.set_field_integer(self.class_id, shape.class as i32)?;
        feature.set_field_string(self.class, class)?;
        for (field, measure) in self.measures.into_iter().zip(measures) {
            feature.set_field_double(field, millis(measure))?;
        }
        feature.set_field_integer64(self.pixels, shape.pixels as i64)?;
        feature.set_field_integer(self.touches_edge, i32::from(shape.touches_edge))?;
        if let Some(status) = self.status {
            feature.set_field_string(status, shape.status)?;
        }
        let mut geometry = std::ptr::null_mut();
        // SAFETY: the text of bytes is as long as said; the feature takes the geometry over, which nobody else holds.
        let result = unsafe {
            let made = gdal_sys::OGR_G_CreateFromWkb(
                wkb.as_ptr().cast(),
                std::ptr::null_mut(),
                &mut geometry,
                wkb.len() as i32,
            );
            if made == OGRErr::OGRERR_NONE {
                gdal_sys::OGR_F_SetGeometryDirectly(feature.c_feature(), geometry)
            } else {
                made
            }
        };
        if result != OGRErr::OGRERR_NONE {
            return Err(gdal::errors::GdalError::OgrError { err: result, method_name: "OGR_F_SetGeometryDirectly" });
        }
        feature.create(layer)
    }
}

/// Square millimetres say nothing and fill files.
fn millis(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
