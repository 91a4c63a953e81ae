//! Papers and weights that presets name.

/// Where a network was published.
#[derive(Clone, Copy)]
pub(super) struct Paper {
    pub(super) title: &'static str,
    pub(super) year: u16,
    pub(super) url: &'static str,
}

const fn paper(year: u16, title: &'static str, url: &'static str) -> Paper {
    Paper { title, year, url }
}

pub(super) const UNET: Paper = paper(
    2015,
    "Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation",
    "https://arxiv.org/abs/1505.04597",
);
pub(super) const TERNAUSNET: Paper = paper(
    2018,
    "Iglovikov, Shvets: TernausNet: U-Net with VGG11 Encoder Pre-Trained on ImageNet for Image Segmentation",
    "https://arxiv.org/abs/1801.05746",
);
pub(super) const UNET_PLUS_PLUS: Paper = paper(
    2020,
    "Zhou, Siddiquee, Tajbakhsh, Liang: UNet++: Redesigning Skip Connections to Exploit Multiscale Features in Image \
     Segmentation",
    "https://arxiv.org/abs/1912.05074",
);
pub(super) const LINKNET: Paper = paper(
    2017,
    "Chaurasia, Culurciello: LinkNet: Exploiting Encoder Representations for Efficient Semantic Segmentation",
    "https://arxiv.org/abs/1707.03718",
);
pub(super) const SEGNET: Paper = paper(
    2017,
    "Badrinarayanan, Kendall, Cipolla: SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image Segmentation",
    "https://arxiv.org/abs/1511.00561",
);
pub(super) const DECONVNET: Paper = paper(
    2015,
    "Noh, Hong, Han: Learning Deconvolution Network for Semantic Segmentation",
    "https://arxiv.org/abs/1505.04366",
);
pub(super) const FCN: Paper = paper(
    2015,
    "Long, Shelhamer, Darrell: Fully Convolutional Networks for Semantic Segmentation",
    "https://arxiv.org/abs/1411.4038",
);
pub(super) const HYPERCOLUMN: Paper = paper(
    2015,
    "Hariharan, Arbeláez, Girshick, Malik: Hypercolumns for Object Segmentation and Fine-grained Localization",
    "https://arxiv.org/abs/1411.5752",
);
pub(super) const MAGGIORI: Paper = paper(
    2017,
    "Maggiori, Tarabalka, Charpiat, Alliez: Convolutional Neural Networks for Large-Scale Remote-Sensing Image Classification",
    "https://hal.science/hal-01369906",
);
pub(super) const MAGGIORI_MLP: Paper = paper(
    2017,
    "Maggiori, Tarabalka, Charpiat, Alliez: High-Resolution Aerial Image Labeling With Convolutional Neural Networks",
    "https://arxiv.org/abs/1611.01962",
);
pub(super) const DEEPLAB_V1: Paper = paper(
    2015,
    "Chen, Papandreou, Kokkinos, Murphy, Yuille: Semantic Image Segmentation with Deep Convolutional Nets and Fully Connected \
     CRFs",
    "https://arxiv.org/abs/1412.7062",
);
pub(super) const DILATION: Paper = paper(
    2016,
    "Yu, Koltun: Multi-Scale Context Aggregation by Dilated Convolutions",
    "https://arxiv.org/abs/1511.07122",
);
pub(super) const PSPNET: Paper =
    paper(2017, "Zhao, Shi, Qi, Wang, Jia: Pyramid Scene Parsing Network", "https://arxiv.org/abs/1612.01105");
pub(super) const DEEPLAB_V3: Paper = paper(
    2017,
    "Chen, Papandreou, Schroff, Adam: Rethinking Atrous Convolution for Semantic Image Segmentation",
    "https://arxiv.org/abs/1706.05587",
);
pub(super) const DEEPLAB_V3_PLUS: Paper = paper(
    2018,
    "Chen, Zhu, Papandreou, Schroff, Adam: Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation",
    "https://arxiv.org/abs/1802.02611",
);
pub(super) const FPN: Paper = paper(
    2019,
    "Kirillov, Girshick, He, Dollár: Panoptic Feature Pyramid Networks",
    "https://arxiv.org/abs/1901.02446",
);
pub(super) const UPERNET: Paper = paper(
    2018,
    "Xiao, Liu, Zhou, Jiang, Sun: Unified Perceptual Parsing for Scene Understanding",
    "https://arxiv.org/abs/1807.10221",
);
pub(super) const SEGFORMER: Paper = paper(
    2021,
    "Xie, Wang, Yu, Anandkumar, Alvarez, Luo: SegFormer: Simple and Efficient Design for Semantic Segmentation with \
     Transformers",
    "https://arxiv.org/abs/2105.15203",
);
pub(super) const CERRANET: Paper = paper(
    2022,
    "Miranda, Silva, Santos, Santiago Júnior, Körting, Almeida: CerraNet: a deep convolutional neural network for classifying \
     land use and land cover on Cerrado biome tocantinense",
    "https://github.com/jurandy-almeida/cerranet",
);
pub(super) const DENSE_LABELING: Paper = paper(
    2017,
    "Volpi, Tuia: Dense semantic labeling of sub-decimeter resolution images with convolutional neural networks",
    "https://arxiv.org/abs/1608.00775",
);
pub(super) const RESNET: Paper = paper(
    2016,
    "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition",
    "https://arxiv.org/abs/1512.03385",
);
pub(super) const EFFICIENTNET: Paper = paper(
    2019,
    "Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
    "https://arxiv.org/abs/1905.11946",
);

/// Where weights of an encoder come from, trained on ImageNet.
#[derive(Clone, Copy)]
pub(super) struct Weights {
    pub(super) from: Option<&'static str>,
    pub(super) licence: Option<&'static str>,
}

/// torchvision's code has a licence; of its weights it says that they may have others.
const fn torchvision(url: &'static str) -> Weights {
    Weights { from: Some(url), licence: None }
}

const fn licensed(url: &'static str, licence: &'static str) -> Weights {
    Weights { from: Some(url), licence: Some(licence) }
}

pub(super) const NONE: Weights = Weights { from: None, licence: None };
pub(super) const ALEXNET: Weights = torchvision("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth");
pub(super) const VGG11: Weights = torchvision("https://download.pytorch.org/models/vgg11-8a719046.pth");
pub(super) const VGG16: Weights = torchvision("https://download.pytorch.org/models/vgg16-397923af.pth");
pub(super) const VGG16_BN: Weights = torchvision("https://download.pytorch.org/models/vgg16_bn-6c64b313.pth");
pub(super) const RESNET18: Weights = torchvision("https://download.pytorch.org/models/resnet18-f37072fd.pth");
pub(super) const RESNET34: Weights = torchvision("https://download.pytorch.org/models/resnet34-b627a593.pth");
pub(super) const RESNET50: Weights = torchvision("https://download.pytorch.org/models/resnet50-0676ba61.pth");
pub(super) const RESNET101: Weights = torchvision("https://download.pytorch.org/models/resnet101-63fe2227.pth");
pub(super) const RESNEXT50: Weights = torchvision("https://download.pytorch.org/models/resnext50_32x4d-7cdf4587.pth");
pub(super) const DENSENET121: Weights = torchvision("https://download.pytorch.org/models/densenet121-a639ec97.pth");
pub(super) const MOBILENET_V2: Weights = torchvision("https://download.pytorch.org/models/mobilenet_v2-b0353104.pth");
pub(super) const SWIN_TINY: Weights = torchvision("https://download.pytorch.org/models/swin_t-704ceda3.pth");
pub(super) const CONVNEXT_TINY: Weights = licensed("https://huggingface.co/timm/convnext_tiny.fb_in1k", "Apache-2.0");
pub(super) const EFFICIENTNET_B0: Weights =
    licensed("https://huggingface.co/timm/tf_efficientnet_b0.in1k", "Apache-2.0");
pub(super) const EFFICIENTNET_LITE0: Weights =
    licensed("https://huggingface.co/timm/tf_efficientnet_lite0.in1k", "Apache-2.0");
pub(super) const MIT: Weights =
    licensed("https://github.com/NVlabs/SegFormer", "NVIDIA Source Code License, not for commercial use");
