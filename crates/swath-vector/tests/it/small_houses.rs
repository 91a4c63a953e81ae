//! Houses of a few distances get four corners, alone and in blocks.

use std::collections::HashMap;

use proptest::prelude::*;
use swath_vector::{Point, Regularity};

use crate::outlines::angles;
use crate::together::{MESH, Rings, WALLS, area, assert_tiles, drawn, squared};

/// Rows and columns of square houses that touch; `None` beside them.
fn block(point: Point, centre: Point, angle: f64, side: f64, (cols, rows): (u32, u32)) -> Option<u32> {
    let (x, y) = (point.0 - centre.0, point.1 - centre.1);
    let along = ((x * angle.cos() + y * angle.sin()) / side + f64::from(cols) / 2.0).floor();
    let deep = ((y * angle.cos() - x * angle.sin()) / side + f64::from(rows) / 2.0).floor();
    let within = (0.0..f64::from(cols)).contains(&along) && (0.0..f64::from(rows)).contains(&deep);
    within.then_some(deep as u32 * cols + along as u32)
}

/// The outer ring of each region that has right angles now.
fn with_right_angles<'a>(
    rings: &'a Rings,
    done: &'a HashMap<usize, Regularity>,
) -> impl Iterator<Item = &'a Vec<Point>> {
    let squared = |region: &&usize| matches!(done[*region], Regularity::Squared | Regularity::Together);
    done.keys().filter(squared).map(|&region| &rings[region][0].1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn small_squares_stay_squares(
        angle in 0.0f64..1.6,
        side in 5.0f64..12.0,
        tolerance in 1.0f64..3.0,
        shift in (0.0f64..1.0, 0.0f64..1.0),
        mesh in any::<bool>(),
    ) {
        let centre = (15.0 + shift.0, 15.0 + shift.1);
        let coverage = drawn(30, 30, |point| u32::from(block(point, centre, angle, side, (1, 1)).is_some()));
        let method = if mesh { MESH } else { WALLS };
        let (rings, done) = squared(&coverage, &|label| (label > 0).then_some(tolerance), method);
        assert_tiles(&coverage, &rings);
        for ring in with_right_angles(&rings, &done) {
            prop_assert!(ring.len() > 4, "{:?}", ring);
            prop_assert!(!angles(ring).into_iter().any(|angle| (10.0..80.0).contains(&angle)), "{:?}", ring);
        }
    }

    #[test]
    fn small_houses_have_four_corners(
        angle in 0.0f64..1.6,
        side in 4.0f64..12.0,
        tolerance in 1.0f64..3.0,
        shift in (0.0f64..1.0, 0.0f64..1.0),
        count in (1u32..4, 1u32..3),
        mesh in any::<bool>(),
    ) {
        let centre = (25.0 + shift.0, 25.0 + shift.1);
        let coverage = drawn(50, 50, |point| block(point, centre, angle, side, count).map_or(0, |house| house + 1));
        let method = if mesh { MESH } else { WALLS };
        let (rings, done) = squared(&coverage, &|label| (label > 0).then_some(tolerance), method);
        assert_tiles(&coverage, &rings);
        for ring in with_right_angles(&rings, &done) {
            // Where a line goes on or back there is no corner.
            let corners = angles(ring).into_iter().filter(|&angle| angle > 29.0).count();
            prop_assert!(corners >= 4, "{:?}", ring);
        }
    }
}

/// A vertex costs as much as sixteen pixels here, more than what a triangle leaves out of such a square.
#[test]
fn small_squares_on_their_corner_are_no_triangles() {
    for (side, tolerance) in [(5.0, 1.0), (5.0, 3.0), (6.0, 3.0), (7.0, 2.0), (8.0, 2.0), (8.0, 3.0), (10.0, 3.0)] {
        for degrees in [30.0f64, 35.0, 40.0, 45.0, 50.0, 55.0] {
            let angle = degrees.to_radians();
            let house = |point| block(point, (15.3, 15.1), angle, side, (1, 1)).is_some();
            let coverage = drawn(30, 30, |point| u32::from(house(point)));
            let (rings, done) = squared(&coverage, &|label| (label > 0).then_some(tolerance), MESH);
            assert_eq!(done.values().collect::<Vec<_>>(), [&Regularity::Squared]);
            assert_tiles(&coverage, &rings);
            let square = coverage.regions().iter().position(|region| region.label == 1).unwrap();
            let ring = &rings[square][0].1;
            assert_eq!(ring.len(), 5, "{side} {degrees} {ring:?}");
            assert!(angles(ring).into_iter().all(|angle| angle > 85.0), "{side} {degrees} {ring:?}");
            let pixels = coverage.regions()[square].pixels as f64;
            assert!((area(ring) / pixels - 1.0).abs() < 0.2, "{side} {degrees} {ring:?}");
        }
    }
}

#[test]
fn small_houses_that_touch_are_no_triangles() {
    for count in [(2, 1), (3, 1), (2, 2)] {
        for degrees in [15.0f64, 30.0, 40.0, 45.0, 50.0, 75.0] {
            let house = |point| block(point, (25.2, 25.4), degrees.to_radians(), 7.0, count);
            let coverage = drawn(50, 50, |point| house(point).map_or(0, |house| house + 1));
            let (rings, done) = squared(&coverage, &|label| (label > 0).then_some(2.0), MESH);
            assert_eq!(done.values().filter(|&&done| done == Regularity::Together).count(), done.len());
            assert_tiles(&coverage, &rings);
            for ring in with_right_angles(&rings, &done) {
                let slanted = angles(ring).into_iter().any(|angle| (10.0..80.0).contains(&angle));
                assert!(ring.len() > 4 && !slanted, "{count:?} {degrees} {ring:?}");
            }
        }
    }
}
