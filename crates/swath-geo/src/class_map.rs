//! Maps of classes, read in strips.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use gdal::errors::GdalError;
use gdal::raster::RasterBand;
use gdal::spatial_ref::CoordTransform;
use gdal::{Dataset, Metadata};

use crate::classes::known_classes_of;
use crate::config_scope::ConfigScope;
use crate::gdal_setup::{clear_messages, take_messages, take_messages_about};
use crate::names::time;
use crate::open::{open_raster, read_header};
use crate::raster_io::read_band;
use crate::{ClassEntry, Crs, GeoError, Grid, KnownClasses, Result, Window};

/// What [`ClassMap::read`] gives for a pixel without a class: nodata, masked or transparent.
pub const NO_CLASS: u32 = u32::MAX;

/// A raster of class values, open for reading. Each thread has its own.
///
/// Classes are whole numbers from 0 to 65535 in one band, which may be followed by an alpha band. The band may be of floating-point
/// numbers as long as these are whole, as some programs store classes; NaN is no class then.
#[derive(Debug)]
pub struct ClassMap {
    dataset: Dataset,
    path: PathBuf,
    grid: Grid,
    alpha: Option<usize>,
    block_rows: usize,
    /// Whether every number that the type holds is a class.
    plain: bool,
    /// A value that is no class, beside nodata.
    ignored: Option<i64>,
}

impl ClassMap {
    /// Opens a map.
    ///
    /// # Errors
    /// When the file cannot be opened or holds anything but one band of numbers.
    pub fn open(path: &Path) -> Result<ClassMap> {
        // Names and colours of foreign maps live in sidecars.
        let _sidecars = ConfigScope::set("GDAL_PAM_ENABLED", "YES");
        let dataset = open_raster(path)?;
        let header = read_header(path, &dataset)?;
        let alpha = header.alpha();
        let bands = header.bands.len() - usize::from(alpha.is_some());
        if bands != 1 || alpha == Some(1) {
            return Err(GeoError::input(path, format!("it holds {bands} bands, not one of classes; give a label map")));
        }
        let dtype = header.bands[0].dtype;
        if dtype.is_complex() {
            return Err(GeoError::input(path, "it holds complex numbers, not classes; give a label map"));
        }
        let plain = matches!(dtype.name().as_str(), "Byte" | "UInt16");
        let block_rows = header.bands[0].block.1.max(1);
        Ok(ClassMap { dataset, path: path.to_path_buf(), grid: header.grid, alpha, block_rows, plain, ignored: None })
    }

    /// The same map, with a value that is no class although the file does not call it nodata.
    pub fn ignoring(self, value: Option<i64>) -> ClassMap {
        ClassMap { ignored: value, ..self }
    }

    /// What the map says about its classes, without a look at its pixels.
    ///
    /// # Errors
    /// When the classes that the file carries cannot be read.
    pub fn known_classes(&self) -> Result<KnownClasses> {
        known_classes_of(&self.dataset, &self.path)
    }

    /// Names and colours of some values: those that the map carries, or else as in [`crate::read_map_classes`]. A name that
    /// several of them have gets the value behind it.
    ///
    /// # Errors
    /// When the classes that the file carries cannot be read.
    pub fn classes(&self, values: &[u32]) -> Result<Vec<ClassEntry>> {
        let known = self.known_classes()?;
        let mut classes: Vec<ClassEntry> = values.iter().map(|&value| known.entry(value)).collect();
        let mut uses: HashMap<String, usize> = HashMap::new();
        for class in &classes {
            *uses.entry(class.name.clone()).or_default() += 1;
        }
        for class in classes.iter_mut().filter(|class| uses[&class.name] > 1) {
            class.name = format!("{} ({})", class.name, class.value);
        }
        Ok(classes)
    }

    /// What it was made of, by which model and of which time, as (`source`, `model`, `date`) and a text, where the file says so: Swath's
    /// own items, or metadata and names of products.
    pub fn provenance(&self) -> Vec<(&'static str, String)> {
        let item = |key: &str| self.dataset.metadata_item(key, "").filter(|text| !text.is_empty());
        let metadata: Vec<String> = self.dataset.metadata_domain("").unwrap_or_default();
        let date = item("SWATH_DATE").or_else(|| time(&self.path, &metadata));
        let known = [("source", item("SWATH_SCENE")), ("model", item("SWATH_BUNDLE")), ("date", date)];
        known.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
    }

    /// Where its pixels lie.
    pub fn grid(&self) -> &Grid {
        &self.grid
    }

    /// Windows over whole rows that cover the map from top to bottom: whole blocks of the file where these fit into
    /// memory of bounded size.
    pub fn strips(&self) -> impl Iterator<Item = Window> + use<> {
        let Grid { width, height, .. } = self.grid;
        let most = (STRIP_PIXELS / width.max(1)).max(1);
        let rows = if self.block_rows > most { most } else { most - most % self.block_rows };
        (0..height).step_by(rows).map(move |row| Window::new(0, row as isize, width, rows.min(height - row)))
    }

    /// Reads the classes of a window that lies on the map, row by row, into `classes`.
    ///
    /// # Errors
    /// When pixels cannot be decoded, or hold a number that is no class.
    pub fn read(&self, window: Window, classes: &mut Vec<u32>) -> Result<()> {
        let count = window.area();
        classes.clear();
        classes.reserve(count);
        let mask = self.mask(window)?;
        let valid = |index: usize| mask.as_ref().is_none_or(|mask| mask[index] != 0);
        let ignored = |value: f64| self.ignored.is_some_and(|ignored| value == ignored as f64);
        if self.plain {
            let mut values = vec![0u16; count];
            self.pixels(window, &mut values)?;
            let known = values.iter().enumerate();
            classes.extend(known.map(|(index, &value)| if valid(index) { u32::from(value) } else { NO_CLASS }));
            if let Some(ignored) = self.ignored.and_then(|ignored| u32::try_from(ignored).ok()) {
                classes.iter_mut().filter(|class| **class == ignored).for_each(|class| *class = NO_CLASS);
            }
            return Ok(());
        }
        let mut values = vec![0f64; count];
        self.pixels(window, &mut values)?;
        for (index, &value) in values.iter().enumerate() {
            if !valid(index) || ignored(value) || value.is_nan() {
                classes.push(NO_CLASS);
            } else if let Some(class) = class_of(value) {
                classes.push(class);
            } else {
                let (col, row) =
                    (window.col as usize + index % window.width, window.row as usize + index / window.width);
                let problem = format!("it holds the value {value} at column {col}, row {row}; {}", no_class(value));
                return Err(GeoError::input(&self.path, problem));
            }
        }
        Ok(())
    }

    /// The pixels, as (column, row), that hold points of the world; `None` beside the map. Points are given in `crs`, or in the
    /// CRS of the map where either is unknown. On a map of longitude and latitude a point also counts a whole turn away, so that -170 and 190
    /// degrees are one place.
    ///
    /// # Errors
    /// When the points cannot be brought to the map's CRS.
    pub fn pixels_at(&self, points: &[(f64, f64)], crs: Option<&Crs>) -> Result<Vec<Option<(usize, usize)>>> {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        if let (Some(from), Some(to)) = (crs, &self.grid.crs)
            && !from.same(to)
        {
            clear_messages();
            let action = || format!("bring points from {from} to {to}");
            let failed =
                |error: GdalError| GeoError::Gdal { action: action(), message: take_messages(&error.to_string()) };
            let transform = CoordTransform::new(&from.spatial_ref()?, &to.spatial_ref()?).map_err(failed)?;
            transform.transform_coords(&mut x, &mut y, &mut []).map_err(failed)?;
        }
        let pixel = |x: f64, y: f64| {
            let (col, row) = self.grid.world_to_pixel(x, y)?;
            let inside = col >= 0.0 && row >= 0.0 && col < self.grid.width as f64 && row < self.grid.height as f64;
            inside.then_some((col as usize, row as usize))
        };
        let turns = self.grid.crs.as_ref().map_or(vec![0.0], Crs::turns);
        let place = |(x, y): (f64, f64)| turns.iter().find_map(|turn| pixel(x + turn, y));
        Ok(x.into_iter().zip(y).map(place).collect())
    }

    /// The classes of some pixels, given as (column, row).
    ///
    /// # Errors
    /// As [`ClassMap::read`].
    pub fn classes_of(&self, pixels: &[(usize, usize)]) -> Result<Vec<u32>> {
        // In the order of the file's blocks, so that each is decoded once.
        let mut order: Vec<usize> = (0..pixels.len()).collect();
        order.sort_by_key(|&index| (pixels[index].1 / self.block_rows, pixels[index]));
        let (mut found, mut class) = (vec![NO_CLASS; pixels.len()], Vec::new());
        for index in order {
            let (col, row) = pixels[index];
            self.read(Window::new(col as isize, row as isize, 1, 1), &mut class)?;
            found[index] = class[0];
        }
        Ok(found)
    }

    fn band(&self, number: usize, window: Window) -> Result<RasterBand<'_>> {
        self.dataset.rasterband(number).map_err(|error| self.failure(window, &error))
    }

    fn pixels<T: gdal::raster::GdalType + Copy>(&self, window: Window, values: &mut [T]) -> Result<()> {
        clear_messages();
        let band = self.band(1, window)?;
        read_band(&band, window, (window.width, window.height), values).map_err(|error| self.failure(window, &error))
    }

    /// Zero where there is no class; `None` where there are classes everywhere.
    fn mask(&self, window: Window) -> Result<Option<Vec<u8>>> {
        clear_messages();
        let size = (window.width, window.height);
        let mut mask = vec![0u8; window.area()];
        let band = self.band(self.alpha.unwrap_or(1), window)?;
        let read = if self.alpha.is_some() {
            read_band(&band, window, size, &mut mask)
        } else if band.mask_flags().is_ok_and(|flags| flags.is_all_valid()) {
            return Ok(None);
        } else {
            let mask_band = band.open_mask_band().map_err(|error| self.failure(window, &error))?;
            read_band(&mask_band, window, size, &mut mask)
        };
        read.map(|()| Some(mask)).map_err(|error| self.failure(window, &error))
    }

    fn failure(&self, window: Window, error: &GdalError) -> GeoError {
        let message = take_messages_about(&self.path, &error.to_string());
        GeoError::Read { path: self.path.clone(), band: 1, window, message }
    }
}

/// The class that a number is.
pub(crate) fn class_of(value: f64) -> Option<u32> {
    ((0.0..65536.0).contains(&value) && value.fract() == 0.0).then_some(value as u32)
}

/// What to do about a number that is no class.
pub(crate) fn no_class(value: f64) -> &'static str {
    if value.fract() == 0.0 {
        "classes are 0 to 65535, and the file's nodata value (gdal_translate -a_nodata), or --ignore where a command has it, names what is none"
    } else {
        "classes are whole numbers from 0 to 65535; give a label map, not a raster of measurements"
    }
}

/// Pixels that are in memory at once.
const STRIP_PIXELS: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, CogOptions, CogWriter, DType, Samples};

    #[test]
    fn strips_cover_the_map_and_points_find_their_class() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map.tif");
        let crs = Some(Crs::from_user("EPSG:32633").unwrap());
        let transform = Affine([330_000.0, 10.0, 0.0, 5_822_040.0, 0.0, -10.0]);
        let grid = Grid { crs, transform, width: 700, height: 40 };
        let value = |col: usize, row: usize| if row == 3 { 65_535 } else { (col * 7 + row) as u16 };
        let values: Vec<u16> = (0..700 * 40).map(|at| value(at % 700, at / 700)).collect();
        let options = CogOptions { nodata: Some(65_535.0), ..CogOptions::new(DType::U16, 1) };
        let mut writer = CogWriter::create(&path, &grid, &options).unwrap();
        writer.write(grid.window(), 0, Samples::U16(&values)).unwrap();
        writer.finish().unwrap();

        let map = ClassMap::open(&path).unwrap();
        let (mut classes, mut strip) = (Vec::new(), Vec::new());
        for window in map.strips() {
            map.read(window, &mut strip).unwrap();
            classes.extend_from_slice(&strip);
        }
        let expected = values.iter().map(|&value| if value == 65_535 { NO_CLASS } else { u32::from(value) });
        assert!(classes.iter().copied().eq(expected));

        let points = [(30.5, 2.5), (699.9, 39.9), (10.0, 3.5), (700.1, 5.0), (5.0, -0.1)];
        let world = points.map(|(col, row)| grid.pixel_to_world(col, row));
        let pixels = [Some((30, 2)), Some((699, 39)), Some((10, 3)), None, None];
        assert_eq!(map.pixels_at(&world, None).unwrap(), pixels);
        assert_eq!(map.classes_of(&[(10, 3), (699, 39), (30, 2)]).unwrap(), [NO_CLASS, 4932, 212]);
        // The same points in longitude and latitude.
        let lonlat = Crs::from_user("OGC:CRS84").unwrap();
        let to_lonlat =
            CoordTransform::new(&grid.crs.as_ref().unwrap().spatial_ref().unwrap(), &lonlat.spatial_ref().unwrap());
        let (mut x, mut y): (Vec<f64>, Vec<f64>) = world.into_iter().unzip();
        to_lonlat.unwrap().transform_coords(&mut x, &mut y, &mut []).unwrap();
        let points: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
        assert_eq!(map.pixels_at(&points, Some(&lonlat)).unwrap(), pixels);
    }
}
