//! Right angles leave the edge of the raster where it is, and rings that touch nothing as they are.

use proptest::prelude::*;
use swath_vector::{Coverage, OUTSIDE, Point, RightAngleMethod, polygonize};

use crate::together::{MESH, Rings, WALLS, assert_fills, assert_tiles, squared};

/// Labels from digits.
fn map(rows: &[&str], scale: usize) -> (Coverage, usize, usize) {
    let (width, height) = (rows[0].len() * scale, rows.len() * scale);
    let label = |at: usize| u32::from(rows[at / width / scale].as_bytes()[at % width / scale] - b'0');
    let labels: Vec<u32> = (0..width * height).map(label).collect();
    (polygonize(&labels, width).unwrap(), width, height)
}

/// All polygons together are the raster: edges that only one of them has lie on its sides, and are as long as these together.
fn assert_edge_stays(rings: &Rings, width: usize, height: usize) {
    let edges: Vec<(Point, Point)> =
        rings.iter().flatten().flat_map(|(_, ring)| ring.windows(2).map(|pair| (pair[0], pair[1]))).collect();
    let key = |(a, b): (Point, Point)| [a.0, a.1, b.0, b.1].map(|at| (at + 0.0).to_bits());
    let all: std::collections::HashSet<_> = edges.iter().map(|&edge| key(edge)).collect();
    let mut length = 0.0;
    for &(a, b) in edges.iter().filter(|&&(a, b)| !all.contains(&key((b, a)))) {
        let on = |at: fn(Point) -> f64, last: usize| {
            [0.0, last as f64].into_iter().any(|side| at(a) == side && at(b) == side)
        };
        assert!(on(|point| point.0, width) || on(|point| point.1, height), "{a:?} {b:?}");
        length += (a.0 - b.0).hypot(a.1 - b.1);
    }
    assert!((length - 2.0 * (width + height) as f64).abs() < 1e-6, "{length}");
}

fn whole(rows: &[&str], scale: usize, method: RightAngleMethod, tolerance: &dyn Fn(u32) -> Option<f64>) {
    let (coverage, width, height) = map(rows, scale);
    let (rings, _) = squared(&coverage, tolerance, method);
    assert_tiles(&coverage, &rings);
    assert_fills(&coverage, &rings);
    assert_edge_stays(&rings, width, height);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_edge_stays_at_any_tolerance(
        labels in proptest::collection::vec(0u32..4, 12 * 12),
        size in (2usize..12, 2usize..12),
        scale in 1usize..5,
        tolerance in 0.5f64..6.0,
        some in 1u32..16,
        mesh in any::<bool>(),
    ) {
        let (width, height) = (size.0 * scale, size.1 * scale);
        let labels: Vec<u32> = (0..width * height).map(|at| labels[at / width / scale * 12 + at % width / scale]).collect();
        let coverage = polygonize(&labels, width).unwrap();
        let (rings, _) = squared(&coverage, &|label| (some >> label & 1 == 1).then_some(tolerance), if mesh { MESH } else { WALLS });
        assert_tiles(&coverage, &rings);
        assert_fills(&coverage, &rings);
        assert_edge_stays(&rings, width, height);
    }

    #[test]
    fn nothing_crosses_the_edge_where_there_is_no_data(
        labels in proptest::collection::vec(0u32..4, 12 * 12),
        size in (2usize..12, 2usize..12),
        scale in 1usize..5,
        tolerance in 0.5f64..6.0,
        mesh in any::<bool>(),
    ) {
        let (width, height) = (size.0 * scale, size.1 * scale);
        let label = |at: usize| match labels[at / width / scale * 12 + at % width / scale] {
            3 => OUTSIDE,
            label => label,
        };
        let mut labels: Vec<u32> = (0..width * height).map(label).collect();
        // Every side of the raster has data somewhere.
        for at in [0, width * height - 1] {
            labels[at] = 0;
        }
        let coverage = polygonize(&labels, width).unwrap();
        let (rings, _) = squared(&coverage, &|_| Some(tolerance), if mesh { MESH } else { WALLS });
        assert_tiles(&coverage, &rings);
        for &(x, y) in rings.iter().flatten().flat_map(|(_, ring)| ring) {
            prop_assert!((0.0..=width as f64).contains(&x) && (0.0..=height as f64).contains(&y), "{x} {y}");
        }
        // The raster's corners that had data have it still.
        for corner in [(0, 0), (width, height)] {
            let corner = (corner.0 as f64, corner.1 as f64);
            prop_assert!(rings.iter().flatten().any(|(_, ring)| ring.contains(&corner)), "{corner:?}");
        }
    }
}

#[test]
fn blocks_in_corners_stay_there() {
    // Blocks of 4x4 pixels of four classes.
    const BLOCKS: [&str; 9] = [
        "302203101",
        "011023202",
        "332100011",
        "032131230",
        "003011221",
        "113132102",
        "213123200",
        "001231223",
        "032331302",
    ];
    for method in [WALLS, MESH] {
        whole(&BLOCKS, 4, method, &|_| Some(3.0));
    }
    const FIELDS: [&str; 11] = [
        "6662222111111111556666600011",
        "6666222111111111556666000001",
        "6666666111511111166663330001",
        "6666666155551111116333333301",
        "6666666155555111113333333330",
        "6666666155555511133333334444",
        "6666666555533311133333344422",
        "6660055555500031133333342222",
        "0000055555000004113333322211",
        "0000555555000000611332222211",
        "0000555555000000662222222211",
    ];
    whole(&FIELDS, 1, WALLS, &|label| (label == 1).then_some(1.0));
}

#[test]
fn walls_do_not_touch_corners_of_others() {
    const NOISE: [&str; 30] = [
        "01011101101110011111010",
        "10100100110011011000101",
        "00110101110000110001010",
        "00111110001111011111100",
        "10010100100101000001001",
        "11111111010000001000111",
        "00011001001101111111101",
        "10000001010000111110001",
        "01001011011010100110100",
        "11101101101000001000011",
        "10010101101000000010010",
        "00001100111111001101011",
        "01101110110010011000000",
        "01110001001000100000000",
        "00000101111111011101100",
        "01111100100101000010110",
        "00010000001100011110100",
        "00011001001011010111110",
        "01000111000101101011101",
        "10000110110100111101001",
        "10110101010001101100001",
        "10000100011111111010000",
        "10110011110001001101000",
        "10010111100000000001111",
        "10110011011011111110110",
        "00111101001100011001000",
        "11001111001000111010001",
        "10110011011101101111111",
        "10000010001011010001001",
        "10011000010110001111001",
    ];
    whole(&NOISE, 1, WALLS, &|label| (label == 1).then_some(0.5));
}
