//! Pooling that remembers where maxima stood, and the way back to these places.
//!
//! Indices are 32 bits wide and have channels last, as the kernels want them; those of another form are brought to it.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, ExtensionType, Flex, backend_extension};
use burn::tensor::DType;
use swath_kernels::{
    Buffer, Layout, Pooling, bits_mut, bytes, max_pool_gradient_by_indices, max_pool_with_indices, unpool,
    unpool_gradient,
};

use super::image::{Image, dims, layout, shape};

#[backend_extension(Autodiff, Flex)]
pub(super) trait IndexOps: Backend {
    /// The greatest value of each window, and where it stood.
    fn max_pool_with_indices(x: FloatTensor<Self>, pooling: Pooling) -> Maxima<Self>;

    /// Each value at the pixel that its index names, in an image of rows and columns.
    fn unpool(x: FloatTensor<Self>, indices: IntTensor<Self>, size: [usize; 2]) -> FloatTensor<Self>;
}

/// What pooling gives.
#[derive(ExtensionType)]
pub(super) struct Maxima<B: Backend> {
    pub(super) values: FloatTensor<B>,
    pub(super) indices: IntTensor<B>,
}

impl IndexOps for Flex {
    fn max_pool_with_indices(x: FlexTensor, pooling: Pooling) -> Maxima<Self> {
        let (values, indices) = pooled(&pooling, &Image::of(x));
        Maxima { values: values.into_tensor(), indices: indices.tensor }
    }

    fn unpool(x: FlexTensor, indices: FlexTensor, size: [usize; 2]) -> FlexTensor {
        unpooled(&Image::of(x), &Indices::of(indices), size).into_tensor()
    }
}

impl<C: CheckpointStrategy> IndexOps for Autodiff<Flex, C> {
    fn max_pool_with_indices(x: FloatTensor<Self>, pooling: Pooling) -> Maxima<Self> {
        let (x, node) = x.into_parts();
        let x = Image::of(x);
        let (values, indices) = pooled(&pooling, &x);
        let values = match PoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x.layout(), indices.clone()), values.into_tensor()),
            OpsKind::UnTracked(prepared) => prepared.finish(values.into_tensor()),
        };
        Maxima { values, indices: indices.tensor }
    }

    fn unpool(x: FloatTensor<Self>, indices: IntTensor<Self>, size: [usize; 2]) -> FloatTensor<Self> {
        let (x, node) = x.into_parts();
        let (x, indices) = (Image::of(x), Indices::of(indices));
        let y = unpooled(&x, &indices, size).into_tensor();
        match UnpoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x.layout(), indices), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}

#[derive(Debug)]
struct PoolBackward;

impl Backward<Flex, 1> for PoolBackward {
    /// With the layout of the input.
    type State = (Layout, Indices);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (layout, indices) = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let dx = Image::new(layout, |dx| max_pool_gradient_by_indices(dy.view(), indices.values(), &layout, dx));
        grads.register::<Flex>(node.id, dx.into_tensor());
    }
}

#[derive(Debug)]
struct UnpoolBackward;

impl Backward<Flex, 1> for UnpoolBackward {
    /// With the layout of the input.
    type State = (Layout, Indices);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (layout, indices) = ops.state;
        let dy = Image::of(grads.consume::<Flex>(&ops.node));
        let [Some(node)] = ops.parents else { return };
        let dx = Image::new(layout, |dx| unpool_gradient(dy.view(), indices.values(), &layout, dx));
        grads.register::<Flex>(node.id, dx.into_tensor());
    }
}

fn pooled(pooling: &Pooling, x: &Image) -> (Image, Indices) {
    let (layout, values) = x.view();
    let [height, width] = pooling.output_size([layout.height, layout.width]).unwrap_or_else(|error| panic!("{error}"));
    let out = Layout::new(layout.batch, height, width, layout.channels);
    let mut y = None;
    let indices = Indices::new(out, |indices| {
        y = Some(Image::new(out, |y| max_pool_with_indices(pooling, layout, values, &out, y, indices)));
    });
    (y.expect("indices are filled at once"), indices)
}

fn unpooled(x: &Image, indices: &Indices, [height, width]: [usize; 2]) -> Image {
    let Layout { batch, channels, .. } = x.layout();
    let out = Layout::new(batch, height, width, channels);
    Image::new(out, |y| unpool(x.view(), indices.values(), &out, y))
}

/// A tensor `[batch, channel, row, column]` of indices in the kernels' own layout.
#[derive(Clone, Debug)]
struct Indices {
    tensor: FlexTensor,
}

impl Indices {
    /// The tensor itself where it lies so, else a copy.
    fn of(tensor: FlexTensor) -> Indices {
        let [batch, channels, height, width] = dims(&tensor);
        let own = Layout::new(batch, height, width, channels);
        if tensor.dtype() == DType::U32
            && layout(&tensor, tensor.storage::<u32>().len()).is_some_and(|layout| layout.pixel == own.pixel)
        {
            return Indices { tensor };
        }
        let data = tensor.into_data();
        Indices::new(own, |indices| {
            for (position, index) in data.iter::<i64>().enumerate() {
                let (pixel, plane) = (position % (height * width), position / (height * width));
                let place = (plane / channels * height * width + pixel) * own.pixel + plane % channels;
                indices[place] = u32::try_from(index).expect("an index of pooling is no negative number");
            }
        })
    }

    /// Indices that `fill` writes.
    fn new(layout: Layout, fill: impl FnOnce(&mut [u32])) -> Indices {
        let mut values = Buffer::new(layout.len());
        fill(bits_mut(&mut values));
        Indices { tensor: FlexTensor::new(bytes(values), shape(&layout), DType::U32) }
    }

    fn values(&self) -> &[u32] {
        &self.tensor.storage()[self.tensor.layout().start_offset()..]
    }
}
