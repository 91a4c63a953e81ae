//! The rings of faces, as lists of their arcs.

use super::arcs::Half;
use super::pages::Pages;
use super::words::{Reader, ReverseReader, Words};
use crate::Result;

/// Rings of one or several faces, each face's outer ring first.
#[derive(Debug, Default)]
pub(super) struct Rings {
    words: Words,
    count: usize,
}

impl Rings {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, ring: &[Half], outer: bool, pages: &mut Pages) -> Result<()> {
        let Some((last, others)) = ring.split_last() else { return Ok(()) };
        let outer = if outer { OUTER } else { 0 };
        for half in others {
            self.words.push(half.word() | outer, pages)?;
        }
        self.words.push(last.word() | outer | LAST, pages)?;
        self.count += 1;
        Ok(())
    }

    /// Appends a ring whose arcs are words.
    pub(super) fn push_words(&mut self, ring: &Words, outer: bool, pages: &mut Pages) -> Result<()> {
        let outer = if outer { OUTER } else { 0 };
        let mut reader = Reader::default();
        let mut next = reader.next(ring, pages)?;
        while let Some(word) = next {
            next = reader.next(ring, pages)?;
            self.words.push(word | outer | if next.is_none() { LAST } else { 0 }, pages)?;
        }
        self.count += 1;
        Ok(())
    }

    /// Appends rings from words that have all arcs from the last to the first, with the bit of the last of each ring.
    pub(super) fn push_reversed(&mut self, rings: &Words, outer: bool, pages: &mut Pages) -> Result<()> {
        let outer = if outer { OUTER } else { 0 };
        let mut reader = ReverseReader::new(rings);
        while let Some(word) = reader.next(rings, pages)? {
            self.words.push(word | outer, pages)?;
            self.count += usize::from(word & LAST != 0);
        }
        Ok(())
    }

    /// Appends all rings of others, which are none then.
    pub(super) fn append(&mut self, others: &mut Rings, pages: &mut Pages) -> Result<()> {
        self.count += std::mem::take(&mut others.count);
        self.words.append(&mut others.words, pages)
    }

    /// Gives all up.
    pub(super) fn clear(&mut self, pages: &mut Pages) {
        self.words.clear(pages);
        self.count = 0;
    }
}

/// A place among the rings, before an arc.
#[derive(Debug, Default)]
pub(super) struct RingReader {
    reader: Reader,
    /// The ring of the next arc.
    ring: usize,
}

impl RingReader {
    /// Goes to the first arc of a ring: for the next one without effort, for one further on past all between, for one before from
    /// the first on.
    pub(super) fn seek(&mut self, ring: usize, rings: &Rings, pages: &mut Pages) -> Result<()> {
        assert!(ring < rings.count, "ring {ring} of {}", rings.count);
        if ring < self.ring {
            self.rewind();
        }
        while self.ring < ring {
            self.next(rings, pages)?;
        }
        Ok(())
    }

    /// The next arc, and whether it is the last of its ring.
    #[inline]
    pub(super) fn next(&mut self, rings: &Rings, pages: &mut Pages) -> Result<Option<(Half, bool)>> {
        let Some(word) = self.reader.next(&rings.words, pages)? else { return Ok(None) };
        let last = word & LAST != 0;
        self.ring += usize::from(last);
        Ok(Some((Half::from_word(word), last)))
    }

    /// Whether the next arc is of an outer ring.
    pub(super) fn is_outer(&mut self, rings: &Rings, pages: &mut Pages) -> Result<bool> {
        Ok(self.reader.peek(&rings.words, pages)?.is_some_and(|word| word & OUTER != 0))
    }

    /// Goes back to the first ring.
    pub(super) fn rewind(&mut self) {
        self.reader.rewind();
        self.ring = 0;
    }
}

/// Bits that an arc leaves: that it is the last of its ring, and that the ring bounds a face from outside.
pub(super) const LAST: u64 = 1;
const OUTER: u64 = 2;
