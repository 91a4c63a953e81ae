//! A forward pass as a list of Burn's operations.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, OnceLock};

use burn::backend::Capture;
use burn::backend::ir::OperationIr;
use burn::tensor::{Device, Tensor, TensorData, TensorId};

use super::ExecutorError;

/// What a forward pass does with images of one size.
pub(crate) struct Captured {
    /// The operations that the output depends on, in the order in which they ran.
    pub(crate) operations: Vec<OperationIr>,
    /// Weights and other tensors that exist before the first operation.
    pub(crate) constants: BTreeMap<TensorId, TensorData>,
    /// The images.
    pub(crate) input: TensorId,
    /// What `forward` returned.
    pub(crate) output: TensorId,
}

/// Records `forward` for images of `shape`, `[batch, channels, height, width]`. Everything that it uses has to be on the
/// device that it gets.
///
/// # Errors
/// When what `forward` returns was not computed on the device.
pub(crate) fn capture(
    shape: [usize; 4],
    forward: impl FnOnce(&Device, Tensor<4>) -> Tensor<4>,
) -> Result<Captured, ExecutorError> {
    // One device for the process: their number is limited, and only one scope may be open on each.
    static DEVICE: OnceLock<Mutex<Device>> = OnceLock::new();
    let device = DEVICE.get_or_init(|| Mutex::new(Device::capture()));
    let device = device.lock().unwrap_or_else(|poison| poison.into_inner());
    let mut ends = None;
    let captured = device.capture_scope(|scope| {
        let images = Tensor::from_data(TensorData::zeros::<f32, _>(shape), &*device);
        let input = id(images.clone());
        let output = id(forward(&device, images));
        ends = input.zip(output);
        scope.complete(input, output)
    });
    let failed = |problem: String| ExecutorError::Capture { problem };
    let captured = captured.map_err(|error| failed(error.to_string()))?;
    let (input, output) = ends.ok_or_else(|| failed("a tensor left the device".into()))?;
    let (operations, needed) = live(captured.graph.operations, output);
    let mut constants = captured.values;
    constants.retain(|id, _| needed.contains(id) && *id != input);
    Ok(Captured { operations, constants, input, output })
}

fn id(tensor: Tensor<4>) -> Option<TensorId> {
    tensor.try_into_primitive::<Capture>().ok().map(|tensor| tensor.id())
}

/// The operations that `output` depends on, and the tensors that they read.
fn live(operations: Vec<OperationIr>, output: TensorId) -> (Vec<OperationIr>, HashSet<TensorId>) {
    let mut needed = HashSet::from([output]);
    let mut live = Vec::new();
    for operation in operations.into_iter().rev() {
        let computes = !matches!(operation, OperationIr::Init(_) | OperationIr::Drop(_));
        if computes && operation.outputs().any(|tensor| needed.contains(&tensor.id)) {
            needed.extend(operation.inputs().map(|tensor| tensor.id));
            live.push(operation);
        }
    }
    live.reverse();
    (live, needed)
}

#[cfg(test)]
mod tests {
    use burn::tensor::activation::relu;

    use super::*;

    #[test]
    fn what_the_output_does_not_need_is_left_out() {
        let captured = capture([1, 2, 4, 4], |device, x| {
            let unused = Tensor::<4>::from_data(TensorData::ones::<f32, _>([1, 2, 4, 4]), device);
            let _ = relu(x.clone() + unused);
            relu(x)
        });
        let captured = captured.unwrap();
        assert_eq!(captured.operations.len(), 1, "{:?}", captured.operations);
        assert!(captured.constants.is_empty());
        assert_eq!(captured.operations[0].inputs().next().unwrap().id, captured.input);
        assert_eq!(captured.operations[0].outputs().next().unwrap().id, captured.output);
    }
}
