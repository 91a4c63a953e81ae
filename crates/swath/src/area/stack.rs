//! A stack of dated maps: by period, each pixel counted once, and what had the class before.

use std::path::{Path, PathBuf};

use swath_geo::{ClassEntry, ClassMap, GeoError, NO_CLASS};

use super::count::{
    AreaRow, AreaSpec, AreaTable, Counted, check_known, check_size, merge, options, pixel_areas, row, wanted,
};
use super::dates::{MapDate, Period};
use super::places::{Places, row_areas};
use super::tally;
use crate::Result;

/// Name of all periods together.
const TOTAL: &str = "(total)";
/// Classes of a stack at most: one bit each.
const MOST_CLASSES: usize = 63;
/// The bit of pixels that have a class, reported or not.
const OBSERVED: u64 = 1 << MOST_CLASSES;

/// One period with its maps.
struct Group {
    label: String,
    maps: Vec<ClassMap>,
}

/// The table of a stack.
pub(super) fn areas(spec: &AreaSpec, period: Period) -> Result<AreaTable> {
    let (groups, mut notes) = groups(spec, period)?;
    let first = &spec.maps[0];
    let grid = groups[0].maps[0].grid().clone();
    let classes = classes(spec, &groups, first)?;
    let places = Places::new(spec, &grid, &first.display().to_string())?;
    check_size((groups.len() + 1) * places.names.len() * classes.len())?;
    let counted = count(&groups, first, &places, &classes)?;
    let mut rows = Vec::new();
    for (zone, periods) in places.names.iter().zip(&counted) {
        let labels = groups.iter().map(|group| group.label.as_str()).chain([TOTAL]);
        for (label, counted) in labels.zip(periods) {
            rows.extend(classes.iter().map(|class| AreaRow {
                period: Some(label.to_owned()),
                repeat_km2: Some(counted.classes.get(&class.value).map_or(0.0, |count| count.repeat_m2 / 1e6)),
                ..row(zone, class, counted)
            }));
        }
    }
    notes.extend(places.notes);
    Ok(AreaTable { rows, notes, classes, periods: true })
}

/// The maps by period in order of time, and a note about periods between them that have none.
fn groups(spec: &AreaSpec, period: Period) -> Result<(Vec<Group>, Vec<String>)> {
    if !spec.dates.is_empty() && spec.dates.len() != spec.maps.len() {
        return Err(options(format!(
            "{} dates were given for {} maps; give one for each, in the same order",
            spec.dates.len(),
            spec.maps.len()
        )));
    }
    let mut dated: Vec<(MapDate, &PathBuf)> = Vec::new();
    for (number, path) in spec.maps.iter().enumerate() {
        let name = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let date = spec.dates.get(number).copied().or_else(|| MapDate::find(&name()));
        let date = match (date, period) {
            (Some(date), _) => date,
            // All maps together need no date.
            (None, Period::All) => MapDate { year: 0, month: None, day: None },
            (None, _) => {
                let problem = "its name holds no date such as 20190714 or 2019-07; give dates with --date";
                return Err(GeoError::input(path, problem).into());
            }
        };
        dated.push((date, path));
    }
    dated.sort_by_key(|(date, _)| *date);
    let mut groups: Vec<Group> = Vec::new();
    let mut months = Vec::new();
    for (date, path) in &dated {
        let label = date.label(period).ok_or_else(|| {
            let problem =
                format!("its date, {date}, is coarser than the period; choose a longer one or give dates with --date");
            GeoError::input(path, problem)
        })?;
        let map = ClassMap::open(path)?.ignoring(spec.ignore);
        if let Some(group) = groups.first()
            && let Some(difference) = group.maps[0].grid().describe_difference(map.grid())
        {
            return Err(GeoError::GridMismatch {
                left: dated[0].1.display().to_string(),
                right: path.display().to_string(),
                difference: format!(
                    "{difference}; bring the maps to one grid first, for example with gdalwarp -te -tr"
                ),
            }
            .into());
        }
        months.push(u32::from(date.year) * 12 + u32::from(date.month.unwrap_or(1)) - 1);
        match groups.last_mut().filter(|group| group.label == label) {
            Some(group) => group.maps.push(map),
            None => groups.push(Group { label, maps: vec![map] }),
        }
    }
    Ok((groups, gaps(&months, period)))
}

/// Months or years between the first and the last that have no map. `months` counts months from the year 0, ascending.
fn gaps(months: &[u32], period: Period) -> Vec<String> {
    let step = match period {
        Period::Month => 1,
        Period::Year => 12,
        Period::Day | Period::All => return Vec::new(),
    };
    let label = |index: u32| match period {
        Period::Month => format!("{:04}-{:02}", index / 12, index % 12 + 1),
        _ => format!("{index:04}"),
    };
    let (Some(first), Some(last)) = (months.first(), months.last()) else { return Vec::new() };
    let has = |index: u32| months.iter().any(|month| month / step == index);
    let missing: Vec<String> = (first / step..=last / step).filter(|&index| !has(index)).map(label).collect();
    match missing.len() {
        0 => Vec::new(),
        1..=12 => vec![format!("no map of {}", missing.join(", "))],
        count => vec![format!("no map of {count} periods between {} and {}", missing[0], missing[count - 1])],
    }
}

/// The classes to report.
fn classes(spec: &AreaSpec, groups: &[Group], first: &Path) -> Result<Vec<ClassEntry>> {
    let maps = || groups.iter().flat_map(|group| &group.maps);
    let mut known: Vec<ClassEntry> = Vec::new();
    for map in maps() {
        let declared = map.known_classes()?.declared().to_vec();
        let found = if declared.is_empty() {
            // A foreign map: what it holds is known only after a look at all of it.
            map.classes(&tally(map)?.iter().map(|class| class.value).collect::<Vec<_>>())?
        } else {
            declared
        };
        merge(&mut known, found);
    }
    let chosen = if spec.classes.is_empty() { known } else { wanted(&spec.classes, &known, first)? };
    if chosen.len() > MOST_CLASSES {
        let problem =
            format!("the maps have {} classes, a stack at most {MOST_CLASSES}; choose some with --class", chosen.len());
        return Err(options(problem));
    }
    Ok(chosen)
}

/// Counts by place and period, the total last. A pixel's state is a set of bits: its classes in the period, and those before.
fn count(groups: &[Group], first: &Path, places: &Places, classes: &[ClassEntry]) -> Result<Vec<Vec<Counted>>> {
    let map = &groups[0].maps[0];
    let areas = pixel_areas(map.grid(), first)?;
    let mut bits = vec![0u64; 1 << 16];
    for (bit, class) in classes.iter().enumerate() {
        bits[class.value as usize] = 1 << bit;
    }
    let mut counted = vec![vec![Counted::default(); groups.len() + 1]; places.names.len()];
    let (mut values, mut now, mut before) = (Vec::new(), Vec::new(), Vec::new());
    for strip in map.strips() {
        let rows = row_areas(&areas, strip);
        let places_in_strip = places.in_strip(strip);
        before.clear();
        before.resize(strip.area(), 0u64);
        for (period, group) in groups.iter().enumerate() {
            now.clear();
            now.resize(strip.area(), 0u64);
            for map in &group.maps {
                map.read(strip, &mut values)?;
                for (state, &value) in now.iter_mut().zip(&values).filter(|&(_, &value)| value != NO_CLASS) {
                    *state |= OBSERVED | bits[value as usize];
                }
            }
            let states: Vec<(u64, u64)> = now.iter().copied().zip(before.iter().copied()).collect();
            for (counted, place) in counted.iter_mut().zip(&places_in_strip) {
                let (of_period, total) = counted.split_at_mut(groups.len());
                let (counted, total) = (&mut of_period[period], &mut total[0]);
                let lines = states.chunks_exact(strip.width).zip(&rows).skip(place.first).zip(&place.rows);
                for ((line, areas), range) in
                    lines.flat_map(|(line, ranges)| ranges.iter().map(move |range| (line, range)))
                {
                    let whole = areas.known(range.clone());
                    counted.m2 += whole;
                    if period == 0 {
                        total.m2 += whole;
                    }
                    let mut col = range.start;
                    for run in line[range.clone()].chunk_by(|a, b| a == b) {
                        let end = col + run.len();
                        add(run[0], run.len() as u64, || areas.sum(col..end), classes, counted, total);
                        col = end;
                    }
                }
            }
            before.iter_mut().zip(&now).for_each(|(before, now)| *before |= now);
        }
    }
    check_known(counted.iter().flatten(), map.grid(), first)?;
    Ok(counted)
}

/// Adds pixels of one state to a period and to the total.
fn add(
    (now, before): (u64, u64),
    pixels: u64,
    m2: impl FnOnce() -> f64,
    classes: &[ClassEntry],
    counted: &mut Counted,
    total: &mut Counted,
) {
    if now == 0 {
        return;
    }
    let m2 = m2();
    counted.observed_m2 += m2;
    if before & OBSERVED == 0 {
        total.observed_m2 += m2;
    }
    let mut left = now & !OBSERVED;
    while left != 0 {
        let bit = left.trailing_zeros() as usize;
        left &= left - 1;
        let repeated = before >> bit & 1 == 1;
        let count = counted.classes.entry(classes[bit].value).or_default();
        count.pixels += pixels;
        count.m2 += m2;
        let sum = total.classes.entry(classes[bit].value).or_default();
        if repeated {
            count.repeat_m2 += m2;
            sum.repeat_m2 += m2;
        } else {
            sum.pixels += pixels;
            sum.m2 += m2;
        }
    }
}
