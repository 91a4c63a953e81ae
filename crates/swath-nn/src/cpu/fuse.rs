//! Sums, functions, maxima and 1x1 convolutions as the last steps of a convolution, while its result is at hand.

use swath_kernels::{Activation, Pooling, Precision};

use super::convolve::plan_with_head;
use super::graph::{Graph, Node, Op};
use super::place::layout;

/// Makes sums part of the convolution that computes one of the addends. It then runs where the sum did, since the other
/// addend has to exist.
pub(super) fn fuse_sums(graph: &mut Graph) {
    let mut position = 0;
    while position < graph.nodes.len() {
        if let Op::Add(activation) = graph.nodes[position].op
            && let Some((convolution, addend)) = addend(graph, position)
        {
            // The convolution takes the place of the sum.
            let mut node = graph.nodes.remove(convolution);
            let sum = &mut graph.nodes[position - 1];
            if let Op::Convolution(op) = &mut node.op {
                op.activation = activation;
            }
            node.inputs.push(sum.inputs[addend]);
            node.outputs = std::mem::take(&mut sum.outputs);
            *sum = node;
        } else {
            position += 1;
        }
    }
}

/// Makes sums part of the interpolation that computes one of the addends; it then runs where the sum did.
pub(super) fn fuse_sums_of_sizes(graph: &mut Graph) {
    let mut position = 0;
    while position < graph.nodes.len() {
        if let Op::Add(Activation::Identity) = graph.nodes[position].op
            && let Some((resize, addend)) = enlarged(graph, position)
        {
            let mut node = graph.nodes.remove(resize);
            let sum = &mut graph.nodes[position - 1];
            node.inputs.push(sum.inputs[addend]);
            node.outputs = std::mem::take(&mut sum.outputs);
            *sum = node;
        } else {
            position += 1;
        }
    }
}

/// The interpolation that can take over a sum, the later one of two, and which of the two inputs remains its addend.
fn enlarged(graph: &Graph, sum: usize) -> Option<(usize, usize)> {
    let inputs = &graph.nodes[sum].inputs;
    let open = |index: usize| {
        let resize = graph.producer(inputs[index]).filter(|_| graph.uses(inputs[index]) == 1)?;
        let node = &graph.nodes[resize];
        (matches!(node.op, Op::Resize(..)) && node.inputs.len() == 1).then_some((resize, 1 - index))
    };
    open(0).max(open(1))
}

/// The convolution that can take over a sum, and which of the two inputs remains its addend. Of two the later one is taken,
/// which moves least.
fn addend(graph: &Graph, sum: usize) -> Option<(usize, usize)> {
    let inputs = &graph.nodes[sum].inputs;
    let open = |index: usize| {
        let convolution = graph.open_convolution(inputs[index])?;
        (graph.nodes[convolution].inputs.len() == 1).then_some((convolution, 1 - index))
    };
    open(0).max(open(1))
}

/// Makes activations part of the convolution, sum or normalization before them.
pub(super) fn fuse_activations(graph: &mut Graph) {
    let mut position = 0;
    while position < graph.nodes.len() {
        if let Op::Activate(next) = graph.nodes[position].op
            && let Some(before) = open(graph, position, next)
        {
            let outputs = graph.nodes.remove(position).outputs;
            let node = &mut graph.nodes[before];
            match &mut node.op {
                Op::Convolution(op) => op.activation = next,
                Op::GroupNorm(op) => op.relu = true,
                op => *op = Op::Add(next),
            }
            node.outputs = outputs;
        } else {
            position += 1;
        }
    }
}

/// Makes other elementwise functions part of the convolution before them.
pub(super) fn fuse_functions(graph: &mut Graph) {
    let mut position = 0;
    while position < graph.nodes.len() {
        let node = &graph.nodes[position];
        let before = match node.op {
            Op::Map(function) => graph.open_convolution(node.inputs[0]).map(|before| (before, function)),
            _ => None,
        };
        match before {
            Some((before, function)) => {
                let outputs = graph.nodes.remove(position).outputs;
                if let Op::Convolution(op) = &mut graph.nodes[before].op {
                    op.function = Some(function);
                }
                graph.nodes[before].outputs = outputs;
            }
            None => position += 1,
        }
    }
}

/// The convolution, sum or normalization before an activation, when nothing else reads it and it can compute that one.
fn open(graph: &Graph, activation: usize, next: Activation) -> Option<usize> {
    let input = graph.nodes[activation].inputs[0];
    graph.open_convolution(input).or_else(|| {
        let before = graph.producer(input).filter(|_| graph.uses(input) == 1)?;
        let open = match &graph.nodes[before].op {
            Op::Add(activation) => *activation == Activation::Identity,
            Op::GroupNorm(norm) => !norm.relu && next == Activation::Relu,
            _ => false,
        };
        open.then_some(before)
    })
}

/// Makes max-pooling by 2x2 part of the convolution whose result it reads, whoever else reads that.
pub(super) fn fuse_pools(graph: &mut Graph) {
    let mut position = 0;
    while position < graph.nodes.len() {
        if let Op::MaxPool(pooling) = graph.nodes[position].op
            && pooling == Pooling::new(2, 2)
            && let Some(before) = graph.producer(graph.nodes[position].inputs[0])
            && matches!(graph.nodes[before].op, Op::Convolution(_))
            && graph.nodes[before].outputs.len() == 1
        {
            let maxima = graph.nodes.remove(position).outputs;
            graph.nodes[before].outputs.extend(maxima);
        } else {
            position += 1;
        }
    }
}

/// Makes 1x1 convolutions part of the convolution whose result they read, where kernels can do so and nothing else reads it.
pub(super) fn fuse_heads(graph: &mut Graph, precision: Precision) {
    let mut position = 0;
    while position < graph.nodes.len() {
        match before_head(graph, position, precision) {
            Some(before) => {
                let head = graph.nodes.remove(position);
                let node = graph.nodes.remove(before);
                if let (Op::Convolution(op), Op::Convolution(next)) = (node.op, head.op) {
                    let op = Op::ConvolutionWithHead(Box::new([*op, *next]));
                    graph.nodes.insert(position - 1, Node { op, inputs: node.inputs, outputs: head.outputs });
                }
            }
            None => position += 1,
        }
    }
}

/// The convolution that can compute the one at `position` on the way.
fn before_head(graph: &Graph, position: usize, precision: Precision) -> Option<usize> {
    let alone = |node: &Node| node.inputs.len() == 1 && node.outputs.len() == 1;
    let node = &graph.nodes[position];
    let Op::Convolution(head) = &node.op else { return None };
    let before = graph.producer(node.inputs[0]).filter(|_| alone(node) && graph.uses(node.inputs[0]) == 1)?;
    let Op::Convolution(op) = &graph.nodes[before].op else { return None };
    let input = layout(graph.size(graph.nodes[before].inputs[0]));
    let (plan, of_head) = plan_with_head([op, head], input, precision).ok()?;
    let plain = op.function.is_none() && head.function.is_none();
    (plain && alone(&graph.nodes[before]) && plan.takes_head(&of_head)).then_some(before)
}
