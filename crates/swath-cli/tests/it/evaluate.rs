//! `swath evaluate` and `swath vectorize` on what cannot be compared or drawn.

use serde_json::Value;

use crate::site::{SIZE, Site, class_at, grid, write_labels};

#[test]
fn maps_and_labels_that_do_not_fit_are_refused_and_leave_nothing() {
    let site = Site::new();
    write_labels(&site.at("map.tif"), &grid(SIZE), class_at);
    let refuses = |arguments: &str, code, words: &[&str]| {
        site.refuses(&format!("evaluate --map map.tif --report report --json out.json {arguments}"), code, words);
    };
    refuses("--labels missing.tif", 1, &["missing.tif"]);
    refuses("--labels labels.tif labels.tif", 2, &["1 maps", "2 labels"]);
    refuses("--labels labels.tif --boundary=-2", 2, &["-2"]);
    refuses("--labels labels.tif --window 500,0,10,10", 2, &["map.tif", "96x64"]);

    let mut far = grid(SIZE);
    far.transform.0[0] += 50_000.0;
    write_labels(&site.at("far.tif"), &far, class_at);
    refuses("--labels far.tif", 1, &["far.tif", "map.tif", "overlap"]);
    write_labels(&site.at("nothing.tif"), &grid(SIZE), |_, _| 255);
    refuses("--labels nothing.tif", 1, &["nothing.tif", "map.tif", "no pixel in common"]);
    write_labels(&site.at("seven.tif"), &grid(SIZE), |row, _| if row == 2 { 7 } else { 0 });
    refuses("--labels seven.tif", 1, &["seven.tif", "7", "column 0, row 2"]);

    // The second pair fails when the first is done: its error map must not stay.
    let pairs = "evaluate --map map.tif map.tif --labels labels.tif seven.tif --report report";
    site.refuses(pairs, 1, &["seven.tif"]);

    // Something in the folder that it may not replace.
    site.swath("evaluate --map map.tif --labels labels.tif --report report --json out.json").done();
    refuses("--labels labels.tif", 1, &["report/report.html", "exists already", "--overwrite"]);
    std::fs::remove_file(site.at("report/report.html")).unwrap();
    site.refuses(
        "evaluate --map map.tif --labels labels.tif --report report",
        1,
        &["report/errors.tif", "exists already", "--overwrite"],
    );
    site.swath("evaluate --map map.tif --labels labels.tif --report report --overwrite").done();
}

#[test]
fn polygons_are_compared_with_polygons() {
    let site = Site::new();
    // Three of four squares found, one of them half as wide, one twice; one where nothing is.
    let truth = [(10.0, 10.0), (40.0, 10.0), (70.0, 10.0), (10.0, 40.0)];
    let square = |(left, top): (f64, f64), width: f64| ("house", [left, top, left + width, top + 10.0]);
    site.write_polygons("truth.geojson", &truth.map(|corner| square(corner, 10.0)));
    let mut found = vec![square(truth[0], 10.0), square(truth[0], 9.0), square(truth[1], 5.1), square(truth[2], 4.9)];
    found.extend([square((40.0, 40.0), 10.0), ("tree", [70.0, 10.0, 80.0, 20.0])]);
    site.write_polygons("found.geojson", &found);
    let compare = "evaluate --map found.geojson --labels truth.geojson";
    let json = site.swath(&format!("{compare} --map-where kind='house' --vertex-distances 1,60 --json")).done();
    let scores: Value = serde_json::from_str(&json).unwrap();
    let number = |key: &str| scores[key].as_f64().unwrap();
    assert_eq!((number("predicted"), number("truth"), number("matched")), (5.0, 4.0, 2.0));
    assert!((number("f1") - 4.0 / 9.0).abs() < 1e-9 && (number("recall") - 0.5).abs() < 1e-9);
    assert!((number("matched_iou") - (1.0 + 0.51) / 2.0).abs() < 1e-4, "{json}");
    // Of the narrow one all vertices lie on the true outline; two of four true corners lie 49 m from its outline.
    assert!((number("polis") - 24.5 / 2.0 / 2.0).abs() < 0.01, "{json}");
    let curve = scores["vertex_curve"].as_array().unwrap();
    assert_eq!(
        curve.iter().map(|point| point["share"].as_f64().unwrap()).collect::<Vec<_>>(),
        [6.0 / 16.0, 8.0 / 16.0]
    );
    assert!(scores["ap"].is_null());

    let text = site.swath("evaluate --map truth.geojson --labels truth.geojson --iou 0.9").done();
    assert!(text.contains("object F1 at IoU 0.9") && text.contains("100.00"), "{text}");
    site.refuses(&format!("{compare} --boundary 2"), 2, &["--boundary", "--map-where"]);
    site.refuses(&format!("{compare} --iou 2"), 2, &["0.5"]);
    site.refuses(&format!("{compare} --score-field conf"), 1, &["found.geojson", "conf", "kind"]);
    site.refuses(&format!("{compare} --score-field kind"), 1, &["found.geojson", "kind"]);
    site.refuses("evaluate --map found.geojson --labels labels.tif", 2, &["labels.tif"]);
    site.refuses("evaluate --map labels.tif --labels truth.geojson --iou 0.5", 2, &["--iou", "swath vectorize"]);
}

#[test]
fn polygons_are_not_drawn_of_anything_else_or_over_anything_else() {
    let site = Site::new();
    site.refuses("vectorize missing.tif -o out.gpkg", 1, &["missing.tif"]);
    site.refuses("vectorize scene.tif -o out.gpkg", 1, &["scene.tif", "band"]);
    site.refuses("vectorize labels.tif -o out.docx", 2, &["out.docx", ".gpkg"]);
    for name in ["out.gpkg", "out.geojson", "out.fgb", "out.shp"] {
        site.swath(&format!("vectorize labels.tif -o {name}")).done();
        site.refuses(&format!("vectorize labels.tif -o {name}"), 1, &[name, "exists already", "--overwrite"]);
        site.swath(&format!("vectorize labels.tif -o {name} --overwrite")).done();
    }
}

#[test]
fn outlines_are_cleaned_and_simplified_as_asked() {
    let site = Site::new();
    let steps = "--majority 1 --close 1=1 --open 1=1 --fill-holes 9 --sieve 20 --simplify 20 --smooth 1";
    for method in ["visvalingam", "douglas-peucker"] {
        site.swath(&format!("vectorize labels.tif -o {method}.gpkg {steps} --simplify-method {method}")).done();
    }
    site.refuses("vectorize labels.tif -o out.gpkg --simplify -5", 2, &["-5", "tolerance"]);
    site.refuses("vectorize labels.tif -o out.gpkg --min-area -5", 2, &["-5", "0 or more"]);
    for option in ["--sieve", "--fill-holes", "--majority", "--smooth"] {
        let finished = site.swath(&format!("vectorize labels.tif -o out.gpkg {option} -3"));
        assert!(finished.code == Some(2) && finished.stderr.contains("0 or more"), "{}", finished.stderr);
        assert!(!finished.stderr.contains("tip:") && finished.stderr.contains(option), "{}", finished.stderr);
    }
    site.refuses("vectorize labels.tif -o out.gpkg --smooth 9", 2, &["9 rounds", "5 at most"]);
    site.refuses("vectorize labels.tif -o out.gpkg --majority 0", 2, &["radius", "1 to 64"]);
    site.refuses("vectorize labels.tif -o out.gpkg --close 1", 2, &["--close 1", "building=2"]);
    site.refuses("vectorize labels.tif -o out.gpkg --open swamp=2", 2, &["--open swamp=2", "no class \"swamp\""]);
    site.refuses("vectorize labels.tif -o out.gpkg --right-angles 1=0", 2, &["right angles", "above 0"]);
    assert!(!site.at("out.gpkg").exists());
    site.swath("vectorize labels.tif -o squared.gpkg --right-angles 1=20").done();
    site.swath("vectorize labels.tif -o both.gpkg --right-angles 1=20 --simplify 20").done();
    let finished = site.swath("vectorize labels.tif -o none.gpkg --right-angles 9=20");
    let told = finished.stderr.contains("--right-angles 9=20: the map has no pixel of this class");
    assert!(finished.code == Some(0) && told, "{}", finished.stderr);
    // Also where others are there, and not where a class is there but not drawn.
    for (options, absent) in
        [("--classes 1,9", true), ("--centerlines 1 --centerlines 9", true), ("--open 1=1 --classes 0", false)]
    {
        let finished = site.swath(&format!("vectorize labels.tif -o some.gpkg --overwrite {options}"));
        let told = finished.stderr.contains(" 9: the map has no pixel of this class");
        assert!(finished.code == Some(0) && told == absent, "{options}: {}", finished.stderr);
    }
}
