//! Label maps without noise, row by row: what comes before polygons.

mod absorb;
mod majority;
mod morphology;
mod window;

use crate::{Result, VectorError};
use absorb::{Absorb, Rule};
use majority::Majority;
use morphology::Morphology;
use window::Windowed;

/// One step of cleaning. Pixels [`OUTSIDE`](crate::OUTSIDE) stay outside in all of them, and no other pixel leaves. What touches these or the
/// edge of the map counts as going on there: to opening and closing, `radius + 1` pixels beside them are as wide as `2 radius + 1` elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleaning {
    /// Each pixel gets the label that most pixels have in the square of `2 radius + 1` around it; its own where it is among several.
    Majority {
        /// Pixels to each side.
        radius: usize,
    },
    /// A label loses its parts where no square of `2 radius + 1` pixels fits in; they get the label nearest to them.
    Open {
        /// The label.
        label: u32,
        /// Half the width of the square, less one half.
        radius: usize,
    },
    /// A label takes what is between its parts where no square of `2 radius + 1` pixels fits in.
    Close {
        /// The label.
        label: u32,
        /// Half the width of the square, less one half.
        radius: usize,
    },
    /// Regions that one other region encloses go to it when they are smaller than this many pixels. What touches the edge or pixels
    /// outside is not enclosed.
    FillHoles {
        /// The size at which a region stays.
        pixels: u64,
    },
    /// Regions smaller than this many pixels go to the neighbour with the longest common border.
    Sieve {
        /// The size at which a region stays.
        pixels: u64,
    },
}

/// Cleans a label map whose rows come one after the other.
///
/// Memory is bounded by the rows that a step looks at: a square's, or those of the undecided regions, which are smaller than
/// the limit in pixels and thus in rows.
///
/// ```
/// use swath_vector::{Cleaner, Cleaning};
///
/// let mut cleaner = Cleaner::new(4, &[Cleaning::Sieve { pixels: 2 }])?;
/// let mut cleaned = Vec::new();
/// cleaner.push(&[
///     1, 1, 2, 2,
///     1, 3, 2, 2,
///     1, 1, 1, 2,
/// ], &mut cleaned)?;
/// cleaner.finish(&mut cleaned);
/// assert_eq!(cleaned, [
///     1, 1, 2, 2,
///     1, 1, 2, 2,
///     1, 1, 1, 2,
/// ]);
/// # Ok::<(), swath_vector::VectorError>(())
/// ```
pub struct Cleaner {
    width: usize,
    stages: Vec<Box<dyn Stage>>,
    /// Rows between the stages.
    between: Vec<u32>,
}

impl Cleaner {
    /// Prepares steps that follow each other, for a map of `width` columns.
    ///
    /// # Errors
    /// When `width` is 0, or a radius is 0 or larger than 64.
    pub fn new(width: usize, steps: &[Cleaning]) -> Result<Cleaner> {
        if width == 0 {
            return Err(VectorError::Size("0 columns cannot be cleaned".into()));
        }
        let stages = steps.iter().map(|step| stage(width, step)).collect::<Result<_>>()?;
        Ok(Cleaner { width, stages, between: Vec::new() })
    }

    /// Takes rows and appends those that are clean to `cleaned`.
    ///
    /// # Errors
    /// When `labels` are no whole rows.
    pub fn push(&mut self, labels: &[u32], cleaned: &mut Vec<u32>) -> Result<()> {
        if !labels.len().is_multiple_of(self.width) {
            return Err(VectorError::Size(format!("{} labels are no whole rows of {}", labels.len(), self.width)));
        }
        self.feed(0, labels.to_vec(), cleaned);
        Ok(())
    }

    /// Ends the map: appends the rows that are left.
    pub fn finish(mut self, cleaned: &mut Vec<u32>) {
        for stage in 0..self.stages.len() {
            self.between.clear();
            self.stages[stage].finish(&mut self.between);
            let rows = std::mem::take(&mut self.between);
            self.feed(stage + 1, rows, cleaned);
        }
    }

    /// Sends rows through the stages from one on.
    fn feed(&mut self, from: usize, mut rows: Vec<u32>, cleaned: &mut Vec<u32>) {
        for stage in &mut self.stages[from..] {
            let mut next = Vec::with_capacity(rows.len());
            for row in rows.chunks_exact(self.width) {
                stage.push(row, &mut next);
            }
            rows = next;
        }
        cleaned.extend_from_slice(&rows);
    }
}

/// Takes row by row, and gives as many, later.
trait Stage {
    fn push(&mut self, row: &[u32], out: &mut Vec<u32>);
    fn finish(&mut self, out: &mut Vec<u32>);
}

fn stage(width: usize, step: &Cleaning) -> Result<Box<dyn Stage>> {
    let radius = |radius: usize| match radius {
        1..=MAX_RADIUS => Ok(radius),
        _ => Err(VectorError::Argument(format!("a radius of {radius} pixels; give 1 to {MAX_RADIUS}"))),
    };
    Ok(match *step {
        Cleaning::Majority { radius: of } => Box::new(Windowed::new(width, Majority { radius: radius(of)? })),
        Cleaning::Open { label, radius: of } => Box::new(Windowed::new(width, Morphology::opening(label, radius(of)?))),
        Cleaning::Close { label, radius: of } => {
            Box::new(Windowed::new(width, Morphology::closing(label, radius(of)?)))
        }
        Cleaning::FillHoles { pixels } => Box::new(Absorb::new(pixels, Rule::Enclosed)),
        Cleaning::Sieve { pixels } => Box::new(Absorb::new(pixels, Rule::LongestBorder)),
    })
}

const MAX_RADIUS: usize = 64;
