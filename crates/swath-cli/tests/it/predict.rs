//! `swath predict`: what does not change a map, and what is refused.

use std::fs;

use swath_nn::Precision;
use swath_nn::cpu::Executor;

use crate::site::{BANDS, SIZE, Site, grid, value_at, write_bytes, write_numbers};

#[test]
fn threads_and_batches_do_not_change_a_byte() {
    let site = Site::with_bundle();
    let predict = |name: &str, more: &str| {
        let outputs = format!("-o {name}.tif --scores {name}-scores.tif --confidence {name}-confidence.tif");
        site.swath(&format!("predict bundle.safetensors scene.tif {outputs} --score-type f32 {more}")).done();
        ["", "-scores", "-confidence"].map(|kind| site.bytes(&format!("{name}{kind}.tif")))
    };
    let one = predict("one", "--threads 1 --batch 1");
    assert!(predict("two", "--threads 2 --batch 1") == one);
    assert!(predict("three", "--threads 2 --batch 3") == one);
    assert!(predict("chip", "--chip 48")[1] != one[1], "the chip does not matter");
}

#[test]
fn bf16_gives_nearly_the_same_scores() {
    let site = Site::with_bundle();
    // A few channels are multiplied as floats in any case.
    let recipe = fs::read_to_string(site.at("recipe.toml")).unwrap();
    let wide = recipe.replace("width = 2", "width = 32");
    assert_ne!(wide, recipe);
    fs::write(site.at("recipe.toml"), wide).unwrap();
    site.write_bundle("wide.safetensors", &BANDS);
    let scores = |name: &str, precision: &str| {
        let arguments =
            format!("predict wide.safetensors scene.tif -o {name}-map.tif --scores {name}.tif --score-type f32");
        let finished = site.swath(&format!("{arguments} --precision {precision}"));
        let said = finished.stderr.clone();
        finished.done();
        let scene = swath_geo::Scene::open_paths(&[site.at(&format!("{name}.tif"))]).unwrap();
        let pixels = scene.reader().unwrap().read(grid(SIZE).window(), swath_geo::Edge::Invalid).unwrap();
        (pixels.values.data, said)
    };
    let (exact, _) = scores("exact", "fp32");
    for (precision, name, bound) in [(Precision::Bf16x2, "bf16x2", 1e-3), (Precision::Bf16, "bf16", 0.05)] {
        let (rounded, said) = scores(name, name);
        let most = exact.iter().zip(&rounded).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        if Executor::has(precision) {
            assert!(most < bound && (most > 0.0 || precision == Precision::Bf16x2), "{name}: {most}");
        } else {
            assert!(most == 0.0 && said.contains(name), "{most}: {said}");
        }
    }
}

#[test]
fn a_chip_may_be_larger_than_the_scene() {
    let site = Site::with_bundle();
    let small = grid((20, 9));
    write_bytes(&site.at("small.tif"), &small, &["red", "nir"], value_at);
    site.swath("predict bundle.safetensors small.tif -o map.tif --chip 64").done();
    let map = swath_geo::Scene::open_paths(&[site.at("map.tif")]).unwrap();
    assert!(map.grid().same(&small));
    let pixels = map.reader().unwrap().read(small.window(), swath_geo::Edge::Invalid).unwrap();
    assert!(pixels.valid.iter().all(|valid| *valid));
}

#[test]
fn a_scene_without_data_becomes_a_map_without_data() {
    let site = Site::with_bundle();
    write_numbers(&site.at("void.tif"), &grid(SIZE), Some(-1.0), |_, _, _| -1.0);
    site.swath("predict bundle.safetensors void.tif -o map.tif").done();
    let map = swath_geo::Scene::open_paths(&[site.at("map.tif")]).unwrap();
    let pixels = map.reader().unwrap().read(grid(SIZE).window(), swath_geo::Edge::Invalid).unwrap();
    assert!(pixels.valid.iter().all(|valid| !valid));
}

#[test]
fn scenes_and_options_that_do_not_fit_are_refused() {
    let site = Site::with_bundle();
    let refuses = |arguments: &str, code, words: &[&str]| {
        site.refuses(&format!("predict bundle.safetensors {arguments} -o map.tif"), code, words);
    };
    write_bytes(&site.at("one.tif"), &grid(SIZE), &["red"], value_at);
    refuses("one.tif", 1, &["one.tif", "nir", "red, nir"]);
    write_bytes(&site.at("three.tif"), &grid(SIZE), &["x", "y", "z"], value_at);
    refuses("three.tif", 1, &["three.tif", "x, y, z", "red, nir", "3 bands"]);
    refuses("missing.tif", 1, &["missing.tif"]);
    let scene = site.bytes("scene.tif");
    fs::write(site.at("cut.tif"), &scene[..scene.len() * 2 / 3]).unwrap();
    refuses("cut.tif", 1, &["cut.tif"]);

    refuses("scene.tif --chip 16 --overlap 12", 2, &["--overlap 12", "half"]);
    refuses("scene.tif --chip 0", 2, &["--chip 0"]);
    refuses("scene.tif --scores s.tif --score-classes ice", 2, &["ice", "land, water"]);
    refuses("scene.tif --scores map.tif", 2, &["map.tif", "two outputs"]);
    refuses("scene.tif --device abacus", 2, &["abacus", "cpu"]);
    refuses("scene.tif --device cpu:x", 2, &["cpu"]);
}

#[test]
fn bundles_that_are_none_are_refused() {
    let site = Site::with_bundle();
    let refuses = |bundle: &str, words: &[&str]| {
        site.refuses(&format!("predict {bundle} scene.tif -o map.tif"), 1, &[&[bundle][..], words].concat());
    };
    let whole = site.bytes("bundle.safetensors");
    for (name, len) in [("empty", 0), ("header", 40), ("half", whole.len() / 2), ("last", whole.len() - 1)] {
        let file = format!("{name}.safetensors");
        fs::write(site.at(&file), &whole[..len]).unwrap();
        refuses(&file, &["cut off"]);
    }
    refuses("missing.safetensors", &["cannot read"]);
    refuses("scene.tif", &["safetensors"]);

    let text = String::from_utf8_lossy(&whole).into_owned();
    assert!(text.contains(r#"\"format_version\":1"#), "the header is written otherwise");
    let newer: Vec<u8> = replace(&whole, br#"\"format_version\":1"#, br#"\"format_version\":9"#);
    fs::write(site.at("newer.safetensors"), newer).unwrap();
    refuses("newer.safetensors", &["format 9", "newer swath"]);

    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  "#;
    let foreign = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
    fs::write(site.at("foreign.safetensors"), foreign).unwrap();
    refuses("foreign.safetensors", &["no bundle of Swath"]);

    // A width in the recipe that the weights do not have.
    let wider = replace(&whole, br#"\"width\":2"#, br#"\"width\":3"#);
    fs::write(site.at("wider.safetensors"), wider).unwrap();
    refuses("wider.safetensors", &["shape"]);
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}
