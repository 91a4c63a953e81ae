//! The one model type: encoder, decoder and head, from images to logits at the images' own size.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::advice;
use crate::block::{crop, pad_mirror, resize};
use crate::decoder::{Decoder, DecoderConfig, Output};
use crate::encoder::{Demand, Encoder, EncoderConfig};
use crate::family::{FamilyError, Level};
use crate::head::{Head, HeadConfig};
use crate::ops;
use crate::weights;

/// A complete network as plain data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmenterConfig {
    /// Images to features.
    pub encoder: EncoderConfig,
    /// Features to one feature map.
    pub decoder: DecoderConfig,
    /// Features to classes.
    #[serde(default)]
    pub head: HeadConfig,
    /// Bands of the images.
    pub bands: usize,
    /// Number of classes.
    pub classes: usize,
}

/// What a config resolves to once it is known to be valid.
pub(crate) struct Plan {
    levels: Vec<Level>,
    output: Output,
}

impl SegmenterConfig {
    /// A network with the default head.
    pub fn new(
        encoder: impl Into<EncoderConfig>,
        decoder: impl Into<DecoderConfig>,
        bands: usize,
        classes: usize,
    ) -> Self {
        Self { encoder: encoder.into(), decoder: decoder.into(), head: HeadConfig::default(), bands, classes }
    }

    /// Checks every option and that the parts fit together, without allocating anything.
    ///
    /// # Errors
    /// With the reason and the nearest valid choice: what it says to write makes a network that is valid, unless several things
    /// are wrong at once.
    pub fn validate(&self) -> Result<(), FamilyError> {
        self.plan().map(drop)
    }

    /// Makes the network with weights drawn from `seed` 0; see [`weights::initialize`] for other seeds.
    ///
    /// On a device with autodiff ([`Device::autodiff`]) the network trains; on a plain one it predicts.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn init(&self, device: &Device) -> Result<Segmenter, FamilyError> {
        Ok(weights::initialize(self.build(device)?, 0))
    }

    /// The number of values that training changes: weights, without running statistics.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn parameters(&self) -> Result<usize, FamilyError> {
        Ok(weights::parameters(&self.unfilled()?))
    }

    /// The network with parameters that hold nothing and take no memory, to see what there will be.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn unfilled(&self) -> Result<Segmenter, FamilyError> {
        self.build(&Device::default())
    }

    /// The network with parameters that hold zeros, and take no memory until something reads them.
    pub(crate) fn build(&self, device: &Device) -> Result<Segmenter, FamilyError> {
        let Plan { levels, output } = self.plan()?;
        let head = match output {
            Output::Features(level) => Some(self.head.init(level.channels, self.classes, device)),
            Output::Several { level, count } => {
                Some(self.head.init_several(count, level.channels, self.classes, device))
            }
            Output::Scores(_) => None,
        };
        let demand = Demand {
            bands: self.bands,
            output_stride: self.decoder.output_stride(),
            indices: self.decoder.needs_indices(),
        };
        Ok(Segmenter {
            encoder: self.encoder.init(demand, device),
            decoder: self.decoder.init(&levels, self.classes, device),
            head,
            stride: Level::coarsest(&levels),
            beyond: levels.iter().map(|level| level.margin).max().unwrap_or(0),
            margin: output.level().margin,
            outputs: match output {
                Output::Several { count, .. } => count,
                Output::Features(_) | Output::Scores(_) => 1,
            },
        })
    }

    /// The coarsest stride of the network. Chips whose sides are multiples of it need no padding.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn stride(&self) -> Result<usize, FamilyError> {
        Ok(Level::coarsest(&self.plan()?.levels))
    }

    fn plan(&self) -> Result<Plan, FamilyError> {
        self.check().map_err(|refusal| advice::complete(self, refusal))
    }

    /// What [`plan`](Self::plan) does, with what the members themselves propose.
    pub(crate) fn check(&self) -> Result<Plan, FamilyError> {
        for (option, value) in [("bands", self.bands), ("classes", self.classes)] {
            if value == 0 {
                return Err(FamilyError::Option {
                    member: "network",
                    option,
                    value: "0".into(),
                    reason: format!("a network without {option} does nothing"),
                    nearest: format!("`{option} = 1`"),
                });
            }
        }
        self.head.validate()?;
        let stride = self.decoder.output_stride();
        // The decoder's option, which the encoder cannot fulfil.
        let levels = self.encoder.levels(stride).map_err(|refusal| match refusal {
            FamilyError::Option { member, option: option @ "output_stride", value, reason, nearest } => {
                FamilyError::Option {
                    member: self.decoder.title(),
                    option,
                    value,
                    reason: format!("{member} cannot give it: {reason}"),
                    nearest,
                }
            }
            own => own,
        })?;
        let output = self.decoder.out(&levels, self.classes)?;
        if matches!(output, Output::Scores(_)) && self.head != HeadConfig::default() {
            return Err(FamilyError::Option {
                member: "head",
                option: "kernel",
                value: self.head.kernel.to_string(),
                reason: format!("decoder {} scores classes itself and no head follows", self.decoder.name()),
                nearest: format!("`kernel = {}`", HeadConfig::default().kernel),
            });
        }
        if levels.iter().any(|level| level.margin > output.level().margin) {
            return Err(FamilyError::Pair {
                decoder: self.decoder.name(),
                reason: "the encoder's convolutions are not padded, and this decoder does not make up for it".into(),
                nearest: "decoder `unet` with `padding = \"valid\"`".into(),
            });
        }
        Ok(Plan { levels, output })
    }
}

/// A segmentation network with its weights.
#[derive(Module, Debug)]
pub struct Segmenter {
    encoder: Encoder,
    decoder: Decoder,
    head: Option<Head>,
    stride: usize,
    /// Pixels on each side that the encoder's coarsest features do not reach.
    beyond: usize,
    /// Pixels on each side that the decoder's features do not reach.
    margin: usize,
    /// Feature maps that the decoder hands on.
    outputs: usize,
}

impl Segmenter {
    /// Logits for images of any size; the mean of those of all outputs, where a network has several.
    ///
    /// Images are extended at their lower and right edge to whole strides by mirroring; the logits are resized once,
    /// bilinearly, to the extended size and cropped to the images. Where convolutions are not padded, images are extended on
    /// all sides by as much as the logits lack there, so that these cover the images wholly. No softmax: that belongs to the
    /// loss or the prediction.
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`, any H and W from 1
    /// - output: `[batch, class, H, W]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        let x = self.outputs(images);
        let logits = if self.outputs > 1 { ops::mean_of_parts(x, self.outputs) } else { x };
        self.covering(logits, [height, width])
    }

    /// The logits of every output, for training: one for most networks, several for those with deep supervision.
    ///
    /// # Shapes
    /// As [`forward`](Self::forward), each.
    pub fn forward_each(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let [_, _, height, width] = images.dims();
        let logits = self.covering(self.outputs(images), [height, width]);
        if self.outputs > 1 { logits.chunk(self.outputs, 1) } else { vec![logits] }
    }

    /// What a network for whole patches says of each, such as a classifier's scores or the corners of `polycnn`, before any activation.
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`, any H and W from 1
    /// - output: `[batch, class]`
    ///
    /// # Panics
    /// When the network gives more than one pixel.
    pub fn of_patches(&self, images: Tensor<4>) -> Tensor<2> {
        let numbers = ops::planes(self.outputs(images));
        let [batch, classes, height, width] = numbers.dims();
        assert_eq!([height, width], [1, 1], "this network has an answer for each pixel");
        numbers.reshape([batch, classes])
    }

    /// The coarsest stride. Images whose sides are multiples of it need no padding.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The encoder, for looking at its features.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The logits of all outputs, one after the other along the channels.
    fn outputs(&self, images: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        let images = pad_mirror(images, self.margin, [self.extended(height), self.extended(width)]);
        let x = self.decoder.forward(self.encoder.forward(images));
        match &self.head {
            Some(head) => head.forward(x),
            None => x,
        }
    }

    /// Logits at the size of the images.
    fn covering(&self, logits: Tensor<4>, [height, width]: [usize; 2]) -> Tensor<4> {
        let covered = [height, width].map(|size| self.extended(size) - 2 * self.margin);
        crop(ops::planes(resize(logits, covered)), [0, 0], [height, width])
    }

    /// The least size that the encoder can work on and whose logits cover `size` pixels: whole strides, and what it loses.
    fn extended(&self, size: usize) -> usize {
        (size + 2 * (self.margin - self.beyond)).next_multiple_of(self.stride) + 2 * self.beyond
    }
}
