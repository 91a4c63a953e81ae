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
    let (own, others) = bench.both(Case::Loader, &files)?;
    let memory = Settings { memory_mb: 1000, ..files.clone() };
    let kept = (0..bench.rounds()).map(|_| bench.swath(Case::Loader, &memory)).collect::<Result<Vec<_>>>()?;
    let head = comparison_head("chips/s");
    let rows = [
        compared("from the files".into(), &own, &others),
        compared("Swath as it is used: small scenes kept in memory".into(), &kept, &others),
    ];
    let Settings { bands, chip, batch, threads, .. } = files;
    let title = format!(
        "Loader: chips of {chip}x{chip} with flips from a {side}x{side} scene, {bands} bands u16, tiled deflate; batch {batch}, {threads} workers"
    );
    Ok(markdown(&title, &head.each_ref().map(String::as_str), &rows))
}
