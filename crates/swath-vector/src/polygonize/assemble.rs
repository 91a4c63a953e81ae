//! The arcs of a face into its rings.

use super::Corner;
use super::arcs::{ArcList, ArcStore, Half, Header, Heading};
use crate::Result;

/// Rings of one or several faces, each face's outer ring first.
#[derive(Debug, Default)]
pub(super) struct FaceRings {
    halves: Vec<Half>,
    /// Where each ring ends among the halves, and whether it is an outer one.
    ends: Vec<(u32, bool)>,
}

impl FaceRings {
    /// The arcs of all rings.
    pub(super) fn halves(&self) -> impl Iterator<Item = Half> {
        self.halves.iter().copied()
    }

    /// The arcs of one ring.
    pub(super) fn ring(&self, ring: usize) -> impl Iterator<Item = Half> {
        let start = ring.checked_sub(1).map_or(0, |before| self.ends[before].0);
        self.halves[start as usize..self.ends[ring].0 as usize].iter().copied()
    }

    /// How many rings.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether a ring bounds a face from outside.
    pub(super) fn is_outer(&self, ring: usize) -> bool {
        self.ends[ring].1
    }

    /// Appends the rings of other faces.
    pub(super) fn add(&mut self, other: &FaceRings) {
        let offset = self.halves.len() as u32;
        self.halves.extend_from_slice(&other.halves);
        self.ends.extend(other.ends.iter().map(|&(end, outer)| (end + offset, outer)));
    }

    fn clear(&mut self) {
        self.halves.clear();
        self.ends.clear();
    }

    fn push(&mut self, halves: &[Half], outer: bool) {
        self.halves.extend_from_slice(halves);
        self.ends.push((self.halves.len() as u32, outer));
    }
}

/// Joins the arcs of faces to rings; keeps its buffers from face to face.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    rings: FaceRings,
    holes: FaceRings,
    open: Vec<Piece>,
    used: Vec<bool>,
    ring: Vec<Half>,
}

impl Assembler {
    /// The rings of the last face.
    pub(super) fn rings(&self) -> &FaceRings {
        &self.rings
    }

    /// Joins the arcs of a face, end to start. Two arcs of one face start at one corner only where the face meets itself
    /// across a saddle; there the way on is to the right.
    pub(super) fn assemble(&mut self, store: &mut ArcStore, arcs: ArcList) -> Result<()> {
        let Assembler { rings, holes, open, used, ring } = self;
        rings.clear();
        holes.clear();
        open.clear();
        let mut next = ArcStore::first(arcs);
        while let Some(half) = next {
            next = store.next(half);
            let header = store.header(half.slot())?;
            if !header.free {
                open.push(Piece::new(half, header));
            } else if header.area_towards(half) > 0 {
                rings.push(&[half], true);
            } else {
                holes.push(&[half], false);
            }
        }
        open.sort_unstable_by_key(|piece| (piece.start, piece.half.slot()));
        used.clear();
        used.resize(open.len(), false);
        for first in 0..open.len() {
            if used[first] {
                continue;
            }
            ring.clear();
            let (mut area, mut at) = (0, first);
            while !used[at] {
                used[at] = true;
                ring.push(open[at].half);
                area += open[at].area;
                at = onward(open, at);
            }
            if area > 0 {
                rings.push(ring, true);
            } else {
                holes.push(ring, false);
            }
        }
        debug_assert_eq!(rings.ends.len(), 1, "a face has one outer ring");
        rings.add(holes);
        Ok(())
    }
}

/// An arc in the direction that has the face on its left.
#[derive(Debug)]
struct Piece {
    half: Half,
    start: u64,
    end: u64,
    area: i64,
    first: Heading,
    last: Heading,
}

impl Piece {
    fn new(half: Half, header: Header) -> Piece {
        let Header { first, last, .. } = header;
        let (start, end) = (key(header.start), key(header.end));
        let area = header.area_towards(half);
        if half.reversed() {
            Piece { half, start: end, end: start, area, first: last.opposite(), last: first.opposite() }
        } else {
            Piece { half, start, end, area, first, last }
        }
    }
}

/// Row by row: pieces that start near each other closed at about the same time, and lie near each other in the store.
fn key(corner: Corner) -> u64 {
    u64::from(corner.row) << 32 | u64::from(corner.col)
}

/// The piece after one, among pieces sorted by their start.
fn onward(pieces: &[Piece], at: usize) -> usize {
    let from = &pieces[at];
    let first = pieces.partition_point(|piece| piece.start < from.end);
    match pieces.get(first + 1) {
        Some(second) if second.start == from.end && from.last.turns_right_to(second.first) => first + 1,
        _ => first,
    }
}
