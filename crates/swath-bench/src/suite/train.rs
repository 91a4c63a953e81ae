//! Training images per second.

use anyhow::Result;

use crate::case::Case;
use crate::settings::{Effort, Settings};
use crate::side::Bench;
use crate::table::{compared, comparison_head, markdown};

/// Forward, backward and AdamW on one batch, for two widths of the U-Net.
pub(crate) fn train(bench: &Bench) -> Result<String> {
    let quick = bench.effort() == Effort::Quick;
    let at = |width| {
        let usual = Settings { width, count: 4, ..Settings::default() };
        if quick { Settings { chip: 64, count: 1, ..usual } } else { usual }
    };
    let mut rows = Vec::new();
    for settings in [16, 32].map(at) {
        let (own, others) = bench.both(Case::Train, &settings)?;
        rows.push(compared(settings.network_in_words(), &own, &others));
    }
    let Settings { bands, classes, chip, batch, threads, .. } = at(16);
    let title = format!(
        "Training: forward, backward, AdamW; chips of {chip}x{chip}, {bands} bands, {classes} classes, batch {batch}, {threads} threads"
    );
    Ok(markdown(&title, &comparison_head("images/s").each_ref().map(String::as_str), &rows))
}
