//! Regions and arcs in memory: polygons that share their edges.
//!
//! Millions of small polygons have to fit: everything is in a few flat arrays, without an allocation for each ring or arc.

use crate::{Arc, ArcRef, Corner, Outlines, Point, PolygonizeOptions, Polygonizer, Region, Result, Sink, VectorError};

/// Regions that tile a part of the plane, and the arcs between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    regions: Vec<Region>,
    /// Where the rings of each region end in `rings`.
    region_ends: Vec<u32>,
    rings: Vec<RingEnd>,
    halves: Vec<Half>,
    /// By ascending number.
    pub(crate) arcs: Vec<Stretch>,
    /// Corners of all arcs, one arc after the other, in the order in which they came.
    pub(crate) corners: Vec<Corner>,
}

/// An arc as a part of the coverage's corners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// Regions by number, [`NONE`] outside.
    left: u32,
    right: u32,
    pub(crate) start: u32,
    pub(crate) count: u32,
    pub(crate) ring: bool,
}

impl Stretch {
    pub(crate) fn end(self) -> usize {
        self.start as usize + self.count as usize
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RingEnd {
    /// Where its arcs end in `halves`.
    end: u32,
    outer: bool,
}

/// Twice an arc's number, and one more when reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Half(u32);

/// A closed ring of a [`Coverage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring<'a> {
    /// Whether it bounds a polygon from outside; otherwise it is a hole in the last one that did.
    pub outer: bool,
    halves: &'a [Half],
}

/// An arc of a [`Coverage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArcLine<'a> {
    /// The region on the left when running from the first corner to the last, `None` outside.
    pub left: Option<u64>,
    /// The region on the right.
    pub right: Option<u64>,
    /// Its corners with both ends; a closed arc has equal ends.
    pub corners: &'a [Corner],
    /// Whether it is closed and touches no node.
    pub ring: bool,
}

/// Regions of equal labels of a raster of `width` columns, 4-connected, all in memory.
///
/// ```
/// use swath_vector::{OUTSIDE, polygonize};
///
/// #[rustfmt::skip]
/// let coverage = polygonize(&[
///     7, 7, 7, 7,
///     7, 5, 7, 7,
///     7, 7, 7, OUTSIDE,
/// ], 4)?;
/// let [hole, around] = coverage.regions() else { panic!() };
/// assert_eq!((hole.label, hole.pixels, hole.touches_edge), (5, 1, false));
/// assert_eq!((around.label, around.pixels, coverage.rings(1).len()), (7, 10, 2));
/// # Ok::<(), swath_vector::VectorError>(())
/// ```
///
/// # Errors
/// When `labels` are no whole rows.
pub fn polygonize(labels: &[u32], width: usize) -> Result<Coverage> {
    let mut coverage = Coverage::default();
    let mut polygonizer = Polygonizer::new(width, PolygonizeOptions::default())?;
    polygonizer.push(labels, &mut coverage)?;
    polygonizer.finish(&mut coverage)?;
    Ok(coverage)
}

impl Coverage {
    /// By ascending number, which is their place.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The rings of a region, in the order of [`Outlines`].
    ///
    /// # Panics
    /// When there is no region of that number.
    pub fn rings(&self, region: usize) -> impl ExactSizeIterator<Item = Ring<'_>> + Clone {
        let start = region.checked_sub(1).map_or(0, |before| self.region_ends[before]);
        (start as usize..self.region_ends[region] as usize).map(|ring| {
            let from = ring.checked_sub(1).map_or(0, |before| self.rings[before].end);
            let RingEnd { end, outer } = self.rings[ring];
            Ring { outer, halves: &self.halves[from as usize..end as usize] }
        })
    }

    /// All regions with their rings.
    pub fn shapes(&self) -> impl Iterator<Item = (&Region, impl ExactSizeIterator<Item = Ring<'_>> + Clone)> {
        self.regions.iter().enumerate().map(|(place, region)| (region, self.rings(place)))
    }

    /// All arcs, by ascending number.
    pub fn arcs(&self) -> impl ExactSizeIterator<Item = ArcLine<'_>> + Clone {
        (0..self.arcs.len()).map(|number| self.arc_at(number))
    }

    /// One arc.
    ///
    /// # Panics
    /// When there is no arc of that number.
    pub fn arc_at(&self, number: usize) -> ArcLine<'_> {
        let Stretch { left, right, ring, .. } = self.arcs[number];
        let side = |region: u32| (region != NONE).then_some(u64::from(region));
        ArcLine { left: side(left), right: side(right), corners: self.stretch(number), ring }
    }

    /// The corners of a ring, the first repeated at the end.
    ///
    /// # Panics
    /// When the ring is of another coverage.
    pub fn corners(&self, ring: Ring<'_>) -> Vec<Corner> {
        joined(ring, |arc| self.stretch(arc))
    }

    /// Gives an arc fewer corners.
    pub(crate) fn shorten(&mut self, arc: usize, corners: &[Corner]) {
        let Stretch { start, count, .. } = &mut self.arcs[arc];
        debug_assert!(corners.len() <= *count as usize, "an arc got longer");
        *count = corners.len() as u32;
        self.corners[*start as usize..][..corners.len()].copy_from_slice(corners);
    }

    /// Frees the space of corners that no arc has any more.
    pub(crate) fn compact(&mut self) {
        let mut corners = Vec::with_capacity(self.arcs.iter().map(|arc| arc.count as usize).sum());
        for arc in &mut self.arcs {
            let start = corners.len() as u32;
            corners.extend_from_slice(&self.corners[arc.start as usize..arc.end()]);
            arc.start = start;
        }
        self.corners = corners;
    }

    fn stretch(&self, arc: usize) -> &[Corner] {
        let stretch = self.arcs[arc];
        &self.corners[stretch.start as usize..stretch.end()]
    }
}

impl<'a> Ring<'a> {
    /// Its arcs, one after the other.
    pub fn arcs(self) -> impl Iterator<Item = ArcRef> + use<'a> {
        self.halves.iter().map(|half| ArcRef { arc: u64::from(half.0 >> 1), reversed: half.0 & 1 == 1 })
    }

    /// The points of the ring, the first repeated at the end, where arcs have other points than corners; see
    /// [`smooth`](crate::smooth).
    ///
    /// # Panics
    /// When there are fewer arcs than the ring has.
    pub fn points(self, arcs: &[Vec<Point>]) -> Vec<Point> {
        joined(self, |arc| &arcs[arc])
    }
}

/// The arcs of a ring, one after the other.
fn joined<'a, T: Copy + 'a>(ring: Ring<'_>, arc: impl Fn(usize) -> &'a [T]) -> Vec<T> {
    let mut points = Vec::new();
    for half in ring.arcs() {
        let arc = arc(half.arc as usize);
        points.pop();
        if half.reversed {
            points.extend(arc.iter().rev());
        } else {
            points.extend(arc);
        }
    }
    points
}

impl Sink for Coverage {
    type Error = VectorError;

    fn region(&mut self, region: &Region, outlines: &mut Outlines<'_>) -> Result<()> {
        self.regions.push(*region);
        for ring in 0..outlines.rings() {
            let outer = outlines.is_outer(ring)?;
            for ArcRef { arc, reversed } in outlines.arcs(ring)? {
                let arc = u32::try_from(arc).ok().filter(|arc| *arc <= NONE >> 1).ok_or_else(too_large)?;
                self.halves.push(Half(arc << 1 | u32::from(reversed)));
            }
            let end = u32::try_from(self.halves.len()).map_err(|_| too_large())?;
            self.rings.push(RingEnd { end, outer });
        }
        self.region_ends.push(u32::try_from(self.rings.len()).map_err(|_| too_large())?);
        Ok(())
    }

    fn arc(&mut self, arc: Arc) -> Result<()> {
        let at = arc.id as usize;
        if at >= self.arcs.len() {
            self.arcs.resize(at + 1, Stretch { left: NONE, right: NONE, start: 0, count: 0, ring: false });
        }
        let side = |region: Option<u64>| region.map_or(NONE, |region| region as u32);
        let start = self.corners.len();
        self.corners.extend_from_slice(&arc.corners);
        if self.corners.len() >= NONE as usize {
            return Err(too_large());
        }
        let count = arc.corners.len() as u32;
        self.arcs[at] =
            Stretch { left: side(arc.left), right: side(arc.right), start: start as u32, count, ring: arc.ring };
        Ok(())
    }

    fn wants_arcs(&self) -> bool {
        true
    }
}

fn too_large() -> VectorError {
    VectorError::Size("more than 4 billion corners are too many to keep in memory; clean the labels first".into())
}

/// No region; regions are fewer.
const NONE: u32 = u32::MAX;
