//! The rings of a face with more arcs than memory may hold.
//!
//! The arcs are sorted by the corner at which they start, in runs that are merged (external merge sort). A sweep along these corners, the last one
//! first, joins them to chains, each known by its two ends. An end waits at its corner until the sweep has come there, a start until an
//! arc has come to it; so that no more chains wait than arcs cross one row. A ring is complete with the first of its arcs, and
//! before those that come before it; so rings are written from their end to their beginning, and read back from the last one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::arcs::{ArcStore, Half};
use super::assemble::Piece;
use super::pages::Pages;
use super::record::Heading;
use super::rings::{LAST, Rings};
use super::words::{Reader, ReverseReader, Words};
use crate::Result;

/// Joins the arcs of a list, as [`Assembler`](super::assemble::Assembler) does in memory.
pub(super) fn assemble(store: &mut ArcStore, mut arcs: Words, rings: &mut Rings, holes: &mut Rings) -> Result<()> {
    let (mut runs, mut run) = (Vec::new(), Vec::new());
    let mut reader = Reader::default();
    while let Some(word) = reader.next(&arcs, &mut store.pages)? {
        let half = Half::from_word(word);
        let header = store.header(half)?;
        if header.free {
            let outer = header.area_towards(half) > 0;
            if outer { &mut *rings } else { &mut *holes }.push(&[half], outer, &mut store.pages)?;
            continue;
        }
        run.push(Piece::new(half, header));
        if run.len() >= store.limit().max(2) {
            runs.push(Run::new(&mut run, &mut store.pages)?);
        }
    }
    arcs.clear(&mut store.pages);
    runs.push(Run::new(&mut run, &mut store.pages)?);
    drop(run);
    let mut sorted = Sorted::new(runs, &mut store.pages)?;
    let holes_found = Words::default();
    let mut sweep = Sweep { chains: Vec::new(), free: Vec::new(), nodes: HashMap::new(), rings, holes: holes_found };
    let mut next = sorted.next(&mut store.pages)?;
    while let Some(piece) = next {
        next = sorted.next(&mut store.pages)?;
        let second = next.filter(|second| second.start == piece.start);
        sweep.reach(piece.start, second.is_some());
        sweep.add(piece, &mut store.pages)?;
        if let Some(second) = second {
            sweep.add(second, &mut store.pages)?;
            next = sorted.next(&mut store.pages)?;
        }
    }
    debug_assert!(sweep.nodes.is_empty(), "rings are closed");
    sorted.clear(&mut store.pages);
    holes.push_reversed(&sweep.holes, false, &mut store.pages)?;
    sweep.holes.clear(&mut store.pages);
    Ok(())
}

/// Pieces, the last one first, four words each.
struct Run {
    words: Words,
    reader: Reader,
}

impl Run {
    fn new(pieces: &mut Vec<Piece>, pages: &mut Pages) -> Result<Run> {
        pieces.sort_unstable_by_key(|piece| Reverse(piece.order()));
        let mut words = Words::default();
        for Piece { half, start, end, area, first, last } in pieces.drain(..) {
            for word in [start, end, area as u64, half.word() << 4 | first.bits() << 2 | last.bits()] {
                words.push(word, pages)?;
            }
        }
        Ok(Run { words, reader: Reader::default() })
    }

    fn next(&mut self, pages: &mut Pages) -> Result<Option<Piece>> {
        let Some(start) = self.reader.next(&self.words, pages)? else { return Ok(None) };
        let mut word = || Ok::<_, crate::VectorError>(self.reader.next(&self.words, pages)?.unwrap_or_default());
        let (end, area, half) = (word()?, word()? as i64, word()?);
        let (first, last) = (Heading::from_bits(half >> 2), Heading::from_bits(half));
        Ok(Some(Piece { half: Half::from_word(half >> 4), start, end, area, first, last }))
    }
}

/// Runs as one.
struct Sorted {
    runs: Vec<Run>,
    /// The next piece of each run.
    heads: Vec<Option<Piece>>,
    queue: BinaryHeap<(u64, Heading, usize)>,
}

impl Sorted {
    fn new(runs: Vec<Run>, pages: &mut Pages) -> Result<Sorted> {
        let mut sorted = Sorted { heads: vec![None; runs.len()], runs, queue: BinaryHeap::new() };
        for run in 0..sorted.runs.len() {
            sorted.advance(run, pages)?;
        }
        Ok(sorted)
    }

    fn next(&mut self, pages: &mut Pages) -> Result<Option<Piece>> {
        let Some((_, _, run)) = self.queue.pop() else { return Ok(None) };
        let piece = self.heads[run].take();
        self.advance(run, pages)?;
        Ok(piece)
    }

    fn advance(&mut self, run: usize, pages: &mut Pages) -> Result<()> {
        self.heads[run] = self.runs[run].next(pages)?;
        if let Some(piece) = &self.heads[run] {
            let (start, first) = piece.order();
            self.queue.push((start, first, run));
        }
        Ok(())
    }

    fn clear(mut self, pages: &mut Pages) {
        self.runs.iter_mut().for_each(|run| run.words.clear(pages));
    }
}

/// Arcs one after the other.
#[derive(Default)]
struct Chain {
    arcs: Words,
    area: i64,
    /// Where it starts and ends, and the directions of that.
    ends: [(u64, Heading); 2],
}

impl Chain {
    fn append(&mut self, other: &mut Chain, pages: &mut Pages) -> Result<()> {
        self.area += other.area;
        self.ends[1] = other.ends[1];
        self.arcs.append(&mut other.arcs, pages)
    }
}

/// A corner at which chains wait.
#[derive(Default)]
struct Node {
    /// Arcs that start here and follow none yet; 0 as long as the sweep has not come.
    unmatched: u8,
    /// Whether two arcs start here.
    saddle: bool,
    /// Chains that start or end here, with the direction of that.
    starts: [Option<(Heading, u32)>; 2],
    ends: [Option<(Heading, u32)>; 2],
}

struct Sweep<'a> {
    chains: Vec<Chain>,
    free: Vec<u32>,
    nodes: HashMap<u64, Node>,
    rings: &'a mut Rings,
    /// The arcs of holes, all from the last to the first.
    holes: Words,
}

impl Sweep<'_> {
    /// Comes to a corner at which one or two arcs start.
    fn reach(&mut self, corner: u64, saddle: bool) {
        let node = self.nodes.entry(corner).or_default();
        (node.unmatched, node.saddle) = (1 + u8::from(saddle), saddle);
    }

    /// The next piece, whose start was reached.
    fn add(&mut self, piece: Piece, pages: &mut Pages) -> Result<()> {
        let Piece { half, start, end, area, first, last } = piece;
        let mut arcs = Words::default();
        arcs.push(half.word(), pages)?;
        let mut new = Chain { arcs, area, ends: [(start, first), (end, last)] };
        let node = self.nodes.entry(end).or_default();
        let saddle = node.saddle;
        let chain = match take(&mut node.starts, |first| !saddle || last.turns_right_to(first)) {
            Some(after) => {
                self.matched(end);
                let rest = &mut self.chains[after as usize];
                new.append(rest, pages)?;
                *rest = new;
                after
            }
            None => {
                let chain = self.free.pop().unwrap_or(self.chains.len() as u32);
                put(&mut node.ends, last, chain);
                match self.chains.get_mut(chain as usize) {
                    Some(free) => *free = new,
                    None => self.chains.push(new),
                }
                chain
            }
        };
        let node = self.nodes.entry(start).or_default();
        let saddle = node.saddle;
        let Some(before) = take(&mut node.ends, |last| !saddle || last.turns_right_to(first)) else {
            put(&mut node.starts, first, chain);
            return Ok(());
        };
        self.matched(start);
        self.free.push(chain);
        let mut rest = std::mem::take(&mut self.chains[chain as usize]);
        if before == chain {
            return self.close(rest, pages);
        }
        // The chain that ends there goes on under another number.
        let (corner, last) = rest.ends[1];
        let ends = &mut self.nodes.entry(corner).or_default().ends;
        take(ends, |other| other == last);
        put(ends, last, before);
        self.chains[before as usize].append(&mut rest, pages)
    }

    /// A chain has become a ring, which its first arc completed.
    fn close(&mut self, mut ring: Chain, pages: &mut Pages) -> Result<()> {
        if ring.area > 0 {
            self.rings.push_words(&ring.arcs, true, pages)?;
        } else {
            let mut reader = ReverseReader::new(&ring.arcs);
            let mut flags = LAST;
            while let Some(word) = reader.next(&ring.arcs, pages)? {
                self.holes.push(word | std::mem::take(&mut flags), pages)?;
            }
        }
        ring.arcs.clear(pages);
        Ok(())
    }

    /// One of the arcs that start at a corner follows another now.
    fn matched(&mut self, corner: u64) {
        if let Some(node) = self.nodes.get_mut(&corner) {
            node.unmatched -= 1;
            if node.unmatched == 0 {
                self.nodes.remove(&corner);
            }
        }
    }
}

fn take(waiting: &mut [Option<(Heading, u32)>; 2], fits: impl Fn(Heading) -> bool) -> Option<u32> {
    let found = waiting.iter_mut().find(|chain| chain.is_some_and(|(heading, _)| fits(heading)))?;
    found.take().map(|(_, chain)| chain)
}

fn put(waiting: &mut [Option<(Heading, u32)>; 2], heading: Heading, chain: u32) {
    if let Some(place) = waiting.iter_mut().find(|place| place.is_none()) {
        *place = Some((heading, chain));
    }
}
