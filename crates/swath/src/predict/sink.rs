//! Where finished pixels go.

use std::ops::Range;

use swath_geo::Window;

use crate::IGNORE;
use crate::error::Result;

/// A finished rectangle of the result.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Where it lies; always inside the scene.
    pub window: Window,
    /// The class of each pixel, [`IGNORE`](crate::IGNORE) where the scene is not valid.
    pub labels: Vec<u16>,
    /// The score of that class; 0 where the scene is not valid.
    pub confidence: Vec<f32>,
    /// The scores of all classes, `[class, row, column]`; 0 where the scene is not valid. Empty unless asked for.
    pub scores: Vec<f32>,
}

impl Patch {
    /// A patch in which no pixel is valid.
    pub(crate) fn invalid(window: Window, classes: usize) -> Patch {
        let pixels = window.area();
        Patch {
            window,
            labels: vec![IGNORE; pixels],
            confidence: vec![0.0; pixels],
            scores: vec![0.0; classes * pixels],
        }
    }
}

/// Takes finished pixels. Patches come in the order of the chips and cover each pixel of the units in work once.
/// Runs on a thread of its own.
pub trait PatchSink: Send {
    /// Whether [`Patch::scores`] is wanted.
    fn wants_scores(&self) -> bool {
        false
    }

    /// Takes one patch.
    fn patch(&mut self, patch: &Patch) -> Result<()>;

    /// All patches of these chip rows have come. A sink that can be resumed makes them durable now.
    fn unit_done(&mut self, chip_rows: Range<usize>) -> Result<()> {
        let _ = chip_rows;
        Ok(())
    }
}

/// Whole rows of labels, as evaluation reads them.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelRows {
    /// The first row in the scene.
    pub row: usize,
    /// Columns of the scene.
    pub width: usize,
    /// The classes row by row, [`IGNORE`](crate::IGNORE) where the scene is not valid.
    pub labels: Vec<u16>,
    /// The scores of these classes.
    pub confidence: Vec<f32>,
}

/// Takes whole rows from the top of the scene to its bottom; made for evaluation without files.
pub trait RowSink: Send {
    /// Takes the next rows.
    fn rows(&mut self, rows: &LabelRows) -> Result<()>;
}

impl<F: FnMut(&LabelRows) -> Result<()> + Send> RowSink for F {
    fn rows(&mut self, rows: &LabelRows) -> Result<()> {
        self(rows)
    }
}

/// Joins patches to whole rows for a [`RowSink`].
pub(crate) struct RowAssembler<'s> {
    sink: &'s mut dyn RowSink,
    rows: LabelRows,
}

impl<'s> RowAssembler<'s> {
    pub(crate) fn new(width: usize, sink: &'s mut dyn RowSink) -> RowAssembler<'s> {
        RowAssembler { sink, rows: LabelRows { row: 0, width, labels: Vec::new(), confidence: Vec::new() } }
    }
}

impl PatchSink for RowAssembler<'_> {
    fn patch(&mut self, patch: &Patch) -> Result<()> {
        let Window { col, row, width, height } = patch.window;
        let (col, total) = (col as usize, self.rows.width);
        if col == 0 {
            self.rows.row = row as usize;
            self.rows.labels.resize(height * total, IGNORE);
            self.rows.confidence.resize(height * total, 0.0);
        }
        for line in 0..height {
            let (from, to) = (line * width..(line + 1) * width, line * total + col..line * total + col + width);
            self.rows.labels[to.clone()].copy_from_slice(&patch.labels[from.clone()]);
            self.rows.confidence[to].copy_from_slice(&patch.confidence[from]);
        }
        if col + width == total {
            self.sink.rows(&self.rows)?;
        }
        Ok(())
    }
}
