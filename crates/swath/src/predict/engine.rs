//! The pipeline: readers, then the network on the calling thread, then a thread that blends and writes.
//!
//! ```text
//! reader 0 ─┐ bounded            one batch at a time
//! reader 1 ─┼─ queues ──▶ network ───────────────────▶ blend ──▶ sink
//! reader … ─┘            (calling thread)              (its own thread)
//! ```
//!
//! The order of chips is fixed by the plan: batch k of the chips belongs to reader k modulo their number, and the network
//! takes from the readers in turn. Nothing in the result depends on which thread was faster.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::blend::{Blender, Place, Valid};
use super::network::{ChipBatch, ChipSource, Network};
use super::patches::Sliding;
use super::plan::Plan;
use super::sink::{PatchSink, RowAssembler, RowSink};
use crate::dihedral::Dihedral;
use crate::error::{Error, Result};

/// How far a prediction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Pixels of the scene that are predicted, those of an earlier run included.
    pub done: u64,
    /// Pixels of the scene.
    pub total: u64,
}

/// Predicts the chip rows of `units`, in order; everything else of the scene counts as done.
///
/// There must be as many `sources` as [`super::Options::readers`]. `progress` is called now and then on the calling thread;
/// once `cancel` is set the engine stops between two chips with [`Error::Cancelled`], and units that were
/// told to the sink as done stay done.
pub fn predict_units(
    plan: &Plan,
    units: &[Range<usize>],
    sources: Vec<Box<dyn ChipSource>>,
    network: &mut dyn Network,
    sink: &mut dyn PatchSink,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<()> {
    let mut sliding;
    let network = match plan.options.patches {
        Some(patches) => {
            sliding = Sliding { classifier: network, patches };
            &mut sliding
        }
        None => network,
    };
    let jobs = jobs(plan, units);
    let (jobs, classes) = (jobs.as_slice(), network.classes());
    let readers = sources.len();
    thread::scope(|scope| {
        let (queues, reading): (Vec<_>, Vec<_>) = sources
            .into_iter()
            .enumerate()
            .map(|(reader, source)| {
                // A reader waits with the last chip of a batch in its hands until the network takes it.
                let (sender, receiver) = bounded(plan.options.batch - 1);
                let own = own_jobs(plan, jobs, reader, readers);
                (receiver, scope.spawn(move || read_all(plan, own, source, &sender)))
            })
            .unzip();
        // No place in the queue: while one batch is blended the network makes the next, and no third waits.
        let (sender, receiver) = bounded(0);
        let blending = scope.spawn(move || blend_all(plan, classes, jobs, &receiver, sink));
        let computed = compute_all(plan, jobs, &queues, network, &sender, progress, cancel);
        // What is left to do, such as overviews, wants memory of its own.
        network.rest();
        drop((queues, sender));
        for reader in reading {
            reader.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        // What the blending thread says comes first: the network stops without an error of its own when that one fails.
        blending.join().unwrap_or_else(|panic| resume_unwind(panic))?;
        computed
    })
}

/// Predicts a whole scene and hands out its rows from top to bottom, without files. Otherwise as [`predict_units`].
pub fn predict_rows(
    plan: &Plan,
    sources: Vec<Box<dyn ChipSource>>,
    network: &mut dyn Network,
    sink: &mut dyn RowSink,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<()> {
    let mut rows = RowAssembler::new(plan.width(), sink);
    predict_units(plan, &plan.units(&BTreeSet::new()), sources, network, &mut rows, progress, cancel)
}

/// One chip of the work.
#[derive(Debug, Clone)]
struct Job {
    place: Place,
    /// Only what it adds to the chip row below is wanted; its own rows were finished in an earlier run.
    ramp_only: bool,
    /// The unit that is complete after this chip.
    completes: Option<Range<usize>>,
}

fn jobs(plan: &Plan, units: &[Range<usize>]) -> Vec<Job> {
    let mut jobs = Vec::new();
    let mut previous = None;
    for unit in units {
        for row in unit.clone() {
            let cold = row.checked_sub(1).is_some_and(|above| previous != Some(above));
            if cold && plan.leans_on_the_row_above(row) {
                let again = (0..plan.chip_cols()).map(|col| Place { row: row - 1, col });
                jobs.extend(again.map(|place| Job { place, ramp_only: true, completes: None }));
            }
            let places = (0..plan.chip_cols()).map(|col| Place { row, col });
            jobs.extend(places.map(|place| Job { place, ramp_only: false, completes: None }));
            previous = Some(row);
        }
        if let Some(last) = jobs.last_mut() {
            last.completes = Some(unit.clone());
        }
    }
    jobs
}

/// The jobs of one reader: every `readers`-th batch.
fn own_jobs<'j>(
    plan: &Plan,
    jobs: &'j [Job],
    reader: usize,
    readers: usize,
) -> impl Iterator<Item = &'j Job> + use<'j> {
    jobs.chunks(plan.options.batch).skip(reader).step_by(readers).flatten()
}

/// A chip on its way from a reader to the network.
struct Read {
    values: Vec<f32>,
    valid: Valid,
}

fn read_all<'j>(
    plan: &Plan,
    jobs: impl Iterator<Item = &'j Job>,
    mut source: Box<dyn ChipSource>,
    out: &Sender<Result<Read>>,
) {
    for job in jobs {
        let read = read_one(plan, job, source.as_mut());
        let failed = read.is_err();
        // Nobody listens any more when the prediction was cancelled or has failed elsewhere.
        if out.send(read).is_err() || failed {
            return;
        }
    }
}

fn read_one(plan: &Plan, job: &Job, source: &mut dyn ChipSource) -> Result<Read> {
    let window = plan.chip(job.place.row, job.place.col);
    let mut pixels = source.read(window)?;
    let area = window.area();
    assert_eq!(pixels.valid.len(), area, "a chip source returned another size than was asked for");
    for band in pixels.values.chunks_exact_mut(area) {
        for (value, &valid) in band.iter_mut().zip(&pixels.valid) {
            *value = if valid { *value } else { 0.0 };
        }
    }
    let valid = Valid::within(plan, job.place, job.ramp_only, pixels.valid);
    let values = if valid == Valid::None { Vec::new() } else { pixels.values };
    Ok(Read { values, valid })
}

/// What the network has done, on its way to the blending thread. Chips are told apart by their index in the jobs.
struct Computed {
    steps: Vec<Step>,
    /// `[chip, class, row, column]` of the steps that add.
    logits: Vec<f32>,
}

enum Step {
    /// The next laying in the logits belongs to the chip in work.
    Add(Dihedral),
    /// All layings of the chip have come.
    Close(Valid),
}

/// Chips without data that may wait until the batch is full.
const MOST_EMPTY: usize = 64;

fn compute_all(
    plan: &Plan,
    jobs: &[Job],
    queues: &[Receiver<Result<Read>>],
    network: &mut dyn Network,
    out: &Sender<Computed>,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<()> {
    let mut pending = Pending::new(plan, network);
    let mut count = Count::new(plan, jobs);
    progress(count.progress());
    for (index, job) in jobs.iter().enumerate() {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        // A reader stops only after it has sent an error, which is met first.
        let Ok(read) = queues[index / plan.options.batch % queues.len()].recv() else { return Ok(()) };
        let Read { mut values, valid } = read?;
        if valid != Valid::None {
            let layings = plan.layings();
            for (number, &laying) in layings.iter().enumerate() {
                pending.push(laying, &values);
                if number + 1 == layings.len() {
                    // The batch has a copy, and the network needs the memory.
                    values = Vec::new();
                }
                if pending.batch.len == plan.options.batch {
                    if !pending.flush(network, out)? {
                        return Ok(());
                    }
                    progress(count.progress());
                }
            }
        }
        pending.steps.push(Step::Close(valid));
        count.add(plan, job);
        if pending.steps.len() >= 2 * plan.options.batch + MOST_EMPTY || index + 1 == jobs.len() {
            if !pending.flush(network, out)? {
                return Ok(());
            }
            progress(count.progress());
        }
    }
    Ok(())
}

/// The batch that is being filled and what to do with it.
struct Pending {
    batch: ChipBatch,
    steps: Vec<Step>,
    side: usize,
}

impl Pending {
    fn new(plan: &Plan, network: &dyn Network) -> Pending {
        let (bands, side) = (network.bands(), plan.options.chip);
        let batch = ChipBatch { len: 0, bands, height: side, width: side, data: Vec::new() };
        Pending { batch, steps: Vec::new(), side }
    }

    fn push(&mut self, laying: Dihedral, values: &[f32]) {
        let size = self.batch.bands * self.side * self.side;
        assert_eq!(values.len(), size, "a chip source returned another number of bands than the network takes");
        let start = self.batch.len * size;
        self.batch.data.resize(start + size, 0.0);
        laying.apply(self.side, values, &mut self.batch.data[start..]);
        self.batch.len += 1;
        self.steps.push(Step::Add(laying));
    }

    /// Runs the network and passes everything on. False when nobody listens any more.
    fn flush(&mut self, network: &mut dyn Network, out: &Sender<Computed>) -> Result<bool> {
        let logits = if self.batch.len == 0 { Vec::new() } else { network.logits(&self.batch)? };
        let expected = self.batch.len * network.classes() * self.side * self.side;
        assert_eq!(logits.len(), expected, "a network returned another number of logits than it promised");
        self.batch.len = 0;
        self.batch.data.clear();
        Ok(out.send(Computed { steps: std::mem::take(&mut self.steps), logits }).is_ok())
    }
}

/// Counts finished pixels for the progress.
struct Count {
    progress: Progress,
}

impl Count {
    fn new(plan: &Plan, jobs: &[Job]) -> Count {
        let rows: BTreeSet<usize> = jobs.iter().filter(|job| !job.ramp_only).map(|job| job.place.row).collect();
        let open: usize = rows.into_iter().map(|row| plan.rows.owned(row).len()).sum();
        let total = (plan.height() * plan.width()) as u64;
        Count { progress: Progress { done: total - (open * plan.width()) as u64, total } }
    }

    fn add(&mut self, plan: &Plan, job: &Job) {
        if !job.ramp_only {
            let pixels = plan.rows.owned(job.place.row).len() * plan.cols.owned(job.place.col).len();
            self.progress.done += pixels as u64;
        }
    }

    fn progress(&self) -> Progress {
        self.progress
    }
}

fn blend_all(
    plan: &Plan,
    classes: usize,
    jobs: &[Job],
    input: &Receiver<Computed>,
    sink: &mut dyn PatchSink,
) -> Result<()> {
    let mut blender = Blender::new(plan, classes);
    let size = classes * plan.options.chip.pow(2);
    let with_scores = sink.wants_scores();
    let mut jobs = jobs.iter();
    let mut current: Option<&Job> = None;
    for Computed { steps, logits } in input {
        let mut logits = logits.chunks_exact(size);
        for step in steps {
            let job = match current {
                Some(job) => job,
                None => {
                    let Some(job) = jobs.next() else { return Ok(()) };
                    blender.open(job.place);
                    current.insert(job)
                }
            };
            match step {
                Step::Add(laying) => {
                    let finite = logits.next().is_none_or(|logits| blender.add(job.place, laying, logits));
                    if !finite {
                        return Err(Error::NotFinite { window: plan.chip(job.place.row, job.place.col) });
                    }
                }
                Step::Close(valid) => {
                    if job.ramp_only {
                        blender.put_away(job.place);
                    } else {
                        sink.patch(&blender.close(job.place, &valid, with_scores))?;
                    }
                    if let Some(unit) = &job.completes {
                        sink.unit_done(unit.clone())?;
                    }
                    current = None;
                }
            }
        }
    }
    Ok(())
}
