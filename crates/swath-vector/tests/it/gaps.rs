//! Centre lines of roads in which pixels are missing.

use proptest::prelude::*;
use swath_vector::{Centerline, CenterlineOptions, Point};

use super::centerline::{ROAD, found, options, to_line};

/// Rows of nothing on either side of a road.
const BESIDE: usize = 6;

/// Lines of a road along rows that ends at a column, without some of its pixels, by row and column.
fn road(columns: usize, end: usize, wide: usize, missing: &[(usize, usize)]) -> Vec<Centerline> {
    let rows = wide + 2 * BESIDE;
    let mut labels = vec![0; rows * columns];
    for row in BESIDE..BESIDE + wide {
        labels[row * columns..row * columns + end].fill(ROAD);
    }
    for (row, col) in missing {
        labels[(BESIDE + row) * columns + col] = 0;
    }
    found(&labels, columns, options(32), rows)
}

/// Pixels of a rectangle whose first row and column come first.
fn gap(row: usize, col: usize, height: usize, width: usize) -> Vec<(usize, usize)> {
    (row..row + height).flat_map(|row| (col..col + width).map(move |col| (row, col))).collect()
}

/// Whether there is one line, along the middle from edge to edge.
fn is_whole(lines: &[Centerline], columns: usize, wide: usize) -> bool {
    let [Centerline { points, .. }] = lines else { return false };
    let middle = (BESIDE as f64) + wide as f64 / 2.0;
    let road: [Point; 2] = [(0.0, middle), (columns as f64, middle)];
    let mut ends = [points[0].0, points[points.len() - 1].0];
    ends.sort_by(f64::total_cmp);
    ends == [0.0, columns as f64] && points.iter().all(|&point| to_line(point, &road) <= wide as f64 / 3.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn roads_stay_whole_where_one_pixel_in_a_hundred_is_missing(
        // None so near the edge that a gap may be open there.
        (wide, missing) in (4usize..16).prop_flat_map(|wide| {
            (Just(wide), prop::collection::vec((0..wide, 3..157usize), 0..wide * 160 / 100))
        })
    ) {
        let lines = road(160, 160, wide, &missing);
        prop_assert!(is_whole(&lines, 160, wide), "{:?}", lines);
    }

    #[test]
    fn strips_leave_no_trace_at_gaps(
        missing in prop::collection::vec((10usize..790, 0usize..60), 0..800), moved in 1usize..300, rows in 1usize..400,
    ) {
        // A road down the map, and one that crosses it every hundred rows.
        let road = |(row, col): (usize, usize)| (20..32).contains(&col) || (row % 100) / 7 == 5;
        let map = |above: usize| {
            let mut labels = vec![0; (above + 800) * 60];
            for at in (10 * 60..790 * 60).filter(|at| road((at / 60, at % 60))) {
                labels[above * 60 + at] = ROAD;
            }
            missing.iter().for_each(|(row, col)| labels[(above + row) * 60 + col] = 0);
            labels
        };
        // All points of lines, so that rounding decides about none of them.
        let options = CenterlineOptions { tolerance: 0.0, ..options(14) };
        let (whole, below) = (found(&map(0), 60, options, rows), found(&map(moved), 60, options, 1000));
        prop_assert_eq!(whole.len(), below.len());
        for (a, b) in whole.iter().zip(&below) {
            let lower: Vec<Point> = a.points.iter().map(|&(x, y)| (x, y + moved as f64)).collect();
            prop_assert!((a.width - b.width).abs() < 1e-9 && lower == b.points, "{:?} {:?}", a, b);
        }
    }
}

#[test]
fn gaps_take_no_line_from_the_edge() {
    // The skeleton leads around the last two of them beyond the edge.
    let missing = [(5, 41), (6, 41), (8, 46), (8, 47), (8, 68), (8, 69), (13, 73)];
    for without in 0..=missing.len() {
        let some: Vec<(usize, usize)> =
            missing.iter().enumerate().filter(|(at, _)| *at != without).map(|(_, &pixel)| pixel).collect();
        let lines = road(75, 75, 14, &some);
        assert!(is_whole(&lines, 75, 14), "{without}: {lines:?}");
    }
}

#[test]
fn no_line_leads_around_a_gap_near_the_edge() {
    for wide in [6, 8, 10, 14, 20] {
        for (height, width) in [(1, 1), (1, 2), (2, 1), (2, 2), (3, 3)] {
            for (row, col) in (1..wide - height).flat_map(|row| [1, 2, 3, 5, 20].map(|col| (row, col))) {
                let lines = road(60, 60, wide, &gap(row, col, height, width));
                assert!(is_whole(&lines, 60, wide), "{wide} {height} {width} {row} {col}: {lines:?}");
            }
        }
        // One or two at the edge itself.
        for (height, width) in [(1, 1), (1, 2), (2, 1)] {
            for row in 1..wide - height {
                let lines = road(60, 60, wide, &gap(row, 0, height, width));
                assert!(is_whole(&lines, 60, wide), "{wide} {height} {width} {row}: {lines:?}");
            }
        }
    }
}

#[test]
fn gaps_near_each_other_are_no_crossings() {
    let lines = road(120, 120, 14, &[(5, 58), (6, 58), (8, 63), (8, 64)]);
    assert!(is_whole(&lines, 120, 14), "{lines:?}");
    // Larger ones, across the road and along it.
    for (down, right) in [(0, 4), (0, 6), (0, 9), (4, 1), (5, 3), (5, 5), (6, 8)] {
        for (side, row) in [2, 3].into_iter().flat_map(|side| (2..13 - down - side).map(move |row| (side, row))) {
            let two = [gap(row, 50, side, side), gap(row + down, 50 + right, side, side)].concat();
            let lines = road(120, 120, 14, &two);
            assert!(is_whole(&lines, 120, 14), "{down} {right} {side} {row}: {lines:?}");
        }
    }
}

#[test]
fn dead_ends_go_on_behind_a_gap() {
    for wide in [6, 9, 14, 20] {
        for (height, width) in [(1, 2), (2, 2), (1, 3), (3, 3)] {
            for (row, before) in (1..wide - height).flat_map(|row| (2..wide).map(move |before| (row, before))) {
                let lines = road(80, 60, wide, &gap(row, 60 - width - before, height, width));
                let [Centerline { points, .. }] = &lines[..] else {
                    panic!("{wide} {height} {width} {row} {before}: {lines:?}")
                };
                // Some end in a corner.
                let end = points[0].0.max(points[points.len() - 1].0);
                assert!((57.0..=60.0).contains(&end), "{wide} {height} {width} {row} {before}: {points:?}");
            }
        }
    }
}
