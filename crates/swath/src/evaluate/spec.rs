//! What an evaluation compares, and how.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use swath_geo::{ClassEntry, Window, read_map_classes};

use super::BoundaryDistance;
use super::files::options;
use crate::classes::Class;
use crate::dataset::VectorLabels;
use crate::{IGNORE, Result};

/// What is compared, and how.
#[derive(Clone, Debug)]
pub struct EvaluateSpec {
    /// Maps with their labels.
    pub pairs: Vec<MapAndLabels>,
    /// The classes and how labels name them.
    pub classes: Vec<Class>,
    /// The value of each class in the maps.
    pub map_values: Vec<i64>,
    /// Values of unlabelled pixels in label rasters.
    pub ignore: Vec<i64>,
    /// How vector labels become classes.
    pub vector: VectorLabels,
    /// The positive class of a two-class problem; the second class unless given.
    pub positive: Option<usize>,
    /// Distance of the boundary scores; none, no boundary scores.
    pub boundary: Option<BoundaryDistance>,
    /// The part of the maps that counts, in their pixels; all of them unless given.
    pub window: Option<Window>,
    /// Whether existing error maps are replaced.
    pub overwrite: bool,
}

/// One map and the labels that it is held against.
#[derive(Clone, Debug)]
pub struct MapAndLabels {
    /// The map: class values, one band.
    pub map: PathBuf,
    /// The labels: raster or vector. On another grid they are brought onto the map's.
    pub labels: PathBuf,
    /// Where the error map goes (COG); none, no error map.
    pub error_map: Option<PathBuf>,
}

impl EvaluateSpec {
    /// Compares one map with its labels by the classes that the map carries: labels name them by the map's values, by
    /// their colours, or by their names.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn of_map(map: &Path, labels: &Path) -> Result<Self> {
        let entries = read_map_classes(map)?;
        let class =
            |entry: &ClassEntry| Class { values: vec![i64::from(entry.value)], ..Class::new(&entry.name, entry.color) };
        let mut classes: Vec<Class> =
            entries.iter().enumerate().map(|(index, entry)| class(entry).with_defaults(index)).collect();
        let colors: HashSet<[u8; 3]> = entries.iter().map(|entry| entry.color).collect();
        if colors.len() < entries.len() {
            // Colours that several classes share name none of them.
            classes.iter_mut().for_each(|class| class.colors.clear());
        }
        let mut spec = Self::of_classes(classes);
        spec.map_values = entries.iter().map(|entry| i64::from(entry.value)).collect();
        spec.pairs = vec![MapAndLabels { map: map.to_path_buf(), labels: labels.to_path_buf(), error_map: None }];
        Ok(spec)
    }

    /// Compares maps of these classes, whose values are the class ids; the pairs are still to be named.
    pub fn of_classes(classes: Vec<Class>) -> Self {
        Self {
            pairs: Vec::new(),
            map_values: (0..classes.len() as i64).collect(),
            classes,
            ignore: vec![255],
            vector: VectorLabels::default(),
            positive: None,
            boundary: None,
            window: None,
            overwrite: false,
        }
    }

    /// Sets how vector labels become classes: by an attribute, pixels outside of every feature being unlabelled; or,
    /// for two classes without an attribute, every feature as the positive class and everything else as the other.
    pub fn with_class_field(mut self, field: Option<String>) -> Self {
        if field.is_none() && self.classes.len() == 2 {
            let positive = self.positive.unwrap_or(1) as u16;
            self.vector.class = Some(positive);
            self.vector.background = Some(1 - positive.min(1));
        }
        self.vector.field = field;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |problem: String| Err(options(problem));
        let classes = self.classes.len();
        if self.pairs.is_empty() {
            return wrong("name at least one map with its labels".into());
        }
        if classes == 0 || classes >= usize::from(IGNORE) {
            return wrong(format!("{classes} classes: an evaluation needs between 1 and {}", IGNORE - 1));
        }
        if self.map_values.len() != classes {
            return wrong(format!("{} map values for {classes} classes; give one for each", self.map_values.len()));
        }
        if let Some(positive) = self.positive.filter(|&positive| positive >= classes) {
            return wrong(format!("the positive class {positive} is not one of the {classes} classes"));
        }
        match self.boundary {
            Some(BoundaryDistance::Metres(d) | BoundaryDistance::Pixels(d)) if !d.is_finite() || d < 0.0 => {
                wrong(format!("a boundary distance of {d} makes no sense; give 0 or more"))
            }
            _ => Ok(()),
        }
    }
}
