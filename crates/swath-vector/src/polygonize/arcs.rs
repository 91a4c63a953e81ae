//! Closed arcs of unfinished regions: a small entry in memory, the shape as a record in [`Pages`].
//!
//! Arcs alternate between horizontal and vertical moves, so that one number a corner is enough: for most, one byte.

use super::pages::{Pages, Place};
use super::{Arc, Corner, Spill};
use crate::Result;

/// No entry.
pub(super) const NONE: u32 = u32::MAX;

/// An arc in memory and a direction: twice its slot, and one more when reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Half(u32);

impl Half {
    pub(super) fn new(slot: u32, reversed: bool) -> Half {
        Half(slot << 1 | u32::from(reversed))
    }

    pub(super) fn slot(self) -> u32 {
        self.0 >> 1
    }

    pub(super) fn reversed(self) -> bool {
        self.0 & 1 == 1
    }
}

/// The arcs of one face, as a list through their entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArcList {
    head: u32,
    tail: u32,
    pub(super) count: u32,
}

impl ArcList {
    pub(super) const EMPTY: ArcList = ArcList { head: NONE, tail: NONE, count: 0 };
}

/// What an arc's record begins with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) id: u64,
    pub(super) start: Corner,
    pub(super) end: Corner,
    /// Its share in the area of the ring on its left: the negative sum of column times rise of row.
    pub(super) area: i64,
    /// Directions of the first and the last move.
    pub(super) first: Heading,
    pub(super) last: Heading,
    /// Whether it is closed and touches no node.
    pub(super) free: bool,
    moves: u32,
}

impl Header {
    /// The share in the area of the ring that runs through the arc in this direction.
    pub(super) fn area_towards(&self, half: Half) -> i64 {
        if half.reversed() { -self.area } else { self.area }
    }
}

/// A direction along the lines between pixels; clockwise from east, 90 degrees each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heading(u8);

impl Heading {
    fn between(from: Corner, to: Corner) -> Heading {
        Heading(match (to.col.cmp(&from.col), to.row.cmp(&from.row)) {
            (std::cmp::Ordering::Greater, _) => 0,
            (_, std::cmp::Ordering::Greater) => 1,
            (std::cmp::Ordering::Less, _) => 2,
            _ => 3,
        })
    }

    pub(super) fn opposite(self) -> Heading {
        Heading((self.0 + 2) % 4)
    }

    /// Whether `next` is a right turn.
    pub(super) fn turns_right_to(self, next: Heading) -> bool {
        (self.0 + 1) % 4 == next.0
    }
}

/// The regions on both sides of an arc.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sides {
    left: Option<u64>,
    right: Option<u64>,
}

#[derive(Debug)]
pub(super) struct ArcStore {
    entries: Vec<Entry>,
    free: Vec<u32>,
    pages: Pages,
    ids: u64,
    record: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    place: Place,
    /// Next in the list of the face on the left, and of that on the right.
    next: [u32; 2],
    /// The region that took its side first, or [`NONE`].
    taken: u32,
    /// Whether there is a face on the left, and on the right.
    faces: [bool; 2],
}

impl ArcStore {
    pub(super) fn new(spill: Option<Spill>) -> ArcStore {
        ArcStore { entries: Vec::new(), free: Vec::new(), pages: Pages::new(spill), ids: 0, record: Vec::new() }
    }

    /// Stores a closed arc; `faces` says whether there is a face on its left and right, `free` whether it touches no node.
    pub(super) fn insert(&mut self, corners: &[Corner], faces: [bool; 2], free: bool) -> Result<u32> {
        encode(self.ids, corners, free, &mut self.record);
        let place = self.pages.append(&self.record)?;
        let entry = Entry { place, next: [NONE; 2], taken: NONE, faces };
        self.ids += 1;
        Ok(match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        })
    }

    /// Appends to a list; `reversed` when the face is on the arc's right.
    pub(super) fn push(&mut self, list: &mut ArcList, half: Half) {
        match list.tail {
            NONE => list.head = half.0,
            tail => self.link(tail, half.0),
        }
        list.tail = half.0;
        list.count += 1;
    }

    /// Appends one list to another.
    pub(super) fn concat(&mut self, list: &mut ArcList, other: ArcList) {
        if other.head == NONE {
            return;
        }
        match list.tail {
            NONE => list.head = other.head,
            tail => self.link(tail, other.head),
        }
        list.tail = other.tail;
        list.count += other.count;
    }

    /// The first of a list.
    pub(super) fn first(list: ArcList) -> Option<Half> {
        (list.head != NONE).then_some(Half(list.head))
    }

    /// The one after.
    pub(super) fn next(&self, half: Half) -> Option<Half> {
        let next = self.entries[half.slot() as usize].next[usize::from(half.reversed())];
        (next != NONE).then_some(Half(next))
    }

    fn link(&mut self, from: u32, to: u32) {
        let half = Half(from);
        self.entries[half.slot() as usize].next[usize::from(half.reversed())] = to;
    }

    pub(super) fn header(&mut self, slot: u32) -> Result<Header> {
        let bytes = self.pages.get(self.entries[slot as usize].place)?;
        Ok(decode_header(bytes).0)
    }

    /// Appends the corners of an arc to a ring in the making, whose last corner is the arc's first.
    pub(super) fn append(&mut self, slot: u32, reversed: bool, ring: &mut Vec<Corner>) -> Result<()> {
        let bytes = self.pages.get(self.entries[slot as usize].place)?;
        ring.pop();
        let from = ring.len();
        decode(bytes, ring);
        if reversed {
            ring[from..].reverse();
        }
        Ok(())
    }

    /// A region takes its side; both sides when that was the last.
    pub(super) fn claim(&mut self, half: Half, region: u32) -> Option<Sides> {
        let entry = &mut self.entries[half.slot() as usize];
        if entry.faces[usize::from(!half.reversed())] && entry.taken == NONE {
            entry.taken = region;
            return None;
        }
        let other = (entry.taken != NONE).then_some(u64::from(entry.taken));
        let region = Some(u64::from(region));
        Some(if half.reversed() { Sides { left: other, right: region } } else { Sides { left: region, right: other } })
    }

    /// The whole arc, to hand over.
    pub(super) fn arc(&mut self, slot: u32, sides: Sides) -> Result<Arc> {
        let mut corners = Vec::new();
        self.append(slot, false, &mut corners)?;
        let Header { id, free, .. } = self.header(slot)?;
        Ok(Arc { id, left: sides.left, right: sides.right, corners, ring: free })
    }

    /// Gives an arc up.
    pub(super) fn release(&mut self, slot: u32) {
        self.pages.release(self.entries[slot as usize].place);
        self.free.push(slot);
    }
}

/// Bytes of a header.
const HEADER: usize = 37;

fn encode(id: u64, corners: &[Corner], free: bool, record: &mut Vec<u8>) {
    record.clear();
    let (start, end) = (corners[0], corners[corners.len() - 1]);
    let rise = |pair: &[Corner]| i64::from(pair[0].col) * (i64::from(pair[1].row) - i64::from(pair[0].row));
    let area: i64 = -corners.windows(2).map(rise).sum::<i64>();
    let first = Heading::between(start, corners[1]);
    let last = Heading::between(corners[corners.len() - 2], end);
    for number in [start.col, start.row, end.col, end.row, corners.len() as u32 - 1] {
        record.extend(number.to_le_bytes());
    }
    record.extend(area.to_le_bytes());
    record.extend(id.to_le_bytes());
    record.push(first.0 | last.0 << 2 | u8::from(free) << 4);
    for pair in corners.windows(2) {
        let (columns, rows) =
            (i64::from(pair[1].col) - i64::from(pair[0].col), i64::from(pair[1].row) - i64::from(pair[0].row));
        let step = columns + rows;
        let mut rest = (step << 1 ^ step >> 63) as u64;
        while rest >= 0x80 {
            record.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        record.push(rest as u8);
    }
}

fn decode_header(bytes: &[u8]) -> (Header, &[u8]) {
    let (header, moves) = bytes.split_at(HEADER);
    let number = |index: usize| {
        let at = &header[4 * index..];
        u32::from_le_bytes([at[0], at[1], at[2], at[3]])
    };
    let long = |index: usize| u64::from(number(index + 1)) << 32 | u64::from(number(index));
    let headings = header[HEADER - 1];
    let header = Header {
        id: long(7),
        start: Corner { col: number(0), row: number(1) },
        end: Corner { col: number(2), row: number(3) },
        area: long(5) as i64,
        first: Heading(headings & 3),
        last: Heading(headings >> 2 & 3),
        free: headings >> 4 != 0,
        moves: number(4),
    };
    (header, moves)
}

fn decode(bytes: &[u8], corners: &mut Vec<Corner>) {
    let (header, mut moves) = decode_header(bytes);
    let mut at = header.start;
    let mut horizontal = header.first.0.is_multiple_of(2);
    corners.push(at);
    for _ in 0..header.moves {
        let (mut rest, mut shift) = (0u64, 0);
        while let Some((&byte, tail)) = moves.split_first() {
            moves = tail;
            rest |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let step = (rest >> 1) as i64 ^ -((rest & 1) as i64);
        let moved = |from: u32| (i64::from(from) + step) as u32;
        if horizontal {
            at.col = moved(at.col);
        } else {
            at.row = moved(at.row);
        }
        horizontal = !horizontal;
        corners.push(at);
    }
}
