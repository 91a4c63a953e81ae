//! Networks that people know by name.

use crate::block::{Padding, Upsampling};
use crate::decoder::deconvnet::DeconvnetConfig;
use crate::decoder::fcn::FcnConfig;
use crate::decoder::linknet::LinknetConfig;
use crate::decoder::segnet::SegnetConfig;
use crate::decoder::unet::UnetConfig;
use crate::decoder::unet_plus_plus::UnetPlusPlusConfig;
use crate::encoder::plain::PlainConfig;
use crate::encoder::resnet::ResnetConfig;
use crate::encoder::vgg::VggConfig;
use crate::head::HeadConfig;
use crate::segmenter::SegmenterConfig;

/// A named network: where it comes from and how it is built.
#[derive(Clone, Copy, Debug)]
pub struct Preset {
    /// The name people search for.
    pub name: &'static str,
    /// One line on what it is and what it is good for.
    pub summary: &'static str,
    /// Title of the paper.
    pub paper: &'static str,
    /// Where to read it.
    pub url: &'static str,
    /// Year of publication.
    pub year: u16,
    /// Where trained weights come from; `None` when training starts from random weights.
    pub weights: Option<&'static str>,
    /// Licence of those weights.
    pub weights_licence: Option<&'static str>,
    /// The network for a number of bands and classes.
    pub config: fn(bands: usize, classes: usize) -> SegmenterConfig,
}

const UNET_PAPER: &str = "Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation";
const UNET_URL: &str = "https://arxiv.org/abs/1505.04597";
const FCN_PAPER: &str = "Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation";
const FCN_URL: &str = "https://arxiv.org/abs/1411.4038";

/// Every preset, in the order of lists.
pub static PRESETS: &[Preset] = &[
    Preset {
        name: "unet",
        summary: "U-Net with batch normalization: a good first choice for a few thousand chips",
        paper: UNET_PAPER,
        url: UNET_URL,
        year: 2015,
        weights: None,
        weights_licence: None,
        config: |bands, classes| SegmenterConfig::new(PlainConfig::default(), UnetConfig::default(), bands, classes),
    },
    Preset {
        name: "unet-half",
        summary: "U-Net with half the filters: a quarter of the time and memory",
        paper: UNET_PAPER,
        url: UNET_URL,
        year: 2015,
        weights: None,
        weights_licence: None,
        config: |bands, classes| {
            let encoder = PlainConfig { width: 32, ..PlainConfig::default() };
            SegmenterConfig::new(encoder, UnetConfig::default(), bands, classes)
        },
    },
    Preset {
        name: "unet-resnet34",
        summary: "U-Net on a residual encoder, layer for layer the Unet of segmentation_models.pytorch",
        paper: UNET_PAPER,
        url: UNET_URL,
        year: 2015,
        weights: None,
        weights_licence: None,
        config: |bands, classes| SegmenterConfig {
            head: HeadConfig { kernel: 3 },
            ..SegmenterConfig::new(ResnetConfig { depth: 34, ..ResnetConfig::default() }, smp_unet(), bands, classes)
        },
    },
    Preset {
        name: "unet-valid",
        summary: "U-Net as published: no padding, no normalization, mirrored image edges",
        paper: UNET_PAPER,
        url: UNET_URL,
        year: 2015,
        weights: None,
        weights_licence: None,
        config: |bands, classes| {
            let (padding, batch_norm) = (Padding::Valid, false);
            let encoder = PlainConfig { padding, batch_norm, ..PlainConfig::default() };
            SegmenterConfig::new(encoder, UnetConfig { padding, batch_norm, ..UnetConfig::default() }, bands, classes)
        },
    },
    Preset {
        name: "segnet",
        summary: "SegNet on VGG16: unpools to where the encoder's maxima stood, in little memory",
        paper: "Badrinarayanan, Kendall, Cipolla: SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image \
                Segmentation",
        url: "https://arxiv.org/abs/1511.00561",
        year: 2017,
        weights: None,
        weights_licence: None,
        config: |bands, classes| SegmenterConfig {
            head: HeadConfig { kernel: 3 },
            ..SegmenterConfig::new(vgg16_normalized(), SegnetConfig::default(), bands, classes)
        },
    },
    Preset {
        name: "deconvnet",
        summary: "DeconvNet on VGG16: the whole network mirrored, its classifier included",
        paper: "Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation",
        url: "https://arxiv.org/abs/1505.04366",
        year: 2015,
        weights: None,
        weights_licence: None,
        config: |bands, classes| SegmenterConfig::new(vgg16_normalized(), DeconvnetConfig::default(), bands, classes),
    },
    Preset {
        name: "unet-plus-plus-resnet34",
        summary: "UNet++ on a residual encoder, layer for layer the UnetPlusPlus of segmentation_models.pytorch",
        paper: "Zhou, Siddiquee, Tajbakhsh, Liang: UNet++: Redesigning Skip Connections to Exploit Multiscale Features in \
                Image Segmentation",
        url: "https://arxiv.org/abs/1912.05074",
        year: 2020,
        weights: None,
        weights_licence: None,
        config: |bands, classes| {
            let decoder = UnetPlusPlusConfig {
                channels: smp_unet().channels,
                upsampling: Upsampling::Nearest,
                ..UnetPlusPlusConfig::default()
            };
            let encoder = ResnetConfig { depth: 34, ..ResnetConfig::default() };
            SegmenterConfig { head: HeadConfig { kernel: 3 }, ..SegmenterConfig::new(encoder, decoder, bands, classes) }
        },
    },
    Preset {
        name: "linknet34",
        summary: "LinkNet on ResNet-34: light and fast",
        paper: "Chaurasia, Culurciello: LinkNet: Exploiting Encoder Representations for Efficient Semantic Segmentation",
        url: "https://arxiv.org/abs/1707.03718",
        year: 2017,
        weights: None,
        weights_licence: None,
        config: |bands, classes| {
            let encoder = ResnetConfig { depth: 34, ..ResnetConfig::default() };
            SegmenterConfig::new(encoder, LinknetConfig::default(), bands, classes)
        },
    },
    Preset {
        name: "fcn32s-resnet50",
        summary: "FCN-32s on ResNet-50: class scores of stride 32, upsampled",
        paper: FCN_PAPER,
        url: FCN_URL,
        year: 2015,
        weights: None,
        weights_licence: None,
        config: |bands, classes| fcn_resnet50(32, bands, classes),
    },
    Preset {
        name: "fcn16s-resnet50",
        summary: "FCN-16s on ResNet-50: class scores of strides 32 and 16",
        paper: FCN_PAPER,
        url: FCN_URL,
        year: 2015,
        weights: None,
        weights_licence: None,
        config: |bands, classes| fcn_resnet50(16, bands, classes),
    },
    Preset {
        name: "fcn8s-resnet50",
        summary: "FCN-8s on ResNet-50: class scores of strides 32, 16 and 8",
        paper: FCN_PAPER,
        url: FCN_URL,
        year: 2015,
        weights: None,
        weights_licence: None,
        config: |bands, classes| fcn_resnet50(8, bands, classes),
    },
];

/// The preset of a name.
pub fn find(name: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.name == name)
}

fn vgg16_normalized() -> VggConfig {
    VggConfig { batch_norm: true, ..VggConfig::default() }
}

fn smp_unet() -> UnetConfig {
    UnetConfig { channels: Some(vec![256, 128, 64, 32, 16]), upsampling: Upsampling::Nearest, ..UnetConfig::default() }
}

fn fcn_resnet50(stride: usize, bands: usize, classes: usize) -> SegmenterConfig {
    SegmenterConfig::new(
        ResnetConfig { depth: 50, ..ResnetConfig::default() },
        FcnConfig { stride, ..FcnConfig::default() },
        bands,
        classes,
    )
}
