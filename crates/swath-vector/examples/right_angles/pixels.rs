//! Blocks of buildings on pixels.

use geo::{BoundingRect, Coord, MultiPolygon};

use swath_vector::{Cleaner, Cleaning};

use crate::truth::Block;

/// A label map: building `k` of the block is `k + 1`.
pub(crate) struct Map {
    pub(crate) width: usize,
    pub(crate) labels: Vec<u32>,
    /// Metres of the top-left corner and of a pixel.
    pub(crate) origin: Coord<f64>,
    pub(crate) pixel: f64,
}

/// Draws a block: a pixel is of the building that holds its centre, the later one where several do. With noise, indicators of the buildings are blurred
/// (sigma 1.5 pixels) and get correlated noise (sigma 2 pixels) that moves their boundaries by about `noise` pixels; the largest one wins. What
/// is smaller than 30 pixels goes to its neighbours then, as one would clean a map first.
pub(crate) fn draw(block: &Block, pixel: f64, noise: f64, seed: u64) -> Map {
    let boxes = block.buildings.iter().filter_map(BoundingRect::bounding_rect);
    let (mut low, mut high) = ((f64::MAX, f64::MAX), (f64::MIN, f64::MIN));
    for bounds in boxes {
        low = (low.0.min(bounds.min().x), low.1.min(bounds.min().y));
        high = (high.0.max(bounds.max().x), high.1.max(bounds.max().y));
    }
    let steps = |metres: f64| (metres / pixel).ceil() as usize + 2 * MARGIN;
    let (width, height) = (steps(high.0 - low.0), steps(high.1 - low.1));
    let origin = Coord { x: low.0 - MARGIN as f64 * pixel, y: high.1 + MARGIN as f64 * pixel };
    let mut labels = vec![0; width * height];
    for (number, building) in block.buildings.iter().enumerate() {
        let inside = burn(building, width, height, origin, pixel);
        labels.iter_mut().zip(inside).filter(|(_, inside)| *inside).for_each(|(label, _)| *label = number as u32 + 1);
    }
    let mut map = Map { width, labels, origin, pixel };
    if noise > 0.0 {
        let labels = rough(&map, block.buildings.len() as u32, noise, seed);
        map.labels.clear();
        let mut cleaner = Cleaner::new(width, &[Cleaning::Sieve { pixels: 30 }]).expect("a width");
        cleaner.push(&labels, &mut map.labels).expect("whole rows");
        cleaner.finish(&mut map.labels);
    }
    map
}

/// Which centres of pixels a shape holds.
pub(crate) fn burn(
    shape: &MultiPolygon<f64>,
    width: usize,
    height: usize,
    origin: Coord<f64>,
    pixel: f64,
) -> Vec<bool> {
    let mut inside = vec![false; width * height];
    let mut places: Vec<f64> = Vec::new();
    let rings = || shape.iter().flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()));
    for row in 0..height {
        let y = origin.y - (row as f64 + 0.5) * pixel;
        places.clear();
        for edge in rings().flat_map(|ring| ring.0.windows(2)) {
            if (edge[0].y > y) != (edge[1].y > y) {
                let x = edge[0].x + (y - edge[0].y) / (edge[1].y - edge[0].y) * (edge[1].x - edge[0].x);
                places.push((x - origin.x) / pixel - 0.5);
            }
        }
        places.sort_by(f64::total_cmp);
        for pair in places.chunks_exact(2) {
            let (from, to) = (pair[0].ceil().max(0.0) as usize, (pair[1].ceil().max(0.0) as usize).min(width));
            inside[row * width + from.min(to)..row * width + to].fill(true);
        }
    }
    inside
}

fn rough(map: &Map, buildings: u32, noise: f64, seed: u64) -> Vec<u32> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995);
    let (width, height) = (map.width, map.labels.len() / map.width);
    // What no building has is the ground's.
    let mut best = vec![(1.0, 0); map.labels.len()];
    let mut boxes = vec![(usize::MAX, usize::MAX, 0, 0); buildings as usize + 1];
    for (at, &label) in map.labels.iter().enumerate() {
        let (row, col) = (at / width, at % width);
        let bounds = &mut boxes[label as usize];
        *bounds = (bounds.0.min(col), bounds.1.min(row), bounds.2.max(col), bounds.3.max(row));
    }
    let mut values: Vec<(usize, f64, u32)> = Vec::new();
    for (label, bounds) in boxes.into_iter().enumerate().skip(1).filter(|(_, bounds)| bounds.0 != usize::MAX) {
        let (left, top) = (bounds.0.saturating_sub(MARGIN), bounds.1.saturating_sub(MARGIN));
        let (across, down) = ((bounds.2 + MARGIN).min(width) - left, (bounds.3 + MARGIN).min(height) - top);
        let place = |at: usize| (top + at / across) * width + left + at % across;
        let indicator: Vec<f64> =
            (0..across * down).map(|at| f64::from(u8::from(map.labels[place(at)] as usize == label))).collect();
        let indicator = blurred(&indicator, across, 1.5);
        let grains: Vec<f64> = (0..across * down).map(|_| random.normal()).collect();
        let grains = blurred(&grains, across, 2.0);
        // White noise blurred with sigma 2 has a deviation of 1 / (4 sqrt pi); between a blurred building and the ground, values fall by
        // 2 / (1.5 sqrt(2 pi)) a pixel.
        let scale = noise * 2.0 / (1.5 * (2.0 * std::f64::consts::PI).sqrt()) * (4.0 * std::f64::consts::PI.sqrt());
        for (at, (&indicator, grain)) in indicator.iter().zip(grains).enumerate() {
            best[place(at)].0 -= indicator;
            if (0.02..0.98).contains(&indicator) {
                values.push((place(at), indicator + scale * grain, label as u32));
            } else if indicator >= 0.98 {
                values.push((place(at), 2.0, label as u32));
            }
        }
    }
    for (at, value, label) in values {
        if value > best[at].0 {
            best[at] = (value, label);
        }
    }
    best.into_iter().map(|(_, label)| label).collect()
}

/// Gaussian blur; beyond its edges the image goes on.
fn blurred(image: &[f64], width: usize, sigma: f64) -> Vec<f64> {
    let reach = (3.0 * sigma).ceil() as isize;
    let weights: Vec<f64> = (-reach..=reach).map(|at| (-0.5 * (at as f64 / sigma).powi(2)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let height = image.len() / width;
    let pass = |image: &[f64], across: bool| -> Vec<f64> {
        let value = |at: usize| {
            let (row, col) = ((at / width) as isize, (at % width) as isize);
            let sum: f64 = (-reach..=reach)
                .zip(&weights)
                .map(|(step, weight)| {
                    let (row, col) = if across { (row, col + step) } else { (row + step, col) };
                    let (row, col) = (row.clamp(0, height as isize - 1), col.clamp(0, width as isize - 1));
                    weight * image[row as usize * width + col as usize]
                })
                .sum();
            sum / total
        };
        (0..image.len()).map(value).collect()
    };
    pass(&pass(image, true), false)
}

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ bits >> 31) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Pixels around a block.
const MARGIN: usize = 12;
