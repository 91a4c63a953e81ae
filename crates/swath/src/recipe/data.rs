//! `[data]`: classes, and the scenes and labels to train, validate and test on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use swath_geo::SceneSpec;

use super::{Area, scene};
use crate::classes::{self, Class};

/// Classes, and the scenes and labels to train, validate and test on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// The classes, in the order of their ids.
    pub classes: Vec<Class>,
    /// Value of unlabelled pixels in label rasters; never a class.
    #[serde(default = "default_ignore")]
    pub ignore: u16,
    /// More values of unlabelled pixels in label rasters.
    #[serde(default)]
    pub ignore_values: Vec<i64>,
    /// Colours of unlabelled pixels in label images; `"#rrggbb"` in the recipe.
    #[serde(default, with = "crate::classes::hex_colors")]
    pub ignore_colors: Vec<[u8; 3]>,
    /// Bands that the network sees, by name or by number from 1; all data bands unless given.
    #[serde(default)]
    pub bands: Option<Vec<BandRef>>,
    /// What the network learns from.
    #[serde(default)]
    pub train: Vec<Item>,
    /// What decides which state of the network is best.
    #[serde(default)]
    pub val: Vec<Item>,
    /// What is only measured at the end.
    #[serde(default)]
    pub test: Vec<Item>,
}

fn default_ignore() -> u16 {
    255
}

/// A scene with its labels.
///
/// Labels are a raster on the scene's grid or a vector file; the keys from `field` on are for vectors. Without `labels` the whole
/// scene is of one `class`, as the images of a scene classification are.
/// Paths and globs are read as [`Recipe::load`](super::Recipe::load) says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The scene's files.
    #[serde(with = "scene")]
    pub scene: SceneSpec,
    /// The labels' file. Without one the whole scene is of `class`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// Of the files that a glob in `scene` finds, only these: each file has a fixed place from 0 to 1, drawn from its name, and
    /// those from the first to the second number are used. `[0, 0.8]` and `[0.8, 1]` share out all files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<[f64; 2]>,
    /// Name in reports; the name of the scene's first file unless given.
    #[serde(default)]
    pub name: Option<String>,
    /// The part of the scene that is used; all of it unless given.
    #[serde(default)]
    pub area: Option<Area>,
    /// Vector labels: the attribute that names the class, compared with each class's `attributes`.
    #[serde(default)]
    pub field: Option<String>,
    /// Vector labels: the class of every feature, in place of `field`. Without labels: the class of the scene, which `"{folder}"`
    /// takes from the name of the folder that the scene lies in.
    #[serde(default)]
    pub class: Option<String>,
    /// Vector labels: the layer; the first one unless given.
    #[serde(default)]
    pub layer: Option<String>,
    /// Vector labels: only features for which this SQL condition (OGR `WHERE`) holds.
    #[serde(default)]
    pub filter: Option<String>,
    /// Vector labels: burn every pixel that a feature touches, not only those whose centre it covers.
    #[serde(default)]
    pub all_touched: bool,
    /// Vector labels: a vector file of polygons outside of which nothing is labelled.
    #[serde(default)]
    pub aoi: Option<PathBuf>,
    /// Vector labels: the class of pixels that no feature covers; unlabelled unless given.
    #[serde(default)]
    pub background: Option<String>,
    /// Vector labels: which feature wins where several overlap.
    #[serde(default)]
    pub order: Order,
}

/// Which feature wins where several overlap: the later one in this order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As in the file.
    #[default]
    File,
    /// By the class's place in the recipe.
    Class,
    /// From the largest to the smallest feature.
    Area,
    /// By this attribute, from the lowest to the highest value.
    Field(String),
}

/// A band of a scene, as the user names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a band name such as \"B04\" or a band number from 1")]
pub enum BandRef {
    /// By number, counted from 1 as in GDAL.
    Number(usize),
    /// By name.
    Name(String),
}

impl std::fmt::Display for BandRef {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            BandRef::Number(number) => write!(f, "{number}"),
            BandRef::Name(name) => write!(f, "\"{name}\""),
        }
    }
}

impl BandRef {
    /// The band's index from 0 in a scene with these band names.
    ///
    /// ```
    /// use swath::recipe::BandRef;
    /// let names = ["B02".to_owned(), "B03".to_owned()];
    /// assert_eq!(BandRef::Number(2).find(&names), Some(1));
    /// assert_eq!(BandRef::Name("B02".to_owned()).find(&names), Some(0));
    /// assert_eq!(BandRef::Number(3).find(&names), None);
    /// ```
    pub fn find(&self, names: &[String]) -> Option<usize> {
        match self {
            BandRef::Number(number) => number.checked_sub(1).filter(|&index| index < names.len()),
            BandRef::Name(wanted) => names.iter().position(|name| name == wanted),
        }
    }
}

impl Data {
    /// The three lists with their keys.
    pub(super) fn splits(&self) -> [(&'static str, &Vec<Item>); 3] {
        [("train", &self.train), ("val", &self.val), ("test", &self.test)]
    }

    /// Fills in what follows from the classes' order.
    pub(super) fn complete(&mut self) {
        let classes = std::mem::take(&mut self.classes);
        self.classes = classes.into_iter().enumerate().map(|(index, class)| class.with_defaults(index)).collect();
    }

    pub(super) fn check(&self) -> Result<(), String> {
        classes::check(&self.classes).map_err(|problem| format!("data.classes: {problem}"))?;
        let ignore = self.ignore;
        if let Some(class) = self.classes.iter().find(|class| class.values.contains(&i64::from(ignore))) {
            return Err(format!("data.ignore is {ignore}, a label value of class \"{}\": choose another", class.name));
        }
        for class in &self.classes {
            if let Some(value) = class.values.iter().find(|value| self.ignore_values.contains(value)) {
                return Err(format!("data.ignore_values holds {value}, a value of class \"{}\"", class.name));
            }
            if let Some(color) = class.colors.iter().find(|color| self.ignore_colors.contains(color)) {
                let color = classes::to_hex(*color);
                return Err(format!("data.ignore_colors holds {color}, a colour of class \"{}\"", class.name));
            }
        }
        if let Some(bands) = &self.bands {
            if bands.is_empty() {
                return Err("data.bands is empty: name at least one band or leave it out to use all".to_owned());
            }
            for (at, band) in bands.iter().enumerate() {
                if *band == BandRef::Number(0) {
                    return Err("data.bands holds 0: bands are counted from 1".to_owned());
                }
                if bands[..at].contains(band) {
                    return Err(format!("data.bands lists {band} twice"));
                }
            }
        }
        for (split, items) in self.splits() {
            for (at, item) in items.iter().enumerate() {
                item.check(&format!("data.{split}[{at}]"), &self.classes)?;
            }
        }
        Ok(())
    }
}

impl Item {
    fn check(&self, key: &str, classes: &[Class]) -> Result<(), String> {
        scene::check(&self.scene, &format!("{key}.scene"))?;
        if self.labels.as_ref().is_some_and(|labels| labels.as_os_str().is_empty()) {
            return Err(format!("{key}.labels is empty: name the label file"));
        }
        if let Some(area) = self.area {
            area.check(&format!("{key}.area"))?;
        }
        if let Some([from, to]) = self.share {
            let fine = (0.0..1.0).contains(&from) && from < to && to <= 1.0;
            let share = format!("[{from}, {to}]");
            super::require(fine, &format!("{key}.share"), share, "write [from, to] with 0 <= from < to <= 1")?;
        }
        if let (Some(field), Some(class)) = (&self.field, &self.class) {
            return Err(format!("{key} has field = \"{field}\" and class = \"{class}\": give one of them"));
        }
        if self.labels.is_none() {
            self.check_unlabelled(key)?;
        }
        for (name, class) in [("class", &self.class), ("background", &self.background)] {
            let Some(class) = class.as_ref().filter(|class| *class != FOLDER) else { continue };
            if classes.iter().all(|known| known.name != *class) {
                return Err(unknown_class(&format!("{key}.{name}"), class, classes));
            }
        }
        Ok(())
    }

    /// Whether an item without labels says its class, and nothing that only labels can have.
    fn check_unlabelled(&self, key: &str) -> Result<(), String> {
        if self.class.is_none() {
            return Err(format!(
                "{key} lacks the key `labels`: name the label file, or give `class` where the whole scene is of one class"
            ));
        }
        let vector = [
            ("layer", self.layer.is_some()),
            ("filter", self.filter.is_some()),
            ("all_touched", self.all_touched),
            ("aoi", self.aoi.is_some()),
            ("background", self.background.is_some()),
            ("order", self.order != Order::File),
        ];
        match vector.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(format!("{key}.{name} is for vector labels: without `labels` leave it out")),
            None => Ok(()),
        }
    }
}

/// What `class` holds where the scene's folder names it.
pub(super) const FOLDER: &str = "{folder}";

pub(super) fn unknown_class(key: &str, class: &str, classes: &[Class]) -> String {
    let names: Vec<&str> = classes.iter().map(|class| class.name.as_str()).collect();
    format!("{key} is \"{class}\", which is no class: choose of {}", names.join(", "))
}
