//! The one model type: encoder, decoder and head, from images to logits at the images' own size.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

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
struct Plan {
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
    /// With the reason and the nearest valid choice.
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
        let Plan { levels, output } = self.plan()?;
        let head = match output {
            Output::Features(level) => Some(self.head.init(level.channels, self.classes, device)),
            Output::Scores(_) => None,
        };
        let demand = Demand {
            bands: self.bands,
            output_stride: self.decoder.output_stride(),
            indices: self.decoder.needs_indices(),
        };
        let segmenter = Segmenter {
            encoder: self.encoder.init(demand, device),
            decoder: self.decoder.init(&levels, self.classes, device),
            head,
            stride: Level::coarsest(&levels),
        };
        Ok(weights::initialize(segmenter, 0))
    }

    /// The coarsest stride of the network. Chips whose sides are multiples of it need no padding.
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn stride(&self) -> Result<usize, FamilyError> {
        Ok(Level::coarsest(&self.plan()?.levels))
    }

    fn plan(&self) -> Result<Plan, FamilyError> {
        for (option, value) in [("bands", self.bands), ("classes", self.classes)] {
            if value == 0 {
                return Err(FamilyError::Option {
                    member: "network",
                    option,
                    value: "0".into(),
                    reason: format!("a network without {option} does nothing"),
                    nearest: format!("{option} = 1"),
                });
            }
        }
        self.head.validate()?;
        let levels = self.encoder.levels(self.decoder.output_stride())?;
        let output = self.decoder.out(&levels, self.classes)?;
        if matches!(output, Output::Scores(_)) && self.head != HeadConfig::default() {
            return Err(FamilyError::Option {
                member: "head",
                option: "kernel",
                value: self.head.kernel.to_string(),
                reason: format!("decoder {} scores classes itself and no head follows", self.decoder.name()),
                nearest: format!("kernel = {}", HeadConfig::default().kernel),
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
}

impl Segmenter {
    /// Logits for images of any size.
    ///
    /// Images are extended at their lower and right edge to whole strides by mirroring; the logits are resized once,
    /// bilinearly, to the extended size and cropped to the images. No softmax: that belongs to the loss or the
    /// prediction.
    ///
    /// # Shapes
    /// - `images`: `[batch, band, H, W]`, any H and W from 1
    /// - output: `[batch, class, H, W]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = images.dims();
        let images = pad_mirror(images, self.stride);
        let [_, _, padded_height, padded_width] = images.dims();
        let x = self.decoder.forward(self.encoder.forward(images));
        let logits = match &self.head {
            Some(head) => head.forward(x),
            None => x,
        };
        crop(ops::planes(resize(logits, [padded_height, padded_width])), [height, width])
    }

    /// The encoder, for looking at its features.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }
}
