//! Vectors into labels on a grid.
//!
//! Geometries are reprojected to the grid once and kept on disk; labels are burned strip by strip, so that memory is bounded
//! by the width of the grid. A pixel belongs to a polygon that covers its centre (GDAL's rule), or with `all_touched`
//! to every geometry that touches it. Where geometries overlap, the last in [`BurnOrder`] wins.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::canvas::burn_shapes;
use crate::gdal_setup::init;
use crate::scratch::check_target;
use crate::shapes::Shapes;
use crate::{Affine, ClassEntry, CogOptions, CogWriter, DType, GeoError, Grid, Raster, Result, Samples, Window};

/// Which features make a class.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BurnRule {
    /// Label value that is burned.
    pub class: u32,
    /// Attribute values of the features; empty for every feature that no other rule names.
    pub values: Vec<String>,
    /// Layer of the features; `None` for the layer of the specification.
    pub layer: Option<String>,
}

/// Which feature wins where several overlap: the last in this order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BurnOrder {
    /// As in the file, layer after layer in the order of the rules.
    #[default]
    File,
    /// By ascending class.
    ByClass,
    /// Large features first, so that small ones stay visible.
    ByArea,
    /// By ascending value of a field; numbers come after texts.
    ByField(String),
}

/// What is burned and how.
#[derive(Debug, Clone, PartialEq)]
pub struct RasterizeSpec {
    /// Vector file, anything that GDAL reads. Coordinates are reprojected to the grid's CRS; where the file or the grid
    /// has none, they are taken as the grid's.
    pub vector: PathBuf,
    /// Layer; `None` for the only one.
    pub layer: Option<String>,
    /// Attribute field that tells the class.
    pub field: Option<String>,
    /// Which features make which class. Without rules the field holds the label values themselves.
    pub rules: Vec<BurnRule>,
    /// Whether every pixel that a geometry touches is burned.
    pub all_touched: bool,
    /// Label of pixels that no feature covers; often the same as `ignore`.
    pub background: u32,
    /// Label of unlabelled pixels: outside the area of interest, and nodata of the file.
    pub ignore: u32,
    /// Vector file with the area of interest; pixels whose centre lies outside are unlabelled.
    pub aoi: Option<PathBuf>,
    /// Condition on the attributes in OGR SQL, such as `area > 100`.
    pub filter: Option<String>,
    /// What wins where features overlap.
    pub order: BurnOrder,
}

impl RasterizeSpec {
    /// Nothing but a file: no rules, everything else unlabelled as 255.
    pub fn new(vector: impl AsRef<Path>) -> RasterizeSpec {
        RasterizeSpec {
            vector: vector.as_ref().to_path_buf(),
            layer: None,
            field: None,
            rules: Vec::new(),
            all_touched: false,
            background: 255,
            ignore: 255,
            aoi: None,
            filter: None,
            order: BurnOrder::File,
        }
    }
}

/// What was burned.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RasterizeSummary {
    /// Pixels of each label value that occurs, background and ignore among them, by ascending value.
    pub pixels: Vec<(u32, u64)>,
    /// Features that touch the grid.
    pub burned: u64,
    /// Features with a class that lie outside the grid.
    pub outside: u64,
    /// Features that no rule names, or without geometry.
    pub skipped: u64,
}

/// Burns vectors into a label file (COG, 8 or 16 bit, nodata where unlabelled) on the grid `like`.
///
/// # Errors
/// When the output exists and `overwrite` is off, when a file, layer or field is missing (naming those that exist), when no
/// feature has a class, and when the vectors do not overlap the grid (naming both extents).
pub fn rasterize(
    spec: &RasterizeSpec,
    like: &Grid,
    out: &Path,
    classes: &[ClassEntry],
    overwrite: bool,
) -> Result<RasterizeSummary> {
    // Refuse before the vectors are read, which may take long.
    check_target(out, overwrite)?;
    let mut burner = LabelBurner::new(spec, like)?;
    let mut options = CogOptions { overwrite, ..CogOptions::labels(classes, Some(spec.ignore)) };
    if burner.shapes.largest().max(burner.background) > u16::from(u8::MAX) {
        options.dtype = DType::U16;
    }
    let mut writer = CogWriter::create(out, like, &options)?;
    let mut counts = vec![0u64; 1 << 16];
    let rows = (STRIP_PIXELS / like.width.max(1)).clamp(1, like.height.max(1));
    for row in (0..like.height).step_by(rows) {
        let window = Window::new(0, row as isize, like.width, rows.min(like.height - row));
        let labels = burner.burn(window)?;
        for &label in &labels.data {
            counts[usize::from(label)] += 1;
        }
        if options.dtype == DType::U8 {
            let bytes: Vec<u8> = labels.data.iter().map(|&label| label as u8).collect();
            writer.write(window, 0, Samples::U8(&bytes))?;
        } else {
            writer.write(window, 0, Samples::U16(&labels.data))?;
        }
    }
    writer.finish()?;
    let pixels = (0u32..).zip(counts).filter(|&(_, count)| count > 0).collect();
    let shapes = &burner.shapes;
    Ok(RasterizeSummary {
        pixels,
        burned: shapes.matched - shapes.outside,
        outside: shapes.outside,
        skipped: shapes.skipped,
    })
}

/// Burns any window of a grid: labels of a vector file without a label file.
#[derive(Debug)]
pub struct LabelBurner {
    grid: Grid,
    to_pixels: Affine,
    shapes: Shapes,
    aoi: Option<Shapes>,
    all_touched: bool,
    background: u16,
    ignore: u16,
}

impl LabelBurner {
    /// Reads and reprojects the geometries of a specification.
    ///
    /// # Errors
    /// As [`rasterize`], but for the output.
    pub fn new(spec: &RasterizeSpec, grid: &Grid) -> Result<LabelBurner> {
        init();
        let value = |value: u32| {
            let problem = || GeoError::Argument(format!("label value {value} is beyond 65535"));
            u16::try_from(value).map_err(|_| problem())
        };
        for rule in &spec.rules {
            value(rule.class)?;
        }
        let shapes = Shapes::read(spec, grid)?;
        let aoi = spec.aoi.as_deref().map(|path| Shapes::read_all(path, grid)).transpose()?;
        // `Shapes::read` has refused grids without an inverse.
        let to_pixels = grid.transform.inverse().unwrap_or(Affine::IDENTITY);
        Ok(LabelBurner {
            grid: grid.clone(),
            to_pixels,
            shapes,
            aoi,
            all_touched: spec.all_touched,
            background: value(spec.background)?,
            ignore: value(spec.ignore)?,
        })
    }

    /// The labels of a window, one band. Pixels beyond the grid are unlabelled. The labels of a pixel do not depend on
    /// the window that it is asked for with.
    ///
    /// # Errors
    /// When memory for the window or the geometries on disk cannot be had.
    pub fn burn(&mut self, window: Window) -> Result<Raster<u16>> {
        let mut labels = Raster::filled(1, window.height, window.width, self.ignore);
        let Some(inside) = self.grid.window().intersect(&window) else { return Ok(labels) };
        let burned = burn_shapes(&mut self.shapes, &self.to_pixels, inside, self.all_touched, self.background)?;
        let mask = match &mut self.aoi {
            Some(aoi) => Some(burn_shapes(aoi, &self.to_pixels, inside, false, 0)?),
            None => None,
        };
        let (left, top) = ((inside.col - window.col) as usize, (inside.row - window.row) as usize);
        for row in 0..inside.height {
            let start = (top + row) * window.width + left;
            let target = &mut labels.data[start..start + inside.width];
            let source = row * inside.width..(row + 1) * inside.width;
            match &mask {
                None => target.copy_from_slice(&burned[source]),
                Some(mask) => {
                    for ((to, &from), &wanted) in target.iter_mut().zip(&burned[source.clone()]).zip(&mask[source]) {
                        *to = if wanted == 0 { self.ignore } else { from };
                    }
                }
            }
        }
        Ok(labels)
    }
}

/// Pixels of one strip.
const STRIP_PIXELS: usize = 4 << 20;
