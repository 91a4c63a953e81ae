//! Phases of a run: which parameters are held, and how fast the others learn.

use std::collections::HashSet;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use swath_nn::Segmenter;
use swath_nn::weights::{self, Kind, parameter_id, parameter_kind};

use crate::error::Error;
use crate::recipe::{Phase, Recipe, UNPLACED, covers, phase_at};

/// The phases of a run and the one that it is in.
#[derive(Debug)]
pub(super) struct Phases {
    phases: Vec<Phase>,
    /// Parameters and running statistics.
    names: Vec<String>,
    /// The phase of the latest step: none before the first step, `Some(None)` where everything learns alike.
    present: Option<Option<usize>>,
    /// Factors above 0 other than 1, with the parameters that have them.
    slow: Vec<(f64, HashSet<ParamId>)>,
}

/// Whether the phases of a recipe name parameters of its network, and leave some that learn.
///
/// # Errors
///
/// [`Error::Recipe`], which [`Recipe::placed`] finds in its file.
pub fn check_phases(recipe: &Recipe) -> crate::Result<()> {
    // Names do not depend on the bands.
    let network = recipe.model.segmenter(1, recipe.data.classes.len()).unfilled()?;
    Phases::new(&recipe.train.phases, &network).map_err(Phases::refused).map(|_| ())
}

impl Phases {
    /// What is wrong with phases, as an error that does not know the recipe's file.
    pub(super) fn refused(problem: String) -> Error {
        Error::Recipe { file: UNPLACED.into(), line: None, problem }
    }

    /// Holds the phases against the network's names.
    ///
    /// # Errors
    ///
    /// With a message, when a phase names no parameter, or leaves nothing that learns.
    pub(super) fn new(phases: &[Phase], network: &Segmenter) -> Result<Phases, String> {
        let names = if phases.is_empty() { Vec::new() } else { weights::names(network) };
        for (i, phase) in phases.iter().enumerate() {
            if let Some(name) = phase.rates.keys().find(|name| !names.iter().any(|found| covers(name, found))) {
                let near = nearest(name, &names);
                return Err(format!(
                    "train.phases[{i}].rates has `{name}`, and no parameter's name starts so; did you mean `{near}`?"
                ));
            }
            let learns = |name: &&String| parameter_kind(name) != Kind::RunningStat && phase.rate(name) > 0.0;
            if !names.iter().any(|name| learns(&name)) {
                return Err(format!("train.phases[{i}] holds every parameter: leave one part that learns"));
            }
        }
        Ok(Phases { phases: phases.to_vec(), names, present: None, slow: Vec::new() })
    }

    /// What to say of the first phase that a run of so many steps does not reach, or of the last one if it does not end.
    pub(super) fn cut_off(&self, steps: usize) -> Option<String> {
        let begins = self.phases.windows(2).map(|pair| pair[0].until.unwrap_or(usize::MAX));
        if let Some((phase, begins)) = (1..).zip(begins).find(|(_, begins)| *begins >= steps) {
            return Some(format!(
                "note: train.phases[{phase}] begins at step {begins}, and the run ends at step {steps} before it"
            ));
        }
        let last = self.phases.last()?;
        let until = last.until.filter(|until| *until > steps)?;
        let phase = self.phases.len() - 1;
        Some(format!("note: train.phases[{phase}] ends at step {until}, and the run at step {steps} before it"))
    }

    /// Makes the network ready for a step, counted from 0. Also says what changed, if a phase begins.
    pub(super) fn enter(&mut self, step: usize, network: Segmenter) -> (Segmenter, Option<String>) {
        let phase = phase_at(&self.phases, step);
        if self.phases.is_empty() || self.present == Some(phase) {
            return (network, None);
        }
        self.present = Some(phase);
        let rate = |name: &str| phase.map_or(1.0, |phase| self.phases[phase].rate(name));
        let mut slow: Vec<(f64, HashSet<ParamId>)> = Vec::new();
        let (mut held, mut all) = (0, 0);
        for name in self.names.iter().filter(|name| parameter_kind(name) != Kind::RunningStat) {
            let rate = rate(name);
            all += 1;
            held += usize::from(rate == 0.0);
            if rate == 0.0 || rate == 1.0 {
                continue;
            }
            match slow.iter_mut().find(|(found, _)| *found == rate) {
                Some((_, ids)) => {
                    ids.insert(parameter_id(name));
                }
                None => slow.push((rate, HashSet::from([parameter_id(name)]))),
            }
        }
        let network = weights::freeze(network, |name| rate(name) == 0.0);
        let others = slow.iter().map(|(rate, ids)| format!(", {} learn at {rate} of the rate", ids.len()));
        let message = format!("step {step}: {held} of {all} parameters are held{}", others.collect::<String>());
        self.slow = slow;
        (network, Some(message))
    }

    /// One step of the optimizer at the schedule's rate `lr` times each parameter's factor.
    pub(super) fn step(
        &self,
        optimizer: &mut ModuleOptimizer,
        lr: f64,
        mut network: Segmenter,
        mut gradients: GradientsParams,
    ) -> Segmenter {
        for (rate, ids) in &self.slow {
            let mut part = Part { ids, from: &mut gradients, part: GradientsParams::new() };
            network.visit(&mut part);
            let part = part.part;
            network = optimizer.step(lr * rate, network, part);
        }
        optimizer.step(lr, network, gradients)
    }
}

/// The beginning of a name that is most like another.
fn nearest<'a>(wrong: &str, names: &'a [String]) -> &'a str {
    let beginnings = names
        .iter()
        .flat_map(|name| name.match_indices('.').map(|(end, _)| &name[..end]).chain(std::iter::once(name.as_str())));
    let likeness = |name: &&str| strsim::jaro_winkler(wrong, name);
    beginnings.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).unwrap_or_default()
}

/// Takes the gradients of some parameters out of all.
struct Part<'a> {
    ids: &'a HashSet<ParamId>,
    from: &'a mut GradientsParams,
    part: GradientsParams,
}

impl ModuleVisitor for Part<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.ids.contains(&param.id)
            && let Some(gradient) = self.from.remove::<D>(param.id)
        {
            self.part.register(param.id, gradient);
        }
    }
}
