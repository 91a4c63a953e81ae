//! A table of areas as a chart.

use super::AreaTable;
use crate::report::Bars;

/// Bars of square kilometres as an SVG file: of periods where the table has some (of all places together), else of places, else
/// of classes.
pub fn chart(table: &AreaTable) -> String {
    let rows = &table.rows;
    let last_zone = rows.last().map_or("", |row| row.zone.as_str());
    // In parentheses: all zones and all periods together.
    let is_sum = |name: &str| name.starts_with("(all zones") || name == "(total)";
    let places = rows.iter().any(|row| row.zone != last_zone);
    let classes = || table.classes.iter().map(|class| (class.name.as_str(), class.color)).collect::<Vec<_>>();
    if !table.periods && !places && rows.iter().all(|row| row.map.is_none()) {
        let bars = rows.iter().enumerate();
        let bars = bars.map(|(index, row)| {
            let parts = (0..rows.len()).map(|part| if part == index { row.km2 } else { 0.0 }).collect();
            (row.class.clone(), parts)
        });
        return Bars { title: "Area by class".into(), unit: "km2", bars: bars.collect(), parts: classes() }.svg();
    }
    let mut bars: Vec<(String, Vec<f64>)> = Vec::new();
    for row in rows {
        let label = match (&row.period, &row.map) {
            (Some(period), _) if row.zone == last_zone && !is_sum(period) => period.clone(),
            (Some(_), _) => continue,
            (None, _) if is_sum(&row.zone) => continue,
            (None, Some(map)) if places => format!("{map}: {}", row.zone),
            (None, Some(map)) => map.clone(),
            (None, None) => row.zone.clone(),
        };
        let place = bars.iter().position(|(known, _)| *known == label).unwrap_or_else(|| {
            bars.push((label, vec![0.0; table.classes.len()]));
            bars.len() - 1
        });
        if let Some(class) = table.classes.iter().position(|class| class.value == row.class_id) {
            bars[place].1[class] += row.km2;
        }
    }
    let title = if table.periods { format!("Area by period, {last_zone}") } else { "Area by zone and class".into() };
    Bars { title, unit: "km2", bars, parts: classes() }.svg()
}
