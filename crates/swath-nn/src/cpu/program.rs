//! Plans and filters for images of one size, and the run.

use burn::tensor::TensorData;
use swath_kernels::{
    Activation, Alignment, Divisor, Function, GroupNorm, Head, Interpolation, LayerNorm, Layout, PlanError, Pooling,
    Precision, activate, adaptive_average_pool, add, attention, average_pool, bits, bits_mut, copy, map, max_pool,
    max_pool_with_indices, multiply, pack, parallel_chunks, resize, resize_and_add, resize_to_planes, unpack, unpool,
};

use super::arena::split;
use super::convolve::{Convolve, Filters, into, plan, plan_with_head};
use super::graph::{BurnOp, Graph, GroupNormOp, Kind, Node, Op, Value};
use super::interpret::{interpret, name};
use super::memory::{Image, Memory, Slot, last_resize};

/// What a graph computes, ready to run.
pub(super) struct Program {
    steps: Vec<Step>,
    input: Image,
    output: Image,
    /// An interpolation at the end, whose result goes straight to the caller.
    last: Option<(Interpolation, Alignment, Image)>,
    /// Floats of memory that a run needs.
    arena: usize,
    /// Slots for values that are no images: as many as there are values, or none.
    tensors: usize,
}

enum Step {
    /// From images to an image.
    Images { op: ImageOp, inputs: Vec<Image>, output: Image },
    /// A convolution, and the sum of its result and another image.
    Convolve { op: Convolve, inputs: Vec<Image>, output: Image },
    /// A convolution, and a 1x1 convolution of its result, which is not kept.
    ConvolveWithHead { op: Convolve, head: Convolve, input: Image, output: Image },
    /// A convolution, and the maxima of its result's 2x2 windows.
    ConvolveAndHalve { op: Convolve, inputs: Vec<Image>, output: Image, halved: Image },
    /// From an image to an image and indices.
    MaxPoolWithIndices { pooling: Pooling, input: Image, output: Image, indices: Image },
    /// On Burn's own backend.
    Burn { op: Box<BurnOp>, inputs: Vec<Slot>, outputs: Vec<Slot> },
}

enum ImageOp {
    Activate(Activation),
    Map(Function),
    Multiply,
    Attention { heads: usize },
    LayerNorm { gamma: Vec<f32>, beta: Vec<f32>, epsilon: f64 },
    GroupNorm { groups: usize, gamma: Vec<f32>, beta: Vec<f32>, epsilon: f64, relu: bool },
    Add(Activation),
    MaxPool(Pooling),
    Unpool,
    AveragePool(Pooling, Divisor),
    AdaptiveAveragePool,
    Resize(Interpolation, Alignment),
    Take { rows: Vec<usize>, cols: Vec<usize>, first: usize },
    Copy,
}

impl Program {
    /// Plans a graph in which no scalings are left.
    ///
    /// # Errors
    /// When a convolution does not fit its image.
    pub(super) fn new(graph: Graph, precision: Precision, filters: &mut Filters) -> Result<Program, PlanError> {
        let memory = Memory::new(&graph, precision)?;
        let (input, output) = (memory.image(graph.input), memory.image(graph.output));
        let last = last_resize(&graph)
            .map(|(interpolation, alignment, value)| (interpolation, alignment, memory.image(value)));
        let mut nodes = graph.nodes;
        if last.is_some() {
            nodes.pop();
        }
        let mut steps = Vec::new();
        for node in nodes {
            memory.step(node, filters, &mut steps)?;
        }
        let tensors = if graph.kinds.contains(&Kind::Tensor) { graph.kinds.len() } else { 0 };
        Ok(Program { steps, input, output, last, arena: memory.arena, tensors })
    }

    /// Floats of memory that a run needs.
    pub(super) fn arena(&self) -> usize {
        self.arena
    }

    /// Values of the output.
    pub(super) fn outputs(&self) -> usize {
        self.output.layout.pixels() * self.output.layout.channels
    }

    /// The names of the operations that run on Burn's own backend.
    pub(super) fn fallbacks(&self) -> impl Iterator<Item = String> {
        self.steps.iter().filter_map(|step| match step {
            Step::Burn { op, .. } => Some(name(&op.operation)),
            _ => None,
        })
    }

    /// Runs the program in `arena`, which holds [`arena`](Self::arena) floats. Its contents do not matter.
    ///
    /// # Shapes
    /// - `chip`: `[channels, height, width]`
    /// - `out`: `[channels, height, width]` of the output
    ///
    /// # Panics
    /// When a slice has another length.
    pub(super) fn run(&self, chip: &[f32], arena: &mut [f32], out: &mut [f32]) {
        if !self.input.layout.planes {
            pack(chip, &self.input.layout, &mut arena[self.input.range()]);
        }
        let mut tensors = vec![None; self.tensors];
        for step in &self.steps {
            match step {
                Step::Convolve { op, inputs, output } => {
                    let addend = inputs.get(1).unwrap_or(&inputs[0]);
                    let ([y], [x, b]) = split(arena, [output.range()], [inputs[0].range(), addend.range()]);
                    let x = if inputs[0].layout.planes { chip } else { x };
                    let y = if output.layout.planes { &mut *out } else { y };
                    let add = inputs.get(1).map(|addend| (b, addend.layout));
                    op.plan.run(x, &op.filter, &op.epilogue(add), y);
                }
                Step::Images { op, inputs, output } => op.run(inputs, output, arena),
                Step::ConvolveWithHead { op, head, input, output } => {
                    let ([y], [x]) = split(arena, [output.range()], [input.range()]);
                    let x = if input.layout.planes { chip } else { x };
                    let y = if output.layout.planes { &mut *out } else { y };
                    let (plan, filter, epilogue) = (&*head.plan, &*head.filter, &head.epilogue(None));
                    op.plan.run_with_head(x, &op.filter, &op.epilogue(None), &Head { plan, filter, epilogue }, y);
                }
                Step::ConvolveAndHalve { op, inputs, output, halved } => {
                    let addend = inputs.get(1).unwrap_or(&inputs[0]);
                    let ranges = [inputs[0].range(), addend.range()];
                    let ([y, maxima], [x, b]) = split(arena, [output.range(), halved.range()], ranges);
                    let x = if inputs[0].layout.planes { chip } else { x };
                    let add = inputs.get(1).map(|addend| (b, addend.layout));
                    op.plan.run_and_halve(x, &op.filter, &op.epilogue(add), y, (&halved.layout, maxima));
                }
                Step::MaxPoolWithIndices { pooling, input, output, indices } => {
                    let ranges = [input, output, indices].map(Image::range);
                    let slices = arena.get_disjoint_mut(ranges);
                    let [x, y, places] = slices.expect("an operation does not write what it reads");
                    max_pool_with_indices(pooling, &input.layout, x, &output.layout, y, bits_mut(places));
                }
                Step::Burn { op, inputs, outputs } => run_on_burn(op, inputs, outputs, arena, &mut tensors),
            }
        }
        match &self.last {
            Some((interpolation, alignment, image)) => {
                let (input, Layout { height, width, .. }) =
                    ((&image.layout, &arena[image.range()]), self.output.layout);
                resize_to_planes(*interpolation, *alignment, input, [height, width], out);
            }
            None if self.output.layout.planes => {}
            None => unpack(&self.output.layout, &arena[self.output.range()], out),
        }
    }

    /// Whether the chip is read, and the output written, in the caller's planes.
    #[cfg(test)]
    pub(super) fn planes(&self) -> [bool; 2] {
        [self.input.layout.planes, self.output.layout.planes]
    }

    #[cfg(test)]
    pub(super) fn copies(&self) -> usize {
        let copies = |step: &&Step| matches!(step, Step::Images { op: ImageOp::Copy, .. });
        self.steps.iter().filter(copies).count()
    }
}

impl ImageOp {
    fn run(&self, inputs: &[Image], output: &Image, arena: &mut [f32]) {
        let first = inputs[0];
        let second = *inputs.get(1).unwrap_or(&first);
        let third = *inputs.get(2).unwrap_or(&first);
        let ranges = [first, second, third].map(|image| image.range());
        let ([out], [a, b, c]) = split(arena, [output.range()], ranges);
        let (from, to) = (&first.layout, &output.layout);
        match self {
            ImageOp::Activate(activation) => activate((from, a), *activation, to, out),
            ImageOp::Map(function) => map(*function, (from, a), to, out),
            ImageOp::Attention { heads } => {
                attention(*heads, (from, a), (&second.layout, b), (&third.layout, c), to, out);
            }
            ImageOp::Multiply => multiply((from, a), (&second.layout, b), to, out),
            ImageOp::LayerNorm { gamma, beta, epsilon } => {
                LayerNorm { gamma, beta, epsilon: *epsilon }.forward((from, a), to, out);
            }
            &ImageOp::GroupNorm { groups, ref gamma, ref beta, epsilon, relu } => {
                GroupNorm { groups, gamma, beta, epsilon, relu }.forward((from, a), to, out);
            }
            ImageOp::Add(activation) => add((from, a), (&second.layout, b), *activation, to, out),
            ImageOp::MaxPool(pooling) => max_pool(pooling, from, a, to, out),
            ImageOp::Unpool => unpool((from, a), bits(b), to, out),
            ImageOp::AveragePool(pooling, divisor) => average_pool(pooling, *divisor, from, a, to, out),
            ImageOp::AdaptiveAveragePool => adaptive_average_pool(from, a, to, out),
            &ImageOp::Resize(interpolation, alignment) => match inputs {
                [_] => resize(interpolation, alignment, from, a, to, out),
                _ => resize_and_add(interpolation, alignment, (from, a), (&second.layout, b), to, out),
            },
            ImageOp::Take { rows, cols, first } => take(rows, cols, *first, (from, a), to, out),
            ImageOp::Copy => copy(from, a, to, out),
        }
    }
}

/// Pixel `[row, col]` of the output from pixel `[rows[row], cols[col]]` of the image, channels from `first` on.
fn take(rows: &[usize], cols: &[usize], first: usize, (from, image): (&Layout, &[f32]), to: &Layout, out: &mut [f32]) {
    parallel_chunks(out, to.width * to.pixel, |row, out| {
        for (pixel, col) in out.chunks_mut(to.pixel).zip(cols) {
            let source = (rows[row] * from.width + col) * from.pixel + first;
            pixel[..to.channels].copy_from_slice(&image[source..][..to.channels]);
        }
    });
}

fn run_on_burn(op: &BurnOp, inputs: &[Slot], outputs: &[Slot], arena: &mut [f32], tensors: &mut [Option<TensorData>]) {
    let read = |slot: &Slot| match slot {
        Slot::Image(image) => {
            let Layout { height, width, channels, .. } = image.layout;
            let mut planes = vec![0.0; channels * height * width];
            unpack(&image.layout, &arena[image.range()], &mut planes);
            TensorData::new(planes, [1, channels, height, width])
        }
        Slot::Indices(image) => {
            let Layout { height, width, channels, pixel, .. } = image.layout;
            let indices = bits(&arena[image.range()]);
            let plane = |channel: usize| (0..height * width).map(move |at| i64::from(indices[at * pixel + channel]));
            let planes: Vec<i64> = (0..channels).flat_map(plane).collect();
            TensorData::new(planes, [1, channels, height, width])
        }
        Slot::Tensor(index) => tensors[*index].clone().expect("values are made before they are read"),
    };
    let given = op.inputs.iter().copied().zip(inputs.iter().map(read)).chain(op.constants.iter().cloned());
    let made = interpret(&op.operation, given.collect::<Vec<_>>());
    for (slot, data) in outputs.iter().zip(made) {
        match slot {
            Slot::Image(image) => {
                let planes = data.as_slice::<f32>().expect("images are floats");
                pack(planes, &image.layout, &mut arena[image.range()]);
            }
            Slot::Indices(_) => unreachable!("only pooling makes indices"),
            Slot::Tensor(index) => tensors[*index] = Some(data),
        }
    }
}

impl Memory {
    fn step(&self, node: Node, filters: &mut Filters, steps: &mut Vec<Step>) -> Result<(), PlanError> {
        let Node { op, inputs, outputs } = node;
        let op = match op {
            Op::Burn(op) => {
                let slots = |values: &[Value]| values.iter().map(|value| self.slots[value.0]).collect();
                steps.push(Step::Burn { op, inputs: slots(&inputs), outputs: slots(&outputs) });
                return Ok(());
            }
            Op::Concatenate => {
                let copies = self.copies.get(&outputs[0]).into_iter().flatten();
                let step = |&(from, to)| Step::Images { op: ImageOp::Copy, inputs: vec![from], output: to };
                steps.extend(copies.map(step));
                return Ok(());
            }
            Op::MaxPoolWithIndices(pooling) => {
                let [input, output, indices] = [inputs[0], outputs[0], outputs[1]].map(|value| self.image(value));
                steps.push(Step::MaxPoolWithIndices { pooling, input, output, indices });
                return Ok(());
            }
            Op::ConvolutionWithHead(ops) => {
                let [input, output] = [inputs[0], outputs[0]].map(|value| self.image(value));
                let (plan, head) = plan_with_head(ops.each_ref(), input.layout, self.precision)?;
                let op = Convolve::new(plan, &ops[0], filters)?;
                let head = Convolve::new(into(head, &output.layout), &ops[1], filters)?;
                steps.push(Step::ConvolveWithHead { op, head, input, output });
                return Ok(());
            }
            Op::Convolution(op) => {
                let plan = plan(&op, self.image(inputs[0]).layout, self.precision)?;
                let op = Convolve::new(into(plan, &self.image(outputs[0]).layout), &op, filters)?;
                let inputs = inputs.into_iter().map(|value| self.image(value)).collect();
                let output = self.image(outputs[0]);
                steps.push(match outputs.get(1) {
                    Some(halved) => Step::ConvolveAndHalve { op, inputs, output, halved: self.image(*halved) },
                    None => Step::Convolve { op, inputs, output },
                });
                return Ok(());
            }
            Op::Activate(activation) => ImageOp::Activate(activation),
            Op::Map(function) => ImageOp::Map(function),
            Op::Multiply => ImageOp::Multiply,
            Op::Attention { heads } => ImageOp::Attention { heads },
            Op::LayerNorm(op) => {
                let single = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
                ImageOp::LayerNorm { gamma: single(&op.gamma), beta: single(&op.beta), epsilon: op.epsilon }
            }
            Op::GroupNorm(op) => {
                let GroupNormOp { groups, gamma, beta, epsilon, relu } = *op;
                let [gamma, beta] = [gamma, beta].map(|values| values.iter().map(|value| *value as f32).collect());
                ImageOp::GroupNorm { groups, gamma, beta, epsilon, relu }
            }
            Op::Add(activation) => ImageOp::Add(activation),
            Op::MaxPool(pooling) => ImageOp::MaxPool(pooling),
            Op::Unpool => ImageOp::Unpool,
            Op::AveragePool(pooling, divisor) => ImageOp::AveragePool(pooling, divisor),
            Op::AdaptiveAveragePool => ImageOp::AdaptiveAveragePool,
            Op::Resize(interpolation, alignment) => ImageOp::Resize(interpolation, alignment),
            Op::Take { rows, cols, first } => ImageOp::Take { rows, cols, first },
            Op::Scale { .. } => unreachable!("scalings have become convolutions"),
        };
        let inputs = inputs.into_iter().map(|value| self.image(value)).collect();
        steps.push(Step::Images { op, inputs, output: self.image(outputs[0]) });
        Ok(())
    }
}
