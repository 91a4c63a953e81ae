//! Encoders: images to feature maps of falling resolution.

use burn::tensor::{Device, Int, Tensor};

use crate::block::InvertedResiduals;
use crate::family::{FamilyError, Level, family};

pub mod alexnet;
pub mod cerranet;
pub mod convnext;
pub mod densenet;
pub mod dilated_vgg;
pub mod efficientnet;
pub mod efficientnet_lite0;
pub mod maggiori;
pub mod mit;
pub mod mobilenet_v2;
pub mod plain;
mod residual;
pub mod resnet;
pub mod resnext;
mod sequential;
pub mod swin;
pub mod vgg;

pub use residual::Residual;

/// What a network asks of its encoder.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    /// Bands of the images.
    pub bands: usize,
    /// The coarsest stride, where it is not the encoder's own; dilation keeps it up.
    pub output_stride: Option<usize>,
    /// Whether the decoder needs the indices of max-pooling.
    pub indices: bool,
}

impl Demand {
    /// Nothing but features, at the encoder's own strides.
    pub fn new(bands: usize) -> Self {
        Self { bands, output_stride: None, indices: false }
    }
}

/// What an encoder hands on.
#[derive(Clone, Debug)]
pub struct Features {
    /// One feature map for each of [`EncoderConfig::levels`] and in its order: `[batch, channels, H / stride, W / stride]`, less
    /// the [`margin`](Level::margin) of levels that have one.
    pub maps: Vec<Tensor<4>>,
    /// For each level that is [`pooled`](Level::pooled), when asked for: where the maxima of each 2x2 window stood, as
    /// `row * width + column` of the level's map, `[batch, channels, H / (2 stride), W / (2 stride)]`.
    pub indices: Vec<Option<Tensor<4, Int>>>,
}

impl Features {
    /// Features without indices.
    pub fn new(maps: Vec<Tensor<4>>) -> Self {
        Self { indices: vec![None; maps.len()], maps }
    }

    /// The maps of some levels, in the order of `levels`; the others are dropped.
    pub fn take(self, levels: &[usize]) -> Vec<Tensor<4>> {
        levels.iter().map(|&level| self.maps[level].clone()).collect()
    }
}

family! {
    /// The choice of an encoder, as recipes write it: `[model.encoder.resnet]`.
    config EncoderConfig as "encoder" {
        init(demand: Demand, device: &Device);

        /// The feature maps that the encoder makes, finest first, known without a device.
        ///
        /// `output_stride` asks for a coarsest stride other than the encoder's own, which dilation keeps up.
        ///
        /// # Errors
        /// When an option is out of range or the encoder cannot give that stride.
        fn levels(output_stride: Option<usize>) -> Result<Vec<Level>, FamilyError>;
    }

    /// An encoder with its weights.
    module Encoder {
        /// Feature maps of every level.
        ///
        /// # Shapes
        /// - `images`: `[batch, band, H, W]`, with H and W multiples of the coarsest stride, plus twice the coarsest
        ///   level's margin
        /// - output: see [`Features`]
        fn forward(images: Tensor<4>) -> Features;
    }

    members {
        /// U-Net's contracting path: two 3x3 convolutions a level, max-pooling between levels (2015)
        "plain" => Plain(plain::PlainConfig, plain::Plain),
        /// Deep residual network of depth 18, 34, 50, 101 or 152 (2015)
        "resnet" => Resnet(resnet::ResnetConfig, Residual),
        /// Residual network with grouped convolutions, of depth 50 or 101 (2016)
        "resnext" => Resnext(resnext::ResnextConfig, Residual),
        /// Convolutions and overlapping pools of the network of 2012, at strides 4 to 32
        "alexnet" => Alexnet(alexnet::AlexnetConfig, alexnet::Alexnet),
        /// Chain of 3x3 convolutions of depth 11, 13, 16 or 19, with or without batch normalization (2014)
        "vgg" => Vgg(vgg::VggConfig, vgg::Vgg),
        /// VGG16 with dilated convolutions at stride 8, as in DeepLab-LargeFOV (2014)
        "dilated_vgg" => DilatedVgg(dilated_vgg::DilatedVggConfig, dilated_vgg::DilatedVgg),
        /// Densely connected network, DenseNet-121 by default (2016)
        "densenet" => Densenet(densenet::DensenetConfig, densenet::Densenet),
        /// Three convolutions at stride 4 for aerial images, after Mnih's patch network (2017)
        "maggiori" => Maggiori(maggiori::MaggioriConfig, maggiori::Maggiori),
        /// MobileNetV2: inverted residuals, made for phones (2018)
        "mobilenet_v2" => MobilenetV2(mobilenet_v2::MobilenetV2Config, InvertedResiduals),
        /// EfficientNet b0 to b4: inverted residuals with squeeze-and-excitation (2019)
        "efficientnet" => Efficientnet(efficientnet::EfficientnetConfig, InvertedResiduals),
        /// EfficientNet-Lite0: without squeeze-and-excitation, fast everywhere (2020)
        "efficientnet_lite0" => EfficientnetLite0(efficientnet_lite0::EfficientnetLite0Config, InvertedResiduals),
        /// CerraNet: single 3x3 convolutions with average pooling, a patch classifier's encoder (2022)
        "cerranet" => Cerranet(cerranet::CerranetConfig, cerranet::Cerranet),
        /// Mix Transformer b0 to b2, SegFormer's encoder (2021)
        "mit" => Mit(mit::MitConfig, mit::Mit),
        /// Swin Transformer, tiny: attention in shifted windows (2021)
        "swin" => Swin(swin::SwinConfig, swin::Swin),
        /// ConvNeXt, tiny or small: large depthwise kernels and layer normalization (2022)
        "convnext" => Convnext(convnext::ConvnextConfig, convnext::Convnext),
    }
}

/// The refusal of a number that an option holds.
fn refuse(
    member: &'static str,
    option: &'static str,
    value: usize,
    reason: impl Into<String>,
    nearest: usize,
) -> FamilyError {
    let nearest = format!("`{option} = {nearest}`");
    FamilyError::Option { member, option, value: value.to_string(), reason: reason.into(), nearest }
}

/// The output stride of an encoder that has 32, or by dilation 16 or 8.
fn dilated_stride(member: &'static str, output_stride: Option<usize>) -> Result<usize, FamilyError> {
    match output_stride.unwrap_or(32) {
        stride @ (8 | 16 | 32) => Ok(stride),
        stride => {
            let nearest = match stride {
                ..12 => 8,
                12..24 => 16,
                24.. => 32,
            };
            Err(refuse(member, "output_stride", stride, "dilation gives 8, 16 and 32", nearest))
        }
    }
}

/// Refuses an output stride that is not the encoder's own.
fn only_stride(member: &'static str, own: usize, output_stride: Option<usize>) -> Result<(), FamilyError> {
    match output_stride {
        Some(stride) if stride != own => {
            Err(refuse(member, "output_stride", stride, "this encoder has no dilated form", own))
        }
        _ => Ok(()),
    }
}

/// Refuses a number of channels that is none or too large to be meant.
fn refuse_channels(member: &'static str, option: &'static str, value: usize, most: usize) -> Result<(), FamilyError> {
    match value.clamp(1, most) {
        nearest if nearest != value => {
            Err(refuse(member, option, value, format!("1 to {most} channels are possible"), nearest))
        }
        _ => Ok(()),
    }
}
