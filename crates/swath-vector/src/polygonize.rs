//! Label rows into polygons with shared edges, in one pass.
//!
//! The boundaries between pixels of different labels are cut into *arcs* at *nodes*: corners where three or four
//! boundaries meet, which includes label changes along the raster's edge, and the raster's four corners. Rows come one after the other; what is kept is
//! the last row, the boundaries that are still open there, and the regions that reach it with their closed arcs and rings. All but their
//! ends may be spilled to a file when it is much, lists included: memory grows with the width of the raster and with the longest ring. A region is handed over as soon as no later row can touch it. As every row is a seam, the size of the blocks
//! in which rows arrive cannot show in the result.
//!
//! Sources: the sweep is that of the two-arm chains (Teng, Wang and Liu 2008, as in GDAL's polygonizer), from which
//! it differs by nodes and by stating both sides of each arc; labels join by union-find as in Rosenfeld and Pfaltz 1966.
//! At a saddle, where a region meets itself across a corner, a ring that has the region on its left turns right: it hugs
//! the pixel that is not of the region, so that rings never touch themselves.
//!
//! Polygons are always 4-connected: with [`Connectivity::Eight`] a region may be several polygons that touch at
//! corners, a multipolygon. One polygon of them would touch itself, which no OGC geometry may.

mod arcs;
mod assemble;
mod boundary;
mod chains;
mod faces;
mod groups;
mod join;
mod pages;
mod record;
mod rings;
mod tally;
mod words;

use std::fs::File;

use crate::{Result, VectorError};
use arcs::ArcStore;
use assemble::Assembler;
use boundary::{Boundary, Line};
use faces::Faces;
use groups::Groups;
use rings::{RingReader, Rings};
pub use tally::Tally;

/// The label of pixels that belong to no polygon.
pub const OUTSIDE: u32 = u32::MAX;

/// A corner of pixels: how many columns and rows it is from the top-left corner of the raster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Corner {
    /// Columns to its left.
    pub col: u32,
    /// Rows above it.
    pub row: u32,
}

/// Which pixels of one label belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Connectivity {
    /// Those that share an edge.
    #[default]
    Four,
    /// Those that share an edge or a corner.
    Eight,
}

/// A temporary file for closed arcs and rings.
#[derive(Debug)]
pub struct Spill {
    /// Open for reading and writing, and empty.
    pub file: File,
    /// Bytes of closed arcs that stay in memory; the lists of arcs and rings may take about twice as much besides.
    pub memory: usize,
}

/// How labels become polygons.
#[derive(Debug, Default)]
pub struct PolygonizeOptions {
    /// Which pixels belong together.
    pub connectivity: Connectivity,
    /// Where arcs of unfinished regions go when they are many; `None` keeps them in memory.
    pub spill: Option<Spill>,
}

/// Pixels of one label that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Counts regions from 0, in the order of their last row.
    pub id: u64,
    /// Their label.
    pub label: u32,
    /// How many pixels.
    pub pixels: u64,
    /// Whether a pixel lies at the edge of the raster.
    pub touches_edge: bool,
}

/// An arc and the direction in which it is run through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArcRef {
    /// The arc's number.
    pub arc: u64,
    /// Whether from its last corner to its first, which has the arc's right side on the left.
    pub reversed: bool,
}

/// A boundary between two regions, from node to node, or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arc {
    /// Counts arcs from 0, in the order in which they closed.
    pub id: u64,
    /// The region on the left when running from the first corner to the last, `None` outside.
    pub left: Option<u64>,
    /// The region on the right.
    pub right: Option<u64>,
    /// Its corners where it turns, with both ends; a closed arc has equal ends.
    pub corners: Vec<Corner>,
    /// Whether it is closed and touches no node: it may begin at any of its corners.
    pub ring: bool,
}

/// Takes what the polygonizer makes.
pub trait Sink {
    /// What can go wrong with that.
    type Error: From<VectorError>;

    /// A region is complete; `outlines` has its shape.
    ///
    /// # Errors
    /// Stops the polygonizer.
    fn region(&mut self, region: &Region, outlines: &mut Outlines<'_>) -> std::result::Result<(), Self::Error>;

    /// Both sides of an arc are complete. Each arc comes once, in no particular but always the same order.
    ///
    /// # Errors
    /// Stops the polygonizer.
    fn arc(&mut self, arc: Arc) -> std::result::Result<(), Self::Error> {
        drop(arc);
        Ok(())
    }

    /// Whether [`Sink::arc`] is to be called; the same answer from the first region to the last.
    fn wants_arcs(&self) -> bool {
        false
    }
}

/// The closed rings of one region. Every polygon begins with its outer ring, which runs counterclockwise as seen with the first
/// row at the top; its holes follow and run clockwise: the region is on the left of all.
///
/// Rings are read one after the other where a region has many; asking for one again that was read before goes through all from
/// the first on.
#[derive(Debug)]
pub struct Outlines<'a> {
    store: &'a mut ArcStore,
    rings: &'a Rings,
    reader: RingReader,
    tally: Option<&'a Tally>,
}

impl<'a> Outlines<'a> {
    fn new(store: &'a mut ArcStore, rings: &'a Rings, tally: Option<&'a Tally>) -> Outlines<'a> {
        Outlines { store, rings, reader: RingReader::default(), tally }
    }

    /// How many rings.
    pub fn rings(&self) -> usize {
        self.rings.len()
    }

    /// The numbers of its pixels, where [`Polygonizer::push_with`] got some.
    pub fn tally(&self) -> Option<&Tally> {
        self.tally
    }

    /// Whether a ring bounds a polygon from outside; otherwise it is a hole in the last one that did. To be asked before its
    /// corners or arcs.
    ///
    /// # Errors
    /// When spilled rings cannot be read back.
    ///
    /// # Panics
    /// When the region has no ring of that number; so do the following.
    pub fn is_outer(&mut self, ring: usize) -> Result<bool> {
        self.reader.seek(ring, self.rings, &mut self.store.pages)?;
        self.reader.is_outer(self.rings, &mut self.store.pages)
    }

    /// Corners of one ring, the first repeated at the end: all corners where it turns, and the nodes, so that neighbours have
    /// the same corners along what they share.
    ///
    /// # Errors
    /// When spilled arcs cannot be read back.
    pub fn corners(&mut self, ring: usize, corners: &mut Vec<Corner>) -> Result<()> {
        corners.clear();
        self.reader.seek(ring, self.rings, &mut self.store.pages)?;
        while let Some((half, last)) = self.reader.next(self.rings, &mut self.store.pages)? {
            self.store.append(half, corners)?;
            if last {
                break;
            }
        }
        Ok(())
    }

    /// The arcs of one ring, one after the other.
    ///
    /// # Errors
    /// When spilled arcs cannot be read back.
    pub fn arcs(&mut self, ring: usize) -> Result<Vec<ArcRef>> {
        let mut arcs = Vec::new();
        self.reader.seek(ring, self.rings, &mut self.store.pages)?;
        while let Some((half, last)) = self.reader.next(self.rings, &mut self.store.pages)? {
            arcs.push(ArcRef { arc: self.store.header(half)?.id, reversed: half.reversed() });
            if last {
                break;
            }
        }
        Ok(arcs)
    }
}

/// Turns rows of labels into regions and arcs, in one pass over the rows.
///
/// ```
/// use swath_vector::{Coverage, PolygonizeOptions, Polygonizer};
///
/// let mut coverage = Coverage::default();
/// let mut polygonizer = Polygonizer::new(3, PolygonizeOptions::default())?;
/// polygonizer.push(&[1, 1, 2], &mut coverage)?;
/// polygonizer.push(&[1, 2, 2], &mut coverage)?;
/// polygonizer.finish(&mut coverage)?;
/// let regions: Vec<_> = coverage.regions().iter().map(|region| (region.label, region.pixels)).collect();
/// assert_eq!(regions, [(1, 3), (2, 3)]);
/// // One boundary between them, and each has three to the outside: the corners of the raster are nodes.
/// assert_eq!(coverage.arcs().len(), 7);
/// # Ok::<(), swath_vector::VectorError>(())
/// ```
#[derive(Debug)]
pub struct Polygonizer {
    width: usize,
    row: u32,
    /// The last row, with one pixel outside at either end.
    above: Vec<u32>,
    current: Vec<u32>,
    faces: Faces,
    groups: Option<Groups>,
    boundary: Boundary,
    store: ArcStore,
    assembler: Assembler,
    regions: u32,
}

impl Polygonizer {
    /// Begins a raster of `width` columns.
    ///
    /// # Errors
    /// When `width` is 0 or beyond 2^31.
    pub fn new(width: usize, options: PolygonizeOptions) -> Result<Polygonizer> {
        if width == 0 || width > MAX_SIDE {
            return Err(VectorError::Size(format!("{width} columns cannot be polygonized; give 1 to {MAX_SIDE}")));
        }
        Ok(Polygonizer {
            width,
            row: 0,
            above: vec![OUTSIDE; width + 2],
            current: vec![OUTSIDE; width + 2],
            faces: Faces::new(width),
            groups: (options.connectivity == Connectivity::Eight).then(Groups::default),
            boundary: Boundary::new(width),
            store: ArcStore::new(options.spill),
            assembler: Assembler::default(),
            regions: 0,
        })
    }

    /// Takes the next rows: labels, with [`OUTSIDE`] where there is none.
    ///
    /// # Errors
    /// When `labels` are no whole rows, when the raster gets more than 2^31 rows, when arcs cannot be spilled, and what the sink returns.
    pub fn push<S: Sink>(&mut self, labels: &[u32], sink: &mut S) -> std::result::Result<(), S::Error> {
        self.push_with(labels, None, sink)
    }

    /// As [`Polygonizer::push`], with a number between 0 and 1 for each pixel, `NaN` where there is none: regions come with
    /// the [`Tally`] of their pixels. A few kilobytes are needed for each region that is not complete.
    ///
    /// # Errors
    /// As [`Polygonizer::push`], and when there are not as many numbers as labels.
    pub fn push_with<S: Sink>(
        &mut self,
        labels: &[u32],
        numbers: Option<&[f32]>,
        sink: &mut S,
    ) -> std::result::Result<(), S::Error> {
        if !labels.len().is_multiple_of(self.width) {
            let problem = format!("{} labels are no whole rows of {}", labels.len(), self.width);
            return Err(VectorError::Size(problem).into());
        }
        if let Some(numbers) = numbers.filter(|numbers| numbers.len() != labels.len()) {
            return Err(VectorError::Size(format!("{} numbers for {} labels", numbers.len(), labels.len())).into());
        }
        for (index, row) in labels.chunks_exact(self.width).enumerate() {
            if self.row as usize >= MAX_SIDE {
                return Err(VectorError::Size(format!("more than {MAX_SIDE} rows cannot be polygonized")).into());
            }
            self.current[1..=self.width].copy_from_slice(row);
            let numbers = numbers.map(|numbers| &numbers[index * self.width..][..self.width]);
            self.sweep(numbers, self.row == 0, sink)?;
        }
        Ok(())
    }

    /// Ends the raster: everything that is still open is handed over.
    ///
    /// # Errors
    /// When arcs cannot be read back, and what the sink returns.
    pub fn finish<S: Sink>(mut self, sink: &mut S) -> std::result::Result<(), S::Error> {
        self.current.fill(OUTSIDE);
        self.faces.touch_bottom();
        self.sweep(None, true, sink)
    }

    /// Closes the line between the row above and the current one; `ends` says that the raster begins or ends there.
    fn sweep<S: Sink>(
        &mut self,
        numbers: Option<&[f32]>,
        ends: bool,
        sink: &mut S,
    ) -> std::result::Result<(), S::Error> {
        let labels = &self.current[1..=self.width];
        self.faces.next_row(labels, numbers, self.row, &mut self.store, self.groups.as_mut())?;
        let line = Line { above: &self.above, current: &self.current, row: self.row, ends };
        self.boundary.sweep(line, &mut self.faces, &mut self.store, self.groups.as_mut())?;
        while let Some(face) = self.faces.next_finished() {
            self.complete(&face, sink)?;
            self.faces.release(&face);
        }
        self.faces.end_row();
        if self.store.is_crowded() {
            self.faces.unlink(&mut self.store)?;
            debug_assert!(!self.store.is_crowded(), "arcs are on lists of faces that reach the last row only");
        }
        std::mem::swap(&mut self.above, &mut self.current);
        self.row += 1;
        Ok(())
    }

    /// Hands over a face that no later row can touch, alone or with the others of its group.
    fn complete<S: Sink>(&mut self, face: &faces::Finished, sink: &mut S) -> std::result::Result<(), S::Error> {
        let Polygonizer { store, assembler, faces, groups, .. } = self;
        let rings = assembler.assemble(store, face.arcs)?;
        let faces::Finished { label, pixels, touches_edge, group, .. } = *face;
        let tally = faces.tally(face);
        let region = Region { id: u64::from(self.regions), label, pixels, touches_edge };
        match groups {
            None => hand_over(region, Outlines::new(store, rings, tally), sink)?,
            Some(groups) => {
                let finished = groups.finish_face(group, pixels, touches_edge, rings, tally, &mut store.pages)?;
                let Some(mut parts) = finished else { return Ok(()) };
                let region = Region { pixels: parts.pixels, touches_edge: parts.touches_edge, ..region };
                hand_over(region, Outlines::new(store, &parts.rings, parts.tally.as_ref()), sink)?;
                parts.rings.clear(&mut store.pages);
            }
        }
        if self.regions == MAX_REGIONS {
            let problem = format!("more than {MAX_REGIONS} regions cannot be polygonized; clean the labels first");
            return Err(VectorError::Size(problem).into());
        }
        self.regions += 1;
        Ok(())
    }
}

/// A region, and those of its arcs whose other side was there before.
fn hand_over<S: Sink>(region: Region, mut outlines: Outlines<'_>, sink: &mut S) -> std::result::Result<(), S::Error> {
    sink.region(&region, &mut outlines)?;
    let Outlines { store, rings, mut reader, .. } = outlines;
    let wants_arcs = sink.wants_arcs();
    reader.rewind();
    while let Some((half, _)) = reader.next(rings, &mut store.pages)? {
        if wants_arcs && let Some(arc) = store.claim(half, region.id as u32)? {
            sink.arc(arc)?;
        }
        store.release(half);
    }
    Ok(())
}

/// Columns and rows at most: corners are 32-bit numbers, with a bit to spare.
const MAX_SIDE: usize = 1 << 31;
/// Regions at most: their numbers are 32 bits in memory, and one is none.
const MAX_REGIONS: u32 = u32::MAX - 1;
