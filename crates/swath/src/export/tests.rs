use std::collections::BTreeMap;

use serde_json::{Value, json};
use swath_nn::decoder::classifier::ClassifierConfig;
use swath_nn::weights;

use super::*;
use crate::bundle::{Calibration, FORMAT_VERSION, Normalization, Provenance};
use crate::pretrained::Origin;
use crate::recipe::Recipe;

const RECIPE: &str = r##"
[data]
classes = [{ name = "open land", color = "#8d6e63" }, { name = "water", color = "#1e88e5" }]
train = [{ scene = "scene.tif", labels = "labels.tif" }]
[model.encoder.plain]
width = 2
depth = 3
[model.decoder.unet]
[predict]
chip = 50
overlap = 10
"##;

fn bundle() -> Bundle {
    let recipe = Recipe::from_toml_str(RECIPE).unwrap();
    let network = recipe.model.segmenter(2, 2).init(&burn::tensor::Device::flex()).unwrap();
    let header = Header {
        format_version: FORMAT_VERSION,
        classes: recipe.data.classes.clone(),
        recipe,
        bands: vec!["red".into(), "nir".into()],
        normalization: Normalization { mean: vec![51.0, 102.0], std: vec![25.5, 51.0] },
        gsd: Some(0.5),
        calibration: Calibration { temperature: 2.0 },
        provenance: Provenance { scenes: vec!["town".into()], ..Provenance::default() },
        licence: Some("CC-BY-4.0".into()),
    };
    Bundle { header, weights: weights::read(&network) }
}

fn entries(normalized: bool, size: Option<usize>) -> BTreeMap<String, Value> {
    let entries = metadata(&bundle().header, normalized, size, 4).into_iter();
    entries.map(|(key, value)| (key, serde_json::from_str(&value).unwrap())).collect()
}

#[test]
fn deepness_finds_its_keys() {
    let entries = entries(true, None);
    assert_eq!(entries["model_type"], "Segmentor");
    assert_eq!(entries["class_names"], json!({ "0": "open land", "1": "water" }));
    assert_eq!(entries["resolution"], 50.0);
    assert_eq!((&entries["tile_size"], &entries["tiles_size"]), (&json!(52), &json!(52)));
    assert_eq!(entries["tiles_overlap"], 20);
    assert_eq!(entries["licence"], "CC-BY-4.0");
    assert!(!entries.contains_key("encoder_licence"));
}

#[test]
fn what_the_encoder_started_from_keeps_its_licence() {
    let mut bundle = bundle();
    let item = stac_item(&bundle, "a", "a", Asset::Bundle).to_string();
    assert!(!item.contains("Its encoder"), "{item}");
    bundle.header.provenance.encoder = Some(Origin {
        file: "encoder.safetensors".into(),
        sha256: String::new(),
        library: "Swath".into(),
        licence: Some("CC-BY-NC-4.0".into()),
        from: None,
    });
    let entries = metadata(&bundle.header, true, None, 4);
    assert!(entries.contains(&("encoder_licence".to_string(), "\"CC-BY-NC-4.0\"".to_string())), "{entries:?}");
    let item = stac_item(&bundle, "a", "a", Asset::Bundle);
    assert_eq!(item["properties"]["license"], "CC-BY-4.0");
    let description = item["properties"]["description"].as_str().unwrap();
    assert!(description.ends_with("Its encoder starts from weights under the licence CC-BY-NC-4.0"), "{description}");
}

#[test]
fn deepness_gives_the_file_what_it_takes() {
    for (normalized, expected) in [(true, [153.0, 102.0]), (false, [4.0, 0.0])] {
        let entries = entries(normalized, Some(64));
        assert_eq!(entries["tile_size"], 64);
        let number = |key: &str, band: usize| entries[key][band].as_f64().unwrap();
        for (band, (byte, expected)) in [153.0, 102.0].into_iter().zip(expected).enumerate() {
            let given = (byte / 255.0 - number("standardization_mean", band)) / number("standardization_std", band);
            assert!((given - expected).abs() < 1e-4, "{given}");
        }
    }
}

#[test]
fn an_item_has_what_the_extension_requires() {
    let bundle = bundle();
    let options = ExportOptions { size: Some(64), ..ExportOptions::default() };
    let model = to_onnx(&bundle, &options).unwrap();
    let item = stac_item(&bundle, "town", "town.onnx", Asset::Onnx(&model, &options));
    assert_eq!(
        (&item["type"], &item["stac_version"], &item["id"]),
        (&json!("Feature"), &json!("1.1.0"), &json!("town"))
    );
    assert_eq!(item["stac_extensions"], json!(["https://stac-extensions.github.io/mlm/v1.5.2/schema.json"]));
    let model = &item["assets"]["model"];
    assert_eq!((&model["href"], &model["roles"]), (&json!("town.onnx"), &json!(["mlm:model"])));
    assert_eq!(model["mlm:artifact_type"], "onnx");
    let properties = &item["properties"];
    let bands = json!([{ "name": "red" }, { "name": "nir" }]);
    assert_eq!((&properties["bands"], &model["bands"]), (&bands, &bands));
    assert_eq!(properties["mlm:name"], "plain unet");
    assert_eq!(properties["mlm:architecture"], "plain encoder with unet decoder");
    assert_eq!(properties["mlm:tasks"], json!(["semantic-segmentation"]));
    assert_eq!((&properties["gsd"], &properties["license"]), (&json!(0.5), &json!("CC-BY-4.0")));
    let input = &properties["mlm:input"][0];
    assert_eq!((&input["input"]["shape"], &input["bands"]), (&json!([-1, 2, 64, 64]), &json!(["red", "nir"])));
    assert_eq!(input["value_scaling"], Value::Null);
    let output = &properties["mlm:output"][0];
    assert_eq!((&output["name"], &output["result"]["shape"]), (&json!("scores"), &json!([-1, 2, 64, 64])));
    let class = json!({ "value": 0, "name": "open_land", "description": "open land", "color_hint": "8D6E63" });
    assert_eq!(output["classification:classes"][0], class);
}

#[test]
fn a_licence_that_is_no_identifier_is_described() {
    let mut bundle = bundle();
    for licence in ["MIT OR Apache-2.0", "for research only"] {
        bundle.header.licence = Some(licence.into());
        let item = stac_item(&bundle, "a", "a", Asset::Bundle);
        assert_eq!(item["properties"]["license"], "other");
        let description = item["properties"]["description"].as_str().unwrap();
        assert!(description.ends_with(&format!(". Licence: {licence}")), "{description}");
    }
}

#[test]
fn a_description_names_a_few_scenes() {
    let text = |count: usize| {
        let mut bundle = bundle();
        bundle.header.provenance.scenes = (0..count).map(|number| format!("s{number}")).collect();
        let item = stac_item(&bundle, "a", "a", Asset::Bundle);
        item["properties"]["description"].as_str().unwrap().to_owned()
    };
    assert!(text(0).ends_with("red, nir"), "{}", text(0));
    assert!(text(5).ends_with(", trained on s0, s1, s2, s3, s4"), "{}", text(5));
    assert!(text(300).ends_with(", trained on s0, s1, s2, s3, s4 and 295 more scenes"), "{}", text(300));
}

#[test]
fn a_classifier_is_for_patches_of_its_training() {
    let recipe = RECIPE.replace("[model.decoder.unet]", "[model.decoder.classifier]\n[train]\nchip = 24");
    let mut bundle = bundle();
    bundle.header.recipe = Recipe::from_toml_str(&recipe).unwrap();
    let network = bundle.header.recipe.model.segmenter(2, 2).init(&burn::tensor::Device::flex()).unwrap();
    bundle.weights = weights::read(&network);
    assert_eq!(to_onnx(&bundle, &ExportOptions::default()).unwrap().size, Some([24, 24]));
    let larger = ExportOptions { size: Some(40), ..ExportOptions::default() };
    let refused = to_onnx(&bundle, &larger).unwrap_err().to_string();
    assert!(refused.contains("patches of 24 pixels") && refused.contains("not of 40"), "{refused}");
    assert!(to_onnx(&bundle, &ExportOptions { size: Some(24), ..larger }).is_ok());
}

#[test]
fn the_task_of_a_classifier_is_what_its_class_stands_for() {
    let task = |cell| {
        let mut bundle = bundle();
        bundle.header.recipe.model.decoder = ClassifierConfig { cell, ..ClassifierConfig::default() }.into();
        let item = stac_item(&bundle, "a", "a", Asset::Bundle);
        [&item["properties"]["mlm:tasks"][0], &item["properties"]["mlm:output"][0]["tasks"][0]].map(|task| task.clone())
    };
    assert_eq!(task(None), ["scene-classification", "scene-classification"]);
    assert_eq!(task(Some(1)), ["classification", "classification"]);
}

#[test]
fn an_item_of_a_bundle_tells_the_normalization() {
    let bundle = bundle();
    let item = stac_item(&bundle, "town", "bundle.safetensors", Asset::Bundle);
    assert_eq!(item["assets"]["model"]["mlm:artifact_type"], "safetensors");
    let properties = &item["properties"];
    let scaling = json!([{ "type": "z-score", "mean": 51.0, "stddev": 25.5 }, { "type": "z-score", "mean": 102.0, "stddev": 51.0 }]);
    assert_eq!(properties["mlm:input"][0]["value_scaling"], scaling);
    assert_eq!(properties["mlm:output"][0]["name"], "logits");
    let learned =
        bundle.weights.iter().filter(|tensor| !tensor.name.contains("running")).map(|tensor| tensor.data.len());
    assert_eq!(properties["mlm:total_parameters"], learned.sum::<usize>());
}
