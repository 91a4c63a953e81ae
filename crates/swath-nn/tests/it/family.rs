//! Every encoder with every decoder at small width, and the refusals.

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
use swath_nn::{HeadConfig, Level, Segmenter, SegmenterConfig, weights};

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

#[test]
fn recipes_name_members_and_refuse_unknown_keys() {
    let read = |text: &str| toml::from_str::<SegmenterConfig>(text);
    let config = read("bands = 4\nclasses = 2\n[encoder.resnet]\ndepth = 50\n[decoder.fcn]\nstride = 16\n").unwrap();
    let expected = SegmenterConfig::new(
        ResnetConfig { depth: 50, width: 64 },
        FcnConfig { stride: 16, ..FcnConfig::default() },
        4,
        2,
    );
    assert_eq!(config, expected);
    assert_eq!(read(&toml::to_string(&config).unwrap()).unwrap(), config);

    let mistyped = read("bands = 4\nclasses = 2\n[encoder.resnet]\ndeepth = 50\n[decoder.unet]\n").unwrap_err();
    assert!(mistyped.to_string().contains("deepth"), "{mistyped}");
    let unknown = read("bands = 4\nclasses = 2\n[encoder.vgn]\n[decoder.unet]\n").unwrap_err();
    assert!(unknown.to_string().contains("`plain`"), "{unknown}");
}

#[test]
fn what_does_not_fit_is_refused_with_the_nearest_choice() {
    let refusal = |encoder: EncoderConfig, decoder: DecoderConfig| {
        SegmenterConfig::new(encoder, decoder, 3, 2).validate().unwrap_err().to_string()
    };
    let plain = |depth| EncoderConfig::from(PlainConfig { width: 8, depth, ..PlainConfig::default() });
    let resnet = |depth| EncoderConfig::from(ResnetConfig { depth, width: 8 });
    let unet = |channels: &[usize]| {
        DecoderConfig::from(UnetConfig { channels: Some(channels.to_vec()), ..UnetConfig::default() })
    };
    assert_eq!(
        refusal(plain(3), FcnConfig { stride: 8, ..FcnConfig::default() }.into()),
        "decoder fcn does not fit this encoder: `stride = 8`, but the encoder has strides 1, 2 and 4; \
         nearest valid choice: `stride = 4`"
    );
    assert!(refusal(resnet(40), unet(&[8])).ends_with("nearest valid choice: `depth = 34`"));
    assert!(refusal(plain(12), unet(&[8])).ends_with("nearest valid choice: `depth = 8`"));
    assert!(refusal(plain(3), unet(&[8, 8, 8])).ends_with("nearest valid choice: `channels = [8, 8]`"));
    assert!(refusal(plain(3), unet(&[8, 0])).ends_with("nearest valid choice: `channels = [8, 1]`"));
    let deeplab = |output_stride| DeeplabV3PlusConfig { output_stride, ..DeeplabV3PlusConfig::default() };
    assert_eq!(
        refusal(plain(3), deeplab(8).into()),
        "decoder deeplab_v3_plus: `output_stride = 8` is not possible: encoder plain cannot give it: its coarsest stride follows from \
         `depth`; nearest valid choice: `depth = 4` of encoder plain"
    );
    assert!(
        refusal(plain(3), deeplab(4).into()).ends_with("choice: `output_stride = 8` and `depth = 4` of encoder plain")
    );
    assert!(refusal(plain(5), deeplab(8).into()).ends_with("nearest valid choice: `output_stride = 16`"));
    assert!(
        refusal(resnet(40), deeplab(12).into())
            .ends_with("choice: `output_stride = 8` of decoder deeplab_v3_plus and `depth = 34`")
    );
    // Of many faults the first is mended first.
    let many = DeeplabV3PlusConfig { channels: 0, ..deeplab(12) };
    assert!(refusal(resnet(40), many.into()).ends_with("nearest valid choice: `depth = 34`"));
    let upsampling = Upsampling::MaxUnpooling;
    for enlarging in [
        FpnConfig { upsampling, ..FpnConfig::default() }.into(),
        MlpConfig { upsampling, ..MlpConfig::default() }.into(),
        HypercolumnConfig { upsampling, ..HypercolumnConfig::default() }.into(),
        UpernetConfig { upsampling, ..UpernetConfig::default() }.into(),
        SegformerConfig { upsampling, ..SegformerConfig::default() }.into(),
        DeeplabV3PlusConfig { upsampling, ..deeplab(8) }.into(),
        PspnetConfig { upsampling: Upsampling::PixelShuffle, ..PspnetConfig::default() }.into(),
    ] {
        let enlarging: DecoderConfig = enlarging;
        assert!(refusal(plain(4), enlarging).ends_with("nearest valid choice: `upsampling = \"bilinear\"`"));
    }
    let rates = DeeplabV3Config { rates: vec![6, 0], ..DeeplabV3Config::default() };
    assert!(refusal(plain(4), rates.into()).ends_with("nearest valid choice: `rates = [6, 1]`"));
    let unrated = DeeplabV3Config { rates: vec![], ..DeeplabV3Config::default() };
    assert!(refusal(plain(4), unrated.into()).ends_with("nearest valid choice: `rates = [12, 24, 36]`"));
    assert!(
        refusal(plain(4), PspnetConfig { channels: 0, ..PspnetConfig::default() }.into()).ends_with("`channels = 1`")
    );
    let hypercolumn = |strides: Vec<usize>, hidden| HypercolumnConfig {
        strides: Some(strides),
        hidden,
        ..HypercolumnConfig::default()
    };
    assert!(refusal(plain(3), hypercolumn(vec![2, 16], vec![4]).into()).ends_with("choice: `strides = [2]`"));
    assert!(refusal(plain(2), hypercolumn(vec![16], vec![4]).into()).ends_with("choice: `strides = [1, 2]`"));
    assert!(refusal(plain(2), hypercolumn(vec![], vec![4]).into()).ends_with("choice: `strides = [1, 2]`"));
    assert!(refusal(plain(3), hypercolumn(vec![2], vec![4, 0]).into()).ends_with("choice: `hidden = [4, 1]`"));
    assert!(refusal(plain(3), hypercolumn(vec![2], vec![]).into()).ends_with("choice: `hidden = [256, 256]`"));
    let groups = |groups| FpnConfig { groups, ..FpnConfig::default() };
    assert!(refusal(plain(3), groups(48).into()).ends_with("choice: `groups = 32`"));
    assert!(refusal(plain(3), groups(0).into()).ends_with("choice: `groups = 1`"));
    assert!(refusal(plain(2), groups(32).into()).contains("features of stride 4"));
    assert!(
        refusal(plain(3), UpernetConfig { channels: 0, ..UpernetConfig::default() }.into())
            .ends_with("choice: `channels = 1`")
    );
    assert!(
        refusal(plain(3), MlpConfig { hidden: 0, ..MlpConfig::default() }.into()).ends_with("choice: `hidden = 1`")
    );
    assert!(refusal(plain(2), SegformerConfig::default().into()).contains("features of stride 4"));
    let no_bands = SegmenterConfig::new(plain(3), UnetConfig::default(), 0, 2).validate().unwrap_err();
    assert!(no_bands.to_string().contains("bands"), "{no_bands}");
    assert!(plain(5).levels(Some(8)).is_err());
    let resnext = |config: ResnextConfig| refusal(config.into(), unet(&[8]));
    let default = ResnextConfig::default;
    assert!(resnext(ResnextConfig { depth: 152, ..default() }).ends_with("choice: `depth = 101`"));
    assert!(resnext(ResnextConfig { cardinality: 0, ..default() }).ends_with("choice: `cardinality = 1`"));
    assert!(resnext(ResnextConfig { group_width: 999, ..default() }).ends_with("choice: `group_width = 256`"));
    for (config, nearest) in [
        (VggConfig { depth: 18, ..VggConfig::default() }.into(), "depth = 19"),
        (VggConfig { classifier: Some(0), ..VggConfig::default() }.into(), "classifier = 1"),
        (AlexnetConfig { width: 0, classifier: None }.into(), "width = 1"),
        (DilatedVggConfig { classifier: 99_999, ..DilatedVggConfig::default() }.into(), "classifier = 16384"),
        (DensenetConfig { growth_rate: 0, ..DensenetConfig::default() }.into(), "growth_rate = 1"),
        (DensenetConfig { blocks: [6, 0, 24, 999], ..DensenetConfig::default() }.into(), "blocks = [6, 1, 24, 256]"),
        (MaggioriConfig { kernel: 11, ..MaggioriConfig::default() }.into(), "kernel = 12"),
    ] {
        let refusal = refusal(config, unet(&[8]));
        assert!(refusal.ends_with(&format!("nearest valid choice: `{nearest}`")), "{refusal}");
    }
    // Two keys of the decoder are nearer than another one.
    let both = PspnetConfig { upsampling: Upsampling::Transposed, ..PspnetConfig::default() };
    let refused = refusal(VggConfig::default().into(), both.into());
    assert!(refused.ends_with("`output_stride = 32` and `upsampling = \"bilinear\"`"), "{refused}");
    let stride_8 = EncoderConfig::from(VggConfig::default()).levels(Some(8)).unwrap_err().to_string();
    assert!(stride_8.contains("encoder dilated_vgg has stride 8"), "{stride_8}");
    assert!(
        refusal(MaggioriConfig::default().into(), FcnConfig { stride: 8, ..FcnConfig::default() }.into())
            .ends_with("the encoder has strides 4, 4 and 4; nearest valid choice: `stride = 4`")
    );
    let head = HeadConfig { kernel: 3 };
    let no_head = SegmenterConfig {
        head,
        ..SegmenterConfig::new(plain(4), FcnConfig { stride: 8, ..FcnConfig::default() }, 3, 2)
    };
    assert!(no_head.validate().unwrap_err().to_string().ends_with("nearest valid choice: `kernel = 1`"));
    let even = SegmenterConfig {
        head: HeadConfig { kernel: 2 },
        ..SegmenterConfig::new(plain(4), UnetConfig::default(), 3, 2)
    };
    assert!(even.validate().unwrap_err().to_string().ends_with("nearest valid choice: `kernel = 3`"));
}

/// Whatever a refusal says to write makes a network that is valid: with every encoder and decoder, at every stride.
#[test]
fn proposals_are_valid() {
    let plain = |depth| EncoderConfig::from(PlainConfig { depth, ..PlainConfig::default() });
    let valid = |depth| EncoderConfig::from(PlainConfig { depth, padding: Padding::Valid, ..PlainConfig::default() });
    let cerranet = |depth| EncoderConfig::from(CerranetConfig { depth, ..CerranetConfig::default() });
    let mut encoders = EncoderConfig::defaults();
    encoders.extend((1..=8).flat_map(|depth| [plain(depth), valid(depth)]));
    encoders.extend((1..=6).map(cerranet));
    let mut decoders = DecoderConfig::defaults();
    decoders.extend(small_decoders());
    for stride in [1, 3, 4, 12, 32, 128] {
        let of_stride: [DecoderConfig; 9] = [
            DeeplabV1Config { output_stride: stride }.into(),
            DeeplabV3Config { output_stride: stride, ..Default::default() }.into(),
            DeeplabV3PlusConfig { output_stride: stride, ..Default::default() }.into(),
            DilationConfig { output_stride: stride, ..Default::default() }.into(),
            PspnetConfig { output_stride: stride, ..Default::default() }.into(),
            FcnConfig { stride, ..Default::default() }.into(),
            PolycnnConfig { stride: Some(stride), ..Default::default() }.into(),
            HypercolumnConfig { strides: Some(vec![stride]), ..Default::default() }.into(),
            MlpConfig { strides: Some(vec![2, stride]), ..Default::default() }.into(),
        ];
        decoders.extend(of_stride);
    }
    let mut refused = 0;
    for encoder in &encoders {
        for decoder in &decoders {
            let pair = SegmenterConfig::new(encoder.clone(), decoder.clone(), BANDS, CLASSES);
            let Err(refusal) = pair.validate() else { continue };
            let text = refusal.to_string();
            let (_, words) = text.split_once("nearest valid choice: ").expect("a proposal");
            let mended = proposed(&pair, &refusal.key(), words);
            assert_eq!(mended.validate(), Ok(()), "{pair:?}: {refusal}");
            refused += 1;
        }
    }
    assert!(refused > 1000, "{refused}");
}

/// The network with what a refusal of `key` says to choose.
fn proposed(network: &SegmenterConfig, key: &str, words: &str) -> SegmenterConfig {
    let mut table = toml::Table::try_from(network).unwrap();
    for words in words.split(" and ") {
        let (family, choice) = match words.split_once(" `") {
            Some((family @ ("encoder" | "decoder"), name)) => {
                let name = name.trim_end_matches('`');
                table[family] = toml::from_str::<toml::Table>(&format!("[{name}]")).unwrap().into();
                continue;
            }
            _ => match words.split_once(" of ") {
                Some((choice, member)) => (member.split(' ').next().unwrap(), choice),
                None => (key.split('.').nth(1).unwrap(), words),
            },
        };
        let options = table[family].as_table_mut().unwrap().iter_mut().next().unwrap().1.as_table_mut().unwrap();
        options.extend(toml::from_str::<toml::Table>(choice.trim_matches('`')).unwrap());
    }
    table.try_into().unwrap()
}

/// Unpooling needs indices, and valid convolutions an encoder and a decoder of the same kind.
#[test]
fn pairs_that_cannot_work_say_what_would() {
    let refusal = |encoder: &EncoderConfig, decoder: DecoderConfig| {
        SegmenterConfig::new(encoder.clone(), decoder, 3, 2).validate().unwrap_err().to_string()
    };
    let resnet = EncoderConfig::from(ResnetConfig::default());
    let (same, valid): (EncoderConfig, EncoderConfig) =
        (PlainConfig::default().into(), PlainConfig { padding: Padding::Valid, ..PlainConfig::default() }.into());
    let padding = Padding::Valid;
    assert_eq!(
        refusal(&resnet, SegnetConfig::default().into()),
        "decoder segnet does not fit this encoder: max-unpooling to stride 16 needs to know where the maxima stood, and this \
         encoder has no padded 2x2 max-pooling from stride 16 to 32, as `vgg` has; nearest valid choice: \
         `upsampling = \"transposed\"`"
    );
    for decoder in [
        DeconvnetConfig::default().into(),
        LinknetConfig { upsampling: Upsampling::MaxUnpooling, ..LinknetConfig::default() }.into(),
        UnetPlusPlusConfig { upsampling: Upsampling::MaxUnpooling, ..UnetPlusPlusConfig::default() }.into(),
        DecoderConfig::from(UnetConfig { upsampling: Upsampling::MaxUnpooling, ..UnetConfig::default() }),
    ] {
        let refused = refusal(&resnet, decoder);
        assert!(refused.ends_with("`upsampling = \"transposed\"`"), "{refused}");
    }
    let unet = UnetConfig { padding, ..UnetConfig::default() };
    assert!(refusal(&same, unet.clone().into()).ends_with("nearest valid choice: `padding = \"same\"`"));
    assert!(refusal(&valid, UnetConfig::default().into()).ends_with("nearest valid choice: `padding = \"valid\"`"));
    let unpooling = UnetConfig { upsampling: Upsampling::MaxUnpooling, ..unet };
    assert!(refusal(&valid, unpooling.into()).ends_with("`upsampling = \"transposed\"`"));
    assert!(
        refusal(&valid, FcnConfig { stride: 4, ..FcnConfig::default() }.into())
            .ends_with("nearest valid choice: `padding = \"same\"` of encoder plain")
    );
    let scores = FcnConfig { stride: 4, upsampling: Upsampling::MaxUnpooling };
    assert!(refusal(&same, scores.into()).ends_with("nearest valid choice: `upsampling = \"transposed\"`"));
    let depths = SegnetConfig { depths: Some(vec![2, 0, 3]), ..SegnetConfig::default() };
    assert!(refusal(&same, depths.into()).ends_with("nearest valid choice: `depths = [2, 1, 3, 1]`"));
    let window = DeconvnetConfig { kernel: 0, ..DeconvnetConfig::default() };
    assert!(refusal(&same, window.into()).ends_with("nearest valid choice: `kernel = 1`"));
    assert!(refusal(&same, LinknetConfig { channels: 0, ..Default::default() }.into()).ends_with("`channels = 1`"));
    let nested = |channels: &[usize], deep_supervision| {
        let channels = Some(channels.to_vec());
        DecoderConfig::from(UnetPlusPlusConfig { channels, deep_supervision, ..UnetPlusPlusConfig::default() })
    };
    assert!(refusal(&same, nested(&[9, 9], false)).ends_with("nearest valid choice: `channels = [9, 9, 128, 64]`"));
    assert!(refusal(&same, nested(&[9, 9, 9, 9], true)).ends_with("nearest valid choice: `channels = [9, 9, 9, 64]`"));
    assert!(refusal(&same, nested(&[9; 5], false)).ends_with("nearest valid choice: `channels = [9, 9, 9, 9]`"));
    assert!(refusal(&same, nested(&[9, 0, 9, 9], false)).ends_with("nearest valid choice: `channels = [9, 1, 9, 9]`"));
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
