//! Centre lines of roads whose course and width are known.

use proptest::prelude::*;
use swath_vector::{Centerline, CenterlineOptions, Centerliner, Point};

pub(super) const ROAD: u32 = 7;

pub(super) fn options(widest: usize) -> CenterlineOptions {
    CenterlineOptions { label: ROAD, widest, tolerance: 0.75, pixel: [1.0, 1.0] }
}

/// A map on which pixels are road whose centre is no farther than half the width from one of the lines.
pub(super) fn drawn(size: usize, roads: &[(&[Point], f64)]) -> Vec<u32> {
    let road = |at: usize| {
        let centre = ((at % size) as f64 + 0.5, (at / size) as f64 + 0.5);
        roads.iter().any(|(line, width)| to_line(centre, line) <= width / 2.0)
    };
    (0..size * size).map(|at| if road(at) { ROAD } else { 0 }).collect()
}

pub(super) fn to_line(point: Point, line: &[Point]) -> f64 {
    let distance = |pair: &[Point]| {
        let ((x, y), (px, py)) =
            ((pair[1].0 - pair[0].0, pair[1].1 - pair[0].1), (point.0 - pair[0].0, point.1 - pair[0].1));
        let along = ((px * x + py * y) / (x * x + y * y).max(1e-12)).clamp(0.0, 1.0);
        (px - along * x).hypot(py - along * y)
    };
    line.windows(2).map(distance).fold(f64::INFINITY, f64::min)
}

pub(super) fn length(line: &[Point]) -> f64 {
    line.windows(2).map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1)).sum()
}

pub(super) fn found(labels: &[u32], width: usize, options: CenterlineOptions, rows: usize) -> Vec<Centerline> {
    let mut lines = Centerliner::new(width, options).unwrap();
    labels.chunks(rows * width).for_each(|rows| lines.push(rows).unwrap());
    lines.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn straight_roads_have_their_length_and_width(
        angle in 0.0..std::f64::consts::TAU, width in 1.6f64..14.0, shift in (0.0..1.0f64, 0.0..1.0f64),
    ) {
        let (middle, reach) = ((80.0 + shift.0, 80.0 + shift.1), 60.0);
        let end = |sign: f64| (middle.0 + sign * reach * angle.cos(), middle.1 + sign * reach * angle.sin());
        let road = [end(-1.0), end(1.0)];
        let lines = found(&drawn(160, &[(&road, width)]), 160, options(16), 160);
        prop_assert_eq!(lines.len(), 1, "{:?}", lines);
        let line = &lines[0];
        prop_assert!((line.width - width).abs() < 1.0, "width {} of {}", line.width, width);
        // Round ends reach half a width further.
        let expected = 2.0 * reach + width;
        prop_assert!((length(&line.points) - expected).abs() < 2.0 + 0.3 * width, "{} of {}", length(&line.points), expected);
        for &point in &line.points[1..line.points.len() - 1] {
            prop_assert!(to_line(point, &road) < 1.0, "{:?}", point);
        }
    }

    #[test]
    fn widths_are_measured_on_the_ground(
        angle in 0.0..std::f64::consts::TAU, width in 5.0f64..20.0, shift in (0.0..1.0f64, 0.0..1.0f64), upright in any::<bool>(),
    ) {
        let pixel = if upright { [1.0, 3.0] } else { [3.0, 1.0] };
        let (columns, rows) = (480 / pixel[0] as usize, 480 / pixel[1] as usize);
        let end = |by: f64| (240.0 + shift.0 + by * angle.cos(), 240.0 + shift.1 + by * angle.sin());
        let road = [end(-180.0), end(180.0)];
        let on = |at: usize| {
            let centre = ((at % columns) as f64 + 0.5, (at / columns) as f64 + 0.5);
            to_line((centre.0 * pixel[0], centre.1 * pixel[1]), &road) <= width / 2.0
        };
        let labels: Vec<u32> = (0..columns * rows).map(|at| if on(at) { ROAD } else { 0 }).collect();
        let lines = found(&labels, columns, CenterlineOptions { pixel, ..options(26) }, rows);
        prop_assert_eq!(lines.len(), 1, "{:?}", lines);
        prop_assert!((lines[0].width - width).abs() < 3.0, "width {} of {}", lines[0].width, width);
        // The same, whatever the unit.
        let metres = CenterlineOptions { pixel: pixel.map(|side| 10.0 * side), ..options(26) };
        let line = &found(&labels, columns, metres, rows)[0];
        prop_assert!((line.width - 10.0 * lines[0].width).abs() < 1e-6 && line.points == lines[0].points);
    }

    #[test]
    fn roads_that_leave_the_map_touch_its_edge(
        ends in prop::array::uniform2((-30.0..110.0f64, -30.0..110.0f64)), width in 1.6f64..9.0, rows in 1usize..90,
    ) {
        let labels = drawn(80, &[(&ends, width)]);
        let lines = found(&labels, 80, options(12), rows);
        let at_edge = |at: usize| [at % 80, at / 80].iter().any(|&place| place == 0 || place == 79);
        if !(0..80 * 80).any(|at| labels[at] == ROAD && at_edge(at)) {
            prop_assert!(lines.iter().all(|line| !line.touches_edge), "{:?}", lines);
        }
        let inside = |(x, y): Point| (0.0..80.0).contains(&x) && (0.0..80.0).contains(&y);
        if inside(ends[0]) != inside(ends[1]) {
            let long = lines.iter().map(|line| length(&line.points)).fold(0.0, f64::max) > 2.0 * width;
            prop_assert!(!long || lines.iter().any(|line| line.touches_edge), "{:?}", lines);
        }
    }

    #[test]
    fn strips_leave_no_trace(roads in prop::collection::vec(
        (prop::collection::vec((0.0..90.0f64, 10.0..900.0f64), 2..5), 1.5..9.0f64), 1..5), rows in 1usize..400,
    ) {
        let lines: Vec<(&[Point], f64)> = roads.iter().map(|(line, width)| (&line[..], *width)).collect();
        let road = |at: usize| {
            let centre = ((at % 90) as f64 + 0.5, (at / 90) as f64 + 0.5);
            lines.iter().any(|(line, width)| to_line(centre, line) <= width / 2.0)
        };
        let labels: Vec<u32> = (0..90 * 900).map(|at| if road(at) { ROAD } else { 0 }).collect();
        // All points of lines, so that rounding decides about none of them.
        let options = CenterlineOptions { tolerance: 0.0, ..options(10) };
        // Moved downwards by some rows the lines are the same, although the strips are others. None comes near the upper edge.
        let whole = found(&labels, 90, options, rows);
        for moved in [1, 100] {
            let mut lower = vec![0; moved * 90];
            lower.extend_from_slice(&labels);
            let below = found(&lower, 90, options, 900);
            prop_assert_eq!(whole.len(), below.len());
            for (a, b) in whole.iter().zip(&below) {
                prop_assert!((a.width - b.width).abs() < 1e-9, "{a:?} {b:?}");
                prop_assert!((length(&a.points) - length(&b.points)).abs() < 1e-6);
                let near = |&(x, y): &Point| to_line((x, y + moved as f64), &b.points) < 1e-6;
                prop_assert!(a.points.iter().all(near), "{:?} {:?}", a, b);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn lines_meet_at_their_ends_only(
        grains in prop::collection::vec(0u32..100, 24 * 24), scale in 1usize..4, share in 20u32..80, widest in 1usize..12,
        tolerance in prop::sample::select(vec![0.0, 0.75, 2.0, 50.0]),
    ) {
        let side = 24 * scale;
        let road = |at: usize| grains[at / side / scale * 24 + at % side / scale] < share;
        let labels: Vec<u32> = (0..side * side).map(|at| if road(at) { ROAD } else { 0 }).collect();
        let lines = found(&labels, side, CenterlineOptions { tolerance, ..options(widest) }, side);
        // Edges with whether each of their points is an end of a line.
        let mut edges: Vec<[(Point, bool); 2]> = Vec::new();
        for Centerline { points, .. } in &lines {
            let last = points.len() - 1;
            prop_assert!(length(points) > 0.0);
            prop_assert!(points.first() != points.last() || last > 2, "a closed line of {last} points");
            let end = |at: usize| (points[at], at == 0 || at == last);
            edges.extend((0..last).map(|at| [end(at), end(at + 1)]));
            // No line comes twice to a point.
            for at in 0..last {
                prop_assert!(!points[at + 1..last].contains(&points[at]), "{:?}", points);
            }
        }
        for (number, &[a, b]) in edges.iter().enumerate() {
            prop_assert!(a.0 != b.0);
            for (other, &[c, d]) in edges.iter().enumerate().skip(number + 1) {
                // Edges that follow each other, or begin where lines end, have a point in common.
                let follow = other == number + 1 && b == c;
                let common: Vec<Point> = [a, b]
                    .into_iter()
                    .filter(|p| [c, d].iter().any(|q| q.0 == p.0 && (q.1 && p.1 || follow)))
                    .map(|p| p.0)
                    .collect();
                let near = |p: Point, line: [Point; 2]| !common.contains(&p) && to_line(p, &line) < 1e-9;
                let (first, second) = ([a.0, b.0], [c.0, d.0]);
                let touch = near(a.0, second) || near(b.0, second) || near(c.0, first) || near(d.0, first);
                let turn = |p: Point, q: Point, r: Point| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
                let across = |p: [Point; 2], q: [Point; 2]| turn(p[0], p[1], q[0]) * turn(p[0], p[1], q[1]) < 0.0;
                let crosses = common.is_empty() && across(first, second) && across(second, first);
                prop_assert!(common.len() < 2 && !touch && !crosses, "{:?} {:?}", first, second);
            }
        }
    }
}

#[test]
fn slanted_roads_are_as_wide_as_their_area() {
    // Pixels with 0 <= down * x - right * y + shift < count lie on so many lines of pixels, and each line takes as much of the width.
    for (right, down) in [(1i32, 0i32), (1, 1), (2, 1), (3, 2), (-1, 1), (-3, 1), (0, 1)] {
        let apart = f64::from(right * right + down * down).sqrt();
        for count in [2, 3, 4, 7, 12, 19].map(|count| count * (right * right + down * down).isqrt()) {
            let on = |at: i32| (0..count).contains(&(down * (at % 200 - 100) - right * (at / 200 - 100) + count / 2));
            let labels: Vec<u32> = (0..200 * 200).map(|at| if on(at) { ROAD } else { 0 }).collect();
            let lines = found(&labels, 200, options(24), 50);
            let expected = f64::from(count) / apart;
            assert_eq!(lines.len(), 1, "{right} {down} {count}: {lines:?}");
            assert!((lines[0].width - expected).abs() < 0.05, "{right} {down}: {} of {expected}", lines[0].width);
        }
    }
}

#[test]
fn no_direction_is_wider_where_pixels_are_not_square() {
    // Roads of 60 metres, one along the rows and one along the columns, of pixels of 10 by 30 metres.
    let crossing = |at: usize| (30..32).contains(&(at / 60)) || (40..46).contains(&(at % 60));
    let labels: Vec<u32> = (0..60 * 90).map(|at| if crossing(at) { ROAD } else { 0 }).collect();
    let metres = |widest| CenterlineOptions { pixel: [10.0, 30.0], ..options(widest) };
    let lines = found(&labels, 60, metres(8), 90);
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines.iter().all(|line| (line.width - 60.0).abs() < 1.0), "{lines:?}");
    // Apart from each other, and on a map that is turned.
    for (widest, count) in [(4, 0), (5, 0), (6, 2), (40, 2)] {
        let road = |x: usize, y: usize| (30..32).contains(&y) && x < 30 || (40..46).contains(&x) && y < 80;
        let labels: Vec<u32> = (0..60 * 90).map(|at| if road(at % 60, at / 60) { ROAD } else { 0 }).collect();
        let turned: Vec<u32> = (0..60 * 90).map(|at| labels[at % 90 * 60 + at / 90]).collect();
        let across = CenterlineOptions { pixel: [30.0, 10.0], ..options(widest) };
        assert_eq!(found(&labels, 60, metres(widest), 90).len(), count, "up to {widest} pixels");
        assert_eq!(found(&turned, 90, across, 60).len(), count, "up to {widest} pixels");
    }
}

#[test]
fn short_lines_are_told_on_the_ground() {
    // As long as wide in pixels, and twice as long or half as long on the ground.
    let block = |at: usize| (8..14).contains(&(at % 24)) && (8..13).contains(&(at / 24));
    let labels: Vec<u32> = (0..24 * 24).map(|at| if block(at) { ROAD } else { 0 }).collect();
    for (pixel, count) in [([1.0, 1.0], 1), ([2.0, 1.0], 1), ([1.0, 2.0], 0)] {
        let lines = found(&labels, 24, CenterlineOptions { pixel, ..options(16) }, 24);
        assert_eq!(lines.len(), count, "{pixel:?}: {lines:?}");
    }
}

#[test]
fn crossings_are_one_point() {
    let (east, south) = ([(10.0, 60.0), (110.0, 60.0)], [(60.0, 10.0), (60.0, 110.0)]);
    let slanted = [(15.0, 20.0), (105.0, 100.0)];
    for width in [1.9, 4.8, 8.6] {
        for second in [&south[..], &slanted[..]] {
            let lines = found(&drawn(120, &[(&east, width), (second, width)]), 120, options(12), 120);
            assert_eq!(lines.len(), 4, "width {width}: {lines:?}");
            let ends: Vec<Point> =
                lines.iter().flat_map(|line| [line.points[0], *line.points.last().unwrap()]).collect();
            let shared = ends.iter().filter(|&&end| ends.iter().filter(|&&other| other == end).count() == 4).count();
            assert_eq!(shared, 4, "the four lines meet in one point: {lines:?}");
            assert!(lines.iter().all(|line| (line.width - width).abs() < 1.0), "width {width}: {lines:?}");
            let total: f64 = lines.iter().map(|line| length(&line.points)).sum();
            let expected = length(&east) + length(second) + 2.0 * width;
            assert!((total / expected - 1.0).abs() < 0.03, "{total} of {expected}");
        }
    }
}

#[test]
fn rough_edges_make_no_branches() {
    // Every seventh pixel beside a road of 8 by 200 pixels is road, too.
    let mut labels = vec![0; 220 * 40];
    for row in 16..24 {
        labels[row * 220 + 10..row * 220 + 210].fill(ROAD);
    }
    for col in (12..208).step_by(7) {
        labels[15 * 220 + col] = ROAD;
        labels[24 * 220 + col + 3] = ROAD;
    }
    let lines = found(&labels, 220, options(12), 40);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!((length(&lines[0].points) - 200.0).abs() < 3.0 && (lines[0].width - 8.0).abs() < 0.6, "{lines:?}");
}

#[test]
fn rings_are_closed_and_wide_parts_have_no_line() {
    let ring = |at: usize| ((at % 100) as f64 - 49.5).hypot((at / 100) as f64 - 49.5);
    let labels: Vec<u32> = (0..100 * 100).map(|at| if (ring(at) - 35.0).abs() < 2.5 { ROAD } else { 1 }).collect();
    let lines = found(&labels, 100, options(8), 100);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(line.points.first(), line.points.last());
    assert!((length(&line.points) / (35.0 * std::f64::consts::TAU) - 1.0).abs() < 0.02, "{}", length(&line.points));
    assert!((line.width - 5.0).abs() < 0.6);

    // A road of 4 pixels leads to a square of 60: no line goes through that.
    let mut labels = vec![0; 160 * 80];
    for row in 10..70 {
        labels[row * 160 + 90..row * 160 + 150].fill(ROAD);
    }
    for row in 38..42 {
        labels[row * 160 + 5..row * 160 + 90].fill(ROAD);
    }
    let lines = found(&labels, 160, options(8), 80);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!((line.width - 4.0).abs() < 0.6 && (80.0..95.0).contains(&length(&line.points)), "{line:?}");
}

#[test]
fn roads_along_the_edge_touch_it() {
    // A road of four rows, and more of nothing than that at its ends.
    for (above, below, touches) in [(0, 9, true), (1, 9, false), (9, 0, true), (9, 1, false)] {
        let height = above + 4 + below;
        let road = |at: usize| (above..above + 4).contains(&(at / 60)) && (10..50).contains(&(at % 60));
        let labels: Vec<u32> = (0..60 * height).map(|at| if road(at) { ROAD } else { 0 }).collect();
        let lines = found(&labels, 60, options(8), 3);
        assert_eq!(lines.iter().map(|line| line.touches_edge).collect::<Vec<_>>(), [touches], "{above} {below}");
        // The same on its side.
        let turned: Vec<u32> = (0..60 * height).map(|at| labels[at % height * 60 + at / height]).collect();
        let lines = found(&turned, height, options(8), 60);
        assert_eq!(lines.iter().map(|line| line.touches_edge).collect::<Vec<_>>(), [touches], "{above} {below}");
    }
}

#[test]
fn small_things() {
    let line = |labels: &[u32], width| found(labels, width, options(4), 1);
    assert!(line(&[0, 1, 2, 3], 2).is_empty());
    assert!(line(&[], 5).is_empty());
    // A pixel is no line, and one of five pixels is one.
    assert!(line(&[0, ROAD, 0], 3).is_empty());
    let five = line(&[ROAD; 5], 5);
    assert_eq!((five.len(), five[0].width), (1, 1.0));
    assert!((length(&five[0].points) - 5.0).abs() < 1e-9, "{five:?}");
    for (widest, tolerance) in [(0, 1.0), (513, 1.0), (5, -1.0), (5, f64::NAN)] {
        assert!(Centerliner::new(5, CenterlineOptions { tolerance, ..options(widest) }).is_err());
    }
    for pixel in [[0.0, 1.0], [1.0, -1.0], [f64::NAN, 1.0], [1.0, f64::INFINITY]] {
        assert!(Centerliner::new(5, CenterlineOptions { pixel, ..options(5) }).is_err());
    }
    assert!(Centerliner::new(0, options(5)).is_err());
    assert!(Centerliner::new(3, options(5)).unwrap().push(&[1, 2]).is_err());
}
