//! Batch normalization by the batch's own statistics, and group normalization, with ReLU.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, ExtensionType, Flex, backend_extension};
use swath_kernels::{BatchNorm, GroupNorm, Statistics};

use super::image::{Image, values, vector};

#[backend_extension(Autodiff, Flex)]
pub(super) trait NormOps: Backend {
    /// `relu((x - mean) / sqrt(variance + epsilon) gamma + beta)`, with ReLU where asked for.
    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: Normalize,
    ) -> Normalized<Self>;

    /// The same with mean and variance of each group of channels in each image.
    fn group_normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: GroupNormalize,
    ) -> FloatTensor<Self>;
}

/// What to compute.
#[derive(Clone, Copy, Debug)]
pub(super) struct Normalize {
    pub(super) epsilon: f64,
    pub(super) relu: bool,
}

/// What to compute, in groups of channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupNormalize {
    pub(super) groups: usize,
    pub(super) epsilon: f64,
    pub(super) relu: bool,
}

/// What came out. Mean and variance (divided by n) are constants for autodiff.
#[derive(ExtensionType)]
pub(super) struct Normalized<B: Backend> {
    pub(super) output: FloatTensor<B>,
    pub(super) mean: FloatTensor<B>,
    pub(super) variance: FloatTensor<B>,
}

impl NormOps for Flex {
    fn normalize(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, options: Normalize) -> Normalized<Self> {
        let (y, Statistics { mean, variance }) = options.forward(&Image::of(x), &gamma, &beta);
        Normalized { output: y.into_tensor(), mean: vector(mean), variance: vector(variance) }
    }

    fn group_normalize(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, options: GroupNormalize) -> FlexTensor {
        options.forward(&Image::of(x), &gamma, &beta).into_tensor()
    }
}

impl<C: CheckpointStrategy> NormOps for Autodiff<Flex, C> {
    fn normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: Normalize,
    ) -> Normalized<Self> {
        let (x, x_node) = x.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let x = Image::of(x);
        let (y, statistics) = options.forward(&x, &gamma, &beta);
        let [mean, variance] = [&statistics.mean, &statistics.variance].map(|values| vector(values.clone()));
        let output = match NormalizeBackward.prepare::<C>([x_node, gamma_node, beta_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                prepared.finish(State { options, x, gamma, beta, statistics }, y.into_tensor())
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y.into_tensor()),
        };
        let [mean, variance] = [mean, variance].map(FloatTensor::<Self>::new);
        Normalized { output, mean, variance }
    }

    fn group_normalize(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        options: GroupNormalize,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let x = Image::of(x);
        let y = options.forward(&x, &gamma, &beta);
        let nodes = [x_node, gamma_node, beta_node];
        match GroupNormalizeBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(GroupState { options, x, gamma, beta }, y.into_tensor()),
            OpsKind::UnTracked(prepared) => prepared.finish(y.into_tensor()),
        }
    }
}

#[derive(Debug)]
struct NormalizeBackward;

#[derive(Clone, Debug)]
struct State {
    options: Normalize,
    x: Image,
    gamma: FlexTensor,
    beta: FlexTensor,
    statistics: Statistics,
}

impl Backward<Flex, 3> for NormalizeBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State { options, x, gamma, beta, statistics } = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let (gamma, beta) = (values(&gamma), values(&beta));
        let norm = BatchNorm { gamma: &gamma, beta: &beta, epsilon: options.epsilon, relu: options.relu };
        let (layout, mut by_parameters) = (x.layout(), (Vec::new(), Vec::new()));
        let dx = Image::new(layout, |dx| {
            by_parameters = norm.backward(x.view(), &statistics, dy.view(), &layout, dx);
        });
        let gradients = [dx.into_tensor(), vector(by_parameters.0), vector(by_parameters.1)];
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct GroupNormalizeBackward;

#[derive(Clone, Debug)]
struct GroupState {
    options: GroupNormalize,
    x: Image,
    gamma: FlexTensor,
    beta: FlexTensor,
}

impl Backward<Flex, 3> for GroupNormalizeBackward {
    type State = GroupState;

    fn backward(self, ops: Ops<GroupState, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let GroupState { options, x, gamma, beta } = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let (gamma, beta) = (values(&gamma), values(&beta));
        let (layout, mut by_parameters) = (x.layout(), (Vec::new(), Vec::new()));
        let dx = Image::new(layout, |dx| {
            by_parameters = options.norm(&gamma, &beta).backward(x.view(), dy.view(), &layout, dx);
        });
        let gradients = [dx.into_tensor(), vector(by_parameters.0), vector(by_parameters.1)];
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl GroupNormalize {
    fn norm<'a>(&self, gamma: &'a [f32], beta: &'a [f32]) -> GroupNorm<'a> {
        GroupNorm { groups: self.groups, gamma, beta, epsilon: self.epsilon, relu: self.relu }
    }

    fn forward(&self, x: &Image, gamma: &FlexTensor, beta: &FlexTensor) -> Image {
        let (gamma, beta, layout) = (values(gamma), values(beta), x.layout());
        Image::new(layout, |y| self.norm(&gamma, &beta).forward(x.view(), &layout, y))
    }
}

impl Normalize {
    fn forward(&self, x: &Image, gamma: &FlexTensor, beta: &FlexTensor) -> (Image, Statistics) {
        let (gamma, beta) = (values(gamma), values(beta));
        let norm = BatchNorm { gamma: &gamma, beta: &beta, epsilon: self.epsilon, relu: self.relu };
        let (layout, mut statistics) = (x.layout(), None);
        let y = Image::new(layout, |y| statistics = Some(norm.forward(x.view(), &layout, y)));
        (y, statistics.expect("filled once"))
    }
}
