//! What a prediction will do, decided before anything is read: chips, units of work, memory.

use std::collections::BTreeSet;
use std::ops::Range;

use swath_geo::Window;

use super::axis::{Axis, Blend};
use super::even::even;
use super::patches::Patches;
use crate::dihedral::Dihedral;
use crate::error::{Error, Result};

/// How a scene is predicted. Only `chip`, `overlap`, `blend`, `patches`, `tta` and `temperature` change the result; the others
/// change speed and memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Side of the square chips that the network sees, in pixels, at most: they are smaller where as many cover the scene. What
    /// [`Plan::options`] says is their true size.
    pub chip: usize,
    /// Pixels that neighbouring chips share; at most half a chip. Best a multiple of twice the network's stride.
    pub overlap: usize,
    /// How overlapping chips are joined.
    pub blend: Blend,
    /// For a classifier, how it slides. Overlap, blend and the exact size of chips then follow from it, and `chip` changes nothing
    /// but memory.
    pub patches: Option<Patches>,
    /// Chips that the network gets at once.
    pub batch: usize,
    /// Average the scores over the eight rotations and reflections of each chip.
    pub tta: bool,
    /// The logits are divided by this before the softmax (calibration); 1 leaves them.
    pub temperature: f32,
    /// Threads that read and prepare chips.
    pub readers: usize,
    /// Chip rows of a unit, the part of the work that is made durable at once.
    pub unit_rows: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            chip: 512,
            overlap: 64,
            blend: Blend::Cosine,
            patches: None,
            batch: 1,
            tta: false,
            temperature: 1.0,
            readers: 1,
            unit_rows: 1,
        }
    }
}

impl Options {
    fn check(&self) -> Result<()> {
        let Options { chip, overlap, patches, .. } = *self;
        let problem = if let Some(Patches { patch, cell }) = patches.filter(|p| p.cell == 0 || p.cell > p.patch) {
            format!("a cell of {cell} in a patch of {patch}; give 1 to {patch} pixels")
        } else if chip == 0 {
            "the chip has no pixels; give a size of at least 1".to_string()
        } else if overlap > chip / 2 {
            format!(
                "an overlap of {overlap} is more than half a chip of {chip}; give at most {} or larger chips",
                chip / 2
            )
        } else if self.batch == 0 {
            "the batch is 0; give at least 1".to_string()
        } else if self.readers == 0 || self.unit_rows == 0 {
            "at least one reader and one chip row in a unit are needed".to_string()
        } else if !(self.temperature.is_finite() && self.temperature > 0.0) {
            format!("a temperature of {} is not a positive number", self.temperature)
        } else {
            return Ok(());
        };
        Err(Error::PredictOptions { problem })
    }
}

/// The chips of one scene and the order of the work.
///
/// The chip grid starts at the scene's first pixel, whatever part is in work. Chip rows own disjoint rows of
/// the scene; a unit is a run of chip rows, and the bytes of its rows do not depend on how units are cut.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub(crate) options: Options,
    pub(crate) rows: Axis,
    pub(crate) cols: Axis,
}

/// Memory of a prediction by purpose, in bytes; see [`Plan::memory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Scores that wait for the next chip: one chip, and one ramp over the width of the scene.
    pub accumulators: usize,
    /// Chips read ahead and the batch in work.
    pub input: usize,
    /// Logits of the batch in work and of the one that is being blended.
    pub logits: usize,
    /// The finished rectangle that is handed to the outputs.
    pub output: usize,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> usize {
        self.accumulators + self.input + self.logits + self.output
    }
}

impl Plan {
    /// Plans a scene of `width` x `height` pixels.
    pub fn new(width: usize, height: usize, options: &Options) -> Result<Plan> {
        options.check()?;
        if width == 0 || height == 0 {
            return Err(Error::PredictOptions {
                problem: format!("a scene of {width}x{height} pixels has nothing to predict"),
            });
        }
        let options = &match options.patches {
            Some(patches) => patches.fit(width, height, options),
            None => even(width, height, options),
        };
        let axis = |len| Axis::new(len, options.chip, options.overlap, options.blend);
        Ok(Plan { options: options.clone(), rows: axis(height), cols: axis(width) })
    }

    /// How the scene is predicted.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Columns of the scene.
    pub fn width(&self) -> usize {
        self.cols.len()
    }

    /// Rows of the scene.
    pub fn height(&self) -> usize {
        self.rows.len()
    }

    /// Chip rows of the scene.
    pub fn chip_rows(&self) -> usize {
        self.rows.count()
    }

    /// Chips in each chip row.
    pub fn chip_cols(&self) -> usize {
        self.cols.count()
    }

    /// The window that chip (`row`, `col`) of the chip grid covers; may reach beyond the scene.
    pub fn chip(&self, row: usize, col: usize) -> Window {
        Window::new(self.cols.origin(col), self.rows.origin(row), self.options.chip, self.options.chip)
    }

    /// The scene rows that a run of chip rows owns.
    pub fn owned_rows(&self, chip_rows: &Range<usize>) -> Range<usize> {
        if chip_rows.is_empty() {
            return 0..0;
        }
        self.rows.owned(chip_rows.start).start..self.rows.owned(chip_rows.end - 1).end
    }

    /// The units that remain when the chip rows in `done` are finished, in order.
    pub fn units(&self, done: &BTreeSet<usize>) -> Vec<Range<usize>> {
        let mut units: Vec<Range<usize>> = Vec::new();
        for row in (0..self.chip_rows()).filter(|row| !done.contains(row)) {
            match units.last_mut() {
                Some(unit) if unit.end == row && !row.is_multiple_of(self.options.unit_rows) => unit.end = row + 1,
                _ => units.push(row..row + 1),
            }
        }
        units
    }

    /// What the engine keeps in memory, at most, for a network of `bands` and `classes`; the network's own memory and the
    /// readers' caches come on top. Grows with the width of the scene (accumulators only), not with its height.
    pub fn memory(&self, bands: usize, classes: usize) -> Memory {
        let Options { batch, readers, tta, .. } = self.options;
        let chip = self.options.chip.pow(2);
        let f32s = size_of::<f32>();
        let (tall, wide) = (self.rows.longest(), self.cols.longest());
        // A reader holds a batch, one chip of it in its hands; the network's batch comes on top.
        let chips = readers * batch + batch;
        Memory {
            accumulators: f32s * classes * (tall * wide + self.rows.ramp_len() * self.width()),
            input: chips * chip * (bands * f32s + 1),
            logits: (2 * batch + usize::from(tta)) * chip * classes * f32s,
            output: tall * wide * (f32s * (classes + 1) + size_of::<u16>() + 1),
        }
    }

    /// The layings of each chip that are averaged.
    pub(crate) fn layings(&self) -> &'static [Dihedral] {
        if self.options.tta { &Dihedral::ALL } else { &Dihedral::ALL[..1] }
    }

    /// Whether chip row `row` needs what the chip row above it adds to its first scene rows.
    pub(crate) fn leans_on_the_row_above(&self, row: usize) -> bool {
        row > 0 && self.rows.shared(row - 1) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(height: usize, options: Options) -> Plan {
        Plan::new(100, height, &options).unwrap()
    }

    #[test]
    fn options_that_cannot_work_are_refused_with_a_reason() {
        let good = Options::default();
        let bad = [
            (Options { chip: 0, overlap: 0, ..good.clone() }, "no pixels"),
            (Options { chip: 64, overlap: 33, ..good.clone() }, "at most 32"),
            (Options { batch: 0, ..good.clone() }, "batch"),
            (Options { readers: 0, ..good.clone() }, "reader"),
            (Options { temperature: f32::NAN, ..good.clone() }, "temperature"),
        ];
        for (options, reason) in bad {
            let message = Plan::new(10, 10, &options).unwrap_err().to_string();
            assert!(message.contains(reason), "{message}");
        }
        assert!(Plan::new(0, 10, &good).is_err());
    }

    #[test]
    fn units_cover_what_is_not_done() {
        let plan = plan(100, Options { chip: 16, overlap: 4, unit_rows: 3, ..Options::default() });
        assert_eq!(plan.chip_rows(), 9);
        assert_eq!(plan.units(&BTreeSet::new()), [0..3, 3..6, 6..9]);
        assert_eq!(plan.units(&BTreeSet::from([0, 1, 4, 8])), [2..3, 3..4, 5..6, 6..8]);
        assert!(plan.units(&(0..9).collect()).is_empty());
        let rows: Vec<usize> = [0..3, 3..6, 6..9].iter().flat_map(|unit| plan.owned_rows(unit)).collect();
        assert_eq!(rows, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn memory_does_not_grow_with_height_and_little_with_width() {
        let of = |width, height| Plan::new(width, height, &Options::default()).unwrap().memory(10, 10);
        assert_eq!(of(10_980, 10_980), of(10_980, 1_000_000));
        let (narrow, wide) = (of(10_980, 10_980), of(109_800, 10_980));
        assert_eq!(wide.total() - narrow.total(), (109_800 - 10_980) * 32 * 10 * 4);
        assert!(narrow.total() < 400 << 20, "{narrow:?}");
    }
}
