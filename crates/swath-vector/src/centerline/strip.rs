//! Thinning, strip by strip, and the middle and a first width at each pixel of the skeleton.
//!
//! Z. Guo, R. W. Hall, *Parallel thinning with two-subiteration algorithms*, Communications of the ACM 32 (1989), algorithm A1: pixels go
//! whose neighbours stay connected without them, those at lower right and at upper left in turn. What differs: after the first round only
//! pixels near those that have gone are looked at again, which changes nothing, since the others were refused as they are.

use std::ops::Range;

use super::border::Sheet;
use super::mask::{Mask, reach};
use crate::{Result, VectorError};

/// A pixel of the skeleton.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct SkeletonPixel {
    pub(super) row: u32,
    pub(super) col: u32,
    /// The middle between both edges, in pixel coordinates.
    pub(super) middle: (f64, f64),
    /// Pixels from edge to edge, on the way to the nearest pixel outside and back.
    pub(super) width: f64,
    /// Where the skeleton goes on from here beyond the edge of the raster: the middle of the class's pixels on the edge.
    pub(super) exit: Option<(f64, f64)>,
}

/// Gathers rows, and thins those that have enough others around.
#[derive(Debug)]
pub(super) struct Strips {
    width: usize,
    label: u32,
    widest: usize,
    /// Rows from `first` on; 1 where the class is.
    mask: Vec<u8>,
    first: usize,
    /// Rows that came, and of those the ones that are done.
    rows: usize,
    done: usize,
    skeleton: Vec<SkeletonPixel>,
    /// What is near the skeleton.
    near: Mask,
}

/// Rows that are thinned together, at least.
const STRIP: usize = 256;

impl Strips {
    pub(super) fn new(width: usize, label: u32, widest: usize) -> Strips {
        Strips {
            width,
            label,
            widest,
            mask: Vec::new(),
            first: 0,
            rows: 0,
            done: 0,
            skeleton: Vec::new(),
            near: Mask::default(),
        }
    }

    pub(super) fn push(&mut self, labels: &[u32]) -> Result<()> {
        if !labels.len().is_multiple_of(self.width) {
            return Err(VectorError::Size(format!("{} labels are no whole rows of {}", labels.len(), self.width)));
        }
        for row in labels.chunks_exact(self.width) {
            self.mask.extend(row.iter().map(|&label| u8::from(label == self.label)));
            self.rows += 1;
            if self.rows == self.done + self.strip() + self.margin() {
                self.thin(self.done + self.strip());
            }
        }
        Ok(())
    }

    /// The skeleton, and what is near it.
    pub(super) fn finish(mut self) -> (Vec<SkeletonPixel>, Mask) {
        self.thin(self.rows);
        (self.skeleton, self.near)
    }

    /// Rounds of thinning: one takes a pixel from either side.
    fn rounds(&self) -> usize {
        self.widest / 2 + 2
    }

    /// Rows around a strip: a pixel looks at its neighbours twice a round, and once more for its width or for what is near the skeleton;
    /// what is drawn out over the edge of the raster depends on all of its run there, and all of that on gaps of two pixels.
    fn margin(&self) -> usize {
        3 * self.rounds() + self.near() + self.run() + 3
    }

    /// Pixels along the edge of the raster of what is drawn out over it: a line that leaves aslant is wider there.
    fn run(&self) -> usize {
        self.widest * 3 / 2 + 1
    }

    /// Pixels from the skeleton as far as which widths and ends are looked for.
    fn near(&self) -> usize {
        self.widest + 4
    }

    /// Wide margins ask for strips that are higher, or most of the work would be done twice.
    fn strip(&self) -> usize {
        STRIP.max(self.margin())
    }

    /// Thins the rows up to `end`.
    fn thin(&mut self, end: usize) {
        // Far enough that nothing of how it ends comes back over the edge.
        let beyond = self.near() + 1;
        let (top, bottom) = (self.first == 0, end == self.rows);
        let [above, below] = [top, bottom].map(|edge| if edge { beyond } else { 1 });
        let across = self.width + 2 * beyond;
        let count = self.mask.len() / self.width;
        let mut mask = vec![0; (above + count + below) * across];
        for (row, line) in self.mask.chunks_exact(self.width).enumerate() {
            mask[(above + row) * across + beyond..][..self.width].copy_from_slice(line);
        }
        let (rows, cols) = (above..above + count, beyond..beyond + self.width);
        let mut sheet = Sheet { mask: &mut mask, across, rows: rows.clone(), cols: cols.clone() };
        sheet.close();
        sheet.draw_out(self.run(), top, bottom);
        let mut window = Window::new(mask, across, self.rounds());
        window.thin();
        for row in self.done..end {
            let inside = row - self.first + above;
            for col in cols.clone().filter(|&col| window.left[inside * across + col] != 0) {
                if let Some((middle, width)) = window.middle(inside, col, self.widest) {
                    let place = |(x, y): (f64, f64)| (x - beyond as f64, y + self.first as f64 - above as f64);
                    let edge = [row == 0, bottom && row + 1 == end, col == cols.start, col + 1 == cols.end];
                    let exit = window.exit((inside, col), edge, rows.clone(), cols.clone()).map(place);
                    let middle = place((middle.0 + 0.5, middle.1 + 0.5));
                    self.skeleton.push(SkeletonPixel {
                        row: row as u32,
                        col: (col - beyond) as u32,
                        middle,
                        width,
                        exit,
                    });
                }
            }
        }
        let rows = self.done - self.first + above..end - self.first + above;
        self.near.keep(&window.mask, &window.left, across, rows, cols, self.near());
        self.done = end;
        let first = end.saturating_sub(self.margin()).max(self.first);
        self.mask.drain(..(first - self.first) * self.width);
        self.first = first;
    }
}

/// Rows of a mask whose outermost rows and columns are empty.
struct Window {
    mask: Vec<u8>,
    /// What thinning has left.
    left: Vec<u8>,
    across: usize,
    rounds: usize,
}

impl Window {
    fn new(mask: Vec<u8>, across: usize, rounds: usize) -> Window {
        Window { left: mask.clone(), mask, across, rounds }
    }

    fn thin(&mut self) {
        let border = |&at: &usize| self.left[at] != 0 && self.around(at).contains(&0);
        let mut open: Vec<usize> = (self.across..self.left.len() - self.across).filter(border).collect();
        for _ in 0..self.rounds {
            let mut gone = Vec::new();
            for upper in [false, true] {
                let goes = |&at: &usize| self.left[at] != 0 && may_go(&self.around(at), upper);
                let now: Vec<usize> = open.iter().copied().filter(goes).collect();
                now.iter().for_each(|&at| self.left[at] = 0);
                // Those beside the ones that have just gone may go in the second half.
                if !upper {
                    open.extend(now.iter().flat_map(|&at| self.places(at)).filter(|&at| self.left[at] != 0));
                    open.sort_unstable();
                    open.dedup();
                }
                gone.extend(now);
            }
            if gone.is_empty() {
                break;
            }
            open = gone.iter().flat_map(|&at| self.places(at)).filter(|&at| self.left[at] != 0).collect();
            open.sort_unstable();
            open.dedup();
        }
    }

    /// Places around a pixel, clockwise from above.
    fn places(&self, at: usize) -> [usize; 8] {
        let w = self.across;
        [at - w, at - w + 1, at + 1, at + w + 1, at + w, at + w - 1, at - 1, at - w - 1]
    }

    fn around(&self, at: usize) -> [u8; 8] {
        self.places(at).map(|at| self.left[at])
    }

    /// Where the skeleton goes on beyond an edge of the raster, which is some of the rows and columns, from a pixel that lies at some of its
    /// edges: the upper, lower, left, right one.
    fn exit(
        &self,
        (row, col): (usize, usize),
        edge: [bool; 4],
        rows: Range<usize>,
        cols: Range<usize>,
    ) -> Option<(f64, f64)> {
        let [p2, p3, p4, p5, p6, p7, p8, p9] = self.around(row * self.across + col).map(|pixel| pixel != 0);
        // Aslant only where no pixel beside leads there, as between pixels of the raster.
        let (p3, p5) = (p3 && !p2 && !p4, p5 && !p4 && !p6);
        let (p7, p9) = (p7 && !p6 && !p8, p9 && !p8 && !p2);
        let beyond = [p9 || p2 || p3, p5 || p6 || p7, p7 || p8 || p9, p3 || p4 || p5];
        let out = [0, 1, 2, 3].map(|side| edge[side] && beyond[side]);
        let has = |row: usize, col: usize| self.mask[row * self.across + col] != 0;
        let x = match out {
            [_, _, true, _] => cols.start as f64,
            [_, _, _, true] => cols.end as f64,
            [false, false, ..] => return None,
            _ => middle_of_run(cols, col, |col| has(row, col)),
        };
        let y = match out {
            [true, ..] => rows.start as f64,
            [_, true, ..] => rows.end as f64,
            _ => middle_of_run(rows, row, |row| has(row, col)),
        };
        Some((x, y))
    }

    /// The middle between the edges at a pixel, as (column, row) of its window's pixels, and how far they are apart; `None` where
    /// that is more than the widest.
    fn middle(&self, row: usize, col: usize, widest: usize) -> Option<((f64, f64), f64)> {
        let (dx, dy) = self.nearest_edge(row, col, widest)?;
        let near = (dx as f64).hypot(dy as f64);
        let (ux, uy) = (dx as f64 / near, dy as f64 / near);
        // Centres of pixels are half a pixel from their edges along rows and columns, and more across.
        let near_edge = near - 0.5 / ux.abs().max(uy.abs());
        if 2.0 * near_edge > widest as f64 + 0.5 {
            return None;
        }
        let centre = (col as f64, row as f64);
        let limit = near_edge + (near_edge + 0.5).clamp(UNEVEN.0, UNEVEN.1);
        let has = |x: i64, y: i64| {
            let at = y * self.across as i64 + x;
            x >= 0 && at >= 0 && self.mask.get(at as usize).is_some_and(|&pixel| pixel != 0)
        };
        // The other way, until the class ends.
        let Some(far) = reach((centre.0 + 0.5, centre.1 + 0.5), (-ux, -uy), limit, has) else {
            // Where lines meet, the way across leads into another one.
            return Some((centre, 2.0 * near_edge));
        };
        let shift = (far - near_edge) / 2.0;
        Some(((centre.0 - ux * shift, centre.1 - uy * shift), near_edge + far))
    }

    /// Columns and rows to the nearest pixel that is not of the class.
    fn nearest_edge(&self, row: usize, col: usize, widest: usize) -> Option<(isize, isize)> {
        let at = (row * self.across + col) as isize;
        let free = |dx: isize, dy: isize| {
            let place = at + dy * self.across as isize + dx;
            let column = col as isize + dx;
            let inside = (0..self.across as isize).contains(&column) && place >= 0;
            !inside || self.mask.get(place as usize).is_none_or(|&pixel| pixel == 0)
        };
        let reach = (widest / 2 + 1) as isize;
        let mut best: Option<(isize, (isize, isize))> = None;
        // Squares around the pixel: those beyond the nearest so far cannot be nearer.
        for ring in 1..=reach {
            if best.is_some_and(|(squared, _)| squared <= ring * ring) {
                break;
            }
            for side in -ring..=ring {
                for (dx, dy) in [(side, -ring), (side, ring), (-ring, side), (ring, side)] {
                    let squared = dx * dx + dy * dy;
                    if best.is_none_or(|(least, _)| squared < least) && free(dx, dy) {
                        best = Some((squared, (dx, dy)));
                    }
                }
            }
        }
        best.map(|(_, offset)| offset)
    }
}

/// The middle of the pixels around one that are there without a gap.
fn middle_of_run(within: Range<usize>, at: usize, has: impl Fn(usize) -> bool) -> f64 {
    let before = (within.start..at).rev().take_while(|&at| has(at)).count();
    let after = (at..within.end).take_while(|&at| has(at)).count();
    at as f64 + (after as f64 - before as f64) / 2.0
}

/// Pixels by which a skeleton may lie nearer to one edge than to the other, for narrow lines and for wide ones.
const UNEVEN: (f64, f64) = (1.5, 2.5);

/// Whether a pixel may go: it has one connected stretch of neighbours, is no end, and lies on the side whose turn it is.
fn may_go(around: &[u8; 8], upper: bool) -> bool {
    let [p2, p3, p4, p5, p6, p7, p8, p9] = around.map(|pixel| pixel != 0);
    let stretches = [(p2, p3 || p4), (p4, p5 || p6), (p6, p7 || p8), (p8, p9 || p2)];
    if stretches.iter().filter(|(here, next)| !here && *next).count() != 1 {
        return false;
    }
    let pairs = |pairs: [(bool, bool); 4]| pairs.iter().filter(|(a, b)| *a || *b).count();
    let least = pairs([(p9, p2), (p3, p4), (p5, p6), (p7, p8)]).min(pairs([(p2, p3), (p4, p5), (p6, p7), (p8, p9)]));
    let side = if upper { (p6 || p7 || !p9) && p8 } else { (p2 || p3 || !p5) && p4 };
    (2..=3).contains(&least) && !side
}
