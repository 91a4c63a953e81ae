//! Burn's CPU tensors as images of the kernels, and back.

use std::borrow::Cow;

use burn::backend::flex::{self, FlexTensor};
use burn::tensor::{Bytes, DType, Shape};
use swath_kernels::{Buffer, Layout, bytes, pack, unpack};

/// A tensor `[batch, channel, row, column]` whose memory has channels last, as the kernels want it.
#[derive(Clone, Debug)]
pub(super) struct Image {
    tensor: FlexTensor,
    layout: Layout,
}

impl Image {
    /// The tensor itself where its memory has channels last, else a copy.
    pub(super) fn of(tensor: FlexTensor) -> Image {
        if let Some(layout) = layout(&tensor, tensor.storage::<f32>().len()) {
            return Image { tensor, layout };
        }
        let [batch, channels, height, width] = dims(&tensor);
        let layout = Layout::new(batch, height, width, channels);
        let planes = tensor.to_contiguous();
        let planes = planes.as_slice::<f32>().expect("contiguous floats");
        Image::new(layout, |image| pack(planes, &layout, image))
    }

    /// Images that `fill` writes.
    pub(super) fn new(layout: Layout, fill: impl FnOnce(&mut [f32])) -> Image {
        let mut values = Buffer::new(layout.len());
        fill(&mut values);
        Image { tensor: FlexTensor::new(bytes(values), shape(&layout), DType::F32), layout }
    }

    /// Where values lie, and the values.
    pub(super) fn view(&self) -> (&Layout, &[f32]) {
        (&self.layout, self.values())
    }

    /// How it lies in memory.
    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// From the first value to the last.
    pub(crate) fn values(&self) -> &[f32] {
        &self.tensor.storage()[self.tensor.layout().start_offset()..]
    }

    /// `count` of the channels, as a view.
    pub(super) fn channels(&self, first: usize, count: usize) -> FlexTensor {
        let layout = self.tensor.layout();
        let [batch, _, height, width] = dims(&self.tensor);
        let shape = Shape::new([batch, count, height, width]);
        let part = flex::Layout::new(shape, layout.strides().to_vec(), layout.start_offset() + first);
        self.tensor.clone().with_layout(part)
    }

    /// The values plane by plane.
    pub(super) fn planes(&self) -> FlexTensor {
        let mut values = Buffer::new(self.layout.pixels() * self.layout.channels);
        unpack(&self.layout, self.values(), &mut values);
        contiguous(values, self.tensor.layout().shape().clone())
    }

    /// As a tensor.
    pub(super) fn into_tensor(self) -> FlexTensor {
        self.tensor
    }
}

/// Whether an image may begin at this channel of a wider one: there, its channels with their padding are whole vectors.
pub(super) fn may_begin_at(channel: usize) -> bool {
    Layout::new(1, 1, 1, channel).pixel == channel
}

/// Values of a parameter, in order.
pub(crate) fn values(tensor: &FlexTensor) -> Cow<'_, [f32]> {
    match tensor.as_slice() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(tensor.to_contiguous().storage().to_vec()),
    }
}

/// A tensor with these values in order.
pub(crate) fn contiguous(values: Buffer, shape: Shape) -> FlexTensor {
    FlexTensor::new(bytes(values), flex::Layout::contiguous(shape), DType::F32)
}

/// A tensor `[values]`.
pub(super) fn vector(values: Vec<f32>) -> FlexTensor {
    let shape = flex::Layout::contiguous(Shape::new([values.len()]));
    FlexTensor::new(Bytes::from_elems(values), shape, DType::F32)
}

/// Shape and strides of a tensor with channels last.
pub(super) fn shape(layout: &Layout) -> flex::Layout {
    let Layout { batch, height, width, channels, pixel, .. } = *layout;
    let strides = [height * width * pixel, 1, width * pixel, pixel].map(usize::cast_signed);
    flex::Layout::new(Shape::new([batch, channels, height, width]), strides.to_vec(), 0)
}

/// The layout of a tensor whose memory of `stored` values has channels last in whole vectors.
pub(super) fn layout(tensor: &FlexTensor, stored: usize) -> Option<Layout> {
    let [batch, channels, height, width] = dims(tensor);
    let strides: [isize; 4] = tensor.layout().strides().try_into().ok()?;
    let strides = strides.map(isize::cast_unsigned);
    // An axis of one step may have any stride.
    let follows = |size: usize, found: usize, expected: usize| size == 1 || found == expected;
    let own = Layout::new(batch, height, width, channels);
    let pixel = match own {
        Layout { width: 2.., .. } => strides[3],
        Layout { height: 2.., .. } => strides[2],
        Layout { batch: 2.., .. } => strides[0],
        Layout { pixel, .. } => pixel,
    };
    let layout = own.within(pixel);
    let regular = follows(channels, strides[1], 1)
        && follows(height, strides[2], width.checked_mul(pixel)?)
        && follows(batch, strides[0], (height * width).checked_mul(pixel)?);
    let whole = pixel >= own.pixel && pixel.is_multiple_of(Layout::new(1, 1, 1, 1).pixel);
    (regular && whole && stored - tensor.layout().start_offset() >= layout.len()).then_some(layout)
}

pub(super) fn dims(tensor: &FlexTensor) -> [usize; 4] {
    tensor.layout().shape().dims()
}
