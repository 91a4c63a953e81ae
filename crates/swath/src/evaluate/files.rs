//! Evaluation of map files against label files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use swath_geo::{CogOptions, CogWriter, GeoError, Grid, PixelAreas, Samples, Scene, SceneSpec, Window};

use crate::classes::Class;
use crate::dataset::{FileLabels, LabelReader, LabelRules, LabelSource, is_vector};
use crate::metrics::BoundaryTolerance;
use crate::{Error, Result};

use super::preview::Preview;
use super::spec::{EvaluateSpec, MapAndLabels};
use super::{
    BoundaryDistance, Comparison, Counts, ErrorMapCoding, EvaluatedClass, Evaluation, Measures, SceneEvaluation,
};

/// An evaluation with small pictures of what was compared.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// The scores.
    pub evaluation: Evaluation,
    /// One for each pair.
    pub previews: Vec<Preview>,
}

/// Evaluates every pair by itself and all of them pooled. Memory is bounded by the width of the maps.
///
/// # Errors
/// When a file cannot be read, labels do not overlap their map or hold values that are no class (naming the values,
/// their number and the first position), nothing can be compared, or an error map cannot be written. Error maps appear
/// only when complete.
pub fn evaluate(spec: &EvaluateSpec) -> Result<Evaluated> {
    spec.check()?;
    let names: Vec<EvaluatedClass> =
        spec.classes.iter().map(|class| EvaluatedClass { name: class.name.clone(), color: class.color }).collect();
    let positive = spec.positive.or((names.len() == 2).then_some(1));
    let (mut scenes, mut previews, mut error_maps) = (Vec::new(), Vec::new(), Vec::new());
    let mut pooled: Option<Counts> = None;
    for pair in &spec.pairs {
        let (counts, preview, errors) = evaluate_pair(spec, pair, &names, positive)?;
        error_maps.extend(errors);
        match &mut pooled {
            Some(pooled) => pooled.merge(&counts),
            None => pooled = Some(counts.clone()),
        }
        scenes.push(SceneEvaluation {
            map: pair.map.display().to_string(),
            labels: pair.labels.display().to_string(),
            measures: Measures::new(counts, positive),
        });
        previews.push(preview);
    }
    // Only now: of an evaluation that fails nothing stays.
    error_maps.into_iter().try_for_each(CogWriter::finish)?;
    let pooled = pooled.unwrap_or_else(|| Comparison::new(names.len(), 0, None).finish());
    let pooled = Measures::new(pooled, positive);
    Ok(Evaluated { evaluation: Evaluation { classes: names, boundary: spec.boundary, pooled, scenes }, previews })
}

/// The unit that boundary distances have for some maps: metres, or pixels where no map has coordinates.
///
/// # Errors
/// When a map cannot be read, or some maps have coordinates and others have none.
pub fn boundary_distance(maps: &[PathBuf], distance: f64) -> Result<BoundaryDistance> {
    let mut metric = Vec::new();
    for map in maps {
        metric.push(Scene::open(&SceneSpec::labels(map))?.grid().gsd().is_some());
    }
    match (metric.iter().all(|&m| m), metric.iter().any(|&m| m)) {
        (true, _) => Ok(BoundaryDistance::Metres(distance)),
        (_, false) => Ok(BoundaryDistance::Pixels(distance)),
        _ => Err(options(
            "some maps have coordinates and others have none: evaluate them apart, or without boundary scores".into(),
        )),
    }
}

fn evaluate_pair(
    spec: &EvaluateSpec,
    pair: &MapAndLabels,
    names: &[EvaluatedClass],
    positive: Option<usize>,
) -> Result<(Counts, Preview, Option<CogWriter>)> {
    let grid = Scene::open(&SceneSpec::labels(&pair.map))?.grid().clone();
    let window = used_window(spec, &grid, &pair.map)?;
    let tolerance = spec.boundary.map(|distance| tolerance(distance, &grid, &pair.map)).transpose()?;
    let name = pair.map.display().to_string();
    let map_rules = map_rules(&spec.classes, &spec.map_values);
    let mut map = FileLabels::open_raster(&pair.map, &name, &grid, Arc::new(map_rules))?.reader()?;
    let scratch = std::env::temp_dir();
    let labels = if is_vector(&pair.labels) {
        FileLabels::open_vector(&pair.labels, &name, &grid, &spec.vector, &spec.classes, &scratch)?
    } else {
        let rules = LabelRules::new(&spec.classes, &spec.ignore, &[]);
        FileLabels::open_raster(&pair.labels, &name, &grid, Arc::new(rules))?
    };
    let mut labels = labels.reader()?;
    let mut errors = match &pair.error_map {
        Some(path) => Some(ErrorMap::create(path, &grid.crop(window), names, positive, spec.overwrite)?),
        None => None,
    };
    let areas = PixelAreas::new(&grid);
    let mut comparison = Comparison::new(names.len(), window.width, tolerance);
    let mut preview = Preview::new(window.width, window.height, PREVIEW_SIDE);
    each_strip(window, map.as_mut(), labels.as_mut(), |strip, reference, predicted| {
        let rows = reference.chunks(window.width).zip(predicted.chunks(window.width));
        for (row, (reference, predicted)) in (strip.row..).zip(rows) {
            let centre = window.col as f64 + window.width as f64 / 2.0;
            let pixel_m2 = areas
                .as_ref()
                .map(|areas| areas.at(centre, row as f64 + 0.5))
                // The row's middle lies beside what the projection shows.
                .map(|area| if area.is_nan() { 0.0 } else { area });
            comparison.push_row(reference, predicted, pixel_m2);
            preview.push_row((row - window.row) as usize, reference, predicted);
        }
        match &mut errors {
            Some(errors) => errors.write(strip.shifted(-window.col, -window.row), reference, predicted),
            None => Ok(()),
        }
    })?;
    let counts = comparison.finish();
    if counts.confusion.total() == 0 {
        let (mapped, labelled) = (counts.unlabelled, counts.unmapped);
        let (map, labels) = (pair.map.clone(), pair.labels.clone());
        return Err(Error::NothingToCompare { map, labels, mapped, labelled });
    }
    Ok((counts, preview, errors.map(|errors| errors.writer)))
}

/// Previews are at most this wide and high.
const PREVIEW_SIDE: usize = 1000;
/// Pixels that are compared together at most; rows of COG tiles where they fit.
const STRIP_PIXELS: usize = 4 << 20;
const STRIP_ROWS: usize = 512;

fn each_strip(
    window: Window,
    map: &mut dyn LabelReader,
    labels: &mut dyn LabelReader,
    mut compare: impl FnMut(Window, &[u16], &[u16]) -> std::result::Result<(), GeoError>,
) -> Result<()> {
    let rows = (STRIP_PIXELS / window.width.max(1)).clamp(1, STRIP_ROWS) as isize;
    let mut row = window.row;
    while row < window.row_end() {
        let height = rows.min(window.row_end() - row);
        let strip = Window::new(window.col, row, window.width, height as usize);
        let predicted = map.read(strip)?;
        let reference = labels.read(strip)?;
        compare(strip, &reference, &predicted)?;
        row += height;
    }
    Ok(())
}

fn used_window(spec: &EvaluateSpec, grid: &Grid, map: &Path) -> Result<Window> {
    let Some(wanted) = spec.window else { return Ok(grid.window()) };
    grid.window().intersect(&wanted).filter(|window| !window.is_empty()).ok_or_else(|| {
        let (width, height) = (grid.width, grid.height);
        options(format!("{wanted} lies outside {}, which has {width}x{height} pixels", map.display()))
    })
}

fn tolerance(distance: BoundaryDistance, grid: &Grid, map: &Path) -> Result<BoundaryTolerance> {
    match distance {
        BoundaryDistance::Pixels(pixels) => Ok(BoundaryTolerance::pixels(pixels)),
        BoundaryDistance::Metres(metres) => match grid.gsd() {
            Some(pixel) => Ok(BoundaryTolerance { distance: metres, pixel }),
            None => Err(options(format!("{} has no coordinates: give the boundary distance in pixels", map.display()))),
        },
    }
}

pub(super) fn options(problem: String) -> Error {
    Error::EvaluateOptions { problem }
}

/// How the values of a map become class ids. Its colour table may repeat colours and says nothing.
fn map_rules(classes: &[Class], values: &[i64]) -> LabelRules {
    let named = |(class, &value): (&Class, &i64)| Class { values: vec![value], colors: Vec::new(), ..class.clone() };
    let classes: Vec<Class> = classes.iter().zip(values).map(named).collect();
    LabelRules::new(&classes, &[], &[])
}

/// An error map in the making.
struct ErrorMap {
    writer: CogWriter,
    coding: ErrorMapCoding,
}

impl ErrorMap {
    fn create(
        path: &Path,
        grid: &Grid,
        names: &[EvaluatedClass],
        positive: Option<usize>,
        overwrite: bool,
    ) -> Result<Self> {
        let coding = ErrorMapCoding::new(names, positive)
            .ok_or_else(|| options(format!("an error map holds at most 254 classes, these are {}", names.len())))?;
        let entries: Vec<_> = (0u32..)
            .zip(&coding.legend)
            .map(|(value, entry)| swath_geo::ClassEntry { value, name: entry.name.clone(), color: entry.color })
            .collect();
        let options =
            CogOptions { overwrite, ..CogOptions::labels(&entries, Some(u32::from(ErrorMapCoding::NOT_COMPARED))) };
        Ok(Self { writer: CogWriter::create(path, grid, &options)?, coding })
    }

    fn write(&mut self, window: Window, reference: &[u16], predicted: &[u16]) -> std::result::Result<(), GeoError> {
        let codes: Vec<u8> = reference.iter().zip(predicted).map(|(&r, &p)| self.coding.code(r, p)).collect();
        self.writer.write(window, 0, Samples::U8(&codes))
    }
}
