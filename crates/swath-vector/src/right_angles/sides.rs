//! The edge of the raster, and arcs cut where they come to it, turn on it or leave it: what runs along the edge stays there.

use crate::{Corner, Coverage, Point};

/// The sides of a raster; the first column and the first row are always sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    /// The last column and row of corners; `None` where no pixel with data reaches them.
    last: (Option<u32>, Option<u32>),
}

/// An arc, or a part of it that runs along the edge or nowhere along it.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) arc: usize,
    /// Which part of its arc it is, of how many.
    pub(super) number: usize,
    pub(super) count: usize,
    pub(super) corners: Vec<Corner>,
    /// Whether it is a closed arc as a whole, without nodes.
    pub(super) ring: bool,
    pub(super) edge: bool,
}

impl Sides {
    /// A coverage does not know its raster: the last column of corners is a side if the regions that end there all touch the raster's edge, and
    /// so is the last row.
    pub(super) fn of(coverage: &Coverage) -> Sides {
        let all = coverage.arcs().flat_map(|arc| arc.corners);
        let last = all.fold(Corner { col: 0, row: 0 }, |last, corner| Corner {
            col: last.col.max(corner.col),
            row: last.row.max(corner.row),
        });
        let mut touched = (true, true);
        for arc in coverage.arcs() {
            let ((Some(region), None) | (None, Some(region))) = (arc.left, arc.right) else { continue };
            if !coverage.regions()[region as usize].touches_edge {
                let ends = |at: fn(&Corner) -> u32, last: u32| {
                    arc.corners.windows(2).any(|pair| at(&pair[0]) == last && at(&pair[1]) == last)
                };
                touched.0 &= !ends(|corner| corner.col, last.col);
                touched.1 &= !ends(|corner| corner.row, last.row);
            }
        }
        Sides { last: (touched.0.then_some(last.col), touched.1.then_some(last.row)) }
    }

    /// On which sides a corner is: the left or right one, and the upper or lower one.
    fn at(&self, corner: Corner) -> (bool, bool) {
        let (col, row) = (corner.col, corner.row);
        (col == 0 || Some(col) == self.last.0, row == 0 || Some(row) == self.last.1)
    }

    /// Whether the line between two corners of an arc runs along the edge.
    fn has(&self, a: Corner, b: Corner) -> bool {
        a.col == b.col && self.at(a).0 || a.row == b.row && self.at(a).1
    }

    /// Whether a corner is one of the raster's.
    pub(super) fn is_corner(&self, corner: Corner) -> bool {
        self.at(corner) == (true, true)
    }

    /// A point on the side on which a corner is, to the last bit.
    pub(super) fn snap(&self, corner: Corner, point: Point) -> Point {
        let (across, down) = self.at(corner);
        (if across { f64::from(corner.col) } else { point.0 }, if down { f64::from(corner.row) } else { point.1 })
    }

    /// The point of the raster nearest to one in pixels, as far as its sides are known.
    pub(super) fn clamp(&self, (x, y): Point) -> Point {
        let within = |at: f64, last: Option<u32>| at.clamp(0.0, last.map_or(f64::INFINITY, f64::from));
        (within(x, self.last.0), within(y, self.last.1))
    }

    /// Whether a point in pixels lies in the raster, as far as its sides are known.
    pub(super) fn hold(&self, point: Point) -> bool {
        self.clamp(point) == point
    }

    /// The parts of an arc, one after the other; those of a closed one may begin anywhere.
    pub(super) fn cut(&self, coverage: &Coverage, number: usize) -> Vec<Part> {
        let arc = coverage.arc_at(number);
        let mut corners = arc.corners.to_vec();
        let part = |corners: Vec<Corner>, ring: bool| {
            let edge = self.has(corners[0], corners[1]);
            Part { arc: number, number: 0, count: 1, corners, ring, edge }
        };
        let outside = arc.left.is_none() || arc.right.is_none();
        let along = |a: Corner, b: Corner| outside && self.has(a, b);
        // Whether it is cut at a corner with some neighbours.
        let cuts = |before: Corner, at: Corner, after: Corner| {
            along(before, at) != along(at, after) || along(before, at) && self.is_corner(at)
        };
        let last = corners.len() - 1;
        if arc.ring {
            let around = |at: usize| cuts(corners[(at + last - 1) % last], corners[at], corners[(at + 1) % last]);
            let Some(first) = (0..last).find(|&at| around(at)) else { return vec![part(corners, true)] };
            corners.pop();
            corners.rotate_left(first);
            corners.push(corners[0]);
        }
        let mut parts = Vec::new();
        let mut from = 0;
        for at in 1..=last {
            if at == last || cuts(corners[at - 1], corners[at], corners[at + 1]) {
                parts.push(part(corners[from..=at].to_vec(), false));
                from = at;
            }
        }
        let count = parts.len();
        parts.iter_mut().enumerate().for_each(|(number, part)| (part.number, part.count) = (number, count));
        parts
    }
}
