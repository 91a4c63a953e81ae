//! Polygons against GDAL's, and simplified coverages against those of GEOS (`fixtures/vector/make_coverage.py`).

use std::collections::BTreeSet;

use serde_json::Value;
use swath_vector::{
    Connectivity, Corner, Coverage, OUTSIDE, PolygonizeOptions, Polygonizer, Simplify, SimplifyMethod, polygonize,
    simplify,
};

use crate::maps::{Map, doubled_area};
use crate::simplify::{assert_tiles, points};

type Ring = Vec<(u32, u32)>;
/// A polygon's label, its outer ring and its holes, so that it does not matter in which order they came.
type Polygon = (u32, Ring, BTreeSet<Ring>);
/// A polygon's label and the sides of pixels along its rings.
type Border = (u32, BTreeSet<[(u32, u32); 2]>);

fn golden(part: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/vector/coverage.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[part].as_array().unwrap().clone()
}

fn map(rows: &Value) -> Map {
    let rows: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
    let label = |pixel: char| pixel.to_digit(10).unwrap_or(OUTSIDE);
    Map { width: rows[0].len(), labels: rows.iter().flat_map(|row| row.chars()).map(label).collect() }
}

fn traced(map: &Map, connectivity: Connectivity) -> Coverage {
    let mut coverage = Coverage::default();
    let mut polygonizer = Polygonizer::new(map.width, PolygonizeOptions { connectivity, spill: None }).unwrap();
    polygonizer.push(&map.labels, &mut coverage).unwrap();
    polygonizer.finish(&mut coverage).unwrap();
    coverage
}

/// A closed ring without corners on straight lines, from its least corner on, so that it runs as the outer ones of ours do.
fn plain(ring: &[(u32, u32)]) -> Ring {
    let mut ring = ring[1..].to_vec();
    let corners: Vec<Corner> = [&ring[..], &ring[..1]].concat().iter().map(|&(col, row)| Corner { col, row }).collect();
    if doubled_area(&corners) < 0 {
        ring.reverse();
    }
    let count = ring.len();
    let turns = |at: &usize| {
        let (a, b, c) = (ring[(at + count - 1) % count], ring[*at], ring[(at + 1) % count]);
        !(a.0 == b.0 && b.0 == c.0 || a.1 == b.1 && b.1 == c.1)
    };
    let mut plain: Ring = (0..count).filter(turns).map(|at| ring[at]).collect();
    let least = (0..plain.len()).min_by_key(|&at| plain[at]).unwrap();
    plain.rotate_left(least);
    plain
}

/// The sides of pixels along a ring.
fn sides(ring: &[(u32, u32)]) -> Vec<[(u32, u32); 2]> {
    let step = |pair: &[(u32, u32)]| {
        let (from, to) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
        let down = to.1 - from.1;
        let place = move |at: u32| if down > 0 { (from.0, from.1 + at) } else { (from.0 + at, from.1) };
        (0..down + to.0 - from.0).map(move |at| [place(at), place(at + 1)])
    };
    ring.windows(2).flat_map(step).collect()
}

/// Labels and rings of ours, closed.
fn ours(coverage: &Coverage) -> Vec<(u32, Vec<Ring>)> {
    let ring = |corners: Vec<Corner>| corners.iter().map(|corner| (corner.col, corner.row)).collect();
    coverage
        .shapes()
        .map(|(region, rings)| (region.label, rings.map(|it| ring(coverage.corners(it))).collect()))
        .collect()
}

/// Labels and rings of GDAL's polygons.
fn theirs(polygons: &Value) -> Vec<(u32, Vec<Ring>)> {
    let number = |value: &Value| value.as_u64().unwrap() as u32;
    let ring = |ring: &Value| ring.as_array().unwrap().iter().map(|at| (number(&at[0]), number(&at[1]))).collect();
    let rings = |rings: &Value| rings.as_array().unwrap().iter().map(ring).collect();
    polygons.as_array().unwrap().iter().map(|polygon| (number(&polygon["label"]), rings(&polygon["rings"]))).collect()
}

#[test]
fn polygons_are_those_of_gdal() {
    for case in golden("polygons") {
        let polygons = |all: Vec<(u32, Vec<Ring>)>| -> BTreeSet<Polygon> {
            let polygon = |(label, rings): (u32, Vec<Ring>)| {
                (label, plain(&rings[0]), rings[1..].iter().map(|ring| plain(ring)).collect())
            };
            all.into_iter().map(polygon).collect()
        };
        let found = polygons(ours(&traced(&map(&case["rows"]), Connectivity::Four)));
        assert_eq!(found, polygons(theirs(&case["polygons"]["4"])), "{}", case["name"]);
    }
}

#[test]
fn polygons_of_pixels_that_touch_by_corners_have_the_borders_of_gdals() {
    // GDAL's rings touch themselves where pixels meet by a corner, and ours are cut there: the sides of pixels along them are the same.
    for case in golden("polygons") {
        let borders = |all: Vec<(u32, Vec<Ring>)>| -> BTreeSet<Border> {
            all.into_iter().map(|(label, rings)| (label, rings.iter().flat_map(|ring| sides(ring)).collect())).collect()
        };
        let found = borders(ours(&traced(&map(&case["rows"]), Connectivity::Eight)));
        assert_eq!(found, borders(theirs(&case["polygons"]["8"])), "{}", case["name"]);
    }
}

#[test]
fn simplified_coverages_are_as_good_as_those_of_geos() {
    for case in golden("simplified") {
        let map = map(&case["rows"]);
        for golden in case["simplified"].as_array().unwrap() {
            let tolerance = golden["tolerance"].as_f64().unwrap();
            let exact = polygonize(&map.labels, map.width).unwrap();
            let mut coverage = exact.clone();
            let options = Simplify { method: SimplifyMethod::Visvalingam, tolerance, pixel: &|_| (1.0, 1.0) };
            simplify(&mut coverage, &options).unwrap();
            let rings = || coverage.shapes().flat_map(|(_, rings)| rings).map(|ring| coverage.corners(ring));
            let vertices: usize = rings().map(|ring| ring.len() - 1).sum();
            let area = |region: usize| {
                coverage.rings(region).map(|ring| doubled_area(&coverage.corners(ring))).sum::<i64>() as f64 / 2.0
            };
            // In the order of the first pixel of each.
            let mut order: Vec<usize> = (0..coverage.regions().len()).collect();
            order.sort_by_key(|&region| {
                let exact = exact.corners(exact.rings(region).next().unwrap());
                exact.into_iter().map(|corner| (corner.row, corner.col)).min()
            });
            let theirs: Vec<f64> =
                golden["areas"].as_array().unwrap().iter().map(|area| area.as_f64().unwrap()).collect();
            assert_eq!(order.len(), theirs.len());
            let [mut ours_change, mut their_change] = [0.0; 2];
            let mut equal = 0;
            for (&region, their_area) in order.iter().zip(theirs) {
                let pixels = coverage.regions()[region].pixels as f64;
                ours_change += (area(region) - pixels).abs();
                their_change += (their_area - pixels).abs();
                equal += usize::from(area(region) == their_area);
            }
            // Which of two triangles of one size goes first is each one's own choice; ours keeps the corners of the raster.
            let case = format!("{} at {tolerance}", case["name"]);
            let their_vertices = golden["vertices"].as_f64().unwrap();
            assert!(vertices as f64 <= 1.02 * their_vertices, "{case}: {vertices} vertices, {their_vertices}");
            assert!(ours_change <= 1.3 * their_change, "{case}: areas change by {ours_change}, {their_change}");
            assert!(2 * equal >= order.len(), "{case}: {equal} of {} areas are equal", order.len());
            assert_tiles(&coverage, &points(&coverage));
        }
    }
}
