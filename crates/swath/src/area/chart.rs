//! A table of areas as a chart.

use std::collections::HashMap;

use super::{AreaRow, AreaTable};
use crate::report::Bars;

/// Classes that have bars of their own at most; the others share one.
const MOST_CLASSES: usize = 100;

/// Bars of square kilometres as an SVG file: of periods where the table has some, first of all places together and then of each; else of
/// places, else of classes.
pub fn chart(table: &AreaTable) -> String {
    let parts = || table.classes.iter().map(|class| (class.name.as_str(), class.color)).collect::<Vec<_>>();
    let last_zone = table.rows.last().map_or("", |row| row.zone.as_str());
    let places = table.rows.iter().any(|row| row.zone != last_zone);
    if table.periods {
        let what = match &table.classes[..] {
            [class] => format!("Area of {} by period", class.name),
            _ => "Area by period and class".into(),
        };
        let title = if places || is_sum(last_zone) { what } else { format!("{what}, {last_zone}") };
        return Bars { title, unit: "km2", bars: by_period(table, last_zone), parts: parts() }.svg();
    }
    if !places && table.rows.iter().all(|row| row.map.is_none()) {
        let bars = by_class(&table.rows);
        // The bar of the others, where there is one, has a part of its own name.
        let last = bars.last().map_or_else(String::new, |(label, _)| label.clone());
        let mut parts = parts();
        parts.push((&last, [0x99; 3]));
        return Bars { title: "Area by class".into(), unit: "km2", bars, parts }.svg();
    }
    let label = |row: &AreaRow| match &row.map {
        _ if is_sum(&row.zone) => None,
        Some(map) if places => Some(format!("{map}: {}", row.zone)),
        Some(map) => Some(map.clone()),
        None => Some(row.zone.clone()),
    };
    Bars {
        title: "Area by zone and class".into(),
        unit: "km2",
        bars: gathered(table, &table.rows, label),
        parts: parts(),
    }
    .svg()
}

/// Whether a name in parentheses stands for all zones or all periods.
fn is_sum(name: &str) -> bool {
    name.starts_with("(all zones") || name == "(total)"
}

type Bar = (String, Vec<(usize, f64)>);

/// A bar for each class, or for the largest of many; rows are in the order of classes.
fn by_class(rows: &[AreaRow]) -> Vec<Bar> {
    let mut largest: Vec<usize> = (0..rows.len()).collect();
    largest.sort_by(|&a, &b| rows[b].km2.total_cmp(&rows[a].km2));
    let others = largest.split_off(largest.len().min(MOST_CLASSES));
    largest.sort_unstable();
    let mut bars: Vec<Bar> =
        largest.into_iter().map(|index| (rows[index].class.clone(), vec![(index, rows[index].km2)])).collect();
    if !others.is_empty() {
        let sum = others.iter().map(|&index| rows[index].km2).sum();
        bars.push((format!("{} other classes", others.len()), vec![(rows.len(), sum)]));
    }
    bars
}

/// A bar for each period of all places, then for each period of each place. Months and years without a map have empty bars.
fn by_period(table: &AreaTable, last_zone: &str) -> Vec<Bar> {
    let mut zones: Vec<&str> = Vec::new();
    let mut of: HashMap<&str, Vec<&AreaRow>> = HashMap::new();
    for row in &table.rows {
        let rows = of.entry(&row.zone).or_insert_with(|| {
            zones.push(&row.zone);
            Vec::new()
        });
        rows.push(row);
    }
    let period = |row: &AreaRow| row.period.clone().filter(|period| !is_sum(period));
    let bars = |zone: &str| without_gaps(gathered(table, of.get(zone).into_iter().flatten().copied(), period));
    let named = |zone: &str| {
        bars(zone).into_iter().map(move |(period, parts)| (format!("{zone}: {period}"), parts)).collect::<Vec<_>>()
    };
    let others = zones.into_iter().filter(|zone| *zone != last_zone).flat_map(named);
    bars(last_zone).into_iter().chain(others).collect()
}

/// Rows with the same label as one bar, in the order of their first rows.
fn gathered<'a>(
    table: &AreaTable,
    rows: impl IntoIterator<Item = &'a AreaRow>,
    label: impl Fn(&AreaRow) -> Option<String>,
) -> Vec<Bar> {
    let part: HashMap<u32, usize> = table.classes.iter().enumerate().map(|(part, class)| (class.value, part)).collect();
    let mut places = HashMap::new();
    let mut bars: Vec<Bar> = Vec::new();
    for row in rows {
        let (Some(label), Some(&part)) = (label(row), part.get(&row.class_id)) else { continue };
        let place = *places.entry(label.clone()).or_insert_with(|| {
            bars.push((label, Vec::new()));
            bars.len() - 1
        });
        bars[place].1.push((part, row.km2));
    }
    bars
}

/// The same with an empty bar for each month, or year, that lies between two others.
fn without_gaps(bars: Vec<Bar>) -> Vec<Bar> {
    let mut whole: Vec<Bar> = Vec::new();
    for (label, parts) in bars {
        let before = whole.last().and_then(|(label, _)| number(label));
        if let (Some((first, form)), Some((last, same))) = (before, number(&label))
            && form == same
        {
            whole.extend((first + 1..last).map(|number| (name(number, form), Vec::new())));
        }
        whole.push((label, parts));
    }
    whole
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Month,
    Year,
}

/// A month or a year, counted from a beginning of its own.
fn number(label: &str) -> Option<(u32, Form)> {
    match label.split_once('-') {
        None => Some((label.parse().ok()?, Form::Year)),
        Some((year, month)) => Some((year.parse::<u32>().ok()? * 12 + month.parse::<u32>().ok()? - 1, Form::Month)),
    }
}

fn name(number: u32, form: Form) -> String {
    match form {
        Form::Year => format!("{number:04}"),
        Form::Month => format!("{:04}-{:02}", number / 12, number % 12 + 1),
    }
}

#[cfg(test)]
mod tests {
    use swath_geo::ClassEntry;

    use super::*;

    fn row(zone: &str, period: Option<&str>, class_id: u32, km2: f64) -> AreaRow {
        AreaRow {
            map: None,
            period: period.map(str::to_owned),
            zone: zone.into(),
            class_id,
            class: format!("class {class_id}"),
            pixels: 1,
            km2,
            repeat_km2: None,
            share: None,
            zone_km2: 1.0,
            observed_share: None,
        }
    }

    fn table(rows: Vec<AreaRow>, periods: bool) -> AreaTable {
        let last = rows.iter().map(|row| row.class_id).max().unwrap_or(0);
        let class = |value| ClassEntry { value, name: format!("class {value}"), color: [1, 2, 3] };
        AreaTable { rows, notes: Vec::new(), classes: (0..=last).map(class).collect(), periods }
    }

    #[test]
    fn the_largest_of_many_classes_have_bars() {
        let rows = (0..65_535).map(|class| row("(map)", None, class, f64::from(class))).collect();
        let svg = chart(&table(rows, false));
        assert!(svg.len() < 100_000, "{}", svg.len());
        assert!(svg.contains(">class 65534<") && svg.contains("65435 other classes") && !svg.contains(">class 65434<"));
    }

    #[test]
    fn periods_of_all_places_and_of_each_with_their_gaps() {
        let mut rows = Vec::new();
        for zone in ["a", "b", "(all zones)"] {
            for period in ["2019-11", "2020-02", "(total)"] {
                rows.push(row(zone, Some(period), 0, 2.0));
            }
        }
        let svg = chart(&table(rows, true));
        let labels: Vec<usize> = ["2019-11", "2019-12", "2020-01", "2020-02", "a: 2019-11", "a: 2019-12", "b: 2020-02"]
            .iter()
            .map(|label| svg.find(&format!(">{label}<")).unwrap_or_else(|| panic!("no {label} in {svg}")))
            .collect();
        // Two months in each of three groups.
        assert_eq!(svg.matches(">no data<").count(), 6);
        assert!(labels.is_sorted() && !svg.contains("(total)") && svg.contains("Area of class 0 by period"), "{svg}");
    }
}
