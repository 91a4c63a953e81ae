//! Objects that a network learns to outline.

use swath_geo::{Grid, PolygonSource, read_polygons};
use swath_vector::{OUTSIDE, polygonize};

use super::LARGEST;
use super::corners::{Corners, Place, bounds, diameter, of_pixels, of_polygon};
use crate::dataset::{DataError, ItemLabels, LabelSource, OpenItem, is_vector};
use crate::error::Result;
use crate::recipe::Item;

/// The class of objects; the other one is everything else.
pub(crate) const OBJECT: u16 = 1;

/// An object with four corners.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    /// The scene's number among the items.
    pub(crate) scene: usize,
    /// In pixels of the scene.
    pub(crate) corners: Corners,
}

/// The objects of some scenes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Targets {
    /// Those that are learned.
    pub(crate) list: Vec<Target>,
    /// Objects without four corners.
    pub(crate) others: usize,
    /// Objects too large for a patch.
    pub(crate) large: usize,
}

impl Targets {
    /// Finds the objects of items that [`open_items`](crate::dataset::open_items) has opened, in patches of `side` pixels. Those that reach the
    /// edge of their item's area do not count: there may be more of them outside.
    ///
    /// # Errors
    /// When labels cannot be read, and when no object is left.
    pub(crate) fn find(items: &[Item], opened: &[OpenItem], side: usize) -> Result<Targets> {
        let mut found = Targets::default();
        for (scene, (item, open)) in items.iter().zip(opened).enumerate() {
            let [left, top] = [open.area.col as f64, open.area.row as f64];
            let [right, bottom] = [open.area.col_end() as f64, open.area.row_end() as f64];
            for (ring, corners) in objects(item, open)? {
                let [low, high] = bounds(&ring);
                if low.0 <= left || low.1 <= top || high.0 >= right || high.1 >= bottom {
                    continue;
                }
                match corners {
                    None => found.others += 1,
                    Some(_) if diameter(&ring) > LARGEST * side as f64 => found.large += 1,
                    Some(corners) => found.list.push(Target { scene, corners }),
                }
            }
        }
        if found.list.is_empty() {
            let scenes = opened.iter().map(|item| item.name.as_str()).collect::<Vec<_>>().join(", ");
            let Targets { others, large, .. } = found;
            return Err(DataError::NoOutlines { scenes, others, large, side }.into());
        }
        Ok(found)
    }
}

/// Rings of an item's objects with their corners, where they have four.
fn objects(item: &Item, open: &OpenItem) -> Result<Vec<(Vec<Place>, Option<Corners>)>> {
    match (&item.labels, &open.labels) {
        (Some(path), _) if is_vector(path) => {
            let grid = open.scene.grid();
            let source =
                PolygonSource { layer: item.layer.clone(), filter: item.filter.clone(), ..PolygonSource::default() };
            let shapes = read_polygons(path, &source, grid.crs.as_ref())?;
            let polygons = shapes.iter().flat_map(|shape| &shape.polygons);
            Ok(polygons
                .filter_map(|rings| {
                    let outer = on_grid(rings.first()?, grid)?;
                    let corners = if rings.len() == 1 { of_polygon(&outer) } else { None };
                    Some((outer, corners))
                })
                .collect())
        }
        (_, ItemLabels::File(labels)) => {
            let classes = labels.reader()?.read(open.area)?;
            let labels: Vec<u32> = classes.iter().map(|&class| if class == OBJECT { 1 } else { OUTSIDE }).collect();
            let coverage = polygonize(&labels, open.area.width)?;
            let (col, row) = (open.area.col as f64, open.area.row as f64);
            let shapes = coverage.shapes().filter_map(|(_, mut rings)| {
                let outer = coverage.corners(rings.next()?);
                let outer: Vec<Place> =
                    outer.iter().map(|at| (f64::from(at.col) + col, f64::from(at.row) + row)).collect();
                let corners = if rings.next().is_none() { of_pixels(&outer) } else { None };
                Some((outer, corners))
            });
            Ok(shapes.collect())
        }
        // The recipe was checked: a whole scene is no object.
        (_, ItemLabels::Whole(_)) => Ok(Vec::new()),
    }
}

/// A ring in pixels; none where the grid has no inverse or a place is not finite.
pub(super) fn on_grid(ring: &[Place], grid: &Grid) -> Option<Vec<Place>> {
    let places: Option<Vec<Place>> = ring.iter().map(|&(x, y)| grid.world_to_pixel(x, y)).collect();
    places.filter(|places| places.iter().all(|(col, row)| col.is_finite() && row.is_finite()))
}
