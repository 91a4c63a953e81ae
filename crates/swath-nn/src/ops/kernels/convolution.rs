//! Convolutions and transposed convolutions with bias and ReLU.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, ExtensionType, Flex, backend_extension};
use swath_kernels::{
    Activation, Bias, Buffer, Convolution, Epilogue, Layout, Plan, PlanError, Precision, WeightGradient, bias_gradient,
    relu_gradient,
};

use super::image::{Image, contiguous, values, vector};
use crate::precision;

#[backend_extension(Autodiff, Flex)]
pub(super) trait ConvolutionOps: Backend {
    /// `relu(conv(x, weight) + bias)`, with ReLU and bias where asked for.
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        #[extension_type] bias: Maybe<Self>,
        options: Convolve,
    ) -> FloatTensor<Self>;
}

/// A tensor or none; the macro takes no `Option`.
#[derive(ExtensionType)]
pub(super) enum Maybe<B: Backend> {
    /// A tensor.
    Some(FloatTensor<B>),
    /// None.
    None,
}

/// What to compute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolve {
    pub(super) convolution: Convolution,
    /// Of a transposed convolution, the rows and columns that its output has beyond the least size.
    pub(super) transposed: Option<[usize; 2]>,
    pub(super) relu: bool,
    /// What is multiplied, forward and backward.
    pub(super) precision: Precision,
}

impl ConvolutionOps for Flex {
    fn convolve(x: FlexTensor, weight: FlexTensor, bias: Maybe<Self>, options: Convolve) -> FlexTensor {
        let bias = match &bias {
            Maybe::Some(bias) => Some(bias),
            Maybe::None => None,
        };
        options.forward(&Image::of(x), &weight, bias).into_tensor()
    }
}

impl<C: CheckpointStrategy> ConvolutionOps for Autodiff<Flex, C> {
    fn convolve(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Maybe<Self>,
        options: Convolve,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = match bias {
            Maybe::Some(bias) => {
                let (bias, node) = bias.into_parts();
                (Some(bias), node)
            }
            // Without a bias its place in the graph is taken by a constant.
            Maybe::None => (None, FloatTensor::<Self>::new(vector(Vec::new())).node()),
        };
        let x = Image::of(x);
        let y = options.forward(&x, &weight, bias.as_ref());
        match ConvolveBackward.prepare::<C>([x_node, weight_node, bias_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let rectified = options.relu.then(|| y.clone());
                prepared.finish(State { options, x, weight, rectified }, y.into_tensor())
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y.into_tensor()),
        }
    }
}

#[derive(Debug)]
struct ConvolveBackward;

#[derive(Clone, Debug)]
struct State {
    options: Convolve,
    x: Image,
    weight: FlexTensor,
    /// The output, where ReLU made it.
    rectified: Option<Image>,
}

impl Backward<Flex, 3> for ConvolveBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State { options, x, weight, rectified } = ops.state;
        let mut dy = Image::of(grads.consume::<Flex>(&ops.node));
        if let Some(y) = rectified {
            let layout = y.layout();
            dy = Image::new(layout, |dx| relu_gradient(y.view(), dy.view(), &layout, dx));
        }
        let [x_node, weight_node, bias_node] = ops.parents;
        if let Some(node) = bias_node {
            let mut db = vec![0.0; options.convolution.outputs];
            bias_gradient(&dy.layout(), dy.values(), &mut db);
            grads.register::<Flex>(node.id, vector(db));
        }
        if let Some(node) = weight_node {
            grads.register::<Flex>(node.id, options.by_weight(&x, &weight, &dy));
        }
        if let Some(node) = x_node {
            grads.register::<Flex>(node.id, options.by_input(x.layout(), &weight, &dy));
        }
    }
}

impl Convolve {
    /// With the precision of the scope that this thread is in.
    pub(super) fn new(convolution: Convolution, relu: bool) -> Convolve {
        let current = precision::Precision::current();
        let precision = match current {
            precision::Precision::Bf16 if current.trains() => Precision::Bf16,
            _ => Precision::Fp32,
        };
        Convolve { convolution, transposed: None, relu, precision }
    }

    fn forward(&self, x: &Image, weight: &FlexTensor, bias: Option<&FlexTensor>) -> Image {
        let plan = match self.transposed {
            None => Plan::convolution(&self.convolution, x.layout()),
            Some(extra) => Plan::transposed(&self.convolution, x.layout(), extra),
        };
        let bias = bias.map(|bias| Bias::new(&values(bias)));
        let activation = if self.relu { Activation::Relu } else { Activation::Identity };
        self.run(plan, x, weight, &Epilogue { bias: bias.as_ref(), activation, ..Epilogue::default() })
    }

    /// The gradient by an input that lies in memory like `layout`.
    fn by_input(&self, layout: Layout, weight: &FlexTensor, dy: &Image) -> FlexTensor {
        let plan = match self.transposed {
            None => Plan::input_gradient(&self.convolution, layout),
            Some(extra) => Plan::transposed_input_gradient(&self.convolution, layout, extra),
        };
        let plan = plan.map(|plan| plan.from_wider(dy.layout().pixel));
        self.run(plan, dy, weight, &Epilogue::default()).into_tensor()
    }

    fn by_weight(&self, x: &Image, weight: &FlexTensor, dy: &Image) -> FlexTensor {
        let gradient = match self.transposed {
            None => WeightGradient::convolution(&self.convolution, x.layout()),
            Some(extra) => WeightGradient::transposed(&self.convolution, x.layout(), extra),
        };
        let gradient = fitting(gradient).with_precision(self.precision);
        let gradient = gradient.from_wider(x.layout().pixel, dy.layout().pixel);
        let mut dw = Buffer::new(self.convolution.weights());
        gradient.run(x.values(), dy.values(), &mut dw);
        contiguous(dw, weight.layout().shape().clone())
    }

    fn run(&self, plan: Result<Plan, PlanError>, x: &Image, weight: &FlexTensor, epilogue: &Epilogue) -> Image {
        let plan = fitting(plan).with_precision(self.precision);
        let filter = fitting(plan.filter(&values(weight)));
        Image::new(*plan.output(), |y| plan.run(x.values(), &filter, epilogue, y))
    }
}

/// Shapes that do not fit are a fault of the network's code, as in Burn's own operations.
fn fitting<T>(plan: Result<T, PlanError>) -> T {
    plan.unwrap_or_else(|error| panic!("{error}"))
}
