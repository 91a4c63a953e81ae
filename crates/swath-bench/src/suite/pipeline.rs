//! A whole scene, beside a pipeline of rasterio and OpenVINO.

use std::path::Path;

use anyhow::{Context, Result};
use swath_geo::{Edge, Scene};

use super::network::Ratios;
use crate::case::{Answer, Case};
use crate::data;
use crate::inputs;
use crate::load;
use crate::settings::{Effort, Engine, Settings};
use crate::side::{Bench, check_same_network};
use crate::table::{markdown, median, three_digits};

const ENGINES: [Engine; 4] = [Engine::Swath, Engine::SwathBf16, Engine::OpenvinoF32, Engine::Openvino];

/// What an engine did in all rounds.
struct Run {
    engine: Engine,
    answers: Vec<Answer>,
    /// The classes of its map.
    labels: Vec<f32>,
}

/// One scene from GeoTIFF to COG: the same weights, chips, overlap and weights of blending on both sides.
pub(super) fn pipeline(bench: &Bench) -> Result<String> {
    let (side, chip, width) = if bench.effort() == Effort::Quick { (600, 256, 8) } else { (2048, 512, 32) };
    let settings = Settings {
        scene: bench.file("pipeline-scene.tif"),
        out: bench.file("pipeline-map.tif"),
        weights: Some(bench.file("pipeline.safetensors")),
        chip,
        width,
        ..Settings::default()
    };
    data::write_scene(&settings.scene, side, side, settings.bands, settings.classes)?;
    write_network(bench, &settings)?;
    let load = load::average();
    let mut runs: Vec<Run> = Vec::new();
    for round in 0..bench.rounds() {
        for engine in ENGINES {
            let settings = Settings { engine, ..settings.clone() };
            let answer = if engine.is_own() {
                Some(bench.swath(Case::Predict, &settings)?)
            } else {
                bench.python(&Case::Predict.name(), &settings)?
            };
            let Some(answer) = answer else { continue };
            eprintln!("scene {}, {}: {:.2} s", round + 1, engine.title(), answer.seconds);
            match runs.iter_mut().find(|run| run.engine == engine) {
                Some(run) => run.answers.push(answer),
                None => runs.push(Run { engine, answers: vec![answer], labels: read_labels(&settings.out)? }),
            }
        }
    }
    let Settings { bands, classes, overlap, threads, .. } = settings;
    let title = format!(
        "Whole scene, GeoTIFF to COG: {side}x{side} pixels, {bands} bands u16, {classes} classes; {}; chip {chip}, \
         overlap {overlap}, cosine, {threads} threads; {} rounds, load before the start {}",
        settings.network_in_words(),
        bench.rounds(),
        three_digits(load),
    );
    let own = runs.first().context("nothing was measured")?;
    let times: Vec<(Engine, f64)> = runs.iter().filter_map(|run| Some((run.engine, run.seconds()?))).collect();
    let ratios = Ratios::new(&times);
    let head =
        [&["engine", "seconds", "fastest, s"], ratios.head().as_slice(), &["peak MB", "same class as Swath"]].concat();
    let rows: Vec<Vec<String>> = runs.iter().map(|run| row(run, own, &ratios)).collect();
    Ok(markdown(&title, &head, &rows))
}

/// Weights, and from them the ONNX file of the pipeline.
fn write_network(bench: &Bench, settings: &Settings) -> Result<()> {
    let inputs = Settings {
        scene: bench.file("pipeline-images.f32"),
        labels: bench.file("pipeline-labels.u8"),
        out: bench.file("pipeline-logits.f64"),
        batch: 1,
        ..settings.clone()
    };
    let trained = inputs::write(&inputs)?;
    let peer = bench.python("logits", &inputs)?;
    check_same_network(Some(trained), peer.and_then(|answer| answer.parameters))
}

fn read_labels(map: &Path) -> Result<Vec<f32>> {
    let map = Scene::open_paths(&[map])?;
    Ok(map.reader()?.read(map.grid().window(), Edge::Mirror)?.values.data)
}

fn row(run: &Run, own: &Run, ratios: &Ratios) -> Vec<String> {
    let peak = median(run.answers.iter().filter_map(|answer| answer.peak_mb));
    let same = run.labels.iter().zip(&own.labels).filter(|(label, own)| label == own).count();
    let first = vec![
        run.engine.title().into(),
        three_digits(run.seconds()),
        three_digits(run.answers.iter().map(|answer| answer.seconds).reduce(f64::min)),
    ];
    let last = vec![
        peak.map_or("-".into(), |peak| format!("{peak:.0}")),
        format!("{:.5}", same as f64 / own.labels.len() as f64),
    ];
    [first, ratios.row(run.seconds()), last].concat()
}

impl Run {
    fn seconds(&self) -> Option<f64> {
        median(self.answers.iter().map(|answer| answer.seconds))
    }
}
