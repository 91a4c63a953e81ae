//! Linear operations in an order that multiplies less.
//!
//! Interpolation mixes pixels and a 1x1 convolution mixes channels, so that either may come first; what interpolation makes of a constant is
//! that constant, so that a bias may go along. Decoders that upsample every level, concatenate and convolve (SegFormer's, hypercolumns) then
//! convolve each level at its own size. Two convolutions in a row, the second of 1x1, are one. New weights are computed in f64 and
//! rounded once.

use swath_kernels::{Activation, Convolution};

use super::graph::{ConvolutionOp, Graph, Kind, Node, Op, Size, Value};

/// Channels for which moving a convolution before an interpolation pays: each costs a multiplication for each output, while the sum that
/// takes the place of a concatenation costs about as much time as this many.
const LEAST_CHANNELS: usize = 48;

/// Convolves before interpolating where that is less work, then joins convolutions.
pub(super) fn reorder(graph: &mut Graph) {
    let mut position = 0;
    while position < graph.nodes.len() {
        position = distribute(graph, position).unwrap_or(position + 1);
    }
    let mut position = 0;
    while position < graph.nodes.len() {
        if !join(graph, position) {
            position += 1;
        }
    }
}

/// A part of a concatenation.
struct Part {
    value: Value,
    /// The first of its channels in the concatenation, and their number.
    first: usize,
    channels: usize,
    /// The interpolation that makes it, when convolving before that pays.
    resize: Option<usize>,
}

/// Replaces a 1x1 convolution of concatenated interpolations by the sum of interpolated convolutions. Returns the position behind
/// these.
fn distribute(graph: &mut Graph, position: usize) -> Option<usize> {
    let node = &graph.nodes[position];
    let Op::Convolution(op) = &node.op else { return None };
    let &[whole] = node.inputs.as_slice() else { return None };
    if !is_pointwise(op) || !op.is_linear() || graph.uses(whole) != 1 {
        return None;
    }
    let concatenation = graph.producer(whole).filter(|&index| matches!(graph.nodes[index].op, Op::Concatenate))?;
    let parts = parts(graph, concatenation);
    if parts.len() < 2 || parts.iter().all(|part| part.resize.is_none()) {
        return None;
    }

    let Node { op: Op::Convolution(op), outputs, .. } = graph.nodes.remove(position) else {
        unreachable!("looked at above")
    };
    let size = graph.size(outputs[0]);
    let mut made = Vec::new();
    // The bias goes with the first convolution.
    let mut bias = Some(op.bias.clone());
    let mut terms = Vec::new();
    for part in &parts {
        let Some(resize) = part.resize else { continue };
        let source = graph.nodes[resize].inputs[0];
        let Op::Resize(interpolation, alignment) = graph.nodes[resize].op else { continue };
        let small = Size { channels: size.channels, ..graph.size(source) };
        let convolved = define(graph, small);
        let own = columns(&op, &[part], bias.take());
        made.push(Node { op: Op::Convolution(Box::new(own)), inputs: vec![source], outputs: vec![convolved] });
        let enlarged = define(graph, size);
        let resize = Op::Resize(interpolation, alignment);
        made.push(Node { op: resize, inputs: vec![convolved], outputs: vec![enlarged] });
        terms.push(enlarged);
    }
    let rest: Vec<&Part> = parts.iter().filter(|part| part.resize.is_none()).collect();
    if !rest.is_empty() {
        let input = match rest.as_slice() {
            [part] => part.value,
            _ => {
                let joined = define(graph, Size { channels: rest.iter().map(|part| part.channels).sum(), ..size });
                let inputs = rest.iter().map(|part| part.value).collect();
                made.push(Node { op: Op::Concatenate, inputs, outputs: vec![joined] });
                joined
            }
        };
        let convolved = define(graph, size);
        let own = columns(&op, &rest, None);
        made.push(Node { op: Op::Convolution(Box::new(own)), inputs: vec![input], outputs: vec![convolved] });
        terms.push(convolved);
    }
    let mut sum = terms[0];
    for (index, term) in terms.iter().enumerate().skip(1) {
        let total = if index + 1 == terms.len() { outputs[0] } else { define(graph, size) };
        made.push(Node { op: Op::Add(Activation::Identity), inputs: vec![sum, *term], outputs: vec![total] });
        sum = total;
    }
    let count = made.len();
    graph.nodes.splice(position..position, made);
    // What nobody reads any more: the concatenation and its interpolations, all of which come before.
    let mut dead: Vec<usize> = parts.iter().filter_map(|part| part.resize).chain([concatenation]).collect();
    dead.sort_unstable();
    dead.iter().rev().for_each(|&index| drop(graph.nodes.remove(index)));
    Some(position - dead.len() + count)
}

/// The parts of a concatenation, in order.
fn parts(graph: &Graph, concatenation: usize) -> Vec<Part> {
    let mut first = 0;
    let part = |&value: &Value| {
        let channels = graph.size(value).channels;
        let part = Part { value, first, channels, resize: worthwhile(graph, value) };
        first += channels;
        part
    };
    graph.nodes[concatenation].inputs.iter().map(part).collect()
}

/// The interpolation that makes an image that nobody else reads, when convolving before it saves more than the sum costs.
fn worthwhile(graph: &Graph, value: Value) -> Option<usize> {
    let resize = graph.producer(value).filter(|_| graph.uses(value) == 1)?;
    matches!(graph.nodes[resize].op, Op::Resize(..)).then_some(())?;
    let (from, to) = (graph.size(graph.nodes[resize].inputs[0]), graph.size(value));
    let saved = (to.height * to.width).checked_sub(from.height * from.width)? * to.channels;
    (saved > LEAST_CHANNELS * to.height * to.width).then_some(resize)
}

fn is_pointwise(op: &ConvolutionOp) -> bool {
    let Convolution { inputs, outputs, .. } = op.convolution;
    op.transposed.is_none() && op.convolution == Convolution::new(inputs, outputs)
}

/// The part of a 1x1 convolution that reads some parts of its input; without a bias of its own it has none.
fn columns(op: &ConvolutionOp, parts: &[&Part], bias: Option<Vec<f64>>) -> ConvolutionOp {
    let Convolution { inputs, outputs, .. } = op.convolution;
    let rows = op.weights.chunks_exact(inputs);
    let own =
        |row: &[f32]| parts.iter().flat_map(|part| row[part.first..][..part.channels].to_vec()).collect::<Vec<_>>();
    ConvolutionOp {
        convolution: Convolution::new(parts.iter().map(|part| part.channels).sum(), outputs),
        transposed: None,
        weights: rows.flat_map(own).collect(),
        bias: bias.unwrap_or_else(|| vec![0.0; outputs]),
        activation: Activation::Identity,
        function: None,
    }
}

fn define(graph: &mut Graph, size: Size) -> Value {
    graph.kinds.push(Kind::Image(size));
    Value(graph.kinds.len() - 1)
}

/// Makes a 1x1 convolution part of the one before it, when nothing else reads that and the product has no more weights than both.
fn join(graph: &mut Graph, position: usize) -> bool {
    let Op::Convolution(outer) = &graph.nodes[position].op else { return false };
    let Some(before) = graph.open_convolution(graph.nodes[position].inputs[0]) else { return false };
    let Op::Convolution(inner) = &graph.nodes[before].op else { return false };
    let (a, b) = (inner.convolution, outer.convolution);
    let simple = is_pointwise(outer) && inner.transposed.is_none() && a.groups == 1;
    // A larger kernel costs less than its weights say, by Winograd's method: it must not become wider.
    let cheaper = match is_pointwise(inner) {
        true => b.outputs * a.inputs <= a.outputs * (a.inputs + b.outputs),
        false => b.outputs <= a.outputs,
    };
    if !simple || !cheaper || graph.nodes[before].inputs.len() != 1 {
        return false;
    }
    let own = a.inputs * a.kernel[0] * a.kernel[1];
    let mut weights = Vec::with_capacity(b.outputs * own);
    let mut bias = outer.bias.clone();
    for (row, bias) in outer.weights.chunks_exact(b.inputs).zip(&mut bias) {
        let mut sums = vec![0.0; own];
        for ((factor, weights), inner_bias) in row.iter().zip(inner.weights.chunks_exact(own)).zip(&inner.bias) {
            let factor = f64::from(*factor);
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += factor * f64::from(*weight));
            *bias += factor * inner_bias;
        }
        weights.extend(sums.into_iter().map(|sum| sum as f32));
    }
    let convolution = Convolution { outputs: b.outputs, ..a };
    let joined = ConvolutionOp {
        convolution,
        transposed: None,
        weights,
        bias,
        activation: outer.activation,
        function: outer.function,
    };
    let inner = graph.nodes.remove(before);
    let node = &mut graph.nodes[position - 1];
    node.op = Op::Convolution(Box::new(joined));
    node.inputs[0] = inner.inputs[0];
    true
}
