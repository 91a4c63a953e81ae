//! Where the values of a graph are kept during a run.

use std::collections::HashMap;
use std::ops::Range;

use swath_kernels::{Alignment, Interpolation, Layout, PlanError, Precision};

use super::arena::{Tenant, arrange};
use super::convolve::plan;
use super::elements::elements;
use super::graph::{Graph, Kind, Node, Op, Value};
use super::place::{Placement, layout};

/// An image in the arena, or indices in their own layout.
#[derive(Clone, Copy, Debug)]
pub(super) struct Image {
    pub(super) start: usize,
    pub(super) layout: Layout,
}

impl Image {
    /// Its place in the arena; none for what is read from the caller or written to him.
    pub(super) fn range(&self) -> Range<usize> {
        let len = if self.layout.planes { 0 } else { self.layout.len() };
        self.start..self.start + len
    }
}

/// Where a value is kept during a run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Slot {
    Image(Image),
    Indices(Image),
    Tensor(usize),
}

/// Where every value of a graph is kept.
pub(super) struct Memory {
    pub(super) slots: Vec<Slot>,
    /// For each concatenation, by the value that it makes: what has to be copied, and to where.
    pub(super) copies: HashMap<Value, Vec<(Image, Image)>>,
    /// Floats in all.
    pub(super) arena: usize,
    pub(super) precision: Precision,
}

impl Memory {
    /// # Errors
    /// When a convolution does not fit its image.
    pub(super) fn new(graph: &Graph, precision: Precision) -> Result<Memory, PlanError> {
        let placement = Placement::new(graph);
        let elements = elements(graph, &placement, precision)?;
        let planes = in_planes(graph, precision)?;
        let own = |value: Value| layout(graph.size(value)).of(elements[value.0]);
        let in_arena = |value: &Value| graph.is_image(*value) || graph.is_indices(*value);
        let images: Vec<Value> = (0..graph.kinds.len()).map(Value).filter(in_arena).collect();
        let mut roots: Vec<Value> = images.iter().map(|value| placement.place(*value).root).collect();
        roots.sort();
        roots.dedup();
        let number = |value: Value| roots.binary_search(&placement.place(value).root).expect("every image has a root");
        let mut tenants: Vec<Tenant> =
            roots.iter().map(|root| Tenant { len: own(*root).len(), alive: [usize::MAX, 0] }).collect();
        let mut meet = |value: Value, time: usize| {
            if in_arena(&value) {
                let alive = &mut tenants[number(value)].alive;
                *alive = [alive[0].min(time), alive[1].max(time)];
            }
        };
        // The first moment is that of packing, the last that of unpacking.
        meet(graph.input, 0);
        for (index, node) in graph.nodes.iter().enumerate() {
            node.inputs.iter().chain(&node.outputs).for_each(|value| meet(*value, index + 1));
        }
        meet(graph.output, graph.nodes.len() + 1);

        // A part that does not begin with a whole vector reaches a little beyond the last pixel with its padding.
        let mut moves = Vec::new();
        for node in graph.nodes.iter().filter(|node| matches!(node.op, Op::Concatenate)) {
            let whole = node.outputs[0];
            let place = placement.place(whole);
            for (channel, part) in placement.copied(graph, node) {
                let target =
                    layout(graph.size(part)).within(placement.layout(graph, whole).pixel).of(elements[whole.0]);
                let (tenant, first) = (&mut tenants[number(whole)], target.floats(place.channel + channel));
                tenant.len = tenant.len.max(first + target.len());
                moves.push((whole, part, first, target));
            }
        }
        if last_resize(graph).is_some() {
            tenants[number(graph.output)].len = 0;
        }
        planes.iter().for_each(|value| tenants[number(*value)].len = 0);
        // Values within what has one form as a whole are never made.
        tenants.iter_mut().filter(|tenant| tenant.alive[0] == usize::MAX).for_each(|tenant| tenant.len = 0);
        let (starts, arena) = arrange(&tenants);
        let image = |value: Value| {
            let layout = placement.layout(graph, value).of(elements[value.0]);
            if planes.contains(&value) {
                return Image { start: 0, layout: layout.in_planes() };
            }
            Image { start: starts[number(value)] + layout.floats(placement.place(value).channel), layout }
        };
        let slot = |(index, kind): (usize, &Kind)| match kind {
            Kind::Image(_) => Slot::Image(image(Value(index))),
            Kind::Indices(_) => Slot::Indices(image(Value(index))),
            Kind::Tensor => Slot::Tensor(index),
        };
        let mut copies: HashMap<Value, Vec<(Image, Image)>> = HashMap::new();
        for (whole, part, first, layout) in moves {
            let target = Image { start: starts[number(whole)] + first, layout };
            copies.entry(whole).or_default().push((image(part), target));
        }
        Ok(Memory { slots: graph.kinds.iter().enumerate().map(slot).collect(), copies, arena, precision })
    }

    /// # Panics
    /// When the value is neither an image nor indices.
    pub(super) fn image(&self, value: Value) -> Image {
        match self.slots[value.0] {
            Slot::Image(image) | Slot::Indices(image) => image,
            Slot::Tensor(index) => panic!("value {index} is no image"),
        }
    }
}

/// Those of input and output that convolutions read from the caller's planes, or write to them.
fn in_planes(graph: &Graph, precision: Precision) -> Result<Vec<Value>, PlanError> {
    let mut planes = Vec::new();
    for Node { op, inputs, outputs } in &graph.nodes {
        let (op, head) = match op {
            Op::Convolution(op) => (&**op, None),
            Op::ConvolutionWithHead(ops) => (&ops[0], Some(&ops[1])),
            _ => continue,
        };
        let plan = plan(op, layout(graph.size(inputs[0])), precision)?;
        if inputs[0] == graph.input && graph.uses(graph.input) == 1 && plan.reads_planes() {
            planes.push(graph.input);
        }
        let alone = outputs[..] == [graph.output] && graph.uses(graph.output) == 1;
        let writes = head.is_some() || plan.writes_planes() && op.function.is_none();
        if alone && writes && head.is_none_or(|head| head.function.is_none()) {
            planes.push(graph.output);
        }
    }
    Ok(planes)
}

/// The interpolation that makes the output, which nothing else reads, and of what.
pub(super) fn last_resize(graph: &Graph) -> Option<(Interpolation, Alignment, Value)> {
    match graph.nodes.last()? {
        Node { op: Op::Resize(interpolation, alignment), inputs, outputs } => match inputs[..] {
            [image] if outputs[0] == graph.output => Some((*interpolation, *alignment, image)),
            _ => None,
        },
        _ => None,
    }
}
