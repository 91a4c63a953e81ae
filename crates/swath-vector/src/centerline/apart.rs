//! Lines that neither cross themselves nor each other: where smoothing or simplifying would make them, they are left rougher.

use super::lines::length;
use crate::Point;
use crate::crossings::{Edge, Vertex, crossings};

/// For each line, of its forms from the smoothest to the roughest, the first ones with which lines meet in their common ends only. `form` gives
/// a line in the form of a number, or `None` after the roughest one. A line that crosses itself or a longer one in all forms goes.
pub(super) fn apart(count: usize, form: impl Fn(usize, usize) -> Option<Vec<Point>>) -> Vec<Option<Vec<Point>>> {
    let mut levels = vec![0; count];
    let next = |line: usize, level: &mut usize| {
        loop {
            match form(line, *level).map(tidy) {
                Some(points) if is_line(&points) => return Some(points),
                Some(_) => *level += 1,
                None => return None,
            }
        }
    };
    let mut lines: Vec<Option<Vec<Point>>> =
        levels.iter_mut().enumerate().map(|(line, level)| next(line, level)).collect();
    let mut fresh: Vec<usize> = (0..count).collect();
    while !fresh.is_empty() {
        let is_fresh = |line: &usize| fresh.binary_search(line).is_ok();
        let edges = |line: usize| lines[line].iter().flat_map(move |points| edges(line, points));
        let new: Vec<Edge> = fresh.iter().copied().flat_map(edges).collect();
        let old: Vec<Edge> = (0..count).filter(|line| !is_fresh(line)).flat_map(edges).collect();
        let number = |at: usize| if at < new.len() { new[at].line } else { old[at - new.len()].line };
        // Of two, the one that has a rougher form gives way; if both or neither has one, both or the shorter.
        let mut clashes: Vec<usize> = Vec::new();
        for pair in crossings(&new, &old) {
            let (a, b) = (number(pair.0), number(pair.1));
            let [a_bends, b_bends] = [a, b].map(|line| form(line, levels[line] + 1).is_some());
            let span = |line: usize| lines[line].as_deref().map_or(0.0, length);
            if a_bends || (!b_bends && span(a) <= span(b)) {
                clashes.push(a);
            }
            if b_bends || (!a_bends && span(a) > span(b)) {
                clashes.push(b);
            }
        }
        clashes.sort_unstable();
        clashes.dedup();
        for &line in &clashes {
            levels[line] += 1;
            lines[line] = next(line, &mut levels[line]);
        }
        fresh = clashes;
    }
    lines
}

/// Without points that are where the one before is.
fn tidy(mut points: Vec<Point>) -> Vec<Point> {
    points.dedup();
    points
}

/// Whether a line has a length, and a closed one an area.
fn is_line(points: &[Point]) -> bool {
    points.len() > if points.first() == points.last() { 3 } else { 1 }
}

/// The edges of a line: inner points belong to it alone, ends to all that end there.
fn edges(line: usize, points: &[Point]) -> impl Iterator<Item = Edge> {
    let last = points.len() - 1;
    let vertex = move |at: usize| -> Vertex {
        match at {
            at if at == 0 || at == last => (points[at].0.to_bits(), points[at].1.to_bits()),
            at => (line as u64, at as u64),
        }
    };
    (0..last).map(move |at| Edge { from: points[at], to: points[at + 1], line, ends: [vertex(at), vertex(at + 1)] })
}
