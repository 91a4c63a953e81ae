//! Outputs that cannot be written, or that are there already.

use std::process::Stdio;

use crate::command::{command, interrupt, wait_until};
use crate::site::{SIZE, Site, class_at, grid, write_labels};

/// Every verb that writes a file, without the name of the file.
const WRITERS: [&str; 6] = [
    "predict bundle.safetensors scene.tif -o",
    "rasterize polygons.geojson --like scene.tif --class-field kind -o",
    "vectorize labels.tif -o",
    "evaluate --map map.tif --labels labels.tif --json",
    "export bundle.safetensors --onnx",
    "export bundle.safetensors --stac",
];

/// How the names of a verb's files end.
fn ending(writer: &str) -> &'static str {
    match writer.split_once(' ') {
        Some(("vectorize", _)) => "gpkg",
        Some(("export", option)) if option.ends_with("--onnx") => "onnx",
        Some(("export", _)) => "json",
        _ => "tif",
    }
}

fn site() -> Site {
    let site = Site::with_bundle();
    write_labels(&site.at("map.tif"), &grid(SIZE), class_at);
    site.write_polygons("polygons.geojson", &[("lake", [0.0, 0.0, 20.0, 10.0])]);
    site
}

#[test]
fn places_where_nothing_can_be_written_are_named() {
    let site = site();
    // Permissions do not stop root, who runs many a test: files in place of folders and /proc stop everybody.
    for folder in ["recipe.toml", "missing", "/proc"] {
        for writer in WRITERS {
            let out = format!("{folder}/out.{}", ending(writer));
            let line = site.refuses(&format!("{writer} {out}"), 1, &[&out]);
            assert!(line.contains("cannot"), "{line}");
        }
        site.refuses(&format!("stack {folder}/out.tif scene.tif"), 1, &["out.tif", "cannot"]);
        site.refuses(&format!("stack {folder}/out.vrt scene.tif"), 1, &["out.vrt", "cannot"]);
    }
    for folder in ["recipe.toml/inside", "/proc/inside"] {
        site.refuses(&format!("man --dir {folder}"), 1, &[folder, "cannot"]);
        site.refuses(&format!("evaluate --map map.tif --labels labels.tif --report {folder}"), 1, &[folder, "cannot"]);
        site.refuses(&format!("train recipe.toml --run {folder}"), 1, &[folder]);
        site.refuses(&format!("demo --dir {folder}"), 1, &[folder, "cannot"]);
    }
    site.refuses("train recipe.toml --run scene.tif", 1, &["scene.tif", "is a file", "--run"]);
}

#[test]
fn what_is_there_is_replaced_only_when_asked() {
    let site = site();
    let taken = WRITERS.map(|writer| (writer, format!("taken.{}", ending(writer))));
    for (_, out) in &taken {
        std::fs::write(site.at(out), "mine").unwrap();
    }
    for (writer, out) in &taken {
        site.refuses(&format!("{writer} {out}"), 1, &[out, "exists already", "--overwrite"]);
    }
    let more = "--scores taken.tif";
    site.refuses(&format!("{} new.tif {more}", WRITERS[0]), 1, &["taken.tif", "exists already", "--overwrite"]);
    for (writer, out) in &taken {
        site.swath(&format!("{writer} {out} --overwrite")).done();
        assert_ne!(site.bytes(out), b"mine", "{writer}");
    }
}

#[test]
fn what_is_read_is_never_replaced() {
    let site = site();
    for (command, input) in [
        ("predict bundle.safetensors scene.tif -o scene.tif", "scene.tif"),
        ("predict bundle.safetensors scene.tif -o map2.tif --scores ./scene.tif", "scene.tif"),
        ("rasterize polygons.geojson --like scene.tif --class-field kind -o scene.tif", "scene.tif"),
        ("rasterize polygons.geojson --like scene.tif --class-field kind -o polygons.geojson", "polygons.geojson"),
        ("stack scene.tif scene.tif", "scene.tif"),
        ("vectorize labels.tif -o polygons.geojson --clip polygons.geojson", "polygons.geojson"),
    ] {
        let before = site.bytes(input);
        site.refuses(&format!("{command} --overwrite"), 2, &[input, "is read", "another name"]);
        assert_eq!(site.bytes(input), before);
    }
}

#[test]
fn what_is_stopped_leaves_the_output_that_was_there() {
    let site = Site::new();
    // So many polygons that it takes long.
    let noise = |row: usize, col: usize| (((row * 7919 + col * 104_729) * 2_654_435_761) >> 9) as u8 % 2;
    write_labels(&site.at("noise.tif"), &grid((3000, 3000)), noise);
    for out in ["noise.gpkg", "noise.geojson"] {
        std::fs::write(site.at(out), "mine").unwrap();
        let arguments = ["vectorize", "noise.tif", "-o", out, "--overwrite"];
        let mut child = command(site.path(), &arguments).stderr(Stdio::piped()).spawn().unwrap();
        let scratch = site.at(&format!(".{out}.swath-partial"));
        wait_until(&mut child, "the output was begun", || scratch.join(out).exists());
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "stopped\n");
        assert!(!scratch.exists(), "{out} left its scratch folder");
        assert_eq!(site.bytes(out), b"mine");
    }
}
