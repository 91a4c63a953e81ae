//! Closed arcs as records of bytes.
//!
//! Arcs alternate between horizontal and vertical moves, so that one number a corner is enough: for most, one byte.

use super::Corner;
use super::arcs::{Half, NONE};

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
    /// Whether there is a face on the left, and on the right.
    pub(super) faces: [bool; 2],
    /// The region that took its side first, or [`NONE`].
    pub(super) taken: u32,
    moves: u32,
}

impl Header {
    /// The share in the area of the ring that runs through the arc in this direction.
    pub(super) fn area_towards(&self, half: Half) -> i64 {
        if half.reversed() { -self.area } else { self.area }
    }
}

/// A direction along the lines between pixels; clockwise from east, 90 degrees each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
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

    /// As a number below 4.
    pub(super) fn bits(self) -> u64 {
        u64::from(self.0)
    }

    /// From the lowest bits of a number.
    pub(super) fn from_bits(bits: u64) -> Heading {
        Heading(bits as u8 & 3)
    }

    pub(super) fn opposite(self) -> Heading {
        Heading((self.0 + 2) % 4)
    }

    /// Whether `next` is a right turn.
    pub(super) fn turns_right_to(self, next: Heading) -> bool {
        (self.0 + 1) % 4 == next.0
    }
}

/// Bytes of a header.
const HEADER: usize = 41;
/// Where in it the region stands that took its side first.
pub(super) const TAKEN: usize = 36;

pub(super) fn encode(id: u64, corners: &[Corner], faces: [bool; 2], free: bool, record: &mut Vec<u8>) {
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
    record.extend(NONE.to_le_bytes());
    let flags = u8::from(free) << 4 | u8::from(faces[0]) << 5 | u8::from(faces[1]) << 6;
    record.push(first.0 | last.0 << 2 | flags);
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

/// The header of a record, and what follows it.
pub(super) fn decode_header(bytes: &[u8]) -> (Header, &[u8]) {
    let (header, moves) = bytes.split_at(HEADER);
    let number = |index: usize| {
        let at = &header[4 * index..];
        u32::from_le_bytes([at[0], at[1], at[2], at[3]])
    };
    let long = |index: usize| u64::from(number(index + 1)) << 32 | u64::from(number(index));
    let flags = header[HEADER - 1];
    let header = Header {
        id: long(7),
        start: Corner { col: number(0), row: number(1) },
        end: Corner { col: number(2), row: number(3) },
        area: long(5) as i64,
        first: Heading(flags & 3),
        last: Heading(flags >> 2 & 3),
        free: flags >> 4 & 1 == 1,
        faces: [flags >> 5 & 1 == 1, flags >> 6 & 1 == 1],
        taken: number(TAKEN / 4),
        moves: number(4),
    };
    (header, moves)
}

/// Appends the corners of a record.
pub(super) fn decode(bytes: &[u8], corners: &mut Vec<Corner>) {
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
