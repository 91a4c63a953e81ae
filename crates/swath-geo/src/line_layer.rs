//! Layers of centre lines with their class, length and width.

use std::path::Path;

use gdal_sys::OGRwkbGeometryType;
use serde::Serialize;

use crate::feature_sink::{Cell, Column, Kind, begin_wkb, touches_edge};
use crate::gdal_setup::{init, take_messages};
use crate::outline::Ruler;
use crate::vector_file::{LayerPlan, VectorFile};
use crate::{GeoError, Grid, KnownClasses, Result};

/// What a layer of lines is made for.
#[derive(Debug)]
pub struct LineLayer<'a> {
    /// The grid of whose pixels the lines are told.
    pub grid: &'a Grid,
    /// Names and colours.
    pub classes: KnownClasses,
    /// Columns that have the same text in every feature: name and text.
    pub constants: Vec<(&'static str, String)>,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// The middle of something long and thin.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFeature {
    /// Class value.
    pub class: u32,
    /// (column, row) from one end to the other.
    pub points: Vec<(f64, f64)>,
    /// From edge to edge, in sides of a square with a pixel's area.
    pub width: f64,
    /// Whether it comes to the edge of the raster.
    pub touches_edge: bool,
}

/// What was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LineSummary {
    /// Lines.
    pub lines: u64,
    /// Their length in metres on the ellipsoid (pixels without georeference).
    pub length_m: f64,
    /// Classes that were asked for and that no pixel has, for whoever reads the pixels to fill in.
    pub absent: Vec<u32>,
}

/// Writes a file with one layer of lines; formats are those of [`crate::write_polygons`]. Attributes are `class_id`, `class`, `length_m` on the
/// ellipsoid, `width_m`, `touches_edge` (`touch_edge` in shapefiles) and the layer's constants; without georeference `length_px` and `width_px`.
///
/// # Errors
/// When the output exists and `overwrite` is off, or cannot be written.
pub fn write_lines(out: &Path, layer: &LineLayer<'_>, lines: &[LineFeature]) -> Result<LineSummary> {
    init();
    let file = VectorFile::create(out, layer.overwrite)?;
    let ruler = Ruler::new(layer.grid);
    let [length, width] = if ruler.is_metric() { ["length_m", "width_m"] } else { ["length_px", "width_px"] };
    let mut columns = vec![
        Column::new("class_id", Kind::Integer),
        Column::new("class", Kind::Text),
        Column::new(length, Kind::Real),
        Column::new(width, Kind::Real),
        Column::new(touches_edge(file.name_limit()), Kind::Flag),
    ];
    columns.extend(layer.constants.iter().map(|(name, _)| Column::new(name, Kind::Text)));
    let plan = LayerPlan {
        crs: layer.grid.crs.as_ref(),
        geometry: OGRwkbGeometryType::wkbLineString,
        columns,
        ordered: false,
    };
    file.write_layer(&plan, |sink| {
        let (mut summary, mut wkb) = (LineSummary::default(), Vec::new());
        let mut classes = layer.classes.declared().to_vec();
        for line in lines {
            let class = layer.classes.entry(line.class);
            let length: f64 = line.points.windows(2).map(|pair| ruler.length(pair[0], pair[1])).sum();
            let (col, row) = line.points[line.points.len() / 2];
            let millis = |value: f64| Cell::Real((value * 1e3).round() / 1e3);
            let mut cells = vec![
                Cell::Whole(i64::from(line.class)),
                Cell::Text(&class.name),
                millis(length),
                millis(line.width * ruler.pixel(col, row).sqrt()),
                Cell::Whole(i64::from(line.touches_edge)),
            ];
            cells.extend(layer.constants.iter().map(|(_, text)| Cell::Text(text)));
            wkb.clear();
            begin_wkb(OGRwkbGeometryType::wkbLineString, &mut wkb);
            wkb.extend((line.points.len() as u32).to_le_bytes());
            for &(col, row) in &line.points {
                let (x, y) = layer.grid.pixel_to_world(col, row);
                wkb.extend(x.to_le_bytes());
                wkb.extend(y.to_le_bytes());
            }
            let added = sink.add(&cells, &wkb);
            added.map_err(|error| GeoError::write(out, take_messages(&error.to_string())))?;
            summary.lines += 1;
            summary.length_m += length;
            if !classes.iter().any(|known| known.value == class.value) {
                classes.push(class);
            }
        }
        Ok((summary, classes))
    })
}
