//! The classes of a label map, as files carry them.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use gdal::raster::RasterBand;
use gdal::{Dataset, Metadata};
use serde::{Deserialize, Serialize};

use crate::class_map::{class_of, no_class};
use crate::config_scope::ConfigScope;
use crate::gdal_setup::{clear_messages, take_messages};
use crate::open::open_raster;
use crate::raster_io::read_band;
use crate::xml::escape;
use crate::{GeoError, Result, Window};

/// One class of a label map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassEntry {
    /// Pixel value.
    pub value: u32,
    /// Name.
    pub name: String,
    /// Red, green, blue; `#rrggbb` in files.
    #[serde(with = "hex_color")]
    pub color: [u8; 3],
}

/// The classes of a label map, by ascending value.
///
/// Swath's own maps carry them inside the file. For others they are the values that occur in the first band, with the
/// names of GDAL's category names and the colours of the colour table where there are any; a class without a name is
/// named by its value, and one without a colour gets one that differs from its neighbours'.
///
/// # Errors
/// When the file cannot be read, or its first band holds numbers that are not whole or beyond 65535.
pub fn read_map_classes(path: &Path) -> Result<Vec<ClassEntry>> {
    // Foreign category names live in sidecars, whatever the process reads otherwise.
    let _sidecars = ConfigScope::set("GDAL_PAM_ENABLED", "YES");
    let dataset = open_raster(path)?;
    classes_of(&dataset, path)
}

/// [`read_map_classes`] of an open dataset.
pub(crate) fn classes_of(dataset: &Dataset, path: &Path) -> Result<Vec<ClassEntry>> {
    let known = known_classes_of(dataset, path)?;
    if !known.declared.is_empty() {
        return Ok(known.declared);
    }
    let values = values_of(&labels_band(dataset, path)?, path)?;
    Ok(values.into_iter().map(|value| known.entry(value)).collect())
}

/// What a label map says about its classes, without a look at its pixels.
#[derive(Debug, Clone, Default)]
pub struct KnownClasses {
    declared: Vec<ClassEntry>,
    /// Where each declared value stands.
    places: HashMap<u32, usize>,
    /// Category names and colours by value.
    names: Vec<String>,
    colors: Vec<[u8; 3]>,
}

impl KnownClasses {
    /// The classes that Swath's own maps list; none for others.
    pub fn declared(&self) -> &[ClassEntry] {
        &self.declared
    }

    /// The class of a value: as declared, or with category name and colour, or named by its value and with a colour of its own.
    pub fn entry(&self, value: u32) -> ClassEntry {
        if let Some(&place) = self.places.get(&value) {
            return self.declared[place].clone();
        }
        let name = self.names.get(value as usize).filter(|name| !name.is_empty());
        ClassEntry {
            value,
            name: name.cloned().unwrap_or_else(|| value.to_string()),
            color: self.colors.get(value as usize).copied().unwrap_or_else(|| distinct_color(value)),
        }
    }
}

impl From<Vec<ClassEntry>> for KnownClasses {
    fn from(declared: Vec<ClassEntry>) -> KnownClasses {
        let places = declared.iter().enumerate().map(|(place, class)| (class.value, place)).collect();
        KnownClasses { declared, places, ..KnownClasses::default() }
    }
}

/// What a label map says about its classes.
pub(crate) fn known_classes_of(dataset: &Dataset, path: &Path) -> Result<KnownClasses> {
    if let Some(text) = dataset.metadata_item(METADATA_ITEM, "") {
        let declared: Vec<ClassEntry> = serde_json::from_str(&text)
            .map_err(|error| GeoError::input(path, format!("its {METADATA_ITEM} metadata is damaged: {error}")))?;
        return Ok(declared.into());
    }
    let band = labels_band(dataset, path)?;
    // Older GDAL reads the sidecar of a GeoTIFF only when the georeference is asked for.
    let _ = dataset.geo_transform();
    let colors = band.color_table().map(|table| {
        let rgb = |index| table.entry_as_rgb(index).map(|c| [c.r as u8, c.g as u8, c.b as u8]);
        (0..table.entry_count()).map_while(rgb).collect()
    });
    Ok(KnownClasses { names: category_names(&band), colors: colors.unwrap_or_default(), ..KnownClasses::default() })
}

fn labels_band<'a>(dataset: &'a Dataset, path: &Path) -> Result<RasterBand<'a>> {
    dataset.rasterband(1).map_err(|error| {
        GeoError::input(path, format!("it has no band of labels: {}", take_messages(&error.to_string())))
    })
}

/// Metadata item that holds the classes as a JSON array of [`ClassEntry`].
pub(crate) const METADATA_ITEM: &str = "SWATH_CLASSES";

/// The metadata item's text.
pub(crate) fn classes_to_json(classes: &[ClassEntry]) -> String {
    // Numbers and texts always have a JSON form.
    serde_json::to_string(classes).unwrap_or_default()
}

/// GDAL's sidecar with category names, by pixel value from 0.
pub(crate) fn sidecar_xml(classes: &[ClassEntry]) -> String {
    let mut xml = String::from("<PAMDataset>\n  <PAMRasterBand band=\"1\">\n    <CategoryNames>\n");
    let last = classes.iter().map(|class| class.value).max().unwrap_or(0);
    for value in 0..=last {
        let name = classes.iter().find(|class| class.value == value).map_or("", |class| class.name.as_str());
        let _ = writeln!(xml, "      <Category>{}</Category>", escape(name));
    }
    xml.push_str("    </CategoryNames>\n  </PAMRasterBand>\n</PAMDataset>\n");
    xml
}

/// A colour for a class that has none: hues by the golden angle, so that neighbours differ.
pub(crate) fn distinct_color(value: u32) -> [u8; 3] {
    let hue = (f64::from(value) * 137.507_764) % 360.0 / 60.0;
    let rising = ((1.0 - (hue % 2.0 - 1.0).abs()) * 160.0 + 60.0) as u8;
    match hue as u32 {
        0 => [220, rising, 60],
        1 => [rising, 220, 60],
        2 => [60, 220, rising],
        3 => [60, rising, 220],
        4 => [rising, 60, 220],
        _ => [220, 60, rising],
    }
}

mod hex_color {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(color: &[u8; 3], serializer: S) -> Result<S::Ok, S::Error> {
        let [red, green, blue] = color;
        serializer.serialize_str(&format!("#{red:02x}{green:02x}{blue:02x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 3], D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] =
            number.ok_or_else(|| D::Error::custom(format!("{text:?} is no colour like #ff8800")))?.to_be_bytes();
        Ok([red, green, blue])
    }
}

fn category_names(band: &RasterBand<'_>) -> Vec<String> {
    // SAFETY: the band is open; GDAL owns the list, which ends with NULL, and each of its texts.
    unsafe {
        let mut next = gdal_sys::GDALGetRasterCategoryNames(band.c_rasterband());
        let mut names = Vec::new();
        while !next.is_null() && !(*next).is_null() {
            names.push(std::ffi::CStr::from_ptr(*next).to_string_lossy().into_owned());
            next = next.add(1);
        }
        names
    }
}

fn values_of(band: &RasterBand<'_>, path: &Path) -> Result<BTreeSet<u32>> {
    let (width, height) = band.size();
    let nodata = band.no_data_value();
    let mut seen = vec![false; 1 << 16];
    let rows = (STRIP_PIXELS / width.max(1)).clamp(1, height.max(1));
    let mut strip = vec![0.0f64; rows * width];
    for row in (0..height).step_by(rows) {
        let count = rows.min(height - row);
        let pixels = &mut strip[..count * width];
        clear_messages();
        let window = Window::new(0, row as isize, width, count);
        read_band(band, window, (width, count), pixels).map_err(|error| {
            let message = take_messages(&error.to_string());
            GeoError::Read { path: path.to_path_buf(), band: 1, window, message }
        })?;
        for &value in pixels.iter().filter(|&&value| Some(value) != nodata && !value.is_nan()) {
            let class = class_of(value)
                .ok_or_else(|| GeoError::input(path, format!("it holds the value {value}; {}", no_class(value))))?;
            seen[class as usize] = true;
        }
    }
    Ok((0..1 << 16).filter(|&value| seen[value as usize]).collect())
}

/// Pixels that are looked at together.
const STRIP_PIXELS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_travel_as_json() {
        let classes = [ClassEntry { value: 3, name: "Wald \"<&>\"".into(), color: [255, 8, 0] }];
        let text = classes_to_json(&classes);
        assert_eq!(text, r##"[{"value":3,"name":"Wald \"<&>\"","color":"#ff0800"}]"##);
        assert_eq!(serde_json::from_str::<Vec<ClassEntry>>(&text).unwrap(), classes);
        assert!(serde_json::from_str::<Vec<ClassEntry>>(&text.replace("#ff0800", "red")).is_err());
    }

    #[test]
    fn first_colors_differ() {
        let colors: BTreeSet<[u8; 3]> = (0..64).map(distinct_color).collect();
        assert_eq!(colors.len(), 64);
    }
}
