//! Networks that draw objects with four corners: trained, run, refused.

use std::collections::BTreeMap;
use std::fs;

use swath::evaluate::{ObjectSpec, evaluate_objects};
use swath_geo::PolygonSource;

use crate::site::{BANDS, Site, grid, value_at, write_bytes, write_labels};

/// Objects stand in rows and columns of five, so many pixels apart.
const STEP: usize = 40;
const SIDE: usize = 5 * STEP;

/// Bright boxes, turned by angles of their own; the last one is too long for a patch.
fn inside(row: usize, col: usize) -> bool {
    let number = row / STEP * 5 + col / STEP;
    let (across, along) = match number {
        24 => (3.0, 17.5),
        _ => (6.0 + (number % 3) as f64, 8.0 + (number % 4) as f64),
    };
    let (sine, cosine) = (number as f64 * 0.31).sin_cos();
    let (x, y) = ((col % STEP) as f64 - 19.5, (row % STEP) as f64 - 19.5);
    (x * cosine + y * sine).abs() < along && (y * cosine - x * sine).abs() < across
}

const RECIPE: &str = r##"
[data]
classes = [{ name = "land", color = "#8d6e63" }, { name = "water", color = "#1e88e5" }]
train = [{ scene = "boxes.tif", labels = "boxes_labels.tif", area = { top = 0.8 } }]
val = [{ scene = "boxes.tif", labels = "boxes_labels.tif", area = { bottom = 0.2 } }]
[model.encoder.plain]
width = 6
depth = 3
[model.decoder.polycnn]
channels = [24]
grid = 10
code = 32
hidden = 32
[optimizer.adamw]
lr = 3e-3
[train]
steps = 250
batch = 8
chip = 40
generated_steps = 40
validate_every = 125
phases = [{ until = 20, rates = { "decoder.decode" = 0 } }]
[augment]
shift = 2
"##;

fn boxes(site: &Site) {
    let grid = grid((SIDE, SIDE));
    write_bytes(&site.at("boxes.tif"), &grid, &BANDS, |band, row, col| {
        20 + value_at(0, row, col + band) / 3 + if inside(row, col) { 120 } else { 0 }
    });
    write_labels(&site.at("boxes_labels.tif"), &grid, |row, col| u8::from(inside(row, col)));
    fs::write(site.at("boxes.toml"), RECIPE).unwrap();
}

/// How often each status occurs in a file of outlines.
fn statuses(site: &Site, name: &str) -> BTreeMap<String, usize> {
    let json: serde_json::Value = serde_json::from_slice(&site.bytes(name)).unwrap();
    let mut found = BTreeMap::new();
    for feature in json["features"].as_array().unwrap() {
        let corners = feature["geometry"]["coordinates"][0].as_array().unwrap().len();
        let status = feature["properties"]["status"].as_str().unwrap().to_owned();
        assert!(corners == 5 || status != "four corners", "{feature}");
        assert_eq!(feature["properties"]["class"], "water");
        *found.entry(status).or_default() += 1;
    }
    found
}

#[test]
fn objects_get_four_corners() {
    let site = Site::with_bundle();
    boxes(&site);
    let trained = site.swath("train boxes.toml --run run");
    let said = trained.stderr.clone();
    trained.done();
    assert!(said.contains("20 objects with four corners, 4 for validation; left out: 0 of other shapes"), "{said}");
    assert!(said.contains("generated polygons, step 40 of 40"), "{said}");
    assert!(said.contains("mean IoU of outlines"), "{said}");
    let report = fs::read_to_string(site.at("run/report.html")).unwrap();
    assert!(report.contains("plain encoder, polycnn decoder"));

    site.swath("vectorize boxes_labels.tif -o boxes.gpkg --classes water").done();
    let draw = "outline run/bundle.safetensors boxes.tif --objects boxes.gpkg";
    site.swath(&format!("{draw} -o outlines.geojson")).done();
    assert_eq!(
        statuses(&site, "outlines.geojson"),
        [("four corners".into(), 24), ("kept: larger than a patch".into(), 1)].into()
    );
    site.swath(&format!("{draw} -o outlines.gpkg")).done();
    let spec = |map: &str| ObjectSpec {
        map: site.at(map),
        map_source: PolygonSource { filter: Some("status = 'four corners'".into()), ..PolygonSource::default() },
        labels: site.at("boxes.gpkg"),
        labels_source: PolygonSource::default(),
        iou: 0.5,
        distances: vec![],
    };
    let found = evaluate_objects(&spec("outlines.gpkg")).unwrap();
    assert!(found.matched >= 22 && found.matched_iou > Some(0.7), "{found:?}");

    site.refuses(&format!("{draw} -o outlines.gpkg"), 1, &["outlines.gpkg", "--overwrite"]);
    site.refuses(&format!("{draw} -o outlines.txt"), 2, &["outlines.txt", ".gpkg"]);
    site.refuses("outline run/bundle.safetensors boxes.tif --objects missing.gpkg -o no.gpkg", 1, &["missing.gpkg"]);
    site.refuses(
        "outline bundle.safetensors scene.tif --objects boxes.gpkg -o no.gpkg",
        2,
        &["makes maps", "swath predict"],
    );
    site.refuses("predict run/bundle.safetensors boxes.tif -o no.tif", 2, &["draws outlines", "swath outline"]);
    let printed = site.swath("export run/bundle.safetensors --onnx corners.onnx --stac corners.json --json").done();
    let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(printed["onnx"]["output"], "corners");
    assert_eq!(printed["onnx"]["size"], serde_json::json!({ "height": 40, "width": 40 }));
    let item: serde_json::Value = serde_json::from_slice(&site.bytes("corners.json")).unwrap();
    assert_eq!(item["properties"]["mlm:tasks"], serde_json::json!(["instance-segmentation"]));
    assert_eq!(item["properties"]["mlm:output"][0]["result"]["shape"], serde_json::json!([-1, 4, 2]));
    site.refuses("export run/bundle.safetensors --onnx no.onnx --output logits", 2, &["draws outlines", "--output"]);
}

#[test]
fn recipes_for_outlines_say_what_they_lack() {
    let site = Site::new();
    boxes(&site);
    // Patches in which no box finds its place.
    fs::write(site.at("small.toml"), RECIPE.replace("chip = 40", "chip = 16")).unwrap();
    site.refuses("train small.toml --run no", 1, &["boxes", "are longer", "16 pixels"]);
    let refuses = |from: &str, to: &str, words: &[&str]| {
        let recipe = RECIPE.replace(from, to);
        assert_ne!(recipe, RECIPE, "{from}");
        fs::write(site.at("wrong.toml"), recipe).unwrap();
        site.refuses("train wrong.toml --run no", 2, words);
    };
    refuses(
        "[model.decoder.polycnn]\nchannels = [24]\ngrid = 10\ncode = 32\nhidden = 32",
        "[model.decoder.unet]",
        &["train.generated_steps", "unet"],
    );
    refuses("[optimizer.adamw]", "[loss]\nterms = [{ soft_iou = {} }]\n[optimizer.adamw]", &["loss", "polycnn"]);
    refuses("chip = 40", "chip = 40\nsampler = \"balanced\"", &["train.sampler", "polycnn"]);
    let other = r##"[{ name = "rock", color = "#888888", values = [7] }, "##;
    refuses("classes = [", &format!("classes = {other}"), &["data.classes", "3", "polycnn"]);
    refuses(
        "labels = \"boxes_labels.tif\", area = { top = 0.8 }",
        "labels = \"boxes.gpkg\", class = \"land\"",
        &["data.train[0]", "class = \"water\""],
    );
    refuses("labels = \"boxes_labels.tif\", area = { top = 0.8 }", "class = \"water\"", &["data.train[0]", "labels"]);
}
