//! Scenes and labels in files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use swath_geo::{Affine, CogOptions, CogWriter, Crs, DType, Grid, Samples, Scene, Window};
use tempfile::TempDir;

use super::*;
use crate::IGNORE;
use crate::recipe::{Data, Recipe};

/// 6x4 pixels of 10 m.
fn grid() -> Grid {
    let crs = Some(Crs::from_user("EPSG:32633").unwrap());
    Grid { crs, transform: Affine([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]), width: 6, height: 4 }
}

fn tif(path: &Path, grid: &Grid, nodata: Option<f64>, values: &[u8]) {
    let options = CogOptions { nodata, overwrite: true, ..CogOptions::new(DType::U8, 1) };
    let mut writer = CogWriter::create(path, grid, &options).unwrap();
    writer.write(Window::new(0, 0, grid.width, grid.height), 0, Samples::U8(values)).unwrap();
    writer.finish().unwrap();
}

fn png(path: &Path, width: u32, channels: png::ColorType, bytes: &[u8]) {
    let height = bytes.len() as u32 / width / channels.samples() as u32;
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), width, height);
    encoder.set_color(channels);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header().unwrap().write_image_data(bytes).unwrap();
}

struct Place {
    folder: TempDir,
}

impl Place {
    /// A folder with `scene.tif`, whose pixels count from 0.
    fn new() -> Self {
        let place = Self { folder: TempDir::new().unwrap() };
        tif(&place.file("scene.tif"), &grid(), None, &(0..24).collect::<Vec<u8>>());
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Data with the classes `land` (0, black), `water` (1 or 7, blue) and the given text of one item.
    fn data(&self, item: &str) -> Data {
        let recipe = self.file("recipe.toml");
        let text = format!(
            r##"
            [data]
            classes = [
                {{ name = "land", color = "#000000" }},
                {{ name = "water", color = "#0000ff", values = [1, 7], attributes = ["lake", "river"] }},
            ]
            ignore_values = [9]
            ignore_colors = ["#9b9b9b"]
            train = [{{ {item} }}]
            [model.encoder.plain]
            [model.decoder.unet]
            "##
        );
        std::fs::write(&recipe, text).unwrap();
        Recipe::load(&recipe, &[]).unwrap_or_else(|error| panic!("{error}")).data
    }

    fn open(&self, item: &str) -> Result<OpenItem, DataError> {
        let data = self.data(item);
        Ok(open_items(&data, &data.train, self.folder.path())?.remove(0))
    }

    fn labels(&self, item: &str) -> Result<Vec<u16>, DataError> {
        let item = self.open(item)?;
        let (width, height) = (item.scene.grid().width, item.scene.grid().height);
        item.labelled().labels.reader()?.read(Window::new(0, 0, width, height))
    }

    fn error(&self, item: &str) -> String {
        self.labels(item).expect_err(item).to_string()
    }
}

const X: u16 = IGNORE;

#[test]
fn a_whole_scene_is_of_one_class_inside_its_edges() {
    let place = Place::new();
    let item = place.open(r#"scene = "scene.tif", class = "water""#).unwrap();
    let mut labels = item.labelled().labels.reader().unwrap();
    assert_eq!(labels.read(Window::new(0, 0, 6, 4)).unwrap(), [1; 24]);
    assert_eq!(labels.read(Window::new(-1, 3, 3, 2)).unwrap(), [X, 1, 1, X, X, X]);
}

#[test]
fn values_become_classes_and_nodata_is_ignored() {
    let place = Place::new();
    let mut values = vec![0; 24];
    values[..6].copy_from_slice(&[0, 1, 7, 9, 255, 44]);
    tif(&place.file("labels.tif"), &grid(), Some(44.0), &values);
    let labels = place.labels(r#"scene = "scene.tif", labels = "labels.tif""#).unwrap();
    assert_eq!(labels[..6], [0, 1, 1, X, X, X]);
    assert!(labels[6..].iter().all(|label| *label == 0));
}

#[test]
fn unknown_values_are_counted_and_located() {
    let place = Place::new();
    let mut values = vec![0; 24];
    for at in [8, 9, 20] {
        values[at] = 3;
    }
    values[23] = 4;
    tif(&place.file("labels.tif"), &grid(), None, &values);
    let error = place.error(r#"scene = "scene.tif", labels = "labels.tif""#);
    assert!(error.contains("labels.tif: values 3, 4 are no class (4 pixels, the first at column 2, row 1)"), "{error}");
    assert!(error.contains("`values`") && error.contains("known are 0, 1, 7, 9, 255"), "{error}");
}

#[test]
fn colours_become_classes_exactly() {
    let place = Place::new();
    png(&place.file("scene.png"), 2, png::ColorType::Rgb, &[1; 12]);
    png(&place.file("labels.png"), 2, png::ColorType::Rgb, &[0, 0, 0, 0, 0, 255, 0x9b, 0x9b, 0x9b, 0, 0, 255]);
    let item = r#"scene = "scene.png", labels = "labels.png""#;
    assert_eq!(place.labels(item).unwrap(), [0, 1, X, 1]);
    png(&place.file("labels.png"), 2, png::ColorType::Rgb, &[0, 0, 0, 0, 0, 254, 0, 0, 0, 0, 0, 254]);
    let error = place.error(item);
    assert!(error.contains("colour #0000fe is no class (2 pixels, the first at column 1, row 0)"), "{error}");
}

#[test]
fn palettes_are_read_by_colour() {
    let place = Place::new();
    png(&place.file("scene.png"), 4, png::ColorType::Grayscale, &[1; 4]);
    let path = place.file("labels.png");
    let write = |palette: &[u8], values: &[u8]| {
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), 4, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette.to_vec());
        encoder.write_header().unwrap().write_image_data(values).unwrap();
    };
    let data = |values: &str| {
        let mut data = place.data(r#"scene = "scene.png", labels = "labels.png""#);
        data.classes[1].values = if values.is_empty() { vec![1] } else { vec![1, 7] };
        data
    };
    let labels = |data: &Data| {
        let item = open_items(data, &data.train, place.folder.path())?.remove(0);
        item.labelled().labels.reader()?.read(Window::new(0, 0, 4, 1))
    };
    // Blue, grey, black, white.
    write(&[0, 0, 255, 0x9b, 0x9b, 0x9b, 0, 0, 0, 255, 255, 255], &[0, 1, 2, 0]);
    assert_eq!(labels(&data("")).unwrap(), [1, X, 0, 1]);
    write(&[0, 0, 255, 0x9b, 0x9b, 0x9b, 0, 0, 0, 255, 255, 255], &[0, 1, 2, 3]);
    let error = labels(&data("")).unwrap_err().to_string();
    assert!(error.contains("value 3 (#ffffff) is no class (1 pixels") && error.contains("`colors`"), "{error}");
    // With values of its own a class is meant by number.
    write(&[0, 0, 255, 0, 0, 0], &[0, 1, 0, 1]);
    assert_eq!(labels(&data("explicit")).unwrap(), [0, 1, 0, 1]);
}

#[test]
fn files_without_georeference_need_the_same_size() {
    let place = Place::new();
    png(&place.file("labels.png"), 6, png::ColorType::Grayscale, &[1; 24]);
    // Also beside a scene with georeference.
    let item = r#"scene = "scene.tif", labels = "labels.png""#;
    assert_eq!(place.labels(item).unwrap(), [1; 24]);
    png(&place.file("labels.png"), 5, png::ColorType::Grayscale, &[1; 20]);
    let error = place.error(item);
    assert!(error.contains("5x4 against 6x4 pixels") && error.contains("same size"), "{error}");
    png(&place.file("labels.png"), 2, png::ColorType::GrayscaleAlpha, &[1, 255, 1, 255]);
    png(&place.file("scene.png"), 2, png::ColorType::Grayscale, &[1; 2]);
    assert_eq!(place.labels(r#"scene = "scene.png", labels = "labels.png""#).unwrap(), [1; 2], "alpha is validity");
}

#[test]
fn labels_on_another_grid_are_resampled_to_the_nearest_pixel() {
    let place = Place::new();
    // Half the resolution, starting one coarse pixel further left.
    let coarse =
        Grid { transform: Affine([329_980.0, 20.0, 0.0, 5_822_040.0, 0.0, -20.0]), width: 3, height: 2, ..grid() };
    tif(&place.file("labels.tif"), &coarse, None, &[1, 0, 1, 1, 1, 0]);
    #[rustfmt::skip]
    assert_eq!(place.labels(r#"scene = "scene.tif", labels = "labels.tif""#).unwrap(), [
        0, 0, 1, 1, X, X,
        0, 0, 1, 1, X, X,
        1, 1, 0, 0, X, X,
        1, 1, 0, 0, X, X,
    ]);
}

#[test]
fn labels_in_another_crs_are_reprojected() {
    let place = Place::new();
    // The neighbouring zone: coordinates of the same ground differ by hundreds of kilometres.
    let crs = Some(Crs::from_user("EPSG:32632").unwrap());
    let west =
        Grid { crs, transform: Affine([737_000.0, 5.0, 0.0, 5_827_000.0, 0.0, -5.0]), width: 2000, height: 2000 };
    tif(&place.file("labels.tif"), &west, None, &vec![1; 4_000_000]);
    assert_eq!(place.labels(r#"scene = "scene.tif", labels = "labels.tif""#).unwrap(), [1; 24]);
}

#[test]
fn labels_elsewhere_name_both_extents() {
    let place = Place::new();
    let far = Grid { transform: Affine([930_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]), ..grid() };
    tif(&place.file("labels.tif"), &far, None, &[1; 24]);
    let error = place.error(r#"scene = "scene.tif", labels = "labels.tif""#);
    assert!(error.contains("do not overlap") && error.contains("930000") && error.contains("330000"), "{error}");
}

/// Rectangles in pixels of [`grid`], with the attribute `kind`.
fn geojson(path: &Path, shapes: &[(&str, [f64; 4])]) {
    let corner = |col: f64, row: f64| {
        let (x, y) = grid().pixel_to_world(col, row);
        format!("[{x}, {y}]")
    };
    let features: Vec<String> = shapes
        .iter()
        .map(|(kind, [left, top, right, bottom])| {
            let ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
            let ring: Vec<String> = ring.map(|(col, row)| corner(*col, *row)).into();
            format!(
                r#"{{"type": "Feature", "properties": {{"kind": "{kind}"}}, "geometry": {{"type": "Polygon", "coordinates": [[{}]]}}}}"#,
                ring.join(", ")
            )
        })
        .collect();
    let crs = r#""crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}"#;
    let text = format!(r#"{{"type": "FeatureCollection", {crs}, "features": [{}]}}"#, features.join(", "));
    std::fs::write(path, text).unwrap();
}

#[test]
fn vectors_are_burned_on_the_scenes_grid() {
    let place = Place::new();
    let shapes = [("land", [0.0, 0.0, 3.0, 2.0]), ("river", [2.0, 0.0, 4.0, 1.0]), ("road", [0.0, 3.0, 6.0, 4.0])];
    geojson(&place.file("map.geojson"), &shapes);
    let item = r#"scene = "scene.tif", labels = "map.geojson", field = "kind""#;
    #[rustfmt::skip]
    assert_eq!(place.labels(item).unwrap(), [
        0, 0, 1, 1, X, X,
        0, 0, 0, X, X, X,
        X, X, X, X, X, X,
        X, X, X, X, X, X,
    ]);
    let item = r#"scene = "scene.tif", labels = "map.geojson", class = "water", background = "land", filter = "kind = 'road'""#;
    let labels = place.labels(item).unwrap();
    assert_eq!((&labels[..18], &labels[18..]), (&[0; 18][..], &[1; 6][..]));
    let error = place.error(r#"scene = "scene.tif", labels = "map.geojson""#);
    assert!(error.contains("field = ") && error.contains("kind"), "{error}");
}

#[test]
fn burned_labels_are_removed_with_the_data_set() {
    let place = Place::new();
    geojson(&place.file("map.geojson"), &[("lake", [0.0, 0.0, 6.0, 4.0])]);
    let data = place.data(r#"scene = "scene.tif", labels = "map.geojson", field = "kind", area = { left = 0.5 }"#);
    let scratch = place.file("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let options = DatasetOptions { memory: 0, ..DatasetOptions::new(4) };
    let dataset = Dataset::open(&data, &data.train, &options, &scratch).unwrap();
    assert_eq!(dataset.index().class_pixels(), [0, 12]);
    assert_eq!(dataset.statistics().bands[0].max, 20.0);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 1);
    drop(dataset);
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}

#[test]
fn bands_are_chosen_by_name_or_number() {
    let place = Place::new();
    png(&place.file("rgb.png"), 2, png::ColorType::Rgb, &[1, 2, 3, 4, 5, 6]);
    tif(&place.file("labels.tif"), &Grid::plain(2, 1), None, &[0, 1]);
    let mut data = place.data(r#"scene = "rgb.png", labels = "labels.tif""#);
    data.bands = Some(vec![crate::recipe::BandRef::Name("blue".into()), crate::recipe::BandRef::Number(1)]);
    let read = |data: &Data| -> Vec<f32> {
        let item = open_items(data, &data.train, place.folder.path()).unwrap().remove(0);
        item.labelled().reader().unwrap().read(Window::new(0, 0, 2, 1)).unwrap().0.values.data
    };
    assert_eq!(read(&data), [3.0, 6.0, 1.0, 4.0]);
    data.bands = Some(vec![crate::recipe::BandRef::Name("nir".into())]);
    let error = open_scene(&data.train[0].scene, data.bands.as_deref()).unwrap_err().to_string();
    assert!(error.contains("no band \"nir\"") && error.contains("red, green, blue"), "{error}");
}

#[test]
fn memory_reads_what_the_file_reads() {
    let place = Place::new();
    tif(&place.file("labels.tif"), &grid(), None, &[1; 24]);
    tif(&place.file("scene.tif"), &grid(), Some(13.0), &(0..24).collect::<Vec<u8>>());
    let data = place.data(r#"scene = "scene.tif", labels = "labels.tif""#);
    let read = |memory| {
        let options = DatasetOptions { memory, ..DatasetOptions::new(4) };
        let dataset = Dataset::open(&data, &data.train, &options, place.folder.path()).unwrap();
        let mut reader = dataset.scenes()[0].reader().unwrap();
        [Window::new(-3, -2, 9, 5), Window::new(2, 1, 3, 3), Window::new(-7, -7, 20, 20)]
            .map(|w| reader.read(w).unwrap())
    };
    assert_eq!(read(0), read(1 << 20));
}

/// The file of real labels says EPSG:3358 and its scene EPSG:32119, of the same ground.
#[test]
fn labels_with_a_sister_crs_fit() {
    let Some(data) = std::env::var_os("SWATH_DATA") else {
        println!("skipped: SWATH_DATA does not name the folder of real imagery");
        return;
    };
    let folder = PathBuf::from(data).join("nc_landsat7");
    let scene = Scene::open_paths(&[folder.join("lsat7_2000_10.tif")]).unwrap();
    let path = folder.join("strata.tif");
    let classes: Vec<crate::classes::Class> =
        (0..8).map(|id| crate::classes::Class::new(&id.to_string(), [id; 3]).with_defaults(usize::from(id))).collect();
    let rules = Arc::new(LabelRules::new(&classes, &[255], &[]));
    let labels = FileLabels::open_raster(&path, "landsat", scene.grid(), rules).unwrap();
    let read = LabelSource::reader(&labels).unwrap().read(scene.grid().window()).unwrap();
    let raw = Scene::open_paths(&[&path]).unwrap();
    let raw = raw.reader().unwrap().read(scene.grid().window(), swath_geo::Edge::Invalid).unwrap();
    let pairs = || read.iter().zip(raw.values.data.iter().zip(&raw.valid)).filter(|(_, (_, valid))| **valid);
    let same = pairs().filter(|(label, (value, _))| f32::from(**label) == **value).count();
    // The two systems differ by less than a metre: nearest pixels are the same almost everywhere.
    assert!(same as f64 > 0.98 * pairs().count() as f64, "{same} of {}", pairs().count());
}
