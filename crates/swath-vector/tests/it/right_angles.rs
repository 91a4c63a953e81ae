//! Buildings drawn on pixels get their corners back.

use proptest::prelude::*;
use swath_vector::{Point, Regularity, polygonize, square};

use crate::outlines::angles;

/// Whether a point lies in a ring.
fn inside(ring: &[Point], point: Point) -> bool {
    let crossings = ring.windows(2).filter(|pair| {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        (ay > point.1) != (by > point.1) && point.0 < ax + (point.1 - ay) / (by - ay) * (bx - ax)
    });
    crossings.count() % 2 == 1
}

/// The outline, as pixels show it, of what a condition holds for; the largest region of it.
fn drawn(size: usize, holds: impl Fn(Point) -> bool) -> Vec<Vec<Point>> {
    let centre = |at: usize| ((at % size) as f64 + 0.5, (at / size) as f64 + 0.5);
    let labels: Vec<u32> = (0..size * size).map(|at| u32::from(holds(centre(at)))).collect();
    let coverage = polygonize(&labels, size).unwrap();
    let largest =
        coverage.regions().iter().filter(|region| region.label == 1).max_by_key(|region| region.pixels).unwrap();
    let rings = coverage.rings(largest.id as usize);
    let point = |corner: swath_vector::Corner| (f64::from(corner.col), f64::from(corner.row));
    rings.map(|ring| coverage.corners(ring).into_iter().map(point).collect()).collect()
}

/// Moves and turns a shape that is told around the origin.
fn placed(point: Point, centre: Point, angle: f64) -> Point {
    let (x, y) = (point.0 - centre.0, point.1 - centre.1);
    (x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin())
}

/// Share of pixels in the one or the other that are in both.
fn iou(size: usize, rings: &[Vec<Point>], truth: impl Fn(Point) -> bool) -> f64 {
    let (mut both, mut either) = (0, 0);
    for at in 0..16 * size * size {
        let point = ((at % (4 * size)) as f64 / 4.0 + 0.125, (at / (4 * size)) as f64 / 4.0 + 0.125);
        let drawn = rings.iter().filter(|ring| inside(ring, point)).count() % 2 == 1;
        both += usize::from(drawn && truth(point));
        either += usize::from(drawn || truth(point));
    }
    f64::from(both as u32) / f64::from(either as u32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rectangles_come_back(angle in 0.0f64..3.2, width in 14.0f64..28.0, height in 14.0f64..28.0, shift in 0.0f64..1.0) {
        let truth = |point| {
            let (x, y) = placed(point, (25.0 + shift, 25.0), angle);
            x.abs() < width / 2.0 && y.abs() < height / 2.0
        };
        let (rings, regularity) = square(&drawn(50, truth), 1.0);
        prop_assert_eq!(regularity, Regularity::Squared);
        prop_assert_eq!(rings[0].len(), 5, "{:?}", &rings[0]);
        prop_assert!(angles(&rings[0]).into_iter().all(|angle| angle > 89.9999));
        let iou = iou(50, &rings, truth);
        // Pixels move a wall by up to a half.
        prop_assert!(iou > 0.86, "{iou}");
    }

    #[test]
    fn houses_of_two_wings_come_back(angle in 0.0f64..3.2) {
        let truth = |point| {
            let (x, y) = placed(point, (30.0, 30.0), angle);
            (-16.0..16.0).contains(&x) && (-16.0..-2.0).contains(&y) || (-16.0..-2.0).contains(&x) && (-16.0..16.0).contains(&y)
        };
        let (rings, regularity) = square(&drawn(60, truth), 1.0);
        prop_assert_eq!(regularity, Regularity::Squared);
        prop_assert!(rings[0].len() <= 9, "{:?}", &rings[0]);
        let iou = iou(60, &rings, truth);
        prop_assert!(iou > 0.92, "{iou}");
    }

    #[test]
    fn whatever_comes_stays_simple_and_near(noise in proptest::collection::vec(any::<bool>(), 12 * 12), scale in 1usize..4) {
        let size = 12 * scale;
        let holds = |point: Point| noise[(point.1 as usize / scale) * 12 + point.0 as usize / scale];
        if !noise.iter().any(|&set| set) {
            return Ok(());
        }
        let before = drawn(size, holds);
        let (after, regularity) = square(&before, 1.0);
        prop_assert!((1..=before.len()).contains(&after.len()));
        match regularity {
            Regularity::Kept(_) => prop_assert_eq!(after, before),
            _ => {
                let area = |ring: &Vec<Point>| ring.windows(2).map(|p| p[0].0 * p[1].1 - p[1].0 * p[0].1).sum::<f64>() / 2.0;
                prop_assert!((0.5..=2.0).contains(&(area(&after[0]) / area(&before[0]))));
                prop_assert!(after.iter().all(|ring| ring.first() == ring.last() && ring.len() > 4));
                prop_assert!(after[1..].iter().all(|hole| area(hole) * area(&after[0]) < 0.0 && inside(&after[0], hole[0])));
            }
        }
    }
}

/// A square on its corner, whose pixels are the same when it is turned a little either way.
#[test]
fn squares_on_their_corner_have_right_angles() {
    let (angle, width, height, shift) = (0.7865113295918568, 25.095200524886913, 24.64998229334825, 0.4152209696868497);
    let truth = |point| {
        let (x, y) = placed(point, (25.0 + shift, 25.0), angle);
        x.abs() < width / 2.0 && y.abs() < height / 2.0
    };
    let (rings, regularity) = square(&drawn(50, truth), 1.0);
    assert_eq!((regularity, rings[0].len()), (Regularity::Squared, 5), "{rings:?}");
    let angles = angles(&rings[0]);
    assert!(angles.iter().all(|angle| *angle > 89.9999), "{angles:?} {rings:?}");
}

#[test]
fn round_objects_stay_round() {
    let truth = |point: Point| (point.0 - 30.3).hypot(point.1 - 29.6) < 18.0;
    let (rings, regularity) = square(&drawn(60, truth), 1.0);
    assert_eq!(regularity, Regularity::Round);
    let reach = |point: &Point| (point.0 - 30.3).hypot(point.1 - 29.6);
    assert!(rings[0].len() >= 17 && rings[0].iter().all(|point| (reach(point) - 18.0).abs() < 0.5));
    assert!(iou(60, &rings, truth) > 0.97);
}

#[test]
fn courtyards_stay() {
    let box_of = |half: f64| {
        move |point: Point| {
            let (x, y) = placed(point, (30.0, 30.0), 0.4);
            x.abs() < half && y.abs() < half
        }
    };
    let (wall, yard) = (box_of(18.0), box_of(8.0));
    let truth = |point| wall(point) && !yard(point);
    let (rings, regularity) = square(&drawn(60, truth), 1.0);
    assert_eq!((regularity, rings.len()), (Regularity::Squared, 2));
    assert!(rings.iter().all(|ring| ring.len() == 5));
    assert!(iou(60, &rings, truth) > 0.93);
}

#[test]
fn specks_do_not_keep_a_house_from_its_corners() {
    let truth = |point: Point| {
        let (x, y) = placed(point, (30.0, 30.0), 0.4);
        x.abs() < 18.0 && y.abs() < 11.0
    };
    let speck = |point: Point| (29.0..30.0).contains(&point.0) && (30.0..31.0).contains(&point.1);
    let (rings, regularity) = square(&drawn(60, |point| truth(point) && !speck(point)), 1.0);
    assert_eq!((regularity, rings.len(), rings[0].len()), (Regularity::Squared, 1, 5));
}

#[test]
fn what_has_no_walls_is_kept() {
    // A blade: its two long sides are at ten degrees to each other.
    let blade = vec![(0.0, 0.0), (60.0, 0.0), (0.0, 10.0), (0.0, 0.0)];
    let (rings, regularity) = square(std::slice::from_ref(&blade), 1.0);
    assert!(matches!(regularity, Regularity::Kept(reason) if reason.starts_with("kept: ")), "{regularity:?} {rings:?}");
    assert_eq!(rings, [blade]);
    assert_eq!(square(&[], 1.0).1, Regularity::Kept("kept: no polygon"));
}
