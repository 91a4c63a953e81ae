//! The mesh leaves no stairs of pixels where an outline is one with tiny gaps in it.

use swath_vector::{Point, Regularity};

use crate::together::{MESH, assert_fills, assert_tiles, drawn, squared};

/// Whether a point lies in a rectangle that is turned by 33 degrees around (100, 100).
fn turned(point: Point, [left, top, right, bottom]: [f64; 4]) -> bool {
    let (sin, cos) = 33f64.to_radians().sin_cos();
    let (x, y) = (point.0 - 100.0, point.1 - 100.0);
    let (x, y) = (100.0 + cos * x - sin * y, 100.0 + sin * x + cos * y);
    (left..right).contains(&x) && (top..bottom).contains(&y)
}

#[test]
fn houses_a_third_of_a_pixel_apart_are_walls_all_round() {
    let mut slits = 0;
    for gap in [0.0, 0.2, 0.3, 0.5, 1.0] {
        let [first, second] = [[40.0, 110.0, 100.0, 160.0], [100.0 + gap, 125.0, 170.0 + gap, 170.0]];
        let coverage = drawn(220, 220, |point| u32::from(turned(point, first) || turned(point, second)));
        slits += usize::from(coverage.regions().len() > 3);
        let (rings, done) = squared(&coverage, &|label| (label == 1).then_some(2.0), MESH);
        assert_tiles(&coverage, &rings);
        assert_fills(&coverage, &rings);
        for (&region, regularity) in &done {
            assert!(matches!(regularity, Regularity::Squared | Regularity::Together), "{gap}: {regularity:?}");
            // Both have 8 corners together, and pixels between them that are no house keep 4 each.
            let holes: usize = rings[region][1..].iter().map(|(_, ring)| ring.len() - 1).sum();
            let outer = rings[region][0].1.len() - 1;
            assert!(outer <= 34 && holes <= 5 * (rings[region].len() - 1), "{gap}: {outer} {holes}");
        }
    }
    assert!(slits > 1, "the gaps leave no pixels between them");
}
