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
    live: u32,
    /// Place in the file, in pages.
    slot: Option<(u64, u32)>,
}

#[derive(Debug)]
struct Spilled {
    file: File,
    memory: usize,
    end: u64,
    /// Places of the file that are free again; all of [`PAGE`] bytes.
    free: Vec<u64>,
    cache: Vec<(u32, Vec<u8>)>,
    clock: usize,
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

    /// Stores a record.
    pub(super) fn append(&mut self, record: &[u8]) -> Result<Place> {
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
        page.live += 1;
        Ok(Place { page: self.current, offset })
    }

    /// The bytes from a record to the end of its page.
    pub(super) fn get(&mut self, place: Place) -> Result<&[u8]> {
        let page = &self.pages[place.page as usize];
        let bytes = match (page.slot, &mut self.spill) {
            (Some((at, length)), Some(spill)) => spill.read(place.page, at, length)?,
            _ => &page.bytes,
        };
        Ok(&bytes[place.offset as usize..])
    }

    /// Gives a record up.
    pub(super) fn release(&mut self, place: Place) {
        let page = &mut self.pages[place.page as usize];
        page.live -= 1;
        if page.live > 0 {
            return;
        }
        if place.page == self.current {
            page.bytes.clear();
            return;
        }
        match page.slot.take() {
            Some((at, length)) => {
                if let Some(spill) = &mut self.spill {
                    spill.cache.retain(|(cached, _)| *cached != place.page);
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

    fn read(&mut self, page: u32, at: u64, length: u32) -> Result<&[u8]> {
        if let Some(index) = self.cache.iter().position(|(cached, _)| *cached == page) {
            return Ok(&self.cache[index].1);
        }
        let index = if self.cache.len() < CACHED {
            self.cache.push((page, Vec::new()));
            self.cache.len() - 1
        } else {
            self.clock = (self.clock + 1) % CACHED;
            self.clock
        };
        let (cached, bytes) = &mut self.cache[index];
        *cached = u32::MAX;
        bytes.resize(length as usize, 0);
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(bytes)?;
        *cached = page;
        Ok(&self.cache[index].1)
    }
}

const PAGE: usize = 1 << 16;
/// Spilled pages that are kept for reading.
const CACHED: usize = 32;
/// Empty buffers that are kept for writing.
const SPARES: usize = 64;
