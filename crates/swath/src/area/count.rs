//! Areas of classes by place and by period.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use swath_geo::{ClassEntry, ClassMap, GeoError, Grid, NO_CLASS, PixelAreas};

use super::dates::{MapDate, Period};
use super::places::{Places, row_areas};
use super::stack;
use crate::{Error, Result};

/// Maps to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct AreaSpec {
    /// Maps. Without a period each is measured by itself; with one they are a stack on one grid.
    pub maps: Vec<PathBuf>,
    /// A value that is no class, beside the maps' nodata.
    pub ignore: Option<i64>,
    /// Zones; `None` for the whole map.
    pub zones: Option<ZoneSource>,
    /// Names or values of the classes to report; empty for all that occur.
    pub classes: Vec<String>,
    /// What the maps of a stack are gathered by.
    pub period: Option<Period>,
    /// Dates of the maps, one for each; empty to find them in the file names.
    pub dates: Vec<MapDate>,
}

/// Polygons by the value of a field.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneSource {
    /// Vector file.
    pub path: PathBuf,
    /// Layer; `None` for the only one.
    pub layer: Option<String>,
    /// Field whose values name the zones; features with one value are one zone.
    pub field: String,
    /// Condition on the features in OGR SQL.
    pub filter: Option<String>,
}

/// Areas, with what the user should know about them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AreaTable {
    /// By map or period, place and class.
    pub rows: Vec<AreaRow>,
    /// Remarks: zones without pixels, months without maps.
    pub notes: Vec<String>,
    /// Classes of the rows, by ascending value.
    pub classes: Vec<ClassEntry>,
    /// Whether the rows are periods of a stack.
    pub periods: bool,
}

/// Area of a class in a place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AreaRow {
    /// The map, where several are measured by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// The period of a stack; `(total)` for all of them, where every pixel counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<String>,
    /// The zone; `(map)` for the whole map, `(all zones)` for every pixel that lies in a zone, counted once.
    pub zone: String,
    /// Value of the class.
    pub class_id: u32,
    /// Name of the class.
    pub class: String,
    /// Pixels of the class: in a stack those that some map of the period gives to it, each counted once.
    pub pixels: u64,
    /// Their area on the ellipsoid.
    pub km2: f64,
    /// The part of `km2` that had the class in an earlier period already; in the total, the sum of these parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_km2: Option<f64>,
    /// `km2` as a share of the observed area; none where nothing was observed.
    pub share: Option<f64>,
    /// Area of all pixels of the place, observed or not.
    pub zone_km2: f64,
    /// Share of it in which a map has a class (some map of the period); none for a place without pixels.
    pub observed_share: Option<f64>,
}

/// What was counted in one place.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted {
    /// Area of all its pixels in square metres.
    pub(super) m2: f64,
    /// Area of those with a class.
    pub(super) observed_m2: f64,
    pub(super) classes: BTreeMap<u32, ClassCount>,
}

/// What was counted of one class.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ClassCount {
    pub(super) pixels: u64,
    pub(super) m2: f64,
    /// Of `m2`, what had the class before.
    pub(super) repeat_m2: f64,
}

/// Measures maps. Memory is bounded by their width, the zones' vertices and the size of the table.
///
/// # Errors
/// When a file cannot be read, a map has no coordinates, the maps of a stack are on different grids or have no date, no zone touches
/// the map, a class does not exist, or the table would have too many rows.
pub fn areas(spec: &AreaSpec) -> Result<AreaTable> {
    if let Some(period) = spec.period {
        return stack::areas(spec, period);
    }
    if !spec.dates.is_empty() {
        return Err(options("dates say when the maps of a stack are from; give a period too".into()));
    }
    let several = spec.maps.len() > 1;
    let (mut measured, mut notes, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for path in &spec.maps {
        let map = ClassMap::open(path)?.ignoring(spec.ignore);
        let name = path.display().to_string();
        let places = Places::new(spec, map.grid(), &name)?;
        let counted = count(&map, path, &places)?;
        merge(&mut known, found(spec, &map, &counted)?);
        notes.extend(places.notes.into_iter().map(|note| if several { format!("{name}: {note}") } else { note }));
        measured.push((several.then_some(name), places.names, counted));
    }
    // Of all maps together: a class that one of them lacks has no area there.
    let classes = if spec.classes.is_empty() { known } else { wanted(&spec.classes, &known, &spec.maps[0])? };
    check_size(measured.iter().map(|(_, _, counted)| counted.len()).sum::<usize>() * classes.len())?;
    let mut rows = Vec::new();
    for (map, zones, counted) in &measured {
        for (zone, counted) in zones.iter().zip(counted) {
            rows.extend(classes.iter().map(|class| AreaRow { map: map.clone(), ..row(zone, class, counted) }));
        }
    }
    Ok(AreaTable { rows, notes, classes, periods: false })
}

/// The row of a class in a place.
pub(super) fn row(zone: &str, class: &ClassEntry, counted: &Counted) -> AreaRow {
    let ClassCount { pixels, m2, .. } = counted.classes.get(&class.value).copied().unwrap_or_default();
    // Sums in another order differ by their last digits, which would make less than all of what is all.
    let share = |part: f64, of: f64| (of > 0.0).then(|| (part / of * 1e12).round() / 1e12);
    AreaRow {
        map: None,
        period: None,
        zone: zone.to_owned(),
        class_id: class.value,
        class: class.name.clone(),
        pixels,
        km2: m2 / 1e6,
        repeat_km2: None,
        share: share(m2, counted.observed_m2),
        zone_km2: counted.m2 / 1e6,
        observed_share: share(counted.observed_m2, counted.m2),
    }
}

/// Areas of a grid's pixels, which have to be known.
pub(super) fn pixel_areas(grid: &Grid, path: &Path) -> Result<PixelAreas> {
    PixelAreas::new(grid).ok_or_else(|| {
        let problem = match &grid.crs {
            None => "it has no coordinate reference system, so that areas are unknown; give it one, for example with gdal_edit -a_srs".into(),
            Some(crs) => format!("its pixels cannot be brought from {crs} to the ellipsoid, so that areas are unknown; reproject it"),
        };
        GeoError::input(path, problem).into()
    })
}

/// Counts the classes of a map in every place.
fn count(map: &ClassMap, path: &Path, places: &Places) -> Result<Vec<Counted>> {
    let areas = pixel_areas(map.grid(), path)?;
    let mut counted = vec![Counted::default(); places.names.len()];
    // One place and strip at a time, by value.
    let mut counts: Vec<ClassCount> = vec![ClassCount::default(); 1 << 16];
    let mut seen = Vec::new();
    let mut classes = Vec::new();
    for strip in map.strips() {
        map.read(strip, &mut classes)?;
        let rows = row_areas(&areas, strip);
        for (counted, place) in counted.iter_mut().zip(places.in_strip(strip)) {
            let lines = classes.chunks_exact(strip.width).zip(&rows).skip(place.first);
            for ((line, areas), ranges) in lines.zip(place.rows) {
                for range in ranges {
                    counted.m2 += areas.known(range.clone());
                    let mut col = range.start;
                    for run in line[range].chunk_by(|a, b| a == b) {
                        let end = col + run.len();
                        if run[0] != NO_CLASS {
                            let count = &mut counts[run[0] as usize];
                            if count.pixels == 0 {
                                seen.push(run[0]);
                            }
                            count.pixels += run.len() as u64;
                            count.m2 += areas.sum(col..end);
                        }
                        col = end;
                    }
                }
            }
            for value in seen.drain(..) {
                let found = std::mem::take(&mut counts[value as usize]);
                let total = counted.classes.entry(value).or_default();
                total.pixels += found.pixels;
                total.m2 += found.m2;
                counted.observed_m2 += found.m2;
            }
        }
    }
    check_known(&counted, map.grid(), path)?;
    Ok(counted)
}

/// Fails where something that has a class has no area.
pub(super) fn check_known<'a>(counted: impl IntoIterator<Item = &'a Counted>, grid: &Grid, path: &Path) -> Result<()> {
    if counted.into_iter().all(|counted| !counted.observed_m2.is_nan()) {
        return Ok(());
    }
    Err(without_area(grid, path))
}

/// What is wrong with a map some of whose pixels lie nowhere on earth.
pub(crate) fn without_area(grid: &Grid, path: &Path) -> Error {
    let crs = grid.crs.as_ref().map_or_else(String::new, ToString::to_string);
    let problem = format!(
        "some of its pixels with a class cannot be brought from {crs} to the ellipsoid, so that areas are unknown; make them nodata, or reproject it"
    );
    GeoError::input(path, problem).into()
}

/// The classes that were counted and, where the user names some, those that the map declares: a class that it nowhere shows is one
/// with no area.
fn found(spec: &AreaSpec, map: &ClassMap, counted: &[Counted]) -> Result<Vec<ClassEntry>> {
    let mut values: Vec<u32> = counted.iter().flat_map(|counted| counted.classes.keys().copied()).collect();
    values.sort_unstable();
    values.dedup();
    let mut found = map.classes(&values)?;
    // Zones too small for any pixel have the classes of the map.
    if !spec.classes.is_empty() || (spec.zones.is_some() && values.is_empty()) {
        merge(&mut found, map.known_classes()?.declared().to_vec());
    }
    Ok(found)
}

/// The classes that some texts name.
pub(super) fn wanted(texts: &[String], known: &[ClassEntry], path: &Path) -> Result<Vec<ClassEntry>> {
    let find = |text: &String| {
        let by_name = known.iter().find(|class| class.name == *text);
        let by_value = || text.parse().ok().and_then(|value: u32| known.iter().find(|class| class.value == value));
        by_name.or_else(by_value).cloned().ok_or_else(|| {
            let names: Vec<&str> = known.iter().take(20).map(|class| class.name.as_str()).collect();
            let more = if known.len() > 20 { ", ..." } else { "" };
            options(format!("{} has no class {text:?}; its classes: {}{more}", path.display(), names.join(", ")))
        })
    };
    let mut classes = texts.iter().map(find).collect::<Result<Vec<ClassEntry>>>()?;
    classes.sort_by_key(|class| class.value);
    classes.dedup_by_key(|class| class.value);
    Ok(classes)
}

/// Adds classes whose values are new, by ascending value.
pub(super) fn merge(classes: &mut Vec<ClassEntry>, more: Vec<ClassEntry>) {
    classes.extend(more);
    // Stable: of equal values the class that was there first stays.
    classes.sort_by_key(|class| class.value);
    classes.dedup_by_key(|class| class.value);
}

pub(super) fn check_size(rows: usize) -> Result<()> {
    if rows <= MOST_ROWS {
        return Ok(());
    }
    Err(options(format!("the table would have {rows} rows, more than {MOST_ROWS}; choose some classes with --class")))
}

/// Rows of a table at most, some gigabytes.
const MOST_ROWS: usize = 10_000_000;

pub(super) fn options(problem: String) -> Error {
    Error::AreaOptions { problem }
}
