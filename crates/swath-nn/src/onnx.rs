//! Networks as ONNX files, which other programs run without Swath.
//!
//! A network is recorded as prediction on CPUs records it, operation by operation, and each operation is written as ONNX's. Members of
//! the family need nothing for it. What is recorded holds the sizes of one image; recorded at several sizes, the numbers that differ show how
//! they follow from batch, height and width, and the file computes them (see `size`).
//!
//! | file | what |
//! | --- | --- |
//! | `record` | a forward pass at several sizes |
//! | `size` | numbers that follow from the sizes of the images |
//! | `translate`, `layers` | from Burn's operations to ONNX's |
//! | `graph` | nodes, initializers, and the sizes that nodes need |
//! | `proto` | the file |

use burn::tensor::TensorData;

use crate::cpu::ExecutorError;
use crate::segmenter::Segmenter;

mod graph;
mod layers;
mod proto;
mod record;
mod size;
mod translate;

use graph::Graph;
use proto::{Attribute, Dimension};
use record::Recording;
use size::Unknown;

/// The name of the input.
const INPUT: &str = "images";

/// What goes into a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Bands of the images.
    pub bands: usize,
    /// Height and width of the images; without it they are left open, in multiples of [`Segmenter::stride`].
    pub size: Option<[usize; 2]>,
    /// Mean and standard deviation of each band, where the file shall normalize.
    pub normalization: Option<[Vec<f32>; 2]>,
    /// What the file puts out.
    pub output: Output,
    /// Keys and values that readers of the file see, and after them `size_least` where sizes are open: see [`Model::least`].
    pub metadata: Vec<(String, String)>,
}

/// What a file puts out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// What the network computes, `[batch, class, height, width]`.
    Logits,
    /// Their softmax over the classes, `[batch, class, height, width]`.
    Scores {
        /// Logits are divided by it first.
        temperature: f32,
    },
    /// The outline that `polycnn` draws, `[batch, corner, 2]`: x and y of each corner in pixels from the image's upper left corner. For images of
    /// a given size only.
    Corners,
}

impl Output {
    /// The name of the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logits => "logits",
            Self::Scores { .. } => "scores",
            Self::Corners => "corners",
        }
    }
}

/// A file, and what images it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Images in a batch: any number, or one.
    pub any_batch: bool,
    /// Height and width of the images; where it is open, they are multiples of [`Segmenter::stride`].
    pub size: Option<[usize; 2]>,
    /// The least height and width where they are open: the network may treat smaller images in another way.
    pub least: usize,
}

/// Why a network has no file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// An operation has no translation.
    #[error("the network has an operation without translation to ONNX: {operation}")]
    Operation {
        /// The operation's name in Burn.
        operation: String,
    },
    /// Images of different size are treated differently.
    #[error(
        "what the network does depends on the size of the images ({operation}), so the file is for images of one size: give it"
    )]
    Sizes {
        /// The first operation that differs.
        operation: String,
    },
    /// The output is the same for every image.
    #[error("the network's output does not depend on the images")]
    Constant,
    /// The file would be too large for its format.
    #[error("the file would have {bytes} bytes, but ONNX ends at 2 GiB")]
    Large {
        /// Its size.
        bytes: usize,
    },
    /// The network could not be recorded.
    #[error(transparent)]
    Record(#[from] ExecutorError),
}

/// Writes a network as an ONNX file of version 17 of the operators, with one input `images`, `[batch, band, height, width]`, and one output.
///
/// # Errors
/// [`OnnxError::Sizes`] when the size of the images has to be given, and otherwise when the network cannot be expressed.
///
/// # Panics
/// When corners are wanted of a network that has an answer for each pixel.
pub fn export(network: &Segmenter, options: &Options) -> Result<Model, OnnxError> {
    let record = |unknowns: Vec<Unknown>| {
        let [height, width] = options.size.unwrap_or([1, 1]);
        Recording::new(unknowns, [1, options.bands, height, width], |device, images| {
            // As in the executor: clones share their running statistics, which moving one would take from the others.
            use burn::module::Module;
            let network = network.valid().to_device(device);
            match options.output {
                Output::Logits | Output::Scores { .. } => network.forward(images),
                Output::Corners => network.of_patches(images).unsqueeze_dims(&[-1, -1]),
            }
        })
    };
    if let (Output::Corners, None) = (options.output, options.size) {
        return Err(OnnxError::Sizes { operation: "corners in pixels".into() });
    }
    let (any_batch, recording) = match options.size {
        None => {
            let [rows, cols] = Unknown::area(network.stride());
            (true, record(vec![Unknown::batch(), rows, cols])?)
        }
        Some(_) => match record(vec![Unknown::batch()]) {
            Err(OnnxError::Sizes { .. }) => (false, record(Vec::new())?),
            recording => (true, recording?),
        },
    };
    let (classes, least) = (recording.classes(), recording.least * network.stride());
    let (mut graph, logits) =
        translate::translate(recording, |graph| normalized(graph, options.normalization.as_ref()))?;
    let name = options.output.name();
    match options.output {
        Output::Logits => graph.named("Identity", &[&logits], name, &[]),
        Output::Scores { temperature } => {
            let logits = match temperature {
                1.0 => logits,
                temperature => {
                    let temperature = graph.float(temperature.into());
                    graph.node("Div", &[&logits, &temperature], &[])
                }
            };
            graph.named("Softmax", &[&logits], name, &[("axis", Attribute::Int(1))]);
        }
        Output::Corners => {
            let pairs = graph.ints(&[-1, classes as i64 / 2, 2]);
            let numbers = graph.node("Reshape", &[&logits, &pairs], &[]);
            let shares = graph.node("Sigmoid", &[&numbers], &[]);
            let [height, width] = options.size.unwrap_or_default().map(|side| side as f32);
            let size = graph.constant(&TensorData::new(vec![width, height], [2]));
            graph.named("Mul", &[&shares, &size], name, &[]);
        }
    }
    let batch = if any_batch { Dimension::Named("batch") } else { Dimension::Known(1) };
    let [height, width] = match options.size {
        Some(size) => size.map(Dimension::Known),
        None => [Dimension::Named("height"), Dimension::Named("width")],
    };
    let planes = |channels| vec![batch.clone(), Dimension::Known(channels), height.clone(), width.clone()];
    let output = match options.output {
        Output::Logits | Output::Scores { .. } => planes(classes),
        Output::Corners => vec![batch.clone(), Dimension::Known(classes / 2), Dimension::Known(2)],
    };
    let ends = [proto::end(INPUT, &planes(options.bands)), proto::end(name, &output)];
    let mut metadata = options.metadata.clone();
    if options.size.is_none() {
        metadata.push(("size_least".to_owned(), least.to_string()));
    }
    let bytes = proto::model(graph.into_body(), ends, &metadata)?;
    Ok(Model { bytes, any_batch, size: options.size, least })
}

/// `(images - mean) / std`
fn normalized(graph: &mut Graph, normalization: Option<&[Vec<f32>; 2]>) -> String {
    let Some(normalization) = normalization else { return INPUT.into() };
    let [mean, std] = normalization
        .each_ref()
        .map(|values| graph.constant(&TensorData::new(values.clone(), [1, values.len(), 1, 1])));
    let centred = graph.node("Sub", &[INPUT, &mean], &[]);
    graph.node("Div", &[&centred, &std], &[])
}
