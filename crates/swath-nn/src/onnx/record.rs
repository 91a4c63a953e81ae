//! One forward pass, seen at several sizes of the images.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use burn::backend::ir::{OperationIr, TensorIr};
use burn::tensor::{Device, Tensor, TensorData, TensorId};
use serde_json::Value;

use super::OnnxError;
use super::size::{RECORDED_FROM, Size, Unknown, shapes, square};
use crate::cpu::{Captured, capture, name};

/// What a network does with images of any size that the unknowns allow.
pub(super) struct Recording {
    pub(super) steps: Vec<Step>,
    /// Tensors that are the same at every size.
    pub(super) constants: BTreeMap<TensorId, TensorData>,
    /// Tensors that have one value throughout, but as many of it as the size of the images says.
    pub(super) uniform: HashMap<TensorId, f64>,
    /// The shape of every tensor.
    pub(super) dims: HashMap<TensorId, Vec<Size>>,
    pub(super) input: TensorId,
    pub(super) output: TensorId,
    pub(super) unknowns: Vec<Unknown>,
    /// Strides a side from which on images are known to be treated in this way.
    pub(super) least: usize,
}

/// One operation at every size. Tensors go by their ids in the first.
pub(super) struct Step(pub(super) Vec<OperationIr>);

impl Step {
    pub(super) fn first(&self) -> &OperationIr {
        &self.0[0]
    }
}

impl Recording {
    /// Records `forward` at sizes that tell the unknowns apart; the other sizes of the images are those of `fixed`.
    ///
    /// # Errors
    /// [`OnnxError::Sizes`] when what it does at one size is more than the same with other numbers.
    pub(super) fn new(
        unknowns: Vec<Unknown>,
        fixed: [usize; 4],
        forward: impl Fn(&Device, Tensor<4>) -> Tensor<4>,
    ) -> Result<Self, OnnxError> {
        let mut passes = Vec::new();
        let mut constants = BTreeMap::new();
        for shape in shapes(&unknowns, fixed) {
            let captured = capture(shape, &forward)?;
            passes.push(Pass::new(&captured));
            if passes.len() == 1 {
                constants = captured.constants;
            }
        }
        let first = &passes[0];
        for pass in &passes[1..] {
            first.check_same_steps(pass)?;
        }
        let mut uniform = HashMap::new();
        for (place, id) in first.ids.iter().enumerate() {
            let Some(mark) = first.marks.get(id) else { continue };
            let marks: Vec<&Mark> = passes.iter().filter_map(|pass| pass.marks.get(&pass.ids[place])).collect();
            if marks.iter().all(|other| other.digest == mark.digest) {
                continue;
            }
            constants.remove(id);
            match mark.uniform.filter(|_| marks.iter().all(|other| other.uniform == mark.uniform)) {
                Some(value) => uniform.insert(*id, value),
                None => {
                    let reads = |operation: &&OperationIr| operation.inputs().any(|input| input.id == *id);
                    let reader = first.operations.iter().find(reads);
                    return Err(reader.map_or(OnnxError::Sizes { operation: "a constant".into() }, differ));
                }
            };
        }
        let mut dims = HashMap::new();
        for (index, operation) in first.operations.iter().enumerate() {
            for (place, tensor) in tensors(operation).enumerate() {
                let shapes: Vec<Vec<usize>> = passes.iter().map(|pass| pass.shape(index, place)).collect();
                let size = |axis: usize| {
                    let values: Vec<i64> = shapes.iter().map(|shape| shape[axis] as i64).collect();
                    Size::fit(&values, &unknowns)
                };
                let sizes: Option<Vec<Size>> = (0..shapes[0].len()).map(size).collect();
                dims.insert(tensor.id, sizes.ok_or_else(|| differ(operation))?);
            }
        }
        let mut least = RECORDED_FROM;
        for strides in (1..RECORDED_FROM).rev().take_while(|_| unknowns.iter().any(|unknown| unknown.axis > 0)) {
            let (values, shape) = square(&unknowns, fixed, strides);
            let pass = Pass::new(&capture(shape, &forward)?);
            if first.check_same_steps(&pass).is_err() || !first.is_same_at(&values, &pass, &uniform, &dims) {
                break;
            }
            least = strides;
        }
        let (input, output) = (first.ids[0], first.output);
        let count = first.operations.len();
        let mut operations: Vec<_> = passes.into_iter().map(|pass| pass.operations.into_iter()).collect();
        let step = |_| Step(operations.iter_mut().filter_map(Iterator::next).collect());
        let steps = (0..count).map(step).collect();
        Ok(Self { steps, constants, uniform, dims, input, output, unknowns, least })
    }

    /// Channels of the output.
    pub(super) fn classes(&self) -> usize {
        self.dims.get(&self.output).and_then(|dims| dims.get(1)?.constant()).unwrap_or_default() as usize
    }
}

/// A forward pass at one size.
struct Pass {
    operations: Vec<OperationIr>,
    /// Every tensor, in the order in which operations name them first.
    ids: Vec<TensorId>,
    /// The tensors that operations name, one after the other, by their places among `ids`.
    flow: Vec<usize>,
    marks: HashMap<TensorId, Mark>,
    output: TensorId,
}

/// What is compared of a constant.
struct Mark {
    digest: u64,
    /// The value of all its elements, where there is only one.
    uniform: Option<f64>,
}

impl Pass {
    fn new(captured: &Captured) -> Self {
        let mut places = HashMap::from([(captured.input, 0)]);
        let (mut ids, mut flow) = (vec![captured.input], Vec::new());
        for tensor in captured.operations.iter().flat_map(tensors) {
            let place = *places.entry(tensor.id).or_insert_with(|| {
                ids.push(tensor.id);
                ids.len() - 1
            });
            flow.push(place);
        }
        flow.extend(places.get(&captured.output));
        let marks = captured.constants.iter().map(|(id, data)| (*id, Mark::new(data))).collect();
        Self { operations: captured.operations.clone(), ids, flow, marks, output: captured.output }
    }

    /// Whether another pass runs the same operations on the same tensors.
    fn check_same_steps(&self, other: &Self) -> Result<(), OnnxError> {
        let same = |a: &OperationIr, b: &OperationIr| name(a) == name(b) && attributes(a) == attributes(b);
        if let Some((a, _)) = self.operations.iter().zip(&other.operations).find(|(a, b)| !same(a, b)) {
            return Err(differ(a));
        }
        match self.operations.len() == other.operations.len() && self.flow == other.flow {
            true => Ok(()),
            false => Err(OnnxError::Sizes { operation: "a branch".into() }),
        }
    }

    /// Whether another pass with the same steps has the constants and shapes that follow from its values of the unknowns.
    fn is_same_at(
        &self,
        values: &[i64],
        other: &Self,
        uniform: &HashMap<TensorId, f64>,
        dims: &HashMap<TensorId, Vec<Size>>,
    ) -> bool {
        let constants = self.ids.iter().zip(&other.ids).all(|(id, of_other)| {
            match (self.marks.get(id), other.marks.get(of_other)) {
                (Some(mark), Some(other)) => {
                    mark.digest == other.digest || uniform.get(id).is_some_and(|value| other.uniform == Some(*value))
                }
                (mark, other) => mark.is_none() && other.is_none(),
            }
        });
        let pairs = || self.operations.iter().zip(&other.operations);
        let mut shapes = pairs().flat_map(|(a, b)| tensors(a).zip(tensors(b)));
        constants
            && shapes.all(|(a, b)| {
                let expected = dims[&a.id].iter().map(|size| size.at(values));
                expected.eq(b.shape.to_vec().iter().map(|size| *size as i64))
            })
    }

    /// The shape of a tensor by its place among those of an operation.
    fn shape(&self, operation: usize, place: usize) -> Vec<usize> {
        tensors(&self.operations[operation]).nth(place).map(|tensor| tensor.shape.to_vec()).unwrap_or_default()
    }
}

impl Mark {
    fn new(data: &TensorData) -> Self {
        let mut hasher = DefaultHasher::new();
        (data.shape().to_vec(), data.as_bytes()).hash(&mut hasher);
        let mut values = data.iter::<f64>();
        let uniform = values.next().filter(|first| values.all(|value| value == *first));
        Self { digest: hasher.finish(), uniform }
    }
}

fn differ(operation: &OperationIr) -> OnnxError {
    OnnxError::Sizes { operation: name(operation) }
}

fn tensors(operation: &OperationIr) -> impl Iterator<Item = &TensorIr> {
    operation.inputs().chain(operation.outputs())
}

/// What an operation says beside the tensors that it reads and writes. Left out are numbers that shapes tell as well, and the ranges of
/// slices, which are compared where they are written.
fn attributes(operation: &OperationIr) -> Value {
    const FREE: [&str; 4] = ["accumulator_len", "output_size", "ranges", "times"];
    fn strip(value: Value) -> Value {
        match value {
            Value::Object(map) if map.contains_key("id") && map.contains_key("status") => Value::Null,
            Value::Object(map) => {
                let kept = map.into_iter().filter(|(key, _)| !FREE.contains(&key.as_str()));
                Value::Object(kept.map(|(key, value)| (key, strip(value))).collect())
            }
            Value::Array(values) => Value::Array(values.into_iter().map(strip).collect()),
            value => value,
        }
    }
    strip(serde_json::to_value(operation).expect("operations are plain data"))
}
