//! A recipe's scenes and labels, opened.

use std::path::Path;
use std::sync::Arc;

use swath_geo::{BurnOrder, Scene, SceneSpec, Window};

use super::labels::{FileLabels, VectorLabels, is_vector};
use super::rules::LabelRules;
use super::scene::FileImage;
use super::source::LabelledScene;
use super::{DataError, Dataset, DatasetOptions};
use crate::recipe::{BandRef, Data, Item, Order};

/// A scene of a recipe with its labels.
#[derive(Clone, Debug)]
pub struct OpenItem {
    /// Name in reports.
    pub name: String,
    /// The scene, with the recipe's bands.
    pub scene: Scene,
    /// Its labels.
    pub labels: FileLabels,
    /// The part that is used; inside the scene.
    pub area: Window,
}

impl OpenItem {
    /// The item as a source of chips.
    pub fn labelled(&self) -> LabelledScene {
        LabelledScene {
            image: Arc::new(FileImage { name: self.name.clone(), scene: self.scene.clone() }),
            labels: Arc::new(self.labels.clone()),
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
    let labels = if is_vector(&item.labels) {
        FileLabels::open_vector(&item.labels, &name, grid, &vector_labels(data, item), &data.classes, scratch)?
    } else {
        FileLabels::open_raster(&item.labels, &name, grid, Arc::clone(rules))?
    };
    Ok(OpenItem { name, scene, labels, area })
}

fn vector_labels(data: &Data, item: &Item) -> VectorLabels {
    // The recipe was checked: the names are classes.
    let id = |name: &String| data.classes.iter().position(|class| class.name == *name).map(|id| id as u16);
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
