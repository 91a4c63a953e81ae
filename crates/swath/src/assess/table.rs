//! An assessment as plain text for the terminal.

use std::fmt::Write;

use super::{Assessment, DesignSummary, Interval};
use crate::evaluate::{aligned, area_unit, grouped};

/// Accuracies, areas and, for a dozen classes at most, the error matrix.
pub fn table(assessment: &Assessment) -> String {
    let areas = assessment.classes.iter().filter_map(|class| class.area_m2);
    let (unit, unit_m2) = area_unit(areas.map(|area| area.value).fold(0.0, f64::max));
    let mut header = ["class", "mapped", "found", "user's acc. %", "producer's acc. %", "mapped %", "area %"]
        .map(String::from)
        .to_vec();
    if assessment.total_m2.is_some() {
        header.push(format!("area {unit}"));
    }
    let mut rows = vec![header];
    for class in &assessment.classes {
        let percent =
            |interval: Option<Interval>| interval.map_or_else(|| "-".into(), |interval| shown(interval, 100.0, 2));
        let mut row = vec![
            class.name.clone(),
            grouped(class.mapped_units),
            grouped(class.reference_units),
            percent(class.users_accuracy),
            percent(class.producers_accuracy),
            format!("{:.2}", 100.0 * class.mapped_share),
            percent(Some(class.share)),
        ];
        let digits = if unit == "m2" { 0 } else { 2 };
        row.extend(class.area_m2.map(|area| shown(area, 1.0 / unit_m2, digits)));
        rows.push(row);
    }
    let mut text = aligned(&rows);
    let _ = writeln!(
        text,
        "\nOverall accuracy {} % from {} interpreted points{}; ± is an interval of {} % confidence.",
        shown(assessment.overall_accuracy, 100.0, 2),
        grouped(assessment.units),
        match assessment.without_reference {
            0 => String::new(),
            blank => format!(" ({} without a reference class are left out)", grouped(blank)),
        },
        // 95, not 95.0; 99.9 stays.
        (1e6 * assessment.confidence).round() / 1e4
    );
    if !assessment.single_unit_strata.is_empty() {
        let _ = writeln!(
            text,
            "± ? where a stratum with a single point takes part: {}.",
            assessment.single_unit_strata.join(", ")
        );
    }
    if assessment.classes.len() <= MATRIX_CLASSES {
        text += "\nError matrix in % of the area; rows: map, columns: reference\n";
        text += &matrix(assessment);
    }
    text
}

/// The strata of a sample with their points.
pub fn design_table(summary: &DesignSummary) -> String {
    let largest = summary.classes.iter().filter_map(|class| class.area_m2).fold(0.0, f64::max);
    let (unit, unit_m2) = area_unit(largest);
    let mut header = ["class", "pixels", "map %", "expected right %", "points"].map(String::from).to_vec();
    if largest > 0.0 {
        header.push(unit.to_owned());
    }
    let mut rows = vec![header];
    for class in &summary.classes {
        let mut row = vec![
            class.name.clone(),
            grouped(class.pixels),
            format!("{:.2}", 100.0 * class.share),
            format!("{:.1}", 100.0 * class.expected),
            grouped(class.points),
        ];
        row.extend(class.area_m2.map(|area| format!("{:.2}", area / unit_m2)));
        rows.push(row);
    }
    let mut text = aligned(&rows);
    let _ = writeln!(
        text,
        "\n{} points; if the map is as good as expected, its overall accuracy gets a standard error of {:.2} %.",
        grouped(summary.points),
        100.0 * summary.expected_standard_error
    );
    if let Some(points) = summary.points_for_target {
        let _ = writeln!(
            text,
            "That is more than asked for, since small classes take their floor from the large ones: --total {points} would do."
        );
    }
    text
}

/// A larger matrix does not fit into a terminal.
const MATRIX_CLASSES: usize = 12;

fn matrix(assessment: &Assessment) -> String {
    let names = || assessment.classes.iter().map(|class| class.name.as_str());
    let mut rows = vec![std::iter::once("").chain(names()).map(String::from).collect::<Vec<_>>()];
    for map in names() {
        let share = |reference: &str| {
            let cell = assessment.cells.iter().find(|cell| cell.map == map && cell.reference == reference);
            cell.map_or_else(|| "-".into(), |cell| format!("{:.2}", 100.0 * cell.share))
        };
        rows.push(std::iter::once(map.to_owned()).chain(names().map(share)).collect());
    }
    aligned(&rows)
}

/// `88.00 ± 7.40`.
fn shown(interval: Interval, factor: f64, digits: usize) -> String {
    let number = |value: f64| format!("{:.digits$}", value * factor);
    format!("{} ± {}", number(interval.value), interval.margin.map_or_else(|| "?".into(), number))
}
