//! Maps into polygons, beside `gdal_polygonize.py`.

use anyhow::Result;

use super::memory::TILE;
use crate::case::{Answer, Case};
use crate::data;
use crate::settings::{Effort, Settings};
use crate::side::Bench;
use crate::table::{markdown, median, three_digits};

/// Classes of the map.
const CLASSES: usize = 8;
/// Metres within which outlines become simpler: two pixels.
const SIMPLIFY: f64 = 20.0;

/// One map with noise; with `full` also one as large as a Sentinel-2 tile, measured once.
pub(crate) fn vectorize(bench: &Bench, full: bool) -> Result<String> {
    let side = if bench.effort() == Effort::Quick { 500 } else { 4096 };
    let mut text = measure(bench, side, bench.rounds())?;
    if full {
        text += "\n";
        text += &measure(bench, TILE, 1)?;
    }
    Ok(text)
}

fn measure(bench: &Bench, side: usize, rounds: usize) -> Result<String> {
    let settings = Settings {
        labels: bench.file("vectorize-map.tif"),
        out: bench.file("vectorize.gpkg"),
        classes: CLASSES,
        ..Settings::default()
    };
    let simpler = Settings { simplify: SIMPLIFY, ..settings.clone() };
    data::write_noisy_labels(&settings.labels, side, side, CLASSES)?;
    let mut runs: [(String, Vec<Answer>); 3] =
        ["Swath".into(), format!("Swath, `--simplify {SIMPLIFY}`"), "GDAL".into()].map(|who| (who, Vec::new()));
    for round in 1..=rounds {
        runs[0].1.push(bench.swath(Case::Vectorize, &settings)?);
        runs[1].1.push(bench.swath(Case::Vectorize, &simpler)?);
        if let Some(answer) = bench.python(&Case::Vectorize.name(), &settings)? {
            let version = answer.versions.as_ref();
            runs[2].0 = format!("`gdal_polygonize.py` of {}", version.map_or("GDAL", String::as_str));
            runs[2].1.push(answer);
        }
        let seconds =
            runs.each_ref().map(|(_, answers)| answers.last().map(|answer| three_digits(Some(answer.seconds))));
        eprintln!("vectorize {side}x{side}, {round}: {seconds:?} s");
    }
    std::fs::remove_file(&settings.labels)?;
    let seconds = |answers: &[Answer]| median(answers.iter().map(|answer| answer.seconds));
    let own = seconds(&runs[0].1);
    let rows: Vec<Vec<String>> = runs
        .iter()
        .filter(|(_, answers)| !answers.is_empty())
        .map(|(who, answers)| {
            let ratio = own.zip(seconds(answers)).map(|(own, other)| own / other);
            vec![
                who.clone(),
                three_digits(seconds(answers)),
                three_digits(ratio),
                three_digits(median(answers.iter().filter_map(|answer| answer.peak_mb))),
                answers.iter().find_map(|answer| answer.polygons).map_or("-".into(), |polygons| polygons.to_string()),
            ]
        })
        .collect();
    let title = format!(
        "Polygons: {side}x{side} pixels, {CLASSES} classes, one pixel in fifty another one; GeoTIFF to GeoPackage; {rounds} rounds"
    );
    Ok(markdown(&title, &["who", "seconds", "Swath / it", "peak MB", "polygons"], &rows))
}
