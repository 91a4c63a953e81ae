//! Changes of resolution: pooling and interpolation.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};
use swath_kernels::{Alignment, Interpolation, Layout, Pooling, max_pool, max_pool_gradient, resize, resize_gradient};

use super::image::Image;

#[backend_extension(Autodiff, Flex)]
pub(super) trait ResolutionOps: Backend {
    /// The greatest value of each window.
    fn max_pool(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self>;

    /// Interpolation to rows and columns, with half-pixel centres.
    fn resample(x: FloatTensor<Self>, interpolation: Interpolation, size: [usize; 2]) -> FloatTensor<Self>;
}

impl ResolutionOps for Flex {
    fn max_pool(x: FlexTensor, pooling: Pooling) -> FlexTensor {
        pooled(&pooling, &Image::of(x)).into_tensor()
    }

    fn resample(x: FlexTensor, interpolation: Interpolation, size: [usize; 2]) -> FlexTensor {
        let x = Image::of(x);
        let layout = sized(x.layout(), size);
        Image::new(layout, |y| resize(interpolation, Alignment::Edges, &x.layout(), x.values(), &layout, y))
            .into_tensor()
    }
}

impl<C: CheckpointStrategy> ResolutionOps for Autodiff<Flex, C> {
    fn max_pool(x: FloatTensor<Self>, pooling: Pooling) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let x = Image::of(x);
        let y = pooled(&pooling, &x).into_tensor();
        match MaxPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((pooling, x), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }

    fn resample(x: FloatTensor<Self>, interpolation: Interpolation, size: [usize; 2]) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let x = Image::of(x);
        let layout = x.layout();
        let y = Flex::resample(x.into_tensor(), interpolation, size);
        match ResampleBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((interpolation, layout), y),
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
struct ResampleBackward;

impl Backward<Flex, 1> for ResampleBackward {
    /// With the layout of the input.
    type State = (Interpolation, Layout);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (interpolation, layout) = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let dx = Image::new(layout, |dx| resize_gradient(interpolation, Alignment::Edges, dy.view(), &layout, dx));
        grads.register::<Flex>(node.id, dx.into_tensor());
    }
}

fn pooled(pooling: &Pooling, x: &Image) -> Image {
    let (layout, values) = x.view();
    let size = pooling.output_size([layout.height, layout.width]).unwrap_or_else(|error| panic!("{error}"));
    let pooled = sized(*layout, size);
    Image::new(pooled, |y| max_pool(pooling, layout, values, &pooled, y))
}

/// Images of another size.
fn sized(layout: Layout, [height, width]: [usize; 2]) -> Layout {
    Layout::new(layout.batch, height, width, layout.channels)
}
