//! Boundaries in the making: chains of corners with two ends, each open or at a node.

use super::Corner;
use super::arcs::NONE;

/// An end of a chain.
pub(super) type End = u32;

#[derive(Debug, Default)]
pub(super) struct Chains {
    vertices: Vec<Vertex>,
    free_vertices: Vec<u32>,
    ends: Vec<EndEntry>,
    free_ends: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Vertex {
    corner: Corner,
    /// Neighbours along the chain, in no order.
    links: [u32; 2],
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
    pub(super) fn end_at_node(&mut self, end: End, corner: Corner, corners: &mut Vec<Corner>) -> bool {
        self.turn(end, corner);
        let other = self.ends[end as usize].other;
        if !self.ends[other as usize].at_node {
            self.ends[end as usize].at_node = true;
            return false;
        }
        let first = self.ends[other as usize].vertex;
        self.free_ends.extend([end, other]);
        self.take(first, self.vertices[first as usize].links, corners);
        true
    }

    /// Two ends meet at a corner. When that completes a chain, it moves into `corners`, so that it runs through this corner from
    /// `from` to `to`; a closed one begins and ends here.
    pub(super) fn join(&mut self, from: End, to: End, corner: Corner, corners: &mut Vec<Corner>) -> bool {
        let vertex = self.vertex(corner);
        let (came, goes) = (self.ends[from as usize], self.ends[to as usize]);
        self.free_ends.extend([from, to]);
        self.link(came.vertex, vertex);
        self.link(goes.vertex, vertex);
        if came.other == to {
            // From here along `to`; the last step arrives along `from`.
            self.take(vertex, [goes.vertex, NONE], corners);
            return true;
        }
        let (first, last) = (came.other, goes.other);
        self.ends[first as usize].other = last;
        self.ends[last as usize].other = first;
        if !(self.ends[first as usize].at_node && self.ends[last as usize].at_node) {
            return false;
        }
        let start = self.ends[first as usize].vertex;
        self.free_ends.extend([first, last]);
        self.take(start, self.vertices[start as usize].links, corners);
        true
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
        let vertex = Vertex { corner, links: [NONE; 2] };
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
    fn take(&mut self, first: u32, ways: [u32; 2], corners: &mut Vec<Corner>) {
        corners.clear();
        corners.push(self.vertices[first as usize].corner);
        let (mut before, mut at) = (first, if ways[0] == NONE { ways[1] } else { ways[0] });
        while at != NONE && at != first {
            let vertex = self.vertices[at as usize];
            corners.push(vertex.corner);
            self.free_vertices.push(at);
            let next = if vertex.links[0] == before { vertex.links[1] } else { vertex.links[0] };
            (before, at) = (at, next);
        }
        if at == first {
            corners.push(corners[0]);
        }
        self.free_vertices.push(first);
    }
}
