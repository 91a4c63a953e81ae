//! What an interpreted sample says of a map.

use std::path::PathBuf;

use serde::Serialize;
use swath_vector::accuracy::{Estimate, estimate};

use super::interpreted::{Interpreted, read};
use crate::Result;

/// An interpreted sample and how to read it.
#[derive(Clone, Debug, PartialEq)]
pub struct AssessSpec {
    /// Points or a table; anything that GDAL reads, CSV among it.
    pub sample: PathBuf,
    /// Layer; `None` for the only one.
    pub layer: Option<String>,
    /// Column with what is really there: names or values of classes. Rows without are left out.
    pub reference_field: String,
    /// Map whose classes at the points are taken instead of those that the sample stores, and whose classes are the strata where
    /// the sample stores none.
    pub map: Option<PathBuf>,
    /// A value of the map that is no class, beside its nodata.
    pub ignore: Option<i64>,
    /// Column with the stratum; `None` for `stratum`, or the map's class where there is no such column.
    pub stratum_field: Option<String>,
    /// Column with the map's class; `None` for `map_class`.
    pub map_field: Option<String>,
    /// Column with the share of the map that the stratum is; `None` for the sizes that a design stores, or `weight`.
    pub weight_field: Option<String>,
    /// The whole area in square metres, where neither sample nor map says it or it is another.
    pub total_area_m2: Option<f64>,
    /// Confidence of the intervals, such as 0.95.
    pub confidence: f64,
}

impl AssessSpec {
    /// A sample as [`super::design`] writes it.
    pub fn new(sample: impl Into<PathBuf>, reference_field: impl Into<String>) -> AssessSpec {
        AssessSpec {
            sample: sample.into(),
            layer: None,
            reference_field: reference_field.into(),
            map: None,
            ignore: None,
            stratum_field: None,
            map_field: None,
            weight_field: None,
            total_area_m2: None,
            confidence: 0.95,
        }
    }
}

/// Accuracy of a map and areas of its classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// Interpreted units.
    pub units: u64,
    /// Units without a reference class, which are left out.
    pub without_reference: u64,
    /// Confidence of all margins.
    pub confidence: f64,
    /// The whole area in square metres.
    pub total_m2: Option<f64>,
    /// Share of the area whose map class is right.
    pub overall_accuracy: Interval,
    /// Classes of the map in their order, then those that only the reference has.
    pub classes: Vec<AssessedClass>,
    /// The error matrix: pairs of classes that occur.
    pub cells: Vec<AssessedCell>,
    /// Strata with a single unit: margins that rest on them are unknown.
    pub single_unit_strata: Vec<String>,
}

/// An estimate with its confidence interval, `value - margin` to `value + margin`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The estimate.
    pub value: f64,
    /// Standard error; unknown where a stratum has a single unit.
    pub standard_error: Option<f64>,
    /// Half the width of the interval.
    pub margin: Option<f64>,
}

/// Accuracy and area of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssessedClass {
    /// Name.
    pub name: String,
    /// Units that the map gives to the class.
    pub mapped_units: u64,
    /// Units that belong to it.
    pub reference_units: u64,
    /// User's accuracy; none for a class that the map does not show.
    pub users_accuracy: Option<Interval>,
    /// Producer's accuracy; none for a class that was not found.
    pub producers_accuracy: Option<Interval>,
    /// Mapped share of the whole area, as the sample has it.
    pub mapped_share: f64,
    /// True share of the whole area.
    pub share: Interval,
    /// True area in square metres.
    pub area_m2: Option<Interval>,
}

/// One cell of the error matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AssessedCell {
    /// Class of the map.
    pub map: String,
    /// True class.
    pub reference: String,
    /// Units of the sample.
    pub units: u64,
    /// Estimated share of the whole area.
    pub share: f64,
}

/// Estimates accuracies and areas with confidence intervals (Olofsson et al. 2014; Stehman 2014, where strata are not the map's
/// classes).
///
/// # Errors
/// When the file, a column or the map cannot be read; when the sizes of strata are unknown or contradict each other; when a point
/// lies beside the map; when a stratum has no interpreted unit.
pub fn assess(spec: &AssessSpec) -> Result<Assessment> {
    let Interpreted { sample, total_m2, blank } = read(spec)?;
    let found = estimate(&sample, total_m2, spec.confidence)?;
    let name = |class: usize| sample.classes[class].clone();
    let classes = found.classes.iter().enumerate().map(|(index, class)| AssessedClass {
        name: name(index),
        mapped_units: class.mapped_units,
        reference_units: class.reference_units,
        users_accuracy: class.user.map(interval),
        producers_accuracy: class.producer.map(interval),
        mapped_share: class.mapped.value,
        share: interval(class.share),
        area_m2: class.area.map(interval),
    });
    let cells = found.cells.iter().map(|cell| AssessedCell {
        map: name(cell.map),
        reference: name(cell.reference),
        units: cell.units,
        share: cell.share,
    });
    let count = |stratum: usize| sample.units.iter().filter(|unit| unit.stratum == stratum).count();
    let strata = sample.strata.iter().enumerate();
    let single = strata.filter(|&(index, stratum)| count(index) == 1 && stratum.population != Some(1));
    Ok(Assessment {
        units: sample.units.len() as u64,
        without_reference: blank,
        confidence: found.confidence,
        total_m2,
        overall_accuracy: interval(found.overall),
        classes: classes.collect(),
        cells: cells.collect(),
        single_unit_strata: single.map(|(_, stratum)| stratum.name.clone()).collect(),
    })
}

fn interval(estimate: Estimate) -> Interval {
    Interval { value: estimate.value, standard_error: estimate.standard_error, margin: estimate.margin }
}
