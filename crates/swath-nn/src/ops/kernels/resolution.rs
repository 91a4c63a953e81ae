//! Changes of resolution: pooling and interpolation.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use swath_kernels::{
    Alignment, Divisor, Interpolation, Layout, Pooling, adaptive_average_pool, adaptive_average_pool_gradient,
    average_pool, average_pool_gradient, max_pool, max_pool_gradient, resize, resize_gradient,
};

use super::image::Image;

#[backend_extension(Autodiff, Flex)]
pub(super) trait ResolutionOps: Backend {
    /// The greatest value of each window.
    fn max_pool(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self>;

    /// The mean of each window.
    fn average_pool(x: FloatTensor<Self>, pooling: Pooling, divisor: Divisor) -> FloatTensor<Self>;

    /// Means over windows that divide the image into rows and columns.
    fn adaptive_average_pool(x: FloatTensor<Self>, size: [usize; 2]) -> FloatTensor<Self>;

    /// Interpolation to rows and columns.
    fn resample(x: FloatTensor<Self>, resize: Resize, size: [usize; 2]) -> FloatTensor<Self>;
}

/// How pixels between pixels are made up, and where they lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resize {
    pub(super) interpolation: Interpolation,
    pub(super) alignment: Alignment,
}

impl ResolutionOps for Flex {
    fn max_pool(x: FlexTensor, pooling: Pooling) -> FlexTensor {
        let x = Image::of(x);
        let (layout, values) = x.view();
        let pooled = pooled(layout, &pooling);
        Image::new(pooled, |y| max_pool(&pooling, layout, values, &pooled, y)).into_tensor()
    }

    fn average_pool(x: FlexTensor, pooling: Pooling, divisor: Divisor) -> FlexTensor {
        let x = Image::of(x);
        let (layout, values) = x.view();
        let pooled = pooled(layout, &pooling);
        Image::new(pooled, |y| average_pool(&pooling, divisor, layout, values, &pooled, y)).into_tensor()
    }

    fn adaptive_average_pool(x: FlexTensor, size: [usize; 2]) -> FlexTensor {
        let x = Image::of(x);
        let layout = sized(x.layout(), size);
        Image::new(layout, |y| adaptive_average_pool(&x.layout(), x.values(), &layout, y)).into_tensor()
    }

    fn resample(x: FlexTensor, Resize { interpolation, alignment }: Resize, size: [usize; 2]) -> FlexTensor {
        let x = Image::of(x);
        let layout = sized(x.layout(), size);
        Image::new(layout, |y| resize(interpolation, alignment, &x.layout(), x.values(), &layout, y)).into_tensor()
    }
}

impl<C: CheckpointStrategy> ResolutionOps for Autodiff<Flex, C> {
    fn max_pool(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let x = Image::of(x);
        let y = Flex::max_pool(x.clone().into_tensor(), pooling);
        match MaxPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((pooling, x), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn average_pool(x: FloatTensor<Self>, pooling: Pooling, divisor: Divisor) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let x = Image::of(x);
        let layout = x.layout();
        let y = Flex::average_pool(x.into_tensor(), pooling, divisor);
        match AveragePoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((pooling, divisor, layout), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn adaptive_average_pool(x: FloatTensor<Self>, size: [usize; 2]) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let x = Image::of(x);
        let layout = x.layout();
        let y = Flex::adaptive_average_pool(x.into_tensor(), size);
        match AdaptiveAveragePoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(layout, y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn resample(x: FloatTensor<Self>, resize: Resize, size: [usize; 2]) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let x = Image::of(x);
        let layout = x.layout();
        let y = Flex::resample(x.into_tensor(), resize, size);
        match ResampleBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((resize, layout), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct MaxPoolBackward;

impl Backward<Flex, 1> for MaxPoolBackward {
    type State = (Pooling, Image);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (pooling, x) = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let layout = x.layout();
        let dx = Image::new(layout, |dx| max_pool_gradient(&pooling, x.view(), dy.view(), &layout, dx));
        grads.register::<Flex>(node.id, dx.into_tensor());
    }
}

#[derive(Debug)]
struct AveragePoolBackward;

impl Backward<Flex, 1> for AveragePoolBackward {
    /// With the layout of the input.
    type State = (Pooling, Divisor, Layout);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (pooling, divisor, layout) = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let dx = Image::new(layout, |dx| average_pool_gradient(&pooling, divisor, dy.view(), &layout, dx));
        grads.register::<Flex>(node.id, dx.into_tensor());
    }
}

#[derive(Debug)]
struct AdaptiveAveragePoolBackward;

impl Backward<Flex, 1> for AdaptiveAveragePoolBackward {
    /// The layout of the input.
    type State = Layout;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let layout = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let dx = Image::new(layout, |dx| adaptive_average_pool_gradient(dy.view(), &layout, dx));
        grads.register::<Flex>(node.id, dx.into_tensor());
    }
}

#[derive(Debug)]
struct ResampleBackward;

impl Backward<Flex, 1> for ResampleBackward {
    /// With the layout of the input.
    type State = (Resize, Layout);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (Resize { interpolation, alignment }, layout) = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let dx = Image::new(layout, |dx| resize_gradient(interpolation, alignment, dy.view(), &layout, dx));
        grads.register::<Flex>(node.id, dx.into_tensor());
    }
}

fn pooled(layout: &Layout, pooling: &Pooling) -> Layout {
    let size = pooling.output_size([layout.height, layout.width]).unwrap_or_else(|error| panic!("{error}"));
    sized(*layout, size)
}

/// Images of another size.
fn sized(layout: Layout, [height, width]: [usize; 2]) -> Layout {
    Layout::new(layout.batch, height, width, layout.channels)
}
