//! Tables of files, against counts by shapely and pyproj (`fixtures/area/make.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use swath_geo::{Affine, CogOptions, CogWriter, Crs, DType, Grid, Samples};
use tempfile::TempDir;

use super::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/area")).join(name)
}

fn goldens() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("goldens.json")).unwrap()).unwrap()
}

fn spec(maps: Vec<PathBuf>, zones: Option<PathBuf>) -> AreaSpec {
    let zones = zones.map(|path| ZoneSource { path, layer: None, field: "name".into(), filter: None });
    AreaSpec { maps, ignore: None, zones, classes: Vec::new(), period: None, dates: Vec::new() }
}

#[track_caller]
fn close(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() <= 1e-6 * want.abs() + 1e-12, "{what}: {got} against {want}");
}

fn check(table: &AreaTable, place: &str, want: &Value) {
    let rows: Vec<&AreaRow> = table.rows.iter().filter(|row| row.zone == place).collect();
    let classes = want["classes"].as_object().unwrap();
    assert_eq!(rows.len(), classes.len(), "{place}");
    let whole = want["m2"].as_f64().unwrap();
    for row in rows {
        let what = format!("{place}, class {}", row.class);
        let counted = &classes[&row.class_id.to_string()];
        assert_eq!(row.pixels, counted[0].as_u64().unwrap(), "{what}");
        close(row.km2 * 1e6, counted[1].as_f64().unwrap(), &what);
        close(row.zone_km2 * 1e6, whole, &what);
        match row.observed_share {
            Some(share) => close(share, want["observed_m2"].as_f64().unwrap() / whole, &what),
            None => assert_eq!(whole, 0.0, "{what}"),
        }
    }
}

#[test]
fn zones_are_those_of_shapely_and_areas_those_of_pyproj() {
    let goldens = goldens();
    for name in ["utm", "turned", "polar"] {
        let map = fixture(&format!("{name}.tif"));
        let table = areas(&spec(vec![map.clone()], Some(fixture(&format!("{name}.geojson"))))).unwrap();
        let places = goldens[name].as_object().unwrap();
        places.iter().filter(|(place, _)| *place != "(map)").for_each(|(place, want)| check(&table, place, want));
        assert_eq!(table.rows.len(), (places.len() - 1) * 4);
        assert!(
            table.notes[0].contains("reach beyond the map") && table.notes[0].ends_with("edge"),
            "{:?}",
            table.notes
        );
        assert!(table.notes[1].contains("no centre of a pixel: far"), "{:?}", table.notes);
        check(&areas(&spec(vec![map], None)).unwrap(), "(map)", &places["(map)"]);
    }
}

#[test]
fn a_stack_counts_every_pixel_once_in_a_month_and_says_what_burned_before() {
    // Not in the order of time.
    let dates = ["20190905", "20190621", "20190702", "20190603"];
    let maps: Vec<PathBuf> = dates.map(|date| fixture(&format!("burned_{date}.tif"))).to_vec();
    let month = AreaSpec {
        period: Some(Period::Month),
        classes: vec!["1".into()],
        ..spec(maps, Some(fixture("parks.geojson")))
    };
    let table = areas(&month).unwrap();
    assert_eq!(table.notes, ["no map of 2019-08"]);
    let goldens = goldens();
    let zones = goldens["stack"].as_object().unwrap();
    assert_eq!(table.rows.len(), zones.len() * 4);
    for row in &table.rows {
        let (zone, period) = (&zones[&row.zone], row.period.as_deref().unwrap());
        let what = format!("{} in {period}", row.zone);
        let want = &zone["periods"][period];
        assert_eq!(row.pixels, want[0].as_u64().unwrap(), "{what}");
        close(row.km2 * 1e6, want[1].as_f64().unwrap(), &what);
        close(row.repeat_km2.unwrap() * 1e6, want[2].as_f64().unwrap(), &what);
        close(row.observed_share.unwrap(), want[3].as_f64().unwrap() / zone["m2"].as_f64().unwrap(), &what);
    }
    for zone in zones.keys() {
        let of_zone = || table.rows.iter().filter(|row| row.zone == *zone);
        let (total, months): (Vec<_>, Vec<_>) = of_zone().partition(|row| row.period.as_deref() == Some("(total)"));
        let sum: f64 = months.iter().map(|row| row.km2).sum();
        close(sum, total[0].km2 + total[0].repeat_km2.unwrap(), zone);
    }
    // All in one period, or given other dates: nothing repeats.
    let together = areas(&AreaSpec { period: Some(Period::All), ..month.clone() }).unwrap();
    for (row, total) in together
        .rows
        .iter()
        .zip(table.rows.iter().filter(|row| row.period.as_deref() == Some("(total)")).flat_map(|row| [row, row]))
    {
        assert_eq!((row.pixels, row.repeat_km2), (total.pixels, Some(0.0)));
    }
    let year = MapDate::find("2020").unwrap();
    let yearly = areas(&AreaSpec { period: Some(Period::Year), dates: vec![year; 4], ..month }).unwrap();
    assert_eq!(yearly.rows[0].period.as_deref(), Some("2020"));
    assert_eq!(yearly.rows[0].km2, together.rows[0].km2);
}

#[test]
fn tables_are_written_as_csv_and_parquet() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    let folder = tempfile::tempdir().unwrap();
    let table = areas(&spec(vec![fixture("utm.tif")], Some(fixture("utm.geojson")))).unwrap();
    let (csv, parquet) = (folder.path().join("a.csv"), folder.path().join("a.parquet"));
    write_table(&table, &csv).unwrap();
    write_table(&table, &parquet).unwrap();
    let text = std::fs::read_to_string(csv).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("zone,class_id,class,pixels,km2,share,zone_km2,observed_share"));
    let reader = SerializedFileReader::new(std::fs::File::open(parquet).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    let mut count = 0;
    for ((row, line), expected) in rows.zip(lines).zip(&table.rows) {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), 8);
        assert_eq!((row.get_string(0).unwrap().as_str(), cells[0]), (expected.zone.as_str(), expected.zone.as_str()));
        assert_eq!(
            (row.get_long(3).unwrap(), cells[3].parse::<i64>()),
            (expected.pixels as i64, Ok(expected.pixels as i64))
        );
        assert_eq!((row.get_double(4).unwrap(), cells[4].parse()), (expected.km2, Ok(expected.km2)));
        assert_eq!(row.get_double(7).ok(), expected.observed_share);
        assert_eq!(cells[7].parse().ok(), expected.observed_share);
        count += 1;
    }
    assert_eq!(count, table.rows.len());
    let error = write_table(&table, &folder.path().join("a.xls")).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains(".parquet"), "{error}");
}

/// Maps of one class a file, on any grid.
struct Site {
    folder: TempDir,
}

impl Site {
    fn map(&self, name: &str, grid: &Grid, value: impl Fn(usize) -> u16) -> PathBuf {
        let path = self.folder.path().join(name);
        let options = CogOptions { nodata: Some(65_535.0), ..CogOptions::new(DType::U16, 1) };
        let mut writer = CogWriter::create(&path, grid, &options).unwrap();
        let values: Vec<u16> = (0..grid.width * grid.height).map(value).collect();
        writer.write(grid.window(), 0, Samples::U16(&values)).unwrap();
        writer.finish().unwrap();
        path
    }
}

fn lonlat(west: f64, north: f64, step: f64, width: usize, height: usize) -> Grid {
    let crs = Some(Crs::from_user("EPSG:4326").unwrap());
    Grid { crs, transform: Affine([west, step, 0.0, north, 0.0, -step]), width, height }
}

#[test]
fn the_whole_ellipsoid_and_cells_of_a_degree() {
    let site = Site { folder: tempfile::tempdir().unwrap() };
    // Every parallel its own class, but for the cells of the first column.
    let map = site.map("world.tif", &lonlat(-180.0, 90.0, 1.0, 360, 180), |at| {
        if at % 360 == 0 { 1000 } else { (at / 360) as u16 }
    });
    let table = areas(&spec(vec![map], None)).unwrap();
    let total: f64 = table.rows.iter().map(|row| row.km2).sum();
    assert!((total - 510_065_621.724).abs() < 1e-2, "{total}");
    let by_class: BTreeMap<u32, f64> = table.rows.iter().map(|row| (row.class_id, row.km2)).collect();
    assert!((by_class[&89] / 359.0 - 12_308.464).abs() < 1e-3 && (by_class[&29] / 359.0 - 6_123.141).abs() < 1e-3);
}

#[test]
fn maps_without_a_class_and_maps_of_every_class() {
    let site = Site { folder: tempfile::tempdir().unwrap() };
    let grid = lonlat(10.0, 50.0, 0.001, 300, 220);
    let empty = site.map("empty.tif", &grid, |_| 65_535);
    assert!(areas(&spec(vec![empty.clone()], None)).unwrap().rows.is_empty());
    let many = site.map("many.tif", &grid, |at| (at % 65_535) as u16);
    let table = areas(&spec(vec![many.clone()], None)).unwrap();
    assert_eq!(table.rows.len(), 65_535);
    let of_stack = AreaSpec { period: Some(Period::All), ..spec(vec![many.clone(), empty.clone()], None) };
    assert!(areas(&of_stack).unwrap_err().to_string().contains("--class"));
    let some = AreaSpec { classes: vec!["7".into(), "65534".into()], ..of_stack };
    let table = areas(&some).unwrap();
    assert_eq!(table.rows.iter().map(|row| row.pixels).collect::<Vec<_>>(), [2, 1, 2, 1]);
    // Two maps by themselves are told apart; a class that one of them lacks has no area there, and one that both lack is refused.
    let two = areas(&AreaSpec { classes: vec!["7".into()], ..spec(vec![many, empty.clone()], None) }).unwrap();
    assert_eq!(two.rows.iter().map(|row| row.pixels).collect::<Vec<_>>(), [2, 0]);
    assert!(two.rows[1].map.as_deref().unwrap().ends_with("empty.tif"));
    let error = areas(&AreaSpec { classes: vec!["7".into()], ..spec(vec![empty], None) }).unwrap_err();
    assert!(error.is_usage() && error.to_string().contains("no class \"7\""), "{error}");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let site = Site { folder: tempfile::tempdir().unwrap() };
    let grid = lonlat(10.0, 50.0, 0.01, 30, 20);
    let map = site.map("map_2019.tif", &grid, |_| 1);
    let other = site.map("other_2020.tif", &lonlat(10.0, 50.0, 0.02, 30, 20), |_| 1);
    let plain = site.map("plain.tif", &Grid::plain(30, 20), |_| 1);
    let zones = |text: &str| {
        let path = site.folder.path().join("zones.geojson");
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let refused = |spec: AreaSpec, words: &[&str]| {
        let error = areas(&spec).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    };
    refused(spec(vec![plain], None), &["plain.tif", "no coordinate reference system"]);
    let stack = |maps: &[&PathBuf], period| AreaSpec {
        period: Some(period),
        ..spec(maps.iter().map(|&map| map.clone()).collect(), None)
    };
    refused(stack(&[&map, &other], Period::Year), &["map_2019.tif", "other_2020.tif", "gdalwarp"]);
    refused(stack(&[&map], Period::Month), &["map_2019.tif", "2019", "coarser"]);
    let nameless = site.map("map.tif", &grid, |_| 1);
    refused(stack(&[&nameless], Period::Year), &["map.tif", "--date"]);
    let date = MapDate::find("2019").unwrap();
    refused(AreaSpec { dates: vec![date; 2], ..stack(&[&nameless], Period::Year) }, &["2 dates", "1 maps"]);
    let empty = r#"{ "type": "FeatureCollection", "features": [] }"#;
    let message = areas(&spec(vec![map.clone()], zones(empty))).unwrap_err().to_string();
    assert!(message.contains("zones.geojson"), "{message}");
    let far = r#"{ "type": "Feature", "properties": { "name": "a" }, "geometry": { "type": "Polygon", "coordinates": [[[50,50],[51,50],[51,51],[50,50]]] } }"#;
    refused(
        spec(vec![map.clone()], zones(far)),
        &["zones.geojson", "none of its 1 zones", "map_2019.tif", "EPSG:4326"],
    );
    let mut wrong = spec(vec![map], zones(far));
    wrong.zones.as_mut().unwrap().field = "nam".into();
    refused(wrong, &["nam", "name"]);
}

#[test]
fn what_lies_beside_the_world_may_be_nodata() {
    let site = Site { folder: tempfile::tempdir().unwrap() };
    // Mollweide's world is an ellipse in a box; the corners are nowhere.
    let pixel = 500_000.0;
    let crs = Some(Crs::from_user("ESRI:54009").unwrap());
    let grid = Grid { crs, transform: Affine([-18e6, pixel, 0.0, 9e6, 0.0, -pixel]), width: 72, height: 36 };
    let inside = |at: usize| {
        let (x, y) = grid.pixel_to_world((at % 72) as f64 + 0.5, (at / 72) as f64 + 0.5);
        (x / 18_040_095.7).hypot(y / 9_020_047.85) < 0.9
    };
    let map = site.map("inside.tif", &grid, |at| if inside(at) { 1 } else { 65_535 });
    let table = areas(&spec(vec![map.clone()], None)).unwrap();
    let measured = swath_geo::PixelAreas::new(&grid).unwrap();
    let within: Vec<usize> = (0..72 * 36).filter(|&at| inside(at)).collect();
    let m2: f64 = within.iter().map(|at| measured.at((at % 72) as f64 + 0.5, (at / 72) as f64 + 0.5)).sum();
    let row = &table.rows[0];
    assert_eq!((table.rows.len(), row.pixels), (1, within.len() as u64));
    assert!((row.km2 * 1e6 / m2 - 1.0).abs() < 1e-4, "{} against {m2}", row.km2);
    assert!(row.observed_share.is_some_and(|share| (0.7..0.9).contains(&share)), "{:?}", row.observed_share);
    let stack = AreaSpec { period: Some(Period::All), ..spec(vec![map], None) };
    assert!((areas(&stack).unwrap().rows[0].km2 / row.km2 - 1.0).abs() < 1e-12);
    // Not so what has a class.
    let all = site.map("all.tif", &grid, |_| 1);
    let stack = AreaSpec { period: Some(Period::All), ..spec(vec![all.clone()], None) };
    for refused in [spec(vec![all], None), stack] {
        let error = areas(&refused).unwrap_err().to_string();
        assert!(error.contains("all.tif") && error.contains("make them nodata"), "{error}");
    }
}

#[test]
fn shares_are_at_most_all() {
    let counted = count::Counted { m2: 1.0, observed_m2: 1.0 + 2.0 * f64::EPSILON, ..Default::default() };
    let class = swath_geo::ClassEntry { value: 1, name: "lake".into(), color: [0; 3] };
    assert_eq!(count::row("here", &class, &counted).observed_share, Some(1.0));
}
