//! Outlines by each method, and how good they are.

use geo::{BoundingRect, Coord, LineString, MultiPolygon, Polygon, Rect, Validation};
use swath_vector::objects::{c_iou, polis, vertex_count};
use swath_vector::{
    Coverage, Groups, Lines, Regularity, RightAngleMethod, RightAngles, Simplify, SimplifyMethod, polygonize, simplify,
};

use crate::pixels::{Map, burn};
use crate::truth::Block;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    DouglasPeucker,
    Walls,
    Mesh,
}

pub(crate) const METHODS: [Method; 3] = [Method::DouglasPeucker, Method::Walls, Method::Mesh];

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::DouglasPeucker => "Douglas-Peucker",
            Method::Walls => "walls",
            Method::Mesh => "mesh",
        }
    }
}

/// A line of the table.
pub(crate) struct Row {
    pub(crate) set: &'static str,
    pub(crate) noise: bool,
    pub(crate) method: &'static str,
    /// In pixels.
    pub(crate) tolerance: f64,
    pub(crate) scores: Scores,
}

/// Sums over buildings.
#[derive(Debug, Default)]
pub(crate) struct Scores {
    buildings: usize,
    pub(crate) iou: f64,
    pub(crate) c_iou: f64,
    pub(crate) polis: f64,
    pub(crate) valid: f64,
    pub(crate) kept: f64,
    vertices: usize,
    true_vertices: usize,
    corners: usize,
    right: usize,
    pub(crate) milliseconds: f64,
}

impl Scores {
    pub(crate) fn mean(&self, sum: f64) -> f64 {
        sum / self.buildings as f64
    }

    pub(crate) fn vertex_ratio(&self) -> f64 {
        self.vertices as f64 / self.true_vertices as f64
    }

    pub(crate) fn right_share(&self) -> f64 {
        self.right as f64 / self.corners as f64
    }
}

/// Adds the buildings of a block. A building is all regions of its label; one that has no pixel, or is smaller than 30, is left out.
pub(crate) fn measure(block: &Block, map: &Map, method: Method, tolerance: f64, scores: &mut Scores) {
    let start = std::time::Instant::now();
    let mut coverage = polygonize(&map.labels, map.width).expect("whole rows");
    let pixel = |_| (map.pixel, map.pixel);
    let (coverage, rings, kept) = match method {
        Method::DouglasPeucker => {
            let method = SimplifyMethod::DouglasPeucker;
            simplify(&mut coverage, &Simplify { method, tolerance, pixel: &pixel }).expect("a tolerance");
            let rings = rings(&coverage, &Lines::new(&coverage, None));
            (coverage, rings, Vec::new())
        }
        Method::Walls | Method::Mesh => {
            let right = if method == Method::Mesh { RightAngleMethod::Mesh } else { RightAngleMethod::Walls };
            let squared = |label: u32| (label > 0).then_some(tolerance);
            let groups = Groups::new(&coverage, &RightAngles { method: right, tolerance: &squared, pixel: &pixel });
            // As `swath vectorize` does: what gets no right angles is simplified.
            let method = SimplifyMethod::DouglasPeucker;
            simplify(&mut coverage, &Simplify { method, tolerance, pixel: &pixel }).expect("a tolerance");
            let mut lines = Lines::new(&coverage, None);
            let done = groups.square(&mut lines);
            let kept = done.iter().filter(|(_, regularity)| matches!(regularity, Regularity::Kept(_)));
            let kept: Vec<u32> = kept.map(|&(region, _)| coverage.regions()[region].label).collect();
            let rings = rings(&coverage, &lines);
            (coverage, rings, kept)
        }
    };
    scores.milliseconds += 1000.0 * start.elapsed().as_secs_f64();
    let metres =
        |&(col, row): &(f64, f64)| Coord { x: map.origin.x + col * map.pixel, y: map.origin.y - row * map.pixel };
    for (number, truth) in block.buildings.iter().enumerate() {
        let label = number as u32 + 1;
        let own = || coverage.regions().iter().zip(&rings).filter(|(region, _)| region.label == label);
        if own().map(|(region, _)| region.pixels).sum::<u64>() < 30 {
            continue;
        }
        let line = |ring: &Vec<(f64, f64)>| LineString::from_iter(ring.iter().map(metres));
        let polygons = own().map(|(_, rings)| Polygon::new(line(&rings[0]), rings[1..].iter().map(line).collect()));
        let shape = MultiPolygon::new(polygons.collect());
        let iou = iou(&shape, truth, map.pixel);
        let (found, wanted) = (vertex_count(&shape), vertex_count(truth));
        scores.buildings += 1;
        scores.iou += iou;
        scores.c_iou += c_iou(iou, found, wanted);
        scores.polis += polis(&shape, truth).unwrap_or(f64::NAN);
        scores.valid += f64::from(u8::from(shape.is_valid()));
        scores.kept += f64::from(u8::from(kept.contains(&label)));
        scores.vertices += found;
        scores.true_vertices += wanted;
        for ring in shape.iter().flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors())) {
            for turn in turns(ring) {
                scores.corners += usize::from(turn > 5.0);
                scores.right += usize::from((85.0..=95.0).contains(&turn));
            }
        }
    }
}

fn rings(coverage: &Coverage, lines: &Lines<'_>) -> Vec<Vec<Vec<(f64, f64)>>> {
    coverage.shapes().map(|(_, rings)| rings.map(|ring| lines.ring(ring)).collect()).collect()
}

/// Intersection over union on pixels of a quarter.
fn iou(shape: &MultiPolygon<f64>, truth: &MultiPolygon<f64>, pixel: f64) -> f64 {
    let boxes: Vec<Rect<f64>> = [shape, truth].into_iter().filter_map(BoundingRect::bounding_rect).collect();
    let least = |of: fn(&Rect<f64>) -> f64| boxes.iter().map(of).fold(f64::MAX, f64::min);
    let most = |of: fn(&Rect<f64>) -> f64| boxes.iter().map(of).fold(f64::MIN, f64::max);
    let origin = Coord { x: least(|bounds| bounds.min().x), y: most(|bounds| bounds.max().y) };
    let fine = pixel / 4.0;
    let (width, height) = (most(|bounds| bounds.max().x) - origin.x, origin.y - least(|bounds| bounds.min().y));
    let (width, height) = ((width / fine) as usize + 1, (height / fine) as usize + 1);
    let [a, b] = [shape, truth].map(|shape| burn(shape, width, height, origin, fine));
    let both = a.iter().zip(&b).filter(|(a, b)| **a && **b).count();
    let either = a.iter().zip(&b).filter(|(a, b)| **a || **b).count();
    both as f64 / either as f64
}

/// Degrees by which a closed ring turns at each of its vertices, from 0 to 180.
fn turns(ring: &LineString<f64>) -> Vec<f64> {
    let points = &ring.0[..ring.0.len() - 1];
    let count = points.len();
    let step = |at: usize| points[(at + 1) % count] - points[at % count];
    let turn = |at: usize| {
        let (a, b) = (step(at), step(at + 1));
        (a.x * b.y - a.y * b.x).atan2(a.x * b.x + a.y * b.y).to_degrees().abs()
    };
    (0..count).map(turn).collect()
}
