//! Operations on images, and the values between them.

use burn::backend::ir::OperationIr;
use burn::tensor::{TensorData, TensorId};
use swath_kernels::{Activation, Alignment, Convolution, Divisor, Function, Interpolation, Pooling};

/// A value: an image, or something else that only Burn's own operations know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Value(pub(super) usize);

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One image of floats.
    Image(Size),
    /// For each value of a pooled image of this size, the pixel that it came from.
    Indices(Size),
    /// A tensor of another form.
    Tensor,
}

/// Channels, rows and columns of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

/// A computation. Each value is the output of one node, or the graph's input.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) inputs: Vec<Value>,
    pub(super) outputs: Vec<Value>,
}

/// What a node computes from its inputs.
#[derive(Debug)]
pub(super) enum Op {
    /// `function(activation(conv(inputs[0]) + bias + inputs[1]))`, the last term where there is a second input. A second output is the greatest value
    /// of each 2x2 window of the first.
    Convolution(Box<ConvolutionOp>),
    /// The second convolution, which is 1x1, of what the first one computes.
    ConvolutionWithHead(Box<[ConvolutionOp; 2]>),
    /// `scale x + shift` in each channel: batch normalization with given statistics.
    Scale { scale: Vec<f64>, shift: Vec<f64> },
    /// An elementwise function.
    Activate(Activation),
    /// An elementwise function that convolutions do not compute on the way.
    Map(Function),
    /// The product of two images, or of an image and one pixel.
    Multiply,
    /// Attention of the first image's pixels to keys and values.
    Attention { heads: usize },
    /// Each pixel normalized over its channels, then scaled and shifted.
    LayerNorm(Box<LayerNormOp>),
    /// Groups of channels normalized by their own statistics, then scaled and shifted, with ReLU where asked for.
    GroupNorm(Box<GroupNormOp>),
    /// The sum of two images, and a function of it.
    Add(Activation),
    /// The greatest value of each window.
    MaxPool(Pooling),
    /// The greatest value of each window, and the index of its pixel as a second output.
    MaxPoolWithIndices(Pooling),
    /// The first input's values at the pixels that the second names, and zeros elsewhere.
    Unpool,
    /// The mean of each window.
    AveragePool(Pooling, Divisor),
    /// Means over windows that divide the image into the output's rows and columns.
    AdaptiveAveragePool,
    /// The image in another size, and added to it the second input, where there is one.
    Resize(Interpolation, Alignment),
    /// The channels of all inputs, one after the other.
    Concatenate,
    /// Pixel `[row, col]` of the output is pixel `[rows[row], cols[col]]` of the image, its channels those from `first` on:
    /// crops, mirrored edges and parts.
    Take { rows: Vec<usize>, cols: Vec<usize>, first: usize },
    /// An operation without a form here.
    Burn(Box<BurnOp>),
}

/// An operation for Burn's own backend.
#[derive(Debug)]
pub(super) struct BurnOp {
    pub(super) operation: OperationIr,
    /// The names that the operation has for the node's inputs, in their order.
    pub(super) inputs: Vec<TensorId>,
    /// Its other inputs.
    pub(super) constants: Vec<(TensorId, TensorData)>,
}

/// A convolution with its weights.
#[derive(Debug)]
pub(super) struct ConvolutionOp {
    pub(super) convolution: Convolution,
    /// For a transposed convolution, rows and columns that its output has beyond the smallest possible ones.
    pub(super) transposed: Option<[usize; 2]>,
    /// `[outputs, inputs / groups, rows, columns]`; `[inputs, outputs / groups, rows, columns]` when transposed.
    pub(super) weights: Vec<f32>,
    /// One value for each output channel.
    pub(super) bias: Vec<f64>,
    pub(super) activation: Activation,
    /// What is computed last.
    pub(super) function: Option<Function>,
}

impl ConvolutionOp {
    /// Whether nothing follows it yet.
    pub(super) fn is_linear(&self) -> bool {
        self.activation == Activation::Identity && self.function.is_none()
    }
}

/// A layer normalization with its parameters.
#[derive(Debug)]
pub(super) struct LayerNormOp {
    /// One value for each channel.
    pub(super) gamma: Vec<f64>,
    pub(super) beta: Vec<f64>,
    pub(super) epsilon: f64,
}

/// A group normalization with its parameters.
#[derive(Debug)]
pub(super) struct GroupNormOp {
    pub(super) groups: usize,
    /// One value for each channel.
    pub(super) gamma: Vec<f64>,
    pub(super) beta: Vec<f64>,
    pub(super) epsilon: f64,
    pub(super) relu: bool,
}

/// A computation from one image to one value.
#[derive(Debug)]
pub(super) struct Graph {
    /// In an order in which they can run.
    pub(super) nodes: Vec<Node>,
    /// What each value is, by its number.
    pub(super) kinds: Vec<Kind>,
    pub(super) input: Value,
    pub(super) output: Value,
}

impl Graph {
    /// The size of an image, or of indices.
    ///
    /// # Panics
    /// When the value is a tensor of another form.
    pub(super) fn size(&self, value: Value) -> Size {
        match self.kinds[value.0] {
            Kind::Image(size) | Kind::Indices(size) => size,
            Kind::Tensor => panic!("value {} is no image", value.0),
        }
    }

    pub(super) fn is_image(&self, value: Value) -> bool {
        matches!(self.kinds[value.0], Kind::Image(_))
    }

    pub(super) fn is_indices(&self, value: Value) -> bool {
        matches!(self.kinds[value.0], Kind::Indices(_))
    }

    /// Leaves out nodes whose outputs nothing reads.
    pub(super) fn remove_unused(&mut self) {
        for position in (0..self.nodes.len()).rev() {
            if self.nodes[position].outputs.iter().all(|output| self.uses(*output) == 0) {
                self.nodes.remove(position);
            }
        }
    }

    /// How often a value is read, the caller of the graph included.
    pub(super) fn uses(&self, value: Value) -> usize {
        let inputs = self.nodes.iter().flat_map(|node| &node.inputs);
        inputs.filter(|input| **input == value).count() + usize::from(self.output == value)
    }

    /// The position of the node that makes a value; `None` for the graph's input.
    pub(super) fn producer(&self, value: Value) -> Option<usize> {
        self.nodes.iter().position(|node| node.outputs.contains(&value))
    }

    /// The position of the convolution that makes a value, when nobody else reads it and nothing follows it yet: the next
    /// operation can become part of it.
    pub(super) fn open_convolution(&self, value: Value) -> Option<usize> {
        let producer = self.producer(value).filter(|_| self.uses(value) == 1)?;
        let open = matches!(&self.nodes[producer].op, Op::Convolution(op) if op.is_linear());
        open.then_some(producer)
    }
}
