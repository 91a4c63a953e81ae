//! Every encoder with every decoder at small width, and the refusals.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use swath_nn::block::Upsampling;
use swath_nn::decoder::DecoderConfig;
use swath_nn::decoder::deeplab_v1::DeeplabV1Config;
use swath_nn::decoder::deeplab_v3::DeeplabV3Config;
use swath_nn::decoder::deeplab_v3_plus::DeeplabV3PlusConfig;
use swath_nn::decoder::dilation::{ContextForm, DilationConfig};
use swath_nn::decoder::fcn::FcnConfig;
use swath_nn::decoder::fpn::FpnConfig;
use swath_nn::decoder::hypercolumn::HypercolumnConfig;
use swath_nn::decoder::mlp::MlpConfig;
use swath_nn::decoder::pspnet::PspnetConfig;
use swath_nn::decoder::segformer::SegformerConfig;
use swath_nn::decoder::unet::UnetConfig;
use swath_nn::decoder::upernet::UpernetConfig;
use swath_nn::encoder::alexnet::AlexnetConfig;
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
use swath_nn::preset::PRESETS;
use swath_nn::{HeadConfig, Level, Segmenter, SegmenterConfig, weights};

pub(crate) const BANDS: usize = 5;
pub(crate) const CLASSES: usize = 3;

/// Small forms of every encoder. A new member that is missing here fails `small_forms_cover_the_families`.
pub(crate) fn small_encoders() -> Vec<EncoderConfig> {
    vec![
        PlainConfig { width: 4, depth: 4, batch_norm: true }.into(),
        PlainConfig { width: 4, depth: 4, batch_norm: false }.into(),
        ResnetConfig { depth: 18, width: 4 }.into(),
        ResnetConfig { depth: 50, width: 4 }.into(),
        MobilenetV2Config { width: 0.125, head: 24 }.into(),
        EfficientnetConfig { width: 0.125, ..EfficientnetConfig::default() }.into(),
        EfficientnetLite0Config { width: 0.125, head: false }.into(),
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
    ]
}

/// Small forms of every decoder.
pub(crate) fn small_decoders() -> Vec<DecoderConfig> {
    let unet = |upsampling| UnetConfig { upsampling, ..UnetConfig::default() };
    vec![
        unet(Upsampling::Transposed).into(),
        unet(Upsampling::Bilinear).into(),
        UnetConfig { channels: Some(vec![8, 6]), upsampling: Upsampling::Nearest, batch_norm: false }.into(),
        FcnConfig { stride: 8 }.into(),
        FcnConfig { stride: 4 }.into(),
        // The small plain encoder ends at stride 8, residual ones at 32.
        DeeplabV3Config { output_stride: 8, rates: vec![2, 4], channels: 6, separable: false }.into(),
        DeeplabV3Config { output_stride: 32, channels: 16, ..DeeplabV3Config::default() }.into(),
        small_deeplab_v3_plus(8).into(),
        small_deeplab_v3_plus(32).into(),
        PspnetConfig { output_stride: 8, channels: 16 }.into(),
        PspnetConfig { output_stride: 32, channels: 6 }.into(),
        SegformerConfig { channels: 6 }.into(),
        SegformerConfig { channels: 16 }.into(),
        FpnConfig { pyramid_channels: 6, channels: 16, groups: 4 }.into(),
        FpnConfig { pyramid_channels: 16, channels: 6, groups: 2 }.into(),
        UpernetConfig { channels: 6 }.into(),
        UpernetConfig { channels: 16 }.into(),
        DeeplabV1Config { output_stride: 8 }.into(),
        DeeplabV1Config { output_stride: 32 }.into(),
        DilationConfig { output_stride: 8, form: ContextForm::Basic }.into(),
        DilationConfig { output_stride: 8, form: ContextForm::Large }.into(),
        DilationConfig { output_stride: 32, form: ContextForm::Basic }.into(),
        HypercolumnConfig { strides: None, hidden: vec![12] }.into(),
        HypercolumnConfig { strides: None, hidden: vec![16, 12] }.into(),
        MlpConfig { strides: None, hidden: 16 }.into(),
        MlpConfig { strides: None, hidden: 6 }.into(),
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
        learn(config.init(&device).unwrap(), &device, &pair);
    }
}

/// Steps on one batch of 33x47 pixels until the loss has fallen by a hundredth; 20 have to suffice.
fn learn(mut network: Segmenter, device: &Device, pair: &str) {
    let (images, labels) = batch([2, BANDS, 33, 47], device);
    let mut optimizer = AdamConfig::new().init();
    let mut losses: Vec<f32> = Vec::new();
    for _ in 0..=20 {
        let logits = network.forward(images.clone());
        assert_eq!(logits.dims(), [2, CLASSES, 33, 47], "{pair}");
        let loss = cross_entropy(logits, labels.clone());
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
    for encoder in small_encoders() {
        let config = SegmenterConfig::new(encoder, UnetConfig::default(), BANDS, CLASSES);
        let network = config.init(&device).unwrap();
        let (images, _) = batch([3, BANDS, 65, 97], &device);
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
            let (images, _) = batch([1, BANDS, 64, 96], &device);
            let demand = Demand { output_stride, ..Demand::new(BANDS) };
            let features = config.init(demand, &device).forward(images).maps;
            let found: Vec<[usize; 4]> = features.iter().map(|feature| feature.dims()).collect();
            let said: Vec<[usize; 4]> =
                levels.iter().map(|level| [1, level.channels, 64 / level.stride, 96 / level.stride]).collect();
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
        let (images, _) = batch([2, BANDS, 64, 96], &device);
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
    let expected = SegmenterConfig::new(ResnetConfig { depth: 50, width: 64 }, FcnConfig { stride: 16 }, 4, 2);
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
    let plain = |depth| EncoderConfig::from(PlainConfig { width: 8, depth, batch_norm: true });
    let resnet = |depth| EncoderConfig::from(ResnetConfig { depth, width: 8 });
    let unet = |channels: &[usize]| {
        DecoderConfig::from(UnetConfig { channels: Some(channels.to_vec()), ..UnetConfig::default() })
    };
    assert_eq!(
        refusal(plain(3), FcnConfig { stride: 8 }.into()),
        "decoder fcn does not fit this encoder: `stride = 8`, but the encoder has strides 1, 2 and 4; \
         nearest valid choice: `stride = 4`"
    );
    assert!(refusal(resnet(40), unet(&[8])).ends_with("nearest valid choice: `depth = 34`"));
    assert!(refusal(plain(12), unet(&[8])).ends_with("nearest valid choice: `depth = 8`"));
    assert!(refusal(plain(3), unet(&[8, 8, 8])).ends_with("nearest valid choice: `channels = [8, 8]`"));
    assert!(refusal(plain(3), unet(&[8, 0])).ends_with("nearest valid choice: `channels = [8, 1]`"));
    let deeplab = |output_stride| DeeplabV3PlusConfig { output_stride, ..DeeplabV3PlusConfig::default() };
    assert!(refusal(plain(3), deeplab(8).into()).ends_with("nearest valid choice: `depth = 4`"));
    assert!(refusal(plain(3), deeplab(4).into()).ends_with("nearest valid choice: `output_stride = 8`"));
    let rates = DeeplabV3Config { rates: vec![6, 0], ..DeeplabV3Config::default() };
    assert!(refusal(plain(4), rates.into()).ends_with("nearest valid choice: `rates = [6, 1]`"));
    let unrated = DeeplabV3Config { rates: vec![], ..DeeplabV3Config::default() };
    assert!(refusal(plain(4), unrated.into()).ends_with("nearest valid choice: `rates = [12, 24, 36]`"));
    assert!(refusal(plain(4), PspnetConfig { output_stride: 8, channels: 0 }.into()).ends_with("`channels = 1`"));
    let hypercolumn = |strides: Vec<usize>, hidden| HypercolumnConfig { strides: Some(strides), hidden };
    assert!(refusal(plain(3), hypercolumn(vec![2, 16], vec![4]).into()).ends_with("choice: `strides = [2]`"));
    assert!(refusal(plain(2), hypercolumn(vec![16], vec![4]).into()).ends_with("choice: `strides = [1, 2]`"));
    assert!(refusal(plain(2), hypercolumn(vec![], vec![4]).into()).ends_with("choice: `strides = [1, 2]`"));
    assert!(refusal(plain(3), hypercolumn(vec![2], vec![4, 0]).into()).ends_with("choice: `hidden = [4, 1]`"));
    assert!(refusal(plain(3), hypercolumn(vec![2], vec![]).into()).ends_with("choice: `hidden = [256, 256]`"));
    let groups = |groups| FpnConfig { groups, ..FpnConfig::default() };
    assert!(refusal(plain(3), groups(48).into()).ends_with("choice: `groups = 32`"));
    assert!(refusal(plain(3), groups(0).into()).ends_with("choice: `groups = 1`"));
    assert!(refusal(plain(2), groups(32).into()).contains("features of stride 4"));
    assert!(refusal(plain(3), UpernetConfig { channels: 0 }.into()).ends_with("choice: `channels = 1`"));
    assert!(refusal(plain(3), MlpConfig { strides: None, hidden: 0 }.into()).ends_with("choice: `hidden = 1`"));
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
    let stride_8 = EncoderConfig::from(VggConfig::default()).levels(Some(8)).unwrap_err().to_string();
    assert!(stride_8.contains("encoder dilated_vgg has stride 8"), "{stride_8}");
    assert!(
        refusal(MaggioriConfig::default().into(), FcnConfig { stride: 8 }.into())
            .ends_with("the encoder has strides 4, 4 and 4; nearest valid choice: `stride = 4`")
    );
    let head = HeadConfig { kernel: 3 };
    let no_head = SegmenterConfig { head, ..SegmenterConfig::new(plain(4), FcnConfig { stride: 8 }, 3, 2) };
    assert!(no_head.validate().unwrap_err().to_string().ends_with("nearest valid choice: `kernel = 1`"));
    let even = SegmenterConfig {
        head: HeadConfig { kernel: 2 },
        ..SegmenterConfig::new(plain(4), UnetConfig::default(), 3, 2)
    };
    assert!(even.validate().unwrap_err().to_string().ends_with("nearest valid choice: `kernel = 3`"));
}

#[test]
fn decoders_find_features_by_stride() {
    let gap = [Level::new(4, 2), Level::new(8, 8)];
    let out = UnetConfig::default().out(&gap, 2).unwrap();
    assert_eq!(out.level(), Level::new(4, 2));
    assert!(FcnConfig { stride: 2 }.out(&gap, 2).is_err());
    let mlp =
        |strides: &[usize]| MlpConfig { strides: Some(strides.to_vec()), hidden: 5 }.out(&gap, 2).unwrap().level();
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
fn seeds_decide_the_weights() {
    let device = Device::flex();
    let config = SegmenterConfig::new(small_encoders().remove(2), FcnConfig { stride: 8 }, BANDS, CLASSES);
    let draw = |seed| weights::read(&weights::initialize(config.init(&device).unwrap(), seed));
    assert_eq!(draw(3), draw(3));
    assert_ne!(draw(3), draw(4));
    assert_eq!(draw(0), weights::read(&config.init(&device).unwrap()));
}
