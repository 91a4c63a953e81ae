//! Regions, rings and arcs of label maps.

use std::collections::HashSet;

use proptest::prelude::*;
use swath_vector::{
    Connectivity, Corner, Coverage, OUTSIDE, Outlines, PolygonizeOptions, Polygonizer, Region, Sink, Spill, Tally,
    VectorError, polygonize,
};

use crate::maps::{Map, burned, doubled_area, flooded, maps};

fn traced(map: &Map, connectivity: Connectivity, rows: usize, spill: Option<usize>) -> Coverage {
    let spill = spill.map(|memory| Spill { file: tempfile::tempfile().unwrap(), memory });
    let mut coverage = Coverage::default();
    let mut polygonizer = Polygonizer::new(map.width, PolygonizeOptions { connectivity, spill }).unwrap();
    for block in map.labels.chunks(rows * map.width) {
        polygonizer.push(block, &mut coverage).unwrap();
    }
    polygonizer.finish(&mut coverage).unwrap();
    coverage
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn regions_are_the_connected_pixels(map in maps(), eight in any::<bool>()) {
        let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
        let coverage = traced(&map, connectivity, 3, None);
        let mut found: Vec<(u32, u64)> = coverage.regions().iter().map(|region| (region.label, region.pixels)).collect();
        found.sort_unstable();
        prop_assert_eq!(found, flooded(&map, connectivity));
        prop_assert_eq!(burned(&coverage, map.width, map.height()), map.labels);
    }

    #[test]
    fn rings_are_simple_and_have_the_area_of_their_pixels(map in maps(), eight in any::<bool>()) {
        let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
        let coverage = traced(&map, connectivity, 1, None);
        for (region, rings) in coverage.shapes() {
            let rings: Vec<_> = rings.collect();
            let mut doubled = 0;
            prop_assert!(rings[0].outer);
            prop_assert!(eight || rings[1..].iter().all(|ring| !ring.outer));
            for &ring in &rings {
                let corners = coverage.corners(ring);
                let area = doubled_area(&corners);
                prop_assert_eq!(area > 0, ring.outer);
                prop_assert_eq!(corners.first(), corners.last());
                let distinct: HashSet<_> = corners[1..].iter().collect();
                prop_assert_eq!(distinct.len(), corners.len() - 1, "a ring touches itself: {:?}", corners);
                doubled += area;
            }
            prop_assert_eq!(doubled, 2 * region.pixels as i64);
            let touches = rings.iter().flat_map(|&ring| coverage.corners(ring)).any(|corner| {
                corner.col == 0 || corner.row == 0 || corner.col as usize == map.width || corner.row as usize == map.height()
            });
            // A region that reaches a corner of the edge has a pixel there: its outline runs along pixels.
            prop_assert_eq!(touches, region.touches_edge);
        }
    }

    #[test]
    fn every_arc_has_its_two_sides(map in maps(), eight in any::<bool>()) {
        let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
        let coverage = traced(&map, connectivity, 5, None);
        let mut sides = vec![[None; 2]; coverage.arcs().len()];
        for (region, rings) in coverage.shapes() {
            for half in rings.flat_map(|ring| ring.arcs()) {
                let side = &mut sides[half.arc as usize][usize::from(half.reversed)];
                prop_assert_eq!(*side, None, "arc {} is used twice", half.arc);
                *side = Some(region.id);
            }
        }
        let ends: HashSet<_> = coverage.arcs().flat_map(|arc| [arc.corners[0], *arc.corners.last().unwrap()]).collect();
        for (arc, sides) in coverage.arcs().zip(sides) {
            prop_assert_eq!([arc.left, arc.right], sides);
            let label = |side: Option<u64>| side.map_or(OUTSIDE, |id| coverage.regions()[id as usize].label);
            prop_assert_ne!(label(arc.left), label(arc.right));
            // Nodes are where arcs end, never on the way.
            prop_assert!(arc.corners[1..arc.corners.len() - 1].iter().all(|corner| !ends.contains(corner)));
        }
    }

    #[test]
    fn numbers_go_with_their_pixels(map in maps(), eight in any::<bool>(), seed in 0u32..1000) {
        let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
        // Multiples of 1/255, each of which has a bin of its own, and some that are missing.
        let number = |at: usize| match (at as u32).wrapping_mul(2_654_435_761).wrapping_add(seed) >> 7 & 0x1ff {
            step @ 0..=255 => step as f32 / 255.0,
            _ => f32::NAN,
        };
        let numbers: Vec<f32> = (0..map.labels.len()).map(number).collect();
        let mut tallies = Tallies::default();
        let mut polygonizer =
            Polygonizer::new(map.width, PolygonizeOptions { connectivity, spill: None }).unwrap();
        for (labels, numbers) in map.labels.chunks(2 * map.width).zip(numbers.chunks(2 * map.width)) {
            polygonizer.push_with(labels, Some(numbers), &mut tallies).unwrap();
        }
        polygonizer.finish(&mut tallies).unwrap();
        let mut found: Vec<(u32, u64)> = tallies.0.iter().map(|(region, _, _)| (region.label, region.pixels)).collect();
        found.sort_unstable();
        prop_assert_eq!(found, flooded(&map, connectivity));
        for (region, tally, rings) in tallies.0 {
            let inside = |at: &usize| {
                let (col, row) = ((at % map.width) as u32, (at / map.width) as u32);
                let crosses = |pair: &&[Corner]| {
                    pair[0].col == pair[1].col && pair[0].col > col
                        && (pair[0].row.min(pair[1].row)..pair[0].row.max(pair[1].row)).contains(&row)
                };
                rings.iter().flat_map(|ring| ring.windows(2)).filter(crosses).count() % 2 == 1
            };
            let mut own: Vec<f32> =
                (0..numbers.len()).filter(inside).map(|at| numbers[at]).filter(|number| !number.is_nan()).collect();
            own.sort_unstable_by(f32::total_cmp);
            let mean = own.iter().copied().map(f64::from).sum::<f64>() / own.len() as f64;
            let tenth = (own.len() as f64 / 10.0).ceil() as usize;
            match tally.mean() {
                None => prop_assert!(own.is_empty() && tally.quantile(0.1).is_none(), "{:?}", region),
                Some(found) => {
                    prop_assert!((found - mean).abs() < 1e-9, "{} {}", found, mean);
                    let quantile = tally.quantile(0.1).unwrap();
                    prop_assert!((quantile - f64::from(own[tenth - 1])).abs() < 1e-6, "{} {:?}", quantile, own);
                }
            }
        }
    }

    #[test]
    fn blocks_and_spilling_leave_no_trace(map in maps(), eight in any::<bool>()) {
        let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
        let whole = traced(&map, connectivity, map.height().max(1), None);
        for rows in [1, 7] {
            prop_assert_eq!(&traced(&map, connectivity, rows, None), &whole);
        }
        prop_assert_eq!(&traced(&map, connectivity, 2, Some(0)), &whole);
    }
}

/// Regions with the numbers and the outlines of their pixels.
#[derive(Default)]
struct Tallies(Vec<(Region, Tally, Vec<Vec<Corner>>)>);

impl Sink for Tallies {
    type Error = VectorError;

    fn region(&mut self, region: &Region, outlines: &mut Outlines<'_>) -> Result<(), VectorError> {
        let mut rings = vec![Vec::new(); outlines.rings()];
        for (index, ring) in rings.iter_mut().enumerate() {
            outlines.corners(index, ring)?;
        }
        self.0.push((*region, outlines.tally().unwrap().clone(), rings));
        Ok(())
    }
}

/// A map large enough for many pages of arcs: noise, from a small generator.
fn noise(width: usize, height: usize, classes: u32) -> Map {
    let mut state = 1u64;
    let labels = (0..width * height).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % classes
    });
    Map { width, labels: labels.collect() }
}

#[test]
fn large_maps_spill_and_come_back() {
    let (four, eight) = (Connectivity::Four, Connectivity::Eight);
    // The larger of two classes is one region with most of all arcs; the squares of a checkerboard are two that interlock.
    let giant = noise(500, 400, 10).labels.into_iter().map(|label| label.max(6)).collect();
    let checkerboard = (0..500 * 400).map(|at| (at / 500 + at % 500) as u32 & 1).collect();
    // Boundaries that turn at every pixel, and close nowhere but at the edge.
    let stripes = (0..500 * 400).map(|at| ((at / 500 + at % 500) as u32 / 3) & 1).collect();
    for (map, connectivity) in [
        (noise(500, 400, 2), four),
        (noise(500, 400, 2), eight),
        (noise(500, 400, 65_535), four),
        (Map { width: 500, labels: giant }, four),
        (Map { width: 500, labels: checkerboard }, eight),
        (Map { width: 500, labels: stripes }, four),
    ] {
        let whole = traced(&map, connectivity, 400, None);
        for rows in [1, 7, 64] {
            assert_eq!(traced(&map, connectivity, rows, Some(100_000)), whole);
        }
        let mut found: Vec<(u32, u64)> = whole.regions().iter().map(|region| (region.label, region.pixels)).collect();
        found.sort_unstable();
        assert_eq!(found, flooded(&map, connectivity));
    }
}

/// Reads the rings of regions in several orders.
struct Orders;

impl Sink for Orders {
    type Error = VectorError;

    fn region(&mut self, _: &Region, outlines: &mut Outlines<'_>) -> Result<(), VectorError> {
        let mut forth = Vec::new();
        for ring in 0..outlines.rings() {
            let mut corners = Vec::new();
            let outer = outlines.is_outer(ring)?;
            outlines.corners(ring, &mut corners)?;
            forth.push((outer, corners));
        }
        for ring in (0..outlines.rings()).rev() {
            let mut corners = Vec::new();
            outlines.corners(ring, &mut corners)?;
            assert_eq!((outlines.is_outer(ring)?, corners), forth[ring]);
        }
        Ok(())
    }
}

#[test]
fn rings_are_read_in_any_order() {
    let map = noise(60, 40, 2);
    for memory in [0, 1 << 20] {
        let spill = Some(Spill { file: tempfile::tempfile().unwrap(), memory });
        let options = PolygonizeOptions { connectivity: Connectivity::Eight, spill };
        let mut polygonizer = Polygonizer::new(map.width, options).unwrap();
        polygonizer.push(&map.labels, &mut Orders).unwrap();
        polygonizer.finish(&mut Orders).unwrap();
    }
}

#[test]
fn corner_cases() {
    // Nothing, one pixel, one label, lines of one pixel.
    assert_eq!(polygonize(&[], 3).unwrap(), Coverage::default());
    assert_eq!(polygonize(&[OUTSIDE; 6], 3).unwrap(), Coverage::default());
    for (labels, width, corners) in [(&[4][..], 1, 5), (&[4; 12], 4, 5), (&[4; 5], 5, 5), (&[4; 5], 1, 5)] {
        let coverage = polygonize(labels, width).unwrap();
        let [region] = coverage.regions() else { panic!("{coverage:?}") };
        assert_eq!((region.label, region.pixels, region.touches_edge), (4, labels.len() as u64, true));
        assert_eq!(coverage.corners(coverage.rings(0).next().unwrap()).len(), corners);
    }
    let line = polygonize(&[1, 2, 1, 2, 1], 5).unwrap();
    assert_eq!(line.regions().len(), 5);
    // Every pair shares one boundary. Everyone has two to the outside, and the last ones, at the corners of the raster, three.
    assert_eq!(line.arcs().len(), 4 + 3 * 2 + 2 * 3);
}

#[test]
fn wrong_sizes_are_refused() {
    let width = Polygonizer::new(0, PolygonizeOptions::default()).unwrap_err();
    assert!(matches!(&width, VectorError::Size(text) if text.contains("0 columns")), "{width}");
    let rows = polygonize(&[1, 2, 3], 2).unwrap_err();
    assert!(matches!(&rows, VectorError::Size(text) if text.contains("no whole rows of 2")), "{rows}");
    let mut polygonizer = Polygonizer::new(2, PolygonizeOptions::default()).unwrap();
    let numbers = polygonizer.push_with(&[1, 2], Some(&[0.5]), &mut Coverage::default()).unwrap_err();
    assert!(matches!(&numbers, VectorError::Size(text) if text.contains("1 numbers for 2 labels")), "{numbers}");
}
