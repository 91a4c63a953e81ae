//! Which polygons of two layers overlap, and how much.

use geo::{Area, BooleanOps, BoundingRect, MultiPolygon, unary_union};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

/// An overlap of a predicted and a true object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Index of the predicted object.
    pub predicted: usize,
    /// Index of the true object.
    pub truth: usize,
    /// Intersection over union of their areas.
    pub iou: f64,
}

/// All overlaps of two layers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overlaps {
    /// Pairs that share an area, by predicted object and true object.
    pub pairs: Vec<Pair>,
    /// Area of each predicted object.
    pub predicted_areas: Vec<f64>,
    /// Area of each true object.
    pub truth_areas: Vec<f64>,
    /// IoU of the layers as wholes, where places that several objects of a layer cover count once; `None` where both are empty.
    pub layer_iou: Option<f64>,
}

impl Overlaps {
    /// Overlays two layers. Where rings of an object cross or touch themselves, the even-odd rule says what is inside.
    ///
    /// ```
    /// use geo::{MultiPolygon, Rect};
    /// use swath_vector::objects::Overlaps;
    ///
    /// let square = |x: f64| MultiPolygon::from(Rect::new((x, 0.0), (x + 2.0, 2.0)).to_polygon());
    /// let found = Overlaps::new(&[square(0.0), square(9.0)], &[square(1.0)]);
    /// assert_eq!(found.pairs.len(), 1);
    /// assert!((found.pairs[0].iou - 1.0 / 3.0).abs() < 1e-6);
    /// ```
    pub fn new(predicted: &[MultiPolygon<f64>], truth: &[MultiPolygon<f64>]) -> Overlaps {
        let plain = |shapes: &[MultiPolygon<f64>]| -> Vec<MultiPolygon<f64>> { shapes.iter().map(resolved).collect() };
        let (predicted, truth) = (plain(predicted), plain(truth));
        let boxes = truth.iter().enumerate().filter_map(|(index, shape)| {
            let bounds = shape.bounding_rect()?;
            let corners = Rectangle::from_corners([bounds.min().x, bounds.min().y], [bounds.max().x, bounds.max().y]);
            Some(GeomWithData::new(corners, index))
        });
        let tree = RTree::bulk_load(boxes.collect());
        let areas = |shapes: &[MultiPolygon<f64>]| -> Vec<f64> { shapes.iter().map(Area::unsigned_area).collect() };
        let (predicted_areas, truth_areas) = (areas(&predicted), areas(&truth));
        let mut pairs = Vec::new();
        for (index, shape) in predicted.iter().enumerate() {
            let Some(bounds) = shape.bounding_rect() else { continue };
            let window = AABB::from_corners([bounds.min().x, bounds.min().y], [bounds.max().x, bounds.max().y]);
            let mut near: Vec<usize> = tree.locate_in_envelope_intersecting(&window).map(|found| found.data).collect();
            near.sort_unstable();
            for other in near {
                let common = shape.intersection(&truth[other]).unsigned_area();
                if common > 0.0 {
                    let union = predicted_areas[index] + truth_areas[other] - common;
                    pairs.push(Pair { predicted: index, truth: other, iou: (common / union).min(1.0) });
                }
            }
        }
        Overlaps { pairs, layer_iou: layer_iou(&predicted, &truth), predicted_areas, truth_areas }
    }

    /// Pairs of at least this IoU in which every object occurs once at most: the best overlap first, of equals the first.
    pub fn matched(&self, least: f64) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = self.pairs.iter().copied().filter(|pair| pair.iou >= least).collect();
        pairs.sort_by(|a, b| b.iou.total_cmp(&a.iou));
        let (mut predicted, mut truth) = (vec![false; self.predicted_areas.len()], vec![false; self.truth_areas.len()]);
        pairs.retain(|pair| {
            let free = !predicted[pair.predicted] && !truth[pair.truth];
            if free {
                predicted[pair.predicted] = true;
                truth[pair.truth] = true;
            }
            free
        });
        pairs
    }
}

/// IoU of two layers as wholes.
fn layer_iou(predicted: &[MultiPolygon<f64>], truth: &[MultiPolygon<f64>]) -> Option<f64> {
    let (predicted, truth) = (unary_union(predicted), unary_union(truth));
    let common = predicted.intersection(&truth).unsigned_area();
    let union = predicted.unsigned_area() + truth.unsigned_area() - common;
    (union > 0.0).then(|| common / union)
}

/// The same area with simple rings.
fn resolved(shape: &MultiPolygon<f64>) -> MultiPolygon<f64> {
    shape.union(&MultiPolygon::new(Vec::new()))
}
