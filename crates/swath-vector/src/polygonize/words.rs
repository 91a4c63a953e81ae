//! Lists of 64-bit words that grow at their end and are read from either end to the other. Full blocks of them are records in
//! [`Pages`], so that a list takes a few kilobytes of memory however long it is.

use super::pages::{Pages, Place};
use crate::Result;

#[derive(Debug, Default)]
pub(super) struct Words {
    blocks: Vec<Block>,
    /// What comes after the blocks.
    tail: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    place: Place,
    words: u32,
}

impl Words {
    pub(super) fn push(&mut self, word: u64, pages: &mut Pages) -> Result<()> {
        self.tail.push(word);
        if self.tail.len() >= BLOCK { self.close(pages) } else { Ok(()) }
    }

    /// Appends all words of another list, which is empty then.
    pub(super) fn append(&mut self, other: &mut Words, pages: &mut Pages) -> Result<()> {
        if !other.blocks.is_empty() {
            self.close(pages)?;
            self.blocks.append(&mut other.blocks);
        }
        self.tail.append(&mut other.tail);
        if self.tail.len() >= BLOCK { self.close(pages) } else { Ok(()) }
    }

    /// Gives all words up.
    pub(super) fn clear(&mut self, pages: &mut Pages) {
        self.blocks.drain(..).for_each(|block| pages.release(block.place));
        self.tail.clear();
    }

    fn close(&mut self, pages: &mut Pages) -> Result<()> {
        if self.tail.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = self.tail.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.blocks.push(Block { place: pages.append(&bytes, 1)?, words: self.tail.len() as u32 });
        self.tail.clear();
        Ok(())
    }
}

impl Block {
    fn load(self, buffer: &mut Vec<u64>, pages: &mut Pages) -> Result<()> {
        let bytes = pages.get(self.place)?;
        let (bytes, _) = bytes[..8 * self.words as usize].as_chunks();
        buffer.clear();
        buffer.extend(bytes.iter().map(|bytes| u64::from_le_bytes(*bytes)));
        Ok(())
    }
}

/// A place in a list of words.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// The block of the next word; the tail behind the last.
    block: usize,
    /// The next word in it.
    at: usize,
    /// The block's words, once one of them was read.
    buffer: Vec<u64>,
}

impl Reader {
    /// The next word.
    #[inline]
    pub(super) fn next(&mut self, words: &Words, pages: &mut Pages) -> Result<Option<u64>> {
        let word = self.peek(words, pages)?;
        self.at += usize::from(word.is_some());
        Ok(word)
    }

    /// The next word, which stays the next.
    #[inline]
    pub(super) fn peek(&mut self, words: &Words, pages: &mut Pages) -> Result<Option<u64>> {
        if self.block < words.blocks.len() && self.load(words, pages)? {
            return Ok(Some(self.buffer[self.at]));
        }
        Ok(words.tail.get(self.at).copied())
    }

    /// Loads the block of the next word; `false` when it is in the tail.
    fn load(&mut self, words: &Words, pages: &mut Pages) -> Result<bool> {
        if self.at == words.blocks[self.block].words as usize {
            (self.block, self.at) = (self.block + 1, 0);
            self.buffer.clear();
        }
        let Some(block) = words.blocks.get(self.block) else { return Ok(false) };
        if self.buffer.is_empty() {
            block.load(&mut self.buffer, pages)?;
        }
        Ok(true)
    }

    /// Goes back to the first word.
    pub(super) fn rewind(&mut self) {
        (self.block, self.at) = (0, 0);
        self.buffer.clear();
    }
}

/// Reads a list of words from its end.
#[derive(Debug)]
pub(super) struct ReverseReader {
    /// Blocks that are not read.
    blocks: usize,
    /// Words that are not read of the tail or of the block behind these.
    buffer: Vec<u64>,
}

impl ReverseReader {
    pub(super) fn new(words: &Words) -> ReverseReader {
        ReverseReader { blocks: words.blocks.len(), buffer: words.tail.clone() }
    }

    /// The word before.
    pub(super) fn next(&mut self, words: &Words, pages: &mut Pages) -> Result<Option<u64>> {
        if self.buffer.is_empty() && self.blocks > 0 {
            self.blocks -= 1;
            words.blocks[self.blocks].load(&mut self.buffer, pages)?;
        }
        Ok(self.buffer.pop())
    }
}

/// Words that a list keeps in memory until they become a block.
const BLOCK: usize = 512;
