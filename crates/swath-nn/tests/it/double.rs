//! Networks in double precision, which the kernels do not serve: Burn's own operations compute them.

use burn::module::{ModuleMapper, Param};
use burn::tensor::{DType, Tensor};

/// Brings every tensor of a module to double precision.
pub(crate) struct Double;

impl ModuleMapper for Double {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|old| {
            let options = (&old.device(), DType::F64);
            Tensor::from_data(old.to_data(), options).set_require_grad(old.is_require_grad())
        })
    }
}
