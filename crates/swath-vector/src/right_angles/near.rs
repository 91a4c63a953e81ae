//! Which lines are near: the arcs around groups of regions, by pieces, so that long arcs cost no more than short ones.

use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use crate::crossings::Edge;
use crate::{Corner, Coverage, Lines, Point};

type Bounds = AABB<[f64; 2]>;

/// A piece of an arc: the arc, its first edge, and how often the arc had been changed.
type Piece = GeomWithData<Rectangle<[f64; 2]>, (usize, usize, u32)>;

/// Arcs by place.
#[derive(Debug)]
pub(super) struct Near {
    pieces: RTree<Piece>,
    /// How often arcs were changed.
    changes: std::collections::HashMap<usize, u32>,
}

impl Near {
    /// The arcs that pass places of interest.
    pub(super) fn new(lines: &Lines<'_>, places: impl Iterator<Item = Bounds>) -> Near {
        let places: Vec<Rectangle<[f64; 2]>> =
            places.map(|bounds| Rectangle::from_corners(bounds.lower(), bounds.upper())).collect();
        let places = RTree::bulk_load(places);
        let mut pieces = Vec::new();
        for arc in 0..lines.coverage().arcs().len() {
            let points = lines.arc(arc);
            for start in (0..points.len().saturating_sub(1)).step_by(PIECE) {
                let bounds = bounds(&points[start..points.len().min(start + PIECE + 1)]);
                if places.locate_in_envelope_intersecting(&bounds).next().is_some() {
                    pieces.push(piece(bounds, arc, start, 0));
                }
            }
        }
        Near { pieces: RTree::bulk_load(pieces), changes: std::collections::HashMap::new() }
    }

    /// Edges whose boxes touch a box.
    pub(super) fn edges(&self, lines: &Lines<'_>, within: &Bounds) -> Vec<Edge> {
        use rstar::Envelope;
        let mut found = Vec::new();
        for piece in self.pieces.locate_in_envelope_intersecting(within) {
            let (arc, start, changes) = piece.data;
            if self.changes.get(&arc).copied().unwrap_or(0) != changes {
                continue;
            }
            let points = lines.arc(arc);
            let end = points.len().min(start + PIECE + 1);
            let near = |edge: &Edge| bounds(&[edge.from, edge.to]).intersects(within);
            found.extend(edges(lines.coverage(), arc, &points, start..end - 1).filter(near));
        }
        found
    }

    /// An arc has other points now.
    pub(super) fn changed(&mut self, lines: &Lines<'_>, arc: usize) {
        let changes = self.changes.entry(arc).or_default();
        *changes += 1;
        let points = lines.arc(arc);
        for start in (0..points.len().saturating_sub(1)).step_by(PIECE) {
            let bounds = bounds(&points[start..points.len().min(start + PIECE + 1)]);
            self.pieces.insert(piece(bounds, arc, start, *changes));
        }
    }
}

/// Some edges of the line of an arc, by the numbers of their first points.
pub(super) fn edges<'a>(
    coverage: &Coverage,
    arc: usize,
    points: &'a [Point],
    which: std::ops::Range<usize>,
) -> impl Iterator<Item = Edge> + use<'a> {
    let line = coverage.arc_at(arc);
    let node = |corner: Corner| (u64::MAX, u64::from(corner.row) << 32 | u64::from(corner.col));
    let ends = (!line.ring).then(|| [line.corners[0], line.corners[line.corners.len() - 1]].map(node));
    let last = points.len() - 1;
    let vertex = move |at: usize| match ends {
        Some([first, _]) if at == 0 => first,
        Some([_, end]) if at == last => end,
        // A ring ends at its first point.
        _ => (arc as u64, (at % last) as u64),
    };
    which.map(move |at| Edge { from: points[at], to: points[at + 1], line: arc, ends: [vertex(at), vertex(at + 1)] })
}

/// The box around points.
pub(super) fn bounds(points: &[Point]) -> Bounds {
    points.iter().skip(1).fold(AABB::from_point([points[0].0, points[0].1]), |bounds, point| grown(&bounds, *point))
}

fn grown(bounds: &Bounds, (x, y): Point) -> Bounds {
    let (low, high) = (bounds.lower(), bounds.upper());
    AABB::from_corners([low[0].min(x), low[1].min(y)], [high[0].max(x), high[1].max(y)])
}

fn piece(bounds: Bounds, arc: usize, start: usize, changes: u32) -> Piece {
    GeomWithData::new(Rectangle::from_corners(bounds.lower(), bounds.upper()), (arc, start, changes))
}

/// Edges of a piece.
const PIECE: usize = 32;
