//! Centre lines of what is long and thin on a label map, such as roads: one line from crossing to crossing, with its width.
//!
//! The pixels of a class, and gaps of one or two among them, are thinned to a skeleton one pixel wide (Guo and Hall 1989), the skeleton becomes a graph, and the graph loses
//! the branches that only come from rough edges, and ways around larger gaps that are short for the line's width; the crossings of wide lines, which a skeleton splits, are joined again. Lines lie in the
//! middle between both edges, to a part of a pixel, are smoothed and simplified (Douglas and Peucker 1973), and are drawn out to where the
//! class ends where they meet nothing. Where that would make lines cross, they are left rougher, and the last that still do go. Widths are measured across the lines, from boundary to boundary of the pixels.
//!
//! All of that is told in pixels, whatever their shape, but for widths: where pixels are not square, the way across a line on the ground is
//! aslant in pixels, and lines that are as narrow as asked for in pixels, but not on the ground, go.
//!
//! What reaches the edge of the raster may go on beyond it, and is thinned as if it did: its line ends there in the middle of the pixels that
//! touch the edge, however short it is, and meets that of the next tile to a pixel and a half and a quarter of its width. Its sides have to
//! run inwards from the edge about parallel as far as it is wide, or to a crossing that is two pixels and a quarter of the width away
//! at least (whichever is more), so that nothing branches off a line that lies along the edge. Lines that leave through the same pixels are one
//! beyond, and a way around a gap may lead through there. Where data ends within the raster, lines end.
//!
//! Crossings stay apart where two pixels and a third of their width lie between the lines: nodes of a skeleton that are nearer than half of the widest
//! circle in a crossing and a pixel and a half are one, because a single crossing, too, has two where its lines meet at up to 60
//! degrees. At smaller angles they are farther apart, and one where all lines, drawn on straight, meet in a point.
//!
//! Thinning goes a fixed number of rounds, enough for the widest line that is asked for. What becomes of a pixel then depends on what is near
//! it alone: the map is thinned in strips with as many rows around as that needs, and no seam can show. Memory is that of a strip, of the
//! skeleton, and of the runs of pixels near it. Parts of the class that are wider have no line.

mod apart;
mod border;
mod gaps;
mod graph;
mod lines;
mod mask;
mod split;
mod strip;
mod trace;
mod width;

use crate::{Point, Result, VectorError, right_angles};
use mask::Mask;
use strip::Strips;
use width::Across;

/// Which lines are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CenterlineOptions {
    /// Class.
    pub label: u32,
    /// The widest line, in pixels of the shorter side; 1 to 512.
    pub widest: usize,
    /// How far, in pixels, lines may be moved to have fewer points.
    pub tolerance: f64,
    /// Width and height of a pixel on the ground, in the unit in which widths are wanted; `[1.0, 1.0]` for pixels.
    pub pixel: [f64; 2],
}

/// The middle of something long and thin.
#[derive(Debug, Clone, PartialEq)]
pub struct Centerline {
    /// Class.
    pub label: u32,
    /// From one end to the other, in pixel coordinates; lines that meet share the point where they do, and have nothing else in
    /// common. A closed line has equal ends.
    pub points: Vec<Point>,
    /// How wide the class is along the line, across it on the ground, in the unit of [`CenterlineOptions::pixel`]: the mean of the middle
    /// half of its widths.
    pub width: f64,
    /// Whether pixels of the class beside the line lie at the edge of the map, so that it may go on beyond.
    pub touches_edge: bool,
}

/// Finds the centre lines of one class of a map whose rows come one after the other.
///
/// ```
/// use swath_vector::{CenterlineOptions, Centerliner};
///
/// let options = CenterlineOptions { label: 1, widest: 5, tolerance: 0.5, pixel: [1.0, 1.0] };
/// let mut lines = Centerliner::new(8, options)?;
/// #[rustfmt::skip]
/// lines.push(&[
///     0, 0, 0, 0, 0, 0, 0, 0,
///     1, 1, 1, 1, 1, 1, 1, 1,
///     1, 1, 1, 1, 1, 1, 1, 1,
///     1, 1, 1, 1, 1, 1, 1, 1,
///     0, 0, 0, 0, 0, 0, 0, 0,
/// ])?;
/// let lines = lines.finish();
/// assert_eq!((lines.len(), lines[0].width), (1, 3.0));
/// assert_eq!(lines[0].points, [(0.0, 2.5), (8.0, 2.5)]);
/// assert!(lines[0].touches_edge);
/// # Ok::<(), swath_vector::VectorError>(())
/// ```
#[derive(Debug)]
pub struct Centerliner {
    options: CenterlineOptions,
    width: usize,
    strips: Strips,
}

impl Centerliner {
    /// Begins a raster of `width` columns.
    ///
    /// # Errors
    /// When there is no column, or an option makes no sense.
    pub fn new(width: usize, options: CenterlineOptions) -> Result<Centerliner> {
        let CenterlineOptions { widest, tolerance, pixel, .. } = options;
        if width == 0 {
            return Err(VectorError::Size("0 columns have no centre lines".into()));
        }
        if !(1..=WIDEST).contains(&widest) {
            let problem = format!("centre lines of what is up to {widest} pixels wide; give 1 to {WIDEST}");
            return Err(VectorError::Argument(problem));
        }
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            return Err(VectorError::Argument(format!("a tolerance of {tolerance} pixels; give 0 or more")));
        }
        if !pixel.iter().all(|side| side.is_normal() && *side > 0.0) {
            let problem = format!("pixels of {} by {}; give lengths of more than 0", pixel[0], pixel[1]);
            return Err(VectorError::Argument(problem));
        }
        Ok(Centerliner { options, width, strips: Strips::new(width, options.label, widest) })
    }

    /// Takes the next rows of labels.
    ///
    /// # Errors
    /// When `labels` are no whole rows.
    pub fn push(&mut self, labels: &[u32]) -> Result<()> {
        self.strips.push(labels)
    }

    /// Ends the map: its lines, by their first pixel from the top.
    pub fn finish(self) -> Vec<Centerline> {
        let CenterlineOptions { label, widest, tolerance, pixel } = self.options;
        let (pixels, mask) = self.strips.finish();
        let size = (self.width, mask.rows());
        let mut graph = trace::trace(&pixels);
        graph.clean();
        let across = Across { mask: &mask, widest: widest as f64, pixel };
        lines::lines(&graph, &across, tolerance)
            .into_iter()
            .map(|(points, width)| {
                let touches_edge = touches_edge(&points, width / across.on_ground(&points), size, &mask);
                Centerline { label, points, width, touches_edge }
            })
            .collect()
    }
}

/// Whether pixels of the class at the edge of the map lie beside a line, no farther than half its width in pixels.
fn touches_edge(line: &[Point], width: f64, (columns, rows): (usize, usize), mask: &Mask) -> bool {
    let near = width / 2.0 + SLACK;
    // Pixels of the first or last row or column, by their place along it, from one end of a piece of the line to the other.
    let beside = |pair: &[Point], a: f64, b: f64, count: usize, pixel: &dyn Fn(i64) -> (i64, i64)| {
        let (from, to) = ((a.min(b) - near).floor().max(0.0), (a.max(b) + near).min(count as f64));
        (from as i64..to as i64).map(pixel).any(|(col, row)| {
            let centre = (col as f64 + 0.5, row as f64 + 0.5);
            mask.has(col, row) && right_angles::distance(centre, pair[0], pair[1]) <= near
        })
    };
    let (right, bottom) = (columns as i64 - 1, rows as i64 - 1);
    line.windows(2).any(|pair| {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        (ax.min(bx) <= near && beside(pair, ay, by, rows, &|row| (0, row)))
            || (ay.min(by) <= near && beside(pair, ax, bx, columns, &|col| (col, 0)))
            || (ax.max(bx) >= columns as f64 - near && beside(pair, ay, by, rows, &|row| (right, row)))
            || (ay.max(by) >= rows as f64 - near && beside(pair, ax, bx, columns, &|col| (col, bottom)))
    })
}

/// Pixels by which a line may lie nearer to one side than to the other, less the half from the edge of a pixel to its centre; another line
/// is farther away.
const SLACK: f64 = 0.75;

/// Pixels of the widest line.
const WIDEST: usize = 512;
