//! Faces: 4-connected pixels of one label, joined row by row with union-find (Rosenfeld and Pfaltz 1966).
//!
//! Only faces that reach the last row, and their arcs, are known. At the end of each row its runs point at the roots, so
//! that entries which were joined into others can be used again.

use super::OUTSIDE;
use super::arcs::{ArcList, ArcStore, NONE};
use super::groups::Groups;
use super::tally::{Tallies, Tally};
use crate::Result;

#[derive(Debug)]
pub(super) struct Faces {
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Entries that were joined into others in this row.
    joined: Vec<u32>,
    row: u32,
    above: Row,
    current: Row,
    tallies: Tallies,
    /// The run of the row above that is looked at next, for [`Faces::next_finished`].
    cursor: usize,
}

/// A face that is complete.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) label: u32,
    pub(super) pixels: u64,
    pub(super) touches_edge: bool,
    pub(super) group: u32,
    pub(super) tally: u32,
    pub(super) arcs: ArcList,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    parent: u32,
    label: u32,
    pixels: u64,
    last_row: u32,
    group: u32,
    /// Where the numbers of its pixels are counted, or [`NONE`].
    tally: u32,
    arcs: ArcList,
    touches_edge: bool,
    finished: bool,
}

#[derive(Debug)]
struct Row {
    runs: Vec<Run>,
    /// The face of each column, [`NONE`] outside; with one column more at either end.
    faces: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    start: u32,
    end: u32,
    face: u32,
}

impl Faces {
    pub(super) fn new(width: usize) -> Faces {
        let row = || Row { runs: Vec::new(), faces: vec![NONE; width + 2] };
        Faces {
            entries: Vec::new(),
            free: Vec::new(),
            joined: Vec::new(),
            row: 0,
            above: row(),
            current: row(),
            tallies: Tallies::default(),
            cursor: 0,
        }
    }

    /// Gives the pixels of the next row to faces, with a number each where there are some.
    pub(super) fn next_row(
        &mut self,
        labels: &[u32],
        numbers: Option<&[f32]>,
        row: u32,
        store: &mut ArcStore,
        mut groups: Option<&mut Groups>,
    ) -> Result<()> {
        self.row = row;
        self.cursor = 0;
        self.current.runs.clear();
        let width = labels.len();
        // The first run above that may still touch what comes.
        let mut above = 0;
        let mut start = 0;
        while start < width {
            let label = labels[start];
            let length = labels[start..].iter().position(|&other| other != label).unwrap_or(width - start);
            let end = start + length;
            let mut face = NONE;
            if label != OUTSIDE {
                while let Some(run) = self.above.runs.get(above).copied() {
                    if run.start as usize >= end {
                        break;
                    }
                    if run.end as usize > start {
                        let root = self.root(run.face);
                        if self.entries[root as usize].label == label {
                            face =
                                if face == NONE { root } else { self.join(face, root, store, groups.as_deref_mut())? };
                        }
                        if run.end as usize > end {
                            break;
                        }
                    }
                    above += 1;
                }
                if face == NONE {
                    face = self.found(label, groups.as_deref_mut());
                }
                let entry = &mut self.entries[face as usize];
                entry.pixels += length as u64;
                entry.last_row = row;
                entry.touches_edge |= row == 0 || start == 0 || end == width;
                if let Some(numbers) = numbers {
                    if entry.tally == NONE {
                        entry.tally = self.tallies.found();
                    }
                    self.tallies.add(entry.tally, &numbers[start..end]);
                }
                self.current.runs.push(Run { start: start as u32, end: end as u32, face });
            }
            self.current.faces[start + 1..end + 1].fill(face);
            start = end;
        }
        Ok(())
    }

    /// The face of a pixel of the row above; column 0 is outside.
    pub(super) fn above(&self, column: usize) -> u32 {
        self.above.faces[column]
    }

    /// The face of a pixel of the current row; column 0 is outside.
    pub(super) fn current(&self, column: usize) -> u32 {
        self.current.faces[column]
    }

    /// The numbers of a finished face's pixels.
    pub(super) fn tally(&self, face: &Finished) -> Option<&Tally> {
        self.tallies.get(face.tally)
    }

    /// Forgets the numbers of a finished face's pixels.
    pub(super) fn release(&mut self, face: &Finished) {
        self.tallies.release(face.tally);
    }

    /// Gives a closed arc to the faces at its sides.
    pub(super) fn attach(&mut self, slot: u32, sides: [u32; 2], store: &mut ArcStore) {
        for (face, right) in sides.into_iter().zip([false, true]) {
            if face != NONE {
                let root = self.root(face);
                store.push(&mut self.entries[root as usize].arcs, slot, right);
            }
        }
    }

    /// The group of a face.
    pub(super) fn group(&mut self, face: u32) -> u32 {
        let root = self.root(face);
        self.entries[root as usize].group
    }

    /// The next face that does not reach the current row; each comes once.
    pub(super) fn next_finished(&mut self) -> Option<Finished> {
        while let Some(run) = self.above.runs.get(self.cursor).copied() {
            self.cursor += 1;
            let root = self.root(run.face);
            let entry = &mut self.entries[root as usize];
            if entry.last_row < self.row && !entry.finished {
                entry.finished = true;
                let Entry { label, pixels, touches_edge, group, tally, arcs, .. } = *entry;
                self.joined.push(root);
                return Some(Finished { label, pixels, touches_edge, group, tally, arcs });
            }
        }
        None
    }

    /// Marks the faces of the row above as lying at the edge: nothing comes below it.
    pub(super) fn touch_bottom(&mut self) {
        for index in 0..self.above.runs.len() {
            let root = self.root(self.above.runs[index].face);
            self.entries[root as usize].touches_edge = true;
        }
    }

    /// The current row becomes the one above.
    pub(super) fn end_row(&mut self) {
        for index in 0..self.current.runs.len() {
            let Run { start, end, face } = self.current.runs[index];
            let root = self.root(face);
            if root != face {
                self.current.runs[index].face = root;
                self.current.faces[start as usize + 1..end as usize + 1].fill(root);
            }
        }
        self.free.append(&mut self.joined);
        std::mem::swap(&mut self.above, &mut self.current);
    }

    /// Moves the arcs of all faces that reach the row above out of memory; after [`Faces::end_row`] no others are known.
    pub(super) fn unlink(&mut self, store: &mut ArcStore) -> Result<()> {
        for index in 0..self.above.runs.len() {
            let face = self.above.runs[index].face;
            store.unlink(&mut self.entries[face as usize].arcs)?;
        }
        Ok(())
    }

    fn found(&mut self, label: u32, groups: Option<&mut Groups>) -> u32 {
        let slot = self.free.pop().unwrap_or(self.entries.len() as u32);
        let entry = Entry {
            parent: slot,
            label,
            pixels: 0,
            last_row: self.row,
            group: groups.map_or(NONE, Groups::found),
            tally: NONE,
            arcs: ArcList::EMPTY,
            touches_edge: false,
            finished: false,
        };
        match self.entries.get_mut(slot as usize) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
        slot
    }

    /// The root of a face, halving the way there.
    fn root(&mut self, mut face: u32) -> u32 {
        loop {
            let parent = self.entries[face as usize].parent;
            if parent == face {
                return face;
            }
            let grandparent = self.entries[parent as usize].parent;
            self.entries[face as usize].parent = grandparent;
            face = grandparent;
        }
    }

    fn join(&mut self, a: u32, b: u32, store: &mut ArcStore, groups: Option<&mut Groups>) -> Result<u32> {
        if a == b {
            return Ok(a);
        }
        let (root, child) =
            if self.entries[a as usize].pixels >= self.entries[b as usize].pixels { (a, b) } else { (b, a) };
        let old = self.entries[child as usize];
        self.entries[child as usize].parent = root;
        self.joined.push(child);
        let entry = &mut self.entries[root as usize];
        entry.pixels += old.pixels;
        entry.last_row = entry.last_row.max(old.last_row);
        entry.touches_edge |= old.touches_edge;
        if entry.tally == NONE {
            entry.tally = old.tally;
        } else if old.tally != NONE {
            self.tallies.join(entry.tally, old.tally);
        }
        store.concat(&mut entry.arcs, old.arcs)?;
        if let Some(groups) = groups {
            groups.join_face(entry.group, old.group, &mut store.pages)?;
        }
        Ok(root)
    }
}
