//! A folder with small scenes, labels, polygons, a recipe and a bundle.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use swath::bundle::{Bundle, Calibration, FORMAT_VERSION, Header, Normalization, Provenance};
use swath::recipe::Recipe;
use swath_geo::{Affine, ClassEntry, CogOptions, CogWriter, Crs, DType, Grid, Samples};
use swath_nn::weights;
use tempfile::TempDir;

use crate::command::{Finished, swath};

/// Columns and rows of the site's scene.
pub(crate) const SIZE: (usize, usize) = (96, 64);

/// Where a scene lies: UTM 33N, 10 m pixels.
pub(crate) fn grid((width, height): (usize, usize)) -> Grid {
    Grid {
        crs: Some(Crs::from_user("EPSG:32633").unwrap()),
        transform: Affine([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]),
        width,
        height,
    }
}

/// Writes bands of bytes; `value` gets band, row and column.
pub(crate) fn write_bytes(path: &Path, grid: &Grid, names: &[&str], value: impl Fn(usize, usize, usize) -> u8) {
    let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
    let options = CogOptions { band_names: Some(names.clone()), ..CogOptions::new(DType::U8, names.len()) };
    let mut writer = CogWriter::create(path, grid, &options).unwrap();
    for band in 0..names.len() {
        let values: Vec<u8> = places(grid).map(|(row, col)| value(band, row, col)).collect();
        writer.write(grid.window(), band, Samples::U8(&values)).unwrap();
    }
    writer.finish().unwrap();
}

/// Writes two bands of numbers with a nodata value.
pub(crate) fn write_numbers(path: &Path, grid: &Grid, nodata: Option<f64>, value: impl Fn(usize, usize, usize) -> f32) {
    let names = Some(BANDS.map(String::from).to_vec());
    let options = CogOptions { nodata, band_names: names, ..CogOptions::new(DType::F32, 2) };
    let mut writer = CogWriter::create(path, grid, &options).unwrap();
    for band in 0..2 {
        let values: Vec<f32> = places(grid).map(|(row, col)| value(band, row, col)).collect();
        writer.write(grid.window(), band, Samples::F32(&values)).unwrap();
    }
    writer.finish().unwrap();
}

/// Writes labels with the site's classes; `value` gets row and column.
pub(crate) fn write_labels(path: &Path, grid: &Grid, value: impl Fn(usize, usize) -> u8) {
    let class = |value: u32, name: &str, color| ClassEntry { value, name: name.into(), color };
    let classes = [class(0, "land", [0x8d, 0x6e, 0x63]), class(1, "water", [0x1e, 0x88, 0xe5])];
    let mut writer = CogWriter::create(path, grid, &CogOptions::labels(&classes, Some(255))).unwrap();
    let values: Vec<u8> = places(grid).map(|(row, col)| value(row, col)).collect();
    writer.write(grid.window(), 0, Samples::U8(&values)).unwrap();
    writer.finish().unwrap();
}

fn places(grid: &Grid) -> impl Iterator<Item = (usize, usize)> {
    let width = grid.width;
    (0..grid.height * width).map(move |at| (at / width, at % width))
}

/// The site's band names.
pub(crate) const BANDS: [&str; 2] = ["red", "nir"];

/// Water (1) in diamonds, land (0) elsewhere.
pub(crate) fn class_at(row: usize, col: usize) -> u8 {
    u8::from((row + col) % 40 < 20 && (row + 4000 - col) % 40 < 20)
}

/// Water is dark in `nir`; everything is noisy.
pub(crate) fn value_at(band: usize, row: usize, col: usize) -> u8 {
    let noise = (((row * 7919 + col * 104_729 + band * 31) * 2_654_435_761) >> 9) as u8 % 40;
    let bright = if band == 1 && class_at(row, col) == 0 { 150 } else { 40 };
    bright + noise
}

pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    /// A folder with `scene.tif`, `labels.tif` and `recipe.toml`.
    pub(crate) fn new() -> Site {
        let site = Site { folder: tempfile::tempdir().unwrap() };
        write_bytes(&site.at("scene.tif"), &grid(SIZE), &BANDS, value_at);
        write_labels(&site.at("labels.tif"), &grid(SIZE), class_at);
        fs::write(site.at("recipe.toml"), RECIPE).unwrap();
        site
    }

    /// As [`Site::new`], with a bundle of random weights.
    pub(crate) fn with_bundle() -> Site {
        let site = Site::new();
        site.write_bundle("bundle.safetensors", &BANDS);
        site
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).unwrap()
    }

    /// Runs `swath` here; the arguments are separated by blanks.
    pub(crate) fn swath(&self, arguments: &str) -> Finished {
        swath(self.path(), &arguments.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs what has to fail: with this exit status, one line that holds these words, and no file made or changed.
    #[track_caller]
    pub(crate) fn refuses(&self, arguments: &str, code: i32, words: &[&str]) -> String {
        let before = self.files();
        let line = self.swath(&format!("{arguments} --quiet")).fails(code, words);
        let after = self.files();
        let new: Vec<_> = after.iter().filter(|entry| !before.contains(entry)).map(|(path, _)| path).collect();
        assert!(new.is_empty(), "{arguments} left or changed {new:?}");
        assert_eq!(before.len(), after.len(), "{arguments} removed a file");
        line
    }

    /// Every file and folder with its content.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                found.push((path.clone(), fs::read(&path).unwrap_or_default()));
            }
        }
        found.sort();
        found
    }

    /// A bundle for these bands whose weights nobody trained.
    pub(crate) fn write_bundle(&self, name: &str, bands: &[&str]) {
        let recipe = Recipe::load(&self.at("recipe.toml"), &[]).unwrap();
        let config = recipe.model.segmenter(bands.len(), 2);
        let network = weights::initialize(config.init(&Device::flex()).unwrap(), 3);
        let header = Header {
            format_version: FORMAT_VERSION,
            classes: recipe.data.classes.clone(),
            recipe,
            bands: bands.iter().map(|band| band.to_string()).collect(),
            normalization: Normalization { mean: vec![100.0; bands.len()], std: vec![40.0; bands.len()] },
            gsd: Some(10.0),
            calibration: Calibration { temperature: 1.0 },
            provenance: Provenance::default(),
            licence: None,
        };
        Bundle { header, weights: weights::read(&network) }.save(&self.at(name)).unwrap();
    }

    /// Polygons in the scene's coordinates: attribute `kind` and the corners left, top, right, bottom in pixels.
    pub(crate) fn write_polygons(&self, name: &str, polygons: &[(&str, [f64; 4])]) {
        let features = polygons.iter().map(|(kind, [left, top, right, bottom])| {
            let corner = |col: &f64, row: &f64| {
                let (x, y) = grid(SIZE).pixel_to_world(*col, *row);
                format!("[{x}, {y}]")
            };
            let ring = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
            let ring: Vec<String> = ring.iter().map(|(col, row)| corner(col, row)).collect();
            format!(
                r#"{{ "type": "Feature", "properties": {{ "kind": "{kind}" }}, "geometry": {{ "type": "Polygon", "coordinates": [[{}]] }} }}"#,
                ring.join(", ")
            )
        });
        let text = format!(
            r#"{{ "type": "FeatureCollection", "crs": {{ "type": "name", "properties": {{ "name": "urn:ogc:def:crs:EPSG::32633" }} }}, "features": [{}] }}"#,
            features.collect::<Vec<_>>().join(", ")
        );
        fs::write(self.at(name), text).unwrap();
    }
}

const RECIPE: &str = r##"
[data]
classes = [{ name = "land", color = "#8d6e63" }, { name = "water", color = "#1e88e5" }]
train = [{ scene = "scene.tif", labels = "labels.tif", area = { left = 0.6 } }]
val = [{ scene = "scene.tif", labels = "labels.tif", area = { right = 0.4 } }]
[model.encoder.plain]
width = 2
depth = 2
[model.decoder.unet]
[optimizer.adamw]
lr = 2e-2
[train]
steps = 12
batch = 2
chip = 32
validate_every = 4
[predict]
chip = 32
overlap = 8
"##;
