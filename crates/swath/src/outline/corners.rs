//! Outlines of four corners.

use geo::{Area, BooleanOps, Coord, LineString, MinimumRotatedRect, Polygon};
use swath_nn::decoder::polycnn::CORNERS;

/// Column and row; whole numbers are corners of pixels.
pub(crate) type Place = (f64, f64);

/// Four corners, clockwise as the image is seen, the first at will.
pub(crate) type Corners = [Place; CORNERS];

/// How near in pixels a vertex may be to the line between its neighbours to be none.
const STRAIGHT: f64 = 0.5;

/// The share of its rectangle that an object of pixels has to fill to be one.
const FILLED: f64 = 0.8;

/// The corners of a polygon of four sides; none where it has another number. Vertices that are nearer than half a pixel to the line between
/// their neighbours are no corners.
pub(super) fn of_polygon(ring: &[Place]) -> Option<Corners> {
    let mut ring = open(ring).to_vec();
    while ring.len() > 2 {
        let around = |at: usize| {
            let (before, after) = (ring[(at + ring.len() - 1) % ring.len()], ring[(at + 1) % ring.len()]);
            to_line(ring[at], before, after)
        };
        let (nearest, distance) =
            (0..ring.len()).map(|at| (at, around(at))).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f64::MAX));
        if distance >= STRAIGHT {
            break;
        }
        ring.remove(nearest);
    }
    let corners = clockwise(ring.try_into().ok()?);
    is_simple(&corners).then_some(corners)
}

/// The corners of the least rectangle around an object of pixels; none where it does not fill that.
pub(super) fn of_pixels(ring: &[Place]) -> Option<Corners> {
    let shape = polygon(open(ring));
    let rectangle = shape.minimum_rotated_rect()?;
    if shape.unsigned_area() < FILLED * rectangle.unsigned_area() {
        return None;
    }
    let corners: Vec<Place> = rectangle.exterior().0.iter().take(CORNERS).map(|corner| (corner.x, corner.y)).collect();
    Some(clockwise(corners.try_into().ok()?))
}

/// The same corners in clockwise order.
pub(super) fn clockwise(mut corners: Corners) -> Corners {
    if twice_area(&corners) < 0.0 {
        corners.reverse();
    }
    corners
}

/// Whether no two sides cross and there is something inside.
pub(super) fn is_simple(corners: &Corners) -> bool {
    let cross = |a: Place, b: Place, c: Place| (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0);
    let apart = |a: Place, b: Place, c: Place, d: Place| {
        cross(a, b, c) * cross(a, b, d) > 0.0 || cross(c, d, a) * cross(c, d, b) > 0.0
    };
    let [a, b, c, d] = *corners;
    twice_area(corners) > 0.0 && apart(a, b, c, d) && apart(b, c, d, a)
}

/// Length of an object: the greatest distance of two vertices.
pub(super) fn diameter(ring: &[Place]) -> f64 {
    let from = |a: &Place| ring.iter().map(|b| (a.0 - b.0).hypot(a.1 - b.1)).fold(0.0, f64::max);
    ring.iter().map(from).fold(0.0, f64::max)
}

/// Least and greatest column and row.
pub(super) fn bounds(ring: &[Place]) -> [Place; 2] {
    let start = [(f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY)];
    ring.iter()
        .fold(start, |[low, high], at| [(low.0.min(at.0), low.1.min(at.1)), (high.0.max(at.0), high.1.max(at.1))])
}

/// Intersection over union.
pub(crate) fn iou(a: &Corners, b: &Corners) -> f64 {
    let (a, b) = (polygon(a), polygon(b));
    let common = a.intersection(&b).unsigned_area();
    let union = a.unsigned_area() + b.unsigned_area() - common;
    if union > 0.0 { (common / union).min(1.0) } else { 0.0 }
}

/// 1 where the middle of a pixel lies inside by the even-odd rule, else 0, for a square of `side` pixels.
pub(crate) fn mask(corners: &Corners, side: usize) -> Vec<u16> {
    let inside = |x: f64, y: f64| {
        let crosses = |i: usize| {
            let (a, b) = (corners[i], corners[(i + 1) % CORNERS]);
            (a.1 > y) != (b.1 > y) && x < a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0)
        };
        (0..CORNERS).filter(|&side| crosses(side)).count() % 2 == 1
    };
    (0..side * side).map(|at| u16::from(inside((at % side) as f64 + 0.5, (at / side) as f64 + 0.5))).collect()
}

/// Corners in a patch as the network knows them: x and y of each, in sides of the patch.
pub(crate) fn to_unit(corners: &Corners, side: usize) -> [f32; 2 * CORNERS] {
    let mut numbers = [0.0; 2 * CORNERS];
    for (pair, &(x, y)) in numbers.chunks_exact_mut(2).zip(corners) {
        pair.copy_from_slice(&[(x / side as f64) as f32, (y / side as f64) as f32]);
    }
    numbers
}

/// What [`to_unit`] undoes.
pub(crate) fn from_unit(numbers: &[f32], side: usize) -> Corners {
    let place = |i: usize| (f64::from(numbers[2 * i]) * side as f64, f64::from(numbers[2 * i + 1]) * side as f64);
    std::array::from_fn(place)
}

/// A ring without its first vertex repeated at the end.
pub(super) fn open(ring: &[Place]) -> &[Place] {
    match ring {
        [first, rest @ .., last] if first == last && !rest.is_empty() => &ring[..ring.len() - 1],
        _ => ring,
    }
}

fn polygon(ring: &[Place]) -> Polygon<f64> {
    Polygon::new(LineString::new(ring.iter().map(|&(x, y)| Coord { x, y }).collect()), Vec::new())
}

/// Positive where corners run clockwise with rows counted downwards.
pub(super) fn twice_area(ring: &[Place]) -> f64 {
    // From the first vertex, so that large coordinates do not cancel.
    let Some(&(x, y)) = ring.first() else { return 0.0 };
    let next = ring.iter().cycle().skip(1);
    ring.iter().zip(next).map(|(a, b)| (a.0 - x) * (b.1 - y) - (b.0 - x) * (a.1 - y)).sum()
}

fn to_line(point: Place, from: Place, to: Place) -> f64 {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    let length = x.hypot(y);
    if length == 0.0 {
        return (point.0 - from.0).hypot(point.1 - from.1);
    }
    ((point.0 - from.0) * y - (point.1 - from.1) * x).abs() / length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SQUARE: Corners = [(2.0, 1.0), (6.0, 1.0), (6.0, 5.0), (2.0, 5.0)];

    #[test]
    fn polygons_of_four_sides_have_corners() {
        // With a vertex on a side, one that is nearly there, and the first repeated; anticlockwise.
        let ring = [(2.0, 1.0), (2.0, 3.0), (2.0, 5.0), (4.0, 4.8), (6.0, 5.0), (6.0, 1.0), (2.0, 1.0)];
        let mut corners = of_polygon(&ring).unwrap();
        let first = corners.iter().position(|corner| *corner == SQUARE[0]).unwrap();
        corners.rotate_left(first);
        assert_eq!(corners, SQUARE);
        assert_eq!(of_polygon(&[(0.0, 0.0), (9.0, 0.0), (0.0, 9.0)]), None);
        let step = [(0.0, 0.0), (9.0, 0.0), (9.0, 4.0), (5.0, 4.0), (5.0, 9.0), (0.0, 9.0)];
        assert_eq!(of_polygon(&step), None);
        assert_eq!(of_polygon(&[(0.0, 0.0), (9.0, 9.0), (9.0, 0.0), (0.0, 9.0)]), None, "it crosses itself");
        assert_eq!(of_polygon(&[]), None);
    }

    #[test]
    fn pixels_that_fill_their_rectangle_have_its_corners() {
        // A slanted rectangle as the stairs of its pixels, and an L.
        let slanted = [(20.0, 5.0), (36.0, 13.0), (28.0, 29.0), (12.0, 21.0)];
        let labels: Vec<u32> = mask(&slanted, 40).into_iter().map(u32::from).collect();
        let coverage = swath_vector::polygonize(&labels, 40).unwrap();
        let (region, mut rings) = coverage.shapes().find(|(region, _)| region.label == 1).unwrap();
        assert!(region.pixels > 300);
        let ring: Vec<Place> =
            coverage.corners(rings.next().unwrap()).iter().map(|at| (at.col.into(), at.row.into())).collect();
        assert!(iou(&of_pixels(&ring).unwrap(), &slanted) > 0.85);
        let step = [(0.0, 0.0), (9.0, 0.0), (9.0, 4.0), (4.0, 4.0), (4.0, 9.0), (0.0, 9.0)];
        assert_eq!(of_pixels(&step), None);
    }

    #[test]
    fn overlap_and_pixels_are_those_of_the_square() {
        let moved = SQUARE.map(|(x, y)| (x + 2.0, y));
        assert!((iou(&SQUARE, &moved) - 1.0 / 3.0).abs() < 1e-9);
        let inside = mask(&SQUARE, 8);
        assert!(
            inside
                .iter()
                .enumerate()
                .all(|(at, &on)| (on == 1) == ((2..6).contains(&(at % 8)) && (1..5).contains(&(at / 8))))
        );
        assert_eq!(from_unit(&to_unit(&SQUARE, 8), 8), SQUARE);
    }

    proptest! {
        /// Simple quadrilaterals cover as many pixels as their area says, others of the same corners do not count as simple.
        #[test]
        fn simple_outlines_have_their_area(corners in prop::array::uniform4((0.0..64.0f64, 0.0..64.0f64))) {
            let corners = clockwise(corners);
            let pixels = mask(&corners, 64).iter().map(|on| f64::from(*on)).sum::<f64>();
            let sides: f64 = (0..4).map(|i| (corners[i].0 - corners[(i + 1) % 4].0).hypot(corners[i].1 - corners[(i + 1) % 4].1)).sum();
            if is_simple(&corners) {
                prop_assert!((pixels - twice_area(&corners) / 2.0).abs() <= sides + 4.0);
                prop_assert!((iou(&corners, &corners) - 1.0).abs() < 1e-6);
            } else {
                // Crossing sides take from each other what both are around.
                prop_assert!(pixels >= (twice_area(&corners) / 2.0 - sides - 4.0).max(0.0));
            }
        }
    }
}
