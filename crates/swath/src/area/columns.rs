//! The columns of a table of areas, as files have them.

use super::{AreaRow, AreaTable};
use crate::csv::field;

/// Values of one column, in the order of the rows.
pub(super) enum Column<'a> {
    Text(Vec<&'a str>),
    Whole(Vec<i64>),
    Number(Vec<Option<f64>>),
}

/// Names and values of the columns. `map`, `period` and `repeat_km2` are there where they say something.
pub(super) fn columns(table: &AreaTable) -> Vec<(&'static str, Column<'_>)> {
    let rows = &table.rows;
    let number = |value: &dyn Fn(&AreaRow) -> Option<f64>| Column::Number(rows.iter().map(value).collect());
    let mut columns = Vec::new();
    if rows.iter().any(|row| row.map.is_some()) {
        columns.push(("map", Column::Text(rows.iter().map(|row| row.map.as_deref().unwrap_or_default()).collect())));
    }
    if table.periods {
        columns
            .push(("period", Column::Text(rows.iter().map(|row| row.period.as_deref().unwrap_or_default()).collect())));
    }
    columns.push(("zone", Column::Text(rows.iter().map(|row| row.zone.as_str()).collect())));
    columns.push(("class_id", Column::Whole(rows.iter().map(|row| i64::from(row.class_id)).collect())));
    columns.push(("class", Column::Text(rows.iter().map(|row| row.class.as_str()).collect())));
    columns.push(("pixels", Column::Whole(rows.iter().map(|row| row.pixels as i64).collect())));
    columns.push(("km2", number(&|row| Some(row.km2))));
    if table.periods {
        columns.push(("repeat_km2", number(&|row| row.repeat_km2)));
    }
    columns.push(("share", number(&|row| row.share)));
    columns.push(("zone_km2", number(&|row| Some(row.zone_km2))));
    columns.push(("observed_share", number(&|row| row.observed_share)));
    columns
}

/// The table as CSV: one line for each row, with the columns' names above them; what is unknown is empty.
pub(super) fn csv(table: &AreaTable) -> String {
    let columns = columns(table);
    let mut text = columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(",") + "\n";
    for row in 0..table.rows.len() {
        let cell = |(_, column): &(&str, Column<'_>)| match column {
            Column::Text(values) => field(values[row]),
            Column::Whole(values) => values[row].to_string(),
            Column::Number(values) => values[row].map_or_else(String::new, |value| value.to_string()),
        };
        text += &columns.iter().map(cell).collect::<Vec<_>>().join(",");
        text.push('\n');
    }
    text
}
