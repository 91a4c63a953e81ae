//! `swath assess`: from a map to a sample, and from what was seen to areas with intervals.

use std::fs;

use serde_json::Value;

use crate::site::Site;

#[test]
fn a_map_is_sampled_and_assessed() {
    let site = Site::new();
    let text = site.swath("assess design labels.tif --total 200 --expect land=0.95 -o sample.gpkg").done();
    assert!(text.contains("land") && text.contains("95.0") && text.contains("200 points"), "{text}");
    let text = site.swath("assess design labels.tif --total 200 --ignore 0 -o water.gpkg").done();
    assert!(text.contains("water") && !text.contains("land"), "{text}");
    // Nobody has looked yet.
    site.refuses("assess estimate sample.gpkg --reference-field reference", 1, &["no unit with a reference class"]);
    // The map itself as the reference: all is right.
    let json = site.swath("assess estimate sample.gpkg --reference-field map_value --json").done();
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["overall_accuracy"]["value"], 1.0);
    assert_eq!(found["units"], 200);
    let land = &found["classes"][0];
    let shown: Vec<bool> = (0..96 * 64).map(|at| crate::site::class_at(at / 96, at % 96) == 0).collect();
    let share = shown.iter().filter(|&&land| land).count() as f64 / shown.len() as f64;
    assert!((land["share"]["value"].as_f64().unwrap() - share).abs() < 1e-4, "{land}");
    assert!((found["total_m2"].as_f64().unwrap() / (96.0 * 64.0 * 100.0) - 1.0).abs() < 0.01);

    let both = "assess estimate sample.gpkg --reference-field map_class --csv areas.csv --json areas.json";
    let text = site.swath(both).done();
    assert!(text.contains("Overall accuracy 100.00 ± 0.00 %") && text.contains("Error matrix"), "{text}");
    assert!(fs::read_to_string(site.at("areas.csv")).unwrap().starts_with("measure,class,unit,value"));
    site.refuses(both, 1, &["areas.csv", "exists already", "--overwrite"]);
    let json = site.swath("assess design labels.tif -o other.geojson --seed 2 --json").done();
    // (sqrt(0.85 * 0.15) / 0.01)^2
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["points"], 1275);
}

#[test]
fn what_cannot_be_sampled_or_estimated_is_refused() {
    let site = Site::new();
    site.refuses("assess design scene.tif -o out.gpkg", 1, &["scene.tif", "2 bands"]);
    site.refuses("assess design labels.tif -o out.xlsx", 2, &["out.xlsx", ".gpkg"]);
    site.refuses("assess design labels.tif --total 20 -o out.gpkg", 2, &["100 units", "20"]);
    site.refuses("assess design labels.tif --expect lava=0.5 -o out.gpkg", 2, &["lava", "land, water"]);
    site.refuses("assess design labels.tif --standard-error 0 -o out.gpkg", 2, &["0.01"]);
    site.swath("assess design labels.tif --total 100 -o sample.gpkg").done();
    site.refuses("assess design labels.tif --total 100 -o sample.gpkg", 1, &["sample.gpkg", "--overwrite"]);
    let estimate = |arguments: &str, code, words: &[&str]| {
        site.refuses(&format!("assess estimate sample.gpkg --reference-field {arguments}"), code, words);
    };
    estimate("seen", 1, &["sample.gpkg", "seen", "reference"]);
    estimate("map_class --confidence 95", 2, &["95", "0.95"]);
    estimate("map_class --map scene.tif", 1, &["scene.tif", "2 bands"]);
    site.refuses("assess estimate missing.gpkg --reference-field seen", 1, &["missing.gpkg"]);
}
