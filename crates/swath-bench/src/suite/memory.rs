//! How the memory of a prediction grows with the scene: with its width, not with its height.

use anyhow::Result;

use crate::case::Case;
use crate::data;
use crate::settings::{Effort, Settings};
use crate::side::Bench;
use crate::table::{markdown, three_digits};

/// Width and height of a Sentinel-2 tile at 10 m.
pub(super) const TILE: usize = 10_980;

/// A scene, and the network's width and levels.
struct Row {
    scene: (usize, usize),
    network: (usize, usize),
}

/// Swath's own peak for scenes of several heights and widths, and for networks that need memory themselves.
pub(crate) fn memory(bench: &Bench, full: bool) -> Result<String> {
    let quick = bench.effort() == Effort::Quick;
    let mut rows = Vec::new();
    for row in plan(quick, full) {
        rows.push(measure(bench, &row, if quick { 256 } else { 512 })?);
    }
    let Settings { bands, classes, threads, .. } = Settings::default();
    let title = format!(
        "Memory of prediction: {bands} bands u16, {classes} classes, chip {}, overlap 64, {threads} threads",
        if quick { 256 } else { 512 }
    );
    let head = ["scene", "network", "peak MB", "of it the engine at most, MB", "seconds"];
    Ok(markdown(&title, &head, &rows))
}

fn plan(quick: bool, full: bool) -> Vec<Row> {
    const TINY: (usize, usize) = (4, 2);
    let tiny = |scene| Row { scene, network: TINY };
    if quick {
        return [(600, 300), (600, 600), (1200, 300)].map(tiny).into();
    }
    let by_height = [1024, 2048, 4096].map(|height| tiny((TILE, height)));
    let by_width = [TILE / 4, TILE / 2].map(|width| tiny((width, 1024)));
    let by_network = [(16, 5), (32, 5)].map(|network| Row { scene: (1024, 1024), network });
    let whole = full.then(|| tiny((TILE, TILE)));
    by_width.into_iter().chain(by_height).chain(whole).chain(by_network).collect()
}

fn measure(bench: &Bench, row: &Row, chip: usize) -> Result<Vec<String>> {
    let ((columns, lines), (width, depth)) = (row.scene, row.network);
    let settings = Settings {
        scene: bench.file("memory-scene.tif"),
        out: bench.file("memory-map.tif"),
        width,
        depth,
        chip,
        ..Settings::default()
    };
    data::write_scene(&settings.scene, columns, lines, settings.bands, settings.classes)?;
    let answer = bench.swath(Case::Predict, &settings)?;
    for file in [&settings.scene, &settings.out] {
        std::fs::remove_file(file)?;
    }
    eprintln!("memory {columns}x{lines}, {}: {:?} MB", settings.network_in_words(), answer.peak_mb);
    let megabytes = |number: Option<f64>| number.map_or("-".into(), |number| format!("{number:.0}"));
    Ok(vec![
        format!("{columns}x{lines}"),
        settings.network_in_words(),
        megabytes(answer.peak_mb),
        megabytes(answer.engine_mb),
        three_digits(Some(answer.seconds)),
    ])
}
