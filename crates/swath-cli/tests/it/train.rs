//! `swath train`: what changes a run, what does not, and what is refused.

use std::fs;

use swath::bundle::Bundle;

use crate::site::{SIZE, Site, grid, write_bytes, write_labels, write_numbers};
use crate::site::{class_at, value_at};

/// The weights of a run, by name.
fn weights(site: &Site, run: &str) -> Vec<swath_nn::weights::NamedTensor> {
    let mut weights = Bundle::load(&site.at(run).join("bundle.safetensors")).unwrap().weights;
    weights.sort_by(|a, b| a.name.cmp(&b.name));
    weights
}

#[test]
fn threads_and_workers_do_not_change_a_run() {
    let site = Site::new();
    let train = |run: &str, more: &str| site.swath(&format!("train recipe.toml --run {run} {more}")).done();
    train("one", "--threads 1 -s train.workers=0");
    train("two", "--threads 2 -s train.workers=2");
    train("five", "--threads 5 -s train.workers=1");
    train("other", "--threads 1 -s train.seed=2");
    assert!(weights(&site, "one") == weights(&site, "two"));
    assert!(weights(&site, "one") == weights(&site, "five"));
    assert!(weights(&site, "one") != weights(&site, "other"));
}

/// A key of another encoder chooses that encoder, which nobody should learn from the weights.
#[test]
fn another_encoder_by_a_key_is_told() {
    let site = Site::new();
    let train = |run: &str, keys: &str| site.swath(&format!("train recipe.toml --run {run} -s train.steps=1 {keys}"));
    let other = train("other", "-s model.encoder.resnet.depth=18 -s model.encoder.resnet.width=2");
    assert!(other.stderr.contains("note: by -s, model.encoder is resnet in place of plain"), "{}", other.stderr);
    other.done();
    let same = train("same", "-s model.encoder.plain.width=3");
    assert!(!same.stderr.contains("in place of"), "{}", same.stderr);
}

#[test]
fn early_stopping_is_told() {
    let site = Site::new();
    let keys = "-s train.steps=400 -s train.validate_every=2 -s train.early_stopping=2";
    let finished = site.swath(&format!("train recipe.toml --run run {keys}"));
    assert!(finished.stderr.contains("validations stopped getting better"), "{}", finished.stderr);
    finished.done();
    assert!(site.at("run/report.html").is_file());
}

#[test]
fn a_loss_that_is_no_number_stops_with_step_chips_and_advice() {
    let site = Site::new();
    let keys = "-s optimizer.sgd.lr=1e30 -s model.encoder.plain.batch_norm=false -s train.validate_every=12";
    let line = site
        .swath(&format!("train recipe.toml --run run --quiet {keys}"))
        .fails(1, &["run", "step 2", "column", "row", "scene", "optimizer.sgd.lr", "clip_norm"]);
    assert!(!line.contains("adamw"), "{line}");
    assert!(!site.at("run/bundle.safetensors").exists() && !site.at("run/last").exists());
}

#[test]
fn data_that_cannot_train_is_refused_before_a_run_folder_is_made() {
    let site = Site::new();
    let refuses = |keys: &str, words: &[&str]| {
        site.refuses(&format!("train recipe.toml --run run {keys}"), 1, words);
    };
    refuses("-s data.train[0].scene=missing.tif", &["missing.tif"]);
    refuses("-s data.train[0].labels=missing.tif", &["missing.tif"]);

    let scene = site.bytes("scene.tif");
    fs::write(site.at("cut.tif"), &scene[..scene.len() / 2]).unwrap();
    refuses("-s data.train[0].scene=cut.tif", &["cut.tif"]);

    let mut far = grid(SIZE);
    far.transform.0[0] += 50_000.0;
    write_labels(&site.at("far.tif"), &far, class_at);
    refuses("-s data.train[0].labels=far.tif", &["far.tif", "scene", "overlap"]);

    write_labels(&site.at("seven.tif"), &grid(SIZE), |row, col| if row == 3 && col > 4 { 7 } else { 1 });
    refuses("-s data.train[0].labels=seven.tif", &["seven.tif", "7", "column 5, row 3"]);
    refuses("-s data.val[0].labels=seven.tif", &["seven.tif", "7", "column 5, row 3"]);

    write_labels(&site.at("nothing.tif"), &grid(SIZE), |_, _| 255);
    refuses("-s data.train[0].labels=nothing.tif", &["no pixel is labelled", "scene"]);

    write_numbers(&site.at("void.tif"), &grid(SIZE), Some(-1.0), |_, _, _| -1.0);
    refuses("-s data.train[0].scene=void.tif", &["void", "no valid pixel"]);
    write_numbers(&site.at("nan.tif"), &grid(SIZE), None, |_, _, _| f32::NAN);
    refuses("-s data.train[0].scene=nan.tif", &["nan", "no valid pixel"]);

    write_bytes(&site.at("wide.tif"), &grid(SIZE), &["red", "nir", "blue"], value_at);
    refuses("-s data.val[0].scene=wide.tif", &["wide", "3 bands", "2"]);
    refuses(r#"-s data.bands=["red","swir"]"#, &["scene.tif", "swir", "red, nir"]);
}

#[test]
fn values_that_are_no_numbers_count_as_invalid() {
    let site = Site::new();
    let value = |band: usize, row: usize, col: usize| match (row * 5 + col * 3) % 17 {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2 if band == 1 => f32::NEG_INFINITY,
        _ => f32::from(value_at(band, row, col)),
    };
    write_numbers(&site.at("holes.tif"), &grid(SIZE), None, value);
    let keys = "-s data.train[0].scene=holes.tif -s data.val[0].scene=holes.tif";
    site.swath(&format!("train recipe.toml --run run {keys}")).done();
    site.swath("predict run/bundle.safetensors holes.tif -o map.tif").done();
    let map = swath_geo::Scene::open_paths(&[site.at("map.tif")]).unwrap();
    let pixels = map.reader().unwrap().read(grid(SIZE).window(), swath_geo::Edge::Invalid).unwrap();
    for (at, valid) in pixels.valid.iter().enumerate() {
        let (row, col) = (at / SIZE.0, at % SIZE.0);
        assert_eq!(*valid, (0..2).all(|band| value(band, row, col).is_finite()), "row {row}, column {col}");
    }
}
