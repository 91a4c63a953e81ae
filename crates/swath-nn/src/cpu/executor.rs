//! A network on CPUs, for chips of any size.

use std::collections::{BTreeSet, HashMap};

use burn::module::Module;
use swath_kernels::Buffer;

use super::ExecutorError;
use super::capture::{Captured, capture};
use super::convolve::Filters;
use super::fold::fold_scales;
use super::fuse::{fuse_activations, fuse_functions, fuse_heads, fuse_pools, fuse_sums, fuse_sums_of_sizes};
use super::graph::{Graph, Size};
use super::program::Program;
use super::recognize::recognize;
use super::reorder::reorder;
use super::translate::translate;
use crate::precision::Precision;
use crate::segmenter::Segmenter;

/// Runs a [`Segmenter`] on the kernels of `swath-kernels`.
///
/// The first chip of a size costs the planning of a program, which later ones use; filters and memory are shared between
/// sizes. The logits of a chip depend on nothing else than the chip, the weights, the precision and the instruction set of the machine:
/// not on the number of threads, nor on what ran before.
pub struct Executor {
    /// Until no other size can come.
    segmenter: Option<Segmenter>,
    one_size: bool,
    precision: Precision,
    programs: HashMap<[usize; 3], Program>,
    filters: Filters,
    arena: Buffer,
}

impl Executor {
    /// An executor of a network, with the weights and running statistics that it has now.
    pub fn new(segmenter: Segmenter) -> Executor {
        let (programs, filters) = (HashMap::new(), Filters::default());
        let (segmenter, precision) = (Some(segmenter), Precision::Fp32);
        Executor { segmenter, one_size: false, precision, programs, filters, arena: Buffer::new(0) }
    }

    /// The same network with convolutions in another precision. [`Executor::has`] tells whether it is the faster one here.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Executor {
        Executor { precision, programs: HashMap::new(), filters: Filters::default(), ..self }
    }

    /// For chips that all have the size of the first one: what only other sizes would need is then dropped, and with it a copy of the
    /// weights.
    #[must_use]
    pub fn for_one_size(self) -> Executor {
        Executor { one_size: true, ..self }
    }

    /// Whether this machine's processor has instructions for a precision. Without them it gives the same, but slowly.
    pub fn has(precision: Precision) -> bool {
        let isa = swath_kernels::Isa::best();
        match precision {
            Precision::Fp32 => true,
            Precision::Bf16x2 => isa.has_tiles(),
            Precision::Bf16 => isa.has_bf16(),
        }
    }

    /// Computes the logits of one chip.
    ///
    /// # Shapes
    /// - `chip`: `[bands, height, width]`, with these three sizes in `shape`
    /// - `logits`: `[class, height, width]`
    ///
    /// # Errors
    /// When `chip` or `logits` has another length than `shape` and the network say, the network does not fit the shape, or it is another
    /// one after [`for_one_size`](Self::for_one_size).
    pub fn run(&mut self, chip: &[f32], shape: [usize; 3], logits: &mut [f32]) -> Result<(), ExecutorError> {
        let fits = |what, found, expected| match found == expected {
            true => Ok(()),
            false => Err(ExecutorError::Length { what, found, expected }),
        };
        fits("the chip", chip.len(), shape.iter().product())?;
        if !self.programs.contains_key(&shape) {
            let program = self.program(shape)?;
            if self.one_size {
                self.segmenter = None;
            }
            // What planning needed will not be needed again.
            swath_kernels::release_memory();
            self.programs.insert(shape, program);
        }
        let program = &self.programs[&shape];
        if self.arena.len() < program.arena() {
            // The old one first, whose memory the new one may take.
            self.arena = Buffer::new(0);
            self.arena = Buffer::new(program.arena());
        }
        fits("the logits", logits.len(), program.outputs())?;
        program.run(chip, &mut self.arena, logits);
        Ok(())
    }

    /// Gives up the memory of a chip's intermediate results until the next one comes. Programs and filters stay.
    pub fn rest(&mut self) {
        self.arena = Buffer::new(0);
        swath_kernels::release_memory();
    }

    /// The operations of the chips so far that have no form here and run on Burn's own backend, which is slower.
    pub fn fallbacks(&self) -> BTreeSet<String> {
        self.programs.values().flat_map(Program::fallbacks).collect()
    }

    fn program(&mut self, shape: [usize; 3]) -> Result<Program, ExecutorError> {
        let [channels, height, width] = shape;
        let Some(segmenter) = &self.segmenter else {
            let expected = self.programs.keys().next().copied().unwrap_or_default();
            return Err(ExecutorError::Size { found: shape, expected });
        };
        // Clones share their running statistics, which moving one would take from the others; `valid` makes new ones.
        let captured = capture([1, channels, height, width], |device, images| {
            segmenter.valid().to_device(device).forward(images)
        })?;
        compile(captured, Size { channels, height, width }, self.precision, &mut self.filters)
    }
}

/// A program for what was recorded on images of a size.
pub(super) fn compile(
    captured: Captured,
    input: Size,
    precision: Precision,
    filters: &mut Filters,
) -> Result<Program, ExecutorError> {
    let mut graph = translate(captured, input)?;
    let precision = of_kernels(precision);
    optimize(&mut graph, precision);
    Ok(Program::new(graph, precision, filters)?)
}

/// What convolutions multiply: three parts are as exact as a float, and faster where there are tiles.
pub(super) fn of_kernels(precision: Precision) -> swath_kernels::Precision {
    match precision {
        Precision::Fp32 => swath_kernels::Precision::Bf16x3,
        Precision::Bf16x2 => swath_kernels::Precision::Bf16x2,
        Precision::Bf16 => swath_kernels::Precision::Bf16,
    }
}

/// Everything that makes a graph cheaper.
pub(super) fn optimize(graph: &mut Graph, precision: swath_kernels::Precision) {
    recognize(graph);
    fold_scales(graph);
    reorder(graph);
    fuse_sums(graph);
    fuse_activations(graph);
    fuse_sums_of_sizes(graph);
    fuse_functions(graph);
    fuse_pools(graph);
    fuse_heads(graph, precision);
}
