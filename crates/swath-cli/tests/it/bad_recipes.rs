//! Recipes that cannot be understood: exit status 2, with the line and the nearest key.

use std::fs;

use crate::site::Site;

#[test]
fn mistakes_are_named_with_line_and_nearest_key() {
    let site = Site::new();
    let recipe = fs::read_to_string(site.at("recipe.toml")).unwrap();
    let refuses = |from: &str, to: &str, words: &[&str]| {
        assert!(recipe.contains(from));
        fs::write(site.at("wrong.toml"), recipe.replacen(from, to, 1)).unwrap();
        let line = recipe[..recipe.find(from).unwrap()].matches('\n').count() + 1;
        let line = format!("wrong.toml, line {line}");
        site.refuses("train wrong.toml --run run", 2, &[&[line.as_str()][..], words].concat());
    };
    refuses("steps = 12", "stpes = 12", &["train.stpes", "steps"]);
    refuses("width = 2", "widht = 2", &["model.encoder.plain.widht", "width"]);
    refuses("batch = 2", "batch = 0", &["train.batch is 0", "at least 1"]);
    refuses("chip = 32\nvalidate", "chip = \"big\"\nvalidate", &["train.chip", "whole number"]);
    refuses("lr = 2e-2", "lr = -1.0", &["optimizer.adamw.lr", "above 0"]);
    refuses("steps = 12", "steps = 12 13", &["not valid TOML"]);
    refuses("#1e88e5", "blue", &["blue"]);

    let refuses = |key: &str, words: &[&str]| {
        site.refuses(&format!("train recipe.toml --run run -s {key}"), 2, words);
    };
    refuses("train.stps=1", &["-s train.stps=1", "train.stps", "steps"]);
    refuses("trian.steps=1", &["trian", "train"]);
    refuses("model.encoder.resnte.depth=18", &["resnte", "resnet"]);
    refuses("model.encoder.plain.output_stride=16", &["it is a key of decoders deeplab_v1, "]);
    // Which names there are only the network knows, which the run builds.
    refuses("train.phases=[{rates={encodr=0}}]", &["recipe.toml: -s train.phases", "`encodr`", "`encoder`"]);
    refuses("train.steps", &["key=value"]);
    refuses("data.train=[]", &["data.train is empty"]);
    refuses("train.early_stopping=3 -s data.val=[]", &["-s train.early_stopping=3", "data.val"]);
    site.refuses("train missing.toml --run run", 1, &["missing.toml"]);
}
