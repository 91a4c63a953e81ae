//! Which images are kept as bfloat16.
//!
//! A convolution in bfloat16 rounds what it reads. What only reaches the output through such convolutions may as well be rounded where it is
//! made: memory then carries half as much. Where an image meets nothing else on its way to them than maxima and nearest neighbours, that is
//! the same to the bit; sums and means of images are rounded once more, and so is what a function such as GELU after a convolution is computed of.
//! Winograd's methods count among them: they compute with floats, but read and write bfloat16 for the memory's sake.

use swath_kernels::{Element, PlanError, Precision};

use super::convolve::plan;
use super::graph::{ConvolutionOp, Graph, Node, Op, Value};
use super::place::{Placement, layout};

/// What each image of a graph is made of, by the number of its value.
///
/// # Errors
/// When a convolution does not fit its image.
pub(super) fn elements(graph: &Graph, placement: &Placement, precision: Precision) -> Result<Vec<Element>, PlanError> {
    if precision != Precision::Bf16 {
        return Ok(vec![Element::Float; graph.kinds.len()]);
    }
    let readers: Vec<Reader> =
        graph.nodes.iter().map(|node| reader(graph, node, precision)).collect::<Result<_, _>>()?;
    let mut floats: Vec<bool> = (0..graph.kinds.len()).map(|value| !graph.is_image(Value(value))).collect();
    floats[graph.input.0] = true;
    // Nodes stand in the order in which they run: what reads an image comes after it.
    let mut exact = vec![false; graph.kinds.len()];
    exact[graph.output.0] = true;
    for (node, reader) in graph.nodes.iter().zip(&readers).rev() {
        let passes_on = *reader != Reader::Rounds && node.outputs.iter().any(|output| exact[output.0]);
        for input in &node.inputs {
            exact[input.0] |= passes_on;
        }
        if *reader == Reader::Floats {
            node.inputs.iter().chain(&node.outputs).for_each(|value| floats[value.0] = true);
        }
        // Heads write floats.
        if matches!(node.op, Op::ConvolutionWithHead(_)) {
            node.outputs.iter().for_each(|value| floats[value.0] = true);
        }
    }
    for (value, exact) in exact.into_iter().enumerate() {
        floats[value] |= exact;
    }
    // What begins within a pair cannot be written by itself.
    for node in graph.nodes.iter().filter(|node| matches!(node.op, Op::Concatenate)) {
        let odd = placement.copied(graph, node).iter().any(|(channel, _)| !channel.is_multiple_of(2));
        floats[node.outputs[0].0] |= odd;
    }
    // Parts of an image are what it is.
    let root = |value: usize| placement.place(Value(value)).root.0;
    for value in 0..floats.len() {
        floats[root(value)] |= floats[value];
    }
    let element = |value: usize| if floats[root(value)] { Element::Float } else { Element::Bfloat16 };
    Ok((0..floats.len()).map(element).collect())
}

/// What a node makes of images of bfloat16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// It would round them itself, or reads half as much as it would of floats.
    Rounds,
    /// It computes with them in floats.
    Takes,
    /// It takes floats only.
    Floats,
}

fn reader(graph: &Graph, node: &Node, precision: Precision) -> Result<Reader, PlanError> {
    let rounds = |op: &ConvolutionOp| {
        let input = layout(graph.size(node.inputs[0])).of(Element::Bfloat16);
        let plan = plan(op, input, precision)?;
        let rounds = plan.precision() == Precision::Bf16 || plan.method().is_winograd();
        Ok(if rounds { Reader::Rounds } else { Reader::Takes })
    };
    Ok(match &node.op {
        Op::Convolution(op) => rounds(op)?,
        Op::ConvolutionWithHead(ops) => rounds(&ops[0])?,
        Op::Activate(_)
        | Op::Map(_)
        | Op::Multiply
        | Op::LayerNorm(_)
        | Op::GroupNorm(_)
        | Op::Add(_)
        | Op::MaxPool(_)
        | Op::AveragePool(..)
        | Op::AdaptiveAveragePool
        | Op::Resize(..)
        | Op::Concatenate => Reader::Takes,
        Op::Scale { .. }
        | Op::Attention { .. }
        | Op::MaxPoolWithIndices(_)
        | Op::Unpool
        | Op::Take { .. }
        | Op::Burn(_) => Reader::Floats,
    })
}
