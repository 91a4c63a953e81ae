//! Activations, products and layer normalization.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use swath_kernels::{Function, LayerNorm, Layout, adaptive_average_pool, map, map_gradient, multiply};

use super::image::{Image, values, vector};

#[backend_extension(Autodiff, Flex)]
pub(super) trait PointwiseOps: Backend {
    /// `function(x)`
    fn map(x: FloatTensor<Self>, function: Function) -> FloatTensor<Self>;

    /// `a b`, where `b` may have one pixel for each image.
    fn multiply(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `(x - mean) / sqrt(variance + epsilon) gamma + beta`, with mean and variance of each pixel over its channels.
    fn normalize_pixels(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;
}

impl PointwiseOps for Flex {
    fn map(x: FlexTensor, function: Function) -> FlexTensor {
        let x = Image::of(x);
        let layout = own(x.layout());
        Image::new(layout, |y| map(function, x.view(), &layout, y)).into_tensor()
    }

    fn multiply(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        product(&Image::of(a), &Image::of(b)).into_tensor()
    }

    fn normalize_pixels(x: FlexTensor, gamma: FlexTensor, beta: FlexTensor, epsilon: f64) -> FlexTensor {
        let x = Image::of(x);
        let (gamma, beta) = (values(&gamma), values(&beta));
        let norm = LayerNorm { gamma: &gamma, beta: &beta, epsilon };
        let layout = own(x.layout());
        Image::new(layout, |y| norm.forward(x.view(), &layout, y)).into_tensor()
    }
}

impl<C: CheckpointStrategy> PointwiseOps for Autodiff<Flex, C> {
    fn map(x: FloatTensor<Self>, function: Function) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let x = Image::of(x);
        let y = Flex::map(x.clone().into_tensor(), function);
        match MapBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((function, x), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn multiply(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        let (a, a_node) = a.into_parts();
        let (b, b_node) = b.into_parts();
        let (a, b) = (Image::of(a), Image::of(b));
        let y = product(&a, &b).into_tensor();
        match MultiplyBackward.prepare::<C>([a_node, b_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([a, b], y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn normalize_pixels(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let (x, x_node) = x.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let x = Image::of(x);
        let y = Flex::normalize_pixels(x.clone().into_tensor(), gamma.clone(), beta.clone(), epsilon);
        match NormalizeBackward.prepare::<C>([x_node, gamma_node, beta_node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(State { x, gamma, beta, epsilon }, y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct MapBackward;

impl Backward<Flex, 1> for MapBackward {
    type State = (Function, Image);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (function, x) = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let layout = own(x.layout());
        let dx = Image::new(layout, |dx| map_gradient(function, x.view(), dy.view(), &layout, dx));
        grads.register::<Flex>(node.id, dx.into_tensor());
    }
}

#[derive(Debug)]
struct MultiplyBackward;

impl Backward<Flex, 2> for MultiplyBackward {
    type State = [Image; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [a, b] = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [a_node, b_node] = ops.parents;
        if let Some(node) = a_node {
            grads.register::<Flex>(node.id, product(&dy, &b).into_tensor());
        }
        if let Some(node) = b_node {
            let by_pixel = product(&dy, &a);
            let layout = own(b.layout());
            let db = match layout == own(a.layout()) {
                true => by_pixel,
                false => sums(&by_pixel, layout),
            };
            grads.register::<Flex>(node.id, db.into_tensor());
        }
    }
}

#[derive(Debug)]
struct NormalizeBackward;

#[derive(Clone, Debug)]
struct State {
    x: Image,
    gamma: FlexTensor,
    beta: FlexTensor,
    epsilon: f64,
}

impl Backward<Flex, 3> for NormalizeBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let State { x, gamma, beta, epsilon } = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let (gamma, beta) = (values(&gamma), values(&beta));
        let norm = LayerNorm { gamma: &gamma, beta: &beta, epsilon };
        let (layout, mut by_parameters) = (own(x.layout()), (Vec::new(), Vec::new()));
        let dx = Image::new(layout, |dx| by_parameters = norm.backward(x.view(), dy.view(), &layout, dx));
        let gradients = [dx.into_tensor(), vector(by_parameters.0), vector(by_parameters.1)];
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

fn product(a: &Image, b: &Image) -> Image {
    let layout = own(a.layout());
    Image::new(layout, |y| multiply(a.view(), b.view(), &layout, y))
}

/// The sum over all pixels of each image.
fn sums(x: &Image, layout: Layout) -> Image {
    let (from, values) = x.view();
    let area = (from.height * from.width) as f32;
    Image::new(layout, |y| {
        adaptive_average_pool(from, values, &layout, y);
        y.iter_mut().for_each(|mean| *mean *= area);
    })
}

/// Images of the same size by themselves.
fn own(layout: Layout) -> Layout {
    Layout::new(layout.batch, layout.height, layout.width, layout.channels)
}
