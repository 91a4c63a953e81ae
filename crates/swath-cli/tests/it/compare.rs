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
    assert_eq!(rows[0][1..5], ["network", "IoU, last, %", "IoU, best, %", "accuracy, best, %"]);
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

    // Another recipe than that of the runs leaves them, and the table.
    site.refuses(
        "compare recipe.toml --models models.toml --run all --resume -s train.steps=13",
        1,
        &["all/scored", "train.steps differs"],
    );
}

/// A network may be too large for any machine, which only a run knows.
#[test]
fn the_first_network_may_fail_and_the_others_are_told() {
    let site = Site::new();
    let models = "
[a.encoder.plain]
width = 4096
depth = 6
[a.decoder.unet]
[b.encoder.plain]
width = 2
depth = 3
[b.decoder.classifier]
cell = 8
";
    fs::write(site.at("models.toml"), models).unwrap();
    // What phases name is known before.
    let compare = "compare recipe.toml --models models.toml --run new/all";
    let phases = "-s train.phases=[{rates={'encoder.levels.9'=0.5}}]";
    site.refuses(
        &format!("{compare} {phases}"),
        2,
        &["with network a", "recipe.toml: -s train.phases", "encoder.levels.9"],
    );
    assert!(!site.at("new").exists());
    let finished = site.swath(&format!("{compare} --quiet"));
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("not trained: a"), "{finished:?}");
    let table = String::from_utf8(site.bytes("new/all/comparison.md")).unwrap();
    assert_eq!(table, finished.stdout);
    let cells = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(&format!("| {name} "))).unwrap();
        line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(cells("a")[7], "failed");
    assert_eq!(cells("b")[8], "-");
    assert!(table.contains("\nPatch classifiers have no time of prediction here: "), "{table}");
}

/// A patch for each pixel would take long beside networks that label every pixel at once.
#[test]
fn cells_are_for_the_networks_that_classify_them() {
    let site = Site::new();
    let models = |cell: usize| {
        let patches = "[patches.encoder.plain]\nwidth = 2\ndepth = 3\n[patches.decoder.classifier]\ncell = ";
        fs::write(site.at("models.toml"), format!("{MODELS}{patches}{cell}\n")).unwrap();
    };
    models(1);
    let compare = "compare recipe.toml --models models.toml --run all -s train.steps=2";
    site.swath(&format!("{compare} -s predict.cell=16 --quiet")).done();
    let cell = |name: &str| {
        let run = site.at("all").join(name).join("recipe.toml");
        swath::recipe::Recipe::load(&run, &[]).unwrap().predict.cell
    };
    assert_eq!((cell("patches"), cell("small"), cell("scored")), (Some(16), None, None));

    let compare = compare.replace("all", "other");
    let words = ["with network patches", "recipe.toml: -s predict.cell=33", "train.chip is 32"];
    site.refuses(&format!("{compare} -s predict.cell=33"), 2, &words);
    let recipe = fs::read_to_string(site.at("recipe.toml")).unwrap() + "cell = 33\n";
    fs::write(site.at("recipe.toml"), &recipe).unwrap();
    let line = format!("recipe.toml, line {}: predict.cell is 33", recipe.lines().count());
    site.refuses(&compare, 2, &["with network patches", &line]);
    models(33);
    let line = site.refuses(&compare, 2, &["patches: model.decoder.classifier.cell is 33"]);
    assert!(!line.contains("recipe"), "{line}");
}

#[test]
fn networks_have_the_licence_of_the_recipe_and_resume_with_it() {
    let site = Site::new();
    fs::write(site.at("models.toml"), MODELS).unwrap();
    let keys = "-s train.steps=1 -s model.licence=CC-BY-4.0";
    let compare = format!("compare recipe.toml --models models.toml --run all {keys} --quiet");
    let table = site.swath(&compare).done();
    let bundle = swath::bundle::Bundle::load(&site.at("all/small/bundle.safetensors")).unwrap();
    assert_eq!(bundle.header.licence.as_deref(), Some("CC-BY-4.0"));
    let again = site.swath(&format!("{compare} --resume")).done();
    assert_eq!(again.lines().count(), table.lines().count());
}

#[test]
fn weights_are_seen_from_the_file_of_models_and_checked_first() {
    let site = Site::new();
    fs::create_dir(site.at("sub")).unwrap();
    fs::write(
        site.at("sub/models.toml"),
        format!("{MODELS}[third.encoder.plain]\nwidth = 2\ndepth = 2\nweights = \"w.pth\"\n[third.decoder.unet]\n"),
    )
    .unwrap();
    let compare = "compare recipe.toml --models sub/models.toml --run all";
    site.refuses(compare, 2, &["sub/models.toml, line 15: third.encoder.plain.weights", "sub/w.pth", "no such file"]);
    fs::write(site.at("sub/w.pth"), "not weights").unwrap();
    site.refuses(compare, 1, &["third", "sub/w.pth"]);
}

#[test]
fn networks_that_cannot_be_are_refused_before_any_is_trained() {
    let site = Site::new();
    let refuses = |models: &str, words: &[&str]| {
        fs::write(site.at("models.toml"), models).unwrap();
        site.refuses("compare recipe.toml --models models.toml --run all", 2, words);
    };
    refuses("[a.encoder.plain]\n[a.decoder.unit]\n", &["models.toml, line 2", "unit", "did you mean `unet`"]);
    refuses("[a.encoder.plain]\nwdith = 4\n[a.decoder.unet]\n", &["models.toml, line 2", "did you mean `width`"]);
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
