//! Single operations on Burn's own CPU backend: what has no form here, and what depends on constants alone.

use burn::backend::ir::{HandleKind, OperationIr, TensorIr, TensorStatus};
use burn::backend::{Flex, FlexDevice};
use burn::tensor::{TensorData, TensorId};
use burn_router::TensorInterpreter;

/// Runs an operation on its inputs and returns its outputs, in the order of [`OperationIr::outputs`].
pub(crate) fn interpret(
    operation: &OperationIr,
    inputs: impl IntoIterator<Item = (TensorId, TensorData)>,
) -> Vec<TensorData> {
    let mut interpreter = TensorInterpreter::<Flex>::new(FlexDevice);
    for (id, data) in inputs {
        interpreter.register_tensor_data_id(id, data);
    }
    interpreter.register_op(operation.clone());
    let take = |tensor: &TensorIr| {
        let tensor = TensorIr { status: TensorStatus::ReadWrite, ..tensor.clone() };
        match interpreter.get_tensor(&tensor) {
            HandleKind::Float(tensor) | HandleKind::Int(tensor) | HandleKind::Bool(tensor) => tensor.into_data(),
            HandleKind::Quantized(_) => unreachable!("the interpreter has refused it"),
        }
    };
    operation.outputs().map(take).collect()
}

/// The name of an operation: `Sigmoid`, `MulScalar`.
pub(crate) fn name(operation: &OperationIr) -> String {
    if let OperationIr::Custom(custom) = operation {
        return custom.id.clone();
    }
    // As in `NumericFloat(F32, MulScalar(ScalarOpIr { .. }))`.
    let text = format!("{operation:?}");
    let head = text.split('{').next().unwrap_or_default();
    let name = head.rsplit('(').nth(1).unwrap_or(head);
    name.rsplit(", ").next().unwrap_or(name).trim().to_string()
}
