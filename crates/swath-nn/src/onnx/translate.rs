//! From Burn's operations to ONNX's.

use std::collections::{BTreeMap, HashMap};

use burn::backend::ir::{
    ActivationOperationIr, BaseOperationIr, BinaryOpIr, ClampOpIr, FloatOperationIr, IntOperationIr,
    NumericOperationIr, OperationIr, PadModeIr, PadOpIr, ReduceDimOpIr, ScalarIr, ScatterOpIr, ShapeOpIr, SliceOpIr,
    TensorIr,
};
use burn::tensor::{DType, IndexingUpdateOp, TensorData, TensorId};

use super::OnnxError;
use super::graph::Graph;
use super::proto::{self, Attribute, Element};
use super::record::{Recording, Step};
use super::size::{Size, Unknown};
use crate::cpu::{interpret, name};

/// Writes every step of a recording into a graph; `images` is what the network reads. Returns the graph and the name of its output.
///
/// # Errors
/// [`OnnxError::Operation`] for an operation that has no translation.
pub(super) fn translate(
    recording: Recording,
    images: impl FnOnce(&mut Graph) -> String,
) -> Result<(Graph, String), OnnxError> {
    let Recording { steps, constants, uniform, dims, input, output, unknowns, .. } = recording;
    let mut graph = Graph::new(unknowns.clone());
    let images = images(&mut graph);
    let values = HashMap::from([(input, images)]);
    let mut translator = Translator { graph, constants, uniform, dims, values, unknowns };
    for step in &steps {
        translator.step(step)?;
    }
    let Translator { graph, values, .. } = translator;
    match values.get(&output) {
        Some(output) => Ok((graph, output.clone())),
        None => Err(OnnxError::Constant),
    }
}

pub(super) struct Translator {
    pub(super) graph: Graph,
    /// Tensors that are known, and not yet in the graph.
    constants: BTreeMap<TensorId, TensorData>,
    /// Tensors of one value each.
    uniform: HashMap<TensorId, f64>,
    dims: HashMap<TensorId, Vec<Size>>,
    /// The names of tensors in the graph.
    values: HashMap<TensorId, String>,
    unknowns: Vec<Unknown>,
}

impl Translator {
    fn step(&mut self, step: &Step) -> Result<(), OnnxError> {
        let operation = step.first();
        let known = operation.inputs().all(|tensor| self.constants.contains_key(&tensor.id))
            && operation.outputs().all(|tensor| self.known_dims(tensor).is_some());
        if known {
            let inputs: Vec<_> =
                operation.inputs().map(|tensor| (tensor.id, self.constants[&tensor.id].clone())).collect();
            let outputs = interpret(operation, inputs);
            self.constants.extend(operation.outputs().map(|tensor| tensor.id).zip(outputs));
            return Ok(());
        }
        let outputs = match operation {
            OperationIr::Module(module) => self.module(module),
            OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) => {
                self.base(base, step).map(|output| vec![output])
            }
            OperationIr::NumericFloat(_, numeric) | OperationIr::NumericInt(_, numeric) => {
                self.numeric(numeric).map(|output| vec![output])
            }
            OperationIr::Float(_, float) => self.float(float).map(|output| vec![output]),
            OperationIr::Int(IntOperationIr::IntoFloat(cast)) => Some(vec![self.cast(&cast.input, &cast.out)]),
            OperationIr::Activation(activation) => self.activation(activation).map(|output| vec![output]),
            _ => None,
        };
        let outputs = outputs.ok_or_else(|| OnnxError::Operation { operation: name(operation) })?;
        self.values.extend(operation.outputs().map(|tensor| tensor.id).zip(outputs));
        Ok(())
    }

    fn base(&mut self, operation: &BaseOperationIr, step: &Step) -> Option<String> {
        Some(match operation {
            BaseOperationIr::Reshape(reshape) => self.reshape(reshape),
            BaseOperationIr::SwapDims(swap) => {
                let mut axes: Vec<usize> = (0..swap.input.shape.to_vec().len()).collect();
                axes.swap(swap.dim1, swap.dim2);
                self.transpose(&swap.input, &axes)
            }
            BaseOperationIr::Permute(permute) => self.transpose(&permute.input, &permute.axes),
            BaseOperationIr::Expand(expand) => {
                let (x, dims) = (self.value(&expand.input), self.dims(&expand.out));
                let shape = self.graph.sizes(&dims);
                self.graph.node("Expand", &[&x, &shape], &[])
            }
            BaseOperationIr::Slice(slice) => self.slice(slice, step)?,
            BaseOperationIr::Select(select) => {
                let (x, indices) = (self.value(&select.tensor), self.value(&select.indices));
                self.graph.node("Gather", &[&x, &indices], &[("axis", Attribute::Int(select.dim as i64))])
            }
            BaseOperationIr::Gather(gather) => {
                let (x, indices) = (self.value(&gather.tensor), self.value(&gather.indices));
                self.graph.node("GatherElements", &[&x, &indices], &[("axis", Attribute::Int(gather.dim as i64))])
            }
            BaseOperationIr::Scatter(scatter) => self.scatter(scatter)?,
            BaseOperationIr::Cat(cat) => {
                let parts: Vec<String> = cat.tensors.iter().map(|tensor| self.value(tensor)).collect();
                let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
                self.graph.node("Concat", &parts, &[("axis", Attribute::Int(cat.dim as i64))])
            }
            BaseOperationIr::Cast(cast) => self.cast(&cast.input, &cast.out),
            BaseOperationIr::Zeros(zeros) => self.filled(&zeros.out, 0.0),
            BaseOperationIr::Ones(ones) => self.filled(&ones.out, 1.0),
            _ => return None,
        })
    }

    fn numeric(&mut self, operation: &NumericOperationIr) -> Option<String> {
        Some(match operation {
            NumericOperationIr::Add(add) => self.binary("Add", add),
            NumericOperationIr::Sub(sub) => self.binary("Sub", sub),
            NumericOperationIr::Mul(mul) => self.binary("Mul", mul),
            NumericOperationIr::Div(div) => self.binary("Div", div),
            NumericOperationIr::AddScalar(add) => self.with_scalar("Add", &add.lhs, add.rhs),
            NumericOperationIr::SubScalar(sub) => self.with_scalar("Sub", &sub.lhs, sub.rhs),
            NumericOperationIr::MulScalar(mul) => self.with_scalar("Mul", &mul.lhs, mul.rhs),
            NumericOperationIr::DivScalar(div) => self.with_scalar("Div", &div.lhs, div.rhs),
            NumericOperationIr::PowiScalar(power) => self.with_scalar("Pow", &power.lhs, power.rhs),
            NumericOperationIr::Neg(neg) => self.unary("Neg", &neg.input),
            NumericOperationIr::Abs(abs) => self.unary("Abs", &abs.input),
            NumericOperationIr::Clamp(clamp) => self.clamp(clamp),
            NumericOperationIr::ClampMin(clamp) => self.with_scalar("Max", &clamp.lhs, clamp.rhs),
            NumericOperationIr::ClampMax(clamp) => self.with_scalar("Min", &clamp.lhs, clamp.rhs),
            NumericOperationIr::MeanDim(mean) => self.reduce("ReduceMean", mean),
            NumericOperationIr::MaxDim(max) => self.reduce("ReduceMax", max),
            NumericOperationIr::MinDim(min) => self.reduce("ReduceMin", min),
            NumericOperationIr::SumDim(sum) => {
                let x = self.value(&sum.input);
                let axes = self.graph.ints(&[sum.axis as i64]);
                self.graph.node("ReduceSum", &[&x, &axes], &[])
            }
            NumericOperationIr::Full(full) => self.filled(&full.out, full.value.elem()),
            NumericOperationIr::Pad(pad) => self.pad(pad)?,
            _ => return None,
        })
    }

    fn float(&mut self, operation: &FloatOperationIr) -> Option<String> {
        Some(match operation {
            FloatOperationIr::Exp(x) => self.unary("Exp", &x.input),
            FloatOperationIr::Log(x) => self.unary("Log", &x.input),
            FloatOperationIr::Erf(x) => self.unary("Erf", &x.input),
            FloatOperationIr::Sqrt(x) => self.unary("Sqrt", &x.input),
            FloatOperationIr::Tanh(x) => self.unary("Tanh", &x.input),
            FloatOperationIr::Recip(x) => self.unary("Reciprocal", &x.input),
            FloatOperationIr::PowfScalar(power) => self.with_scalar("Pow", &power.lhs, power.rhs),
            FloatOperationIr::IntoInt(cast) => self.cast(&cast.input, &cast.out),
            FloatOperationIr::Matmul(product) => {
                let (a, b) = (self.value(&product.lhs), self.value(&product.rhs));
                self.graph.node("MatMul", &[&a, &b], &[])
            }
            _ => return None,
        })
    }

    fn activation(&mut self, operation: &ActivationOperationIr) -> Option<String> {
        Some(match operation {
            ActivationOperationIr::Relu(relu) => self.unary("Relu", &relu.input),
            ActivationOperationIr::Sigmoid(sigmoid) => self.unary("Sigmoid", &sigmoid.input),
            ActivationOperationIr::LeakyRelu(relu) => {
                let x = self.value(&relu.lhs);
                let slope: f32 = relu.rhs.elem();
                self.graph.node("LeakyRelu", &[&x], &[("alpha", Attribute::Float(slope))])
            }
            ActivationOperationIr::Gelu(gelu) => {
                // x (1 + erf(x / sqrt(2))) / 2; ONNX has an operator for it from version 20 on.
                let x = self.value(&gelu.input);
                let [scale, one, half] =
                    [std::f64::consts::FRAC_1_SQRT_2, 1.0, 0.5].map(|value| self.graph.float(value));
                let scaled = self.graph.node("Mul", &[&x, &scale], &[]);
                let erf = self.graph.node("Erf", &[&scaled], &[]);
                let sum = self.graph.node("Add", &[&erf, &one], &[]);
                let product = self.graph.node("Mul", &[&x, &sum], &[]);
                self.graph.node("Mul", &[&product, &half], &[])
            }
            ActivationOperationIr::Softmax(softmax) => self.along("Softmax", &softmax.input, softmax.axis),
            ActivationOperationIr::LogSoftmax(softmax) => self.along("LogSoftmax", &softmax.input, softmax.axis),
            _ => return None,
        })
    }

    fn reshape(&mut self, reshape: &ShapeOpIr) -> String {
        let x = self.value(&reshape.input);
        let (from, to) = (self.dims(&reshape.input), self.dims(&reshape.out));
        // 0 keeps an axis, -1 takes what is left.
        let mut open = Vec::new();
        let mut shape: Vec<i64> = Vec::new();
        for (axis, size) in to.iter().enumerate() {
            shape.push(match size.constant() {
                Some(size) => size,
                None if from.get(axis) == Some(size) => 0,
                None => {
                    open.push(axis);
                    -1
                }
            });
        }
        let shape = if open.len() > 1 { self.graph.sizes(&to) } else { self.graph.ints(&shape) };
        self.graph.node("Reshape", &[&x, &shape], &[])
    }

    fn transpose(&mut self, input: &TensorIr, axes: &[usize]) -> String {
        let x = self.value(input);
        let axes = axes.iter().map(|axis| *axis as i64).collect();
        self.graph.node("Transpose", &[&x], &[("perm", Attribute::Ints(axes))])
    }

    fn slice(&mut self, slice: &SliceOpIr, step: &Step) -> Option<String> {
        let ranges: Option<Vec<_>> = step
            .0
            .iter()
            .map(|operation| match operation {
                OperationIr::BaseFloat(BaseOperationIr::Slice(slice))
                | OperationIr::BaseInt(BaseOperationIr::Slice(slice))
                | OperationIr::BaseBool(BaseOperationIr::Slice(slice)) => Some(&slice.ranges),
                _ => None,
            })
            .collect();
        let ranges = ranges?;
        let dims = self.dims(&slice.tensor);
        let (mut starts, mut ends, mut axes, mut steps) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (axis, range) in slice.ranges.iter().enumerate() {
            let fit = |number: &dyn Fn(usize) -> Option<isize>| {
                let numbers: Option<Vec<i64>> = (0..ranges.len()).map(|pass| Some(number(pass)? as i64)).collect();
                Size::fit(&numbers?, &self.unknowns)
            };
            let start = fit(&|pass| Some(ranges[pass][axis].start))?;
            let end = match range.end {
                Some(_) => fit(&|pass| ranges[pass][axis].end)?,
                None => dims[axis].clone(),
            };
            let pace = fit(&|pass| Some(ranges[pass][axis].step))?;
            // Backwards, ends mean something else in ONNX.
            (pace.constant()? > 0).then_some(())?;
            if start.constant() != Some(0) || end != dims[axis] || pace.constant() != Some(1) {
                starts.push(start);
                ends.push(end);
                axes.push(axis as i64);
                steps.extend(pace.constant());
            }
        }
        let x = self.value(&slice.tensor);
        let [starts, ends] = [starts, ends].map(|sizes| self.graph.sizes(&sizes));
        let [axes, steps] = [axes, steps].map(|numbers| self.graph.ints(&numbers));
        Some(self.graph.node("Slice", &[&x, &starts, &ends, &axes, &steps], &[]))
    }

    fn scatter(&mut self, scatter: &ScatterOpIr) -> Option<String> {
        (scatter.update == IndexingUpdateOp::Assign).then_some(())?;
        let [x, indices, values] = [&scatter.tensor, &scatter.indices, &scatter.value].map(|tensor| self.value(tensor));
        Some(self.graph.node(
            "ScatterElements",
            &[&x, &indices, &values],
            &[("axis", Attribute::Int(scatter.dim as i64))],
        ))
    }

    fn clamp(&mut self, clamp: &ClampOpIr) -> String {
        let x = self.value(&clamp.tensor);
        let [min, max] = [clamp.min, clamp.max].map(|bound| self.scalar(bound, clamp.tensor.dtype));
        self.graph.node("Clip", &[&x, &min, &max], &[])
    }

    fn pad(&mut self, pad: &PadOpIr) -> Option<String> {
        let x = self.value(&pad.input);
        let pads: Vec<i64> = pad
            .padding
            .iter()
            .map(|(before, _)| *before)
            .chain(pad.padding.iter().map(|(_, after)| *after))
            .map(|size| size as i64)
            .collect();
        let pads = self.graph.ints(&pads);
        let mode = |mode| ("mode", Attribute::Text(mode));
        Some(match pad.mode {
            PadModeIr::Constant(value) => {
                let value = self.scalar(value, pad.input.dtype);
                self.graph.node("Pad", &[&x, &pads, &value], &[mode("constant")])
            }
            PadModeIr::Reflect => self.graph.node("Pad", &[&x, &pads], &[mode("reflect")]),
            PadModeIr::Edge => self.graph.node("Pad", &[&x, &pads], &[mode("edge")]),
        })
    }

    fn cast(&mut self, input: &TensorIr, out: &TensorIr) -> String {
        let x = self.value(input);
        self.graph.node("Cast", &[&x], &[("to", Attribute::Int(Element::of(out.dtype).code() as i64))])
    }

    fn unary(&mut self, op: &str, input: &TensorIr) -> String {
        let x = self.value(input);
        self.graph.node(op, &[&x], &[])
    }

    fn binary(&mut self, op: &str, operation: &BinaryOpIr) -> String {
        let (a, b) = (self.value(&operation.lhs), self.value(&operation.rhs));
        self.graph.node(op, &[&a, &b], &[])
    }

    fn with_scalar(&mut self, op: &str, input: &TensorIr, scalar: ScalarIr) -> String {
        let x = self.value(input);
        let scalar = self.scalar(scalar, input.dtype);
        self.graph.node(op, &[&x, &scalar], &[])
    }

    fn reduce(&mut self, op: &str, operation: &ReduceDimOpIr) -> String {
        let x = self.value(&operation.input);
        self.graph.node(op, &[&x], &[("axes", Attribute::Ints(vec![operation.axis as i64]))])
    }

    fn along(&mut self, op: &str, input: &TensorIr, axis: usize) -> String {
        let x = self.value(input);
        self.graph.node(op, &[&x], &[("axis", Attribute::Int(axis as i64))])
    }

    /// A number of the kind of a tensor.
    fn scalar(&mut self, scalar: ScalarIr, dtype: DType) -> String {
        match Element::of(dtype) {
            Element::Float => self.graph.float(scalar.elem()),
            _ => self.graph.constant(&TensorData::new(vec![scalar.elem::<i64>()], [0; 0])),
        }
    }

    /// A tensor of one value.
    fn filled(&mut self, tensor: &TensorIr, value: f64) -> String {
        let dims = self.dims(tensor);
        let shape = self.graph.sizes(&dims);
        let value = match Element::of(tensor.dtype) {
            Element::Float => TensorData::new(vec![value as f32], [1]),
            Element::Int => TensorData::new(vec![value as i64], [1]),
            Element::Bool => TensorData::new(vec![value != 0.0], [1]),
        };
        let value = proto::tensor("", &value);
        self.graph.node("ConstantOfShape", &[&shape], &[("value", Attribute::Tensor(value))])
    }

    /// The name of a tensor, which gets into the graph when it is read for the first time.
    pub(super) fn value(&mut self, tensor: &TensorIr) -> String {
        if let Some(name) = self.values.get(&tensor.id) {
            return name.clone();
        }
        let name = match (self.constants.get(&tensor.id), self.uniform.get(&tensor.id)) {
            (Some(data), _) => self.graph.constant(data),
            (None, Some(value)) => self.filled(tensor, *value),
            (None, None) => unreachable!("tensors are constant or computed before they are read"),
        };
        self.values.insert(tensor.id, name.clone());
        name
    }

    pub(super) fn dims(&self, tensor: &TensorIr) -> Vec<Size> {
        self.dims[&tensor.id].clone()
    }

    /// The shape of a tensor, where it does not depend on the images.
    pub(super) fn known_dims(&self, tensor: &TensorIr) -> Option<Vec<i64>> {
        self.dims[&tensor.id].iter().map(Size::constant).collect()
    }
}
