//! The line between two rows: which boundaries go on, turn, meet or close at each of its corners.

use super::arcs::{ArcStore, NONE};
use super::chains::{Chains, End};
use super::faces::Faces;
use super::groups::Groups;
use super::{Corner, OUTSIDE};
use crate::Result;

#[derive(Debug)]
pub(super) struct Boundary {
    chains: Chains,
    /// The end that comes down to each corner of the line, where there is one.
    down: Vec<End>,
    /// Which boundaries meet at each corner; 0 where nothing happens. Padded to whole words.
    meets: Vec<u8>,
    corners: Vec<Corner>,
}

/// The line between two rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// The rows, with one pixel outside at either end.
    pub(super) above: &'a [u32],
    pub(super) current: &'a [u32],
    /// Number of the row below.
    pub(super) row: u32,
    /// Whether the raster begins or ends here. Its corners are nodes: what is done to arcs leaves the frame as it is.
    pub(super) ends: bool,
}

/// Who gets the arcs that close.
struct Closing<'a> {
    faces: &'a mut Faces,
    store: &'a mut ArcStore,
}

impl Boundary {
    pub(super) fn new(width: usize) -> Boundary {
        Boundary {
            chains: Chains::default(),
            down: vec![NONE; width + 1],
            meets: vec![0; (width + 1).next_multiple_of(WORD)],
            corners: Vec::new(),
        }
    }

    /// Goes along the corners of a line.
    pub(super) fn sweep(
        &mut self,
        line: Line<'_>,
        faces: &mut Faces,
        store: &mut ArcStore,
        mut groups: Option<&mut Groups>,
    ) -> Result<()> {
        let Line { above, current, row, ends } = line;
        self.look(above, current);
        let mut closing = Closing { faces, store };
        // The end that comes from the left.
        let mut along = NONE;
        for word in 0..self.meets.len() / WORD {
            let mut bytes = [0; WORD];
            bytes.copy_from_slice(&self.meets[word * WORD..][..WORD]);
            let mut rest = u64::from_le_bytes(bytes);
            while rest != 0 {
                let byte = rest.trailing_zeros() as usize / 8;
                let meets = bytes[byte];
                rest &= !(0xff << (8 * byte));
                let column = word * WORD + byte;
                let corner = Corner { col: column as u32, row };
                let frame = ends && (column == 0 || column + 2 == above.len());
                self.meet(corner, if frame { meets | FRAME } else { meets }, &mut along, &mut closing)?;
                if let Some(groups) = groups.as_deref_mut().filter(|_| meets == NORTH | SOUTH | WEST | EAST) {
                    link_corners(column, above, current, &mut closing, groups)?;
                }
            }
        }
        if self.chains.are_crowded(closing.store.limit()) {
            self.chains.pack(&self.down, &mut closing.store.pages)?;
        }
        Ok(())
    }

    /// Finds the corners at which something happens: all but those that a straight boundary passes, or none.
    fn look(&mut self, above: &[u32], current: &[u32]) {
        let corners = above.len() - 1;
        let (nw, ne) = (&above[..corners], &above[1..]);
        let (sw, se) = (&current[..corners], &current[1..]);
        for (index, meets) in self.meets[..corners].iter_mut().enumerate() {
            let north = u8::from(nw[index] != ne[index]);
            let south = u8::from(sw[index] != se[index]);
            let west = u8::from(nw[index] != sw[index]);
            let east = u8::from(ne[index] != se[index]);
            let happens = (north ^ south) | (west ^ east) | (north & west);
            *meets = (north * NORTH + south * SOUTH + west * WEST + east * EAST) * happens;
        }
    }

    fn meet(&mut self, corner: Corner, meets: u8, along: &mut End, closing: &mut Closing<'_>) -> Result<()> {
        let column = corner.col as usize;
        // Faces at the sides of the boundaries that arrive, as (left, right) of who arrives.
        let from_north = |faces: &Faces| [faces.above(column + 1), faces.above(column)];
        let from_west = |faces: &Faces| [faces.above(column), faces.current(column)];
        let down = &mut self.down[column];
        match meets {
            SOUTH_EAST => {
                let [first, second] = self.chains.begin(corner);
                *down = first;
                *along = second;
            }
            NORTH_EAST => {
                self.chains.turn(*down, corner);
                *along = std::mem::replace(down, NONE);
            }
            SOUTH_WEST => {
                self.chains.turn(*along, corner);
                *down = std::mem::replace(along, NONE);
            }
            NORTH_WEST => {
                let (from, to) = (std::mem::replace(down, NONE), std::mem::replace(along, NONE));
                if self.chains.join([from, to], corner, &mut self.corners, &mut closing.store.pages)? {
                    let free = self.corners[0] == corner;
                    closing.close(&self.corners, from_north(closing.faces), free)?;
                }
            }
            node => {
                let pages = &mut closing.store.pages;
                if node & NORTH != 0 && self.chains.end_at_node(*down, corner, &mut self.corners, pages)? {
                    closing.close(&self.corners, from_north(closing.faces), false)?;
                }
                let pages = &mut closing.store.pages;
                if node & WEST != 0 && self.chains.end_at_node(*along, corner, &mut self.corners, pages)? {
                    closing.close(&self.corners, from_west(closing.faces), false)?;
                }
                *down = if node & SOUTH != 0 { self.chains.begin_at_node(corner) } else { NONE };
                *along = if node & EAST != 0 { self.chains.begin_at_node(corner) } else { NONE };
            }
        }
        Ok(())
    }
}

impl Closing<'_> {
    fn close(&mut self, corners: &[Corner], sides: [u32; 2], free: bool) -> Result<()> {
        let slot = self.store.insert(corners, sides.map(|face| face != NONE), free)?;
        self.faces.attach(slot, sides, self.store);
        Ok(())
    }
}

/// Equal labels across a corner where four boundaries meet belong to one group.
fn link_corners(
    column: usize,
    above: &[u32],
    current: &[u32],
    closing: &mut Closing<'_>,
    groups: &mut Groups,
) -> Result<()> {
    let Closing { faces, store } = closing;
    let (nw, ne, sw, se) = (above[column], above[column + 1], current[column], current[column + 1]);
    if nw == se && nw != OUTSIDE {
        let (a, b) = (faces.group(faces.above(column)), faces.group(faces.current(column + 1)));
        groups.touch(a, b, &mut store.pages)?;
    }
    if ne == sw && ne != OUTSIDE {
        let (a, b) = (faces.group(faces.above(column + 1)), faces.group(faces.current(column)));
        groups.touch(a, b, &mut store.pages)?;
    }
    Ok(())
}

const NORTH: u8 = 1;
const SOUTH: u8 = 2;
const WEST: u8 = 4;
const EAST: u8 = 8;
/// Makes a node of a corner where only two boundaries meet.
const FRAME: u8 = 16;
const SOUTH_EAST: u8 = SOUTH | EAST;
const NORTH_EAST: u8 = NORTH | EAST;
const SOUTH_WEST: u8 = SOUTH | WEST;
const NORTH_WEST: u8 = NORTH | WEST;
/// Corners that are looked at together.
const WORD: usize = 8;
