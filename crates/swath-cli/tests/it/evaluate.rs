//! `swath evaluate` and `swath vectorize` on what cannot be compared or drawn.

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
    site.refuses("vectorize labels.tif -o out.gpkg --simplify=-5", 2, &["-5", "tolerance"]);
    site.refuses("vectorize labels.tif -o out.gpkg --smooth 9", 2, &["9 rounds", "5 at most"]);
    site.refuses("vectorize labels.tif -o out.gpkg --majority 0", 2, &["radius", "1 to 64"]);
    site.refuses("vectorize labels.tif -o out.gpkg --close 1", 2, &["--close 1", "building=2"]);
    site.refuses("vectorize labels.tif -o out.gpkg --open swamp=2", 2, &["--open swamp=2", "no class \"swamp\""]);
    site.refuses("vectorize labels.tif -o out.gpkg --right-angles 1=0", 2, &["right angles", "more than 0"]);
    assert!(!site.at("out.gpkg").exists());
    site.swath("vectorize labels.tif -o squared.gpkg --right-angles 1=20").done();
    site.swath("vectorize labels.tif -o both.gpkg --right-angles 1=20 --simplify 20").done();
}
