//! Every encoder with every decoder at small width.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use swath_nn::block::{Padding, Upsampling};
use swath_nn::decoder::DecoderConfig;
use swath_nn::decoder::classifier::ClassifierConfig;
use swath_nn::decoder::deconvnet::DeconvnetConfig;
use swath_nn::decoder::deeplab_v1::DeeplabV1Config;
use swath_nn::decoder::deeplab_v3::DeeplabV3Config;
use swath_nn::decoder::deeplab_v3_plus::DeeplabV3PlusConfig;
use swath_nn::decoder::dilation::{ContextForm, DilationConfig};
use swath_nn::decoder::fcn::FcnConfig;
use swath_nn::decoder::fpn::FpnConfig;
use swath_nn::decoder::hypercolumn::HypercolumnConfig;
use swath_nn::decoder::linknet::LinknetConfig;
use swath_nn::decoder::mlp::MlpConfig;
use swath_nn::decoder::polycnn::PolycnnConfig;
use swath_nn::decoder::pspnet::PspnetConfig;
use swath_nn::decoder::segformer::SegformerConfig;
use swath_nn::decoder::segnet::SegnetConfig;
use swath_nn::decoder::unet::UnetConfig;
use swath_nn::decoder::unet_plus_plus::UnetPlusPlusConfig;
use swath_nn::decoder::upernet::UpernetConfig;
use swath_nn::encoder::alexnet::AlexnetConfig;
use swath_nn::encoder::cerranet::CerranetConfig;
use swath_nn::encoder::convnext::{self, ConvnextConfig};
use swath_nn::encoder::densenet::DensenetConfig;
use swath_nn::encoder::dilated_vgg::DilatedVggConfig;
use swath_nn::encoder::efficientnet::EfficientnetConfig;
use swath_nn::encoder::efficientnet_lite0::EfficientnetLite0Config;
use swath_nn::encoder::maggiori::MaggioriConfig;
use swath_nn::encoder::mit::{self, MitConfig};
use swath_nn::encoder::mobilenet_v2::MobilenetV2Config;
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::encoder::resnet::ResnetConfig;
use swath_nn::encoder::resnext::ResnextConfig;
use swath_nn::encoder::swin::SwinConfig;
use swath_nn::encoder::vgg::VggConfig;
use swath_nn::encoder::{Demand, EncoderConfig};
use swath_nn::preset::{self, PRESETS};
use swath_nn::{Level, Segmenter, SegmenterConfig, weights};

pub(crate) const BANDS: usize = 5;
pub(crate) const CLASSES: usize = 3;

/// Small forms of every encoder. A new member that is missing here fails `small_forms_cover_the_families`.
pub(crate) fn small_encoders() -> Vec<EncoderConfig> {
    vec![
        PlainConfig { width: 4, depth: 4, ..PlainConfig::default() }.into(),
        PlainConfig { width: 4, depth: 4, batch_norm: false, ..PlainConfig::default() }.into(),
        PlainConfig { width: 4, depth: 3, padding: Padding::Valid, ..PlainConfig::default() }.into(),
        ResnetConfig { depth: 18, width: 4 }.into(),
        ResnetConfig { depth: 50, width: 4 }.into(),
        MobilenetV2Config { width: 0.125, head: 24 }.into(),
        EfficientnetConfig { width: 0.125, ..EfficientnetConfig::default() }.into(),
        EfficientnetLite0Config { width: 0.125, ..EfficientnetLite0Config::default() }.into(),
        ResnextConfig { depth: 50, cardinality: 3, group_width: 2, width: 4 }.into(),
        AlexnetConfig { width: 4, classifier: None }.into(),
        AlexnetConfig { width: 2, classifier: Some(12) }.into(),
        VggConfig { depth: 11, width: 3, batch_norm: true, classifier: Some(12) }.into(),
        VggConfig { depth: 16, width: 4, batch_norm: false, classifier: None }.into(),
        DilatedVggConfig { width: 4, classifier: 16 }.into(),
        DensenetConfig { growth_rate: 3, blocks: [2, 3, 2, 1] }.into(),
        MaggioriConfig { width: 6, kernel: 12 }.into(),
        MitConfig { variant: mit::Variant::B0, width: Some(4) }.into(),
        SwinConfig { head_width: 2 }.into(),
        ConvnextConfig { variant: convnext::Variant::Tiny, width: 4 }.into(),
        CerranetConfig { width: 4, depth: 4 }.into(),
    ]
}

/// Small forms of every decoder.
pub(crate) fn small_decoders() -> Vec<DecoderConfig> {
    let unet = |upsampling| UnetConfig { upsampling, ..UnetConfig::default() };
    vec![
        unet(Upsampling::Transposed).into(),
        unet(Upsampling::Bilinear).into(),
        unet(Upsampling::Bicubic).into(),
        unet(Upsampling::BedOfNails).into(),
        unet(Upsampling::MaxUnpooling).into(),
        unet(Upsampling::PixelShuffle).into(),
        UnetConfig {
            channels: Some(vec![8, 6]),
            upsampling: Upsampling::Nearest,
            batch_norm: false,
            ..UnetConfig::default()
        }
        .into(),
        UnetConfig { padding: Padding::Valid, ..UnetConfig::default() }.into(),
        FcnConfig { stride: 8, ..FcnConfig::default() }.into(),
        FcnConfig { stride: 4, ..FcnConfig::default() }.into(),
        FcnConfig { stride: 4, upsampling: Upsampling::PixelShuffle }.into(),
        // The small plain encoder ends at stride 8, residual ones at 32.
        DeeplabV3Config { output_stride: 8, rates: vec![2, 4], channels: 6, separable: false }.into(),
        DeeplabV3Config { output_stride: 32, channels: 16, ..DeeplabV3Config::default() }.into(),
        small_deeplab_v3_plus(8).into(),
        small_deeplab_v3_plus(32).into(),
        DeeplabV3PlusConfig { upsampling: Upsampling::BedOfNails, ..small_deeplab_v3_plus(8) }.into(),
        PspnetConfig { output_stride: 8, channels: 16, upsampling: Upsampling::Bilinear }.into(),
        PspnetConfig { output_stride: 32, channels: 6, upsampling: Upsampling::Bicubic }.into(),
        SegformerConfig { channels: 6, upsampling: Upsampling::Bilinear }.into(),
        SegformerConfig { channels: 16, upsampling: Upsampling::PixelShuffle }.into(),
        FpnConfig { pyramid_channels: 6, channels: 16, groups: 4, ..FpnConfig::default() }.into(),
        FpnConfig { pyramid_channels: 16, channels: 6, groups: 2, upsampling: Upsampling::Transposed }.into(),
        UpernetConfig { channels: 6, upsampling: Upsampling::Transposed }.into(),
        UpernetConfig { channels: 16, upsampling: Upsampling::Bilinear }.into(),
        DeeplabV1Config { output_stride: 8 }.into(),
        DeeplabV1Config { output_stride: 32 }.into(),
        DilationConfig { output_stride: 8, form: ContextForm::Basic }.into(),
        DilationConfig { output_stride: 8, form: ContextForm::Large }.into(),
        DilationConfig { output_stride: 32, form: ContextForm::Basic }.into(),
        HypercolumnConfig { hidden: vec![12], ..HypercolumnConfig::default() }.into(),
        HypercolumnConfig { hidden: vec![16, 12], upsampling: Upsampling::Nearest, ..HypercolumnConfig::default() }
            .into(),
        MlpConfig { hidden: 16, ..MlpConfig::default() }.into(),
        MlpConfig { hidden: 6, upsampling: Upsampling::Transposed, ..MlpConfig::default() }.into(),
        SegnetConfig::default().into(),
        SegnetConfig { upsampling: Upsampling::Bilinear, ..SegnetConfig::default() }.into(),
        DeconvnetConfig { channels: 8, kernel: 3, ..DeconvnetConfig::default() }.into(),
        DeconvnetConfig { channels: 8, kernel: 7, upsampling: Upsampling::Transposed, depths: None }.into(),
        ClassifierConfig::default().into(),
        ClassifierConfig { cell: Some(3), grid: 2, hidden: vec![12, 6] }.into(),
        PolycnnConfig { stride: None, channels: vec![], grid: 2, code: 12, hidden: 6 }.into(),
        PolycnnConfig { stride: None, channels: vec![8, 6], grid: 3, code: 12, hidden: 16 }.into(),
        LinknetConfig { channels: 4, ..LinknetConfig::default() }.into(),
        LinknetConfig { channels: 4, upsampling: Upsampling::MaxUnpooling }.into(),
        LinknetConfig { channels: 4, upsampling: Upsampling::PixelShuffle }.into(),
        UnetPlusPlusConfig::default().into(),
        UnetPlusPlusConfig { upsampling: Upsampling::MaxUnpooling, deep_supervision: true, ..Default::default() }
            .into(),
        UnetPlusPlusConfig {
            upsampling: Upsampling::Nearest,
            batch_norm: false,
            deep_supervision: true,
            ..Default::default()
        }
        .into(),
    ]
}

fn small_deeplab_v3_plus(output_stride: usize) -> DeeplabV3PlusConfig {
    DeeplabV3PlusConfig { output_stride, channels: 16, low_level_channels: 4, ..DeeplabV3PlusConfig::default() }
}

/// Every encoder with every decoder that it fits.
pub(crate) fn pairs() -> Vec<SegmenterConfig> {
    let mut pairs = Vec::new();
    for encoder in small_encoders() {
        for decoder in small_decoders() {
            let pair = SegmenterConfig::new(encoder.clone(), decoder, BANDS, CLASSES);
            match pair.validate() {
                Ok(()) => pairs.push(pair),
                Err(refusal) => assert!(refusal.to_string().contains("nearest valid choice"), "{pair:?}: {refusal}"),
            }
        }
    }
    pairs
}

/// Few of the pairs, in which each encoder and each decoder occurs.
pub(crate) fn some_pairs() -> Vec<SegmenterConfig> {
    let mut some: Vec<SegmenterConfig> = Vec::new();
    for pair in pairs() {
        let known = |a: &SegmenterConfig| (a.encoder == pair.encoder, a.decoder == pair.decoder);
        if !some.iter().any(|a| known(a).0) || !some.iter().any(|a| known(a).1) {
            some.push(pair);
        }
    }
    some
}

/// Whether an encoder knows where maxima stood, from its coarsest level to a stride.
fn pools(encoder: &EncoderConfig, finest: usize) -> bool {
    let levels = encoder.levels(None).unwrap();
    let halvings = std::iter::successors(Some(Level::coarsest(&levels) / 2), |stride| Some(stride / 2));
    let pooled = |stride| Level::find(&levels, stride).is_some_and(|level| levels[level].pooled);
    halvings.take_while(|stride| *stride >= finest).all(pooled)
}

#[test]
fn indices_and_edges_decide_what_fits() {
    let pairs = pairs();
    let valid = |encoder: &EncoderConfig| encoder.levels(None).unwrap().iter().any(|level| level.margin > 0);
    for pair in &pairs {
        let levels = pair.encoder.levels(pair.decoder.output_stride()).unwrap();
        let finest = pair.decoder.out(&levels, CLASSES).unwrap().level().stride;
        assert!(pools(&pair.encoder, finest) || !pair.decoder.needs_indices(), "{pair:?}");
        let also_valid = matches!(&pair.decoder, DecoderConfig::Unet(unet) if unet.padding == Padding::Valid);
        assert_eq!(valid(&pair.encoder), also_valid, "{pair:?}");
    }
    for encoder in small_encoders().into_iter().filter(|encoder| pools(encoder, 1) && !valid(encoder)) {
        for decoder in small_decoders().into_iter().filter(DecoderConfig::needs_indices) {
            let fits = pairs.iter().any(|pair| pair.encoder == encoder && pair.decoder == decoder);
            assert!(fits, "{encoder:?} with {decoder:?}");
        }
    }
}

#[test]
fn every_small_form_has_a_partner() {
    let pairs = pairs();
    for encoder in small_encoders() {
        assert!(pairs.iter().any(|pair| pair.encoder == encoder), "{encoder:?}");
    }
    for decoder in small_decoders() {
        assert!(pairs.iter().any(|pair| pair.decoder == decoder), "{decoder:?}");
    }
}

#[test]
fn small_forms_cover_the_families() {
    for member in EncoderConfig::MEMBERS {
        assert!(small_encoders().iter().any(|config| config.name() == member.name), "encoder {}", member.name);
    }
    for member in DecoderConfig::MEMBERS {
        assert!(small_decoders().iter().any(|config| config.name() == member.name), "decoder {}", member.name);
    }
}

#[test]
fn defaults_go_by_their_names_in_recipes() {
    for encoder in EncoderConfig::defaults() {
        for decoder in DecoderConfig::defaults() {
            let config = SegmenterConfig::new(encoder.clone(), decoder.clone(), BANDS, CLASSES);
            let text =
                format!("bands = 5\nclasses = 3\nencoder.{} = {{}}\ndecoder.{} = {{}}", encoder.name(), decoder.name());
            assert_eq!(toml::from_str::<SegmenterConfig>(&text).unwrap(), config);
        }
    }
}

#[test]
fn defaults_have_partners_among_the_defaults() {
    let fits = |encoder: &EncoderConfig, decoder: &DecoderConfig| {
        SegmenterConfig::new(encoder.clone(), decoder.clone(), BANDS, CLASSES).validate().is_ok()
    };
    let (encoders, decoders) = (EncoderConfig::defaults(), DecoderConfig::defaults());
    for encoder in &encoders {
        assert!(decoders.iter().any(|decoder| fits(encoder, decoder)), "{encoder:?}");
    }
    for decoder in &decoders {
        assert!(encoders.iter().any(|encoder| fits(encoder, decoder)), "{decoder:?}");
    }
}

#[test]
fn every_pair_keeps_odd_sizes_and_learns() {
    let device = Device::flex().autodiff();
    for config in pairs() {
        let pair = format!("{:?} with {:?}", config.encoder, config.decoder);
        let (images, labels) = batch([2, BANDS, 33, 47], &device);
        let labels = match &config.decoder {
            DecoderConfig::Classifier(_) | DecoderConfig::Polycnn(_) => classes_of_images([2, 1, 33, 47], &device),
            _ => labels,
        };
        learn(config.init(&device).unwrap(), images, labels, &pair);
    }
}

/// What it says of a patch is what it says of each pixel; it reads the level that it is told to.
#[test]
fn polycnn_speaks_of_patches() {
    let device = Device::flex();
    let decoder = |stride| PolycnnConfig { stride, channels: vec![8], grid: 2, code: 12, hidden: 6 };
    let encoder = PlainConfig { width: 4, depth: 4, ..PlainConfig::default() };
    let config = |stride| SegmenterConfig::new(encoder.clone(), decoder(stride), BANDS, 8);
    let network = config(Some(4)).init(&device).unwrap();
    let (images, _) = batch([2, BANDS, 32, 32], &device);
    let patches = network.of_patches(images.clone());
    assert_eq!(patches.dims(), [2, 8]);
    let pixels = network.forward(images.clone()).narrow(2, 17, 1).narrow(3, 5, 1).reshape([2, 8]);
    patches.clone().into_data().assert_approx_eq::<f32>(&pixels.into_data(), Default::default());
    // Level 2 has the channels of stride 4.
    let squeeze = |stride| {
        let network = config(stride).init(&device).unwrap();
        let of = |name: &str| weights::read(&network).into_iter().find(|tensor| tensor.name == name).unwrap().shape;
        (of("decoder.encode.squeeze.0.conv.weight"), of("decoder.decode.corners.conv.weight"))
    };
    assert_eq!(squeeze(Some(4)), (vec![8, 16, 1, 1], vec![8, 6, 1, 1]));
    assert_eq!(squeeze(None).0, [8, 32, 1, 1]);
    let refusal = config(Some(16)).validate().unwrap_err().to_string();
    assert!(refusal.contains("stride 16") && refusal.contains("1, 2, 4 and 8"), "{refusal}");
    let none = PolycnnConfig { code: 0, ..decoder(None) };
    let refusal = SegmenterConfig::new(encoder.clone(), none, BANDS, 8).validate().unwrap_err().to_string();
    assert!(refusal.contains("code = 1"), "{refusal}");
}

/// The first image shows class 0, the second class 1.
fn classes_of_images(shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
    let pixels = shape[2] * shape[3];
    let labels: Vec<i64> = (0..shape[0] * pixels).map(|i| (i / pixels) as i64).collect();
    Tensor::from_data(TensorData::new(labels, shape), device)
}

/// Steps on one batch of 33x47 pixels until the loss has fallen by a hundredth; 20 have to suffice.
fn learn(mut network: Segmenter, images: Tensor<4>, labels: Tensor<4, Int>, pair: &str) {
    let mut optimizer = AdamConfig::new().init();
    let mut losses: Vec<f32> = Vec::new();
    for _ in 0..=20 {
        let outputs = network.forward_each(images.clone());
        assert!(outputs.iter().all(|logits| logits.dims() == [2, CLASSES, 33, 47]), "{pair}");
        let losses_of_each = outputs.into_iter().map(|logits| cross_entropy(logits, labels.clone())).collect();
        let loss = Tensor::cat(losses_of_each, 0).mean();
        losses.push(loss.clone().into_scalar::<f32>());
        if losses[losses.len() - 1] < 0.99 * losses[0] {
            return;
        }
        let gradients = loss.backward();
        network.visit(&mut FiniteGradients { gradients: &gradients, pair });
        let gradients = GradientsParams::from_grads(gradients, &network);
        network = optimizer.step(3e-3, network, gradients);
    }
    panic!("{pair}: the loss does not fall: {losses:?}");
}

/// Smooth images, and labels that a threshold on the first band gives.
fn batch(shape: [usize; 4], device: &Device) -> (Tensor<4>, Tensor<4, Int>) {
    let [n, bands, height, width] = shape;
    let value = |i: usize| {
        let (x, y, band) = (i % width, i / width % height, i / (width * height) % bands);
        ((x as f32 * 0.3 + band as f32).sin() + (y as f32 * 0.2 - band as f32).cos()) * 0.8
    };
    let images: Vec<f32> = (0..n * bands * height * width).map(value).collect();
    let labels: Vec<i64> = (0..n * height * width)
        .map(|i| match images[i / (height * width) * bands * height * width + i % (height * width)] {
            value if value < -0.5 => 0,
            value if value < 0.5 => 1,
            _ => 2,
        })
        .collect();
    (
        Tensor::from_data(TensorData::new(images, shape), device),
        Tensor::from_data(TensorData::new(labels, [n, 1, height, width]), device),
    )
}

fn cross_entropy(logits: Tensor<4>, labels: Tensor<4, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, labels).mean().neg()
}

struct FiniteGradients<'a> {
    gradients: &'a Gradients,
    pair: &'a str,
}

impl ModuleVisitor for FiniteGradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let sum = gradient.abs().sum().into_scalar::<f32>();
            assert!(sum.is_finite(), "{}: a gradient of shape {:?} is not finite", self.pair, param.shape());
        } else {
            assert!(!param.is_require_grad(), "{}: no gradient for shape {:?}", self.pair, param.shape());
        }
    }
}

#[test]
fn any_size_from_one_pixel_works() {
    let device = Device::flex();
    let network = SegmenterConfig::new(small_encoders().remove(0), UnetConfig::default(), BANDS, CLASSES);
    let network = network.init(&device).unwrap();
    for [height, width] in [[1, 1], [1, 9], [7, 2], [8, 8], [16, 31]] {
        let (images, _) = batch([1, BANDS, height, width], &device);
        assert_eq!(network.forward(images).dims(), [1, CLASSES, height, width]);
    }
}

/// Prediction promises the same bits for any batch size.
#[test]
fn a_chip_has_the_same_logits_in_every_batch() {
    let device = Device::flex();
    for config in some_pairs() {
        let network = config.init(&device).unwrap();
        let (images, _) = batch([3, BANDS, 33, 49], &device);
        let single = |i: usize| network.forward(images.clone().narrow(0, i, 1));
        let singles = Tensor::cat(vec![single(0), single(1), single(2)], 0);
        assert_eq!(network.forward(images.clone()).to_data(), singles.to_data(), "{config:?}");
    }
}

#[test]
fn features_are_what_levels_say() {
    let device = Device::flex();
    for config in small_encoders() {
        for output_stride in [None, Some(8), Some(16), Some(32)] {
            let Ok(levels) = config.levels(output_stride) else { continue };
            let size = |size: usize, level: &Level| (size - 2 * level.margin) / level.stride;
            // Whole strides beyond what the coarsest level loses.
            let beyond = 2 * levels.iter().map(|level| level.margin).max().unwrap();
            let [height, width] = [64 + beyond % 32, 96 + beyond % 32];
            let (images, _) = batch([1, BANDS, height, width], &device);
            let demand = Demand { output_stride, ..Demand::new(BANDS) };
            let features = config.init(demand, &device).forward(images).maps;
            let found: Vec<[usize; 4]> = features.iter().map(|feature| feature.dims()).collect();
            let said: Vec<[usize; 4]> =
                levels.iter().map(|level| [1, level.channels, size(height, level), size(width, level)]).collect();
            assert_eq!(found, said, "{config:?} at output stride {output_stride:?}");
        }
    }
}

#[test]
fn dilation_keeps_the_stride_of_residual_networks() {
    let strides = |config: &EncoderConfig, output_stride| -> Vec<usize> {
        config.levels(Some(output_stride)).unwrap().iter().map(|level| level.stride).collect()
    };
    let resnet = |depth| EncoderConfig::from(ResnetConfig { depth, width: 8 });
    for config in [resnet(18), resnet(34), resnet(50), resnet(101), resnet(152), ResnextConfig::default().into()] {
        assert_eq!(strides(&config, 32), [2, 4, 8, 16, 32]);
        assert_eq!(strides(&config, 16), [2, 4, 8, 16, 16]);
        assert_eq!(strides(&config, 8), [2, 4, 8, 8, 8]);
        for (stride, nearest) in [(4, 8), (13, 16), (64, 32)] {
            let refusal = config.levels(Some(stride)).unwrap_err().to_string();
            assert!(refusal.ends_with(&format!("nearest valid choice: `output_stride = {nearest}`")), "{refusal}");
        }
    }
}

/// Maxima that are put back where they stood are the feature maps' own values.
#[test]
fn indices_name_where_maxima_stood() {
    let device = Device::flex();
    for config in small_encoders() {
        let levels = config.levels(None).unwrap();
        let beyond = 2 * levels.iter().map(|level| level.margin).max().unwrap();
        let (images, _) = batch([2, BANDS, 64 + beyond % 32, 96 + beyond % 32], &device);
        let features = config.init(Demand { indices: true, ..Demand::new(BANDS) }, &device).forward(images);
        assert_eq!(features.indices.len(), levels.len(), "{config:?}");
        for ((level, map), indices) in levels.iter().zip(features.maps).zip(features.indices) {
            assert_eq!(level.pooled, indices.is_some(), "{config:?} at stride {}", level.stride);
            let Some(indices) = indices else { continue };
            let [batch, channels, height, width] = map.dims();
            assert_eq!(indices.dims(), [batch, channels, height / 2, width / 2], "{config:?}");
            let flat = map.clone().reshape([batch, channels, height * width]);
            let named = flat.gather(2, indices.reshape([batch, channels, height * width / 4]));
            let maxima = max_pool2d(map, MaxPoolOptions::new([2, 2]));
            assert_eq!(
                named.into_data().iter::<f32>().collect::<Vec<_>>(),
                maxima.into_data().iter::<f32>().collect::<Vec<_>>()
            );
        }
    }
}

/// The sizes of the paper's Figure 1.
#[test]
fn valid_unet_takes_572_pixels_for_388() {
    let encoder = PlainConfig { width: 1, padding: Padding::Valid, ..PlainConfig::default() };
    let decoder = UnetConfig { padding: Padding::Valid, ..UnetConfig::default() };
    let levels = encoder.levels(None).unwrap();
    let sizes: Vec<usize> = levels.iter().map(|level| (572 - 2 * level.margin) / level.stride).collect();
    assert_eq!(sizes, [568, 280, 136, 64, 28]);
    let level = decoder.out(&levels, 2).unwrap().level();
    assert_eq!(level.margin, (572 - 388) / 2);
    let device = Device::flex();
    let features = encoder.init(Demand::new(1), &device).forward(Tensor::zeros([1, 1, 572, 572], &device));
    assert_eq!(decoder.init(&levels, 2, &device).forward(features).dims(), [1, 1, 388, 388]);
}

/// What stands for pixels beyond the image is the image mirrored, so the logits of a part of it, with as much around as the
/// network looks at, are those of the whole.
#[test]
fn valid_logits_depend_on_nothing_beyond_the_margin() {
    let device = Device::flex();
    let config = SegmenterConfig::new(
        PlainConfig { width: 4, depth: 3, padding: Padding::Valid, ..PlainConfig::default() },
        UnetConfig { padding: Padding::Valid, ..UnetConfig::default() },
        BANDS,
        CLASSES,
    );
    let network = config.init(&device).unwrap();
    let (images, _) = batch([1, BANDS, 128, 112], &device);
    let whole = network.forward(images.clone());
    let part = network.forward(images.slice([0..1, 0..BANDS, 20..116, 16..100]));
    // 6 * 4 - 4 pixels on each side; strides keep their phase.
    let inner = |x: Tensor<4>, row: usize, col: usize| x.slice([0..1, 0..CLASSES, row..row + 56, col..col + 44]);
    let difference = (inner(whole, 40, 36) - inner(part, 20, 20)).abs().max().into_scalar::<f32>();
    assert!(difference < 1e-5, "{difference}");
}

/// Prediction is the mean of what is trained.
#[test]
fn deep_supervision_trains_several_outputs() {
    let device = Device::flex();
    let decoder = UnetPlusPlusConfig { deep_supervision: true, ..UnetPlusPlusConfig::default() };
    let config = SegmenterConfig::new(small_encoders().remove(0), decoder, BANDS, CLASSES);
    let network = config.init(&device).unwrap();
    let (images, _) = batch([2, BANDS, 33, 47], &device);
    let each = network.forward_each(images.clone());
    assert_eq!(each.len(), 3);
    let sum = each.iter().cloned().reduce(Tensor::add).unwrap();
    let difference = (sum / 3.0 - network.forward(images.clone())).abs().max().into_scalar::<f32>();
    assert!(difference < 1e-5, "{difference}");
    assert!((each[0].clone() - each[2].clone()).abs().max().into_scalar::<f32>() > 1e-2, "the outputs are the same");

    let one = SegmenterConfig::new(small_encoders().remove(0), UnetConfig::default(), BANDS, CLASSES);
    let one = one.init(&device).unwrap();
    let only = one.forward_each(images.clone());
    assert_eq!(only.len(), 1);
    assert_eq!(only[0].to_data(), one.forward(images).to_data());
}

#[test]
fn decoders_find_features_by_stride() {
    let gap = [Level::new(4, 2), Level::new(8, 8)];
    let out = UnetConfig::default().out(&gap, 2).unwrap();
    assert_eq!(out.level(), Level::new(4, 2));
    assert!(FcnConfig { stride: 2, ..FcnConfig::default() }.out(&gap, 2).is_err());
    let mlp = |strides: &[usize]| {
        MlpConfig { strides: Some(strides.to_vec()), hidden: 5, ..MlpConfig::default() }.out(&gap, 2).unwrap().level()
    };
    assert_eq!(mlp(&[8, 2]), Level::new(5, 2));
    assert_eq!(mlp(&[8]), Level::new(5, 8));
}

#[test]
fn presets_are_valid_and_have_names_of_their_own() {
    for preset in PRESETS {
        (preset.config)(4, 6).validate().unwrap_or_else(|error| panic!("{}: {error}", preset.name));
        assert_eq!(PRESETS.iter().filter(|other| other.name == preset.name).count(), 1, "{}", preset.name);
    }
}

#[test]
fn light_presets_predict() {
    let device = Device::flex();
    for name in
        ["maggiori", "unet-mobilenet-v2", "unet-efficientnet-lite0", "segformer-b0", "deeplabv3plus-mobilenet-v2"]
    {
        let network = (preset::find(name).unwrap().config)(4, 6).init(&device).unwrap();
        let logits = network.forward(Tensor::ones([1, 4, 64, 64], &device));
        assert_eq!(logits.dims(), [1, 6, 64, 64], "{name}");
        assert!(logits.into_data().iter::<f32>().all(f32::is_finite), "{name}");
    }
}

#[test]
fn seeds_decide_the_weights() {
    let device = Device::flex();
    let config = SegmenterConfig::new(
        ResnetConfig { depth: 18, width: 4 },
        FcnConfig { stride: 8, ..FcnConfig::default() },
        BANDS,
        CLASSES,
    );
    let draw = |seed| weights::read(&weights::initialize(config.init(&device).unwrap(), seed));
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    assert_eq!(draw(0), weights::read(&config.init(&device).unwrap()));
}
