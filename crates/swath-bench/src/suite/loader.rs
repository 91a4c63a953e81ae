//! Chips per second.

use anyhow::Result;

use crate::case::Case;
use crate::data;
use crate::settings::{Effort, Settings};
use crate::side::Bench;
use crate::table::{compared, comparison_head, markdown};

/// Random chips with flips out of one tiled, deflated GeoTIFF.
pub(crate) fn loader(bench: &Bench) -> Result<String> {
    let (side, count) = if bench.effort() == Effort::Quick { (768, 32) } else { (4096, 400) };
    let files = Settings {
        scene: bench.file("loader-scene.tif"),
        labels: bench.file("loader-labels.tif"),
        count,
        ..Settings::default()
    };
    data::write_scene(&files.scene, side, side, files.bands, files.classes)?;
    data::write_labels(&files.labels, side, side, files.classes)?;
    // As they come, Swath keeps small scenes decoded, and GDAL in Python caches a twentieth of the machine's memory.
    let small = Settings { cache_mb: 128, ..files.clone() };
    let (own, others) = bench.both(Case::Loader, &files)?;
    let (own_small, others_small) = bench.both(Case::Loader, &small)?;
    let head = comparison_head("chips/s");
    let rows = [
        compared("as they come".into(), &own, &others),
        compared(format!("{} MB of cache, less than the scene", small.cache_mb), &own_small, &others_small),
    ];
    let Settings { bands, chip, batch, threads, .. } = files;
    let title = format!(
        "Loader: chips of {chip}x{chip} with flips from a {side}x{side} scene, {bands} bands u16, tiled deflate; batch {batch}, {threads} workers"
    );
    Ok(markdown(&title, &head.each_ref().map(String::as_str), &rows))
}
