//! Simplified and smoothed coverages still tile what they tiled.

use proptest::prelude::*;
use swath_vector::{
    Corner, Coverage, OUTSIDE, Point, Simplify, SimplifyMethod, VectorError, polygonize, simplify, smooth,
};

use crate::maps::{Map, maps};

/// Larger maps with regions of some size: every pixel is drawn from a coarser map, or from noise.
fn patches() -> impl Strategy<Value = Map> {
    (2usize..7, 2usize..7, 1usize..6, 0u32..6).prop_flat_map(|(across, down, scale, noise)| {
        let cells = proptest::collection::vec(0u32..4, across * down);
        let (width, height) = (across * scale, down * scale);
        let grains = proptest::collection::vec(0u32..100, width * height);
        (cells, grains).prop_map(move |(cells, grains)| {
            let label = |at: usize| {
                let (row, col) = (at / width, at % width);
                // Shifted rows make slanted borders.
                let cell = cells[(row / scale) * across + ((col + row / 2) / scale) % across];
                let label = if grains[at] < noise { grains[at] % 4 } else { cell };
                if label == 3 { OUTSIDE } else { label }
            };
            Map { width, labels: (0..width * height).map(label).collect() }
        })
    })
}

/// Regions within regions, near each other and nearer to the frame: each rectangle or disc covers what was there.
fn nested() -> impl Strategy<Value = Map> {
    let shape = (any::<bool>(), 0.0f64..1.0, 0.0f64..1.0, 1usize..4);
    proptest::collection::vec(shape, 1..7).prop_map(|shapes| {
        let size = 34;
        let mut labels = vec![0; size * size];
        let (mut low, mut high) = ((1, 1), (size - 1, size - 1));
        for (number, (round, right, down, margin)) in shapes.into_iter().enumerate() {
            let centre = ((low.0 + high.0) as f64 / 2.0, (low.1 + high.1) as f64 / 2.0);
            let radius = (high.0 - low.0).min(high.1 - low.1) as f64 / 2.0;
            for (row, col) in (low.1..high.1).flat_map(|row| (low.0..high.0).map(move |col| (row, col))) {
                let away = (col as f64 + 0.5 - centre.0).hypot(row as f64 + 0.5 - centre.1);
                if !round || away <= radius {
                    labels[row * size + col] = if number % 3 == 1 { OUTSIDE } else { number as u32 + 1 };
                }
            }
            // The next one is some pixels within this one, and as near to one of its sides as it happens.
            let inset = margin + if round { (0.3 * radius) as usize } else { 0 };
            let room = |low: usize, high: usize| (high - low).saturating_sub(2 * inset);
            let (across, along) = (room(low.0, high.0), room(low.1, high.1));
            if across.min(along) < 2 {
                break;
            }
            let cut = |room: usize, share: f64| (share * (room / 3) as f64) as usize;
            low = (low.0 + inset + cut(across, right), low.1 + inset + cut(along, down));
            high = (high.0 - inset - cut(across, 1.0 - right), high.1 - inset - cut(along, 1.0 - down));
        }
        Map { width: size, labels }
    })
}

/// In units that make all smoothed points whole numbers: exact in 128 bits.
fn whole(point: Point) -> (i128, i128) {
    let scaled = (point.0 * 1024.0, point.1 * 1024.0);
    assert!(scaled.0.fract() == 0.0 && scaled.1.fract() == 0.0, "{point:?}");
    (scaled.0 as i128, scaled.1 as i128)
}

fn cross(a: (i128, i128), b: (i128, i128), c: (i128, i128)) -> i128 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

fn on(a: (i128, i128), b: (i128, i128), c: (i128, i128)) -> bool {
    cross(a, b, c) == 0 && (a.0.min(b.0)..=a.0.max(b.0)).contains(&c.0) && (a.1.min(b.1)..=a.1.max(b.1)).contains(&c.1)
}

fn doubled(ring: &[(i128, i128)]) -> i128 {
    ring.windows(2).map(|pair| pair[0].1 * pair[1].0 - pair[0].0 * pair[1].1).sum()
}

/// Whether a point that is not on the ring lies in it.
fn inside(ring: &[(i128, i128)], point: (i128, i128)) -> bool {
    let crossings = ring.windows(2).filter(|pair| {
        let (a, b) = (pair[0], pair[1]);
        (a.1 > point.1) != (b.1 > point.1) && (cross(a, b, point) < 0) == (b.1 > a.1)
    });
    crossings.count() % 2 == 1
}

/// Edges meet at their ends only, rings keep their sense, holes stay in their polygons, and all regions together still fill what
/// they filled.
pub(crate) fn assert_tiles(coverage: &Coverage, arcs: &[Vec<Point>]) {
    let mut edges = Vec::new();
    for arc in arcs {
        edges.extend(arc.windows(2).map(|pair| (whole(pair[0]), whole(pair[1]))));
    }
    for (index, &(a, b)) in edges.iter().enumerate() {
        assert_ne!(a, b);
        for &(c, d) in &edges[index + 1..] {
            let apart = a.0.max(b.0) < c.0.min(d.0)
                || c.0.max(d.0) < a.0.min(b.0)
                || a.1.max(b.1) < c.1.min(d.1)
                || c.1.max(d.1) < a.1.min(b.1);
            if apart {
                continue;
            }
            let crosses = cross(a, b, c).signum() * cross(a, b, d).signum() < 0
                && cross(c, d, a).signum() * cross(c, d, b).signum() < 0;
            assert!(!crosses, "{a:?} {b:?} crosses {c:?} {d:?}");
            for (end, (from, to)) in [(a, (c, d)), (b, (c, d)), (c, (a, b)), (d, (a, b))] {
                assert!(end == from || end == to || !on(from, to, end), "{end:?} lies on {from:?} {to:?}");
            }
            assert!((a, b) != (c, d) && (a, b) != (d, c), "an edge is there twice: {a:?} {b:?}");
        }
    }
    let mut area = 0;
    for (_, rings) in coverage.shapes() {
        let points: Vec<Vec<(i128, i128)>> =
            rings.clone().map(|ring| ring.points(arcs).into_iter().map(whole).collect()).collect();
        for (ring, points) in rings.zip(&points) {
            let doubled = doubled(points);
            assert!(if ring.outer { doubled > 0 } else { doubled < 0 }, "{points:?}");
            area += doubled;
        }
        let (outer, holes) = points.split_first().unwrap();
        for hole in holes {
            let free = hole.iter().find(|&&point| !outer.windows(2).any(|pair| on(pair[0], pair[1], point)));
            assert!(free.is_some_and(|&point| inside(outer, point)), "{hole:?} is not in {outer:?}");
        }
    }
    // The border to the outside, which every region's area adds up to.
    let border: i128 = coverage
        .arcs()
        .zip(arcs)
        .map(|(arc, points)| {
            let points: Vec<(i128, i128)> = points.iter().copied().map(whole).collect();
            match (arc.left, arc.right) {
                (Some(_), None) => doubled(&points),
                (None, Some(_)) => -doubled(&points),
                _ => 0,
            }
        })
        .sum();
    assert_eq!(area, border);
}

pub(crate) fn points(coverage: &Coverage) -> Vec<Vec<Point>> {
    smooth(coverage, 0).unwrap()
}

fn simplified(map: &Map, method: SimplifyMethod, tolerance: f64) -> (Coverage, Coverage) {
    let exact = polygonize(&map.labels, map.width).unwrap();
    let mut simple = exact.clone();
    simplify(&mut simple, &Simplify { method, tolerance, pixel: &|_| (1.0, 1.0) }).unwrap();
    (exact, simple)
}

fn methods() -> impl Strategy<Value = SimplifyMethod> {
    prop_oneof![Just(SimplifyMethod::Visvalingam), Just(SimplifyMethod::DouglasPeucker)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn simplified_coverages_tile(map in prop_oneof![maps(), patches(), nested()], method in methods(), tolerance in 0.1f64..20.0) {
        let (exact, simple) = simplified(&map, method, tolerance);
        assert_tiles(&simple, &points(&simple));
        // The frame of the raster stands.
        for (before, after) in exact.arcs().zip(simple.arcs()) {
            let (right, bottom) = (map.width as u32, map.height() as u32);
            let framed = |arc: swath_vector::ArcLine<'_>| arc.corners.iter().filter(|corner| [0, right].contains(&corner.col) && [0, bottom].contains(&corner.row)).count();
            prop_assert_eq!(framed(before), framed(after));
        }
        // Nothing but corners has changed, and those that are left were there before.
        prop_assert!(simple.shapes().map(|(_, rings)| rings.collect::<Vec<_>>()).eq(exact.shapes().map(|(_, rings)| rings.collect::<Vec<_>>())));
        for (arc, before) in simple.arcs().zip(exact.arcs()) {
            prop_assert_eq!((arc.left, arc.right), (before.left, before.right));
            prop_assert!(arc.corners.iter().all(|corner| before.corners.contains(corner)));
        }
    }

    #[test]
    fn smoothed_coverages_tile(map in prop_oneof![maps(), patches(), nested()], tolerance in 0.0f64..3.0, rounds in 1u32..4) {
        let (_, simple) = simplified(&map, SimplifyMethod::Visvalingam, tolerance);
        let arcs = smooth(&simple, rounds).unwrap();
        assert_tiles(&simple, &arcs);
        for (arc, before) in arcs.iter().zip(simple.arcs()) {
            prop_assert!(arc.len() >= before.corners.len());
        }
    }

    #[test]
    fn douglas_peucker_keeps_its_tolerance(map in patches(), tolerance in 0.1f64..5.0) {
        let (exact, simple) = simplified(&map, SimplifyMethod::DouglasPeucker, tolerance);
        for (arc, before) in simple.arcs().zip(exact.arcs()) {
            for corner in before.corners {
                let near = arc.corners.windows(2).map(|pair| distance(*corner, pair[0], pair[1])).fold(f64::MAX, f64::min);
                prop_assert!(near <= tolerance + 1e-9, "{near}");
            }
        }
    }
}

fn distance(point: Corner, a: Corner, b: Corner) -> f64 {
    let step =
        |from: Corner, to: Corner| (f64::from(to.col) - f64::from(from.col), f64::from(to.row) - f64::from(from.row));
    let ((x, y), (px, py)) = (step(a, b), step(a, point));
    let along = ((px * x + py * y) / (x * x + y * y)).clamp(0.0, 1.0);
    (px - along * x).hypot(py - along * y)
}

#[test]
fn discs_lose_their_stairs() {
    let inside = |at: usize| ((at % 64) as f64 - 31.5).hypot((at / 64) as f64 - 31.5) < 25.0;
    let labels: Vec<u32> = (0..64 * 64).map(|at| u32::from(inside(at))).collect();
    let map = Map { width: 64, labels };
    for method in [SimplifyMethod::Visvalingam, SimplifyMethod::DouglasPeucker] {
        let (exact, simple) = simplified(&map, method, 1.5);
        let corners = |coverage: &Coverage| coverage.arcs().map(|arc| arc.corners.len()).max().unwrap();
        assert!(corners(&exact) > 100 && corners(&simple) < 40, "{} {}", corners(&exact), corners(&simple));
        let disc = simple.regions().iter().position(|region| region.label == 1).unwrap();
        let ring = simple.rings(disc).next().unwrap().points(&points(&simple));
        let area = doubled(&ring.into_iter().map(whole).collect::<Vec<_>>()) as f64 / 2.0 / 1024.0 / 1024.0;
        assert!((area / simple.regions()[disc].pixels as f64 - 1.0).abs() < 0.04, "{method:?} {area}");
    }
}

#[test]
fn two_boundaries_never_become_one() {
    // A lens between two nodes: its sides are two arcs with the same ends, whatever the tolerance.
    #[rustfmt::skip]
    let labels = [
        1, 1, 1, 1, 1,
        1, 3, 3, 3, 1,
        3, 3, 3, 3, 3,
        2, 3, 3, 3, 2,
        2, 2, 2, 2, 2,
    ];
    for method in [SimplifyMethod::Visvalingam, SimplifyMethod::DouglasPeucker] {
        let map = Map { width: 5, labels: labels.to_vec() };
        let (_, simple) = simplified(&map, method, 1e6);
        assert_tiles(&simple, &points(&simple));
        assert_eq!(simple.regions().len(), 3);
    }
}

#[test]
fn senseless_options_are_refused() {
    let mut coverage = polygonize(&[1, 2], 2).unwrap();
    for tolerance in [-1.0, f64::NAN, f64::INFINITY] {
        let options = Simplify { method: SimplifyMethod::Visvalingam, tolerance, pixel: &|_| (1.0, 1.0) };
        let error = simplify(&mut coverage, &options).unwrap_err();
        assert!(matches!(&error, VectorError::Argument(text) if text.contains("tolerance")), "{error}");
    }
    assert!(matches!(smooth(&coverage, 6), Err(VectorError::Argument(_))));
}

#[test]
fn corners_are_not_cut_through_what_lies_in_them() {
    // A quarter of twelve pixels is cut off each corner; the pixel of another label near the first one stands in the way.
    let inside = |at: usize| (1..13).contains(&(at % 14)) && (1..13).contains(&(at / 14));
    let mut labels: Vec<u32> = (0..14 * 14).map(|at| if inside(at) { 1 } else { OUTSIDE }).collect();
    labels[2 * 14 + 2] = 2;
    let coverage = polygonize(&labels, 14).unwrap();
    let arcs = smooth(&coverage, 1).unwrap();
    assert_tiles(&coverage, &arcs);
    let square = arcs.iter().find(|arc| arc.iter().any(|point| point.0 == 13.0)).unwrap();
    assert_eq!(square.len(), 3 * 2 + 1 + 1, "three corners are cut: {square:?}");
}
