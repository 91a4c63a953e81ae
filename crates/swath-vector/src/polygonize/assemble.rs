//! The arcs of a face into its rings.
//!
//! Two arcs of one face start at one corner only where the face meets itself across a saddle; there the way on is to
//! the right. Rings begin with the first of their arcs, by the corners where these start, and come in the order of these; the outer one
//! before all, and then those without nodes. [`join`](super::join) does the same for faces with more arcs than memory may hold.

use super::Corner;
use super::arcs::{ArcList, ArcStore, Half};
use super::join;
use super::record::{Header, Heading};
use super::rings::Rings;
use crate::Result;

/// Joins the arcs of faces to rings; keeps its buffers from face to face.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    rings: Rings,
    holes: Rings,
    halves: Vec<Half>,
    pieces: Vec<Piece>,
    used: Vec<bool>,
    ring: Vec<Half>,
}

impl Assembler {
    /// The rings of a face.
    pub(super) fn assemble(&mut self, store: &mut ArcStore, arcs: ArcList) -> Result<&mut Rings> {
        let Assembler { rings, holes, .. } = self;
        rings.clear(&mut store.pages);
        holes.clear(&mut store.pages);
        if store.fits(arcs) {
            self.assemble_in_memory(store, arcs)?;
        } else {
            let arcs = store.take_words(arcs)?;
            join::assemble(store, arcs, rings, holes)?;
        }
        debug_assert_eq!(self.rings.len(), 1, "a face has one outer ring");
        self.rings.append(&mut self.holes, &mut store.pages)?;
        Ok(&mut self.rings)
    }

    fn assemble_in_memory(&mut self, store: &mut ArcStore, arcs: ArcList) -> Result<()> {
        let Assembler { rings, holes, halves, pieces, used, ring } = self;
        pieces.clear();
        store.take(arcs, halves)?;
        for half in halves.drain(..) {
            let header = store.header(half)?;
            if header.free {
                let outer = header.area_towards(half) > 0;
                if outer { &mut *rings } else { &mut *holes }.push(&[half], outer, &mut store.pages)?;
            } else {
                pieces.push(Piece::new(half, header));
            }
        }
        pieces.sort_unstable_by_key(Piece::order);
        used.clear();
        used.resize(pieces.len(), false);
        for first in 0..pieces.len() {
            if used[first] {
                continue;
            }
            ring.clear();
            let (mut area, mut at) = (0, first);
            while !used[at] {
                used[at] = true;
                ring.push(pieces[at].half);
                area += pieces[at].area;
                at = onward(pieces, at);
            }
            let outer = area > 0;
            if outer { &mut *rings } else { &mut *holes }.push(ring, outer, &mut store.pages)?;
        }
        Ok(())
    }
}

/// An arc in the direction that has the face on its left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    pub(super) half: Half,
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) area: i64,
    pub(super) first: Heading,
    pub(super) last: Heading,
}

impl Piece {
    pub(super) fn new(half: Half, header: Header) -> Piece {
        let Header { first, last, .. } = header;
        let (start, end) = (key(header.start), key(header.end));
        let area = header.area_towards(half);
        if half.reversed() {
            Piece { half, start: end, end: start, area, first: last.opposite(), last: first.opposite() }
        } else {
            Piece { half, start, end, area, first, last }
        }
    }

    /// Different for all pieces of a face.
    pub(super) fn order(&self) -> (u64, Heading) {
        (self.start, self.first)
    }
}

/// Row by row: pieces that start near each other closed at about the same time, and lie near each other in the store.
fn key(corner: Corner) -> u64 {
    u64::from(corner.row) << 32 | u64::from(corner.col)
}

/// The piece after one, among pieces in their order.
fn onward(pieces: &[Piece], at: usize) -> usize {
    let from = &pieces[at];
    let first = pieces.partition_point(|piece| piece.start < from.end);
    match pieces.get(first + 1) {
        Some(second) if second.start == from.end && from.last.turns_right_to(second.first) => first + 1,
        _ => first,
    }
}
