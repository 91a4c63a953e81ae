//! Centre lines of networks of roads: their crossings, what leaves the raster, and that no direction is another than the others.

use proptest::prelude::*;
use swath_vector::{Centerline, CenterlineOptions, Point};

use super::centerline::{ROAD, drawn, found, length, options, to_line};

/// Roads along rows or columns of pixels: the first pixel of each, and how many it takes.
#[derive(Debug, Clone)]
struct Roads {
    first: usize,
    every: usize,
    wide: usize,
    /// Pixels that stay free at the lower or right edge, at least.
    free: usize,
}

impl Roads {
    fn starts(&self, size: usize) -> impl Iterator<Item = usize> {
        (self.first..).step_by(self.every).take_while(move |start| start + self.wide + self.free <= size)
    }

    fn middles(&self, size: usize) -> Vec<f64> {
        self.starts(size).map(|start| start as f64 + self.wide as f64 / 2.0).collect()
    }

    fn has(&self, at: usize, size: usize) -> bool {
        self.starts(size).any(|start| (start..start + self.wide).contains(&at))
    }
}

fn roads() -> impl Strategy<Value = Roads> {
    // Between two roads are as many pixels as a third of their width, and two.
    (1usize..11, 2usize..20, 0usize..20).prop_map(|(wide, apart, first)| Roads {
        first: first + 5,
        every: wide + apart.max(wide.div_ceil(3) + 2),
        wide,
        // As far from the edge the wider road is seen to leave.
        free: 5,
    })
}

fn ends(lines: &[Centerline]) -> Vec<Point> {
    lines.iter().flat_map(|line| [line.points[0], line.points[line.points.len() - 1]]).collect()
}

fn total(lines: &[Centerline]) -> f64 {
    lines.iter().map(|line| length(&line.points)).sum()
}

fn gap(a: Point, b: Point) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn grids_have_all_their_crossings(upright in roads(), level in roads()) {
        // Of roads that are much wider than those that cross them less can be said.
        let level = Roads { wide: level.wide.clamp(upright.wide.div_ceil(2), 2 * upright.wide), ..level };
        let level = Roads { every: level.every.max(level.wide + level.wide.div_ceil(3) + 2), ..level };
        let size = 120;
        let road = |at: usize| upright.has(at % size, size) || level.has(at / size, size);
        let labels: Vec<u32> = (0..size * size).map(|at| if road(at) { ROAD } else { 0 }).collect();
        let lines = found(&labels, size, options(24), size);
        let (xs, ys) = (upright.middles(size), level.middles(size));
        let (m, n) = (xs.len(), ys.len());
        prop_assert_eq!(lines.len(), m * (n + 1) + n * (m + 1), "{:?}", lines);
        let mut nodes = ends(&lines);
        nodes.sort_by(|a, b| a.partial_cmp(b).unwrap());
        nodes.dedup();
        prop_assert_eq!(nodes.len(), m * n + 2 * m + 2 * n);
        for (x, y) in nodes {
            let off = |at: f64, middles: &[f64], may_leave: bool| {
                let edge = if may_leave { at.min(size as f64 - at) } else { f64::INFINITY };
                middles.iter().map(|middle| (middle - at).abs()).fold(edge, f64::min)
            };
            prop_assert!(off(x, &xs, true) < 1.0 && off(y, &ys, true) < 1.0, "a node at {:?}", (x, y));
        }
        let expected = ((m + n) * size) as f64;
        prop_assert!((total(&lines) / expected - 1.0).abs() < 0.01, "{} of {}", total(&lines), expected);
        for Centerline { points, width, .. } in &lines {
            let (from, to) = (points[0], points[points.len() - 1]);
            let wide = if (from.0 - to.0).abs() < (from.1 - to.1).abs() { upright.wide } else { level.wide } as f64;
            prop_assert!((0.8 * wide - 0.3..1.2 * wide).contains(width), "{} of {} at {:?}", width, wide, points);
        }
    }

    #[test]
    fn turned_and_mirrored_maps_have_the_same_lines(
        turn in 0.0..std::f64::consts::PI, corner in 1.1..2.0f64, width in 2.0..7.0f64,
        shifts in (-45.0..0.0f64, 30.0..50.0f64, -45.0..0.0f64, 30.0..50.0f64), counts in (1usize..3, 0usize..3),
    ) {
        // Roads in one direction and roads in another one, at 63 degrees at least, that cross each other away from the edge.
        let family = |angle: f64, first: f64, apart: f64, count: usize| (0..count).map(move |number| {
            let shift = first + number as f64 * apart;
            let middle = (80.3 - shift * angle.sin(), 79.6 + shift * angle.cos());
            [-300.0, 300.0].map(|by| (middle.0 + by * angle.cos(), middle.1 + by * angle.sin()))
        });
        let first: Vec<[Point; 2]> = family(turn, shifts.0, shifts.1, counts.0).collect();
        let second: Vec<[Point; 2]> = family(turn + corner, shifts.2, shifts.3, counts.1).collect();
        let side = 160.0;
        let clear = |p: Point| [p.0, p.1, side - p.0, side - p.1].iter().all(|&edge| !(-10.0..3.0 * width).contains(&edge));
        prop_assume!(first.iter().all(|a| second.iter().all(|b| clear(meet(a, b)))));
        let roads: Vec<&[Point]> = first.iter().chain(&second).map(|road| &road[..]).collect();
        prop_assume!([(0.0, 0.0), (side, 0.0), (0.0, side), (side, side)].iter().all(|&at| roads.iter().all(|road| to_line(at, road) > 1.5 * width)));

        let size = 160;
        let wide: Vec<(&[Point], f64)> = roads.iter().map(|&road| (road, width)).collect();
        let labels = drawn(size, &wide);
        type Turn = (fn((usize, usize), usize) -> (usize, usize), fn(Point, f64) -> Point);
        let turns: [Turn; 4] = [
            (|(x, y), _| (y, x), |(x, y), _| (y, x)),
            (|(x, y), size| (size - 1 - x, y), |(x, y), side| (side - x, y)),
            (|(x, y), size| (x, size - 1 - y), |(x, y), side| (x, side - y)),
            (|(x, y), size| (y, size - 1 - x), |(x, y), side| (y, side - x)),
        ];
        let lines = found(&labels, size, options(12), size);
        for (pixel, back) in turns {
            let turned: Vec<u32> = (0..size * size).map(|at| {
                let (x, y) = pixel((at % size, at / size), size);
                labels[y * size + x]
            }).collect();
            let others: Vec<Centerline> = found(&turned, size, options(12), size).into_iter().map(|line| Centerline {
                points: line.points.iter().map(|&point| back(point, side)).collect(),
                ..line
            }).collect();
            prop_assert_eq!(lines.len(), others.len(), "{:?} {:?}", lines, others);
            prop_assert!((total(&lines) - total(&others)).abs() < 2.0 * lines.len() as f64);
            for line in &lines {
                let same = |other: &&Centerline| {
                    let [a, b, c, d] = [line, other].map(|line| [line.points[0], line.points[line.points.len() - 1]]).concat()[..] else {
                        unreachable!()
                    };
                    let near = |a, b| gap(a, b) < 3.0;
                    ((near(a, c) && near(b, d)) || (near(a, d) && near(b, c))) && (line.width - other.width).abs() < 0.5
                };
                prop_assert!(others.iter().any(|other| same(&other)), "{:?} among {:?}", line, others);
            }
        }
    }

    #[test]
    fn roads_go_on_at_the_seams_of_tiles(
        x in 60.0..62.0f64, along in 0.0..1.4f64, crossing in 0usize..60, wide in 1.5..7.0f64,
    ) {
        // A slanted road, and one that crosses it near the seam in column 60 or on it, in tiles of 60 columns.
        let slope = along - 0.7;
        let first = [(-20.0, 60.0 - slope * (x + 20.0)), (140.0, 60.0 + slope * (140.0 - x))];
        let column = 30.0 + crossing as f64;
        // So near to the seam that it takes part of the crossing the second road has no sides to tell it by.
        prop_assume!((column - 60.0).abs() > 0.5 * wide + 4.0);
        let second = [(column, -20.0), (column, 140.0)];
        let labels = drawn(120, &[(&first, wide), (&second, wide)]);
        let tile = |start: usize| -> Vec<u32> { (0..60 * 120).map(|at| labels[at / 60 * 120 + start + at % 60]).collect() };
        let [left, right] = [0, 60].map(|start| found(&tile(start), 60, options(12), 120));
        let seam = |lines: &[Centerline], edge: f64| -> Vec<f64> {
            ends(lines).into_iter().filter(|end| (end.0 - edge).abs() < 1e-6).map(|end| end.1).collect()
        };
        let (a, b) = (seam(&left, 60.0), seam(&right, 0.0));
        prop_assert_eq!(a.len(), 1, "{:?}", left);
        prop_assert_eq!(b.len(), 1, "{:?}", right);
        prop_assert!((a[0] - b[0]).abs() < 1.5 + 0.25 * wide, "{} and {}", a[0], b[0]);
    }
}

/// Where two lines cross.
fn meet(a: &[Point; 2], b: &[Point; 2]) -> Point {
    let (d, e) = ((a[1].0 - a[0].0, a[1].1 - a[0].1), (b[1].0 - b[0].0, b[1].1 - b[0].1));
    let share = ((b[0].0 - a[0].0) * e.1 - (b[0].1 - a[0].1) * e.0) / (d.0 * e.1 - d.1 * e.0);
    (a[0].0 + share * d.0, a[0].1 + share * d.1)
}

#[test]
fn slanted_crossings_are_one_point_and_staggered_ones_two() {
    for degrees in [42.0, 50.0, 60.0, 75.0f64, 90.0] {
        for width in [2.0, 4.0, 7.0] {
            for turn in [0.0, 0.3, 1.1] {
                let road = |angle: f64| [-90.0, 90.0].map(|by| (100.2 + by * angle.cos(), 99.7 + by * angle.sin()));
                let (a, b) = (road(turn), road(turn + degrees.to_radians()));
                let lines = found(&drawn(200, &[(&a, width), (&b, width)]), 200, options(20), 200);
                assert_eq!(lines.len(), 4, "{degrees} degrees, width {width}: {lines:?}");
            }
        }
    }
    // Two roads that end at a third from either side, some pixels from each other.
    for (width, by) in [(2.0, 5.0), (4.0, 8.0), (4.0, 10.0), (6.0, 11.0), (8.0, 14.0)] {
        let (main, up, down) =
            ([(10.0, 60.0), (110.0, 60.0)], [(50.0, 10.0), (50.0, 60.0)], [(50.0 + by, 60.0), (50.0 + by, 110.0)]);
        let lines = found(&drawn(120, &[(&main, width), (&up, width), (&down, width)]), 120, options(20), 120);
        assert_eq!(lines.len(), 5, "width {width}, {by} apart: {lines:?}");
    }
}

#[test]
fn roads_along_the_edge_have_no_branches_to_it() {
    let (width, height) = (80, 60);
    for thick in [1usize, 2, 3, 5, 8] {
        for (bump, deep) in [(0, 0), (3, 1), (7, 1), (20, 4)] {
            // Along the upper edge, or at a distance, with a piece of the border between that is road, too.
            let road = |at: usize| {
                let (x, y) = (at % width, at / width);
                (deep..deep + thick).contains(&y) && (5..70).contains(&x) || (y < deep && (30..30 + bump).contains(&x))
            };
            let labels: Vec<u32> = (0..width * height).map(|at| if road(at) { ROAD } else { 0 }).collect();
            let lines = found(&labels, width, CenterlineOptions { tolerance: 2.0, ..options(16) }, height);
            assert_eq!(lines.len(), 1, "{thick} {bump} {deep}: {lines:?}");
        }
    }
}

#[test]
fn no_line_leads_around_a_small_gap() {
    // Two wide roads beside each other that touch in some places of the narrow gap between them.
    let size = 48;
    for degrees in (0..360).step_by(3) {
        let (y, x) = f64::from(degrees).to_radians().sin_cos();
        for wide in [1.6, 2.0, 2.4] {
            let labels: Vec<u32> = (0..size * size)
                .map(|at| {
                    let (right, down) = ((at % size) as f64 - 23.3, (at / size) as f64 - 23.8);
                    let (along, across) = (right * x + down * y, right * y - down * x);
                    if along.abs() < 22.0 && across.abs() < wide / 2.0 && along as i64 % 5 != 0 { 0 } else { ROAD }
                })
                .collect();
            for Centerline { points, width, .. } in
                found(&labels, size, CenterlineOptions { tolerance: 0.0, ..options(40) }, size)
            {
                let is_closed = points[0] == points[points.len() - 1];
                assert!(!is_closed || length(&points) > 4.0 * width + 4.0, "{degrees} {wide}: {points:?}");
            }
        }
    }
}
