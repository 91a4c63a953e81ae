//! Convolutions of a program: plans for images of one size, with filters that programs share.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use swath_kernels::{
    Activation, Bias, Convolution, Epilogue, Filter, Function, Layout, Method, Plan, PlanError, Precision,
};

use super::graph::ConvolutionOp;

/// A convolution, ready to run.
pub(super) struct Convolve {
    pub(super) plan: Box<Plan>,
    pub(super) filter: Arc<Filter>,
    bias: Bias,
    activation: Activation,
    function: Option<Function>,
}

impl Convolve {
    pub(super) fn new(plan: Plan, op: &ConvolutionOp, filters: &mut Filters) -> Result<Convolve, PlanError> {
        let bias: Vec<f32> = op.bias.iter().map(|bias| *bias as f32).collect();
        let (filter, bias) = (filters.get(&plan, op)?, Bias::new(&bias));
        Ok(Convolve { plan: Box::new(plan), filter, bias, activation: op.activation, function: op.function })
    }

    pub(super) fn epilogue<'a>(&'a self, add: Option<(&'a [f32], Layout)>) -> Epilogue<'a> {
        Epilogue { bias: Some(&self.bias), add, activation: self.activation, function: self.function }
    }
}

/// A hash of the weights, the convolution, whether it is transposed, and how it is computed.
type FilterKey = (u64, Convolution, bool, Method, swath_kernels::Precision);

/// The filters of a network. Programs for several sizes share those that have the same weights and method.
#[derive(Default)]
pub(super) struct Filters {
    known: HashMap<FilterKey, Arc<Filter>>,
}

impl Filters {
    fn get(&mut self, plan: &Plan, op: &ConvolutionOp) -> Result<Arc<Filter>, PlanError> {
        let key = (digest(&op.weights), op.convolution, op.transposed.is_some(), plan.method(), plan.precision());
        if let Some(filter) = self.known.get(&key) {
            return Ok(Arc::clone(filter));
        }
        let filter = Arc::new(plan.filter(&op.weights)?);
        self.known.insert(key, Arc::clone(&filter));
        Ok(filter)
    }
}

/// A number that differs where weights do. Several sums at once, since there are tens of millions of weights.
fn digest(weights: &[f32]) -> u64 {
    let mut sums = [0u64; 8];
    for weights in weights.chunks(8) {
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum = (*sum ^ u64::from(weight.to_bits())).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
    let mut hasher = DefaultHasher::new();
    (sums, weights.len()).hash(&mut hasher);
    hasher.finish()
}

/// A convolution of images.
pub(super) fn plan(op: &ConvolutionOp, input: Layout, precision: Precision) -> Result<Plan, PlanError> {
    let plan = match op.transposed {
        None => Plan::convolution(&op.convolution, input)?,
        Some(extra) => Plan::transposed(&op.convolution, input, extra)?,
    };
    Ok(plan.with_precision(precision))
}

/// The plan that writes images which lie so.
pub(super) fn into(plan: Plan, output: &Layout) -> Plan {
    let plan = plan.into_wider(output.pixel).writing(output.element);
    if output.planes { plan.into_planes() } else { plan }
}

/// A convolution of images, and another one of its result, which has so few outputs that floats cost nothing: where the first is not in pairs.
pub(super) fn plan_with_head(
    [op, head]: [&ConvolutionOp; 2],
    input: Layout,
    precision: Precision,
) -> Result<(Plan, Plan), PlanError> {
    let plan = plan(op, input, precision)?;
    let pairs = plan.method() == Method::Direct && plan.precision() == Precision::Bf16;
    let precision = if pairs { Precision::Bf16 } else { Precision::Fp32 };
    let head = self::plan(head, *plan.output(), precision)?;
    Ok((plan, head))
}
