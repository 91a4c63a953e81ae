//! The arcs of a face into its rings.

use super::arcs::{ArcList, ArcStore, Half, Header, Heading};
use super::{ArcRef, Corner, Ring};
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

    /// As numbered arcs.
    pub(super) fn public(&self, store: &ArcStore) -> Vec<Ring> {
        let reference = |half: Half| ArcRef { arc: store.id(half.slot()), reversed: half.reversed() };
        let ring = |(ring, &(_, outer))| Ring { outer, arcs: self.ring(ring).map(reference).collect() };
        self.ends.iter().enumerate().map(ring).collect()
    }

    pub(super) fn add(&mut self, other: FaceRings) {
        if self.ends.is_empty() {
            *self = other;
            return;
        }
        let offset = self.halves.len() as u32;
        self.halves.extend(other.halves);
        self.ends.extend(other.ends.into_iter().map(|(end, outer)| (end + offset, outer)));
    }

    fn push(&mut self, halves: &[Half], outer: bool) {
        self.halves.extend_from_slice(halves);
        self.ends.push((self.halves.len() as u32, outer));
    }
}

/// Joins the arcs of a face, end to start. Two arcs of one face start at one corner only where the face meets itself across a
/// saddle; there the way on is to the right.
pub(super) fn assemble(store: &mut ArcStore, arcs: ArcList) -> Result<FaceRings> {
    let mut rings = FaceRings::default();
    let mut holes = FaceRings::default();
    let mut open = Vec::new();
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
    let mut used = vec![false; open.len()];
    let mut ring = Vec::new();
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
            at = onward(&open, at);
        }
        if area > 0 {
            rings.push(&ring, true);
        } else {
            holes.push(&ring, false);
        }
    }
    debug_assert_eq!(rings.ends.len(), 1, "a face has one outer ring");
    rings.add(holes);
    Ok(rings)
}

/// An arc in the direction that has the face on its left.
#[derive(Debug)]
struct Piece {
    half: Half,
    start: Corner,
    end: Corner,
    area: i64,
    first: Heading,
    last: Heading,
}

impl Piece {
    fn new(half: Half, header: Header) -> Piece {
        let Header { start, end, first, last, .. } = header;
        let area = header.area_towards(half);
        if half.reversed() {
            Piece { half, start: end, end: start, area, first: last.opposite(), last: first.opposite() }
        } else {
            Piece { half, start, end, area, first, last }
        }
    }
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
