//! Regions that go to a neighbour when they are small: sieving, and filling of holes.
//!
//! Regions are found row by row. A region that no later row can touch goes to a neighbour when it is smaller than the limit and the
//! rule finds one; the neighbour has its pixels from then on, and may go on in the same way. A row is given out when
//! all of its regions are decided. An undecided region has fewer pixels than the limit, so that no more rows than that wait.

use std::collections::VecDeque;

use super::Stage;
use crate::OUTSIDE;

/// Which small regions go, and where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// All with a neighbour, to the one with the longest common border.
    LongestBorder,
    /// Those with only one neighbour and nothing outside beside them.
    Enclosed,
}

#[derive(Debug)]
pub(super) struct Absorb {
    limit: u64,
    rule: Rule,
    row: u64,
    /// Rows that wait, as runs.
    rows: VecDeque<Vec<Run>>,
    /// The first run of the first row that is undecided.
    cursor: usize,
    regions: Vec<Region>,
    free: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    start: usize,
    end: usize,
    /// [`NONE`] outside.
    region: u32,
}

#[derive(Debug)]
struct Region {
    /// Itself for a root.
    parent: u32,
    label: u32,
    pixels: u64,
    last_row: u64,
    /// Runs, children and borders of others that point here: when there are none the entry is free.
    users: u32,
    closed: bool,
    beside_outside: bool,
    /// Neighbours and lengths of common borders, as they were met; kept while the region is small.
    borders: Vec<(u32, u64)>,
}

impl Absorb {
    pub(super) fn new(limit: u64, rule: Rule) -> Absorb {
        Absorb { limit, rule, row: 0, rows: VecDeque::new(), cursor: 0, regions: Vec::new(), free: Vec::new() }
    }

    fn found(&mut self, label: u32) -> u32 {
        let region = Region {
            parent: 0,
            label,
            pixels: 0,
            last_row: self.row,
            users: 0,
            closed: false,
            beside_outside: false,
            borders: Vec::new(),
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.regions[slot as usize] = region;
                slot
            }
            None => {
                self.regions.push(region);
                self.regions.len() as u32 - 1
            }
        };
        self.regions[slot as usize].parent = slot;
        slot
    }

    /// The root of a region. The way there becomes shorter for the next time.
    fn root(&mut self, mut region: u32) -> u32 {
        loop {
            let parent = self.regions[region as usize].parent;
            let beyond = self.regions[parent as usize].parent;
            if parent == beyond {
                return parent;
            }
            self.regions[beyond as usize].users += 1;
            self.regions[region as usize].parent = beyond;
            self.release(parent);
            region = beyond;
        }
    }

    fn release(&mut self, mut region: u32) {
        loop {
            let entry = &mut self.regions[region as usize];
            entry.users -= 1;
            if entry.users > 0 {
                return;
            }
            let parent = entry.parent;
            self.drop_borders(region);
            self.free.push(region);
            if parent == region {
                return;
            }
            region = parent;
        }
    }

    fn drop_borders(&mut self, region: u32) {
        for (other, _) in std::mem::take(&mut self.regions[region as usize].borders) {
            self.release(other);
        }
    }

    /// Makes one region of two roots: `kept` has the label from then on.
    fn join(&mut self, kept: u32, gone: u32) {
        let entry = &mut self.regions[gone as usize];
        entry.parent = kept;
        let (pixels, last_row, beside) = (entry.pixels, entry.last_row, entry.beside_outside);
        let borders = std::mem::take(&mut entry.borders);
        let root = &mut self.regions[kept as usize];
        root.users += 1;
        root.pixels += pixels;
        root.last_row = root.last_row.max(last_row);
        root.beside_outside |= beside;
        root.borders.extend(borders);
        if root.pixels >= self.limit {
            self.drop_borders(kept);
        }
    }

    /// Notes a common border of two regions, and of regions with the outside.
    fn border(&mut self, a: u32, b: u32, length: u64) {
        let [a, b] = [a, b].map(|region| if region == NONE { NONE } else { self.root(region) });
        if a == b {
            return;
        }
        for (region, other) in [(a, b), (b, a)] {
            if region == NONE {
                continue;
            }
            if other == NONE {
                self.regions[region as usize].beside_outside = true;
            } else if self.regions[region as usize].pixels < self.limit {
                self.regions[region as usize].borders.push((other, length));
                self.regions[other as usize].users += 1;
            }
        }
    }

    fn is_decided(&mut self, region: u32) -> bool {
        let root = self.root(region);
        let root = &self.regions[root as usize];
        root.closed || root.pixels >= self.limit
    }

    /// The runs of a row, with their regions joined to those of the row above.
    fn runs(&mut self, labels: &[u32]) -> Vec<Run> {
        let above = self.rows.back().cloned().unwrap_or_default();
        let mut runs = Vec::new();
        let (mut start, mut next) = (0, 0);
        while start < labels.len() {
            let label = labels[start];
            let length = labels[start..].iter().position(|&other| other != label).unwrap_or(labels.len() - start);
            let end = start + length;
            let mut region = NONE;
            while let Some(run) = above.get(next).filter(|run| run.start < end) {
                if label != OUTSIDE && run.region != NONE {
                    let root = self.root(run.region);
                    // Regions that took others over have the label of the run only where it is their own.
                    if self.regions[root as usize].label == label {
                        if region == NONE {
                            region = root;
                        } else if region != root {
                            self.join(region, root);
                        }
                    }
                }
                if run.end > end {
                    break;
                }
                next += 1;
            }
            if label != OUTSIDE {
                if region == NONE {
                    region = self.found(label);
                }
                let entry = &mut self.regions[region as usize];
                entry.pixels += length as u64;
                entry.last_row = self.row;
                entry.users += 1;
                entry.beside_outside |= start == 0 || end == labels.len() || self.row == 0;
                if entry.pixels >= self.limit {
                    self.drop_borders(region);
                }
            }
            runs.push(Run { start, end, region });
            start = end;
        }
        runs
    }

    fn borders(&mut self, above: &[Run], runs: &[Run]) {
        for pair in runs.windows(2) {
            self.border(pair[0].region, pair[1].region, 1);
        }
        let mut first = 0;
        for run in runs {
            while above.get(first).is_some_and(|other| other.end <= run.start) {
                first += 1;
            }
            for other in above[first..].iter().take_while(|other| other.start < run.end) {
                let length = run.end.min(other.end) - run.start.max(other.start);
                self.border(run.region, other.region, length as u64);
            }
        }
    }

    /// Decides about the regions of a row that do not reach the next one.
    fn close(&mut self, runs: &[Run]) {
        for run in runs.iter().filter(|run| run.region != NONE) {
            let mut region = self.root(run.region);
            // Who takes a region over may be complete itself.
            while self.regions[region as usize].last_row < self.row && !self.regions[region as usize].closed {
                let target = self.target(region);
                match target {
                    Some(target) => {
                        self.join(target, region);
                        region = target;
                    }
                    None => {
                        self.regions[region as usize].closed = true;
                        self.drop_borders(region);
                    }
                }
            }
        }
    }

    /// Where a complete region goes.
    fn target(&mut self, region: u32) -> Option<u32> {
        if self.regions[region as usize].pixels >= self.limit {
            return None;
        }
        self.sum_borders(region);
        let entry = &self.regions[region as usize];
        let label = |region: u32| self.regions[region as usize].label;
        let longest = entry.borders.iter().rev().max_by_key(|&&(other, length)| (label(other) == entry.label, length));
        match self.rule {
            Rule::LongestBorder => longest.map(|&(other, _)| other),
            Rule::Enclosed => {
                longest.filter(|_| entry.borders.len() == 1 && !entry.beside_outside).map(|&(other, _)| other)
            }
        }
    }

    /// Makes one border of all with the same neighbour, in the order in which they were met. A neighbour is then a root.
    fn sum_borders(&mut self, region: u32) {
        let mut borders = std::mem::take(&mut self.regions[region as usize].borders);
        for (other, _) in &mut borders {
            let root = self.root(*other);
            self.regions[root as usize].users += 1;
            self.release(std::mem::replace(other, root));
        }
        let met = borders.into_iter().enumerate();
        let mut sums: Vec<(u32, usize, u64)> = met.map(|(met, (root, length))| (root, met, length)).collect();
        sums.sort_unstable();
        sums.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same {
                first.2 += next.2;
                self.release(next.0);
            }
            same
        });
        sums.sort_unstable_by_key(|&(_, met, _)| met);
        sums.retain(|&(root, ..)| {
            if root == region {
                self.release(root);
            }
            root != region
        });
        self.regions[region as usize].borders = sums.into_iter().map(|(root, _, length)| (root, length)).collect();
    }

    /// Gives out the rows whose regions are decided.
    fn give(&mut self, out: &mut Vec<u32>) {
        // The last row is needed by the next.
        while self.rows.len() > 1 {
            while let Some(run) = self.rows[0].get(self.cursor) {
                let region = run.region;
                if region != NONE && !self.is_decided(region) {
                    return;
                }
                self.cursor += 1;
            }
            self.give_first(out);
        }
    }

    fn give_first(&mut self, out: &mut Vec<u32>) {
        let Some(runs) = self.rows.pop_front() else { return };
        for Run { start, end, region } in runs {
            let label = if region == NONE {
                OUTSIDE
            } else {
                let root = self.root(region);
                self.regions[root as usize].label
            };
            out.extend(std::iter::repeat_n(label, end - start));
            if region != NONE {
                self.release(region);
            }
        }
        self.cursor = 0;
    }
}

impl Stage for Absorb {
    fn push(&mut self, row: &[u32], out: &mut Vec<u32>) {
        let runs = self.runs(row);
        if let Some(above) = self.rows.back().cloned() {
            self.borders(&above, &runs);
            self.close(&above);
        } else {
            self.borders(&[], &runs);
        }
        self.rows.push_back(runs);
        self.row += 1;
        self.give(out);
    }

    fn finish(&mut self, out: &mut Vec<u32>) {
        if let Some(last) = self.rows.back().cloned() {
            for run in last.iter().filter(|run| run.region != NONE) {
                let root = self.root(run.region);
                self.regions[root as usize].beside_outside = true;
            }
            self.close(&last);
        }
        while !self.rows.is_empty() {
            self.give_first(out);
        }
    }
}

const NONE: u32 = u32::MAX;
