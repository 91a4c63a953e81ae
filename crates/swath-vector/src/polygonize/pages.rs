//! Records of bytes in pages, of which the oldest go to a file when they are many.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use super::Spill;
use crate::Result;

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    page: u32,
    /// Records begin within the first [`PAGE`] bytes.
    offset: u16,
}

impl Place {
    /// As a number below 2^48.
    pub(super) fn to_bits(self) -> u64 {
        u64::from(self.page) << 16 | u64::from(self.offset)
    }

    /// From the lowest 48 bits of a number.
    pub(super) fn from_bits(bits: u64) -> Place {
        Place { page: (bits >> 16) as u32, offset: bits as u16 }
    }
}

/// Append-only records that are released one by one. A page whose records are all released is used again.
#[derive(Debug)]
pub(super) struct Pages {
    pages: Vec<Page>,
    free: Vec<u32>,
    /// The page that is being filled.
    current: u32,
    /// Full pages in memory, oldest first from `oldest` on.
    resident: std::collections::VecDeque<u32>,
    resident_bytes: usize,
    spill: Option<Spilled>,
    spares: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Page {
    bytes: Vec<u8>,
    /// Users of all records.
    live: u32,
    /// Place in the file, and length.
    slot: Option<(u64, u32)>,
    /// Where in the cache it is, if it is still there.
    cached: usize,
}

#[derive(Debug)]
struct Spilled {
    file: File,
    memory: usize,
    end: u64,
    /// Places of the file that are free again; all of [`PAGE`] bytes.
    free: Vec<u64>,
    cache: Vec<Cached>,
    clock: usize,
}

/// A copy of a page in the file.
#[derive(Debug, Default)]
struct Cached {
    page: u32,
    bytes: Vec<u8>,
    /// Whether it was read since the clock came by.
    used: bool,
    /// Where it was changed since, its place in the file.
    changed: Option<u64>,
}

impl Pages {
    pub(super) fn new(spill: Option<Spill>) -> Pages {
        let spill = spill.map(|Spill { file, memory }| Spilled {
            file,
            memory,
            end: 0,
            free: Vec::new(),
            cache: Vec::new(),
            clock: 0,
        });
        Pages {
            pages: vec![Page::default()],
            free: Vec::new(),
            current: 0,
            resident: Default::default(),
            resident_bytes: 0,
            spill,
            spares: Vec::new(),
        }
    }

    /// Stores a record that has so many users.
    pub(super) fn append(&mut self, record: &[u8], users: u32) -> Result<Place> {
        let full = {
            let page = &self.pages[self.current as usize];
            !page.bytes.is_empty() && page.bytes.len() + record.len() > PAGE
        };
        if full {
            self.turn_page()?;
        }
        let page = &mut self.pages[self.current as usize];
        let offset = page.bytes.len() as u16;
        page.bytes.extend_from_slice(record);
        page.live += users;
        Ok(Place { page: self.current, offset })
    }

    /// The bytes from a record to the end of its page.
    pub(super) fn get(&mut self, place: Place) -> Result<&[u8]> {
        let page = &mut self.pages[place.page as usize];
        let bytes = match (page.slot, &mut self.spill) {
            (Some(slot), Some(spill)) => &spill.read(place.page, slot, &mut page.cached)?.bytes,
            _ => &page.bytes,
        };
        Ok(&bytes[place.offset as usize..])
    }

    /// Changes a part of a record.
    pub(super) fn patch(&mut self, place: Place, from: usize, part: &[u8]) -> Result<()> {
        let page = &mut self.pages[place.page as usize];
        let bytes = match (page.slot, &mut self.spill) {
            (Some(slot), Some(spill)) => {
                let cached = spill.read(place.page, slot, &mut page.cached)?;
                cached.changed = Some(slot.0);
                &mut cached.bytes
            }
            _ => &mut page.bytes,
        };
        bytes[place.offset as usize + from..][..part.len()].copy_from_slice(part);
        Ok(())
    }

    /// One user less; a record without users is gone.
    #[inline]
    pub(super) fn release(&mut self, place: Place) {
        let page = &mut self.pages[place.page as usize];
        page.live -= 1;
        if page.live == 0 {
            self.recycle(place);
        }
    }

    /// A page has no users any more.
    fn recycle(&mut self, place: Place) {
        let page = &mut self.pages[place.page as usize];
        if place.page == self.current {
            page.bytes.clear();
            return;
        }
        match page.slot.take() {
            Some((at, length)) => {
                if let Some(spill) = &mut self.spill {
                    if let Some(cached) = spill.cache.get_mut(page.cached).filter(|cached| cached.page == place.page) {
                        cached.forget();
                    }
                    if length as usize <= PAGE {
                        spill.free.push(at);
                    }
                }
            }
            None => {
                let mut bytes = std::mem::take(&mut page.bytes);
                self.resident_bytes -= bytes.len();
                if bytes.capacity() <= 2 * PAGE && self.spares.len() < SPARES {
                    bytes.clear();
                    self.spares.push(bytes);
                }
            }
        }
        self.free.push(place.page);
    }

    fn turn_page(&mut self) -> Result<()> {
        self.resident.push_back(self.current);
        self.resident_bytes += self.pages[self.current as usize].bytes.len();
        self.make_room()?;
        self.current = self.free.pop().unwrap_or_else(|| {
            self.pages.push(Page::default());
            self.pages.len() as u32 - 1
        });
        let bytes = self.spares.pop().unwrap_or_else(|| Vec::with_capacity(PAGE));
        self.pages[self.current as usize] = Page { bytes, ..Page::default() };
        Ok(())
    }

    /// Writes the oldest pages out while there are too many in memory.
    fn make_room(&mut self) -> Result<()> {
        let Some(spill) = &mut self.spill else {
            self.resident.clear();
            return Ok(());
        };
        while self.resident_bytes > spill.memory {
            let Some(oldest) = self.resident.pop_front() else { return Ok(()) };
            let page = &mut self.pages[oldest as usize];
            // Released since, or in use again: then it stands further back in the queue, too.
            if oldest == self.current && self.resident.contains(&oldest) || page.live == 0 || page.slot.is_some() {
                continue;
            }
            let length = page.bytes.len();
            page.slot = Some((spill.write(&page.bytes)?, length as u32));
            page.bytes = Vec::new();
            self.resident_bytes -= length;
        }
        Ok(())
    }
}

impl Spilled {
    fn write(&mut self, bytes: &[u8]) -> Result<u64> {
        let at = match self.free.pop() {
            Some(at) if bytes.len() <= PAGE => at,
            other => {
                self.free.extend(other);
                let at = self.end;
                self.end += bytes.len().max(PAGE) as u64;
                at
            }
        };
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)?;
        Ok(at)
    }

    /// A page of which it is known where it was in the cache.
    fn read(&mut self, page: u32, (at, length): (u64, u32), known: &mut usize) -> Result<&mut Cached> {
        if self.cache.get(*known).is_none_or(|cached| cached.page != page) {
            *known = self.oldest();
            let Spilled { cache, file, .. } = self;
            let cached = &mut cache[*known];
            if let Some(at) = cached.changed.take() {
                file.seek(SeekFrom::Start(at))?;
                file.write_all(&cached.bytes)?;
            }
            cached.forget();
            cached.bytes.resize(length as usize, 0);
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut cached.bytes)?;
            cached.page = page;
        }
        let cached = &mut self.cache[*known];
        cached.used = true;
        Ok(cached)
    }

    /// A place in the cache that has not been used for a while, by the clock of Corbató 1968.
    fn oldest(&mut self) -> usize {
        if self.cache.len() < CACHED {
            self.cache.push(Cached::default());
            return self.cache.len() - 1;
        }
        loop {
            self.clock = (self.clock + 1) % CACHED;
            if !std::mem::take(&mut self.cache[self.clock].used) {
                return self.clock;
            }
        }
    }
}

impl Cached {
    fn forget(&mut self) {
        (self.page, self.used, self.changed) = (u32::MAX, false, None);
    }
}

const PAGE: usize = 1 << 16;
/// Spilled pages that are kept for reading.
const CACHED: usize = 256;
/// Empty buffers that are kept for writing.
const SPARES: usize = 64;
