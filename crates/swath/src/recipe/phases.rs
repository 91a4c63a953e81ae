//! `[[train.phases]]`: parts of a network that are held, or learn more slowly, for some steps.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::require;

/// A part of a run with learning rates of its own.
///
/// Training from weights made elsewhere, new layers learn first and old ones follow: PolyCNN has such a table of three phases.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// The step that ends the phase and is no longer part of it; the last phase may go on to the end of the run. After a last
    /// phase that ends, everything learns at the schedule's rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
    /// For the parameters whose names start so, a factor on the schedule's learning rate. The longest name counts; parameters
    /// without any have 1. Those with 0 are held: neither they nor running statistics change.
    pub rates: BTreeMap<String, f64>,
}

impl Phase {
    /// The factor of a parameter.
    ///
    /// ```
    /// use swath::recipe::Phase;
    /// let phase = Phase { until: None, rates: [("encoder".into(), 0.0), ("encoder.layer4".into(), 0.1)].into() };
    /// assert_eq!(phase.rate("encoder.layer1.0.conv1.weight"), 0.0);
    /// assert_eq!(phase.rate("encoder.layer4.0.conv1.weight"), 0.1);
    /// assert_eq!(phase.rate("head.conv.weight"), 1.0);
    /// ```
    pub fn rate(&self, parameter: &str) -> f64 {
        let fitting = self.rates.iter().filter(|(name, _)| covers(name, parameter));
        fitting.max_by_key(|(name, _)| name.len()).map_or(1.0, |(_, rate)| *rate)
    }
}

/// Whether a parameter is the one of this name or lies below it: `encoder.layer1` does not cover `encoder.layer10`.
pub(crate) fn covers(name: &str, parameter: &str) -> bool {
    parameter.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The phase of a step, counted from 0; none where everything learns alike.
pub(crate) fn at(phases: &[Phase], step: usize) -> Option<usize> {
    phases.iter().position(|phase| phase.until.is_none_or(|until| step < until))
}

pub(super) fn check(phases: &[Phase]) -> Result<(), String> {
    let mut before = 0;
    for (i, phase) in phases.iter().enumerate() {
        let key = format!("train.phases[{i}]");
        match phase.until {
            Some(until) => {
                let advice = format!("it must be above {before}, where the phase begins");
                require(until > before, &format!("{key}.until"), until, &advice)?;
                before = until;
            }
            None if i + 1 < phases.len() => {
                return Err(format!("{key} has no `until`: only the last phase goes on to the end"));
            }
            None => {}
        }
        for (name, rate) in &phase.rates {
            let fine = *rate >= 0.0 && rate.is_finite();
            require(fine, &format!("{key}.rates.{name}"), rate, "it must be 0 or more")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(until: Option<usize>) -> Phase {
        Phase { until, ..Phase::default() }
    }

    #[test]
    fn a_step_belongs_to_the_first_phase_that_has_not_ended() {
        let phases = [phase(Some(500)), phase(Some(1000))];
        assert_eq!([0, 499, 500, 999, 1000].map(|step| at(&phases, step)), [Some(0), Some(0), Some(1), Some(1), None]);
        assert_eq!(at(&[phase(None)], 7), Some(0));
        assert_eq!(at(&[], 7), None);
    }

    #[test]
    fn names_cover_whole_parts() {
        assert!(covers("encoder.layer1", "encoder.layer1.0.conv1.weight"));
        assert!(covers("encoder.bn1.gamma", "encoder.bn1.gamma"));
        assert!(!covers("encoder.layer1", "encoder.layer10.weight"));
    }
}
