//! Batch normalization as part of a convolution's weights.
//!
//! `gamma (conv(x) + b - mean) / sqrt(variance + epsilon) + beta` is again a convolution with bias. The new weights are
//! computed in f64 and rounded once.

use swath_kernels::{Activation, Convolution};

use super::graph::{ConvolutionOp, Graph, Op};

/// Folds every scaling into the convolution or the normalization of another kind before it. Where there is none, or others read
/// its result too, the scaling itself becomes a convolution, with one weight for each channel.
pub(super) fn fold_scales(graph: &mut Graph) {
    let mut position = 0;
    while position < graph.nodes.len() {
        let Op::Scale { scale, shift } = &mut graph.nodes[position].op else {
            position += 1;
            continue;
        };
        let (scale, shift) = (std::mem::take(scale), std::mem::take(shift));
        if let Some(norm) = norm_before(graph, position) {
            let outputs = graph.nodes.remove(position).outputs;
            let node = &mut graph.nodes[norm];
            match &mut node.op {
                Op::LayerNorm(op) => compose(&mut op.gamma, &mut op.beta, &scale, &shift),
                Op::GroupNorm(op) => compose(&mut op.gamma, &mut op.beta, &scale, &shift),
                _ => {}
            }
            node.outputs = outputs;
            continue;
        }
        let open = graph.open_convolution(graph.nodes[position].inputs[0]);
        // One with an addend would have to scale that too.
        match open.filter(|&convolution| graph.nodes[convolution].inputs.len() == 1) {
            Some(convolution) => {
                let outputs = graph.nodes.remove(position).outputs;
                let node = &mut graph.nodes[convolution];
                if let Op::Convolution(op) = &mut node.op {
                    fold(op, &scale, &shift);
                }
                node.outputs = outputs;
            }
            None => {
                graph.nodes[position].op = Op::Convolution(Box::new(channelwise(&scale, shift)));
                position += 1;
            }
        }
    }
}

/// The layer or group normalization that a scaling follows, when nothing else reads its result.
fn norm_before(graph: &Graph, scaling: usize) -> Option<usize> {
    let input = graph.nodes[scaling].inputs[0];
    let norm = graph.producer(input).filter(|_| graph.uses(input) == 1)?;
    matches!(graph.nodes[norm].op, Op::LayerNorm(_) | Op::GroupNorm(_)).then_some(norm)
}

/// `scale (gamma x + beta) + shift` by a new `gamma` and `beta`.
fn compose(gamma: &mut [f64], beta: &mut [f64], scale: &[f64], shift: &[f64]) {
    gamma.iter_mut().zip(scale).for_each(|(gamma, scale)| *gamma *= scale);
    beta.iter_mut().zip(scale.iter().zip(shift)).for_each(|(beta, (scale, shift))| *beta = *beta * scale + shift);
}

fn fold(op: &mut ConvolutionOp, scale: &[f64], shift: &[f64]) {
    let Convolution { inputs, outputs, groups, kernel, .. } = op.convolution;
    let (taps, own_in, own_out) = (kernel[0] * kernel[1], inputs / groups, outputs / groups);
    for (index, weights) in op.weights.chunks_exact_mut(taps).enumerate() {
        let output = match op.transposed {
            None => index / own_in,
            Some(_) => index / own_out / own_in * own_out + index % own_out,
        };
        weights.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * scale[output]) as f32);
    }
    for (bias, (scale, shift)) in op.bias.iter_mut().zip(scale.iter().zip(shift)) {
        *bias = *bias * scale + shift;
    }
}

fn channelwise(scale: &[f64], shift: Vec<f64>) -> ConvolutionOp {
    let channels = scale.len();
    ConvolutionOp {
        convolution: Convolution::new(channels, channels).groups(channels),
        transposed: None,
        weights: scale.iter().map(|scale| *scale as f32).collect(),
        bias: shift,
        activation: Activation::Identity,
        function: None,
    }
}
