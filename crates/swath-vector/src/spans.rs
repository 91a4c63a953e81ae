//! Which pixels of a row a polygon covers.
//!
//! The scan-line algorithm of W. M. Newman and R. F. Sproull, *Principles of Interactive Computer Graphics* (1979): edges are
//! crossed with the line through the centres of a row's pixels, and pixels between an odd crossing and the next belong to the
//! polygon. What differs: every polygon of a set is filled by itself and the sets are united, so that polygons that overlap do not
//! cancel each other.

use std::ops::Range;

/// A set of polygons, prepared for the pixels of one row after the other.
///
/// A pixel belongs to a polygon whose inside holds its centre. A centre on an edge belongs to the polygon right of the edge, or
/// below it: polygons that share an edge share no pixel and leave none out.
///
/// ```
/// use swath_vector::Spans;
///
/// // A square with a hole, and a second one that overlaps it.
/// let square = |left: f64, top: f64, side: f64| {
///     vec![(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
/// };
/// let spans = Spans::new(&[vec![square(0.0, 0.0, 5.0), square(1.0, 1.0, 2.0)], vec![square(4.0, 0.0, 3.0)]], 10, 10);
/// assert_eq!(spans.row(0), [0..7]);
/// assert_eq!(spans.row(1), [0..1, 3..7]);
/// assert_eq!(spans.row(4), [0..5]);
/// assert_eq!(spans.row(5), []);
/// ```
#[derive(Debug, Clone)]
pub struct Spans {
    edges: Vec<Edge>,
    /// Edges that may cross the rows of each band of rows: indices into `edges`.
    bands: Vec<Vec<u32>>,
    rows: Range<usize>,
    width: usize,
}

/// An edge that runs downwards. Which way it was drawn does not matter, so that neighbours compute the same crossings.
#[derive(Debug, Clone, Copy)]
struct Edge {
    polygon: u32,
    top: (f64, f64),
    bottom: (f64, f64),
}

/// Rows that are looked up together.
const BAND: usize = 16;

impl Spans {
    /// Prepares polygons, each a list of rings, in pixels of a raster of this size. Rings may be open or closed, and are drawn in
    /// any direction; positions that are not finite are left out.
    pub fn new(polygons: &[Vec<Vec<(f64, f64)>>], width: usize, height: usize) -> Spans {
        let mut edges = Vec::new();
        for (polygon, rings) in (0u32..).zip(polygons) {
            for ring in rings {
                let finite = || ring.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
                for (&from, &to) in finite().zip(finite().cycle().skip(1)) {
                    let (top, bottom) = if from.1 <= to.1 { (from, to) } else { (to, from) };
                    // Half-open in rows: a vertex on the line of centres counts once.
                    if first_centre(top.1, height) < first_centre(bottom.1, height) {
                        edges.push(Edge { polygon, top, bottom });
                    }
                }
            }
        }
        let of_edge = |edge: &Edge| first_centre(edge.top.1, height)..first_centre(edge.bottom.1, height);
        let start = edges.iter().map(|edge| of_edge(edge).start).min().unwrap_or(0);
        let end = edges.iter().map(|edge| of_edge(edge).end).max().unwrap_or(0);
        let mut bands = vec![Vec::new(); (end - start).div_ceil(BAND)];
        for (index, edge) in (0u32..).zip(&edges) {
            let rows = of_edge(edge);
            let touched = (rows.start - start) / BAND..(rows.end - start).div_ceil(BAND);
            bands[touched].iter_mut().for_each(|band| band.push(index));
        }
        Spans { edges, bands, rows: start..end, width }
    }

    /// The rows in which there may be pixels.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The columns of a row's pixels, ascending; no two ranges touch.
    pub fn row(&self, row: usize) -> Vec<Range<usize>> {
        if !self.rows.contains(&row) {
            return Vec::new();
        }
        let centre = row as f64 + 0.5;
        let band = &self.bands[(row - self.rows.start) / BAND];
        let crossing = |edge: &Edge| {
            let along = (centre - edge.top.1) / (edge.bottom.1 - edge.top.1);
            let x = edge.top.0 + along * (edge.bottom.0 - edge.top.0);
            (edge.polygon, first_centre(x, self.width))
        };
        let edges = band.iter().map(|&index| &self.edges[index as usize]);
        let mut crossings: Vec<(u32, usize)> =
            edges.filter(|edge| edge.top.1 <= centre && centre < edge.bottom.1).map(crossing).collect();
        crossings.sort_unstable();
        // Closed rings cross a line an even number of times.
        let pairs = crossings.chunks_exact(2).map(|pair| pair[0].1..pair[1].1).filter(|cols| !cols.is_empty());
        united(pairs.collect())
    }
}

/// The first pixel whose centre lies at or beyond a position; `size` when there is none.
fn first_centre(position: f64, size: usize) -> usize {
    ((position - 0.5).ceil().max(0.0) as usize).min(size)
}

/// Ranges without overlaps, ascending.
///
/// ```
/// assert_eq!(swath_vector::united(vec![5..9, 0..3, 3..4, 6..7]), [0..4, 5..9]);
/// ```
pub fn united(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pixels(spans: &Spans, height: usize) -> Vec<(usize, usize)> {
        (0..height).flat_map(|row| spans.row(row).into_iter().flatten().map(move |col| (col, row))).collect()
    }

    /// Whether a point lies inside, by the winding of rays to the left, for points that lie on no edge.
    fn holds(rings: &[Vec<(f64, f64)>], (x, y): (f64, f64)) -> bool {
        let mut inside = false;
        for ring in rings {
            for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
                if (a.1 > y) != (b.1 > y) && x > a.0 + (y - a.1) / (b.1 - a.1) * (b.0 - a.0) {
                    inside = !inside;
                }
            }
        }
        inside
    }

    proptest! {
        #[test]
        fn pixels_are_those_whose_centre_is_inside(
            polygons in prop::collection::vec(
                prop::collection::vec(prop::collection::vec((-5.0..25.0f64, -5.0..45.0f64), 3..8), 1..3), 1..4),
        ) {
            let spans = Spans::new(&polygons, 20, 40);
            let inside = |col: usize, row: usize| {
                polygons.iter().any(|rings| holds(rings, (col as f64 + 0.5, row as f64 + 0.5)))
            };
            let expected: Vec<_> =
                (0..40).flat_map(|row| (0..20).map(move |col| (col, row))).filter(|&(col, row)| inside(col, row)).collect();
            prop_assert_eq!(pixels(&spans, 40), expected);
            for row in 0..40 {
                prop_assert!(spans.row(row).windows(2).all(|pair| pair[0].end < pair[1].start));
            }
        }

        #[test]
        fn neighbours_share_no_pixel_and_leave_none_out(
            cut in prop::collection::vec((0..=40i32, 0..=80i32), 1..6), turned: bool,
        ) {
            // A line through the raster on half pixels, where centres lie on it; one neighbour draws it backwards.
            let line: Vec<(f64, f64)> = cut.iter().map(|&(x, y)| (f64::from(x) / 2.0, f64::from(y) / 2.0)).collect();
            let side = |corners: [(f64, f64); 4], backwards: bool| {
                let mut ring = vec![corners[0], corners[1]];
                ring.extend(line.iter().copied());
                ring.extend([corners[2], corners[3]]);
                if backwards { ring.reverse() }
                vec![vec![ring]]
            };
            let (top, bottom) = ((10.0, -1.0), (10.0, 41.0));
            let left = Spans::new(&side([(-1.0, -1.0), top, bottom, (-1.0, 41.0)], false), 20, 40);
            let right = Spans::new(&side([(21.0, -1.0), top, bottom, (21.0, 41.0)], turned), 20, 40);
            // Where the line crosses itself a pixel may be on both sides or on neither; the parity still tells.
            let mut counts = vec![0; 20 * 40];
            for (col, row) in pixels(&left, 40).into_iter().chain(pixels(&right, 40)) {
                counts[row * 20 + col] += 1;
            }
            prop_assert!(counts.iter().all(|&count| count == 1));
        }
    }

    #[test]
    fn nothing_is_inside_of_nothing() {
        for polygons in [vec![], vec![vec![]], vec![vec![vec![]]], vec![vec![vec![(1.0, 1.0), (5.0, 5.0)]]]] {
            assert!(pixels(&Spans::new(&polygons, 8, 8), 8).is_empty());
        }
        let far = vec![vec![(100.0, 100.0), (200.0, 100.0), (150.0, 200.0)]];
        assert!(Spans::new(&[far], 8, 8).rows().is_empty());
    }
}
