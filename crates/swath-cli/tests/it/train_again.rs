//! `swath train` on a folder that holds a run: refused, replaced, or continued to the bit.

use std::fs;
use std::process::Stdio;

use swath::bundle::Bundle;
use swath::train::journal::{self, Record};

use crate::command::{command, interrupt, wait_until};
use crate::site::Site;

/// Long enough to be stopped in the middle.
const LONG: &str = "-s train.steps=240 -s train.validate_every=40";

/// What two equal runs have in common: bundle, last checkpoint, metrics. Not the time that they took, and not
/// the number of threads that loaded their chips. The optimizer's file lists its tensors in any order; what it holds
/// shows in the weights of the steps after a resume.
struct Outcome {
    best: Bundle,
    last: Bundle,
    records: Vec<Record>,
}

fn outcome(site: &Site, run: &str) -> Outcome {
    let folder = site.at(run);
    let timeless = |name: &str| {
        let mut bundle = Bundle::load(&folder.join(name)).unwrap();
        bundle.header.provenance.seconds = 0.0;
        bundle.header.recipe.train.workers = 0;
        bundle.weights.sort_by(|a, b| a.name.cmp(&b.name));
        bundle
    };
    let mut records = journal::read(&folder.join("metrics.jsonl")).unwrap();
    for record in &mut records {
        if let Record::Step { images_per_s, .. } = record {
            *images_per_s = 0.0;
        }
    }
    Outcome { best: timeless("bundle.safetensors"), last: timeless("last/bundle.safetensors"), records }
}

/// Fails with the first thing in which two runs differ.
#[track_caller]
fn assert_equal(site: &Site, run: &str, whole: &Outcome) {
    let Outcome { best, last, records } = outcome(site, run);
    let pairs = records.iter().zip(&whole.records);
    assert_eq!(pairs.clone().find(|(ours, theirs)| ours != theirs), None, "{run}");
    assert_eq!(records.len(), whole.records.len(), "{run}");
    for (bundle, theirs, name) in [(best, &whole.best, "bundle"), (last, &whole.last, "last/bundle")] {
        assert_eq!(bundle.header, theirs.header, "{name} of {run}");
        assert!(bundle.weights == theirs.weights, "weights of {name} of {run}");
    }
}

fn train(site: &Site, run: &str, more: &str) -> String {
    site.swath(&format!("train recipe.toml --run {run} {LONG} {more}")).done()
}

/// Starts a run and stops it after its first checkpoint.
fn stopped(site: &Site, run: &str, stop: impl Fn(&mut std::process::Child)) -> (Option<i32>, String) {
    let arguments = format!("train recipe.toml --run {run} --quiet {LONG}");
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let mut child = command(site.path(), &arguments).stderr(Stdio::piped()).spawn().unwrap();
    let state = site.at(run).join("last/state.json");
    wait_until(&mut child, "its first checkpoint", || state.exists());
    stop(&mut child);
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_interrupted_run_and_a_killed_one_resume_to_the_bit() {
    let site = Site::new();
    train(&site, "whole", "");
    let whole = outcome(&site, "whole");
    assert!(whole.best.weights.iter().any(|tensor| tensor.name.contains("running")), "no running statistics");

    let (code, message) = stopped(&site, "interrupted", |child| interrupt(child));
    assert_eq!(code, Some(130), "{message}");
    assert!(message.contains("train recipe.toml --run interrupted --resume"), "{message}");
    train(&site, "interrupted", "--resume --threads 1 -s train.workers=0");
    assert_equal(&site, "interrupted", &whole);

    let (code, _) = stopped(&site, "killed", |child| child.kill().unwrap());
    assert_eq!(code, None);
    train(&site, "killed", "--resume");
    assert_equal(&site, "killed", &whole);

    // A run that is complete has nothing to go on with.
    train(&site, "killed", "--resume");
    assert_equal(&site, "killed", &whole);
}

#[test]
fn a_run_is_neither_replaced_nor_continued_by_accident() {
    let site = Site::new();
    site.swath("train recipe.toml --run run").done();
    site.refuses("train recipe.toml --run run", 1, &["run", "--resume", "--overwrite"]);
    let other = "train recipe.toml --run run --resume -s optimizer.adamw.lr=0.5";
    site.refuses(other, 1, &["run", "optimizer.adamw.lr", "--run"]);
    site.refuses("train recipe.toml --run run --resume -s augment.shift=9", 1, &["augment.shift"]);

    fs::write(site.at("run/notes.txt"), "mine").unwrap();
    site.swath("train recipe.toml --run run --overwrite -s train.steps=4").done();
    assert_eq!(journal::read(&site.at("run/metrics.jsonl")).unwrap().len(), 5);
    assert_eq!(site.bytes("run/notes.txt"), b"mine");
}

#[test]
fn a_damaged_checkpoint_is_named() {
    let site = Site::new();
    site.swath("train recipe.toml --run run").done();
    for file in ["last/optimizer.bpk", "last/bundle.safetensors", "last/state.json"] {
        let whole = site.bytes(&format!("run/{file}"));
        fs::write(site.at("run").join(file), &whole[..whole.len() / 2]).unwrap();
        site.swath("train recipe.toml --run run --resume --quiet").fails(1, &[file]);
        fs::write(site.at("run").join(file), &whole).unwrap();
    }
    site.swath("train recipe.toml --run run --resume").done();
}
