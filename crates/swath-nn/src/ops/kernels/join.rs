//! Where paths of a network meet and part, and where they leave the kernels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, ExtensionType, Flex, backend_extension};
use swath_kernels::{Activation, Layout, add, copy, relu_gradient};

use super::image::Image;

#[backend_extension(Autodiff, Flex)]
pub(super) trait JoinOps: Backend {
    /// The channels of both; see [`may_begin_at`](super::image::may_begin_at) for those of the first.
    fn concat(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `relu(a + b)`, with ReLU where asked for.
    fn sum(a: FloatTensor<Self>, b: FloatTensor<Self>, relu: bool) -> FloatTensor<Self>;

    /// Two of one.
    fn fork(x: FloatTensor<Self>) -> Branches<Self>;

    /// The same values plane by plane in memory.
    fn planes(x: FloatTensor<Self>) -> FloatTensor<Self>;
}

/// What a fork gives.
#[derive(ExtensionType)]
pub(super) struct Branches<B: Backend> {
    pub(super) first: FloatTensor<B>,
    pub(super) second: FloatTensor<B>,
}

impl JoinOps for Flex {
    fn concat(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        concatenated(&Image::of(a), &Image::of(b)).into_tensor()
    }

    fn sum(a: FlexTensor, b: FlexTensor, relu: bool) -> FlexTensor {
        added(&Image::of(a), &Image::of(b), relu).into_tensor()
    }

    fn fork(x: FlexTensor) -> Branches<Self> {
        Branches { first: x.clone(), second: x }
    }

    fn planes(x: FlexTensor) -> FlexTensor {
        if x.is_contiguous() { x } else { Image::of(x).planes() }
    }
}

impl<C: CheckpointStrategy> JoinOps for Autodiff<Flex, C> {
    fn concat(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let (a, a_node) = a.into_parts();
        let (b, b_node) = b.into_parts();
        let (a, b) = (Image::of(a), Image::of(b));
        let y = concatenated(&a, &b).into_tensor();
        match ConcatBackward.prepare::<C>([a_node, b_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([a.layout().channels, b.layout().channels], y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn sum(a: FloatTensor<Self>, b: FloatTensor<Self>, relu: bool) -> FloatTensor<Self> {
        let (a, a_node) = a.into_parts();
        let (b, b_node) = b.into_parts();
        let y = added(&Image::of(a), &Image::of(b), relu);
        match SumBackward.prepare::<C>([a_node, b_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(relu.then(|| y.clone()), y.into_tensor()),
            OpsKind::UnTracked(prepared) => prepared.finish(y.into_tensor()),
        }
    }

    fn fork(x: FloatTensor<Self>) -> Branches<Self> {
        let one_came = Arc::new(AtomicBool::new(false));
        let branch =
            |x: FlexTensor, node: NodeGuard| match BranchBackward.prepare::<C>([node]).compute_bound().stateful() {
                OpsKind::Tracked(prepared) => prepared.finish(one_came.clone(), x),
                OpsKind::UnTracked(prepared) => prepared.finish(x),
            };
        let first = branch(x.primitive().clone(), x.node());
        let (x, node) = x.into_parts();
        Branches { first, second: branch(x, node) }
    }

    fn planes(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        PlanesBackward.prepare::<C>([node]).compute_bound().stateless(Flex::planes(x))
    }
}

#[derive(Debug)]
struct ConcatBackward;

impl Backward<Flex, 2> for ConcatBackward {
    /// Channels of both.
    type State = [usize; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let ([a_node, b_node], [a, b]) = (ops.parents, ops.state);
        for (node, first, count) in [(a_node, 0, a), (b_node, a, b)] {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, dy.channels(first, count));
            }
        }
    }
}

#[derive(Debug)]
struct SumBackward;

impl Backward<Flex, 2> for SumBackward {
    /// The sum, where ReLU made it.
    type State = Option<Image>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut dy = Image::of(grads.consume::<Flex>(&ops.node));
        if let Some(y) = ops.state {
            let layout = y.layout();
            dy = Image::new(layout, |dx| relu_gradient(y.view(), dy.view(), &layout, dx));
        }
        for node in ops.parents.into_iter().flatten() {
            grads.register::<Flex>(node.id, dy.clone().into_tensor());
        }
    }
}

#[derive(Debug)]
struct BranchBackward;

impl Backward<Flex, 1> for BranchBackward {
    /// Whether the gradient of the other branch has come already.
    type State = Arc<AtomicBool>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut gradient = grads.consume::<Flex>(&ops.node);
        let [Some(node)] = ops.parents else { return };
        // A leaf's gradient is only lent, not given away: there Burn has to add.
        let is_leaf = node.order == 0;
        if ops.state.swap(true, Ordering::Relaxed) && !is_leaf {
            let other = grads.consume::<Flex>(&node);
            gradient = added(&Image::of(other), &Image::of(gradient), false).into_tensor();
        }
        grads.register::<Flex>(node.id, gradient);
    }
}

#[derive(Debug)]
struct PlanesBackward;

impl Backward<Flex, 1> for PlanesBackward {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = grads.consume::<Flex>(&ops.node);
        if let [Some(node)] = ops.parents {
            grads.register::<Flex>(node.id, Image::of(dy).into_tensor());
        }
    }
}

fn concatenated(a: &Image, b: &Image) -> Image {
    let Layout { batch, height, width, channels, .. } = a.layout();
    let layout = Layout::new(batch, height, width, channels + b.layout().channels);
    Image::new(layout, |y| {
        copy(&a.layout(), a.values(), &a.layout().within(layout.pixel), y);
        copy(&b.layout(), b.values(), &b.layout().within(layout.pixel), &mut y[channels..]);
    })
}

fn added(a: &Image, b: &Image, relu: bool) -> Image {
    let Layout { batch, height, width, channels, .. } = a.layout();
    let layout = Layout::new(batch, height, width, channels);
    let activation = if relu { Activation::Relu } else { Activation::Identity };
    Image::new(layout, |y| add(a.view(), b.view(), activation, &layout, y))
}
