//! Samples drawn from files and read back from files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use swath_geo::{
    Affine, ClassEntry, CogOptions, CogWriter, Crs, Grid, PointRow, Samples, Value, read_table, write_points,
};
use tempfile::TempDir;

use super::*;

const NODATA: u8 = 255;

/// Pixels of about 100 km in longitude and latitude, from the equator to 60 degrees: the northern ones are half as large.
fn grid() -> Grid {
    let crs = Some(Crs::from_user("EPSG:4326").unwrap());
    Grid { crs, transform: Affine([10.0, 1.0, 0.0, 60.0, 0.0, -1.0]), width: 40, height: 60 }
}

/// Forest with a lake of 40 pixels and a strip of nodata.
fn shown(col: usize, row: usize) -> u8 {
    match (col, row) {
        (0, _) => NODATA,
        (5..15, 10..14) => 1,
        _ => 0,
    }
}

/// The lake is larger than the map shows.
fn really(col: usize, row: usize) -> u8 {
    u8::from((5..25).contains(&col) && (10..14).contains(&row))
}

struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Site {
        Site::on(&grid())
    }

    fn on(grid: &Grid) -> Site {
        let site = Site { folder: tempfile::tempdir().unwrap() };
        let class = |value, name: &str| ClassEntry { value, name: name.into(), color: [0; 3] };
        let classes = [class(0, "forest"), class(1, "lake"), class(2, "town")];
        let options = CogOptions::labels(&classes, Some(u32::from(NODATA)));
        let mut writer = CogWriter::create(&site.at("map.tif"), grid, &options).unwrap();
        let values: Vec<u8> = (0..40 * 60).map(|at| shown(at % 40, at / 40)).collect();
        writer.write(grid.window(), 0, Samples::U8(&values)).unwrap();
        writer.finish().unwrap();
        site
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn spec(&self, out: &str, total: u64, seed: u64) -> DesignSpec {
        DesignSpec {
            map: self.at("map.tif"),
            ignore: None,
            out: self.at(out),
            size: SampleSize::Total(total),
            floor: 20,
            expected_default: 0.9,
            expected: Vec::new(),
            seed,
            overwrite: true,
        }
    }

    /// Draws a sample and writes it again with what is really there.
    fn interpreted(&self, total: u64, seed: u64) -> PathBuf {
        let drawn = self.at("drawn.geojson");
        design(&self.spec("drawn.geojson", total, seed)).unwrap();
        let names = ["stratum", "map_class", "map_value", "stratum_px", "stratum_m2", "pixel_m2"];
        let table = read_table(&drawn, None, &names).unwrap();
        let rows: Vec<PointRow> = table
            .rows
            .into_iter()
            .map(|row| {
                let (col, line) = pixel(row.point.unwrap());
                let reference = ["forest", "lake"][usize::from(really(col, line))];
                let mut values: Vec<Value> = row.values.into_iter().flatten().map(Value::Text).collect();
                values.push(Value::Text(reference.into()));
                PointRow { point: row.point.unwrap(), values }
            })
            .collect();
        let out = self.at("interpreted.geojson");
        write_points(&out, table.crs.as_ref(), &[&names[..], &["seen"]].concat(), &rows, true).unwrap();
        out
    }
}

fn pixel((x, y): (f64, f64)) -> (usize, usize) {
    let (col, row) = grid().world_to_pixel(x, y).unwrap();
    assert!(((col - col.floor()) - 0.5).abs() < 1e-6 && ((row - row.floor()) - 0.5).abs() < 1e-6, "not a centre");
    (col as usize, row as usize)
}

/// Pixels of a sample by stratum, in the file's order.
fn drawn(path: &Path) -> Vec<(String, (usize, usize))> {
    let table = read_table(path, None, &["stratum"]).unwrap();
    table.rows.into_iter().map(|row| (row.values[0].clone().unwrap(), pixel(row.point.unwrap()))).collect()
}

#[test]
fn points_are_distinct_pixels_of_their_stratum() {
    let site = Site::new();
    let summary = design(&site.spec("sample.gpkg", 120, 3)).unwrap();
    assert_eq!(
        summary.classes.iter().map(|class| (class.pixels, class.points)).collect::<Vec<_>>(),
        [(2300, 100), (40, 20)]
    );
    let points = drawn(&site.at("sample.gpkg"));
    assert_eq!(points.len(), 120);
    assert_eq!(points.iter().map(|(_, pixel)| pixel).collect::<BTreeSet<_>>().len(), 120);
    for (stratum, (col, row)) in &points {
        assert_eq!(stratum, ["forest", "lake"][usize::from(shown(*col, *row))]);
    }
    // In random order: the lake's points are not together.
    let lakes: Vec<usize> = (0..120).filter(|&at| points[at].0 == "lake").collect();
    assert!(lakes[19] - lakes[0] > 40, "{lakes:?}");
    // Weights are shares by area.
    let table = read_table(&site.at("sample.gpkg"), None, &["weight", "reference", "id"]).unwrap();
    let weights: BTreeSet<&str> = table.rows.iter().filter_map(|row| row.values[0].as_deref()).collect();
    assert_eq!(weights.len(), 2);
    let sum: f64 = weights.iter().map(|weight| weight.parse::<f64>().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert!(table.rows.iter().all(|row| row.values[1].is_none()));
    assert_eq!(table.rows[119].values[2].as_deref(), Some("120"));
}

#[test]
fn every_format_has_all_columns_and_the_random_order() {
    let site = Site::new();
    let mut first = Vec::new();
    for out in ["sample.gpkg", "sample.fgb", "sample.geojson", "sample.shp"] {
        design(&site.spec(out, 60, 3)).unwrap();
        let table = read_table(&site.at(out), None, &["id", "reference"]).unwrap();
        let ids: Vec<String> = table.rows.iter().map(|row| row.values[0].clone().unwrap()).collect();
        assert_eq!(ids, (1..=60).map(|id| id.to_string()).collect::<Vec<_>>(), "{out}");
        assert!(table.rows.iter().all(|row| row.values[1].is_none()), "{out}");
        let order: Vec<(usize, usize)> = drawn(&site.at(out)).into_iter().map(|(_, pixel)| pixel).collect();
        if first.is_empty() {
            assert!(!order.is_sorted() && !order.iter().is_sorted_by_key(|&(col, row)| (row, col)));
            first.clone_from(&order);
        }
        assert_eq!(order, first, "{out}");
    }
}

#[test]
fn a_seed_names_one_sample_and_larger_ones_hold_smaller_ones() {
    let site = Site::new();
    let sample = |total, seed| {
        design(&site.spec("sample.fgb", total, seed)).unwrap();
        drawn(&site.at("sample.fgb")).into_iter().collect::<BTreeSet<_>>()
    };
    assert_eq!(sample(100, 1), sample(100, 1));
    assert_ne!(sample(100, 1), sample(100, 2));
    assert!(sample(300, 1).is_superset(&sample(100, 1)));
}

#[test]
fn every_pixel_of_a_class_has_the_same_chance() {
    let site = Site::new();
    let mut counts: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    for seed in 0..200 {
        design(&site.spec("sample.geojson", 50, seed)).unwrap();
        for (_, pixel) in drawn(&site.at("sample.geojson")).into_iter().filter(|(stratum, _)| stratum == "lake") {
            *counts.entry(pixel).or_default() += 1;
        }
    }
    // 20 of 40 pixels, 200 times: binomial(200, 1/2) for each, within five standard deviations.
    assert_eq!(counts.len(), 40);
    assert!(counts.values().all(|&count| count.abs_diff(100) < 36), "{counts:?}");
}

#[test]
fn estimates_are_right_on_average_although_pixels_differ_in_area() {
    let site = Site::new();
    let areas = swath_geo::PixelAreas::new(&grid()).unwrap();
    let pixels = || (0..60usize).flat_map(|row| (0..40usize).map(move |col| (col, row)));
    let lake = pixels().filter(|&(col, row)| really(col, row) == 1);
    let truth: f64 = lake.map(|(col, row)| areas.at(col as f64 + 0.5, row as f64 + 0.5)).sum();
    let (mut sum, mut covered) = (0.0, 0);
    const SEEDS: u64 = 60;
    for seed in 0..SEEDS {
        let found = assess(&AssessSpec::new(site.interpreted(300, seed), "seen")).unwrap();
        let area = found.classes[1].area_m2.unwrap();
        sum += area.value / truth;
        covered += u64::from((area.value - truth).abs() < area.margin.unwrap());
    }
    // A single estimate has a standard error of some 20 %, the mean of sixty a bit less than 3 %.
    let mean = sum / SEEDS as f64;
    assert!((mean - 1.0).abs() < 0.08, "{mean}");
    assert!(covered >= 50, "{covered} of {SEEDS} intervals hold the truth");
}

#[test]
fn who_looks_at_every_pixel_knows_the_areas() {
    let site = Site::new();
    let found = assess(&AssessSpec::new(site.interpreted(100_000, 1), "seen")).unwrap();
    let areas = swath_geo::PixelAreas::new(&grid()).unwrap();
    let lake = (0..80).map(|at| areas.at((at % 20 + 5) as f64 + 0.5, (at / 20 + 10) as f64 + 0.5)).sum::<f64>();
    let area = found.classes[1].area_m2.unwrap();
    assert!((area.value / lake - 1.0).abs() < 1e-9 && area.margin == Some(0.0), "{area:?} against {lake}");
    assert_eq!((found.units, found.classes.len()), (2340, 2));
}

#[test]
fn samples_lie_on_maps_across_the_antimeridian() {
    // Degrees go on to 190, or begin at -190; GeoJSON has them from -180 to 180.
    for west in [150.0, -190.0] {
        let site = Site::on(&Grid { transform: Affine([west, 1.0, 0.0, 60.0, 0.0, -1.0]), ..grid() });
        design(&site.spec("sample.geojson", 60, 1)).unwrap();
        let table = read_table(&site.at("sample.geojson"), None, &["map_class"]).unwrap();
        let points = || table.rows.iter().map(|row| row.point.unwrap());
        assert!(
            points().any(|(x, _)| x < 0.0) && points().any(|(x, _)| x > 0.0) && points().all(|(x, _)| x.abs() <= 180.0)
        );
        let seen = table.rows.iter().map(|row| PointRow {
            point: row.point.unwrap(),
            values: vec![Value::Text(row.values[0].clone().unwrap())],
        });
        let rows: Vec<PointRow> = seen.collect();
        write_points(&site.at("seen.geojson"), table.crs.as_ref(), &["seen"], &rows, false).unwrap();
        let spec = AssessSpec { map: Some(site.at("map.tif")), ..AssessSpec::new(site.at("seen.geojson"), "seen") };
        let found = assess(&spec).unwrap();
        assert_eq!((found.units, found.overall_accuracy.value), (60, 1.0));
    }
}

#[test]
fn maps_that_reach_beyond_the_earth_are_refused() {
    for (crs, transform) in
        [("EPSG:4326", [10.0, 1.0, 0.0, 120.0, 0.0, -1.0]), ("ESRI:54009", [-18e6, 9e5, 0.0, 9e6, 0.0, -3e5])]
    {
        let crs = Some(Crs::from_user(crs).unwrap());
        let site = Site::on(&Grid { crs, transform: Affine(transform), ..grid() });
        let error = design(&site.spec("sample.gpkg", 300, 1)).unwrap_err().to_string();
        assert!(error.contains("map.tif") && error.contains("make them nodata"), "{error}");
        assert!(!site.at("sample.gpkg").exists());
    }
}

#[test]
fn designs_that_cannot_be_drawn_are_refused() {
    let site = Site::new();
    let refused = |change: &dyn Fn(&mut DesignSpec), word: &str| {
        let mut spec = site.spec("none.gpkg", 100, 1);
        change(&mut spec);
        let error = design(&spec).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert!(!site.at("none.gpkg").exists());
        error.is_usage()
    };
    assert!(refused(&|spec| spec.size = SampleSize::Total(30), "40 units"));
    assert!(refused(&|spec| spec.floor = 1, "at least 2"));
    assert!(refused(&|spec| spec.expected = vec![("sea".into(), 0.9)], "forest, lake"));
    assert!(refused(&|spec| spec.out = site.at("none.txt"), ".gpkg"));
    assert!(!refused(&|spec| spec.map = site.at("missing.tif"), "missing.tif"));
    // A target standard error never falls below the floors, and a small map is never overdrawn.
    let size = |error| {
        let spec = DesignSpec { size: SampleSize::StandardError(error), ..site.spec("sample.fgb", 0, 1) };
        design(&spec).unwrap().points
    };
    assert_eq!(size(0.5), 40);
    assert_eq!(size(1e-4), 2340);
    // (0.3 / 0.03)^2, as every class is expected to be right in 90 %.
    assert_eq!(size(0.03), 100);
    // Floors that take points from the large classes miss the target; what would reach it does, and one point less does not.
    let planned = |size| design(&DesignSpec { size, floor: 25, ..site.spec("sample.fgb", 0, 1) }).unwrap();
    let short = planned(SampleSize::StandardError(0.03));
    assert!(short.expected_standard_error > 0.03, "{short:?}");
    let points = short.points_for_target.unwrap();
    assert!(planned(SampleSize::Total(points)).expected_standard_error <= 0.03);
    assert!(planned(SampleSize::Total(points - 1)).expected_standard_error > 0.03);
    assert!(design_table(&short).contains(&format!("--total {points}")));
    assert_eq!(planned(SampleSize::StandardError(0.5)).points_for_target, None);
}

/// The example of Olofsson et al. (2014), table 8, as somebody else's table.
fn olofsson() -> String {
    let names = ["deforestation", "gain", "forest", "non-forest"];
    let shares = [0.02, 0.015, 0.32, 0.645];
    let rows = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]];
    let mut text = String::from("shown,seen,share\n");
    for (map, row) in rows.iter().enumerate() {
        for (reference, &count) in row.iter().enumerate() {
            let seen = if reference == 3 { "Non-Forest" } else { names[reference] };
            text += &format!("{},{seen},{}\n", names[map], shares[map]).repeat(count);
        }
    }
    text
}

#[test]
fn tables_of_others_need_a_share_and_may_be_csv() {
    let site = Site::new();
    let path = site.at("plots.csv");
    fs::write(&path, olofsson() + "forest,,0.32\n").unwrap();
    let spec = AssessSpec {
        map_field: Some("shown".into()),
        weight_field: Some("share".into()),
        total_area_m2: Some(9e9),
        ..AssessSpec::new(&path, "seen")
    };
    let found = assess(&spec).unwrap();
    assert_eq!((found.units, found.without_reference), (640, 1));
    let names: Vec<&str> = found.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["deforestation", "forest", "gain", "non-forest"]);
    let area = found.classes[0].area_m2.unwrap();
    assert!((area.value / 1e4 - 21_158.0).abs() < 0.5 && (area.margin.unwrap() / 1e4 - 6158.0).abs() < 0.5, "{area:?}");
    let text = table(&found);
    assert!(
        text.contains("94.65 ± 1.85 %") && text.contains("88.00 ± 7.40") && text.contains("211.58 ± 61.58"),
        "{text}"
    );
    assert!(text.contains("1 without a reference class"), "{text}");
    let table = csv(&found);
    assert!(table.lines().count() == 2 + 4 * 7 && table.contains("area,deforestation,km2,211.5"), "{table}");

    let refused = |change: &dyn Fn(&mut AssessSpec), text: &str, words: &[&str]| {
        fs::write(&path, text).unwrap();
        let mut spec = spec.clone();
        change(&mut spec);
        let error = assess(&spec).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    let good = olofsson();
    refused(&|spec| spec.reference_field = "sen".into(), &good, &["plots.csv", "sen", "seen"]);
    refused(&|spec| spec.map_field = None, &good, &["--map-field", "shown"]);
    refused(&|spec| spec.weight_field = None, &good, &["--weight-field"]);
    refused(&|spec| spec.confidence = 95.0, &good, &["0.95"]);
    refused(&|_| {}, &good.replace("0.015", "0.5"), &["share", "1.4850"]);
    refused(&|_| {}, &good.replacen("0.015", "0.25", 1), &["gain", "0.25", "0.015"]);
    refused(&|_| {}, &good.replacen("0.015", "much", 1), &["much", "share"]);
    refused(&|_| {}, &good.replacen("gain,", ",", 1), &["shown", "row 76"]);
    refused(&|_| {}, "shown,seen,share\n", &["no rows"]);
    refused(&|_| {}, "shown,seen,share\nforest,,1\n", &["no unit"]);
    refused(&|_| {}, "shown,seen,share\na,a,0.5\na,b,0.5\nb,,0.5\n", &["\"b\", 50.00 %"]);
}

#[test]
fn another_map_is_assessed_with_the_same_sample() {
    let site = Site::new();
    let sample = site.interpreted(300, 5);
    let found = assess(&AssessSpec { map: Some(site.at("map.tif")), ..AssessSpec::new(&sample, "seen") }).unwrap();
    assert_eq!(found.classes.len(), 2);
    assert_eq!(found, assess(&AssessSpec::new(&sample, "seen")).unwrap());
    // Only points and findings, as values of classes: strata and their sizes are the map's. The first point is not interpreted.
    let rows = read_table(&sample, None, &["seen"]).unwrap();
    let bare = |shift: f64| {
        let row = |(index, row): (usize, &swath_geo::TableRow)| {
            let (x, y) = row.point.unwrap();
            let seen = u8::from(row.values[0].as_deref() == Some("lake")).to_string();
            PointRow { point: (x + shift, y), values: vec![Value::Text(if index == 0 { String::new() } else { seen })] }
        };
        let rows: Vec<PointRow> = rows.rows.iter().enumerate().map(row).collect();
        let path = site.at("bare.geojson");
        write_points(&path, rows.first().and(grid().crs.as_ref()), &["seen"], &rows, true).unwrap();
        assess(&AssessSpec { map: Some(site.at("map.tif")), ..AssessSpec::new(path, "seen") })
    };
    let again = bare(0.0).unwrap();
    assert_eq!((again.units, again.without_reference), (found.units - 1, 1));
    assert!((again.total_m2.unwrap() / found.total_m2.unwrap() - 1.0).abs() < 1e-9);
    assert!((again.overall_accuracy.value - found.overall_accuracy.value).abs() < 0.01);
    let error = bare(-1.0).unwrap_err().to_string();
    assert!(error.contains("map.tif") && error.contains("no class"), "{error}");
}
