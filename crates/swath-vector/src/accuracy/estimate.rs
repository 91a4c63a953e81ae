//! Accuracies and areas from a sample.

use std::collections::BTreeMap;

use super::normal::z_score;
use super::ratio::{Estimate, Ratio};
use super::sample::{Sample, Unit, Weighted};
use crate::Result;

/// What a sample says of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimates {
    /// Confidence of all intervals.
    pub confidence: f64,
    /// Share of the area whose map class is right; its interval may reach beyond 0 and 1, as all of them may.
    pub overall: Estimate,
    /// One for each class of the sample, in its order.
    pub classes: Vec<ClassEstimates>,
    /// The error matrix: pairs of classes that occur in the sample, by map class and reference class.
    pub cells: Vec<Cell>,
}

/// What a sample says of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassEstimates {
    /// Units of the sample that the map gives to the class.
    pub mapped_units: u64,
    /// Units of the sample that belong to it.
    pub reference_units: u64,
    /// Share of its mapped area that belongs to it (1 - commission error); `None` for a class of which no unit is mapped.
    pub user: Option<Estimate>,
    /// Share of its true area that the map gives to it (1 - omission error); `None` for a class of which no unit was found.
    pub producer: Option<Estimate>,
    /// Its mapped share of the whole area, as the sample has it: exact where strata are classes.
    pub mapped: Estimate,
    /// Its true share of the whole area, free of the map's bias.
    pub share: Estimate,
    /// `share` times the whole area, in the unit of that.
    pub area: Option<Estimate>,
}

/// One cell of the error matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Index of the class on the map.
    pub map: usize,
    /// Index of the true class.
    pub reference: usize,
    /// Units of the sample.
    pub units: u64,
    /// Estimated share of the whole area.
    pub share: f64,
}

/// Estimates accuracies and areas. `total` is the whole area in any unit, where areas are wanted; `confidence` is that of
/// the intervals, such as 0.95.
///
/// ```
/// use swath_vector::accuracy::{Sample, Stratum, Unit, estimate};
///
/// // Map classes as strata: 90 % "other", of which 1 of 4 sampled pixels turned out to be water; 10 % water, all 4 right.
/// let stratum = |name: &str, size| Stratum { name: name.into(), size, population: None };
/// let unit = |stratum, reference| Unit { stratum, map: stratum, reference, area: 1.0 };
/// let sample = Sample {
///     classes: vec!["other".into(), "water".into()],
///     strata: vec![stratum("other", 0.9), stratum("water", 0.1)],
///     units: [(0, 0), (0, 0), (0, 0), (0, 1), (1, 1), (1, 1), (1, 1), (1, 1)].map(|(s, r)| unit(s, r)).to_vec(),
/// };
/// let found = estimate(&sample, Some(1000.0), 0.95).unwrap();
/// let water = &found.classes[1];
/// assert!((water.area.unwrap().value - 325.0).abs() < 1e-9); // mapped: 100
/// assert!((water.producer.unwrap().value - 0.1 / 0.325).abs() < 1e-12);
/// ```
///
/// # Errors
/// When the sample is empty or one of its strata is, a stratum has more units than exist, a size or area is not a positive
/// number, or `confidence` is not between 0 and 1.
pub fn estimate(sample: &Sample, total: Option<f64>, confidence: f64) -> Result<Estimates> {
    let z = z_score(confidence)?;
    let weighted = sample.weighted()?;
    let everything = |part: &dyn Fn(&Unit) -> bool| share(&weighted, z, part);
    let classes = (0..sample.classes.len()).map(|class| {
        let is_mapped = |unit: &Unit| unit.map == class;
        let is_there = |unit: &Unit| unit.reference == class;
        let is_right = |unit: &Unit| unit.map == class && unit.reference == class;
        let count = |of: &dyn Fn(&Unit) -> bool| sample.units.iter().filter(|unit| of(unit)).count() as u64;
        let share = everything(&is_there);
        ClassEstimates {
            mapped_units: count(&is_mapped),
            reference_units: count(&is_there),
            user: Ratio { part: &is_right, whole: &is_mapped, may_hide: false }.estimate(&weighted, z),
            producer: Ratio { part: &is_right, whole: &is_there, may_hide: true }.estimate(&weighted, z),
            mapped: everything(&is_mapped),
            share,
            area: total.map(|total| share.scaled(total)),
        }
    });
    let classes = classes.collect();
    let overall = everything(&|unit| unit.map == unit.reference);
    Ok(Estimates { confidence, overall, classes, cells: cells(&weighted) })
}

/// Share of the whole area. Every unit has an area, so that there always is one.
fn share(sample: &Weighted, z: f64, part: &dyn Fn(&Unit) -> bool) -> Estimate {
    let nothing = Estimate { value: 0.0, standard_error: None, margin: None };
    Ratio { part, whole: &|_| true, may_hide: true }.estimate(sample, z).unwrap_or(nothing)
}

fn cells(sample: &Weighted) -> Vec<Cell> {
    let mut found: BTreeMap<(usize, usize), (u64, f64)> = BTreeMap::new();
    let mut total = 0.0;
    for stratum in &sample.strata {
        for unit in &stratum.units {
            let area = stratum.weight() * unit.area;
            let cell = found.entry((unit.map, unit.reference)).or_default();
            *cell = (cell.0 + 1, cell.1 + area);
            total += area;
        }
    }
    let cell = |((map, reference), (units, area))| Cell { map, reference, units, share: area / total };
    found.into_iter().map(cell).collect()
}
