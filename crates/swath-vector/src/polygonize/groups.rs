//! Faces of one label that touch at corners, for 8-connected regions: union-find over faces, with the finished faces
//! of each group until its last one finishes.
//!
//! Every entry counts who points at it, so that it can be used again when nobody does.

use super::arcs::NONE;
use super::pages::Pages;
use super::rings::Rings;
use super::tally::Tally;
use crate::Result;

#[derive(Debug, Default)]
pub(super) struct Groups {
    entries: Vec<Entry>,
    free: Vec<u32>,
}

/// The finished faces of a region.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) pixels: u64,
    pub(super) touches_edge: bool,
    pub(super) rings: Rings,
    pub(super) tally: Option<Tally>,
}

#[derive(Debug, Default)]
struct Entry {
    /// [`NONE`] for a root.
    parent: u32,
    /// Unfinished faces and child entries that point here.
    users: u32,
    /// Unfinished faces of the group; of roots.
    open: u32,
    /// Entries of the group, to keep trees flat; of roots.
    size: u32,
    parts: Parts,
}

impl Groups {
    /// A group of one face.
    pub(super) fn found(&mut self) -> u32 {
        let entry = Entry { parent: NONE, users: 1, open: 1, size: 1, parts: Parts::default() };
        match self.free.pop() {
            Some(slot) => {
                self.entries[slot as usize] = entry;
                slot
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        }
    }

    /// Two faces touch at a corner.
    pub(super) fn touch(&mut self, a: u32, b: u32, pages: &mut Pages) -> Result<()> {
        let (a, b) = (self.root(a), self.root(b));
        if a == b {
            return Ok(());
        }
        let (root, child) =
            if self.entries[a as usize].size >= self.entries[b as usize].size { (a, b) } else { (b, a) };
        let mut parts = std::mem::take(&mut self.entries[child as usize].parts);
        let (open, size) = (self.entries[child as usize].open, self.entries[child as usize].size);
        self.entries[child as usize].parent = root;
        let entry = &mut self.entries[root as usize];
        entry.users += 1;
        entry.open += open;
        entry.size += size;
        entry.parts.add(parts.pixels, parts.touches_edge, &mut parts.rings, parts.tally.as_ref(), pages)
    }

    /// Two faces became one: the first one's group goes on for it.
    pub(super) fn join_face(&mut self, kept: u32, gone: u32, pages: &mut Pages) -> Result<()> {
        self.touch(kept, gone, pages)?;
        let root = self.root(gone);
        self.entries[root as usize].open -= 1;
        self.leave(gone);
        Ok(())
    }

    /// A face is finished; the whole group when it was the last.
    pub(super) fn finish_face(
        &mut self,
        group: u32,
        pixels: u64,
        touches_edge: bool,
        rings: &mut Rings,
        tally: Option<&Tally>,
        pages: &mut Pages,
    ) -> Result<Option<Parts>> {
        let root = self.root(group);
        let entry = &mut self.entries[root as usize];
        entry.parts.add(pixels, touches_edge, rings, tally, pages)?;
        entry.open -= 1;
        let parts = (entry.open == 0).then(|| std::mem::take(&mut entry.parts));
        self.leave(group);
        Ok(parts)
    }

    fn root(&self, mut group: u32) -> u32 {
        while self.entries[group as usize].parent != NONE {
            group = self.entries[group as usize].parent;
        }
        group
    }

    /// One user less; an entry without users is free.
    fn leave(&mut self, mut group: u32) {
        loop {
            let entry = &mut self.entries[group as usize];
            entry.users -= 1;
            if entry.users > 0 {
                return;
            }
            self.free.push(group);
            if entry.parent == NONE {
                return;
            }
            group = entry.parent;
        }
    }
}

impl Parts {
    /// Takes over further faces.
    fn add(
        &mut self,
        pixels: u64,
        touches_edge: bool,
        rings: &mut Rings,
        tally: Option<&Tally>,
        pages: &mut Pages,
    ) -> Result<()> {
        self.pixels += pixels;
        self.touches_edge |= touches_edge;
        if let Some(tally) = tally {
            self.tally.get_or_insert_default().merge(tally);
        }
        self.rings.append(rings, pages)
    }
}
