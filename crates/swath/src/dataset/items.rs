//! A recipe's scenes and labels, opened.

use std::path::Path;
use std::sync::Arc;

use swath_geo::{BurnOrder, Scene, SceneSpec, Window};

use super::labels::{FileLabels, VectorLabels, is_vector};
use super::rules::LabelRules;
use super::scene::FileImage;
use super::source::{LabelReader, LabelSource, LabelledScene};
use super::{DataError, Dataset, DatasetOptions};
use crate::IGNORE;
use crate::recipe::{BandRef, Data, Item, Order};

/// One class for every pixel of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeLabels {
    /// The class.
    pub class: u16,
    /// The scene's pixels.
    pub scene: Window,
}

impl LabelSource for WholeLabels {
    fn reader(&self) -> Result<Box<dyn LabelReader>, DataError> {
        Ok(Box::new(*self))
    }
}

impl LabelReader for WholeLabels {
    fn read(&mut self, window: Window) -> Result<Vec<u16>, DataError> {
        if self.scene.contains(&window) {
            return Ok(vec![self.class; window.area()]);
        }
        let pixels =
            (window.row..window.row_end()).flat_map(|row| (window.col..window.col_end()).map(move |col| (col, row)));
        let label = |(col, row)| if self.scene.contains_pixel(col, row) { self.class } else { IGNORE };
        Ok(pixels.map(label).collect())
    }
}

/// A scene of a recipe with its labels.
#[derive(Clone, Debug)]
pub struct OpenItem {
    /// Name in reports.
    pub name: String,
    /// The scene, with the recipe's bands.
    pub scene: Scene,
    /// Its labels.
    pub labels: ItemLabels,
    /// The part that is used; inside the scene.
    pub area: Window,
}

/// The labels of an item.
#[derive(Clone, Debug)]
pub enum ItemLabels {
    /// From a file.
    File(FileLabels),
    /// One class for the whole scene.
    Whole(WholeLabels),
}

impl OpenItem {
    /// The item as a source of chips.
    pub fn labelled(&self) -> LabelledScene {
        LabelledScene {
            image: Arc::new(FileImage { name: self.name.clone(), scene: self.scene.clone() }),
            labels: match &self.labels {
                ItemLabels::File(labels) => Arc::new(labels.clone()),
                ItemLabels::Whole(labels) => Arc::new(*labels),
            },
            area: self.area,
        }
    }
}

impl Dataset {
    /// Opens and indexes items of a recipe. Labels from vectors are burned into files in the folder `scratch`, which live
    /// as long as they are used.
    ///
    /// # Errors
    /// As [`open_items`] and [`Dataset::new`].
    pub fn open(data: &Data, items: &[Item], options: &DatasetOptions, scratch: &Path) -> Result<Self, DataError> {
        let scenes = open_items(data, items, scratch)?.iter().map(OpenItem::labelled).collect();
        Self::new(scenes, data.classes.len(), options)
    }
}

/// Opens items of a recipe: headers are read, labels are laid onto their scenes, pixels are not touched.
///
/// # Errors
/// When a file cannot be read, a band is missing, an area holds no pixel, or labels do not fit their scene.
pub fn open_items(data: &Data, items: &[Item], scratch: &Path) -> Result<Vec<OpenItem>, DataError> {
    let ignored: Vec<i64> = std::iter::once(i64::from(data.ignore)).chain(data.ignore_values.iter().copied()).collect();
    let rules = Arc::new(LabelRules::new(&data.classes, &ignored, &data.ignore_colors));
    items.iter().map(|item| open_item(data, item, &rules, scratch)).collect()
}

/// Opens a recipe's scene with the bands that the recipe names, all without any.
///
/// # Errors
/// When a file cannot be read, the files have no common grid, or a band is missing.
pub fn open_scene(spec: &SceneSpec, bands: Option<&[BandRef]>) -> Result<Scene, DataError> {
    let scene = Scene::open(spec)?;
    let Some(bands) = bands else { return Ok(scene) };
    let names: Vec<String> = scene.bands().iter().map(|band| band.name.clone()).collect();
    let find = |band: &BandRef| {
        band.find(&names).ok_or_else(|| DataError::MissingBand {
            scene: scene.path().to_path_buf(),
            band: band.to_string(),
            bands: names.join(", "),
        })
    };
    let wanted = bands.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    Ok(scene.select(&wanted)?)
}

fn open_item(data: &Data, item: &Item, rules: &Arc<LabelRules>, scratch: &Path) -> Result<OpenItem, DataError> {
    let scene = open_scene(&item.scene, data.bands.as_deref())?;
    let name = item.name.clone().unwrap_or_else(|| scene.name());
    let grid = scene.grid();
    let whole = Window::new(0, 0, grid.width, grid.height);
    let area = match item.area {
        None => whole,
        Some(area) => {
            let [col, row, width, height] = area.window(grid.width, grid.height);
            let asked = Window::new(col as isize, row as isize, width, height);
            whole.intersect(&asked).ok_or_else(|| DataError::EmptyArea {
                scene: name.clone(),
                area: asked.to_string(),
                width: grid.width,
                height: grid.height,
            })?
        }
    };
    let labels = match &item.labels {
        None => {
            let class = item.class.as_ref().and_then(|name| class_id(data, name)).unwrap_or(IGNORE);
            ItemLabels::Whole(WholeLabels { class, scene: whole })
        }
        Some(path) if is_vector(path) => {
            let vector = vector_labels(data, item);
            ItemLabels::File(FileLabels::open_vector(path, &name, grid, &vector, &data.classes, scratch)?)
        }
        Some(path) => ItemLabels::File(FileLabels::open_raster(path, &name, grid, Arc::clone(rules))?),
    };
    Ok(OpenItem { name, scene, labels, area })
}

/// The id of a class. The recipe was checked: the names of its items are classes.
fn class_id(data: &Data, name: &str) -> Option<u16> {
    data.classes.iter().position(|class| class.name == name).map(|id| id as u16)
}

fn vector_labels(data: &Data, item: &Item) -> VectorLabels {
    let id = |name: &String| class_id(data, name);
    VectorLabels {
        field: item.field.clone(),
        class: item.class.as_ref().and_then(id),
        layer: item.layer.clone(),
        filter: item.filter.clone(),
        all_touched: item.all_touched,
        aoi: item.aoi.clone(),
        background: item.background.as_ref().and_then(id),
        order: match &item.order {
            Order::File => BurnOrder::File,
            Order::Class => BurnOrder::ByClass,
            Order::Area => BurnOrder::ByArea,
            Order::Field(field) => BurnOrder::ByField(field.clone()),
        },
    }
}
