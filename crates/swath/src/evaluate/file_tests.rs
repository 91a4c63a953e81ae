//! Evaluations of small files.

use std::fs;
use std::path::{Path, PathBuf};

use swath_geo::{
    Affine, ClassEntry, CogOptions, CogWriter, Crs, Edge, Grid, Samples, Scene, SceneSpec, Window, read_map_classes,
};
use tempfile::TempDir;

use super::*;

const SIDE: usize = 8;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A label file of 8-bit values, nodata 255.
    fn labels(&self, name: &str, grid: &Grid, values: impl Fn(usize, usize) -> u8) -> PathBuf {
        let pixels: Vec<u8> = (0..grid.width * grid.height).map(|i| values(i % grid.width, i / grid.width)).collect();
        let entry = |value, name: &str| ClassEntry { value, name: name.into(), color: [value as u8 * 50, 9, 9] };
        let options = CogOptions::labels(&[entry(0, "ground"), entry(1, "house")], Some(255));
        let path = self.path(name);
        let mut writer = CogWriter::create(&path, grid, &options).unwrap();
        writer.write(grid.window(), 0, Samples::U8(&pixels)).unwrap();
        writer.finish().unwrap();
        path
    }

    fn text(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// UTM 33N, `SIDE` x `SIDE` pixels of 10 m.
fn grid() -> Grid {
    utm(500_000.0, 5_800_000.0, 10.0, SIDE)
}

fn utm(x: f64, y: f64, pixel: f64, side: usize) -> Grid {
    let transform = Affine([x, pixel, 0.0, y, 0.0, -pixel]);
    Grid { crs: Some(Crs::from_user("EPSG:32633").unwrap()), transform, width: side, height: side }
}

/// The left half is house.
fn left(col: usize, _row: usize) -> u8 {
    u8::from(col < SIDE / 2)
}

/// Houses one column too far to the right, and one row that is invalid.
fn map_values(col: usize, row: usize) -> u8 {
    if row == 0 { 255 } else { u8::from(col <= SIDE / 2) }
}

fn spec(map: &Path, labels: &Path) -> EvaluateSpec {
    EvaluateSpec::of_map(map, labels).unwrap()
}

fn values(path: &Path) -> (Vec<f32>, Vec<bool>) {
    let scene = Scene::open(&SceneSpec::labels(path)).unwrap();
    let pixels = scene.reader().unwrap().read(scene.grid().window(), Edge::Invalid).unwrap();
    (pixels.values.data, pixels.valid)
}

#[test]
fn a_map_is_compared_where_map_and_labels_are_valid() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), map_values);
    let labels = files.labels("labels.tif", &grid(), |col, row| if row == 7 { 255 } else { left(col, row) });
    let mut spec = EvaluateSpec { boundary: Some(BoundaryDistance::Metres(10.0)), ..spec(&map, &labels) };
    spec.pairs[0].error_map = Some(files.path("errors.tif"));
    let Evaluated { evaluation, previews } = evaluate(&spec).unwrap();

    let counts = &evaluation.pooled.counts;
    assert_eq!(counts.confusion.rows(), [[18, 6], [0, 24]]);
    assert_eq!((counts.unlabelled, counts.unmapped), (8, 8));
    let areas = counts.areas.as_ref().unwrap();
    assert!((areas[1].reference_m2 / 2400.0 - 1.0).abs() < 1e-2, "{areas:?}");
    assert_eq!(evaluation.pooled.scores.positive, Some(1));
    assert_eq!(evaluation.pooled.boundary.as_ref().unwrap().mean_f1, Some(1.0));
    assert_eq!(evaluation.scenes[0].measures, evaluation.pooled);
    assert_eq!(evaluation.classes[1], EvaluatedClass { name: "house".into(), color: [50, 9, 9] });
    assert_eq!((previews[0].width, previews[0].predicted[SIDE]), (SIDE, 1));

    let (codes, valid) = values(&files.path("errors.tif"));
    assert_eq!(codes[SIDE..2 * SIDE], [3.0, 3.0, 3.0, 3.0, 1.0, 0.0, 0.0, 0.0]);
    assert!(!valid[0] && !valid[7 * SIDE] && valid[SIDE]);
    let legend = read_map_classes(&files.path("errors.tif")).unwrap();
    assert_eq!((legend[1].name.as_str(), legend.len()), ("false house", 4));
}

#[test]
fn json_brings_an_evaluation_back() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), map_values);
    let evaluation = evaluate(&spec(&map, &map)).unwrap().evaluation;
    let json = serde_json::to_string(&evaluation).unwrap();
    assert_eq!(serde_json::from_str::<Evaluation>(&json).unwrap(), evaluation);
}

#[test]
fn several_maps_are_pooled_by_their_counts() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), map_values);
    let labels = files.labels("labels.tif", &grid(), left);
    let mut spec = spec(&map, &labels);
    let mut second = spec.pairs[0].clone();
    second.map = labels.clone();
    spec.pairs.push(second);
    let evaluation = evaluate(&spec).unwrap().evaluation;
    let total = |measures: &Measures| measures.counts.confusion.total();
    assert_eq!((total(&evaluation.scenes[0].measures), total(&evaluation.scenes[1].measures)), (56, 64));
    assert_eq!(total(&evaluation.pooled), 120);
}

#[test]
fn labels_on_another_grid_are_brought_onto_the_maps() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), map_values);
    let fine = files.labels("fine.tif", &utm(500_000.0, 5_800_000.0, 5.0, 2 * SIDE), |col, row| left(col / 2, row));
    let counts = evaluate(&spec(&map, &fine)).unwrap().evaluation.pooled.counts;
    assert_eq!(counts.confusion.rows(), [[21, 7], [0, 28]]);
}

#[test]
fn labels_elsewhere_are_refused_with_both_extents() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), left);
    let labels = files.labels("labels.tif", &utm(600_000.0, 5_800_000.0, 10.0, SIDE), left);
    let message = evaluate(&spec(&map, &labels)).unwrap_err().to_string();
    assert!(message.contains("500000") && message.contains("600000") && message.contains("labels.tif"), "{message}");
}

#[test]
fn unknown_label_values_are_named_and_leave_no_error_map() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), left);
    let strange = |col, row| if row == 5 && col >= 6 { 7 } else { left(col, row) };
    let labels = files.labels("labels.tif", &grid(), strange);
    let mut spec = spec(&map, &labels);
    spec.pairs[0].error_map = Some(files.path("errors.tif"));
    let message = evaluate(&spec).unwrap_err().to_string();
    for part in ["labels.tif", "value 7", "2 pixels", "column 6, row 5"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let left: Vec<_> = fs::read_dir(files.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("errors")), "{left:?}");
    spec.ignore.push(7);
    assert_eq!(evaluate(&spec).unwrap().evaluation.pooled.counts.unlabelled, 2);
}

#[test]
fn vectors_are_burned_onto_the_map() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), map_values);
    // The left half of the grid, and a strip on the right for the attribute.
    let feature = |class: &str, x: [f64; 2]| {
        let [a, b] = x.map(|x| 500_000.0 + x);
        let (top, bottom) = (5_800_000.0, 5_799_920.0);
        format!(
            r#"{{"type":"Feature","properties":{{"kind":"{class}"}},"geometry":{{"type":"Polygon","coordinates":[[[{a},{top}],[{b},{top}],[{b},{bottom}],[{a},{bottom}],[{a},{top}]]]}}}}"#
        )
    };
    let collection = |features: &[String]| {
        format!(
            r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"urn:ogc:def:crs:EPSG::32633"}}}},"features":[{}]}}"#,
            features.join(",")
        )
    };
    let houses = files.text("houses.geojson", &collection(&[feature("house", [0.0, 40.0])]));
    let counts = |spec: EvaluateSpec| evaluate(&spec).unwrap().evaluation.pooled.counts;

    let everything = counts(spec(&map, &houses).with_class_field(None));
    assert_eq!(everything.confusion.rows(), [[21, 7], [0, 28]]);

    let both = collection(&[feature("house", [0.0, 40.0]), feature("ground", [60.0, 80.0])]);
    let both = files.text("both.geojson", &both);
    let named = counts(spec(&map, &both).with_class_field(Some("kind".into())));
    assert_eq!((named.confusion.rows(), named.unlabelled), (vec![vec![14, 0], vec![0, 28]], 14));
}

#[test]
fn classes_may_share_a_colour() {
    let files = Files::new();
    let entry = |value, name: &str| ClassEntry { value, name: name.into(), color: [7, 7, 7] };
    let path = files.path("grey.tif");
    let options = CogOptions::labels(&[entry(0, "a"), entry(1, "b")], Some(255));
    let mut writer = CogWriter::create(&path, &grid(), &options).unwrap();
    let pixels: Vec<u8> = (0..SIDE * SIDE).map(|i| left(i % SIDE, 0)).collect();
    writer.write(grid().window(), 0, Samples::U8(&pixels)).unwrap();
    writer.finish().unwrap();
    let counts = evaluate(&spec(&path, &path)).unwrap().evaluation.pooled.counts;
    assert_eq!(counts.confusion.rows(), [[32, 0], [0, 32]]);
}

#[test]
fn a_window_limits_what_counts() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), map_values);
    let labels = files.labels("labels.tif", &grid(), left);
    let window = Window::new(4, 2, 100, 3);
    let mut spec = EvaluateSpec { window: Some(window), ..spec(&map, &labels) };
    spec.pairs[0].error_map = Some(files.path("errors.tif"));
    let counts = evaluate(&spec).unwrap().evaluation.pooled.counts;
    assert_eq!(counts.confusion.rows(), [[9, 3], [0, 0]]);
    let errors = Scene::open(&SceneSpec::labels(files.path("errors.tif"))).unwrap();
    assert!(errors.grid().same(&grid().crop(Window::new(4, 2, 4, 3))));
    spec.window = Some(Window::new(50, 0, 4, 4));
    assert!(evaluate(&spec).unwrap_err().to_string().contains("outside"));
}

#[test]
fn nothing_in_common_is_an_error() {
    let files = Files::new();
    let map = files.labels("map.tif", &grid(), |_, row| if row < 4 { 1 } else { 255 });
    let labels = files.labels("labels.tif", &grid(), |_, row| if row < 4 { 255 } else { 1 });
    let message = evaluate(&spec(&map, &labels)).unwrap_err().to_string();
    assert!(message.contains("32 mapped pixels have no label"), "{message}");
}

#[test]
fn pictures_without_coordinates_are_measured_in_pixels() {
    let files = Files::new();
    let placed = files.labels("placed.tif", &grid(), left);
    let plain = files.labels("plain.tif", &Grid::plain(SIDE, SIDE), left);
    let unit = |maps: &[&PathBuf]| {
        let maps: Vec<PathBuf> = maps.iter().map(|map| (*map).clone()).collect();
        boundary_distance(&maps, 2.0)
    };
    assert_eq!(unit(&[&placed]).unwrap(), BoundaryDistance::Metres(2.0));
    assert_eq!(unit(&[&plain]).unwrap(), BoundaryDistance::Pixels(2.0));
    assert!(unit(&[&placed, &plain]).is_err());
    let mut spec = EvaluateSpec { boundary: Some(BoundaryDistance::Pixels(0.0)), ..spec(&plain, &plain) };
    let evaluation = evaluate(&spec).unwrap().evaluation;
    assert_eq!((evaluation.pooled.boundary.unwrap().mean_f1, evaluation.pooled.counts.areas), (Some(1.0), None));
    spec.boundary = Some(BoundaryDistance::Metres(1.0));
    assert!(evaluate(&spec).unwrap_err().to_string().contains("in pixels"));
}
