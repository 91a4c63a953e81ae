//! The beginning of a run: everything is read and checked before the folder is touched.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use swath_nn::{Precision, weights};

use super::{Event, Run, TrainOptions};
use crate::bundle::Bundle;
use crate::error::{Error, Result};
use crate::outline::Targets;
use crate::pretrained::EncoderWeights;
use crate::recipe::{Length, Recipe, UNPLACED};
use crate::train::checkpoint::{self, State};
use crate::train::data::{Opened, header, open_items, open_like};
use crate::train::folder::Existing;
use crate::train::journal::Journal;
use crate::train::log::Log;
use crate::train::optimizer;
use crate::train::phases::Phases;
use crate::train::schedule::Schedule;
use crate::train::size::{self, SizeError};

impl<'a> Run<'a> {
    /// Opens data, network and run folder, and takes up a checkpoint where there is one to go on from.
    pub(super) fn open(
        recipe: &'a Recipe,
        options: &'a TrainOptions,
        observe: &'a mut dyn FnMut(Event<'_>),
    ) -> Result<Self> {
        let folder = &options.folder;
        let slow = precision(recipe, &options.device)?;
        let device = options.device.clone().autodiff();
        let classes = recipe.data.classes.len();
        folder.check(recipe, options.existing)?;
        let Opened { data, targets, imagery, left_out } = open_items(recipe, &recipe.data.train)?;
        let network = recipe.model.segmenter(data.bands(), classes);
        let (validation, validation_targets) = match recipe.data.val.is_empty() {
            true => (None, None),
            false => {
                let opened = open_like(recipe, &recipe.data.val, &data)?;
                (Some(Arc::new(opened.data)), opened.targets)
            }
        };
        // The memory of other devices is not known.
        let memory = if options.device == Device::flex() { size::memory() } else { None };
        let large = size::check(&network, memory).map_err(|error| match error {
            SizeError::Family(error) => error.into(),
            SizeError::Memory(problem) => Error::Recipe { file: UNPLACED.into(), line: None, problem },
        })?;
        let large = large.map(|words| format!("warning: {words}"));
        // Said before anything is allocated, and into the log when there is one.
        let mut remarks: Vec<String> = left_out.into_iter().chain(large).chain(slow).collect();
        remarks.iter().for_each(|words| observe(Event::Message(words)));
        let mut model = weights::initialize(network.init(&device)?, recipe.train.seed);
        let mut optimizer = optimizer::init(&recipe.optimizer, &model);
        let phases = Phases::new(&recipe.train.phases, &model).map_err(Phases::refused)?;
        let resumed = match options.existing {
            Existing::Resume => checkpoint::load(&folder.last())?,
            Existing::Refuse | Existing::Replace => None,
        };
        // Read before the folder is touched: a file that does not fit leaves what stands there.
        let start = match (&recipe.model.start.weights, &resumed) {
            (Some(path), None) => Some(EncoderWeights::read(path, &recipe.model.encoder, false, &device)?),
            _ => None,
        };
        folder.prepare(recipe, options.existing)?;

        let mut state = State::default();
        let mut header = header(recipe, &data, imagery);
        if let Some(start) = &start {
            let others = recipe.model.start.other_bands;
            model = start.write_into(model, &header.bands, others)?;
            if let Some(words) = start.bands_in_words(&header.bands, others) {
                observe(Event::Message(&words));
                remarks.push(words);
            }
            header.provenance.encoder = Some(start.origin.clone());
        }
        if let Some((bundle, record, saved)) = resumed {
            header.provenance.encoder = bundle.header.provenance.encoder.clone();
            model = weights::write(model, &bundle.weights)?;
            optimizer = optimizer.load_record(record);
            header.normalization = bundle.header.normalization;
            header.calibration = bundle.header.calibration;
            header.provenance.validation_iou = saved.best.as_ref().map(|best| best.iou);
            state = saved;
        }
        let steps = match recipe.train.length() {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => {
                let chips = match &targets {
                    Some(targets) => targets.list.len() as u64,
                    None => data.chips_per_epoch((&recipe.train).into()),
                };
                let chips = epochs as u64 * chips;
                chips.div_ceil(recipe.train.batch as u64) as usize
            }
        };
        let mut log = Log::open(&folder.log(), state.step > 0)?;
        remarks.iter().try_for_each(|words| log.line(words))?;
        Ok(Self {
            recipe,
            folder,
            cancel: options.cancel,
            schedule: Schedule::new(&recipe.schedule, recipe.optimizer.lr(), steps),
            loss: recipe.loss.init(classes)?,
            journal: Journal::open(&folder.metrics(), state.step, state.validated)?,
            log,
            bundle: Bundle { header, weights: weights::read(&model) },
            data: Arc::new(data),
            targets,
            validation,
            validation_targets,
            steps,
            model,
            optimizer,
            phases,
            note: start.and_then(|start| start.report.note),
            device,
            state,
            observe,
        })
    }

    /// Says what is about to be trained on what.
    pub(super) fn announce(&mut self, started: Instant, existing: Existing) -> Result<()> {
        let index = self.data.index();
        let pixels: Vec<String> = (self.recipe.data.classes.iter().zip(index.class_pixels()))
            .map(|(class, pixels)| format!("{} {pixels}", class.name))
            .collect();
        let lines = [
            format!(
                "{} training scenes with {} bands, {} for validation, read in {:.1} s",
                self.data.scenes().len(),
                self.data.bands(),
                self.validation.as_ref().map_or(0, |data| data.scenes().len()),
                started.elapsed().as_secs_f64(),
            ),
            format!("labelled pixels: {}", pixels.join(", ")),
            format!(
                "{} encoder, {} decoder: {} parameters; {} steps",
                self.recipe.model.encoder.name(),
                self.recipe.model.decoder.name(),
                self.parameters(),
                self.steps
            ),
        ];
        lines.iter().try_for_each(|line| self.say(line))?;
        if let Some(cut_off) = self.phases.cut_off(self.steps) {
            self.say(&cut_off)?;
        }
        if let Some(Targets { list, others, large }) = &self.targets {
            let validated = self.validation_targets.as_ref().map_or(0, |targets| targets.list.len());
            let line = format!(
                "{} objects with four corners, {validated} for validation; left out: {others} of other shapes, {large} too large for a patch",
                list.len()
            );
            self.say(&line)?;
        }
        if let (Some(origin), 0) = (self.bundle.header.provenance.encoder.clone(), self.state.step) {
            let licence = origin.licence.map_or(String::new(), |licence| format!(", under the licence {licence}"));
            self.say(&format!("the encoder starts from {} (sha256 {}){licence}", origin.file, origin.sha256))?;
        }
        if let Some(note) = self.note.take() {
            self.say(&format!("note: {note}"))?;
        }
        let unlabelled = self.data.unlabelled().join(", ");
        if !unlabelled.is_empty() {
            self.say(&format!("warning: no pixel is labelled in {unlabelled}"))?;
        }
        let absent = (self.recipe.data.classes.iter().zip(self.data.index().class_pixels())).find(|(_, n)| *n == 0);
        if let Some((class, _)) = absent {
            self.say(&format!("warning: no training pixel is labelled {}: the network cannot learn it", class.name))?;
        }
        match (existing, self.state.step) {
            (Existing::Resume, 0) => self.say("there is no checkpoint to go on from: starting anew"),
            (Existing::Resume, step) => self.say(&format!("going on after step {step}")),
            (Existing::Refuse | Existing::Replace, _) => Ok(()),
        }
    }
}

/// What to say of a precision that this machine would be slower with; an error where the device has no other than its own.
fn precision(recipe: &Recipe, device: &Device) -> Result<Option<String>> {
    let precision = Precision::from(recipe.train.precision);
    if precision == Precision::Fp32 {
        return Ok(None);
    }
    if *device != Device::flex() {
        let problem = format!("train.precision is {precision}, which is for the device cpu; others compute in fp32");
        return Err(Error::Recipe { file: UNPLACED.into(), line: None, problem });
    }
    let words = format!(
        "note: train.precision is {precision}, but this processor multiplies no tiles of bfloat16 (AMX), without which a \
         training would be no faster; using fp32"
    );
    Ok((!precision.trains()).then_some(words))
}
