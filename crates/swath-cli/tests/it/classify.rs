//! Networks that classify whole images or patches, from folders of images to tables and maps.

use std::fs;

use crate::site::{BANDS, SIZE, Site, class_at, grid, value_at, write_bytes};

/// Twelve images of dark and of bright noise, each kind in a folder of its name.
fn images(site: &Site) {
    for (kind, level) in [("dark", 30), ("bright", 160)] {
        fs::create_dir_all(site.at("images").join(kind)).unwrap();
        for number in 0..12 {
            let path = site.at(&format!("images/{kind}/{kind}{number}.tif"));
            write_bytes(&path, &grid((16, 16)), &BANDS, |band, row, col| {
                level + value_at(0, row + 5 * number, col + band) / 4
            });
        }
    }
}

const RECIPE: &str = r##"
[data]
classes = [{ name = "night", color = "#222222", attributes = ["dark"] }, { name = "bright", color = "#dddddd" }]
train = [{ scene = "images/*/*.tif", class = "{folder}", share = [0.0, 0.6] }]
val = [{ scene = "images/*/*.tif", class = "{folder}", share = [0.6, 1.0] }]
[model.encoder.cerranet]
width = 6
depth = 2
[model.decoder.classifier]
hidden = [12]
[optimizer.adamw]
lr = 3e-3
[train]
steps = 60
batch = 4
chip = 16
"##;

#[test]
fn class_folders_train_and_every_image_gets_its_class() {
    let site = Site::new();
    images(&site);
    fs::write(site.at("images.toml"), RECIPE).unwrap();
    site.swath("train images.toml --run run").done();
    let files = "images/dark/dark3.tif images/bright/bright7.tif";
    let lines = site.swath(&format!("classify run/bundle.safetensors {files} -o table.csv --quiet")).done();
    let found: Vec<Vec<&str>> = lines.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((found[0][0], found[0][2]), ("night", "images/dark/dark3.tif"), "{lines}");
    assert_eq!((found[1][0], found[1][2]), ("bright", "images/bright/bright7.tif"), "{lines}");
    let table = fs::read_to_string(site.at("table.csv")).unwrap();
    assert!(table.starts_with("file,class,score,night,bright\r\nimages/dark/dark3.tif,night,0."), "{table}");
    let json = site.swath(&format!("classify run/bundle.safetensors {files} --json --quiet")).done();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let scores = [&json[0]["scores"]["night"], &json[0]["scores"]["bright"]].map(|score| score.as_f64().unwrap());
    assert!((scores[0] + scores[1] - 1.0).abs() < 1e-5 && scores[0] > 0.5, "{json}");

    let refuses = |arguments: &str, code, words: &[&str]| {
        site.refuses(&format!("classify run/bundle.safetensors {arguments}"), code, words);
    };
    refuses("missing.tif lacking.tif", 1, &["missing.tif", "1 other"]);
    // One that cannot be read does not take the others' classes away.
    let finished =
        site.swath("classify run/bundle.safetensors images/dark/dark3.tif missing.tif images/bright/bright7.tif");
    assert!(
        finished.code == Some(1)
            && finished.stderr.contains("1 of 3 images")
            && finished.stderr.contains("missing.tif")
    );
    assert!(finished.stdout.lines().map(|line| &line[..2]).eq(["ni", "br"]), "{}", finished.stdout);
    refuses("images/dark/dark3.tif -o table.txt", 2, &["table.txt", ".csv"]);
    refuses("images/dark/dark3.tif -o table.csv", 1, &["table.csv", "--overwrite"]);
}

#[test]
fn folders_that_are_no_class_are_refused() {
    let site = Site::new();
    images(&site);
    fs::write(site.at("images.toml"), RECIPE.replace(r#", attributes = ["dark"]"#, "")).unwrap();
    site.refuses(
        "train images.toml --run run",
        2,
        &["data.train[0].class is \"dark\"", "night, bright", "images/dark/dark"],
    );
}

/// The site's recipe with a classifier of the pixel at a patch's centre.
fn sliding(site: &Site) {
    let recipe = fs::read_to_string(site.at("recipe.toml")).unwrap();
    let recipe = recipe.replace("[model.decoder.unet]", "[model.decoder.classifier]\ncell = 1");
    let recipe = recipe.replace("chip = 32\nvalidate_every", "chip = 7\nvalidate_every");
    fs::write(site.at("cells.toml"), recipe.replace("steps = 12\nbatch = 2", "steps = 150\nbatch = 16")).unwrap();
}

#[test]
fn a_classifier_slides_over_a_scene() {
    let site = Site::new();
    sliding(&site);
    site.swath("train cells.toml --run run -s train.validate_every=150").done();
    let predict = |name: &str, more: &str| {
        site.swath(&format!("predict run/bundle.safetensors scene.tif -o {name}.tif --scores {name}-s.tif {more}"))
            .done();
        let map = swath_geo::Scene::open_paths(&[site.at(&format!("{name}.tif"))]).unwrap();
        let pixels = map.reader().unwrap().read(grid(SIZE).window(), swath_geo::Edge::Invalid).unwrap();
        (pixels.values.data, site.bytes(&format!("{name}-s.tif")))
    };
    let (map, scores) = predict("one", "--threads 1");
    let right =
        map.iter().enumerate().filter(|(at, class)| class_at(at / SIZE.0, at % SIZE.0) == **class as u8).count();
    assert!(right * 100 > map.len() * 75, "{right} of {} pixels", map.len());
    assert!(predict("two", "--chip 64 --threads 2").1 == scores, "chips and threads change the scores");

    let (coarse, _) = predict("coarse", "--cell 4");
    for (at, class) in coarse.iter().enumerate() {
        let (row, col) = (at / SIZE.0 / 4 * 4, at % SIZE.0 / 4 * 4);
        assert_eq!(*class, coarse[row * SIZE.0 + col], "cells are not of one class");
    }
    let refuses = |arguments: &str, words: &[&str]| site.refuses(arguments, 2, words);
    refuses("predict run/bundle.safetensors scene.tif -o no.tif --cell 8", &["--cell 8", "patches of 7 pixels"]);
    let other = Site::with_bundle();
    other.refuses("predict bundle.safetensors scene.tif -o no.tif --cell 2", 2, &["--cell", "labels each pixel"]);
}
