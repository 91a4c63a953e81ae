//! What a network costs, before it is trained: computed from the operations of its forward pass, whose shapes are recorded
//! without weights or images.

mod field;

use std::collections::HashMap;

use burn::backend::ir::{FloatOperationIr, ModuleOperationIr, OperationIr, TensorIr};
use burn::tensor::TensorId;

use crate::cpu::{Captured, ExecutorError, capture};
use crate::family::FamilyError;
use crate::segmenter::SegmenterConfig;

/// The side of the image that networks are compared on. Of most networks multiplications and memory grow with the image's area;
/// multiplications of attention over a whole image grow faster.
pub const SIDE: usize = 512;

/// The image that the receptive field is measured on: low, so that little is recorded, and wider than any network sees that
/// does not see everything. All operations treat rows as they treat columns.
const STRIP: [usize; 2] = [32, 8192];

/// What a network costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measures {
    /// Side of the image, in pixels.
    pub side: usize,
    /// Multiplications, each with an addition, in convolutions, products of matrices and attention, for the image. What is done to single
    /// values is not counted.
    pub macs: u64,
    /// Bytes of the values that exist at once when the image is predicted operation by operation in float32. What is done to single values is done in place where nothing else reads them. Weights are not
    /// counted.
    pub activation_bytes: usize,
    /// Which part of an image one output pixel depends on.
    pub receptive_field: ReceptiveField,
}

impl Measures {
    /// Multiplications with additions for a million pixels, in images of that side.
    pub fn macs_per_megapixel(&self) -> f64 {
        self.macs as f64 / (self.side as f64).powi(2) * 1e6
    }
}

/// Which part of an image one output pixel depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceptiveField {
    /// A square of so many pixels a side: the largest of any output pixel that is far from the edges.
    Side(usize),
    /// All of it, by a mean over the whole image, attention to every pixel, or normalization by the image's own statistics.
    Whole,
}

/// Why a network cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// It cannot be built.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// Its forward pass cannot be recorded.
    #[error(transparent)]
    Capture(#[from] ExecutorError),
}

/// Measures a network without drawing its weights, on an image of `side` x `side` pixels.
///
/// # Errors
/// When the config is not valid.
///
/// ```
/// use swath_nn::SegmenterConfig;
/// use swath_nn::decoder::unet::UnetConfig;
/// use swath_nn::encoder::plain::PlainConfig;
/// use swath_nn::measure::{ReceptiveField, SIDE, measure};
///
/// // Two 3x3 convolutions of 4 channels on 3 bands, and a 1x1 to 2 classes.
/// let encoder = PlainConfig { width: 4, depth: 1, ..PlainConfig::default() };
/// let measures = measure(&SegmenterConfig::new(encoder, UnetConfig::default(), 3, 2), SIDE)?;
/// assert_eq!(measures.macs, 512 * 512 * (9 * 3 * 4 + 9 * 4 * 4 + 4 * 2));
/// assert_eq!(measures.receptive_field, ReceptiveField::Side(5));
/// # Ok::<(), swath_nn::measure::MeasureError>(())
/// ```
pub fn measure(config: &SegmenterConfig, side: usize) -> Result<Measures, MeasureError> {
    let square = record(config, [side, side])?;
    let strip = record(config, STRIP)?;
    Ok(Measures {
        side,
        macs: square.operations.iter().map(macs).sum(),
        activation_bytes: activation_bytes(&square, [config.bands, side, side]),
        receptive_field: field::receptive_field(&strip, STRIP),
    })
}

/// The forward pass on one image, with parameters that are never filled.
fn record(config: &SegmenterConfig, [height, width]: [usize; 2]) -> Result<Captured, MeasureError> {
    config.validate()?;
    let mut built = Ok(());
    let captured = capture([1, config.bands, height, width], |device, images| match config.build(device) {
        Ok(network) => network.forward(images),
        Err(error) => {
            built = Err(error);
            images
        }
    });
    built?;
    Ok(captured?)
}

fn macs(operation: &OperationIr) -> u64 {
    let macs = match operation {
        // For each output, the weights of its channel.
        OperationIr::Module(ModuleOperationIr::Conv2d(conv)) => {
            count(&conv.out) * count(&conv.weight) / conv.weight.shape[0]
        }
        // Each input meets the weights of its channel.
        OperationIr::Module(ModuleOperationIr::ConvTranspose2d(conv)) => {
            count(&conv.x) * count(&conv.weight) / conv.weight.shape[0]
        }
        OperationIr::Module(ModuleOperationIr::Linear(linear)) => {
            count(&linear.out) * linear.x.shape[linear.x.shape.num_dims() - 1]
        }
        OperationIr::Float(_, FloatOperationIr::Matmul(product)) => {
            count(&product.out) * product.lhs.shape[product.lhs.shape.num_dims() - 1]
        }
        // Logits for every pair of query and key, and as many products with values.
        OperationIr::Module(ModuleOperationIr::Attention(attention)) => {
            (count(&attention.query) + count(&attention.out)) * attention.key.shape[2]
        }
        _ => 0,
    };
    macs as u64
}

/// Bytes of the values that exist at once, at their most.
fn activation_bytes(captured: &Captured, image: [usize; 3]) -> usize {
    let mut last = HashMap::from([(captured.output, captured.operations.len())]);
    for (index, operation) in captured.operations.iter().enumerate() {
        for tensor in operation.inputs() {
            let last = last.entry(tensor.id).or_insert(index);
            *last = index.max(*last);
        }
    }
    let images = image.into_iter().product::<usize>() * size_of::<f32>();
    // What depends on the images; weights and what is computed from them alone never gets here.
    let mut alive: HashMap<TensorId, usize> = HashMap::from([(captured.input, images)]);
    let (mut now, mut most) = (images, images);
    for (index, operation) in captured.operations.iter().enumerate() {
        if !operation.inputs().any(|tensor| alive.contains_key(&tensor.id)) {
            continue;
        }
        let made: usize = operation.outputs().map(bytes).sum();
        let done = operation.inputs().filter(|tensor| last[&tensor.id] == index);
        let freed: Vec<usize> = done.filter_map(|tensor| alive.remove(&tensor.id)).collect();
        let reused = if in_place(operation) && freed.contains(&made) { made } else { 0 };
        most = most.max(now + made - reused);
        now = now + made - freed.iter().sum::<usize>();
        for tensor in operation.outputs() {
            match last.contains_key(&tensor.id) {
                true => _ = alive.insert(tensor.id, bytes(tensor)),
                false => now -= bytes(tensor),
            }
        }
    }
    most
}

/// Whether an operation can write where it reads: not where a value is read for several outputs.
fn in_place(operation: &OperationIr) -> bool {
    match operation {
        OperationIr::Module(operation) => {
            matches!(operation, ModuleOperationIr::BatchNorm(_) | ModuleOperationIr::LayerNorm(_))
        }
        OperationIr::Float(_, FloatOperationIr::Matmul(_)) => false,
        _ => true,
    }
}

fn count(tensor: &TensorIr) -> usize {
    tensor.shape.num_elements()
}

fn bytes(tensor: &TensorIr) -> usize {
    count(tensor) * tensor.dtype.size()
}
