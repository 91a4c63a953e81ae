//! Scene prediction: speed and memory.

use anyhow::Result;

use crate::case::{Answer, Case};
use crate::data;
use crate::settings::{Effort, Settings};
use crate::side::Bench;
use crate::table::{compared, comparison_head, markdown, median, three_digits};

/// One scene from GeoTIFF to COG.
pub(crate) fn predict(bench: &Bench) -> Result<String> {
    let side = if bench.effort() == Effort::Quick { 600 } else { 2048 };
    let chip = if bench.effort() == Effort::Quick { 256 } else { 512 };
    let settings = Settings {
        scene: bench.file("predict-scene.tif"),
        out: bench.file("predict-map.tif"),
        chip,
        ..Settings::default()
    };
    data::write_scene(&settings.scene, side, side, settings.bands, settings.classes)?;
    let (own, others) = bench.both(Case::Predict, &settings)?;
    let peak = |answers: &[Answer]| median(answers.iter().filter_map(|answer| answer.peak_mb));
    let (own_peak, other_peak) = (peak(&own), peak(&others));
    let ratio = own_peak.zip(other_peak).map(|(own, other)| own / other);
    let rows = [
        compared("speed in Mpx/s".into(), &own, &others),
        [vec!["peak memory in MB".into()], [own_peak, other_peak, ratio].map(three_digits).to_vec()].concat(),
    ];
    let Settings { bands, classes, overlap, threads, .. } = settings;
    let title = format!(
        "Prediction: {side}x{side} pixels, {bands} bands u16, {classes} classes, GeoTIFF to COG; {}; chip {chip}, overlap {overlap}, cosine, {threads} threads",
        settings.network_in_words()
    );
    let [what, _, _, ratio] = comparison_head("");
    Ok(markdown(&title, &[&what, "Swath", "Python", &ratio], &rows))
}
