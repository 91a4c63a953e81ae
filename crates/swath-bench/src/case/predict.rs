//! A whole scene, from a file to a file.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Result;
use burn::tensor::Device;
use swath::predict::{self, Model, Options, Outputs, Patches, SegmenterNetwork};
use swath_geo::Scene;
use swath_nn::decoder::DecoderConfig;

use super::{Answer, config, network};
use crate::data;
use crate::settings::{MEAN, PATCH, STD, Settings};

/// Predicts the scene. Timed from opening it to the finished map, the making of the network included.
pub(super) fn run(settings: &Settings) -> Result<Answer> {
    let start = Instant::now();
    let device = Device::flex();
    let network = SegmenterNetwork::new(network(settings, &device)?, settings.bands, settings.classes, &device);
    let mut network = network.with_precision(settings.engine.precision())?.for_one_size();
    let scene = Scene::open_paths(&[&settings.scene])?;
    let model = Model {
        name: "bench".into(),
        digest: "bench".into(),
        device: "cpu".into(),
        precision: settings.engine.precision(),
        bands: scene.bands().iter().map(|band| band.name.clone()).collect(),
        mean: vec![MEAN; settings.bands],
        std: vec![STD; settings.bands],
        gsd: None,
        classes: data::classes(settings.classes),
    };
    let outputs = Outputs { overwrite: true, ..Outputs::map(&settings.out) };
    let patches = match config(settings)?.decoder {
        DecoderConfig::Classifier(classifier) => Some(Patches { patch: PATCH, cell: classifier.cell.unwrap_or(PATCH) }),
        _ => None,
    };
    let options = Options { chip: settings.chip, overlap: settings.overlap, patches, ..Options::default() };
    let go_on = AtomicBool::new(false);
    let summary = predict::run(&model, &mut network, &scene, &outputs, &options, &mut |_| (), &go_on)?;
    let seconds = start.elapsed().as_secs_f64();
    let megapixels = (scene.grid().width * scene.grid().height) as f64 / 1e6;
    let engine_mb = Some(summary.memory.total() as f64 / 1e6);
    Ok(Answer { rate: megapixels / seconds, seconds, engine_mb, ..Answer::default() })
}
