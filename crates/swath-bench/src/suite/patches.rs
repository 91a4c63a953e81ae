//! What maps cost by patch classification, beside networks that label each pixel of a chip at once.

use anyhow::Result;

use crate::case::Case;
use crate::data;
use crate::settings::{Effort, Network, PATCH, Settings};
use crate::side::Bench;
use crate::table::{markdown, median, three_digits};

/// One scene by each way of labelling it.
pub(crate) fn patches(bench: &Bench) -> Result<String> {
    let side: usize = if bench.effort() == Effort::Quick { 64 } else { 256 };
    let base = Settings {
        scene: bench.file("patches-scene.tif"),
        out: bench.file("patches-map.tif"),
        bands: 3,
        chip: 256,
        ..Settings::default()
    };
    data::write_scene(&base.scene, side, side, base.bands, base.classes)?;
    let cells = |cell: usize| side.div_ceil(cell).pow(2).to_string();
    let kinds = [
        ("`cnn-pc`: centre pixel of a patch", Network::CnnPc, cells(1)),
        ("`cnn-spl`: 8x8 pixels of a patch", Network::CnnSpl, cells(8)),
        ("the whole patch of 64x64 pixels", Network::CnnWhole, cells(PATCH)),
        ("`cnn-fpl`: every pixel of a chip of 256x256, same encoder", Network::CnnFpl, "chips".into()),
        ("`unet-half`: every pixel of a chip of 256x256", Network::Unet, "chips".into()),
    ];
    let mut rows = Vec::new();
    for (title, network, passes) in kinds {
        let settings = Settings { network, width: 32, ..base.clone() };
        let mut seconds = Vec::new();
        for _ in 0..bench.rounds() {
            seconds.push(bench.swath(Case::Predict, &settings)?.seconds);
        }
        let seconds = median(seconds);
        eprintln!("{title}: {} s", three_digits(seconds));
        let rate = seconds.map(|seconds| (side * side) as f64 / 1e6 / seconds);
        let rate = rate.map_or("-".into(), |rate| format!("{rate:.4}"));
        rows.push(vec![title.to_owned(), passes, three_digits(seconds), rate]);
    }
    let title = format!(
        "A scene of {side}x{side} pixels, {} bands, {} classes, GeoTIFF to COG, {} threads, medians of {} rounds; patches of \
         {PATCH}x{PATCH} pixels",
        base.bands,
        base.classes,
        base.threads,
        bench.rounds(),
    );
    Ok(markdown(&title, &["what is labelled at once", "passes of the network", "seconds", "Mpx/s"], &rows))
}
