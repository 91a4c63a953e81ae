//! Small rasters for tests.

use std::path::{Path, PathBuf};

use gdal::raster::{Buffer, GdalType, RasterCreationOptions};
use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, Driver, DriverManager};

/// UTM 33N, 10 m pixels, the corner of the Havelland sample.
pub(crate) const UTM_10M: [f64; 6] = [330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0];

/// What a test file is; bands come as `[row, column]` slices.
#[derive(Clone, Copy)]
pub(crate) struct Recipe<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) transform: Option<[f64; 6]>,
    pub(crate) crs: Option<&'a str>,
    pub(crate) nodata: Option<f64>,
    pub(crate) options: &'a [&'a str],
}

impl Default for Recipe<'_> {
    fn default() -> Self {
        Self { width: 8, height: 6, transform: Some(UTM_10M), crs: Some("EPSG:32633"), nodata: None, options: &[] }
    }
}

/// Writes a GeoTIFF.
pub(crate) fn geotiff<T: GdalType + Copy>(path: &Path, recipe: &Recipe<'_>, bands: &[Vec<T>]) {
    geotiff_with(path, recipe, bands, |_| ());
}

/// Writes a GeoTIFF and changes it before it is closed.
pub(crate) fn geotiff_with<T: GdalType + Copy>(
    path: &Path,
    recipe: &Recipe<'_>,
    bands: &[Vec<T>],
    change: impl FnOnce(&Dataset),
) {
    swath_geo::init();
    let driver = DriverManager::get_driver_by_name("GTiff").unwrap();
    let options = RasterCreationOptions::from_iter(recipe.options.iter().copied());
    let (width, height) = (recipe.width, recipe.height);
    swath_geo::write_rasters(|| {
        let mut dataset =
            driver.create_with_band_type_with_options::<T, _>(path, width, height, bands.len(), &options).unwrap();
        if let Some(transform) = &recipe.transform {
            dataset.set_geo_transform(transform).unwrap();
        }
        if let Some(crs) = recipe.crs {
            dataset.set_spatial_ref(&SpatialRef::from_definition(crs).unwrap()).unwrap();
        }
        for (index, data) in bands.iter().enumerate() {
            let mut band = dataset.rasterband(index + 1).unwrap();
            if recipe.nodata.is_some() {
                band.set_no_data_value(recipe.nodata).unwrap();
            }
            let mut buffer = Buffer::new((width, height), data.clone());
            band.write((0, 0), (width, height), &mut buffer).unwrap();
        }
        change(&dataset);
    });
}

/// Gives a file of one band a mask, row by row: zero where pixels are invalid.
pub(crate) fn mask<T: GdalType + Copy>(dataset: &Dataset, values: &[T]) {
    let mut band = dataset.rasterband(1).unwrap();
    band.create_mask_band(true).unwrap();
    let mut values = Buffer::new(band.size(), values.to_vec());
    band.open_mask_band().unwrap().write((0, 0), band.size(), &mut values).unwrap();
}

/// Copies a raster into another format.
pub(crate) fn copy_as(driver: &Driver, from: &Path, to: &Path) {
    swath_geo::write_rasters(|| {
        let source = Dataset::open(from).unwrap();
        source.create_copy(driver, to, &RasterCreationOptions::default()).unwrap().close().unwrap();
    });
}

/// `count` numbers from a fixed sequence, 0..modulus.
pub(crate) fn noise(seed: u64, count: usize, modulus: u64) -> Vec<u64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..count).map(|_| next() % modulus).collect()
}

/// The folder of real imagery; tests that need it say that they skip when `SWATH_DATA` does not name it.
pub(crate) fn data(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SWATH_DATA").map(PathBuf::from).filter(|path| path.is_dir());
    if folder.is_none() {
        println!("{test}: skipped, SWATH_DATA names no folder");
    }
    folder
}

/// Runs one of GDAL's programs; `None`, said aloud, where they are not installed.
pub(crate) fn gdal_program(name: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    match std::process::Command::new(name).args(arguments).output() {
        Err(error) => {
            println!("skipped: {name}: {error}");
            None
        }
        Ok(output) => {
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            Some(output.stdout)
        }
    }
}

/// Names in a folder, sorted: to see that nothing else was left there.
pub(crate) fn entries(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}
