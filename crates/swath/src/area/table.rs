//! Areas as plain text for the terminal.

use super::{AreaRow, AreaTable};
use crate::evaluate::{aligned, area_unit, grouped};

/// Periods of a stack side by side, zones below each other, a block for each class; more than a dozen periods below each other.
const SIDE_BY_SIDE: usize = 13;

/// The table as aligned text, areas in a unit that suits them.
pub fn table(table: &AreaTable) -> String {
    let largest = table.rows.iter().map(|row| row.km2 * 1e6).fold(0.0, f64::max);
    let (unit, unit_m2) = area_unit(largest);
    let area = |km2: f64| format!("{:.*}", if unit == "m2" { 0 } else { 2 }, km2 * 1e6 / unit_m2);
    let periods = names(&table.rows, |row| row.period.as_deref());
    if table.periods && periods.len() <= SIDE_BY_SIDE {
        return pivot(table, &periods, unit, &area);
    }
    let has = |part: fn(&AreaRow) -> bool| table.rows.iter().any(part);
    let (maps, repeats) = (has(|row| row.map.is_some()), has(|row| row.repeat_km2.is_some()));
    let mut header = Vec::new();
    header.extend(maps.then(|| "map".to_owned()));
    header.push("zone".into());
    header.extend(table.periods.then(|| "period".to_owned()));
    header.extend(["class".into(), unit.to_owned()]);
    header.extend(repeats.then(|| format!("repeats {unit}")));
    header.extend(["%", "pixels", "observed %"].map(String::from));
    let mut rows = vec![header];
    for row in &table.rows {
        let mut cells = Vec::new();
        cells.extend(row.map.clone());
        cells.push(row.zone.clone());
        cells.extend(row.period.clone());
        cells.extend([row.class.clone(), area(row.km2)]);
        cells.extend(row.repeat_km2.map(area));
        cells.extend([percent(row.share), grouped(row.pixels), percent(row.observed_share)]);
        rows.push(cells);
    }
    aligned(&rows)
}

fn pivot(table: &AreaTable, periods: &[&str], unit: &str, area: &dyn Fn(f64) -> String) -> String {
    let zones = names(&table.rows, |row| Some(row.zone.as_str()));
    let mut text = String::new();
    for class in &table.classes {
        let mut header = vec![format!("{}, {unit}", class.name)];
        header.extend(periods.iter().map(|period| period.to_string()));
        header.extend([format!("repeats {unit}"), "observed %".into()]);
        let mut rows = vec![header];
        for zone in &zones {
            let of_zone: Vec<&AreaRow> =
                table.rows.iter().filter(|row| row.zone == *zone && row.class_id == class.value).collect();
            let mut cells = vec![zone.to_string()];
            cells.extend(of_zone.iter().map(|row| area(row.km2)));
            let total = of_zone.last();
            cells.push(total.and_then(|row| row.repeat_km2).map_or_else(String::new, area));
            cells.push(percent(total.and_then(|row| row.observed_share)));
            rows.push(cells);
        }
        text += &aligned(&rows);
        text.push('\n');
    }
    text + "A period counts a pixel once. (total) counts it once in all periods; repeats is what periods count again.\n"
}

/// Different names in the order in which they occur.
fn names<'a>(rows: &'a [AreaRow], name: impl Fn(&'a AreaRow) -> Option<&'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    rows.iter().filter_map(name).filter(|name| seen.insert(*name)).collect()
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.2}", 100.0 * share))
}
