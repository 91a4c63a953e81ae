//! How libraries name the layers of encoders. Patterns are explained in `pattern`; the first that fits counts.

use super::pattern::Rule;

/// One library's names of some encoders.
pub(super) struct Dialect {
    pub(super) library: &'static str,
    /// Names in recipes.
    pub(super) encoders: &'static [&'static str],
    pub(super) rules: &'static [Rule],
}

impl Dialect {
    /// Swath's own names.
    pub(super) const OWN: Dialect = Dialect { library: "Swath", encoders: &[], rules: &[] };
}

/// Every dialect. segmentation_models.pytorch names as the library whose encoder it takes.
pub(super) static DIALECTS: &[Dialect] = &[
    Dialect {
        library: "torchvision or timm",
        encoders: &["resnet", "resnext"],
        rules: &[
            ("layer{}.{}.downsample.0.*", "layer{0}.{1}.downsample.conv.*"),
            ("layer{}.{}.downsample.1.*", "layer{0}.{1}.downsample.norm.*"),
        ],
    },
    Dialect {
        library: "torchvision",
        encoders: &["vgg"],
        rules: &[("classifier.0.*", "classifier.fc6.*"), ("classifier.3.*", "classifier.fc7.*")],
    },
    Dialect {
        library: "timm",
        encoders: &["vgg"],
        rules: &[("pre_logits.fc1.*", "classifier.fc6.*"), ("pre_logits.fc2.*", "classifier.fc7.*")],
    },
    Dialect { library: "torchvision", encoders: &["dilated_vgg"], rules: &[] },
    Dialect {
        // As `features_only` has it, and so every `tu-` encoder of segmentation_models.pytorch: the first dot is a line.
        library: "timm",
        encoders: &["vgg", "dilated_vgg"],
        rules: &[("features_{}.*", "features.{0}.*")],
    },
    Dialect {
        library: "torchvision",
        encoders: &["alexnet"],
        rules: &[("classifier.1.*", "classifier.fc6.*"), ("classifier.4.*", "classifier.fc7.*")],
    },
    Dialect {
        library: "torchvision or timm",
        encoders: &["densenet"],
        rules: &[
            // As torchvision's files of 2017 have it.
            ("features.denseblock{}.denselayer{}.norm.{}.*", "denseblock{0}.{1-1}.norm{2}.*"),
            ("features.denseblock{}.denselayer{}.conv.{}.*", "denseblock{0}.{1-1}.conv{2}.*"),
            ("features.denseblock{}.denselayer{}.*", "denseblock{0}.{1-1}.*"),
            ("features.*", "*"),
        ],
    },
    Dialect {
        // As `features_only` has it.
        library: "timm",
        encoders: &["densenet"],
        rules: &[("features_denseblock{}.denselayer{}.*", "denseblock{0}.{1-1}.*"), ("features_*", "*")],
    },
    Dialect {
        library: "torchvision",
        encoders: &["mobilenet_v2"],
        rules: &[
            ("features.0.0.*", "stem.conv.*"),
            ("features.0.1.*", "stem.norm.*"),
            ("features.1.conv.0.0.*", "blocks.0.depthwise.conv.*"),
            ("features.1.conv.0.1.*", "blocks.0.depthwise.norm.*"),
            ("features.1.conv.1.*", "blocks.0.project.conv.*"),
            ("features.1.conv.2.*", "blocks.0.project.norm.*"),
            ("features.{}.conv.0.0.*", "blocks.{0-1}.expand.conv.*"),
            ("features.{}.conv.0.1.*", "blocks.{0-1}.expand.norm.*"),
            ("features.{}.conv.1.0.*", "blocks.{0-1}.depthwise.conv.*"),
            ("features.{}.conv.1.1.*", "blocks.{0-1}.depthwise.norm.*"),
            ("features.{}.conv.2.*", "blocks.{0-1}.project.conv.*"),
            ("features.{}.conv.3.*", "blocks.{0-1}.project.norm.*"),
            ("features.18.0.*", "head.conv.*"),
            ("features.18.1.*", "head.norm.*"),
        ],
    },
    Dialect {
        library: "timm",
        encoders: &["mobilenet_v2", "efficientnet", "efficientnet_lite0"],
        rules: &[
            ("conv_stem.*", "stem.conv.*"),
            ("bn1.*", "stem.norm.*"),
            ("blocks.{=0}.{}.conv_dw.*", "blocks.{0:1}.depthwise.conv.*"),
            ("blocks.{=0}.{}.bn1.*", "blocks.{0:1}.depthwise.norm.*"),
            ("blocks.{=0}.{}.conv_pw.*", "blocks.{0:1}.project.conv.*"),
            ("blocks.{=0}.{}.bn2.*", "blocks.{0:1}.project.norm.*"),
            ("blocks.{}.{}.conv_pw.*", "blocks.{0:1}.expand.conv.*"),
            ("blocks.{}.{}.bn1.*", "blocks.{0:1}.expand.norm.*"),
            ("blocks.{}.{}.conv_dw.*", "blocks.{0:1}.depthwise.conv.*"),
            ("blocks.{}.{}.bn2.*", "blocks.{0:1}.depthwise.norm.*"),
            ("blocks.{}.{}.se.conv_*", "blocks.{0:1}.squeeze.*"),
            ("blocks.{}.{}.conv_pwl.*", "blocks.{0:1}.project.conv.*"),
            ("blocks.{}.{}.bn3.*", "blocks.{0:1}.project.norm.*"),
            ("conv_head.*", "head.conv.*"),
            ("bn2.*", "head.norm.*"),
        ],
    },
    Dialect {
        library: "efficientnet_pytorch",
        encoders: &["efficientnet", "efficientnet_lite0"],
        rules: &[
            ("_conv_stem.*", "stem.conv.*"),
            ("_bn0.*", "stem.norm.*"),
            ("_blocks.{}._expand_conv.*", "blocks.{0}.expand.conv.*"),
            ("_blocks.{}._bn0.*", "blocks.{0}.expand.norm.*"),
            ("_blocks.{}._depthwise_conv.*", "blocks.{0}.depthwise.conv.*"),
            ("_blocks.{}._bn1.*", "blocks.{0}.depthwise.norm.*"),
            ("_blocks.{}._se_*", "blocks.{0}.squeeze.*"),
            ("_blocks.{}._project_conv.*", "blocks.{0}.project.conv.*"),
            ("_blocks.{}._bn2.*", "blocks.{0}.project.norm.*"),
            ("_conv_head.*", "head.conv.*"),
            ("_bn1.*", "head.norm.*"),
        ],
    },
    Dialect {
        library: "torchvision",
        encoders: &["efficientnet"],
        rules: &[
            ("features.0.0.*", "stem.conv.*"),
            ("features.0.1.*", "stem.norm.*"),
            ("features.{=1}.{}.block.0.0.*", "blocks.{0:1}.depthwise.conv.*"),
            ("features.{=1}.{}.block.0.1.*", "blocks.{0:1}.depthwise.norm.*"),
            ("features.{=1}.{}.block.1.fc1.*", "blocks.{0:1}.squeeze.reduce.*"),
            ("features.{=1}.{}.block.1.fc2.*", "blocks.{0:1}.squeeze.expand.*"),
            ("features.{=1}.{}.block.2.0.*", "blocks.{0:1}.project.conv.*"),
            ("features.{=1}.{}.block.2.1.*", "blocks.{0:1}.project.norm.*"),
            ("features.{}.{}.block.0.0.*", "blocks.{0:1}.expand.conv.*"),
            ("features.{}.{}.block.0.1.*", "blocks.{0:1}.expand.norm.*"),
            ("features.{}.{}.block.1.0.*", "blocks.{0:1}.depthwise.conv.*"),
            ("features.{}.{}.block.1.1.*", "blocks.{0:1}.depthwise.norm.*"),
            ("features.{}.{}.block.2.fc1.*", "blocks.{0:1}.squeeze.reduce.*"),
            ("features.{}.{}.block.2.fc2.*", "blocks.{0:1}.squeeze.expand.*"),
            ("features.{}.{}.block.3.0.*", "blocks.{0:1}.project.conv.*"),
            ("features.{}.{}.block.3.1.*", "blocks.{0:1}.project.norm.*"),
            ("features.8.0.*", "head.conv.*"),
            ("features.8.1.*", "head.norm.*"),
        ],
    },
    Dialect {
        library: "segmentation_models.pytorch",
        encoders: &["mit"],
        rules: &[
            ("patch_embed{}.*", "stages.{0-1}.patch_embed.*"),
            ("block{}.{}.mlp.dwconv.dwconv.*", "stages.{0-1}.block.{1}.mlp.dwconv.*"),
            ("block{}.{}.*", "stages.{0-1}.block.{1}.*"),
            ("norm{}.*", "stages.{0-1}.norm.*"),
        ],
    },
    Dialect {
        library: "torchvision",
        encoders: &["swin"],
        rules: &[
            ("features.0.0.*", "stem.conv.*"),
            ("features.0.2.*", "stem.norm.*"),
            ("features.{}.{}.mlp.0.*", "stages.{0/2}.blocks.{1}.mlp.fc1.*"),
            ("features.{}.{}.mlp.3.*", "stages.{0/2}.blocks.{1}.mlp.fc2.*"),
            ("features.{}.{}.*", "stages.{0/2}.blocks.{1}.*"),
            ("features.{}.*", "stages.{0/2}.merging.*"),
        ],
    },
    Dialect {
        library: "timm",
        encoders: &["swin"],
        rules: &[
            ("patch_embed.proj.*", "stem.conv.*"),
            ("patch_embed.norm.*", "stem.norm.*"),
            ("layers.{}.downsample.*", "stages.{0}.merging.*"),
            ("layers.{}.*", "stages.{0}.*"),
        ],
    },
    Dialect {
        // As `features_only` has it.
        library: "timm",
        encoders: &["swin"],
        rules: &[
            ("patch_embed.proj.*", "stem.conv.*"),
            ("patch_embed.norm.*", "stem.norm.*"),
            ("layers_{}.downsample.*", "stages.{0}.merging.*"),
            ("layers_{}.*", "stages.{0}.*"),
        ],
    },
    Dialect {
        // Here a stage ends with what halves the resolution.
        library: "Microsoft",
        encoders: &["swin"],
        rules: &[
            ("patch_embed.proj.*", "stem.conv.*"),
            ("patch_embed.norm.*", "stem.norm.*"),
            ("layers.{}.downsample.*", "stages.{0+1}.merging.*"),
            ("layers.{}.*", "stages.{0}.*"),
        ],
    },
    Dialect {
        library: "timm",
        encoders: &["convnext"],
        rules: &[
            ("stem.0.*", "stem.conv.*"),
            ("stem.1.*", "stem.norm.*"),
            ("stages.{}.downsample.0.*", "stages.{0}.downsample.norm.*"),
            ("stages.{}.downsample.1.*", "stages.{0}.downsample.conv.*"),
            ("stages.{}.blocks.{}.gamma", "stages.{0}.blocks.{1}.layer_scale"),
        ],
    },
    Dialect {
        // As `features_only` has it.
        library: "timm",
        encoders: &["convnext"],
        rules: &[
            ("stem_0.*", "stem.conv.*"),
            ("stem_1.*", "stem.norm.*"),
            ("stages_{}.downsample.0.*", "stages.{0}.downsample.norm.*"),
            ("stages_{}.downsample.1.*", "stages.{0}.downsample.conv.*"),
            ("stages_{}.blocks.{}.gamma", "stages.{0}.blocks.{1}.layer_scale"),
            ("stages_{}.*", "stages.{0}.*"),
        ],
    },
    Dialect {
        library: "torchvision",
        encoders: &["convnext"],
        rules: &[
            ("features.{}.{}.block.0.*", "stages.{0/2}.blocks.{1}.conv_dw.*"),
            ("features.{}.{}.block.2.*", "stages.{0/2}.blocks.{1}.norm.*"),
            ("features.{}.{}.block.3.*", "stages.{0/2}.blocks.{1}.mlp.fc1.*"),
            ("features.{}.{}.block.5.*", "stages.{0/2}.blocks.{1}.mlp.fc2.*"),
            ("features.{}.{}.layer_scale", "stages.{0/2}.blocks.{1}.layer_scale"),
            ("features.0.0.*", "stem.conv.*"),
            ("features.0.1.*", "stem.norm.*"),
            ("features.{}.0.*", "stages.{0/2}.downsample.norm.*"),
            ("features.{}.1.*", "stages.{0/2}.downsample.conv.*"),
        ],
    },
    Dialect {
        library: "Facebook",
        encoders: &["convnext"],
        rules: &[
            ("downsample_layers.0.0.*", "stem.conv.*"),
            ("downsample_layers.0.1.*", "stem.norm.*"),
            ("downsample_layers.{}.0.*", "stages.{0}.downsample.norm.*"),
            ("downsample_layers.{}.1.*", "stages.{0}.downsample.conv.*"),
            ("stages.{}.{}.dwconv.*", "stages.{0}.blocks.{1}.conv_dw.*"),
            ("stages.{}.{}.norm.*", "stages.{0}.blocks.{1}.norm.*"),
            ("stages.{}.{}.pwconv1.*", "stages.{0}.blocks.{1}.mlp.fc1.*"),
            ("stages.{}.{}.pwconv2.*", "stages.{0}.blocks.{1}.mlp.fc2.*"),
            ("stages.{}.{}.gamma", "stages.{0}.blocks.{1}.layer_scale"),
        ],
    },
];
