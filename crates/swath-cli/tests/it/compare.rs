//! `swath compare`: several networks with the same budget.

use std::fs;

use crate::site::Site;

const MODELS: &str = "
[small.encoder.plain]
width = 2
depth = 2
[small.decoder.unet]

[scored.encoder.plain]
width = 3
depth = 2
[scored.decoder.fcn]
stride = 2
";

#[test]
fn networks_are_trained_alike_and_told_in_one_table() {
    let site = Site::new();
    fs::write(site.at("models.toml"), MODELS).unwrap();
    let table = site.swath("compare recipe.toml --models models.toml --run all --quiet").done();
    assert_eq!(table, String::from_utf8(site.bytes("all/comparison.md")).unwrap());
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split('|').map(str::trim).collect()).collect();
    assert_eq!(rows[0][1..4], ["network", "IoU, last, %", "IoU, best, %"]);
    let mut names = [rows[2][1], rows[3][1]];
    assert!(rows[2][2].parse::<f64>().unwrap() >= rows[3][2].parse::<f64>().unwrap(), "the better one comes first");
    names.sort_unstable();
    assert_eq!((names, rows.len()), (["scored", "small"], 4));

    // Each run is what `swath train` makes of the recipe with that network.
    site.swath("train recipe.toml --run alone").done();
    let weights = |run: &str| {
        let mut weights = swath::bundle::Bundle::load(&site.at(run).join("bundle.safetensors")).unwrap().weights;
        weights.sort_by(|a, b| a.name.cmp(&b.name));
        weights
    };
    assert!(weights("all/small") == weights("alone"));
    assert!(site.at("all/scored/report.html").is_file());

    // What is done is not done again.
    let before = site.bytes("all/small/metrics.jsonl");
    let again = site.swath("compare recipe.toml --models models.toml --run all --quiet --json --resume").done();
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!((again[1]["name"].as_str(), again[1]["steps"].as_u64()), (Some("small"), Some(12)));
    assert_eq!(site.bytes("all/small/metrics.jsonl"), before);
    site.refuses("compare recipe.toml --models models.toml --run all", 1, &["all/scored", "--overwrite"]);
}

#[test]
fn networks_that_cannot_be_are_refused_before_any_is_trained() {
    let site = Site::new();
    let refuses = |models: &str, words: &[&str]| {
        fs::write(site.at("models.toml"), models).unwrap();
        site.refuses("compare recipe.toml --models models.toml --run all", 2, words);
    };
    refuses("[a.encoder.plain]\n[a.decoder.unit]\n", &["models.toml", "unit"]);
    refuses("[a.encoder.resnet]\n[a.decoder.segnet]\n", &["a: ", "segnet", "nearest valid choice"]);
    refuses("['../a'.encoder.plain]\n['../a'.decoder.unet]\n", &["'../a' cannot be the name of a folder"]);
    refuses("", &["no network to train"]);
    site.refuses(
        "compare recipe.toml --presets unet,u-net --run all",
        2,
        &["u-net", "did you mean unet?", "swath models"],
    );
    site.refuses("compare recipe.toml --presets unet,segnet,unet --run all", 2, &["unet twice"]);
}
