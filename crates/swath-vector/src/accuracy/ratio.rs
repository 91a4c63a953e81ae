//! The ratio of two totals of a stratified sample (Stehman 2014).

use super::sample::{Unit, Weighted, WeightedStratum};

/// An estimated quantity with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error; `None` where a stratum that it rests on has a single unit.
    pub standard_error: Option<f64>,
    /// Half the width of its confidence interval, which is `value - margin` to `value + margin`.
    pub margin: Option<f64>,
}

impl Estimate {
    /// The same quantity in another unit.
    pub(super) fn scaled(self, factor: f64) -> Estimate {
        Estimate {
            value: self.value * factor,
            standard_error: self.standard_error.map(|error| error * factor),
            margin: self.margin.map(|margin| margin * factor),
        }
    }
}

/// Units that a ratio counts.
pub(super) struct Ratio<'a> {
    /// Counts above the bar.
    pub(super) part: &'a dyn Fn(&Unit) -> bool,
    /// Counts below the bar; holds wherever `part` does.
    pub(super) whole: &'a dyn Fn(&Unit) -> bool,
    /// Whether a stratum of a single unit may hold units of both kinds although its one unit is of neither.
    pub(super) may_hide: bool,
}

impl Ratio<'_> {
    /// `R = Y / X` with its standard error from
    /// `V = X^-2 sum N_h^2 (1 - n_h/N_h) (s_y^2 + R^2 s_x^2 - 2 R s_xy) / n_h`; `None` where nothing lies below the bar.
    ///
    /// The bracket is the variance of the residuals `y - R x` in a stratum, and is computed as that.
    pub(super) fn estimate(&self, sample: &Weighted, z: f64) -> Option<Estimate> {
        let values = |unit: &Unit| {
            let one = |holds: bool| if holds { unit.area } else { 0.0 };
            (one((self.part)(unit)), one((self.whole)(unit)))
        };
        let (mut part, mut whole) = (0.0, 0.0);
        for stratum in &sample.strata {
            let (y, x) = stratum.units.iter().map(values).fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
            part += stratum.weight() * y;
            whole += stratum.weight() * x;
        }
        if whole == 0.0 {
            return None;
        }
        let ratio = part / whole;
        let residual = |unit: &Unit| {
            let (y, x) = values(unit);
            y - ratio * x
        };
        let mut variance = Some(0.0);
        for stratum in &sample.strata {
            let n = stratum.units.len() as f64;
            let term = match stratum.units[..] {
                _ if stratum.unseen == 0.0 => Some(0.0),
                [unit] if !self.may_hide && !(self.whole)(&unit) => Some(0.0),
                [_] => None,
                _ => {
                    let mean = stratum.units.iter().map(residual).sum::<f64>() / n;
                    let squares: f64 = stratum.units.iter().map(|unit| (residual(unit) - mean).powi(2)).sum();
                    Some(stratum.size.powi(2) * stratum.unseen * squares / (n - 1.0) / n)
                }
            };
            variance = variance.zip(term).map(|(sum, term)| sum + term);
        }
        let standard_error = variance.map(|variance| variance.sqrt() / whole);
        Some(Estimate { value: ratio, standard_error, margin: standard_error.map(|error| z * error) })
    }
}

impl WeightedStratum {
    /// How many units of the stratum each of the sample stands for.
    pub(super) fn weight(&self) -> f64 {
        self.size / self.units.len() as f64
    }
}
