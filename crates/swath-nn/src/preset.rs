//! Networks that people know by name.

mod source;

use crate::block::{Padding, Upsampling};
use crate::decoder::DecoderConfig;
use crate::decoder::classifier::ClassifierConfig;
use crate::decoder::deconvnet::DeconvnetConfig;
use crate::decoder::deeplab_v1::DeeplabV1Config;
use crate::decoder::deeplab_v3::DeeplabV3Config;
use crate::decoder::deeplab_v3_plus::DeeplabV3PlusConfig;
use crate::decoder::dilation::DilationConfig;
use crate::decoder::fcn::FcnConfig;
use crate::decoder::fpn::FpnConfig;
use crate::decoder::hypercolumn::HypercolumnConfig;
use crate::decoder::linknet::LinknetConfig;
use crate::decoder::mlp::MlpConfig;
use crate::decoder::pspnet::PspnetConfig;
use crate::decoder::segformer::SegformerConfig;
use crate::decoder::segnet::SegnetConfig;
use crate::decoder::unet::UnetConfig;
use crate::decoder::unet_plus_plus::UnetPlusPlusConfig;
use crate::decoder::upernet::UpernetConfig;
use crate::encoder::EncoderConfig;
use crate::encoder::alexnet::AlexnetConfig;
use crate::encoder::cerranet::CerranetConfig;
use crate::encoder::convnext::ConvnextConfig;
use crate::encoder::densenet::DensenetConfig;
use crate::encoder::dilated_vgg::DilatedVggConfig;
use crate::encoder::efficientnet::EfficientnetConfig;
use crate::encoder::efficientnet_lite0::EfficientnetLite0Config;
use crate::encoder::maggiori::MaggioriConfig;
use crate::encoder::mit::{MitConfig, Variant as Mit};
use crate::encoder::mobilenet_v2::MobilenetV2Config;
use crate::encoder::plain::PlainConfig;
use crate::encoder::resnet::ResnetConfig;
use crate::encoder::resnext::ResnextConfig;
use crate::encoder::swin::SwinConfig;
use crate::encoder::vgg::VggConfig;
use crate::head::HeadConfig;
use crate::segmenter::SegmenterConfig;
use source::{Paper, Weights};

/// A named network: where it comes from and how it is built.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name people search for.
    pub name: &'static str,
    /// One line on what it is and what it is good for.
    pub summary: &'static str,
    /// Authors and title of the paper.
    pub paper: &'static str,
    /// Where to read it.
    pub url: &'static str,
    /// Year of publication.
    pub year: u16,
    /// Where trained weights of its encoder come from; `None` when training starts from random weights.
    pub weights: Option<&'static str>,
    /// Licence of those weights; `None` when their publisher states none.
    pub weights_licence: Option<&'static str>,
    /// The network for a number of bands and classes.
    pub config: fn(bands: usize, classes: usize) -> SegmenterConfig,
}

const fn preset(
    name: &'static str,
    summary: &'static str,
    Paper { title, year, url }: Paper,
    Weights { from, licence }: Weights,
    config: fn(usize, usize) -> SegmenterConfig,
) -> Preset {
    Preset { name, summary, paper: title, url, year, weights: from, weights_licence: licence, config }
}

/// Every preset, in the order of lists: by decoder.
#[rustfmt::skip]
pub static PRESETS: &[Preset] = &[
    preset("unet", "U-Net with batch normalization: a good first choice for a few thousand chips",
        source::UNET, source::NONE, |b, c| with_head(1, PlainConfig::default(), UnetConfig::default(), b, c)),
    preset("unet-half", "U-Net with half the filters: a quarter of the time, half the memory",
        source::UNET, source::NONE, |b, c| with_head(1, narrow_plain(), UnetConfig::default(), b, c)),
    preset("unet-valid", "U-Net as published: no padding, no normalization, mirrored image edges",
        source::UNET, source::NONE, |b, c| {
            let (padding, batch_norm) = (Padding::Valid, false);
            let decoder = UnetConfig { padding, batch_norm, ..UnetConfig::default() };
            with_head(1, PlainConfig { padding, batch_norm, ..PlainConfig::default() }, decoder, b, c)
        }),
    preset("ternausnet", "U-Net without normalization on VGG11, after TernausNet, whose own decoder is narrower",
        source::TERNAUSNET, source::VGG11, |b, c| {
            with_head(1, vgg(11), UnetConfig { batch_norm: false, ..UnetConfig::default() }, b, c)
        }),
    preset("unet-vgg16", "U-Net on VGG16 with batch normalization",
        source::UNET, source::VGG16_BN, |b, c| unet(vgg16_normalized(), b, c)),
    preset("unet-resnet18", "U-Net on ResNet-18, the Unet of segmentation_models.pytorch: quick to train",
        source::UNET, source::RESNET18, |b, c| unet(resnet(18), b, c)),
    preset("unet-resnet34", "U-Net on a residual encoder, layer for layer the Unet of segmentation_models.pytorch",
        source::UNET, source::RESNET34, |b, c| unet(resnet(34), b, c)),
    preset("unet-resnet50", "U-Net on ResNet-50, the Unet of segmentation_models.pytorch",
        source::UNET, source::RESNET50, |b, c| unet(resnet(50), b, c)),
    preset("unet-resnext50", "U-Net on ResNeXt-50 32x4d, the Unet of segmentation_models.pytorch",
        source::UNET, source::RESNEXT50, |b, c| unet(ResnextConfig::default(), b, c)),
    preset("unet-densenet121", "U-Net on DenseNet-121",
        source::UNET, source::DENSENET121, |b, c| unet(DensenetConfig::default(), b, c)),
    preset("unet-mobilenet-v2", "U-Net on MobileNetV2: few parameters and multiplications",
        source::UNET, source::MOBILENET_V2, |b, c| unet(MobilenetV2Config::default(), b, c)),
    preset("unet-efficientnet-b0", "U-Net on EfficientNet-B0",
        source::UNET, source::EFFICIENTNET_B0, |b, c| unet(EfficientnetConfig::default(), b, c)),
    preset("unet-efficientnet-lite0", "U-Net on EfficientNet-Lite0: few multiplications and no squeeze-and-excitation",
        source::UNET, source::EFFICIENTNET_LITE0, |b, c| unet(EfficientnetLite0Config::default(), b, c)),
    preset("unet-plus-plus-resnet34", "UNet++ on a residual encoder, layer for layer that of segmentation_models.pytorch",
        source::UNET_PLUS_PLUS, source::RESNET34, |b, c| with_head(3, resnet(34), smp_unet_plus_plus(), b, c)),
    preset("linknet34", "LinkNet on ResNet-34: light and fast",
        source::LINKNET, source::RESNET34, |b, c| with_head(1, resnet(34), LinknetConfig::default(), b, c)),
    preset("segnet", "SegNet on VGG16: unpools to where the encoder's maxima stood, in little memory",
        source::SEGNET, source::VGG16_BN, |b, c| with_head(3, vgg16_normalized(), SegnetConfig::default(), b, c)),
    preset("deconvnet", "DeconvNet on VGG16: the whole network mirrored, its classifier included",
        source::DECONVNET, source::VGG16_BN, |b, c| with_head(1, vgg16_normalized(), DeconvnetConfig::default(), b, c)),
    preset("fcn-alexnet", "FCN-32s on AlexNet with its classifier as convolutions",
        source::FCN, source::ALEXNET, |b, c| fcn(32, AlexnetConfig { classifier: Some(4096), ..AlexnetConfig::default() }, b, c)),
    preset("fcn32s-vgg16", "FCN-32s on VGG16 with its classifier as convolutions: class scores of stride 32, upsampled",
        source::FCN, source::VGG16, |b, c| fcn(32, classifying_vgg16(), b, c)),
    preset("fcn16s-vgg16", "FCN-16s on VGG16 with its classifier: class scores of strides 32 and 16",
        source::FCN, source::VGG16, |b, c| fcn(16, classifying_vgg16(), b, c)),
    preset("fcn8s-vgg16", "FCN-8s on VGG16 with its classifier: class scores of strides 32, 16 and 8",
        source::FCN, source::VGG16, |b, c| fcn(8, classifying_vgg16(), b, c)),
    preset("fcn32s-resnet50", "FCN-32s on ResNet-50: class scores of stride 32, upsampled",
        source::FCN, source::RESNET50, |b, c| fcn(32, resnet(50), b, c)),
    preset("fcn16s-resnet50", "FCN-16s on ResNet-50: class scores of strides 32 and 16",
        source::FCN, source::RESNET50, |b, c| fcn(16, resnet(50), b, c)),
    preset("fcn8s-resnet50", "FCN-8s on ResNet-50: class scores of strides 32, 16 and 8",
        source::FCN, source::RESNET50, |b, c| fcn(8, resnet(50), b, c)),
    preset("hypercolumn-vgg16", "Hypercolumns on VGG16: each pixel's activations at six strides, through a perceptron",
        source::HYPERCOLUMN, source::VGG16, |b, c| with_head(1, vgg(16), HypercolumnConfig::default(), b, c)),
    preset("maggiori", "Three convolutions at stride 4 and a window of 9x9, made for aerial images: tiny and fast",
        source::MAGGIORI, source::NONE, |b, c| {
            with_head(9, MaggioriConfig::default(), UnetConfig { channels: Some(vec![]), ..UnetConfig::default() }, b, c)
        }),
    preset("maggiori-mlp", "A pool of features of strides 4 to 16 from a narrow U-Net's encoder, combined by one hidden layer",
        source::MAGGIORI_MLP, source::NONE, |b, c| with_head(1, narrow_plain(), MlpConfig::default(), b, c)),
    preset("deeplabv1-largefov", "DeepLab-LargeFOV: VGG16 dilated to stride 8 with a large field of view, without the CRF",
        source::DEEPLAB_V1, source::VGG16, |b, c| with_head(1, DilatedVggConfig::default(), DeeplabV1Config::default(), b, c)),
    preset("dilation8-vgg16", "Context module of dilated convolutions on VGG16 dilated to stride 8",
        source::DILATION, source::VGG16, |b, c| with_head(1, DilatedVggConfig::default(), DilationConfig::default(), b, c)),
    preset("pspnet50", "Pyramid scene parsing on ResNet-50 dilated to stride 8, with a 1x1 convolution where the paper has 3x3",
        source::PSPNET, source::RESNET50, |b, c| with_head(3, resnet(50), PspnetConfig::default(), b, c)),
    preset("pspnet101", "Pyramid scene parsing on ResNet-101 dilated to stride 8, with a 1x1 convolution where the paper has 3x3",
        source::PSPNET, source::RESNET101, |b, c| with_head(3, resnet(101), PspnetConfig::default(), b, c)),
    preset("deeplabv3-resnet50", "DeepLabV3 on ResNet-50 dilated to stride 8: atrous pyramid with image pooling",
        source::DEEPLAB_V3, source::RESNET50, |b, c| with_head(1, resnet(50), DeeplabV3Config::default(), b, c)),
    preset("deeplabv3-resnet101", "DeepLabV3 on ResNet-101 dilated to stride 8",
        source::DEEPLAB_V3, source::RESNET101, |b, c| with_head(1, resnet(101), DeeplabV3Config::default(), b, c)),
    preset("deeplabv3plus-resnet50", "DeepLabV3+ on ResNet-50 dilated to stride 16: sharp edges, a strong all-rounder",
        source::DEEPLAB_V3_PLUS, source::RESNET50, |b, c| with_head(1, resnet(50), DeeplabV3PlusConfig::default(), b, c)),
    preset("deeplabv3plus-resnet101", "DeepLabV3+ on ResNet-101 dilated to stride 16",
        source::DEEPLAB_V3_PLUS, source::RESNET101, |b, c| with_head(1, resnet(101), DeeplabV3PlusConfig::default(), b, c)),
    preset("deeplabv3plus-mobilenet-v2", "DeepLabV3+ on MobileNetV2 dilated to stride 16: light",
        source::DEEPLAB_V3_PLUS, source::MOBILENET_V2, |b, c| {
            with_head(1, MobilenetV2Config::default(), DeeplabV3PlusConfig::default(), b, c)
        }),
    preset("fpn-resnet50", "Feature pyramid on ResNet-50, the FPN of segmentation_models.pytorch",
        source::FPN, source::RESNET50, |b, c| with_head(1, resnet(50), FpnConfig::default(), b, c)),
    preset("upernet-swin-tiny", "UPerNet on Swin Transformer tiny: attention in shifted windows",
        source::UPERNET, source::SWIN_TINY, |b, c| with_head(1, SwinConfig::default(), UpernetConfig::default(), b, c)),
    preset("upernet-convnext-tiny", "UPerNet on ConvNeXt tiny: large depthwise kernels",
        source::UPERNET, source::CONVNEXT_TINY, |b, c| {
            with_head(1, ConvnextConfig::default(), UpernetConfig::default(), b, c)
        }),
    preset("segformer-b0", "SegFormer B0: a small transformer that sees the whole chip",
        source::SEGFORMER, source::MIT, |b, c| segformer(Mit::B0, 256, b, c)),
    preset("segformer-b1", "SegFormer B1",
        source::SEGFORMER, source::MIT, |b, c| segformer(Mit::B1, 256, b, c)),
    preset("segformer-b2", "SegFormer B2",
        source::SEGFORMER, source::MIT, |b, c| segformer(Mit::B2, 768, b, c)),
    preset("cerranet", "CerraNet: one class for a patch of land; made for patches of 256 pixels",
        source::CERRANET, source::NONE, |b, c| cerranet(6, None, b, c)),
    preset("scene-resnet50", "ResNet-50 as published: one class for a whole image",
        source::RESNET, source::RESNET50, |b, c| SegmenterConfig::new(resnet(50), ClassifierConfig::default(), b, c)),
    preset("scene-efficientnet-lite0", "EfficientNet-Lite0 as published: one class for a whole image, quick to train",
        source::EFFICIENTNET, source::EFFICIENTNET_LITE0, |b, c| {
            let encoder = EfficientnetLite0Config { head: true, ..EfficientnetLite0Config::default() };
            SegmenterConfig::new(encoder, ClassifierConfig::default(), b, c)
        }),
    preset("cnn-pc", "Patch classification: the class of a patch's centre pixel, a patch for each pixel; slow",
        source::DENSE_LABELING, source::NONE, |b, c| cerranet(4, Some(1), b, c)),
    preset("cnn-spl", "Patch classification of squares of 8x8 pixels, in place of superpixels",
        source::DENSE_LABELING, source::NONE, |b, c| cerranet(4, Some(8), b, c)),
    preset("cnn-fpl", "Full-patch labelling: the encoder of cnn-pc, and learned upsampling back to each pixel",
        source::DENSE_LABELING, source::NONE, |b, c| {
            let (upsampling, depths) = (Upsampling::Transposed, Some(vec![1; 4]));
            SegmenterConfig::new(short_cerranet(), SegnetConfig { upsampling, depths }, b, c)
        }),
];

/// The preset of a name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

fn with_head(
    kernel: usize,
    encoder: impl Into<EncoderConfig>,
    decoder: impl Into<DecoderConfig>,
    bands: usize,
    classes: usize,
) -> SegmenterConfig {
    SegmenterConfig { head: HeadConfig { kernel }, ..SegmenterConfig::new(encoder, decoder, bands, classes) }
}

/// The `Unet` of segmentation_models.pytorch.
fn unet(encoder: impl Into<EncoderConfig>, bands: usize, classes: usize) -> SegmenterConfig {
    with_head(3, encoder, smp_unet(), bands, classes)
}

fn smp_unet() -> UnetConfig {
    let channels = Some(vec![256, 128, 64, 32, 16]);
    UnetConfig { channels, upsampling: Upsampling::Nearest, ..UnetConfig::default() }
}

fn smp_unet_plus_plus() -> UnetPlusPlusConfig {
    let (channels, upsampling) = (smp_unet().channels, Upsampling::Nearest);
    UnetPlusPlusConfig { channels, upsampling, ..UnetPlusPlusConfig::default() }
}

fn fcn(stride: usize, encoder: impl Into<EncoderConfig>, bands: usize, classes: usize) -> SegmenterConfig {
    SegmenterConfig::new(encoder, FcnConfig { stride, ..FcnConfig::default() }, bands, classes)
}

fn segformer(variant: Mit, channels: usize, bands: usize, classes: usize) -> SegmenterConfig {
    SegmenterConfig::new(
        MitConfig { variant, width: None },
        SegformerConfig { channels, ..SegformerConfig::default() },
        bands,
        classes,
    )
}

/// CerraNet with so many stages, whose class stands for a cell of so many pixels.
fn cerranet(depth: usize, cell: Option<usize>, bands: usize, classes: usize) -> SegmenterConfig {
    let decoder = ClassifierConfig { cell, grid: 2, hidden: vec![256, 128] };
    SegmenterConfig::new(CerranetConfig { depth, ..CerranetConfig::default() }, decoder, bands, classes)
}

fn short_cerranet() -> CerranetConfig {
    CerranetConfig { depth: 4, ..CerranetConfig::default() }
}

fn narrow_plain() -> PlainConfig {
    PlainConfig { width: 32, ..PlainConfig::default() }
}

fn resnet(depth: usize) -> ResnetConfig {
    ResnetConfig { depth, ..ResnetConfig::default() }
}

fn vgg(depth: usize) -> VggConfig {
    VggConfig { depth, ..VggConfig::default() }
}

fn vgg16_normalized() -> VggConfig {
    VggConfig { batch_norm: true, ..vgg(16) }
}

fn classifying_vgg16() -> VggConfig {
    VggConfig { classifier: Some(4096), ..vgg(16) }
}
