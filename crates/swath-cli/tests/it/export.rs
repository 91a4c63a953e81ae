//! `swath export`: what it writes, and what is refused.

use std::fs;

use serde_json::{Value, json};

use crate::site::Site;

fn json_file(site: &Site, name: &str) -> Value {
    serde_json::from_slice(&site.bytes(name)).unwrap()
}

#[test]
fn a_bundle_becomes_a_file_and_an_item() {
    let site = Site::with_bundle();
    let printed = site.swath("export bundle.safetensors --onnx model.onnx --stac item.json").done();
    assert_eq!(printed, "model.onnx\nitem.json\n");
    let item = json_file(&site, "item.json");
    assert_eq!((&item["id"], &item["assets"]["model"]["href"]), (&json!("item"), &json!("model.onnx")));
    assert_eq!(item["properties"]["mlm:input"][0]["input"]["shape"], json!([-1, 2, -1, -1]));
    // The same bundle gives the same bytes.
    site.swath("export bundle.safetensors --onnx again.onnx").done();
    assert!(site.bytes("model.onnx") == site.bytes("again.onnx"));
}

#[test]
fn options_change_the_file() {
    let site = Site::with_bundle();
    let export = |name: &str, more: &str| -> Value {
        let printed = site.swath(&format!("export bundle.safetensors --onnx {name} --json {more}")).done();
        serde_json::from_str(&printed).unwrap()
    };
    let whole = export("whole.onnx", "");
    assert_eq!(whole["classes"], json!(["land", "water"]));
    assert_eq!(whole["bands"], json!(["red", "nir"]));
    let onnx = &whole["onnx"];
    assert_eq!((&onnx["size"], &onnx["size_multiple"], &onnx["batch"]), (&Value::Null, &json!(2), &json!("any")));
    assert_eq!((&onnx["normalizes"], &onnx["output"]), (&json!(true), &json!("scores")));
    assert_eq!(onnx["bytes"], site.bytes("whole.onnx").len());
    let bare = export("bare.onnx", "--with-normalization false --output logits --size 48");
    let onnx = &bare["onnx"];
    assert_eq!(onnx["size"], json!({ "height": 48, "width": 48 }));
    assert_eq!((&onnx["normalizes"], &onnx["output"]), (&json!(false), &json!("logits")));
    let has = |name: &str, word: &str| site.bytes(name).windows(word.len()).any(|found| found == word.as_bytes());
    assert!(has("whole.onnx", "Softmax") && !has("bare.onnx", "Softmax"));
    assert!(has("whole.onnx", "height") && !has("bare.onnx", "height"));
    assert!(has("whole.onnx", "Segmentor") && has("whole.onnx", "standardization_mean"));
}

#[test]
fn an_item_may_describe_the_bundle() {
    let site = Site::with_bundle();
    fs::create_dir(site.at("items")).unwrap();
    site.swath("export bundle.safetensors --stac items/town.json").done();
    let item = json_file(&site, "items/town.json");
    assert_eq!(item["id"], "town");
    assert_eq!(item["assets"]["model"]["href"], "../bundle.safetensors");
    assert_eq!(item["assets"]["model"]["mlm:artifact_type"], "safetensors");
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let site = Site::with_bundle();
    site.refuses("export missing.safetensors --onnx model.onnx", 1, &["missing.safetensors"]);
    site.refuses("export scene.tif --onnx model.onnx", 1, &["scene.tif"]);
    site.refuses("export bundle.safetensors --onnx same --stac same", 2, &["same", "two outputs"]);
    // The names are looked at before the bundle is.
    site.refuses("export missing.safetensors --onnx model.txt", 2, &["--onnx model.txt", ".onnx"]);
    site.refuses("export missing.safetensors --onnx model.onnx --stac item", 2, &["--stac item", ".json"]);
    let usage = |arguments: &str, word: &str| {
        let finished = site.swath(&format!("export bundle.safetensors {arguments}"));
        assert!(finished.code == Some(2) && finished.stderr.contains(word), "{arguments}: {}", finished.stderr);
        assert!(!site.at("model.onnx").exists(), "{arguments}");
    };
    usage("", "<--onnx <FILE>|--stac <FILE>>");
    usage("--onnx model.onnx --size 0", "--size");
    usage("--onnx model.onnx --output labels", "labels");
    usage("--stac item.json --size 64", "--onnx");
    fs::write(site.at("taken.json"), "mine").unwrap();
    site.refuses("export bundle.safetensors --onnx model.onnx --stac taken.json", 1, &["taken.json", "exists already"]);
    site.swath("export bundle.safetensors --onnx model.onnx --stac taken.json --overwrite").done();
}
