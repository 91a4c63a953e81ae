//! The way from a scene to a map, as the help describes it.

use std::fs;

use serde_json::Value;

use crate::site::Site;

/// Squares of both kinds, and one outside of the scene.
fn polygons(site: &Site) {
    let squares = [
        ("lake", [0.0, 0.0, 20.0, 10.0]),
        ("pond", [30.0, 20.0, 40.0, 30.0]),
        ("field", [50.0, 10.0, 60.0, 40.0]),
        ("field", [500.0, 10.0, 600.0, 40.0]),
    ];
    site.write_polygons("polygons.geojson", &squares);
}

/// Pixels of every label, by the line of `swath rasterize`.
fn pixels(text: &str) -> Vec<(u32, u64, String)> {
    let line = |line: &str| {
        let mut parts = line.split_whitespace();
        let value = parts.next().unwrap().parse().unwrap();
        let pixels = parts.next().unwrap().parse().unwrap();
        (value, pixels, parts.skip(1).collect::<Vec<_>>().join(" "))
    };
    text.lines().map(line).collect()
}

#[test]
fn rasterize_takes_classes_from_a_field_or_from_the_command_line() {
    let site = Site::new();
    polygons(&site);
    let text = site.swath("rasterize polygons.geojson --like scene.tif --class-field kind -o field.tif").done();
    let nothing = 96 * 64 - 200 - 100 - 300;
    let labels = |name: &str, pixels| (name.to_owned(), pixels);
    let found =
        |text: &str| pixels(text).into_iter().map(|(_, pixels, name)| labels(&name, pixels)).collect::<Vec<_>>();
    let expected = [labels("field", 300), labels("lake", 200), labels("pond", 100), labels("(unlabelled)", nothing)];
    assert_eq!(found(&text), expected);

    let classes = "--class land=field --class water#1e88e5=lake,pond --class-field kind";
    let text = site.swath(&format!("rasterize polygons.geojson --like scene.tif {classes} -o classes.tif")).done();
    assert_eq!(found(&text), [labels("land", 300), labels("water", 300), labels("(unlabelled)", nothing)]);
    assert_eq!(swath_geo::read_map_classes(&site.at("classes.tif")).unwrap()[1].color, [0x1e, 0x88, 0xe5]);

    let every = "--class other --class mapped=* --background 0";
    let text = site.swath(&format!("rasterize polygons.geojson --like scene.tif {every} -o every.tif")).done();
    assert_eq!(found(&text), [labels("other", nothing), labels("mapped", 600)]);
}

#[test]
fn rasterize_refuses_what_makes_no_labels() {
    let site = Site::new();
    polygons(&site);
    let refuses = |arguments: &str, code, words: &[&str]| {
        site.refuses(&format!("rasterize polygons.geojson --like scene.tif -o out.tif {arguments}"), code, words);
    };
    refuses("", 2, &["--class-field"]);
    refuses("--class water=lake", 2, &["water", "--class-field"]);
    refuses("--class water#12=lake --class-field kind", 2, &["six digits"]);
    refuses("--class-field colour", 1, &["polygons.geojson", "colour", "kind"]);
    refuses("--class water=ocean --class-field kind", 1, &["polygons.geojson"]);
    site.write_polygons("far.geojson", &[("lake", [5000.0, 0.0, 5020.0, 10.0])]);
    site.refuses(
        "rasterize far.geojson --like scene.tif --class-field kind -o out.tif",
        1,
        &["far.geojson", "overlap"],
    );
    site.refuses("rasterize missing.gpkg --like scene.tif --class-field kind -o out.tif", 1, &["missing.gpkg"]);
}

#[test]
fn a_scene_becomes_a_map_polygons_and_a_report() {
    let site = Site::new();
    let bundle = site.swath("train recipe.toml --run run -s train.steps=60 -s train.validate_every=30").done();
    assert_eq!(bundle.trim(), "run/bundle.safetensors");
    for file in ["recipe.toml", "bundle.safetensors", "last/state.json", "metrics.jsonl", "log.txt", "report.html"] {
        assert!(site.at("run").join(file).is_file(), "{file}");
    }
    let map = site
        .swath("predict run/bundle.safetensors scene.tif -o map.tif --scores scores.tif --confidence confidence.tif")
        .done();
    assert_eq!(map.trim(), "map.tif");
    let bands = |file: &str| {
        let json: Value = serde_json::from_str(&site.swath(&format!("info {file} --json")).done()).unwrap();
        json["bands"].as_array().map(Vec::len)
    };
    assert_eq!((bands("map.tif"), bands("scores.tif"), bands("confidence.tif")), (Some(1), Some(2), Some(1)));

    let table = site.swath("evaluate --map map.tif --labels labels.tif --report report --json evaluation.json").done();
    assert!(table.contains("water") && table.contains("IoU"), "{table}");
    assert!(site.at("report/report.html").is_file() && site.at("report/errors.tif").is_file());
    let json: Value = serde_json::from_slice(&site.bytes("evaluation.json")).unwrap();
    assert_eq!(json["classes"][1]["name"], "water");
    assert_eq!(site.swath("evaluate --map map.tif --labels labels.tif --json").done().trim().as_bytes(), {
        let text: Vec<u8> = site.bytes("evaluation.json");
        text.trim_ascii().to_vec()
    });
    let accuracy = json["pooled"]["scores"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "the network has not learned: accuracy {accuracy}");

    for (out, ours) in [("map.gpkg", "GPKG"), ("map.geojson", "FeatureCollection")] {
        site.swath(&format!("vectorize map.tif -o {out}")).done();
        let content = String::from_utf8_lossy(&fs::read(site.at(out)).unwrap()).into_owned();
        assert!(content.contains(ours) && content.contains("water"), "{out}");
    }
    assert!(swath_geo::vector_layers(&site.at("map.gpkg")).unwrap()[0].features > 0);
}
