//! `swath area`: square kilometres by class, zone and period.

use std::fs;

use serde_json::Value;

use crate::site::{SIZE, Site, class_at, grid, write_labels};

#[test]
fn zones_months_and_files() {
    let site = Site::new();
    let text = site.swath("area labels.tif").done();
    let water = (0..96 * 64).filter(|at| class_at(at / 96, at % 96) == 1).count() as u64;
    assert!(text.contains("(map)") && text.contains("land") && text.contains("100.00"), "{text}");

    site.write_polygons("zones.geojson", &[("north", [0.0, 0.0, 96.0, 32.0]), ("east", [48.0, 0.0, 96.0, 64.0])]);
    let zones = "--zones zones.geojson --zone-field kind";
    let json = site.swath(&format!("area labels.tif {zones} --class water -o areas.csv --json")).done();
    let found: Value = serde_json::from_str(&json).unwrap();
    let pixels = |zone: &str| {
        let rows = found["rows"].as_array().unwrap();
        rows.iter().find(|row| row["zone"] == zone).map(|row| row["pixels"].as_u64().unwrap()).unwrap()
    };
    let count = |inside: &dyn Fn(usize, usize) -> bool| {
        (0..96 * 64usize).filter(|at| class_at(at / 96, at % 96) == 1 && inside(at / 96, at % 96)).count() as u64
    };
    assert_eq!(pixels("north"), count(&|row, _| row < 32));
    assert_eq!(pixels("east"), count(&|_, col| col >= 48));
    assert_eq!(pixels("(all zones)"), count(&|row, col| row < 32 || col >= 48));
    assert_eq!(fs::read_to_string(site.at("areas.csv")).unwrap().lines().count(), 4);
    site.refuses(&format!("area labels.tif {zones} -o areas.csv"), 1, &["areas.csv", "exists already", "--overwrite"]);

    write_labels(&site.at("burned_2019-06-30.tif"), &grid(SIZE), class_at);
    write_labels(
        &site.at("burned_2019-07-02.tif"),
        &grid(SIZE),
        |row, col| if row < 16 { 255 } else { class_at(row, col) },
    );
    let maps = "burned_2019-06-30.tif burned_2019-07-02.tif";
    let files = "-o burned.parquet --chart burned.svg --json burned.json";
    let text = site.swath(&format!("area {maps} --period month --class water {files}")).done();
    assert!(text.contains("2019-06") && text.contains("2019-07") && text.contains("(total)"), "{text}");
    let table: Value = serde_json::from_slice(&site.bytes("burned.json")).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(
        rows.iter().map(|row| row["pixels"].as_u64().unwrap()).collect::<Vec<_>>(),
        [water, count(&|row, _| row >= 16), water]
    );
    assert!((rows[1]["observed_share"].as_f64().unwrap() - 0.75).abs() < 1e-6);
    assert_eq!(rows[1]["repeat_km2"], rows[1]["km2"]);
    assert!(site.bytes("burned.parquet").starts_with(b"PAR1"));
    let chart = String::from_utf8(site.bytes("burned.svg")).unwrap();
    assert!(chart.starts_with("<svg") && chart.contains("2019-07") && chart.contains("#1e88e5"), "{chart}");
}

#[test]
fn zones_that_touch_or_cross_themselves_and_each_other_are_counted_once() {
    let site = Site::new();
    let world = |points: &[(f64, f64)]| -> String {
        let corner = |&(col, row): &(f64, f64)| {
            let (x, y) = grid(SIZE).pixel_to_world(col, row);
            format!("[{x}, {y}]")
        };
        points.iter().map(corner).collect::<Vec<_>>().join(", ")
    };
    let feature = |kind: &str, rings: &[&[(f64, f64)]]| {
        let rings: Vec<String> = rings.iter().map(|ring| format!("[{}]", world(ring))).collect();
        let rings = rings.join(", ");
        format!(
            r#"{{ "type": "Feature", "properties": {{ "kind": "{kind}" }}, "geometry": {{ "type": "Polygon", "coordinates": [{rings}] }} }}"#
        )
    };
    let hole = [(30.0, 10.0), (20.0, 10.0), (20.0, 20.0), (30.0, 20.0), (30.0, 10.0)];
    let features = [
        // Two squares of a single ring, which touches itself at the corner where they meet.
        feature(
            "pair",
            &[&[
                (0.0, 0.0),
                (10.0, 0.0),
                (10.0, 20.0),
                (20.0, 20.0),
                (20.0, 10.0),
                (10.0, 10.0),
                (0.0, 10.0),
                (0.0, 0.0),
            ]],
        ),
        // A hole that touches the outer ring along one of its sides.
        feature("gap", &[&[(20.0, 0.0), (40.0, 0.0), (40.0, 30.0), (20.0, 30.0), (20.0, 0.0)], &hole]),
        // A bow tie: its halves run in opposite senses, and both are in it.
        feature("bow", &[&[(60.0, 0.0), (90.0, 30.0), (90.0, 0.0), (60.0, 30.0), (60.0, 0.0)]]),
        // The same square twice over, and a part of the others.
        feature("twice", &[&[(0.0, 40.0), (20.0, 40.0), (20.0, 60.0), (0.0, 60.0), (0.0, 40.0)]]),
        feature("twice", &[&[(10.0, 40.0), (30.0, 40.0), (30.0, 60.0), (10.0, 60.0), (10.0, 40.0)]]),
        feature("over", &[&[(0.0, 0.0), (96.0, 0.0), (96.0, 5.0), (0.0, 5.0), (0.0, 0.0)]]),
    ];
    let text = format!(
        r#"{{ "type": "FeatureCollection", "crs": {{ "type": "name", "properties": {{ "name": "urn:ogc:def:crs:EPSG::32633" }} }}, "features": [{}] }}"#,
        features.join(", ")
    );
    fs::write(site.at("zones.geojson"), text).unwrap();
    let json = site.swath("area labels.tif --zones zones.geojson --zone-field kind --json").done();
    let found: Value = serde_json::from_str(&json).unwrap();
    let pixels = |zone: &str| -> u64 {
        let rows = found["rows"].as_array().unwrap();
        rows.iter().filter(|row| row["zone"] == zone).map(|row| row["pixels"].as_u64().unwrap()).sum()
    };
    let square = |col: usize, row: usize, left: usize, top: usize, right: usize, bottom: usize| {
        (left..right).contains(&col) && (top..bottom).contains(&row)
    };
    type Inside = fn(usize, usize, &dyn Fn(usize, usize, usize, usize, usize, usize) -> bool) -> bool;
    let zones: [(&str, Inside); 5] = [
        ("pair", |col, row, square| square(col, row, 0, 0, 10, 10) || square(col, row, 10, 10, 20, 20)),
        ("gap", |col, row, square| square(col, row, 20, 0, 40, 30) && !square(col, row, 20, 10, 30, 20)),
        // Centres on its sides belong to one half or to none: the tie is taken without them.
        ("bow", |col, row, square| square(col, row, 60, 0, 90, 30) && (col - 60 > row) == (col - 60 + row > 29)),
        ("twice", |col, row, square| square(col, row, 0, 40, 30, 60)),
        ("over", |col, row, square| square(col, row, 0, 0, 96, 5)),
    ];
    let count =
        |inside: &dyn Fn(usize, usize) -> bool| (0..96 * 64usize).filter(|at| inside(at % 96, at / 96)).count() as u64;
    for (zone, inside) in zones {
        let expected = count(&|col, row| inside(col, row, &square));
        let slack = if zone == "bow" { 60 } else { 0 };
        assert!(pixels(zone).abs_diff(expected) <= slack, "{zone}: {} of {expected}", pixels(zone));
    }
}

#[test]
fn a_map_without_data_has_an_empty_table() {
    let site = Site::new();
    write_labels(&site.at("none.tif"), &grid(SIZE), |_, _| 255);
    let finished = site.swath("area none.tif -o none.csv");
    assert!(finished.code == Some(0) && finished.stderr.contains("no pixel has a class"), "{}", finished.stderr);
    assert_eq!(fs::read_to_string(site.at("none.csv")).unwrap().lines().count(), 1);
}

#[test]
fn a_zone_without_the_centre_of_a_pixel_has_rows_of_nothing() {
    let site = Site::new();
    site.write_polygons("corner.geojson", &[("corner", [3.1, 4.1, 3.4, 4.4])]);
    let finished = site.swath("area labels.tif --zones corner.geojson --zone-field kind --json");
    assert!(finished.stderr.contains("1 of 1 zones hold no centre of a pixel: corner"), "{}", finished.stderr);
    let table: Value = serde_json::from_str(&finished.done()).unwrap();
    let rows = table["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["zone"] == "corner" && row["pixels"] == 0 && row["km2"] == 0.0), "{rows:?}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let site = Site::new();
    site.refuses("area scene.tif -o out.csv", 1, &["scene.tif", "2 bands"]);
    site.refuses("area missing.tif -o out.csv", 1, &["missing.tif"]);
    site.refuses("area labels.tif -o out.txt", 2, &["out.txt", ".csv", ".parquet"]);
    site.refuses("area labels.tif --chart out.png", 2, &["out.png", ".svg"]);
    site.refuses("area labels.tif --class lava -o out.csv", 2, &["lava", "land, water"]);
    site.refuses("area labels.tif --period month -o out.csv", 1, &["labels.tif", "--date"]);
    site.write_polygons("far.geojson", &[("far", [5000.0, 0.0, 5020.0, 10.0])]);
    site.refuses(
        "area labels.tif --zones far.geojson --zone-field kind -o out.csv",
        1,
        &["far.geojson", "none of its 1 zones"],
    );
    site.refuses("area labels.tif --zones far.geojson --zone-field name -o out.csv", 1, &["name", "kind"]);
    // Other programs' words for these say neither what there is nor what to do.
    site.swath("vectorize labels.tif -o zones.gpkg").done();
    for (condition, words) in [("kin=1", "no field \"kin\"; fields: "), ("class==(", "write one of OGR SQL")] {
        let line = site.refuses(
            &format!("area labels.tif --zones zones.gpkg --zone-field class --zone-where {condition} -o out.csv"),
            1,
            &["zones.gpkg", condition, words, "class_id"],
        );
        assert!(!line.contains("sqlite"), "{line}");
    }
    site.swath("vectorize labels.tif -o zones.shp").done();
    fs::write(site.at("zones.prj"), r#"LOCAL_CS["Site grid", UNIT["metre", 1]]"#).unwrap();
    let line = site.refuses(
        "area labels.tif --zones zones.shp --zone-field class -o out.csv",
        1,
        &["zones.shp", "Site grid", "EPSG:32633", "ogr2ogr -a_srs"],
    );
    assert!(!line.contains("PROJ"), "{line}");
    let finished = site.swath("area labels.tif --zones far.geojson");
    assert!(finished.code == Some(2) && finished.stderr.contains("--zone-field"), "{}", finished.stderr);
}
