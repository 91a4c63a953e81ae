//! Buildings that touch get right angles together, and what is around them follows.

use std::collections::HashMap;

use proptest::prelude::*;
use swath_vector::{
    Corner, Coverage, Groups, Lines, OUTSIDE, Point, Regularity, RightAngleMethod, RightAngles, Simplify,
    SimplifyMethod, polygonize, simplify, smooth,
};

use crate::outlines::angles;

/// A map whose pixels have the label of their centres.
pub(crate) fn drawn(width: usize, height: usize, label: impl Fn(Point) -> u32) -> Coverage {
    let centre = |at: usize| ((at % width) as f64 + 0.5, (at / width) as f64 + 0.5);
    let labels: Vec<u32> = (0..width * height).map(|at| label(centre(at))).collect();
    polygonize(&labels, width).unwrap()
}

pub(crate) const WALLS: RightAngleMethod = RightAngleMethod::Walls;
pub(crate) const MESH: RightAngleMethod = RightAngleMethod::Mesh;

/// The rings of each region, and whether they are outer ones.
pub(crate) type Rings = Vec<Vec<(bool, Vec<Point>)>>;

/// The rings of all regions with right angles for some labels, and what became of these.
pub(crate) fn squared(
    coverage: &Coverage,
    tolerance: &dyn Fn(u32) -> Option<f64>,
    method: RightAngleMethod,
) -> (Rings, HashMap<usize, Regularity>) {
    let groups = Groups::new(coverage, &RightAngles { method, tolerance, pixel: &|_| (1.0, 1.0) });
    let mut lines = Lines::new(coverage, None);
    let done = groups.square(&mut lines).into_iter().collect();
    (rings(coverage, &lines), done)
}

fn rings(coverage: &Coverage, lines: &Lines<'_>) -> Rings {
    coverage.shapes().map(|(_, rings)| rings.map(|ring| (ring.outer, lines.ring(ring))).collect()).collect()
}

fn cross(a: Point, b: Point, c: Point) -> f64 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

/// From a point to the straight line between two others.
fn away(point: Point, a: Point, b: Point) -> f64 {
    let ((x, y), (px, py)) = ((b.0 - a.0, b.1 - a.1), (point.0 - a.0, point.1 - a.1));
    let along = ((px * x + py * y) / (x * x + y * y)).clamp(0.0, 1.0);
    (px - along * x).hypot(py - along * y)
}

/// Positive when it runs counterclockwise with the first row at the top.
pub(crate) fn area(ring: &[Point]) -> f64 {
    -ring.windows(2).map(|pair| cross(ring[0], pair[0], pair[1])).sum::<f64>() / 2.0
}

/// To the last bit.
fn key(point: Point) -> (u64, u64) {
    ((point.0 + 0.0).to_bits(), (point.1 + 0.0).to_bits())
}

/// Every edge lies between two polygons that both have it, or has the outside on its right as it had before; edges meet at their ends only, and
/// no ring comes to a point twice; rings keep their sense. Then polygons are valid, and fill what they filled, without gaps and overlaps.
pub(crate) fn assert_tiles(coverage: &Coverage, rings: &[Vec<(bool, Vec<Point>)>]) {
    let mut edges: HashMap<[(u64, u64); 2], usize> = HashMap::new();
    let mut plain: Vec<(Point, Point)> = Vec::new();
    for ring in rings.iter().flatten() {
        assert!(ring.1.len() > 3 && ring.1.first() == ring.1.last(), "{ring:?}");
        assert!(if ring.0 { area(&ring.1) > 0.0 } else { area(&ring.1) < 0.0 }, "{ring:?}");
        let points: std::collections::HashSet<_> = ring.1.iter().map(|&point| key(point)).collect();
        assert_eq!(points.len(), ring.1.len() - 1, "touches itself: {ring:?}");
        for pair in ring.1.windows(2) {
            *edges.entry([key(pair[0]), key(pair[1])]).or_default() += 1;
            plain.push((pair[0], pair[1]));
        }
    }
    let mut alone = 0;
    for (&[from, to], &count) in &edges {
        assert_eq!(count, 1, "two polygons have an edge on one side");
        alone += usize::from(!edges.contains_key(&[to, from]));
    }
    let outer = coverage.arcs().any(|arc| arc.left.is_none() || arc.right.is_none());
    assert_eq!(alone > 0, outer);
    plain.retain(|&(a, b)| a < b || !edges.contains_key(&[key(b), key(a)]));
    for (index, &(a, b)) in plain.iter().enumerate() {
        for &(c, d) in &plain[index + 1..] {
            let sides = [cross(a, b, c), cross(a, b, d), cross(c, d, a), cross(c, d, b)];
            let common = a == c || a == d || b == c || b == d;
            let crosses = sides[0] * sides[1] < 0.0 && sides[2] * sides[3] < 0.0;
            assert!(common || !crosses, "{a:?} {b:?} crosses {c:?} {d:?}");
            let near = |point, a, b| away(point, a, b) < 1e-9;
            let touches = near(a, c, d) || near(b, c, d) || near(c, a, b) || near(d, a, b);
            assert!(common || !touches, "{a:?} {b:?} touches {c:?} {d:?}");
        }
    }
}

/// All regions together fill the raster's data.
pub(crate) fn assert_fills(coverage: &Coverage, rings: &[Vec<(bool, Vec<Point>)>]) {
    let pixels: u64 = coverage.regions().iter().map(|region| region.pixels).sum();
    let total: f64 = rings.iter().flatten().map(|(_, ring)| area(ring)).sum();
    assert!((total - pixels as f64).abs() < 1e-6 * pixels as f64, "{total} {pixels}");
}

/// A row of houses: along the street from 0, each as wide and as deep as told; `None` beside them.
fn house(point: Point, angle: f64, houses: &[(f64, f64)]) -> Option<usize> {
    let (x, y) = (point.0 - 50.0, point.1 - 50.0);
    let total: f64 = houses.iter().map(|house| house.0).sum();
    let (along, deep) = (x * angle.cos() + y * angle.sin() + total / 2.0, y * angle.cos() - x * angle.sin() + 10.0);
    let mut from = 0.0;
    for (number, &(width, depth)) in houses.iter().enumerate() {
        if (from..from + width).contains(&along) && (0.0..depth).contains(&deep) {
            return Some(number);
        }
        from += width;
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_of_houses_share_their_walls(
        angle in 0.0f64..3.2,
        houses in proptest::collection::vec((12.0f64..20.0, (0u32..3).prop_map(|steps| 14.0 + 8.0 * f64::from(steps))), 2..5),
    ) {
        let coverage = drawn(100, 100, |point| house(point, angle, &houses).map_or(0, |house| house as u32 + 1));
        let (rings, done) = squared(&coverage, &|label| (label > 0).then_some(1.0), WALLS);
        assert_tiles(&coverage, &rings);
        assert_fills(&coverage, &rings);
        for (region, rings) in coverage.regions().iter().zip(&rings) {
            let Some(number) = (region.label as usize).checked_sub(1) else { continue };
            let (width, depth) = houses[number];
            if done.len() == houses.len() {
                prop_assert_eq!(done[&(region.id as usize)], Regularity::Together, "{:?}", rings);
            }
            let ring = &rings[0].1;
            // Corners are right, and nodes on fronts are straight, but for ends of stubs of some pixels.
            let right = angles(ring).into_iter().filter(|&angle| (3.0..87.0).contains(&angle)).count();
            prop_assert_eq!(right, 0, "{:?}", ring);
            prop_assert!(ring.len() <= 9, "{:?}", ring);
            // Within half a pixel all round.
            let away = (area(ring) - region.pixels as f64).abs();
            prop_assert!(away < width + depth, "{} of {}", away, region.pixels);
        }
    }

    #[test]
    fn walls_go_on_where_four_houses_meet(
        angle in 0.0f64..3.2, side in 12.0f64..26.0, other in 12.0f64..26.0, place in (0.0f64..1.0, 0.0f64..1.0), tolerance in 1.0f64..3.0,
    ) {
        let coverage = drawn(120, 120, |(x, y)| {
            let (x, y) = (x - 60.0 - place.0, y - 60.0 - place.1);
            let (along, across) = (x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin());
            let inside = along.abs() < side && across.abs() < other;
            if inside { 1 + u32::from(along > 0.0) + 2 * u32::from(across > 0.0) } else { 0 }
        });
        let (rings, done) = squared(&coverage, &|label| (label > 0).then_some(tolerance), WALLS);
        assert_tiles(&coverage, &rings);
        prop_assert!(done.values().all(|&regularity| regularity == Regularity::Together), "{:?}", done);
        for (region, rings) in coverage.regions().iter().zip(&rings).filter(|(region, _)| region.label > 0) {
            let slanted = angles(&rings[0].1).into_iter().filter(|&angle| (5.0..85.0).contains(&angle)).count();
            prop_assert!(slanted == 0, "{}: {:?}", region.label, rings);
        }
    }

    #[test]
    fn meshes_find_the_corners_of_houses(
        angle in 0.0f64..3.2,
        houses in proptest::collection::vec((14.0f64..24.0, (0u32..3).prop_map(|steps| 14.0 + 8.0 * f64::from(steps))), 1..4),
    ) {
        let coverage = drawn(100, 100, |point| house(point, angle, &houses).map_or(0, |house| house as u32 + 1));
        let (rings, done) = squared(&coverage, &|label| (label > 0).then_some(1.0), MESH);
        assert_tiles(&coverage, &rings);
        assert_fills(&coverage, &rings);
        for (region, rings) in coverage.regions().iter().zip(&rings) {
            let Some(number) = (region.label as usize).checked_sub(1) else { continue };
            let (width, depth) = houses[number];
            prop_assert!(!matches!(done[&(region.id as usize)], Regularity::Kept(_)));
            let ring = &rings[0].1;
            // Four corners, and two of each neighbour. Where a wall is turned by a few degrees only, it may keep a step of one pixel, which is right, too.
            let neighbours = usize::from(number > 0) + usize::from(number + 1 < houses.len());
            let hardly_turned = (angle.to_degrees() + 6.0) % 90.0 < 12.0;
            let most = 9 + 2 * neighbours + if hardly_turned { 4 } else { 0 };
            prop_assert!(ring.len() <= most, "{:?}", ring);
            let slanted = angles(ring).into_iter().filter(|&angle| (10.0..80.0).contains(&angle)).count();
            prop_assert!(slanted <= 2, "{:?}", ring);
            let away = (area(ring) - region.pixels as f64).abs();
            prop_assert!(away < width + depth, "{} of {}", away, region.pixels);
        }
    }

    #[test]
    fn whatever_comes_still_tiles(
        cells in proptest::collection::vec(0u32..5, 30),
        scale in 1usize..6,
        grains in proptest::collection::vec(0u32..100, 30 * 36),
        noise in 0u32..6,
        some in any::<bool>(),
        rough in 0usize..3,
        mesh in any::<bool>(),
    ) {
        let (width, height) = (6 * scale, 5 * scale);
        let label = |at: usize| {
            let (row, col) = (at / width, at % width);
            // Shifted rows make slanted borders.
            let cell = cells[(row / scale) * 6 + ((col + row / 2) / scale) % 6];
            let label = if grains[at] < noise { grains[at] % 5 } else { cell };
            if label == 4 { OUTSIDE } else { label }
        };
        let labels: Vec<u32> = (0..width * height).map(label).collect();
        let mut coverage = polygonize(&labels, width).unwrap();
        let tolerance = |label: u32| (!some || label.is_multiple_of(2)).then_some(0.8);
        let groups = Groups::new(&coverage, &RightAngles { method: if mesh { MESH } else { WALLS }, tolerance: &tolerance, pixel: &|_| (1.0, 1.0) });
        if rough > 0 {
            let method = SimplifyMethod::DouglasPeucker;
            simplify(&mut coverage, &Simplify { method, tolerance: 0.8, pixel: &|_| (1.0, 1.0) }).unwrap();
        }
        let smoothed = (rough > 1).then(|| smooth(&coverage, 1).unwrap());
        let mut lines = Lines::new(&coverage, smoothed);
        let done = groups.square(&mut lines);
        let squared = coverage.regions().iter().filter(|region| tolerance(region.label).is_some()).count();
        prop_assert_eq!(done.len(), squared);
        assert_tiles(&coverage, &rings(&coverage, &lines));
    }
}

#[test]
fn boundaries_of_others_follow_a_wall() {
    // A street and a meadow on both sides of a house; their border ends at its walls.
    let houses = [(20.0, 20.0)];
    let coverage = drawn(100, 100, |point| match house(point, 0.3, &houses) {
        Some(_) => 2,
        None => u32::from(point.1 < 52.0),
    });
    let (rings, done) = squared(&coverage, &|label| (label == 2).then_some(1.0), WALLS);
    assert_eq!(done.values().collect::<Vec<_>>(), [&Regularity::Squared]);
    assert_tiles(&coverage, &rings);
    assert_fills(&coverage, &rings);
    let house = coverage.regions().iter().position(|region| region.label == 2).unwrap();
    // Four corners, and two where the border ends.
    assert_eq!(rings[house][0].1.len(), 7, "{:?}", rings[house]);
}

#[test]
fn what_the_edge_of_the_raster_cuts_stays_on_it() {
    let coverage = drawn(60, 60, |point| {
        let (x, y) = (point.0 - 4.0, point.1 - 20.0);
        let (along, deep) = (x * 0.3f64.cos() + y * 0.3f64.sin(), y * 0.3f64.cos() - x * 0.3f64.sin());
        u32::from(along.abs() < 14.0 && deep.abs() < 9.0)
    });
    let (rings, done) = squared(&coverage, &|label| (label == 1).then_some(1.0), WALLS);
    assert_eq!(done.values().collect::<Vec<_>>(), [&Regularity::Squared]);
    assert_tiles(&coverage, &rings);
    assert_fills(&coverage, &rings);
    let house = coverage.regions().iter().position(|region| region.label == 1).unwrap();
    let ring = &rings[house][0].1;
    assert_eq!(ring[1..].iter().filter(|point| point.0 == 0.0).count(), 2, "{ring:?}");
    assert!(ring.len() <= 6, "{ring:?}");
}

#[test]
fn round_regions_become_circles() {
    // In a meadow that ends before the pond does, and in one that goes on.
    for bottom in [48.0, 60.0] {
        let coverage = drawn(60, 60, |point| match (point.0 - 30.0).hypot(point.1 - 30.0) < 14.0 {
            true => 1,
            false => {
                if point.1 < bottom {
                    0
                } else {
                    OUTSIDE
                }
            }
        });
        for method in [WALLS, MESH] {
            let (rings, done) = squared(&coverage, &|label| (label == 1).then_some(1.0), method);
            assert_eq!(done.values().collect::<Vec<_>>(), [&Regularity::Round]);
            assert_tiles(&coverage, &rings);
            let pond = coverage.regions().iter().position(|region| region.label == 1).unwrap();
            assert!((area(&rings[pond][0].1) - 14.0 * 14.0 * std::f64::consts::PI).abs() < 20.0);
        }
    }
}

#[test]
fn houses_that_touch_at_a_corner_stay_apart() {
    let coverage = drawn(60, 60, |point| {
        let first = (10.0..30.0).contains(&point.0) && (12.0..30.0).contains(&point.1);
        let second = (30.0..48.0).contains(&point.0) && (30.0..47.0).contains(&point.1);
        u32::from(first || second)
    });
    let (rings, done) = squared(&coverage, &|label| (label == 1).then_some(2.0), WALLS);
    assert_eq!(done.values().collect::<Vec<_>>(), [&Regularity::Together; 2]);
    assert_tiles(&coverage, &rings);
    let houses = coverage.regions().iter().zip(&rings).filter(|(region, _)| region.label == 1);
    assert!(houses.clone().count() == 2 && houses.clone().all(|(_, rings)| rings[0].1.len() == 5));
}

#[test]
fn one_without_walls_does_not_keep_its_neighbours_from_theirs() {
    // Two houses, and at the end of the row a wedge whose slanted wall is neither along nor oblique.
    let houses = [(16.0, 20.0), (16.0, 20.0)];
    let coverage = drawn(100, 100, |point| match house(point, 0.4, &houses) {
        Some(house) => house as u32 + 1,
        None => {
            let (x, y) = (point.0 - 50.0, point.1 - 50.0);
            let (along, deep) = (x * 0.4f64.cos() + y * 0.4f64.sin() - 16.0, y * 0.4f64.cos() - x * 0.4f64.sin());
            3 * u32::from((0.0..30.0).contains(&along) && (0.0..16.5 - 0.53 * along).contains(&(deep + 10.0)))
        }
    });
    let (rings, done) = squared(&coverage, &|label| (label > 0).then_some(1.0), WALLS);
    assert_tiles(&coverage, &rings);
    assert_fills(&coverage, &rings);
    for region in coverage.regions() {
        match (region.label, done.get(&(region.id as usize))) {
            (0, None) => {}
            (3, Some(Regularity::Kept(reason))) => assert!(reason.starts_with("kept: ")),
            (1 | 2, Some(Regularity::Together)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn corners_of_those_that_stay_are_theirs_to_the_last_bit() {
    let coverage = drawn(40, 40, |point| u32::from((point.0 - 20.0).hypot(point.1 - 20.0) < 12.0));
    let (rings, done) = squared(&coverage, &|_| None, WALLS);
    assert!(done.is_empty());
    let corner = |corner: Corner| (f64::from(corner.col), f64::from(corner.row));
    for (before, after) in coverage.shapes().flat_map(|(_, rings)| rings).zip(rings.iter().flatten()) {
        assert_eq!(coverage.corners(before).into_iter().map(corner).collect::<Vec<_>>(), after.1);
    }
}
