//! Several of Burn's operations that have one form here together.

use burn::backend::ir::{BaseOperationIr, FloatOperationIr, ModuleOperationIr, NumericOperationIr, OperationIr};
use swath_kernels::Function;

use super::graph::{BurnOp, Graph, GroupNormOp, LayerNormOp, Op, Value};

/// Finds layer and group normalizations and SiLU. What else reads their inner values keeps them.
pub(super) fn recognize(graph: &mut Graph) {
    for position in 0..graph.nodes.len() {
        let found = match &graph.nodes[position].op {
            Op::Burn(_) => layer_norm(graph, position).or_else(|| group_norm(graph, position)),
            Op::Multiply => silu(graph, position),
            _ => None,
        };
        if let Some((op, input)) = found {
            graph.nodes[position].op = op;
            graph.nodes[position].inputs = vec![input];
        }
    }
    graph.remove_unused();
}

/// `c / sqrt(mean(c c) + epsilon)` with `c = x - mean(x)`, means over channels.
fn layer_norm(graph: &Graph, position: usize) -> Option<(Op, Value)> {
    let [centered, deviation] = *inputs(graph, position, |op| matches!(op, NumericOperationIr::Div(_)))? else {
        return None;
    };
    let root = graph.producer(deviation)?;
    let Op::Burn(op) = &graph.nodes[root].op else { return None };
    let OperationIr::Float(_, FloatOperationIr::Sqrt(_)) = op.operation else { return None };
    let sum = graph.producer(graph.nodes[root].inputs[0])?;
    let mut epsilon: Option<f64> = None;
    let variance = inputs(graph, sum, |op| match op {
        NumericOperationIr::AddScalar(add) => {
            epsilon = Some(add.rhs.elem());
            true
        }
        _ => false,
    })?[0];
    let square = graph.producer(channel_mean(graph, variance)?)?;
    let squared = matches!(graph.nodes[square].op, Op::Multiply) && graph.nodes[square].inputs == [centered, centered];
    let difference = graph.producer(centered).filter(|_| squared)?;
    let [x, mean] = *inputs(graph, difference, |op| matches!(op, NumericOperationIr::Sub(_)))? else { return None };
    (channel_mean(graph, mean)? == x && graph.is_image(x)).then_some(())?;
    let channels = graph.size(x).channels;
    let op = LayerNormOp { gamma: vec![1.0; channels], beta: vec![0.0; channels], epsilon: epsilon? };
    Some((Op::LayerNorm(Box::new(op)), x))
}

/// Each group of channels as a row, a layer normalization without parameters, and the image's own shape again.
fn group_norm(graph: &Graph, position: usize) -> Option<(Op, Value)> {
    let whole = graph.nodes[position].outputs[0];
    let normal = reshaped(graph, position).filter(|_| graph.is_image(whole))?;
    let norm = graph.producer(normal)?;
    let Op::Burn(op) = &graph.nodes[norm].op else { return None };
    let BurnOp { operation: OperationIr::Module(ModuleOperationIr::LayerNorm(row)), constants, .. } = op.as_ref()
    else {
        return None;
    };
    let [(_, gamma)] = constants.as_slice() else { return None };
    let plain = row.beta.is_none() && gamma.iter::<f64>().all(|gamma| gamma == 1.0);
    let image = reshaped(graph, graph.producer(graph.nodes[norm].inputs[0])?)?;
    let groups = *row.input.shape.to_vec().get(1)?;
    let fits = plain && graph.is_image(image) && graph.size(image) == graph.size(whole);
    let channels = graph.size(whole).channels;
    (fits && row.input.shape.to_vec().len() == 3 && channels.is_multiple_of(groups)).then(|| {
        let (gamma, beta) = (vec![1.0; channels], vec![0.0; channels]);
        let op = GroupNormOp { groups, gamma, beta, epsilon: row.epsilon.elem(), relu: false };
        (Op::GroupNorm(Box::new(op)), image)
    })
}

/// What a reshaping of floats by Burn gives another shape.
fn reshaped(graph: &Graph, position: usize) -> Option<Value> {
    let Op::Burn(op) = &graph.nodes[position].op else { return None };
    let reshape = matches!(op.operation, OperationIr::BaseFloat(BaseOperationIr::Reshape(_)));
    reshape.then(|| graph.nodes[position].inputs[0])
}

/// What a value is the mean of, over channels.
fn channel_mean(graph: &Graph, value: Value) -> Option<Value> {
    let mean = graph.producer(value)?;
    Some(inputs(graph, mean, |op| matches!(op, NumericOperationIr::MeanDim(mean) if mean.axis == 1))?[0])
}

/// The inputs of one of Burn's operations on floats, when it is the right one and none of them is a constant.
fn inputs(graph: &Graph, position: usize, mut right: impl FnMut(&NumericOperationIr) -> bool) -> Option<&[Value]> {
    let node = &graph.nodes[position];
    let Op::Burn(op) = &node.op else { return None };
    let OperationIr::NumericFloat(_, numeric) = &op.operation else { return None };
    (op.constants.is_empty() && right(numeric)).then_some(node.inputs.as_slice())
}

/// `x sigmoid(x)`
fn silu(graph: &Graph, position: usize) -> Option<(Op, Value)> {
    let [x, sigmoid] = *graph.nodes[position].inputs.as_slice() else { return None };
    let sigmoid = &graph.nodes[graph.producer(sigmoid)?];
    let found = matches!(sigmoid.op, Op::Map(Function::Sigmoid)) && sigmoid.inputs == [x];
    found.then_some((Op::Map(Function::Silu), x))
}
