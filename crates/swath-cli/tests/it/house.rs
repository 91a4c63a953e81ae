//! What surrounds the work: models, completions, manual pages, help, closed pipes.

use std::fs;
use std::process::Stdio;

use crate::command::{command, swath};

fn run(arguments: &[&str]) -> crate::command::Finished {
    swath(&std::env::temp_dir(), arguments)
}

#[test]
fn models_are_listed_and_shown() {
    let list = run(&["models"]).done();
    assert_eq!(run(&["models", "list"]).done(), list);
    for name in ["plain", "resnet", "unet", "fcn", "unet-resnet34"] {
        assert!(list.contains(name), "{name} is not in\n{list}");
    }
    let shown = run(&["models", "show", "unet-resnet34"]).done();
    assert!(shown.contains("[model.encoder.resnet]") && shown.contains("depth = 34"), "{shown}");
    run(&["models", "show", "unet-resnt34"])
        .fails(2, &["unet-resnt34", "did you mean unet-resnet34 or ", "swath models"]);
    let shown = run(&["models", "show", "vgg"]).done();
    let lines = "[model.encoder.vgg]\ndepth = 16\nwidth = 64\nbatch_norm = false\n# classifier = ... (not set)\n";
    assert!(shown.contains(lines) && shown.contains("docs/networks.md"), "{shown}");
    let shown = run(&["models", "show", "deeplab_v3", "--json"]).done();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["kind"], "decoder");
    assert_eq!(shown["keys"][1]["key"], "rates");
    run(&["models", "show", "pancake"]).fails(2, &["'pancake'; `swath models`"]);
    // A network and a decoder have the same name.
    assert!(run(&["models", "show", "unet"]).done().contains("`swath models show decoder.unet`"));
    let shown = run(&["models", "show", "decoder.unet"]).done();
    assert!(shown.starts_with("unet, a decoder") && shown.contains("[model.decoder.unet]\n"), "{shown}");
    run(&["models", "show", "encoder.unet"]).fails(2, &["encoder.unet"]);
    let shown = run(&["models", "show", "unet-resnet34", "--json"]).done();
    // The Unet of segmentation_models.pytorch with two classes, by its own count.
    assert!(shown.contains("\"parameters\": 24436514") && shown.contains("\"receptive_field\""), "{shown}");
}

#[test]
fn networks_are_shown_for_the_users_images() {
    let shown = |more: &[&str]| -> serde_json::Value {
        let arguments = [&["models", "show", "unet-resnet34", "--json"], more].concat();
        serde_json::from_str(&run(&arguments).done()).unwrap()
    };
    let (three, thirteen) = (shown(&[]), shown(&["--bands", "13", "--classes", "7", "--size", "256"]));
    let count = |shown: &serde_json::Value| shown["parameters"].as_u64().unwrap();
    // The first convolution's 7x7 weights of 64 channels for ten more bands; the head's 3x3 of 16 and a bias for five more classes.
    assert_eq!(count(&thirteen) - count(&three), 10 * 49 * 64 + 5 * (9 * 16 + 1));
    assert_eq!((&thirteen["chip"], &three["chip"]), (&256.into(), &512.into()));
    let memory = |shown: &serde_json::Value| shown["activation_bytes"].as_f64().unwrap();
    assert!((memory(&thirteen) / memory(&three) - 0.25).abs() < 0.05);
    run(&["models", "show", "vgg", "--bands", "4"]).fails(2, &["--bands", "`vgg` is an encoder"]);

    let folder = tempfile::tempdir().unwrap();
    // The lines that the network needs in a recipe are those of a recipe that has it.
    let lines = run(&["models", "show", "unet-resnet34"]).done();
    let (_, lines) = lines.split_once("In a recipe:").unwrap();
    let data = r##"
[data]
classes = [{ name = "land", color = "#8d6e63" }, { name = "water", color = "#1e88e5" }]
train = [{ scene = "scene.tif", labels = "labels.tif" }]
[predict]
chip = 256
"##;
    let recipe = format!("{data}{lines}");
    fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
    let show = |more: &[&str]| swath(folder.path(), &[&["models", "show", "recipe.toml"], more].concat());
    let planned: serde_json::Value = serde_json::from_str(&show(&["--bands", "3", "--json"]).done()).unwrap();
    assert_eq!((&planned["parameters"], &planned["chip"]), (&three["parameters"], &256.into()));
    let smaller = show(&["-s", "data.bands=[1, 2, 3]", "-s", "model.encoder.resnet.depth=18"]).done();
    assert!(smaller.contains("14,328,354 (3 bands, 2 classes)") && smaller.contains("depth = 18"), "{smaller}");
    show(&[]).fails(1, &["recipe.toml", "--bands", "scene.tif"]);
    show(&["--bands", "512", "--size", "1024"]).fails(2, &["512 bands", "smaller --size"]);
    assert!(run(&["models", "show", "unet", "--size", "5000"]).stderr.contains("5000 is not in 1..=4096"));
    show(&["--bands", "3", "--classes", "4"]).fails(2, &["recipe.toml", "--classes"]);
    run(&["models", "show", "vgg", "-s", "data.bands=[1]"]).fails(2, &["--set", "`vgg`"]);
}

#[test]
fn the_page_of_networks_is_up_to_date() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/models.md")).unwrap();
    let made = run(&["models", "list", "--markdown"]).done();
    assert_eq!(page.trim_end(), made.trim_end(), "run `swath models list --markdown > docs/models.md`");
}

#[test]
fn weights_are_imported_with_a_key_report() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/nn/weights/");
    let import = |file: &str, more: &[&str]| {
        let file = format!("{fixtures}{file}");
        let options = ["-s", "depth=11", "-s", "width=1", "-s", "batch_norm=true", "-o", "encoder.safetensors"];
        swath(folder.path(), &[&["models", "import", &file, "--encoder", "vgg"], &options[..], more].concat())
    };
    let report = import("zipped.pth", &[]).done();
    assert!(report.contains("names of torchvision after `module.`"), "{report}");
    assert!(report.contains("Matched    48 of 48 parameters") && report.contains("Missing    none"), "{report}");
    assert!(report.contains("Left over  1\n  module.classifier.6.weight"), "{report}");
    assert!(report.contains("57 tensors in `state_dict`"), "{report}");
    assert!(report.contains("= 48 matched + 1 left over + 8 without weights"), "{report}");
    assert!(report.contains("No weights 8: num_batches_tracked"), "{report}");
    assert!(folder.path().join("encoder.safetensors").exists());
    import("legacy.pth", &[]).fails(2, &["encoder.safetensors exists", "--overwrite"]);
    let json = import("legacy.pth", &["--overwrite", "--json"]).done();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["matched"], 48);
    assert_eq!(json["pairs"].as_array().unwrap().len(), 48);
    assert_eq!(json["pairs"][0]["parameter"], "encoder.features.0.weight");
    assert_eq!(json["pairs"][0]["tensor"], "features.0.weight");
    assert_eq!(json["without_weights"].as_array().unwrap().len(), 8);
    import("legacy.pth", &["--overwrite", "--licence", "CC-BY-4.0"]).done();
    assert!(fs::read(folder.path().join("encoder.safetensors")).unwrap().windows(9).any(|text| text == b"CC-BY-4.0"));
    import("legacy.pth", &["--overwrite", "--licence", " "]).fails(2, &["--licence is empty"]);
    import("legacy.pth", &["--overwrite", "-s", "depth=12"]).fails(2, &["depth = 12", "11"]);
    let file = format!("{fixtures}legacy.pth");
    swath(folder.path(), &["models", "import", &file, "--encoder", "vgg", "-o", "vgg.pth"])
        .fails(2, &["vgg.pth", ".safetensors"]);
    let own =
        ["models", "import", "encoder.safetensors", "--encoder", "vgg", "-o", "encoder.safetensors", "--overwrite"];
    swath(folder.path(), &own).fails(2, &["another name"]);
    swath(folder.path(), &["models", "import", &file, "-o", "other.safetensors"]).fails(2, &["--preset", "--encoder"]);
    let arguments = ["models", "import", &file, "--preset", "unet-resnet34", "-o", "other.safetensors"];
    swath(folder.path(), &arguments).fails(1, &["legacy.pth", "none of its 57 tensors", "encoder resnet"]);
    assert!(!folder.path().join("other.safetensors").exists());
}

#[test]
fn shells_get_completions() {
    for (shell, part) in [("bash", "complete -F"), ("zsh", "#compdef swath"), ("fish", "complete -c swath")] {
        let script = run(&["completions", shell]).done();
        assert!(script.contains(part) && script.contains("vectorize"), "{shell}");
    }
}

#[test]
fn every_command_has_a_manual_page_and_help_with_an_example() {
    let folder = tempfile::tempdir().unwrap();
    swath(folder.path(), &["man", "--dir", "pages"]).done();
    let help = run(&["--help"]).done();
    let verbs = [
        "info",
        "stack",
        "rasterize",
        "train",
        "predict",
        "evaluate",
        "vectorize",
        "area",
        "assess",
        "export",
        "models",
        "demo",
        "man",
    ];
    for verb in verbs {
        let page = fs::read_to_string(folder.path().join(format!("pages/swath-{verb}.1"))).unwrap();
        assert!(page.contains(".TH") && page.contains(&format!("swath {verb}")), "{verb}");
        let text = run(&[verb, "--help"]).done();
        assert!(text.contains("Example") && text.contains(&format!("swath {verb}")), "{text}");
        assert!(help.contains(verb));
    }
}

#[test]
fn what_nobody_understands_is_wrong_usage() {
    for arguments in
        [&["paint"][..], &["info"], &["train", "a.toml", "--resume", "--overwrite"], &["info", "--jsn", "a"]]
    {
        let finished = run(arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stdout.is_empty() && finished.stderr.starts_with("error: "));
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    for arguments in [&["models"][..], &["completions", "bash"], &["models", "show", "unet"], &["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let child = command(&std::env::temp_dir(), arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}
