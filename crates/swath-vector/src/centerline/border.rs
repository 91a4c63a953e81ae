//! Lines go on beyond the edge of the raster: what reaches it is drawn out over it before thinning.
//!
//! Without that a line would end before the edge as it does where a road ends, with branches into both corners, and a short one between the
//! last crossing and the edge would look like such a branch.

use std::ops::Range;

/// A mask with a margin around the raster, row by row.
pub(super) struct Sheet<'a> {
    pub(super) mask: &'a mut [u8],
    pub(super) across: usize,
    /// Of the raster, in the mask.
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
}

/// The way from a side of the raster inwards: where it begins, and the steps along the side and inwards, in places of the mask.
struct Side {
    start: usize,
    count: usize,
    along: isize,
    inwards: isize,
    deep: usize,
    /// Places of the margin beyond.
    margin: usize,
}

impl Sheet<'_> {
    /// Takes gaps of a pixel or two in: a skeleton would lead around them, and where lines meet, the pixel between two of them may touch its
    /// like by a corner only.
    pub(super) fn close(&mut self) {
        let places = self.rows.clone().flat_map(|row| self.cols.clone().map(move |col| (row, col)));
        let gaps: Vec<(usize, usize)> = places.filter(|&place| self.is_gap(place)).collect();
        gaps.into_iter().for_each(|(row, col)| self.mask[row * self.across + col] = 1);
    }

    /// Whether a pixel is missing alone or with one beside it, with no more of the edge of the raster around than one side of them.
    fn is_gap(&self, place: (usize, usize)) -> bool {
        if self.mask[place.0 * self.across + place.1] != 0 {
            return false;
        }
        match self.beside(place) {
            (there, 0, _) => there >= 3,
            (there, 1, other) => {
                let (others, missing, _) = self.beside(other);
                missing == 1 && there + others >= 4
            }
            _ => false,
        }
    }

    /// How many of the pixels beside one are of the class, how many on the raster are not, and the last of these.
    fn beside(&self, (row, col): (usize, usize)) -> (usize, usize, (usize, usize)) {
        let all = [(row - 1, col), (row, col - 1), (row, col + 1), (row + 1, col)];
        let (mut there, mut missing, mut last) = (0, 0, (row, col));
        for (row, col) in all.into_iter().filter(|(row, col)| self.rows.contains(row) && self.cols.contains(col)) {
            if self.mask[row * self.across + col] != 0 {
                there += 1;
            } else {
                missing += 1;
                last = (row, col);
            }
        }
        (there, missing, last)
    }

    /// Draws lines of up to `widest` pixels along an edge out over it; `top` and `bottom` say whether the mask has those edges.
    pub(super) fn draw_out(&mut self, widest: usize, top: bool, bottom: bool) {
        let (rows, cols, across) = (self.rows.clone(), self.cols.clone(), self.across);
        if rows.is_empty() {
            return;
        }
        let down = across as isize;
        let upright =
            |start, inwards, margin| Side { start, count: rows.len(), along: down, inwards, deep: cols.len(), margin };
        let level =
            |start, inwards, margin| Side { start, count: cols.len(), along: 1, inwards, deep: rows.len(), margin };
        let right = across - cols.end;
        let mut sides = vec![
            upright(rows.start * across + cols.start, 1, cols.start),
            upright(rows.start * across + cols.end - 1, -1, right),
        ];
        if top {
            sides.push(level(rows.start * across + cols.start, down, rows.start));
        }
        if bottom {
            let margin = self.mask.len() / across - rows.end;
            sides.push(level((rows.end - 1) * across + cols.start, -down, margin));
        }
        let leaving: Vec<Vec<Range<usize>>> = sides
            .iter()
            .map(|side| {
                let runs = side.runs(self.mask, 0, 0..side.count).into_iter();
                runs.filter(|run| run.len() <= widest && side.leaves(self.mask, run)).collect()
            })
            .collect();
        for (side, runs) in sides.iter().zip(&leaving) {
            // The outermost row and column stay empty.
            for (at, out) in runs.iter().cloned().flatten().flat_map(|at| (1..side.margin).map(move |out| (at, out))) {
                self.mask[side.place(at, -(out as isize))] = 1;
            }
        }
        // What leaves through a corner leaves once.
        let at_end = |side: usize, end: bool| {
            let corner = if end { sides[side].count - 1 } else { 0 };
            leaving[side].iter().any(|run| run.contains(&corner))
        };
        let beside = [1..cols.start, cols.end..across - 1];
        for level in 2..sides.len() {
            let lower = !(top && level == 2);
            let beyond = if lower { rows.end..self.mask.len() / across - 1 } else { 1..rows.start };
            for (upright, columns) in beside.iter().enumerate() {
                if at_end(upright, lower) && at_end(level, upright == 1) {
                    for row in beyond.clone() {
                        self.mask[row * across..][columns.clone()].fill(1);
                    }
                }
            }
        }
    }
}

impl Side {
    fn place(&self, at: usize, deep: isize) -> usize {
        self.start.wrapping_add_signed(at as isize * self.along + deep * self.inwards)
    }

    /// Runs of the class on the line of pixels that lies `deep` inwards, of which some are in a range.
    fn runs(&self, mask: &[u8], deep: usize, within: Range<usize>) -> Vec<Range<usize>> {
        let has = |at: usize| mask[self.place(at, deep as isize)] != 0;
        let (mut runs, mut at) = (Vec::new(), within.start);
        while at > 0 && at < within.end && has(at) && has(at - 1) {
            at -= 1;
        }
        while at < within.end {
            let start = at;
            while at < self.count && has(at) {
                at += 1;
            }
            if at > start {
                runs.push(start..at);
            }
            at += 1;
        }
        runs
    }

    /// Whether a run of pixels on the edge is where a line leaves, and not the side of one that lies along the edge: its sides are about
    /// parallel, as far inwards as it is wide, or, where a wider part follows, a crossing, for a quarter of that and two pixels at least.
    fn leaves(&self, mask: &[u8], run: &Range<usize>) -> bool {
        let wide = run.len();
        let most = wide + (wide / 8).max(1);
        let mut now = run.clone();
        for deep in 1..=wide {
            if deep >= self.deep {
                return false;
            }
            // Those that touch, be it with corners.
            let around = now.start.saturating_sub(1)..(now.end + 1).min(self.count);
            let next = self.runs(mask, deep, around);
            let (Some(first), Some(last)) = (next.first(), next.last()) else { return false };
            now = first.start..last.end;
            if now.len() > most {
                return deep >= 2 && 4 * deep >= wide;
            }
            if 2 * now.len() < wide {
                return false;
            }
        }
        true
    }
}
