//! Decoders: feature maps of many resolutions to one.

use burn::tensor::{Device, Tensor};

use crate::encoder::Features;
use crate::family::{FamilyError, Level, family};

pub mod classifier;
pub mod deconvnet;
pub mod deeplab_v1;
pub mod deeplab_v3;
pub mod deeplab_v3_plus;
pub mod dilation;
pub mod fcn;
pub mod fpn;
pub mod hypercolumn;
pub mod linknet;
mod mirror;
pub mod mlp;
pub mod polycnn;
pub mod pspnet;
pub mod segformer;
pub mod segnet;
pub mod unet;
pub mod unet_plus_plus;
pub mod upernet;

/// What a decoder hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Features, which the head turns into one channel a class.
    Features(Level),
    /// Already one channel a class, as in FCN, which fuses class scores; no head follows.
    Scores(Level),
    /// Several feature maps of the same level, one after the other along the channels. Each has a head of its own; all are
    /// trained, and prediction takes the mean of their logits.
    Several {
        /// Of one of them.
        level: Level,
        /// How many.
        count: usize,
    },
}

impl Output {
    /// Channels and stride of what the decoder hands on.
    pub fn level(&self) -> Level {
        match *self {
            Self::Features(level) | Self::Scores(level) | Self::Several { level, .. } => level,
        }
    }
}

/// Refuses options that are 0.
fn at_least_one(member: &'static str, options: &[(&'static str, usize)]) -> Result<(), FamilyError> {
    let zero = options.iter().find(|(_, value)| *value == 0);
    zero.map_or(Ok(()), |(option, _)| {
        Err(FamilyError::Option {
            member,
            option,
            value: "0".into(),
            reason: "it has to be at least 1".into(),
            nearest: format!("`{option} = 1`"),
        })
    })
}

/// Refuses strides that encoders are not dilated for.
fn check_output_stride(member: &'static str, stride: usize) -> Result<(), FamilyError> {
    let nearest = [8, 16, 32].into_iter().min_by_key(|possible| stride.abs_diff(*possible));
    match nearest {
        Some(nearest) if nearest != stride => Err(FamilyError::Option {
            member,
            option: "output_stride",
            value: stride.to_string(),
            reason: "encoders end at stride 8, 16 or 32".into(),
            nearest: format!("`output_stride = {nearest}`"),
        }),
        _ => Ok(()),
    }
}

/// The deepest level of each stride from 4 on, finest first: what pyramids are built from.
fn pyramid(levels: &[Level]) -> Vec<usize> {
    let mut strides: Vec<usize> = levels.iter().map(|level| level.stride).filter(|stride| *stride >= 4).collect();
    strides.sort();
    strides.dedup();
    strides.into_iter().filter_map(|stride| Level::find(levels, stride)).collect()
}

/// The deepest level of each of `strides`, or of every stride that the encoder has; finest first.
fn chosen(decoder: &'static str, levels: &[Level], strides: Option<&[usize]>) -> Result<Vec<usize>, FamilyError> {
    let own = || levels.iter().map(|level| level.stride);
    let mut wanted: Vec<usize> = strides.map_or_else(|| own().collect(), <[usize]>::to_vec);
    wanted.sort();
    wanted.dedup();
    let refuse = |reason: String| {
        let mut possible: Vec<usize> =
            wanted.iter().copied().filter(|wanted| own().any(|own| own == *wanted)).collect();
        if possible.is_empty() {
            possible = own().collect();
            possible.dedup();
        }
        FamilyError::Pair { decoder, reason, nearest: format!("`strides = {possible:?}`") }
    };
    if wanted.is_empty() {
        return Err(refuse("`strides = []`, but it takes at least one level".into()));
    }
    let find = |stride: &usize| {
        let missing = || format!("it takes stride {stride}, but the encoder has strides {}", Level::strides(levels));
        Level::find(levels, *stride).ok_or_else(|| refuse(missing()))
    };
    wanted.iter().map(find).collect()
}

/// The deepest level of a stride.
fn required(decoder: &'static str, levels: &[Level], stride: usize) -> Result<usize, FamilyError> {
    Level::find(levels, stride).ok_or_else(|| FamilyError::Pair {
        decoder,
        reason: format!("it needs features of stride {stride}, but the encoder has strides {}", Level::strides(levels)),
        nearest: "encoder `resnet`".into(),
    })
}

/// The deepest level of the coarsest stride.
fn coarsest(levels: &[Level]) -> usize {
    Level::find(levels, Level::coarsest(levels)).unwrap_or_default()
}

family! {
    /// The choice of a decoder, as recipes write it: `[model.decoder.unet]`.
    config DecoderConfig as "decoder" {
        init(levels: &[Level], classes: usize, device: &Device);

        /// The coarsest stride that the decoder wants from its encoder; `None` takes the encoder's own.
        fn output_stride() -> Option<usize>;

        /// Whether the decoder needs the indices of max-pooling.
        fn needs_indices() -> bool;

        /// What the decoder hands on for these levels.
        ///
        /// # Errors
        /// When an option is out of range or the levels lack what the decoder needs.
        fn out(levels: &[Level], classes: usize) -> Result<Output, FamilyError>;
    }

    /// A decoder with its weights.
    module Decoder {
        /// One feature map from many.
        ///
        /// # Shapes
        /// - `features`: those of the levels given to `init`
        /// - output: `[batch, channels, (H - 2 margin) / stride, (W - 2 margin) / stride]` with the level of
        ///   [`DecoderConfig::out`]; the channels of all maps where these are several; one pixel from networks for whole patches
        fn forward(features: Features) -> Tensor<4>;
    }

    members {
        /// U-Net's expanding path: upsample, join the encoder's features, two 3x3 convolutions (2015)
        "unet" => Unet(unet::UnetConfig, unet::Unet),
        /// Fully convolutional network 32s, 16s or 8s: class scores of several strides, upsampled and added (2015)
        "fcn" => Fcn(fcn::FcnConfig, fcn::Fcn),
        /// DeepLab with a large field of view: scores of dilated features, on `dilated_vgg` (2015)
        "deeplab_v1" => DeeplabV1(deeplab_v1::DeeplabV1Config, deeplab_v1::DeeplabV1),
        /// Scores refined by a context module of dilated convolutions that starts as the identity (2016)
        "dilation" => Dilation(dilation::DilationConfig, dilation::Dilation),
        /// Hypercolumns: each pixel's activations at several levels through a perceptron (2015)
        "hypercolumn" => Hypercolumn(hypercolumn::HypercolumnConfig, hypercolumn::Hypercolumn),
        /// A pool of features from several levels, combined by one hidden layer (2017)
        "mlp" => Mlp(mlp::MlpConfig, mlp::Mlp),
        /// Feature pyramid: levels joined from coarse to fine, and the sum of a branch from each (2017)
        "fpn" => Fpn(fpn::FpnConfig, fpn::Fpn),
        /// Pyramid pooling on top of a feature pyramid (2018)
        "upernet" => Upernet(upernet::UpernetConfig, upernet::Upernet),
        /// Pyramid scene parsing: means over 1, 2, 3 and 6 parts of the map (2017)
        "pspnet" => Pspnet(pspnet::PspnetConfig, pspnet::Pspnet),
        /// DeepLabV3: atrous spatial pyramid pooling with image pooling (2017)
        "deeplab_v3" => DeeplabV3(deeplab_v3::DeeplabV3Config, deeplab_v3::DeeplabV3),
        /// DeepLabV3+: separable atrous pyramid, sharpened by features of stride 4 (2018)
        "deeplab_v3_plus" => DeeplabV3Plus(deeplab_v3_plus::DeeplabV3PlusConfig, deeplab_v3_plus::DeeplabV3Plus),
        /// SegFormer's decoder: each level through one linear layer, upsampled and fused (2021)
        "segformer" => Segformer(segformer::SegformerConfig, segformer::Segformer),
        /// Encoder mirrored by transposed convolutions and unpooling, with a 7x7 window at the turn (2015)
        "deconvnet" => Deconvnet(deconvnet::DeconvnetConfig, deconvnet::Deconvnet),
        /// Encoder mirrored by convolutions, and unpooling to where its maxima stood (2017)
        "segnet" => Segnet(segnet::SegnetConfig, segnet::Segnet),
        /// LinkNet: narrow steps that add the encoder's features; light and fast (2017)
        "linknet" => Linknet(linknet::LinknetConfig, linknet::Linknet),
        /// One class for the whole patch: classifies scenes, and makes maps by sliding (CNN-PC, CNN-SPL)
        "classifier" => Classifier(classifier::ClassifierConfig, classifier::Classifier),
        /// The four corners of the one object in the middle of a patch, for `swath outline` (2018)
        "polycnn" => Polycnn(polycnn::PolycnnConfig, polycnn::Polycnn),
        /// UNet++: U-Net with nested dense connections, and deep supervision on demand (2020)
        "unet_plus_plus" => UnetPlusPlus(unet_plus_plus::UnetPlusPlusConfig, unet_plus_plus::UnetPlusPlus),
    }
}
