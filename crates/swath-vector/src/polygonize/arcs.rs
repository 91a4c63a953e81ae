//! Closed arcs: each is a record in [`Pages`] until the regions on both sides are handed over, and on the list of each of its faces
//! until that face is finished. Lists are linked through small entries in memory; when these are many, all lists
//! are moved into [`Words`], and no entry is left.

use super::pages::{Pages, Place};
use super::record::{Header, TAKEN, decode, decode_header, encode};
use super::words::{Reader, Words};
use super::{Arc, Corner, Spill};
use crate::Result;

/// No entry, list, face or region.
pub(super) const NONE: u32 = u32::MAX;

/// An arc and a direction: the place of its record, and whether it runs from its last corner to its first. As a word it has
/// two bits to spare, for [`Rings`](super::rings::Rings).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Half(u64);

impl Half {
    const REVERSED: u64 = 4;
    const PLACE: u32 = 3;

    fn new(place: Place, reversed: bool) -> Half {
        Half(place.to_bits() << Half::PLACE | if reversed { Half::REVERSED } else { 0 })
    }

    pub(super) fn from_word(word: u64) -> Half {
        Half(word & !3)
    }

    pub(super) fn word(self) -> u64 {
        self.0
    }

    pub(super) fn reversed(self) -> bool {
        self.0 & Half::REVERSED != 0
    }

    fn place(self) -> Place {
        Place::from_bits(self.0 >> Half::PLACE)
    }
}

/// The arcs of one face: a list of words, which may be missing, then one through entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct ArcList {
    words: u32,
    /// Links: twice the entry, and one more when the face is on the arc's right.
    head: u32,
    tail: u32,
    count: u64,
}

impl ArcList {
    pub(super) const EMPTY: ArcList = ArcList { words: NONE, head: NONE, tail: NONE, count: 0 };
}

#[derive(Debug)]
pub(super) struct ArcStore {
    pub(super) pages: Pages,
    /// Entries at most after a row; longer lists are not brought back into memory.
    limit: usize,
    entries: Vec<Entry>,
    free: Vec<u32>,
    lists: Vec<Words>,
    free_lists: Vec<u32>,
    ids: u64,
    record: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    place: Place,
    /// Next in the list of the face on the left, and of that on the right.
    next: [u32; 2],
    /// On how many lists it is.
    lists: u8,
}

impl ArcStore {
    pub(super) fn new(spill: Option<Spill>) -> ArcStore {
        ArcStore {
            limit: spill.as_ref().map_or(usize::MAX, |spill| spill.memory / MEMORY_PER_ARC),
            pages: Pages::new(spill),
            entries: Vec::new(),
            free: Vec::new(),
            lists: Vec::new(),
            free_lists: Vec::new(),
            ids: 0,
            record: Vec::new(),
        }
    }

    /// How many arcs may be in memory at once.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Whether more are.
    pub(super) fn is_crowded(&self) -> bool {
        self.entries.len() - self.free.len() > self.limit
    }

    /// Stores a closed arc for the faces on its left and right; `free` says whether it touches no node.
    pub(super) fn insert(&mut self, corners: &[Corner], faces: [bool; 2], free: bool) -> Result<u32> {
        encode(self.ids, corners, faces, free, &mut self.record);
        let lists = u8::from(faces[0]) + u8::from(faces[1]);
        let place = self.pages.append(&self.record, u32::from(lists))?;
        let entry = Entry { place, next: [NONE; 2], lists };
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

    /// Appends a new arc to a list; `right` when the face is on its right.
    pub(super) fn push(&mut self, list: &mut ArcList, slot: u32, right: bool) {
        let link = slot << 1 | u32::from(right);
        self.link(list, link, link);
        list.count += 1;
    }

    /// Appends one list to another.
    pub(super) fn concat(&mut self, list: &mut ArcList, other: ArcList) -> Result<()> {
        if other.words != NONE {
            self.unlink(list)?;
            let ArcStore { lists, pages, .. } = self;
            if let Ok([list, other]) = lists.get_disjoint_mut([list.words as usize, other.words as usize]) {
                list.append(other, pages)?;
            }
            self.free_lists.push(other.words);
        }
        if other.head != NONE {
            self.link(list, other.head, other.tail);
        }
        list.count += other.count;
        Ok(())
    }

    /// Moves a list out of the entries.
    pub(super) fn unlink(&mut self, list: &mut ArcList) -> Result<()> {
        if list.words == NONE {
            list.words = self.free_lists.pop().unwrap_or_else(|| {
                self.lists.push(Words::default());
                self.lists.len() as u32 - 1
            });
        }
        let mut link = std::mem::replace(&mut list.head, NONE);
        while link != NONE {
            let half = self.follow(&mut link);
            self.lists[list.words as usize].push(half.word(), &mut self.pages)?;
        }
        Ok(())
    }

    /// Whether a list may be taken into memory as a whole.
    pub(super) fn fits(&self, list: ArcList) -> bool {
        list.count <= self.limit as u64
    }

    /// Takes a list up, as halves.
    pub(super) fn take(&mut self, list: ArcList, halves: &mut Vec<Half>) -> Result<()> {
        halves.clear();
        if list.words != NONE {
            let (mut words, mut reader) = (std::mem::take(&mut self.lists[list.words as usize]), Reader::default());
            while let Some(word) = reader.next(&words, &mut self.pages)? {
                halves.push(Half::from_word(word));
            }
            words.clear(&mut self.pages);
            self.free_lists.push(list.words);
        }
        let mut link = list.head;
        while link != NONE {
            halves.push(self.follow(&mut link));
        }
        Ok(())
    }

    /// Takes a list up, as words.
    pub(super) fn take_words(&mut self, mut list: ArcList) -> Result<Words> {
        self.unlink(&mut list)?;
        self.free_lists.push(list.words);
        Ok(std::mem::take(&mut self.lists[list.words as usize]))
    }

    pub(super) fn header(&mut self, half: Half) -> Result<Header> {
        Ok(decode_header(self.pages.get(half.place())?).0)
    }

    /// Appends the corners of an arc to a ring in the making, whose last corner is the arc's first.
    pub(super) fn append(&mut self, half: Half, ring: &mut Vec<Corner>) -> Result<()> {
        let bytes = self.pages.get(half.place())?;
        ring.pop();
        let from = ring.len();
        decode(bytes, ring);
        if half.reversed() {
            ring[from..].reverse();
        }
        Ok(())
    }

    /// A region takes its side; the whole arc when that was the last side.
    pub(super) fn claim(&mut self, half: Half, region: u32) -> Result<Option<Arc>> {
        let Header { id, faces, taken, free, .. } = self.header(half)?;
        if faces[usize::from(!half.reversed())] && taken == NONE {
            self.pages.patch(half.place(), TAKEN, &region.to_le_bytes())?;
            return Ok(None);
        }
        let other = (taken != NONE).then_some(u64::from(taken));
        let region = Some(u64::from(region));
        let (left, right) = if half.reversed() { (other, region) } else { (region, other) };
        let mut corners = Vec::new();
        decode(self.pages.get(half.place())?, &mut corners);
        Ok(Some(Arc { id, left, right, corners, ring: free }))
    }

    /// Gives one side of an arc up.
    #[inline]
    pub(super) fn release(&mut self, half: Half) {
        self.pages.release(half.place());
    }

    /// Appends a chain of entries to a list.
    fn link(&mut self, list: &mut ArcList, head: u32, tail: u32) {
        match list.head {
            NONE => list.head = head,
            _ => self.entries[(list.tail >> 1) as usize].next[(list.tail & 1) as usize] = head,
        }
        list.tail = tail;
    }

    /// The half at a link, which goes on to the next; the entry is free when that was the last list it was on.
    fn follow(&mut self, link: &mut u32) -> Half {
        let (slot, right) = (*link >> 1, *link & 1);
        let entry = &mut self.entries[slot as usize];
        *link = entry.next[right as usize];
        entry.lists -= 1;
        if entry.lists == 0 {
            self.free.push(slot);
        }
        Half::new(entry.place, right == 1)
    }
}

/// About what an entry takes, or a piece when the arcs of a face are put in order.
const MEMORY_PER_ARC: usize = 64;
