//! From Burn's operations to those that have a form here.

use std::collections::{BTreeMap, HashMap};

use burn::backend::ir::{
    ActivationOperationIr, AdaptiveAvgPool2dOpIr, AvgPool2dOpIr, BaseOperationIr, BatchNormOpIr, BinaryOpIr, CatOpIr,
    ClampOpIr, Conv2dOpIr, ConvTranspose2dOpIr, InterpolateModeIr, InterpolateOpIr, MaxPool2dOpIr,
    MaxPool2dWithIndicesOpIr, ModuleOperationIr, NumericOperationIr, OperationIr, ScatterOpIr, SelectOpIr, SliceOpIr,
    TensorIr,
};
use burn::tensor::{DType, IndexingUpdateOp, TensorData, TensorId};
use swath_kernels::{Activation, Alignment, Convolution, Divisor, Function, Interpolation, Pooling};

use super::ExecutorError;
use super::capture::Captured;
use super::graph::{BurnOp, ConvolutionOp, Graph, Kind, Node, Op, Size, Value};
use super::interpret::interpret;
use super::tokens::Tokens;

/// The graph of what was recorded. Operations on constants alone are computed now.
///
/// # Errors
/// When the output is no image, or the same for every input.
pub(super) fn translate(captured: Captured, input: Size) -> Result<Graph, ExecutorError> {
    let Captured { operations, constants, input: images, output } = captured;
    let mut uses = HashMap::new();
    for tensor in operations.iter().flat_map(OperationIr::inputs) {
        *uses.entry(tensor.id).or_default() += 1;
    }
    let graph = Graph { nodes: Vec::new(), kinds: vec![Kind::Image(input)], input: Value(0), output: Value(0) };
    let values = HashMap::from([(images, Value(0))]);
    let tokens = Tokens::default();
    let mut translator =
        Translator { constants, uses, values, tokens, flat: HashMap::new(), unpooled: HashMap::new(), graph };
    for operation in operations {
        translator.translate(operation);
    }
    let Translator { values, mut graph, .. } = translator;
    match values.get(&output).filter(|value| graph.is_image(**value)) {
        Some(value) => graph.output = *value,
        None => {
            return Err(ExecutorError::Capture { problem: "its output is no image that depends on its input".into() });
        }
    }
    // Steps of what has a form here as a whole.
    graph.remove_unused();
    Ok(graph)
}

struct Translator {
    constants: BTreeMap<TensorId, TensorData>,
    /// How often each tensor will still be read.
    uses: HashMap<TensorId, usize>,
    /// The value of each tensor that depends on the graph's input.
    values: HashMap<TensorId, Value>,
    /// Images as tokens of attention.
    tokens: Tokens,
    /// The image, or the indices, that a tensor `[1, channels, pixels]` has the values of.
    flat: HashMap<TensorId, Value>,
    /// The image and the indices whose unpooling a tensor `[1, channels, pixels]` is.
    unpooled: HashMap<TensorId, [Value; 2]>,
    graph: Graph,
}

impl Translator {
    fn translate(&mut self, operation: OperationIr) {
        if operation.inputs().all(|tensor| self.constants.contains_key(&tensor.id)) {
            let inputs: Vec<_> = operation.inputs().map(|tensor| (tensor.id, self.constant(tensor))).collect();
            let outputs = interpret(&operation, inputs);
            self.constants.extend(operation.outputs().map(|tensor| tensor.id).zip(outputs));
            return;
        }
        let (op, inputs) = self.own(&operation).unwrap_or_else(|| self.foreign(&operation));
        let outputs = operation.outputs().map(|tensor| self.define(&op, tensor)).collect();
        self.graph.nodes.push(Node { op, inputs, outputs });
    }

    /// The operation in a form of this program, with its inputs. `None` where there is none.
    fn own(&mut self, operation: &OperationIr) -> Option<(Op, Vec<Value>)> {
        match operation {
            OperationIr::Module(module) => match module {
                ModuleOperationIr::Conv2d(conv) => self.convolution(conv),
                ModuleOperationIr::ConvTranspose2d(conv) => self.transposed(conv),
                ModuleOperationIr::BatchNorm(norm) => self.batch_norm(norm),
                ModuleOperationIr::MaxPool2d(pool) => self.max_pool(pool),
                ModuleOperationIr::MaxPool2dWithIndices(pool) => self.max_pool_with_indices(pool),
                ModuleOperationIr::AvgPool2d(pool) => self.average_pool(pool),
                ModuleOperationIr::AdaptiveAvgPool2d(pool) => self.adaptive_average_pool(pool),
                ModuleOperationIr::Interpolate(resize) => self.resize(resize),
                ModuleOperationIr::Attention(attention) => {
                    self.tokens.attend(attention);
                    None
                }
                _ => None,
            },
            OperationIr::Activation(ActivationOperationIr::Relu(relu)) => {
                Some((Op::Activate(Activation::Relu), vec![self.image(&relu.input)?]))
            }
            OperationIr::Activation(ActivationOperationIr::Sigmoid(sigmoid)) => {
                Some((Op::Map(Function::Sigmoid), vec![self.image(&sigmoid.input)?]))
            }
            OperationIr::Activation(ActivationOperationIr::Gelu(gelu)) => {
                Some((Op::Map(Function::Gelu), vec![self.image(&gelu.input)?]))
            }
            OperationIr::NumericFloat(_, NumericOperationIr::Mul(mul)) => self.multiply(mul),
            OperationIr::NumericFloat(_, NumericOperationIr::Clamp(clamp)) => self.clamp(clamp),
            OperationIr::NumericFloat(_, NumericOperationIr::Add(add)) => self.add(add),
            OperationIr::BaseFloat(BaseOperationIr::Cat(cat)) => self.concatenate(cat),
            OperationIr::BaseFloat(BaseOperationIr::Slice(slice)) => self.slice(slice),
            OperationIr::BaseFloat(BaseOperationIr::Select(select)) => self.select(select),
            OperationIr::BaseFloat(BaseOperationIr::Scatter(scatter)) => self.scatter(scatter),
            OperationIr::BaseFloat(BaseOperationIr::SwapDims(swap)) => {
                self.tokens.swap(swap);
                None
            }
            OperationIr::BaseFloat(BaseOperationIr::Reshape(reshape))
            | OperationIr::BaseInt(BaseOperationIr::Reshape(reshape)) => self.reshape(&reshape.input, &reshape.out),
            _ => None,
        }
    }

    fn foreign(&mut self, operation: &OperationIr) -> (Op, Vec<Value>) {
        let mut op = BurnOp { operation: operation.clone(), inputs: Vec::new(), constants: Vec::new() };
        let mut inputs = Vec::new();
        for tensor in operation.inputs() {
            match self.values.get(&tensor.id) {
                Some(value) => {
                    inputs.push(*value);
                    op.inputs.push(tensor.id);
                }
                None => op.constants.push((tensor.id, self.constant(tensor))),
            }
        }
        (Op::Burn(Box::new(op)), inputs)
    }

    fn convolution(&mut self, conv: &Conv2dOpIr) -> Option<(Op, Vec<Value>)> {
        let image = self.image(&conv.x)?;
        let [outputs, inputs, rows, cols] = conv.weight.shape.to_vec().try_into().ok()?;
        let options = &conv.options;
        let convolution = Convolution {
            inputs: inputs * options.groups,
            outputs,
            kernel: [rows, cols],
            stride: options.stride,
            dilation: options.dilation,
            padding: options.padding.map(|(before, after)| [before, after]),
            groups: options.groups,
        };
        let size = self.graph.size(image);
        (convolution.output_size([size.height, size.width]).ok()? == area(&conv.out)?).then_some(())?;
        let (weights, bias) = self.parameters(&conv.weight, conv.bias.as_ref(), outputs)?;
        let activation = Activation::Identity;
        let op = ConvolutionOp { convolution, transposed: None, weights, bias, activation, function: None };
        Some((Op::Convolution(Box::new(op)), vec![image]))
    }

    fn transposed(&mut self, conv: &ConvTranspose2dOpIr) -> Option<(Op, Vec<Value>)> {
        let image = self.image(&conv.x)?;
        let [inputs, outputs, rows, cols] = conv.weight.shape.to_vec().try_into().ok()?;
        let options = &conv.options;
        let outputs = outputs * options.groups;
        let convolution = Convolution {
            inputs,
            outputs,
            kernel: [rows, cols],
            stride: options.stride,
            dilation: options.dilation,
            padding: options.padding.map(|padding| [padding, padding]),
            groups: options.groups,
        };
        let (size, extra) = (self.graph.size(image), options.padding_out);
        let found = convolution.transposed_output_size([size.height, size.width], extra).ok()?;
        (found == area(&conv.out)?).then_some(())?;
        let (weights, bias) = self.parameters(&conv.weight, conv.bias.as_ref(), outputs)?;
        let activation = Activation::Identity;
        let op = ConvolutionOp { convolution, transposed: Some(extra), weights, bias, activation, function: None };
        Some((Op::Convolution(Box::new(op)), vec![image]))
    }

    /// Weights and bias, the latter zero where there is none.
    fn parameters(
        &mut self,
        weight: &TensorIr,
        bias: Option<&TensorIr>,
        outputs: usize,
    ) -> Option<(Vec<f32>, Vec<f64>)> {
        let known = |tensor: &TensorIr| self.constants.contains_key(&tensor.id) && tensor.dtype == DType::F32;
        if !known(weight) || !bias.is_none_or(known) {
            return None;
        }
        let bias = match bias {
            Some(bias) => self.doubles(bias),
            None => vec![0.0; outputs],
        };
        Some((self.constant(weight).try_into_vec().ok()?, bias))
    }

    fn batch_norm(&mut self, norm: &BatchNormOpIr) -> Option<(Op, Vec<Value>)> {
        let image = self.image(&norm.x)?;
        let epsilon: f64 = norm.epsilon.elem();
        let parts = [&norm.gamma, &norm.beta, &norm.mean, &norm.variance];
        parts.iter().all(|part| self.constants.contains_key(&part.id)).then_some(())?;
        let [gamma, beta, mean, variance] = parts.map(|part| self.doubles(part));
        let scale: Vec<f64> =
            gamma.iter().zip(&variance).map(|(gamma, variance)| gamma / (variance + epsilon).sqrt()).collect();
        let shift = beta.iter().zip(mean.iter().zip(&scale)).map(|(beta, (mean, scale))| beta - mean * scale);
        let shift = shift.collect();
        Some((Op::Scale { scale, shift }, vec![image]))
    }

    fn max_pool(&mut self, pool: &MaxPool2dOpIr) -> Option<(Op, Vec<Value>)> {
        let pooling = Pooling {
            kernel: pool.kernel_size,
            stride: pool.stride,
            padding: pool.padding.map(|padding| [padding, padding]),
            dilation: pool.dilation,
            ceil: pool.ceil_mode,
        };
        Some((Op::MaxPool(pooling), vec![self.pooled(&pool.x, &pooling, &pool.out)?]))
    }

    fn max_pool_with_indices(&mut self, pool: &MaxPool2dWithIndicesOpIr) -> Option<(Op, Vec<Value>)> {
        let pooling = Pooling {
            kernel: pool.kernel_size,
            stride: pool.stride,
            padding: pool.padding.map(|padding| [padding, padding]),
            dilation: pool.dilation,
            ceil: pool.ceil_mode,
        };
        Some((Op::MaxPoolWithIndices(pooling), vec![self.pooled(&pool.x, &pooling, &pool.out)?]))
    }

    /// Recognizes the end of an unpooling, and remembers flattened images for its beginning.
    fn reshape(&mut self, input: &TensorIr, out: &TensorIr) -> Option<(Op, Vec<Value>)> {
        if let Some(unpooled) = self.unpooled.get(&input.id) {
            let channels = self.graph.size(unpooled[0]).channels;
            let image = matches!(out.shape.to_vec().as_slice(), &[1, found, _, _] if found == channels);
            return image.then(|| (Op::Unpool, unpooled.to_vec()));
        }
        if let Some((heads, inputs)) = self.tokens.joined(input) {
            let Size { channels, height, width } = self.graph.size(inputs[0]);
            if out.shape.to_vec() == [1, channels, height, width] {
                return Some((Op::Attention { heads }, inputs.to_vec()));
            }
        }
        let value = *self.values.get(&input.id)?;
        if self.graph.is_image(value) {
            self.tokens.cut(value, self.graph.size(value), out);
        }
        if self.graph.is_image(value) || self.graph.is_indices(value) {
            let Size { channels, height, width } = self.graph.size(value);
            if out.shape.to_vec() == [1, channels, height * width] {
                self.flat.insert(out.id, value);
            }
        }
        None
    }

    /// Recognizes an unpooling: a flattened image that is put into zeros by flattened indices.
    fn scatter(&mut self, scatter: &ScatterOpIr) -> Option<(Op, Vec<Value>)> {
        let zeros = self.constants.get(&scatter.tensor.id)?.iter::<f32>().all(|value| value == 0.0);
        let (image, indices) = (*self.flat.get(&scatter.value.id)?, *self.flat.get(&scatter.indices.id)?);
        let fits = self.graph.is_image(image)
            && self.graph.is_indices(indices)
            && self.graph.size(image) == self.graph.size(indices);
        if zeros && fits && scatter.dim == 2 && scatter.update == IndexingUpdateOp::Assign {
            self.unpooled.insert(scatter.out.id, [image, indices]);
        }
        None
    }

    fn average_pool(&mut self, pool: &AvgPool2dOpIr) -> Option<(Op, Vec<Value>)> {
        let pooling = Pooling {
            kernel: pool.kernel_size,
            stride: pool.stride,
            padding: pool.padding.map(|padding| [padding, padding]),
            dilation: [1, 1],
            ceil: pool.ceil_mode,
        };
        let divisor = if pool.count_include_pad { Divisor::Padded } else { Divisor::Image };
        Some((Op::AveragePool(pooling, divisor), vec![self.pooled(&pool.x, &pooling, &pool.out)?]))
    }

    /// The image that is pooled, when windows lie where Burn puts them.
    fn pooled(&self, x: &TensorIr, pooling: &Pooling, out: &TensorIr) -> Option<Value> {
        let image = self.image(x)?;
        let size = self.graph.size(image);
        (pooling.output_size([size.height, size.width]).ok()? == area(out)?).then_some(image)
    }

    fn adaptive_average_pool(&mut self, pool: &AdaptiveAvgPool2dOpIr) -> Option<(Op, Vec<Value>)> {
        Some((Op::AdaptiveAveragePool, vec![self.image(&pool.x)?]))
    }

    fn resize(&mut self, resize: &InterpolateOpIr) -> Option<(Op, Vec<Value>)> {
        let interpolation = match resize.options.mode {
            InterpolateModeIr::Nearest => Interpolation::Nearest,
            InterpolateModeIr::Bilinear => Interpolation::Bilinear,
            InterpolateModeIr::Bicubic => Interpolation::Bicubic,
            InterpolateModeIr::NearestExact | InterpolateModeIr::Lanczos3 => return None,
        };
        let alignment = if resize.options.align_corners { Alignment::Centers } else { Alignment::Edges };
        Some((Op::Resize(interpolation, alignment), vec![self.image(&resize.x)?]))
    }

    fn clamp(&mut self, clamp: &ClampOpIr) -> Option<(Op, Vec<Value>)> {
        let bounds: [f64; 2] = [clamp.min.elem(), clamp.max.elem()];
        (bounds == [0.0, 6.0]).then_some(())?;
        Some((Op::Activate(Activation::Relu6), vec![self.image(&clamp.tensor)?]))
    }

    fn multiply(&mut self, mul: &BinaryOpIr) -> Option<(Op, Vec<Value>)> {
        let a = self.image(&mul.lhs)?;
        if let Some(scale) = self.channel_constants(&mul.rhs, &mul.lhs) {
            let shift = vec![0.0; scale.len()];
            return Some((Op::Scale { scale, shift }, vec![a]));
        }
        let b = self.image(&mul.rhs)?;
        let (size, other) = (self.graph.size(a), self.graph.size(b));
        let one = Size { height: 1, width: 1, ..size };
        (other == size || other == one).then_some((Op::Multiply, vec![a, b]))
    }

    /// The values of a constant `[1, channels, 1, 1]`, one for each channel of an image.
    fn channel_constants(&mut self, constant: &TensorIr, image: &TensorIr) -> Option<Vec<f64>> {
        let fits = constant.shape.to_vec() == [1, *image.shape.to_vec().get(1)?, 1, 1];
        (fits && self.constants.contains_key(&constant.id)).then(|| self.doubles(constant))
    }

    fn add(&mut self, add: &BinaryOpIr) -> Option<(Op, Vec<Value>)> {
        let a = self.image(&add.lhs)?;
        if let Some(shift) = self.channel_constants(&add.rhs, &add.lhs) {
            let scale = vec![1.0; shift.len()];
            return Some((Op::Scale { scale, shift }, vec![a]));
        }
        let inputs = vec![self.image(&add.lhs)?, self.image(&add.rhs)?];
        (add.lhs.shape == add.rhs.shape).then_some((Op::Add(Activation::Identity), inputs))
    }

    fn concatenate(&mut self, cat: &CatOpIr) -> Option<(Op, Vec<Value>)> {
        let inputs = cat.tensors.iter().map(|tensor| self.image(tensor)).collect::<Option<_>>()?;
        (cat.dim == 1).then_some((Op::Concatenate, inputs))
    }

    /// Slices of channels, rows and columns with steps of one.
    fn slice(&mut self, slice: &SliceOpIr) -> Option<(Op, Vec<Value>)> {
        let image = self.image(&slice.tensor)?;
        let size = self.graph.size(image);
        let range = |axis: usize, len: usize| -> Option<Vec<usize>> {
            let Some(range) = slice.ranges.get(axis) else { return Some((0..len).collect()) };
            let end = range.end.unwrap_or(len as isize);
            let inside = range.step == 1 && 0 <= range.start && range.start <= end && end <= len as isize;
            inside.then(|| (range.start as usize..end as usize).collect())
        };
        (range(0, 1)?.len() == 1).then_some(())?;
        let channels = range(1, size.channels)?;
        let (rows, cols) = (range(2, size.height)?, range(3, size.width)?);
        let first = *channels.first()?;
        Some((Op::Take { rows, cols, first }, vec![image]))
    }

    /// Rows or columns that a constant lists.
    fn select(&mut self, select: &SelectOpIr) -> Option<(Op, Vec<Value>)> {
        let image = self.image(&select.tensor)?;
        let size = self.graph.size(image);
        let len = *[size.height, size.width].get(select.dim.checked_sub(2)?)?;
        let indices: Vec<i64> = self.constants.get(&select.indices.id)?.try_to_vec_as().ok()?;
        let indices = indices.into_iter().map(|index| usize::try_from(index).ok().filter(|index| *index < len));
        let chosen: Vec<usize> = indices.collect::<Option<_>>()?;
        let (mut rows, mut cols): (Vec<_>, Vec<_>) = ((0..size.height).collect(), (0..size.width).collect());
        *(if select.dim == 2 { &mut rows } else { &mut cols }) = chosen;
        Some((Op::Take { rows, cols, first: 0 }, vec![image]))
    }

    /// The value of a tensor that is an image and depends on the graph's input.
    fn image(&self, tensor: &TensorIr) -> Option<Value> {
        self.values.get(&tensor.id).copied().filter(|value| self.graph.is_image(*value))
    }

    /// A constant; given away when it is read for the last time, since all weights of a network pass through here.
    fn constant(&mut self, tensor: &TensorIr) -> TensorData {
        let left = self.uses.entry(tensor.id).or_insert(1);
        *left = left.saturating_sub(1);
        let data = if *left == 0 { self.constants.remove(&tensor.id) } else { self.constants.get(&tensor.id).cloned() };
        data.expect("a tensor that is read exists")
    }

    fn doubles(&mut self, tensor: &TensorIr) -> Vec<f64> {
        self.constant(tensor).try_into_vec_as().expect("parameters are numbers")
    }

    /// The value that a node makes.
    fn define(&mut self, op: &Op, tensor: &TensorIr) -> Value {
        let value = Value(self.graph.kinds.len());
        self.graph.kinds.push(match *tensor.shape.to_vec().as_slice() {
            [1, channels, height, width] if tensor.dtype == DType::F32 => Kind::Image(Size { channels, height, width }),
            [1, channels, height, width] if matches!(op, Op::MaxPoolWithIndices(_)) => {
                Kind::Indices(Size { channels, height, width })
            }
            _ => Kind::Tensor,
        });
        self.values.insert(tensor.id, value);
        value
    }
}

/// Rows and columns of a tensor `[batch, channels, rows, columns]`.
fn area(tensor: &TensorIr) -> Option<[usize; 2]> {
    tensor.shape.to_vec().get(2..4)?.try_into().ok()
}
