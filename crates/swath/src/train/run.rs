//! The training loop.
//!
//! A run is a function of its recipe: chips follow from the seed and their number, the learning rate from the step, and a
//! checkpoint holds weights and optimizer. An interrupted run that is resumed therefore equals an uninterrupted one, on
//! the cpu to the bit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use swath_nn::loss::Loss;
use swath_nn::{Precision, Segmenter, weights};

use super::checkpoint::{self, State};
use super::folder::{Existing, RunFolder};
use super::journal::{Journal, Record};
use super::log::Log;
use super::outlines::{self, Examiner, Lesson, Lessons};
use super::phases::Phases;
use super::pretrain::Pretraining;
use super::schedule::Schedule;
use super::validate::{Validation, validate};
use super::{Best, optimizer, outcome};
use crate::IGNORE;
use crate::bundle::{Bundle, Calibration};
use crate::dataset::{Batch, ChipOptions, Dataset, Loader, LoaderOptions};
use crate::error::{Error, Result};
use crate::outline::Targets;
use crate::predict::{Options, SegmenterNetwork};
use crate::recipe::Recipe;

mod open;

/// How a run is made, beside its recipe.
#[derive(Debug)]
pub struct TrainOptions<'a> {
    /// The run folder.
    pub folder: RunFolder,
    /// What to do with a run that stands there already.
    pub existing: Existing,
    /// Where the arithmetic runs.
    pub device: Device,
    /// Set to stop after the current step.
    pub cancel: &'a AtomicBool,
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// A line for people, which also stands in `log.txt`.
    Message(&'a str),
    /// One step is done.
    Step {
        /// Steps done.
        step: usize,
        /// Steps of the whole run.
        steps: usize,
        /// Loss of the step.
        loss: f64,
        /// Chips per second.
        images_per_s: f64,
        /// The IoU to quote of the latest validation.
        iou: Option<f64>,
    },
    /// A validation is under way; this share is done.
    Validating(f64),
}

/// Trains a network as the recipe says.
///
/// # Errors
///
/// When the data, the network or the run folder are not usable, and when the loss stops being a number: the message names
/// the step, the chips and what to try.
pub fn train(recipe: &Recipe, options: &TrainOptions, observe: &mut dyn FnMut(Event<'_>)) -> Result<Summary> {
    let started = Instant::now();
    let mut run = Run::open(recipe, options, observe)?;
    run.announce(started, options.existing)?;
    let ended = run.steps_and_validations()?;
    outcome::conclude(&mut run, ended)
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All steps are done.
    Completed,
    /// Validations stopped getting better.
    Early,
    /// The user asked to stop; the run can be resumed.
    Interrupted,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Summary {
    /// How it ended.
    pub ended: Ended,
    /// Steps done.
    pub steps: usize,
    /// Seconds of training, without validation, over all sessions.
    pub seconds: f64,
    /// The best validation; none without validation data.
    pub best: Option<Best>,
    /// The IoU to quote of the last validation.
    pub last_iou: Option<f64>,
}

/// A run under way.
pub(super) struct Run<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) folder: &'a RunFolder,
    pub(super) data: Arc<Dataset>,
    /// What is outlined in its scenes, where the network outlines objects.
    targets: Option<Targets>,
    pub(super) validation: Option<Arc<Dataset>>,
    /// The same of the validation scenes.
    pub(super) validation_targets: Option<Targets>,
    pub(super) bundle: Bundle,
    pub(super) state: State,
    pub(super) log: Log,
    pub(super) device: Device,
    pub(super) observe: &'a mut dyn FnMut(Event<'_>),
    pub(super) cancel: &'a AtomicBool,
    steps: usize,
    schedule: Schedule,
    loss: Loss,
    journal: Journal,
    model: Segmenter,
    optimizer: ModuleOptimizer,
    phases: Phases,
    /// What the user should know of the weights that it starts from.
    note: Option<String>,
}

impl<'a> Run<'a> {
    /// Number of parameters that the network learns, running statistics not counted.
    pub(super) fn parameters(&self) -> usize {
        weights::parameters(&self.model)
    }

    fn loader_options(&self) -> LoaderOptions {
        LoaderOptions {
            chips: ChipOptions {
                sampling: (&self.recipe.train).into(),
                target: self.recipe.target(),
                augment: Some(self.recipe.augment.clone()),
                mean: self.bundle.header.normalization.mean.clone(),
                std: self.bundle.header.normalization.std.clone(),
                seed: self.recipe.train.seed,
            },
            batch: self.recipe.train.batch,
            workers: self.recipe.train.workers,
        }
    }

    pub(super) fn say(&mut self, message: &str) -> Result<()> {
        (self.observe)(Event::Message(message));
        self.log.line(message)
    }

    /// Trains what a network for outlines knows of these alone. False when the user stopped it.
    fn pretrain(&mut self) -> Result<bool> {
        let (recipe, device) = (self.recipe, self.device.clone());
        let Some(decoder) = recipe.outlines().filter(|_| self.state.step == 0) else { return Ok(true) };
        let train = &recipe.train;
        let steps = train.generated_steps.unwrap_or(GENERATED_STEPS);
        let pretraining =
            Pretraining { decoder, steps, batch: train.batch, seed: train.seed, device: &device, cancel: self.cancel };
        let precision = Precision::from(train.precision);
        let trained = precision.scope(|| pretraining.run(self.model.clone(), &mut |message| self.say(message)))?;
        let done = trained.is_some();
        self.model = trained.unwrap_or_else(|| self.model.clone());
        Ok(done)
    }

    fn steps_and_validations(&mut self) -> Result<Ended> {
        if !self.pretrain()? {
            return Ok(Ended::Interrupted);
        }
        let data = Arc::clone(&self.data);
        let (targets, normalization) = (self.targets.take(), self.bundle.header.normalization.clone());
        let mut source = match &targets {
            Some(targets) => Source::Objects(Lessons::new(self.recipe, &data, targets, &normalization)),
            None => Source::Chips(Loader::new(&self.data, &self.loader_options(), self.state.step as u64)?),
        };
        let mut clock = Instant::now();
        loop {
            if self.validation_due() {
                if !self.validate()? {
                    return self.interrupted();
                }
                clock = Instant::now();
            }
            if self.recipe.train.early_stopping.is_some_and(|patience| self.state.since_best >= patience) {
                return Ok(Ended::Early);
            }
            if self.state.step >= self.steps {
                return Ok(Ended::Completed);
            }
            if self.cancel.load(Ordering::Relaxed) {
                return self.interrupted();
            }
            let lesson = match &mut source {
                Source::Chips(loader) => Lesson { batch: loader.next_batch()?, corners: Vec::new() },
                Source::Objects(lessons) => lessons.batch(self.state.step as u64)?,
            };
            let (loss, grad_norm, lr) = self.step(&lesson)?;
            let batch = &lesson.batch;
            let seconds = clock.elapsed().as_secs_f64();
            clock = Instant::now();
            self.state.seconds += seconds;
            let images_per_s = batch.origins.len() as f64 / seconds;
            self.journal.write(&Record::Step { step: self.state.step, loss, lr, grad_norm, images_per_s })?;
            let (step, steps, iou) = (self.state.step, self.steps, self.state.latest);
            (self.observe)(Event::Step { step, steps, loss, images_per_s, iou });
        }
    }

    fn interrupted(&mut self) -> Result<Ended> {
        self.save()?;
        Ok(Ended::Interrupted)
    }

    fn validation_due(&self) -> bool {
        let every = self.recipe.train.validate_every.unwrap_or((self.steps / 10).max(1));
        let step = self.state.step;
        step > self.state.validated && (step.is_multiple_of(every) || step == self.steps)
    }

    /// One step of the optimizer: loss, length of the gradient before clipping, learning rate.
    fn step(&mut self, Lesson { batch, corners }: &Lesson) -> Result<(f64, Option<f64>, f64)> {
        let (model, message) = self.phases.enter(self.state.step, self.model.clone());
        self.model = model;
        if let Some(message) = message {
            self.say(&message)?;
        }
        let loss = Precision::from(self.recipe.train.precision).scope(|| match corners.is_empty() {
            true => {
                let (images, labels) = (images(batch, &self.device), labels(batch, &self.device));
                self.loss.forward_each(self.model.forward_each(images), labels)
            }
            false => outlines::loss(&self.model, images(batch, &self.device), corners, &self.device),
        });
        let value = f64::from(loss.clone().into_scalar::<f32>());
        if !value.is_finite() {
            return Err(self.not_finite(batch, value));
        }
        let mut gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        let most = self.recipe.optimizer.clip_norm();
        let norm = most.map(|most| optimizer::clip_norm(&self.model, &mut gradients, most));
        let lr = self.schedule.lr(self.state.step);
        self.model = self.phases.step(&mut self.optimizer, lr, self.model.clone(), gradients);
        self.state.step += 1;
        Ok((value, norm, lr))
    }

    fn not_finite(&self, batch: &Batch, loss: f64) -> Error {
        let places = batch.origins.iter().map(|origin| {
            let scene = self.data.scenes()[origin.scene].image.name();
            format!("{scene} at column {}, row {}", origin.col, origin.row)
        });
        Error::Run {
            path: self.folder.path().to_path_buf(),
            problem: format!(
                "the loss became {loss} at step {}; its chips of {} pixels: {}. {}, or look at these chips for extreme \
                 values",
                self.state.step + 1,
                batch.chip,
                places.collect::<Vec<_>>().join("; "),
                self.advice(),
            ),
        }
    }

    /// What to do when a training diverges.
    fn advice(&self) -> String {
        let optimizer = self.recipe.optimizer.name();
        format!("Try a lower learning rate (-s optimizer.{optimizer}.lr=...) or -s optimizer.{optimizer}.clip_norm=1.0")
    }

    /// Validates, keeps the weights if they are the best so far, and saves the checkpoint. False when the user stopped it.
    fn validate(&mut self) -> Result<bool> {
        self.take_weights()?;
        let Some(data) = &self.validation else {
            self.state.validated = self.state.step;
            self.keep_weights()?;
            self.save()?;
            return Ok(true);
        };
        let (bands, classes) = (self.data.bands(), self.recipe.data.classes.len());
        let device = self.device.clone().inner();
        let observe = &mut *self.observe;
        let mut progress = |share| observe(Event::Validating(share));
        let normalization = &self.bundle.header.normalization;
        let found = match &self.validation_targets {
            Some(targets) => {
                let network = &self.model.valid();
                let examiner = Examiner { data, targets, network, normalization, device: &device };
                examiner.validate(self.recipe.train.batch, self.cancel, &mut progress)
            }
            None => {
                let mut network = SegmenterNetwork::new(self.model.valid(), bands, classes, &device);
                // Scores as the network gives them: the temperature is fitted to these.
                let options = Options { temperature: 1.0, ..self.bundle.options(&self.recipe.predict) };
                validate(data.scenes(), &mut network, normalization, &options, self.cancel, &mut progress)
            }
        };
        match found {
            Err(Error::Cancelled) => return Ok(false),
            Err(Error::NotFinite { window }) => {
                return Err(self.diverged(&format!("the network's answer at {window} of a validation scene is")));
            }
            Err(error) => return Err(error),
            Ok(validation) => self.judge(validation)?,
        }
        self.save()?;
        Ok(true)
    }

    /// Records a validation and keeps the weights if they are the best so far.
    fn judge(&mut self, validation: Validation) -> Result<()> {
        let scores = validation.scores();
        let iou = scores.headline_iou().unwrap_or(0.0);
        let step = self.state.step;
        self.state.validated = step;
        self.state.latest = Some(iou);
        self.journal.write(&Record::Validation {
            step,
            loss: validation.loss,
            overall_accuracy: scores.accuracy.unwrap_or(0.0),
            mean_iou: scores.mean_iou.unwrap_or(0.0),
            iou: scores.classes.iter().map(|class| class.iou).collect(),
        })?;
        let better = self.state.best.as_ref().is_none_or(|best| iou > best.iou);
        let mark = if better { ", the best so far" } else { "" };
        let last = match validation.outlines {
            Some(outlines) => format!("mean IoU of outlines {:.1} %", outlines * 100.0),
            None => format!("calibration error {:.1} %", validation.calibration_error.unwrap_or(0.0) * 100.0),
        };
        self.say(&format!(
            "step {step}: validation loss {:.4}, {} {:.1} %, accuracy {:.1} %, {last}{mark}",
            validation.loss,
            if scores.positive.is_some() { "IoU" } else { "mean IoU" },
            iou * 100.0,
            scores.accuracy.unwrap_or(0.0) * 100.0,
        ))?;
        if !better {
            self.state.since_best += 1;
            return Ok(());
        }
        self.state.since_best = 0;
        self.state.best = Some(Best { step, iou, confusion: validation.confusion });
        let temperature = validation.temperature.map_or(1.0, |fitted| fitted.temperature as f32);
        self.bundle.header.calibration = Calibration { temperature };
        self.bundle.header.provenance.validation_iou = Some(iou);
        self.keep_weights()
    }

    /// Writes the bundle with the present weights.
    fn keep_weights(&mut self) -> Result<()> {
        self.take_weights()?;
        self.bundle.save(&self.folder.bundle())
    }

    fn save(&mut self) -> Result<()> {
        self.take_weights()?;
        self.journal.flush()?;
        checkpoint::save(&self.folder.last(), &self.bundle, &self.optimizer, &self.state)
    }

    /// Takes the present weights into the bundle. Those of a training that diverged are refused: no file gets them.
    fn take_weights(&mut self) -> Result<()> {
        self.bundle.weights = weights::read(&self.model);
        self.bundle.header.provenance.steps = self.state.step;
        self.bundle.header.provenance.seconds = self.state.seconds;
        match self.bundle.weights.iter().find(|tensor| tensor.data.iter().any(|value| !value.is_finite())) {
            Some(tensor) => Err(self.diverged(&format!("the weights `{}` are", tensor.name))),
            None => Ok(()),
        }
    }

    fn diverged(&self, what: &str) -> Error {
        Error::Run {
            path: self.folder.path().to_path_buf(),
            problem: format!(
                "the training diverged: after step {} {what} not finite. {}",
                self.state.step,
                self.advice()
            ),
        }
    }
}

/// Where batches come from.
enum Source<'a> {
    Chips(Loader),
    Objects(Lessons<'a>),
}

/// Steps on generated polygons unless a recipe says otherwise.
const GENERATED_STEPS: usize = 2000;

/// The images of a batch, `[batch, band, H, W]`.
fn images(batch: &Batch, device: &Device) -> Tensor<4> {
    let (count, side) = (batch.origins.len(), batch.chip);
    Tensor::from_data(TensorData::new(batch.images.clone(), [count, batch.bands, side, side]), device)
}

/// The labels of a batch, `[batch, H, W]`, -1 where nothing is labelled.
fn labels(batch: &Batch, device: &Device) -> Tensor<3, Int> {
    let (count, side) = (batch.origins.len(), batch.chip);
    let labels: Vec<i32> =
        batch.labels.iter().map(|&label| if label == IGNORE { -1 } else { i32::from(label) }).collect();
    Tensor::from_data(TensorData::new(labels, [count, side, side]), device)
}
