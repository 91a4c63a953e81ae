//! Boundaries in the making: chains of corners with two ends, each open or at a node.
//!
//! When they have many corners, those between the ends become records in [`Pages`], each in the place of one vertex.

use super::Corner;
use super::arcs::NONE;
use super::pages::{Pages, Place};
use crate::Result;

/// An end of a chain.
pub(super) type End = u32;

#[derive(Debug, Default)]
pub(super) struct Chains {
    vertices: Vec<Vertex>,
    free_vertices: Vec<u32>,
    ends: Vec<EndEntry>,
    free_ends: Vec<u32>,
    /// Vertices that were left when chains were last packed.
    packed: usize,
}

#[derive(Debug, Clone, Copy)]
struct Vertex {
    what: What,
    /// Neighbours along the chain, in no order.
    links: [u32; 2],
}

#[derive(Debug, Clone, Copy)]
enum What {
    Corner(Corner),
    /// The record of corners that lie one after the other on the way from the first neighbour to the second.
    Packed {
        place: Place,
        count: u16,
    },
}

#[derive(Debug, Clone, Copy)]
struct EndEntry {
    vertex: u32,
    /// The other end of the chain.
    other: End,
    at_node: bool,
}

impl Chains {
    /// A corner from which two open ends go out.
    pub(super) fn begin(&mut self, corner: Corner) -> [End; 2] {
        let vertex = self.vertex(corner);
        self.pair(vertex, false)
    }

    /// An end that goes out from a node.
    pub(super) fn begin_at_node(&mut self, corner: Corner) -> End {
        let vertex = self.vertex(corner);
        self.pair(vertex, true)[0]
    }

    /// An end turns.
    pub(super) fn turn(&mut self, end: End, corner: Corner) {
        let vertex = self.vertex(corner);
        self.link(self.ends[end as usize].vertex, vertex);
        self.ends[end as usize].vertex = vertex;
    }

    /// An end arrives at a node. When the other end is at one, too, the chain is complete: it moves into `corners`, from the
    /// other end to this one.
    pub(super) fn end_at_node(
        &mut self,
        end: End,
        corner: Corner,
        corners: &mut Vec<Corner>,
        pages: &mut Pages,
    ) -> Result<bool> {
        self.turn(end, corner);
        let other = self.ends[end as usize].other;
        if !self.ends[other as usize].at_node {
            self.ends[end as usize].at_node = true;
            return Ok(false);
        }
        let first = self.ends[other as usize].vertex;
        self.free_ends.extend([end, other]);
        self.take(first, self.vertices[first as usize].links, corners, pages)?;
        Ok(true)
    }

    /// Two ends meet at a corner. When that completes a chain, it moves into `corners`, so that it runs through this corner from
    /// `from` to `to`; a closed one begins and ends here.
    pub(super) fn join(
        &mut self,
        [from, to]: [End; 2],
        corner: Corner,
        corners: &mut Vec<Corner>,
        pages: &mut Pages,
    ) -> Result<bool> {
        let vertex = self.vertex(corner);
        let (came, goes) = (self.ends[from as usize], self.ends[to as usize]);
        self.free_ends.extend([from, to]);
        self.link(came.vertex, vertex);
        self.link(goes.vertex, vertex);
        if came.other == to {
            // From here along `to`; the last step arrives along `from`.
            self.take(vertex, [goes.vertex, NONE], corners, pages)?;
            return Ok(true);
        }
        let (first, last) = (came.other, goes.other);
        self.ends[first as usize].other = last;
        self.ends[last as usize].other = first;
        if !(self.ends[first as usize].at_node && self.ends[last as usize].at_node) {
            return Ok(false);
        }
        let start = self.ends[first as usize].vertex;
        self.free_ends.extend([first, last]);
        self.take(start, self.vertices[start as usize].links, corners, pages)?;
        Ok(true)
    }

    /// Whether there are more vertices than so many, and twice as many as were left when chains were last packed.
    pub(super) fn are_crowded(&self, limit: usize) -> bool {
        self.vertices.len() - self.free_vertices.len() > limit.max(2 * self.packed)
    }

    /// Packs the corners of the chains to which these ends belong.
    pub(super) fn pack(&mut self, ends: &[End], pages: &mut Pages) -> Result<()> {
        for &end in ends.iter().filter(|&&end| end != NONE) {
            let EndEntry { vertex, other, .. } = self.ends[end as usize];
            // Chains with two open ends come twice.
            if self.ends[other as usize].at_node || end < other {
                self.pack_between(vertex, self.ends[other as usize].vertex, pages)?;
            }
        }
        self.packed = self.vertices.len() - self.free_vertices.len();
        Ok(())
    }

    fn pack_between(&mut self, first: u32, last: u32, pages: &mut Pages) -> Result<()> {
        let (mut run, mut record) = (Vec::new(), Vec::new());
        let (mut before, mut at) = (first, self.vertices[first as usize].way_on(NONE));
        while at != NONE {
            let corner = match self.vertices[at as usize].what {
                What::Corner(corner) if at != last => Some(corner),
                _ => None,
            };
            if run.len() == MOST || corner.is_none() && run.len() >= LEAST {
                let what = What::Packed { place: pages.append(&record, 1)?, count: run.len() as u16 };
                before = self.replace(&run, at, what);
                run.clear();
            }
            if run.is_empty() || corner.is_none() {
                run.clear();
                record.clear();
            }
            if let Some(corner) = corner {
                run.push(at);
                record.extend(corner.col.to_le_bytes());
                record.extend(corner.row.to_le_bytes());
            }
            (before, at) = (at, self.vertices[at as usize].way_on(before));
        }
        Ok(())
    }

    /// Puts one vertex in the place of several, which come before `next`.
    fn replace(&mut self, run: &[u32], next: u32, what: What) -> u32 {
        let (first, last) = (run[0], run[run.len() - 1]);
        let before = self.vertices[first as usize].way_on(run[1]);
        self.vertices[first as usize] = Vertex { what, links: [before, next] };
        let links = &mut self.vertices[next as usize].links;
        links[usize::from(links[0] != last)] = first;
        self.free_vertices.extend(&run[1..]);
        first
    }

    fn pair(&mut self, vertex: u32, at_node: bool) -> [End; 2] {
        let (first, second) = (self.end(), self.end());
        self.ends[first as usize] = EndEntry { vertex, other: second, at_node: false };
        self.ends[second as usize] = EndEntry { vertex, other: first, at_node };
        [first, second]
    }

    fn end(&mut self) -> End {
        self.free_ends.pop().unwrap_or_else(|| {
            self.ends.push(EndEntry { vertex: NONE, other: NONE, at_node: false });
            self.ends.len() as u32 - 1
        })
    }

    fn vertex(&mut self, corner: Corner) -> u32 {
        let vertex = Vertex { what: What::Corner(corner), links: [NONE; 2] };
        match self.free_vertices.pop() {
            Some(index) => {
                self.vertices[index as usize] = vertex;
                index
            }
            None => {
                self.vertices.push(vertex);
                self.vertices.len() as u32 - 1
            }
        }
    }

    fn link(&mut self, a: u32, b: u32) {
        for (from, to) in [(a, b), (b, a)] {
            let links = &mut self.vertices[from as usize].links;
            let free = usize::from(links[0] != NONE);
            links[free] = to;
        }
    }

    /// Moves a chain into `corners`, from `first` through the one of `ways` that is no end; until there is no way on, or the first again.
    fn take(&mut self, first: u32, ways: [u32; 2], corners: &mut Vec<Corner>, pages: &mut Pages) -> Result<()> {
        corners.clear();
        self.vertices[first as usize].append_to(corners, NONE, pages)?;
        let (mut before, mut at) = (first, if ways[0] == NONE { ways[1] } else { ways[0] });
        while at != NONE && at != first {
            let vertex = self.vertices[at as usize];
            vertex.append_to(corners, before, pages)?;
            self.free_vertices.push(at);
            (before, at) = (at, vertex.way_on(before));
        }
        if at == first {
            corners.push(corners[0]);
        }
        self.free_vertices.push(first);
        Ok(())
    }
}

impl Vertex {
    /// The neighbour that is not `before`.
    fn way_on(self, before: u32) -> u32 {
        if self.links[0] == before { self.links[1] } else { self.links[0] }
    }

    /// Appends its corners, on the way from the neighbour `before`; a record is gone then.
    fn append_to(self, corners: &mut Vec<Corner>, before: u32, pages: &mut Pages) -> Result<()> {
        let (place, count) = match self.what {
            What::Corner(corner) => {
                corners.push(corner);
                return Ok(());
            }
            What::Packed { place, count } => (place, count as usize),
        };
        let from = corners.len();
        let (numbers, _) = pages.get(place)?.as_chunks();
        let numbers = numbers[..2 * count].iter().map(|bytes| u32::from_le_bytes(*bytes));
        corners
            .extend(numbers.clone().step_by(2).zip(numbers.skip(1).step_by(2)).map(|(col, row)| Corner { col, row }));
        if self.links[0] != before {
            corners[from..].reverse();
        }
        pages.release(place);
        Ok(())
    }
}

/// Corners of a record, at least and at most.
const LEAST: usize = 4;
const MOST: usize = 4096;
