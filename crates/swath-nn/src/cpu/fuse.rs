//! Sums, activations and maxima as the last steps of a convolution, while its result is at hand.

use swath_kernels::{Activation, Pooling};

use super::graph::{Graph, Op};

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
