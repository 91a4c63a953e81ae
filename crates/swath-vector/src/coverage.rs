//! Regions and arcs in memory: polygons that share their edges.

use crate::{Arc, ArcRef, Corner, Outlines, Point, PolygonizeOptions, Polygonizer, Region, Result, Sink, VectorError};

/// Regions that tile a part of the plane, and the arcs between them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coverage {
    /// By ascending number.
    pub regions: Vec<Region>,
    /// The rings of each region, in the order of [`Outlines`].
    pub rings: Vec<Vec<Ring>>,
    /// By ascending number: a ring's arc `k` is `arcs[k]`.
    pub arcs: Vec<Arc>,
}

/// A closed ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Whether it bounds a polygon from outside; otherwise it is a hole in the last one that did.
    pub outer: bool,
    /// Its arcs, one after the other.
    pub arcs: Vec<ArcRef>,
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
/// let [hole, around] = &coverage.regions[..] else { panic!() };
/// assert_eq!((hole.label, hole.pixels, hole.touches_edge), (5, 1, false));
/// assert_eq!((around.label, around.pixels, coverage.rings[1].len()), (7, 10, 2));
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
    /// The corners of a ring, the first repeated at the end.
    ///
    /// # Panics
    /// When the ring is of another coverage.
    pub fn corners(&self, ring: &Ring) -> Vec<Corner> {
        joined(ring, |arc| &self.arcs[arc].corners)
    }
}

impl Ring {
    /// The points of the ring, the first repeated at the end, where arcs have other points than corners; see
    /// [`smooth`](crate::smooth).
    ///
    /// # Panics
    /// When there are fewer arcs than the ring has.
    pub fn points(&self, arcs: &[Vec<Point>]) -> Vec<Point> {
        joined(self, |arc| &arcs[arc])
    }
}

/// The arcs of a ring, one after the other.
fn joined<'a, T: Copy + 'a>(ring: &Ring, arc: impl Fn(usize) -> &'a Vec<T>) -> Vec<T> {
    let mut points = Vec::new();
    for half in &ring.arcs {
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
        let count = outlines.rings();
        let ring = |ring| Ok(Ring { outer: outlines.is_outer(ring), arcs: outlines.arcs(ring)? });
        self.rings.push((0..count).map(ring).collect::<Result<_>>()?);
        Ok(())
    }

    fn arc(&mut self, arc: Arc) -> Result<()> {
        let at = arc.id as usize;
        if at >= self.arcs.len() {
            let first = self.arcs.len() as u64;
            self.arcs.extend((first..=arc.id).map(|id| Arc {
                id,
                left: None,
                right: None,
                corners: Vec::new(),
                ring: false,
            }));
        }
        self.arcs[at] = arc;
        Ok(())
    }

    fn wants_arcs(&self) -> bool {
        true
    }
}
