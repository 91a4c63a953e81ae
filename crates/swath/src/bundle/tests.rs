use super::*;

fn bundle() -> Bundle {
    let recipe = Recipe::from_toml_str(
        r##"
        [data]
        classes = [{ name = "land", color = "#000000" }, { name = "water", color = "#0000ff" }]
        [model.encoder.plain]
        width = 2
        depth = 1
        [model.decoder.unet]
        "##,
    )
    .unwrap();
    let config = recipe.model.segmenter(3, 2);
    let network = config.init(&Device::flex()).unwrap();
    Bundle {
        header: Header {
            format_version: FORMAT_VERSION,
            classes: recipe.data.classes.clone(),
            bands: ["red", "green", "blue"].map(String::from).to_vec(),
            normalization: Normalization { mean: vec![1.0, 2.0, 3.0], std: vec![1.0; 3] },
            gsd: Some(10.0),
            calibration: Calibration { temperature: 1.5 },
            provenance: Provenance { steps: 7, ..Provenance::default() },
            licence: None,
            recipe,
        },
        weights: weights::read(&network),
    }
}

fn sorted(mut bundle: Bundle) -> Bundle {
    bundle.weights.sort_by(|a, b| a.name.cmp(&b.name));
    bundle
}

/// A saved bundle and its path.
fn saved() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle.safetensors");
    bundle().save(&path).unwrap();
    (folder, path)
}

#[test]
fn a_bundle_comes_back_equal_and_with_equal_bytes() {
    let (_folder, path) = saved();
    let loaded = Bundle::load(&path).unwrap();
    assert_eq!(sorted(loaded.clone()), sorted(bundle()));
    let first = std::fs::read(&path).unwrap();
    bundle().save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
    let network = loaded.segmenter(&Device::flex()).unwrap();
    assert_eq!(weights::read(&network), bundle().weights);
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_refused() {
    let (_folder, path) = saved();
    let whole = std::fs::read(&path).unwrap();
    for keep in [0, 4, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..keep]).unwrap();
        let error = Bundle::load(&path).unwrap_err().to_string();
        assert!(error.contains("cut off"), "{keep}: {error}");
    }
}

#[test]
fn a_newer_format_is_named() {
    let (_folder, path) = saved();
    let mut newer = bundle();
    newer.header.format_version = 99;
    newer.save(&path).unwrap();
    let error = Bundle::load(&path).unwrap_err().to_string();
    assert!(error.contains("format 99") && error.contains("newer swath"), "{error}");
}

#[test]
fn foreign_files_and_bad_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("foreign.safetensors");
    let bytes = safetensors::serialize(Vec::<(String, TensorView<'_>)>::new(), None).unwrap();
    std::fs::write(&path, bytes).unwrap();
    assert!(Bundle::load(&path).unwrap_err().to_string().contains("no bundle"));

    let mut bad = bundle();
    bad.weights[0].data[0] = f32::NAN;
    assert!(bad.save(&path).unwrap_err().to_string().contains("not finite"));
}

#[test]
fn weights_of_another_network_are_refused() {
    let mut other = bundle();
    other.weights.pop();
    let error = other.segmenter(&Device::flex()).unwrap_err().to_string();
    assert!(error.contains("belong to another model"), "{error}");
}
