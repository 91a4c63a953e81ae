//! The learning rate of every step of a run: plain functions of the step.
//!
//! Steps count from 0. A run of `total` steps with `w` warm-up steps has a schedule of `n = total - w` steps; within
//! it `s` is the step since warm-up and `lr` the optimizer's learning rate, the highest of every schedule.
//!
//! | schedule | learning rate | from |
//! | --- | --- | --- |
//! | constant | `lr` | |
//! | polynomial | `lr (1 - s / n)^power` | Liu et al., ParseNet, 2015; DeepLab |
//! | cosine | `end + (lr - end) (1 + cos(pi s / n)) / 2` | Loshchilov and Hutter, SGDR, 2017 |
//! | one cycle | up and down along half cosines, see [`OneCycleConfig`] | Smith and Topin, 2018; PyTorch's form |
//! | triangular | `base + (lr - base) max(0, 1 - abs(s / h - 2 c + 1))`, `c = floor(1 + s / 2h)` | Smith, 2017 |
//!
//! In warm-up the rate rises in a straight line to the schedule's first: step `s` has `(s + 1) / (w + 1)` of it.

use std::f64::consts::PI;

use crate::recipe::{OneCycleConfig, ScheduleConfig};

/// The learning rate of every step of a run.
#[derive(Debug, Clone)]
pub struct Schedule {
    config: ScheduleConfig,
    lr: f64,
    steps: usize,
}

impl Schedule {
    /// The schedule of a run of so many steps whose highest learning rate is `lr`.
    pub fn new(config: &ScheduleConfig, lr: f64, steps: usize) -> Self {
        Schedule { config: config.clone(), lr, steps }
    }

    /// The learning rate of a step, counted from 0. Steps beyond the end get the last one's.
    ///
    /// ```
    /// use swath::recipe::{PolynomialConfig, ScheduleConfig};
    /// use swath::train::schedule::Schedule;
    /// let config = ScheduleConfig::Polynomial(PolynomialConfig { power: 1.0, warmup: 1 });
    /// let schedule = Schedule::new(&config, 0.5, 5);
    /// assert_eq!([0, 1, 2, 3, 4, 9].map(|step| schedule.lr(step)), [0.25, 0.5, 0.375, 0.25, 0.125, 0.125]);
    /// ```
    pub fn lr(&self, step: usize) -> f64 {
        let warmup = self.config.warmup();
        let n = self.steps.saturating_sub(warmup).max(1);
        if step < warmup {
            return after_warmup(&self.config, self.lr, 0, n) * (step + 1) as f64 / (warmup + 1) as f64;
        }
        after_warmup(&self.config, self.lr, (step - warmup).min(n - 1), n)
    }
}

fn after_warmup(schedule: &ScheduleConfig, lr: f64, step: usize, n: usize) -> f64 {
    let s = step as f64;
    let share = s / n as f64;
    match schedule {
        ScheduleConfig::Constant(_) => lr,
        ScheduleConfig::Polynomial(config) => lr * (1.0 - share).powf(config.power),
        ScheduleConfig::Cosine(config) => half_cosine(lr, lr * config.end, share),
        ScheduleConfig::OneCycle(config) => one_cycle(config, lr, s, n),
        ScheduleConfig::Triangular(config) => {
            let half = config.half_cycle as f64;
            let cycle = (1.0 + s / (2.0 * half)).floor();
            let height = (1.0 - (s / half - 2.0 * cycle + 1.0).abs()).max(0.0);
            lr * (config.base + (1.0 - config.base) * height)
        }
    }
}

/// PyTorch's `OneCycleLR` with cosine annealing: the peak is at step `rise n - 1`, the end at `n - 1`.
fn one_cycle(config: &OneCycleConfig, lr: f64, s: f64, n: usize) -> f64 {
    let first = lr / config.start_divisor;
    let last = first / config.end_divisor;
    let peak = config.rise * n as f64 - 1.0;
    let end = n as f64 - 1.0;
    // A rise too short to have a step of its own starts at the peak.
    if s <= peak && peak > 0.0 {
        half_cosine(first, lr, s / peak)
    } else if end > peak.max(0.0) {
        half_cosine(lr, last, (s - peak.max(0.0)) / (end - peak.max(0.0)))
    } else {
        lr
    }
}

/// From one value to another along half a cosine; `share` goes from 0 to 1.
fn half_cosine(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) * (1.0 + (PI * share).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Case {
        schedule: ScheduleConfig,
        lr: f64,
        total: usize,
        rates: Vec<f64>,
    }

    #[test]
    fn schedules_equal_pytorch() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/train/schedule_goldens.json");
        let text = std::fs::read_to_string(path).expect("the golden file");
        let cases: Vec<Case> = serde_json::from_str(&text).expect("the golden file");
        assert!(cases.len() >= 9, "the golden file is cut off");
        for case in cases {
            assert_eq!(case.rates.len(), case.total);
            for (step, expected) in case.rates.iter().enumerate() {
                let rate = Schedule::new(&case.schedule, case.lr, case.total).lr(step);
                let close = (rate - expected).abs() <= 1e-9 * case.lr;
                assert!(close, "{:?}, step {step} of {}: {rate}, not {expected}", case.schedule, case.total);
            }
        }
    }

    #[test]
    fn every_step_of_every_length_has_a_rate_of_at_most_the_highest() {
        let schedules = [
            ScheduleConfig::Constant(Default::default()),
            ScheduleConfig::Polynomial(Default::default()),
            ScheduleConfig::Cosine(Default::default()),
            ScheduleConfig::OneCycle(Default::default()),
            ScheduleConfig::OneCycle(OneCycleConfig { rise: 0.0, warmup: 2, ..Default::default() }),
            ScheduleConfig::OneCycle(OneCycleConfig { rise: 1.0, warmup: 9, ..Default::default() }),
            ScheduleConfig::Triangular(Default::default()),
        ];
        for schedule in schedules {
            for total in 1..12 {
                for step in 0..total + 3 {
                    let rate = Schedule::new(&schedule, 0.1, total).lr(step);
                    let usable = rate > 0.0 && rate <= 0.1 + 1e-12;
                    assert!(usable, "{schedule:?}, step {step} of {total}: {rate}");
                }
            }
        }
    }
}
