//! A stratified random sample of the pixels of a map.

use std::path::PathBuf;

use serde::Serialize;
use swath_geo::{ClassEntry, ClassMap, GeoError, Grid, NO_CLASS, PixelAreas, PointRow, Value, write_points};
use swath_vector::accuracy::{PlannedStratum, allocate, sample_size};

use super::columns;
use crate::area::{ClassTally, tally, without_area};
use crate::dataset::{Random, shuffled};
use crate::{Error, Result};

/// A sample to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct DesignSpec {
    /// The map; its classes are the strata.
    pub map: PathBuf,
    /// A value of the map that is no class, beside its nodata.
    pub ignore: Option<i64>,
    /// Points to write; the extension names the format.
    pub out: PathBuf,
    /// How many pixels.
    pub size: SampleSize,
    /// Pixels of every class at least, or all that it has. Not less than 2.
    pub floor: u64,
    /// Share of a class's pixels that the map is expected to have right, for classes that `expected` does not name.
    pub expected_default: f64,
    /// The same by name of the class.
    pub expected: Vec<(String, f64)>,
    /// Which of all possible samples. Of two sizes with one seed the larger sample holds the smaller.
    pub seed: u64,
    /// Whether an existing output is replaced.
    pub overwrite: bool,
}

/// How large a sample is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SampleSize {
    /// This many pixels.
    Total(u64),
    /// As many as give the overall accuracy this standard error, if the map is as good as expected.
    StandardError(f64),
}

/// What was drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DesignSummary {
    /// Points written.
    pub points: u64,
    /// Standard error that the overall accuracy will have if the map is as good as expected.
    pub expected_standard_error: f64,
    /// Where that is more than was asked for, since floors take points from large classes: the total that would do.
    pub points_for_target: Option<u64>,
    /// The strata, by ascending value.
    pub classes: Vec<PlannedClass>,
}

/// One stratum of a sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedClass {
    /// Pixel value.
    pub value: u32,
    /// Name of the class.
    pub name: String,
    /// Pixels of the map.
    pub pixels: u64,
    /// Their area in square metres on the ellipsoid, where the map has coordinates.
    pub area_m2: Option<f64>,
    /// Share of the map.
    pub share: f64,
    /// Share of it that the map is expected to have right.
    pub expected: f64,
    /// Points in it.
    pub points: u64,
}

/// Draws the sample and writes it. Every pixel of a class has the same chance, and none is drawn twice. The map is read twice;
/// memory is bounded by its width and the size of the sample.
///
/// # Errors
/// When the map cannot be read or has no classes, a class that `expected` names does not exist, the floors need more pixels than
/// the total allows, or the output exists and `overwrite` is off or cannot be written.
pub fn design(spec: &DesignSpec) -> Result<DesignSummary> {
    if spec.floor < LEAST_FLOOR {
        return Err(Error::AssessOptions {
            problem: format!(
                "a floor of {} says nothing of the spread in a class; give at least {LEAST_FLOOR}",
                spec.floor
            ),
        });
    }
    swath_geo::check_vector_target(&spec.out, spec.overwrite)?;
    let map = ClassMap::open(&spec.map)?.ignoring(spec.ignore);
    let found = tally(&map)?;
    if found.is_empty() {
        return Err(GeoError::input(&spec.map, "no pixel has a class; there is nothing to sample").into());
    }
    let mut classes = planned(spec, &map, &found)?;
    let strata: Vec<PlannedStratum> =
        classes.iter().map(|class| PlannedStratum { population: class.pixels, expected: class.expected }).collect();
    let populations: Vec<u64> = strata.iter().map(|stratum| stratum.population).collect();
    let total = match spec.size {
        SampleSize::Total(total) => total,
        SampleSize::StandardError(error) => {
            // Floors are kept whatever the standard error needs: the sample is then better than asked for.
            let floors = populations.iter().map(|&population| population.min(spec.floor)).sum();
            sample_size(&strata, error)?.max(floors)
        }
    };
    let allocated = |total: u64| allocate(&populations, total, spec.floor);
    for (class, points) in classes.iter_mut().zip(allocated(total)?) {
        class.points = points;
    }
    let expected_standard_error = expected_error(&classes);
    let points_for_target = match spec.size {
        SampleSize::StandardError(target) if expected_standard_error > target => {
            let mut more = classes.clone();
            least_total(total, populations.iter().sum(), |total| {
                more.iter_mut().zip(allocated(total)?).for_each(|(class, points)| class.points = points);
                Ok(expected_error(&more) <= target)
            })?
        }
        _ => None,
    };
    let points = draw(&map, &classes, spec.seed)?;
    let areas = PixelAreas::new(map.grid());
    if let Some(areas) = &areas
        && (classes.iter().any(|class| class.area_m2.is_none()) || points.iter().any(|point| point.area(areas) <= 0.0))
    {
        return Err(without_area(map.grid(), &spec.map));
    }
    let (columns, rows) = table(map.grid(), areas.as_ref(), &classes, &points, spec.seed);
    write_points(&spec.out, map.grid().crs.as_ref(), &columns, &rows, spec.overwrite)?;
    Ok(DesignSummary { points: points.len() as u64, expected_standard_error, points_for_target, classes })
}

/// The least total above `short` and up to `all` that is `enough`, if one is.
fn least_total(mut short: u64, all: u64, mut enough: impl FnMut(u64) -> Result<bool>) -> Result<Option<u64>> {
    if !enough(all)? {
        return Ok(None);
    }
    let mut reached = all;
    while short + 1 < reached {
        let middle = short + (reached - short) / 2;
        if enough(middle)? { reached = middle } else { short = middle }
    }
    Ok(Some(reached))
}

/// A variance needs two pixels.
const LEAST_FLOOR: u64 = 2;

/// The strata without their points.
fn planned(spec: &DesignSpec, map: &ClassMap, found: &[ClassTally]) -> Result<Vec<PlannedClass>> {
    let names = map.classes(&found.iter().map(|class| class.value).collect::<Vec<_>>())?;
    let weight = |class: &ClassTally| class.area_m2.unwrap_or(class.pixels as f64);
    let total: f64 = found.iter().map(weight).sum();
    let planned = |(class, named): (&ClassTally, ClassEntry)| PlannedClass {
        value: class.value,
        name: named.name,
        pixels: class.pixels,
        area_m2: class.area_m2,
        share: weight(class) / total,
        expected: spec.expected_default,
        points: 0,
    };
    let classes: Vec<PlannedClass> = found.iter().zip(names).map(planned).collect();
    let expected = |class: PlannedClass| {
        let named = spec.expected.iter().rev().find(|(name, _)| *name == class.name);
        PlannedClass { expected: named.map_or(class.expected, |(_, share)| *share), ..class }
    };
    if let Some((name, _)) = spec.expected.iter().find(|(name, _)| classes.iter().all(|class| class.name != *name)) {
        let known: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
        return Err(Error::AssessOptions {
            problem: format!("{} has no class {name:?}; its classes: {}", spec.map.display(), known.join(", ")),
        });
    }
    Ok(classes.into_iter().map(expected).collect())
}

/// A pixel that was drawn.
struct Drawn {
    class: usize,
    col: usize,
    row: usize,
}

impl Drawn {
    /// In pixels.
    fn centre(&self) -> (f64, f64) {
        (self.col as f64 + 0.5, self.row as f64 + 0.5)
    }

    fn area(&self, areas: &PixelAreas) -> f64 {
        let (x, y) = self.centre();
        areas.at(x, y)
    }
}

/// Draws ranks among the pixels of each class and looks for the pixels that have them.
fn draw(map: &ClassMap, classes: &[PlannedClass], seed: u64) -> Result<Vec<Drawn>> {
    let mut wanted: Vec<Stratum> = vec![Stratum::default(); 1 << 16];
    for (index, class) in classes.iter().enumerate() {
        let key = Random::new(seed ^ (u64::from(class.value) << 32)).next_u64();
        let mut ranks: Vec<u64> = (0..class.points).map(|number| shuffled(number, class.pixels, key)).collect();
        // The last is looked for first, so that it can be popped.
        ranks.sort_unstable_by(|a, b| b.cmp(a));
        wanted[class.value as usize] = Stratum { class: index, ranks, seen: 0 };
    }
    let (mut drawn, mut values) = (Vec::new(), Vec::new());
    for window in map.strips() {
        map.read(window, &mut values)?;
        for (index, &value) in values.iter().enumerate().filter(|&(_, &value)| value != NO_CLASS) {
            let stratum = &mut wanted[value as usize];
            if stratum.ranks.last() == Some(&stratum.seen) {
                stratum.ranks.pop();
                let (row, col) = (window.row as usize + index / window.width, index % window.width);
                drawn.push(Drawn { class: stratum.class, col, row });
            }
            stratum.seen += 1;
        }
    }
    Ok(drawn)
}

/// A class while the map is searched.
#[derive(Clone, Default)]
struct Stratum {
    class: usize,
    /// Ranks that are still to be found, descending.
    ranks: Vec<u64>,
    /// Pixels seen so far.
    seen: u64,
}

/// Columns and points, in random order: the first of them, as many as the interpreters manage, are a random sample too.
fn table(
    grid: &Grid,
    areas: Option<&PixelAreas>,
    classes: &[PlannedClass],
    drawn: &[Drawn],
    seed: u64,
) -> (Vec<&'static str>, Vec<PointRow>) {
    let mut columns = vec![
        columns::ID,
        columns::STRATUM,
        columns::MAP_CLASS,
        columns::MAP_VALUE,
        columns::WEIGHT,
        columns::STRATUM_PIXELS,
    ];
    if areas.is_some() {
        columns.extend([columns::STRATUM_M2, columns::PIXEL_M2]);
    }
    columns.push(columns::REFERENCE);
    let row = |id: u64| {
        let drawn = &drawn[shuffled(id, drawn.len() as u64, seed) as usize];
        let class = &classes[drawn.class];
        let mut values = vec![
            Value::Integer(id as i64 + 1),
            Value::Text(class.name.clone()),
            Value::Text(class.name.clone()),
            Value::Integer(i64::from(class.value)),
            Value::Real(class.share),
            Value::Integer(class.pixels as i64),
        ];
        if let (Some(areas), Some(of_class)) = (areas, class.area_m2) {
            values.extend([Value::Real(of_class), Value::Real(drawn.area(areas))]);
        }
        values.push(Value::Empty);
        let (x, y) = drawn.centre();
        PointRow { point: grid.pixel_to_world(x, y), values }
    };
    (columns, (0..drawn.len() as u64).map(row).collect())
}

/// `sqrt(sum W_i^2 U_i (1 - U_i) / (n_i - 1))`.
fn expected_error(classes: &[PlannedClass]) -> f64 {
    let term = |class: &PlannedClass| {
        let unseen = 1.0 - class.points as f64 / class.pixels as f64;
        let spread = class.expected * (1.0 - class.expected) / (class.points as f64 - 1.0).max(1.0);
        class.share.powi(2) * unseen * spread
    };
    classes.iter().map(term).sum::<f64>().sqrt()
}
