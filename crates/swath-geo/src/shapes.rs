//! Geometries on a grid, kept on disk: what burning needs to know of each stays in memory, the vertices do not.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use gdal::spatial_ref::CoordTransform;
use gdal::vector::{Geometry, Layer, LayerAccess};

use crate::burn_rules::{Chooser, Key, order_key, rules_by_layer};
use crate::gdal_setup::{clear_messages, take_messages};
use crate::rasterize::{BurnOrder, BurnRule, RasterizeSpec};
use crate::vector::{
    find_field, find_layer, geometry, has_geometry, layer_crs, listed, open_vector, reprojection, set_filter,
};
use crate::{Affine, GeoError, Grid, Result};

/// Geometries in the coordinates of a grid, in the order in which they are burned.
#[derive(Debug)]
pub(crate) struct Shapes {
    entries: Vec<Entry>,
    vertices: File,
    /// Features that match a rule and have a geometry.
    pub(crate) matched: u64,
    /// Of these, those that do not touch the grid.
    pub(crate) outside: u64,
    /// Features that no rule names, or that have no geometry.
    pub(crate) skipped: u64,
}

#[derive(Debug)]
struct Entry {
    value: u16,
    /// Pixel rows that the geometry may touch.
    rows: (f64, f64),
    cols: (f64, f64),
    offset: u64,
    length: usize,
    key: Key,
}

impl Shapes {
    /// Reads the features that a specification names.
    pub(crate) fn read(spec: &RasterizeSpec, grid: &Grid) -> Result<Shapes> {
        let mut collector = Collector::new(&spec.vector, grid)?;
        for (layer, rules) in rules_by_layer(spec)? {
            collector.add_layer(spec, layer, &rules)?;
        }
        collector.finish(&spec.order)
    }

    /// Reads all features of a file, for a mask.
    pub(crate) fn read_all(path: &Path, grid: &Grid) -> Result<Shapes> {
        let spec =
            RasterizeSpec { rules: vec![BurnRule { class: 1, ..BurnRule::default() }], ..RasterizeSpec::new(path) };
        let mut collector = Collector::new(path, grid)?;
        let dataset = open_vector(path)?;
        for layer in dataset.layers().filter(has_geometry) {
            collector.add_layer(&spec, Some(&layer.name()), &[&spec.rules[0]])?;
        }
        collector.finish(&BurnOrder::File)
    }

    /// The largest label among them.
    pub(crate) fn largest(&self) -> u16 {
        self.entries.iter().map(|entry| entry.value).max().unwrap_or(0)
    }

    /// Hands the geometries that may touch some rows and columns to `burn`, in order, in portions of bounded size.
    pub(crate) fn for_each(
        &mut self,
        rows: (f64, f64),
        cols: (f64, f64),
        mut burn: impl FnMut(&[Geometry], &[f64]) -> Result<()>,
    ) -> Result<()> {
        let (mut geometries, mut values, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut wkb = Vec::new();
        let touching = |entry: &&Entry| overlap(entry.rows, rows) && overlap(entry.cols, cols);
        for entry in self.entries.iter().filter(touching) {
            wkb.resize(entry.length, 0);
            self.vertices
                .seek(SeekFrom::Start(entry.offset))
                .and_then(|_| self.vertices.read_exact(&mut wkb))
                .map_err(spill_failed)?;
            geometries.push(Geometry::from_wkb(&wkb).map_err(|error| spill_failed(std::io::Error::other(error)))?);
            values.push(f64::from(entry.value));
            bytes += entry.length;
            if bytes > PORTION_BYTES {
                burn(&geometries, &values)?;
                geometries.clear();
                values.clear();
                bytes = 0;
            }
        }
        if geometries.is_empty() { Ok(()) } else { burn(&geometries, &values) }
    }
}

/// Bytes of vertices that are in memory at once.
const PORTION_BYTES: usize = 8 << 20;
/// Attribute values that an error message may name.
const SEEN_VALUES: usize = 1000;

fn overlap(a: (f64, f64), b: (f64, f64)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

fn spill_failed(error: std::io::Error) -> GeoError {
    GeoError::io(std::env::temp_dir(), error)
}

struct Collector<'a> {
    path: &'a Path,
    grid: &'a Grid,
    to_pixels: Affine,
    entries: Vec<Entry>,
    vertices: BufWriter<File>,
    written: u64,
    matched: u64,
    outside: u64,
    skipped: u64,
    seen: BTreeSet<String>,
    /// Envelope of everything that matched, in the grid's CRS.
    bounds: [f64; 4],
}

impl<'a> Collector<'a> {
    fn new(path: &'a Path, grid: &'a Grid) -> Result<Collector<'a>> {
        let to_pixels = grid.transform.inverse().ok_or_else(|| {
            GeoError::Argument("the grid's transform is degenerate; nothing can be burned on it".into())
        })?;
        let vertices = BufWriter::new(tempfile::tempfile().map_err(spill_failed)?);
        Ok(Collector {
            path,
            grid,
            to_pixels,
            entries: Vec::new(),
            vertices,
            written: 0,
            matched: 0,
            outside: 0,
            skipped: 0,
            seen: BTreeSet::new(),
            bounds: [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY],
        })
    }

    fn add_layer(&mut self, spec: &RasterizeSpec, name: Option<&str>, rules: &[&BurnRule]) -> Result<()> {
        let dataset = open_vector(self.path)?;
        let mut layer = find_layer(&dataset, self.path, name)?;
        let needs_field = rules.is_empty() || rules.iter().any(|rule| !rule.values.is_empty());
        let field = match &spec.field {
            Some(field) if needs_field => Some(find_field(&layer, self.path, field)?),
            _ => None,
        };
        let order_field = match &spec.order {
            BurnOrder::ByField(field) => Some(find_field(&layer, self.path, field)?),
            _ => None,
        };
        set_filter(&mut layer, self.path, spec.filter.as_deref())?;
        let transform = self.transform_from(&layer)?;
        let chooser = Chooser::new(rules);
        clear_messages();
        for feature in layer.features() {
            let text = field.and_then(|index| feature.field_as_string(index).ok().flatten());
            if let Some(text) = &text
                && self.seen.len() < SEEN_VALUES
            {
                self.seen.insert(text.clone());
            }
            let value = chooser.choose(text.as_deref()).map_err(|problem| GeoError::input(self.path, problem))?;
            let geometry = geometry(&feature).filter(|geometry| !geometry.is_empty());
            match (value, geometry) {
                (Some(value), Some(geometry)) => {
                    let key = order_key(&spec.order, value, order_field, &feature);
                    self.add(value, key, geometry, transform.as_ref(), &spec.order)?;
                }
                _ => self.skipped += 1,
            }
        }
        // Reading that stops early (a damaged file) ends the loop like the last feature does.
        let complaint = take_messages("");
        if complaint.is_empty() { Ok(()) } else { Err(GeoError::input(self.path, complaint)) }
    }

    fn add(
        &mut self,
        value: u16,
        key: Key,
        geometry: &Geometry,
        transform: Option<&CoordTransform>,
        order: &BurnOrder,
    ) -> Result<()> {
        self.matched += 1;
        let moved = match transform {
            Some(transform) => geometry.transform(transform),
            None => Ok(geometry.clone()),
        };
        // Beyond the domain of the grid's projection is outside the grid.
        let Ok(moved) = moved else {
            clear_messages();
            self.outside += 1;
            return Ok(());
        };
        let envelope = moved.envelope();
        let [west, south, east, north] = self.bounds;
        self.bounds =
            [west.min(envelope.MinX), south.min(envelope.MinY), east.max(envelope.MaxX), north.max(envelope.MaxY)];
        let corners = [
            (envelope.MinX, envelope.MinY),
            (envelope.MaxX, envelope.MinY),
            (envelope.MinX, envelope.MaxY),
            (envelope.MaxX, envelope.MaxY),
        ]
        .map(|(x, y)| self.to_pixels.apply(x, y));
        let cols = range(corners.map(|corner| corner.0));
        let rows = range(corners.map(|corner| corner.1));
        if !overlap(cols, (0.0, self.grid.width as f64)) || !overlap(rows, (0.0, self.grid.height as f64)) {
            self.outside += 1;
            return Ok(());
        }
        let wkb = moved.wkb().map_err(|error| GeoError::input(self.path, error.to_string()))?;
        self.vertices.write_all(&wkb).map_err(spill_failed)?;
        let key = if matches!(order, BurnOrder::ByArea) { Key::Number(-moved.area()) } else { key };
        self.entries.push(Entry { value, rows, cols, offset: self.written, length: wkb.len(), key });
        self.written += wkb.len() as u64;
        Ok(())
    }

    /// From the layer's CRS to the grid's; where one of them is unknown, coordinates are taken as they are.
    fn transform_from(&self, layer: &Layer<'_>) -> Result<Option<CoordTransform>> {
        let (Some(from), Some(to)) = (layer_crs(layer), &self.grid.crs) else { return Ok(None) };
        if from.same(to) { Ok(None) } else { reprojection(self.path, &from, to).map(Some) }
    }

    fn finish(mut self, order: &BurnOrder) -> Result<Shapes> {
        if self.matched == 0 {
            let seen: Vec<String> = self.seen.into_iter().collect();
            let problem = match (self.skipped, seen.is_empty()) {
                (0, _) => "no feature is left to burn: the layer is empty or the filter takes none".to_owned(),
                (_, true) => format!("none of its {} features has a geometry and a class", self.skipped),
                (_, false) => {
                    format!("none of its {} features has a class; {}", self.skipped, listed("its values", "", &seen))
                }
            };
            return Err(GeoError::input(self.path, problem));
        }
        if self.entries.is_empty() {
            let crs = self.grid.crs.as_ref().map_or("pixels".to_owned(), |crs| crs.to_string());
            let problem = format!(
                "it does not overlap the grid: in {crs} its features cover {}, the grid {}",
                extent(self.bounds),
                extent(self.grid.bounds())
            );
            return Err(GeoError::input(self.path, problem));
        }
        if !matches!(order, BurnOrder::File) {
            // Stable: equal keys stay in file order.
            self.entries.sort_by(|a, b| a.key.compare(&b.key));
        }
        let vertices = self.vertices.into_inner().map_err(|error| spill_failed(error.into_error()))?;
        Ok(Shapes {
            entries: self.entries,
            vertices,
            matched: self.matched,
            outside: self.outside,
            skipped: self.skipped,
        })
    }
}

fn range(values: [f64; 4]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

fn extent([west, south, east, north]: [f64; 4]) -> String {
    format!("x {west:.6} to {east:.6}, y {south:.6} to {north:.6}")
}
