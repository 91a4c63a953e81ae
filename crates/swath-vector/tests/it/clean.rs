//! Cleaned maps against slow but plain definitions of the steps.

use proptest::prelude::*;
use swath_vector::{Cleaner, Cleaning, Connectivity, OUTSIDE, VectorError, polygonize};

use crate::maps::{Map, flooded, maps};

fn cleaned(map: &Map, steps: &[Cleaning], rows: usize) -> Map {
    let mut cleaner = Cleaner::new(map.width, steps).unwrap();
    let mut labels = Vec::new();
    for block in map.labels.chunks(rows * map.width) {
        cleaner.push(block, &mut labels).unwrap();
    }
    cleaner.finish(&mut labels);
    assert_eq!(labels.len(), map.labels.len());
    Map { width: map.width, labels }
}

impl Map {
    /// Pixels not more than `radius` columns and rows away, by place.
    fn square(&self, at: usize, radius: usize) -> Vec<usize> {
        let (row, col) = (at / self.width, at % self.width);
        let rows = row.saturating_sub(radius)..(row + radius + 1).min(self.height());
        rows.flat_map(|row| {
            let columns = col.saturating_sub(radius)..(col + radius + 1).min(self.width);
            columns.map(move |col| (row, col))
        })
        .map(|(row, col)| row * self.width + col)
        .collect()
    }

    /// Whether a square around some pixel of a set holds the pixel and nothing that is in the map but not in the set.
    fn fits(&self, at: usize, radius: usize, set: impl Fn(u32) -> bool) -> bool {
        self.square(at, radius).into_iter().any(|centre| {
            let label = self.labels[centre];
            let free = |&other: &usize| self.labels[other] == OUTSIDE || set(self.labels[other]);
            label != OUTSIDE && set(label) && self.square(centre, radius).iter().all(free)
        })
    }
}

fn steps() -> impl Strategy<Value = Cleaning> {
    let label = (0u32..3).prop_map(|label| label * 1000);
    prop_oneof![
        (1usize..4).prop_map(|radius| Cleaning::Majority { radius }),
        (label.clone(), 1usize..3).prop_map(|(label, radius)| Cleaning::Open { label, radius }),
        (label, 1usize..3).prop_map(|(label, radius)| Cleaning::Close { label, radius }),
        (0u64..20).prop_map(|pixels| Cleaning::FillHoles { pixels }),
        (0u64..20).prop_map(|pixels| Cleaning::Sieve { pixels }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn blocks_leave_no_trace_and_outside_stays(map in maps(), steps in proptest::collection::vec(steps(), 0..4)) {
        let whole = cleaned(&map, &steps, map.height().max(1));
        for rows in [1, 5] {
            prop_assert_eq!(&cleaned(&map, &steps, rows).labels, &whole.labels);
        }
        for (before, after) in map.labels.iter().zip(&whole.labels) {
            prop_assert_eq!(*before == OUTSIDE, *after == OUTSIDE);
        }
    }

    #[test]
    fn sieved_maps_have_no_small_regions(map in maps(), pixels in 0u64..30) {
        let sieved = cleaned(&map, &[Cleaning::Sieve { pixels }], 4);
        let coverage = polygonize(&sieved.labels, map.width).unwrap();
        for (region, rings) in coverage.shapes() {
            if region.pixels < pixels {
                let alone = |arc: u64| {
                    let arc = coverage.arc_at(arc as usize);
                    arc.left.is_none() || arc.right.is_none()
                };
                prop_assert!(rings.clone().flat_map(|ring| ring.arcs()).all(|half| alone(half.arc)), "{region:?}");
            }
        }
        // Large regions have not lost a pixel.
        let exact = polygonize(&map.labels, map.width).unwrap();
        for (region, mut rings) in exact.shapes().filter(|(region, _)| region.pixels >= pixels) {
            // The pixel left of the first vertical edge that runs down.
            let corners = exact.corners(rings.next().unwrap());
            let down = corners.windows(2).find(|pair| pair[1].row > pair[0].row).unwrap();
            prop_assert_eq!(sieved.labels[down[0].row as usize * map.width + down[0].col as usize], region.label);
        }
        let kept = |map: &Map, label: u32| map.labels.iter().filter(|&&other| other == label).count();
        for (label, size) in flooded(&map, Connectivity::Four).into_iter().filter(|&(_, size)| size >= pixels) {
            prop_assert!(kept(&sieved, label) >= size as usize);
        }
    }

    #[test]
    fn majorities_are_counted(map in maps(), radius in 1usize..4) {
        let smooth = cleaned(&map, &[Cleaning::Majority { radius }], 3);
        for at in 0..map.labels.len() {
            let count = |label: u32| map.square(at, radius).into_iter().filter(|&other| map.labels[other] == label).count();
            let (own, found) = (map.labels[at], smooth.labels[at]);
            if own != OUTSIDE {
                let most = map.square(at, radius).into_iter().map(|other| map.labels[other]).filter(|&label| label != OUTSIDE).map(count).max();
                prop_assert_eq!(Some(count(found)), most);
                prop_assert!(found == own || count(own) < count(found));
            }
        }
    }

    #[test]
    fn openings_and_closings_are_by_squares(map in maps(), radius in 1usize..3) {
        let opened = cleaned(&map, &[Cleaning::Open { label: 0, radius }], 2);
        let closed = cleaned(&map, &[Cleaning::Close { label: 0, radius }], 2);
        for at in 0..map.labels.len() {
            let label = map.labels[at];
            if label == OUTSIDE {
                continue;
            }
            let narrow = label == 0 && !map.fits(at, radius, |label| label == 0);
            prop_assert_eq!(opened.labels[at] != label, narrow);
            let between = label != 0 && !map.fits(at, radius, |label| label != 0);
            prop_assert_eq!(closed.labels[at], if between { 0 } else { label });
        }
    }
}

#[test]
fn what_touches_the_edge_or_the_outside_goes_on_there() {
    // Columns of one label, so wide: by squares of five, what lies between others goes up to four pixels, beside the edge or outside up to two.
    let row = |runs: &[(u32, usize)]| runs.iter().flat_map(|&(label, count)| vec![label; count]).collect::<Vec<_>>();
    let radius = 2;
    for width in 1..7 {
        let before = [
            row(&[(1, width), (0, 10)]),
            row(&[(0, 6), (OUTSIDE, 3), (1, width), (0, 6)]),
            row(&[(0, 6), (1, width), (0, 6)]),
            row(&[(0, 6), (OUTSIDE, 3), (1, width), (OUTSIDE, 3), (0, 6)]),
        ];
        let limits = [2, 2, 4, 0];
        for (before, limit) in before.into_iter().zip(limits) {
            let map = Map { width: before.len(), labels: before.repeat(9) };
            let gone = || map.labels.iter().map(|&label| if label == 1 { 0 } else { label }).collect::<Vec<_>>();
            let expected = if width <= limit { gone() } else { map.labels.clone() };
            // The 1 is what is opened, or what lies between two parts of the 0 that is closed.
            for step in [Cleaning::Open { label: 1, radius }, Cleaning::Close { label: 0, radius }] {
                assert_eq!(cleaned(&map, &[step], 2).labels, expected, "{step:?} of {width}");
            }
        }
    }
}

#[test]
fn holes_go_to_who_encloses_them() {
    #[rustfmt::skip]
    let map = Map { width: 9, labels: vec![
        1, 1, 1, 1, 1, 1, 1, 1, 2,
        1, 2, 2, 2, 1, 3, 2, 1, 2,
        1, 2, 3, 2, 1, 3, 2, 1, 2,
        1, 2, 2, 2, 1, 1, 1, 1, 2,
        1, 1, 1, 1, 1, 1, 2, 2, 2,
    ] };
    // The 3 lies in the 2, and both in the 1; of the pair of 3 and 2 each has two neighbours; the 2 at the edge is no hole.
    #[rustfmt::skip]
    let filled = [
        1, 1, 1, 1, 1, 1, 1, 1, 2,
        1, 1, 1, 1, 1, 3, 2, 1, 2,
        1, 1, 1, 1, 1, 3, 2, 1, 2,
        1, 1, 1, 1, 1, 1, 1, 1, 2,
        1, 1, 1, 1, 1, 1, 2, 2, 2,
    ];
    assert_eq!(cleaned(&map, &[Cleaning::FillHoles { pixels: 10 }], 1).labels, filled);
    // Eight pixels and the one that they take make nine, which stay.
    let small = cleaned(&map, &[Cleaning::FillHoles { pixels: 9 }], 1).labels;
    assert_eq!((small[2 * 9 + 2], small[9 + 1]), (2, 2));
}

#[test]
fn holes_of_several_regions_are_sieved_one_after_the_other() {
    // In the 1 lies a hole of a 2 of four pixels, a 3 of two, a 4 of one, and one pixel outside; beside the last 1 a hole of two 5 and three 6.
    #[rustfmt::skip]
    let map = Map { width: 8, labels: vec![
        1, 1, 1, 1, 1, 1, 1, 1,
        1, 2, 2, 3, 1, 5, 6, 1,
        1, 2, 2, 3, 1, 5, 6, 1,
        1, 4, OUTSIDE, 1, 1, 1, 6, 1,
        1, 1, 1, 1, 1, 1, 1, 1,
    ] };
    // The 3 has three sides with the 1 and two with the 2, the 4 two and one; then the 2 has five with the 1 and one with what is outside.
    #[rustfmt::skip]
    let sieved = |large: u32, others: [u32; 2]| {
        let [five, six] = others;
        vec![
            1, 1, 1, 1, 1, 1, 1, 1,
            1, large, large, 1, 1, five, six, 1,
            1, large, large, 1, 1, five, six, 1,
            1, 1, OUTSIDE, 1, 1, 1, six, 1,
            1, 1, 1, 1, 1, 1, 1, 1,
        ]
    };
    for (pixels, large, others) in [(3, 2, [1, 6]), (4, 2, [1, 1]), (5, 1, [1, 1]), (100, 1, [1, 1])] {
        for rows in [1, 2, 5] {
            assert_eq!(cleaned(&map, &[Cleaning::Sieve { pixels }], rows).labels, sieved(large, others), "{pixels}");
        }
    }
    // Filling takes only what one region encloses: none of these is, as each has two neighbours, or the outside beside it.
    assert_eq!(cleaned(&map, &[Cleaning::FillHoles { pixels: 100 }], 1).labels, map.labels);
}

#[test]
fn small_regions_wait_for_no_more_rows_than_they_have_pixels() {
    // A column of one pixel is small until its hundredth row.
    let mut cleaner = Cleaner::new(5, &[Cleaning::Sieve { pixels: 100 }]).unwrap();
    let mut rows = Vec::new();
    for row in 0..1000 {
        cleaner.push(&[1, 1, 2, 1, 1], &mut rows).unwrap();
        assert!(rows.len() / 5 + 101 > row, "{} of {row}", rows.len() / 5);
    }
    cleaner.finish(&mut rows);
    assert!(rows.chunks(5).all(|row| row == [1, 1, 2, 1, 1]));
}

#[test]
fn senseless_steps_are_refused() {
    for radius in [0, 65] {
        let error = Cleaner::new(5, &[Cleaning::Majority { radius }]).err().unwrap();
        assert!(matches!(&error, VectorError::Argument(text) if text.contains("radius")), "{error}");
    }
    assert!(matches!(Cleaner::new(0, &[]), Err(VectorError::Size(_))));
    let mut cleaner = Cleaner::new(5, &[]).unwrap();
    assert!(matches!(cleaner.push(&[1, 2], &mut Vec::new()), Err(VectorError::Size(_))));
}

/// With every region small, all go to one another: many thousands, whose borders and parents must not be looked through for each anew.
#[test]
fn a_limit_beyond_the_map_leaves_one_region() {
    let side = 500;
    let mut state = 7u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 61) as u32
    };
    let map = Map { labels: (0..side * side).map(|_| noise()).collect(), width: side };
    let sieved = cleaned(&map, &[Cleaning::Sieve { pixels: u64::MAX }], 64);
    assert!(sieved.labels.iter().all(|label| *label == sieved.labels[0]));
}
