//! What was sampled and what was seen there.

use crate::{Result, VectorError};

/// A part of the map in which units were drawn with equal probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Stratum {
    /// Name, for messages.
    pub name: String,
    /// Its number of units, or anything proportional to it, such as its share of the map.
    pub size: f64,
    /// Its number of units, where it is known: variances then take account of how much of the stratum was seen.
    pub population: Option<u64>,
}

/// One interpreted unit, such as a pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// Index of the stratum that it was drawn in.
    pub stratum: usize,
    /// Index of its class on the map.
    pub map: usize,
    /// Index of the class that is really there.
    pub reference: usize,
    /// Its area, in any unit; 1 for each where all are equal.
    pub area: f64,
}

/// A stratified random sample.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sample {
    /// Names of the classes, of the map and of the reference alike.
    pub classes: Vec<String>,
    /// The strata, which together are the whole map.
    pub strata: Vec<Stratum>,
    /// The units, in any order.
    pub units: Vec<Unit>,
}

/// A sample in the form in which totals are taken: units by stratum, each with the number of units that it stands for.
pub(super) struct Weighted {
    pub(super) strata: Vec<WeightedStratum>,
}

/// One stratum that holds something.
pub(super) struct WeightedStratum {
    pub(super) units: Vec<Unit>,
    pub(super) size: f64,
    /// 1 - n/N; 1 where N is not known.
    pub(super) unseen: f64,
}

impl Sample {
    /// Checks everything that the estimators rely on.
    pub(super) fn weighted(&self) -> Result<Weighted> {
        let total: f64 = self.strata.iter().map(|stratum| stratum.size).sum();
        for Stratum { name, size, population } in &self.strata {
            if !(*size >= 0.0 && size.is_finite()) {
                return Err(sample(format!("stratum {name:?} has the size {size}; sizes are positive numbers")));
            }
            if let Some(population) = population
                && (*population == 0) != (*size == 0.0)
            {
                return Err(sample(format!("stratum {name:?} has the size {size}, but {population} units")));
            }
        }
        if self.units.is_empty() {
            return Err(sample("it has no unit with a reference class; interpret some first".into()));
        }
        let mut units: Vec<Vec<Unit>> = vec![Vec::new(); self.strata.len()];
        for (number, unit) in self.units.iter().enumerate() {
            if unit.stratum >= self.strata.len() || unit.map.max(unit.reference) >= self.classes.len() {
                return Err(sample(format!("unit {number} names a stratum or class that does not exist")));
            }
            if !(unit.area > 0.0 && unit.area.is_finite()) {
                return Err(sample(format!("unit {number} has the area {}; areas are positive numbers", unit.area)));
            }
            units[unit.stratum].push(*unit);
        }
        let mut strata = Vec::new();
        for (Stratum { name, size, population }, units) in self.strata.iter().zip(units) {
            let count = units.len() as u64;
            let limit = if *size == 0.0 { Some(0) } else { *population };
            match limit {
                Some(most) if count > most => {
                    return Err(sample(format!(
                        "stratum {name:?} has {most} units, but the sample has {count} of them; check its size and that no unit is listed twice"
                    )));
                }
                Some(0) => continue,
                _ if units.is_empty() => {
                    return Err(sample(format!(
                        "stratum {name:?}, {:.2} % of the map, has no unit with a reference class; interpret at least two, or join it with another stratum",
                        100.0 * size / total
                    )));
                }
                _ => {}
            }
            let unseen = population.map_or(1.0, |population| 1.0 - count as f64 / population as f64);
            strata.push(WeightedStratum { units, size: *size, unseen });
        }
        Ok(Weighted { strata })
    }
}

fn sample(problem: String) -> VectorError {
    VectorError::Sample { problem }
}
