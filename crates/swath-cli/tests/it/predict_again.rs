//! `swath predict` stopped in the middle.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::command::{command, interrupt, wait_until};
use crate::site::{BANDS, Site, grid, value_at, write_bytes};

const OPTIONS: &str = "--chip 64 --overlap 16 --tta --threads 1";

/// A site with a scene that takes a while.
fn large() -> Site {
    let site = Site::with_bundle();
    write_bytes(&site.at("large.tif"), &grid((600, 1200)), &BANDS, value_at);
    site
}

fn predict(site: &Site, out: &str, more: &str) {
    let outputs = format!("-o {out}.tif --confidence {out}-confidence.tif");
    site.swath(&format!("predict bundle.safetensors large.tif {outputs} {OPTIONS} {more}")).done();
}

fn scratch(site: &Site, out: &str) -> PathBuf {
    site.at(&format!(".{out}.tif.swath-partial"))
}

/// Starts a prediction and stops it when some rows are durable.
fn stopped(site: &Site, out: &str, stop: impl Fn(&mut Child)) -> (Option<i32>, String) {
    let outputs = format!("-o {out}.tif --confidence {out}-confidence.tif");
    let arguments = format!("predict bundle.safetensors large.tif {outputs} {OPTIONS}");
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let mut child = command(site.path(), &arguments).stderr(Stdio::piped()).spawn().unwrap();
    let journal = scratch(site, out).join("swath-journal");
    let rows = || fs::read_to_string(&journal).is_ok_and(|text| text.lines().count() > 4);
    wait_until(&mut child, "some rows were done", rows);
    stop(&mut child);
    let output = child.wait_with_output().unwrap();
    assert!(!site.at(&format!("{out}.tif")).exists(), "the map is there before it is complete");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_killed_and_an_interrupted_prediction_resume_to_the_same_bytes() {
    let site = large();
    predict(&site, "whole", "");
    let whole = ["whole.tif", "whole-confidence.tif"].map(|name| site.bytes(name));

    let (code, _) = stopped(&site, "killed", |child| child.kill().unwrap());
    assert_eq!(code, None);
    predict(&site, "killed", "--resume");
    assert!(["killed.tif", "killed-confidence.tif"].map(|name| site.bytes(name)) == whole);

    let (code, message) = stopped(&site, "interrupted", |child| interrupt(child));
    assert_eq!(code, Some(130), "{message}");
    assert!(message.contains("--resume"), "{message}");
    site.refuses(
        &format!("predict bundle.safetensors large.tif -o interrupted.tif {OPTIONS} --resume"),
        1,
        &["interrupted.tif", "outputs"],
    );
    predict(&site, "interrupted", "--resume");
    assert!(["interrupted.tif", "interrupted-confidence.tif"].map(|name| site.bytes(name)) == whole);

    for out in ["killed", "killed-confidence", "interrupted", "interrupted-confidence"] {
        assert!(!scratch(&site, out).exists(), "{out} left its scratch folder");
    }
}
