//! Batches made ahead of the network.
//!
//! Worker `w` of `n` makes the batches `w, w + n, w + 2n, ...`, each worker into a bounded queue of its own; the loader
//! takes them in turn. Batches therefore come in order, the same for any number of workers, and no more than a few of
//! them wait in memory.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::chips::{Chip, ChipMaker, ChipOptions, ChipOrigin};
use super::{DataError, Dataset};

/// A batch of chips.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The batch's number in the run, from 0.
    pub step: u64,
    /// Number of bands.
    pub bands: usize,
    /// Side of a chip in pixels.
    pub chip: usize,
    /// Normalized `[chip, band, row, column]`; 0 where invalid.
    pub images: Vec<f32>,
    /// Class ids `[chip, row, column]`; [`IGNORE`](crate::IGNORE) where nothing is labelled.
    pub labels: Vec<u16>,
    /// Where every chip was taken.
    pub origins: Vec<ChipOrigin>,
}

/// How batches are made.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// How chips are made.
    pub chips: ChipOptions,
    /// Chips per batch.
    pub batch: usize,
    /// Threads that make batches ahead; with 0 they are made when they are asked for.
    pub workers: usize,
}

/// Gives out the batches of a run in order, without end.
///
/// Batch `k` holds the samples `k n .. (k + 1) n` for batches of `n` chips. Its content depends on the data set, the chip
/// options and `k` only: a resumed run starts a loader at its step.
pub struct Loader {
    source: Source,
    next: u64,
    stopped: bool,
}

enum Source {
    Inline(Box<BatchMaker>),
    Workers(Vec<(Queue, JoinHandle<()>)>),
}

type Queue = Receiver<Result<Batch, DataError>>;

/// Batches that wait for the network, for each worker.
const AHEAD: usize = 2;

impl Loader {
    /// A loader whose first batch is number `from_step`.
    ///
    /// # Errors
    /// When nothing is labelled, the sampling makes no sense, or no thread can be started.
    ///
    /// # Panics
    /// When the batch size is 0.
    pub fn new(dataset: &Arc<Dataset>, options: &LoaderOptions, from_step: u64) -> Result<Self, DataError> {
        assert!(options.batch > 0, "a batch holds at least one chip");
        let maker = || -> Result<BatchMaker, DataError> {
            let chips = ChipMaker::new(Arc::clone(dataset), options.chips.clone())?;
            Ok(BatchMaker { chips, size: options.batch, bands: dataset.bands(), side: dataset.chip() })
        };
        let source = if options.workers == 0 {
            Source::Inline(Box::new(maker()?))
        } else {
            let start = |worker: usize| {
                let (sender, receiver) = sync_channel(AHEAD);
                let (maker, first) = (maker()?, from_step + worker as u64);
                let stride = options.workers as u64;
                let thread = std::thread::Builder::new().name(format!("loader {worker}"));
                let handle = thread.spawn(move || run(maker, first, stride, &sender)).map_err(DataError::Thread)?;
                Ok((receiver, handle))
            };
            Source::Workers((0..options.workers).map(start).collect::<Result<_, DataError>>()?)
        };
        Ok(Self { source, next: from_step, stopped: false })
    }

    /// The next batch.
    ///
    /// # Errors
    /// The first error that making it met; afterwards [`DataError::Stopped`].
    pub fn next_batch(&mut self) -> Result<Batch, DataError> {
        if self.stopped {
            return Err(DataError::Stopped);
        }
        let step = self.next;
        let batch = match &mut self.source {
            Source::Inline(maker) => maker.batch(step),
            Source::Workers(workers) => {
                // Worker 0 made the first batch; since then they took turns.
                let (receiver, _) = &workers[0];
                let batch = receiver.recv().unwrap_or(Err(DataError::Stopped));
                workers.rotate_left(1);
                batch
            }
        };
        self.next += 1;
        self.stopped = batch.is_err();
        batch.map_err(|error| match error {
            DataError::Stopped => error,
            source => DataError::Batch { step, source: Box::new(source) },
        })
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        if let Source::Workers(workers) = &mut self.source {
            // Closing the queues ends the workers, at the latest when their present batch is done.
            let handles: Vec<_> = workers.drain(..).map(|(_, handle)| handle).collect();
            for handle in handles {
                // A worker that panicked has already told so, and its batch was missed.
                let _ = handle.join();
            }
        }
    }
}

struct BatchMaker {
    chips: ChipMaker,
    size: usize,
    bands: usize,
    side: usize,
}

impl BatchMaker {
    fn batch(&mut self, step: u64) -> Result<Batch, DataError> {
        let pixels = self.size * self.side * self.side;
        let mut batch = Batch {
            step,
            bands: self.bands,
            chip: self.side,
            images: Vec::with_capacity(pixels * self.bands),
            labels: Vec::with_capacity(pixels),
            origins: Vec::with_capacity(self.size),
        };
        for sample in 0..self.size as u64 {
            let Chip { image, labels, origin } = self.chips.chip(step * self.size as u64 + sample)?;
            batch.images.extend_from_slice(&image);
            batch.labels.extend_from_slice(&labels);
            batch.origins.push(origin);
        }
        Ok(batch)
    }
}

fn run(mut maker: BatchMaker, first: u64, stride: u64, to: &SyncSender<Result<Batch, DataError>>) {
    for step in (first..).step_by(stride as usize) {
        let batch = maker.batch(step);
        let failed = batch.is_err();
        if to.send(batch).is_err() || failed {
            return;
        }
    }
}
