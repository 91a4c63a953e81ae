//! What is refused, and what a refusal says to choose instead.

use swath_nn::block::{Padding, Upsampling};
use swath_nn::decoder::DecoderConfig;
use swath_nn::decoder::deconvnet::DeconvnetConfig;
use swath_nn::decoder::deeplab_v1::DeeplabV1Config;
use swath_nn::decoder::deeplab_v3::DeeplabV3Config;
use swath_nn::decoder::deeplab_v3_plus::DeeplabV3PlusConfig;
use swath_nn::decoder::dilation::DilationConfig;
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
use swath_nn::encoder::EncoderConfig;
use swath_nn::encoder::alexnet::AlexnetConfig;
use swath_nn::encoder::cerranet::CerranetConfig;
use swath_nn::encoder::densenet::DensenetConfig;
use swath_nn::encoder::dilated_vgg::DilatedVggConfig;
use swath_nn::encoder::maggiori::MaggioriConfig;
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::encoder::resnet::ResnetConfig;
use swath_nn::encoder::resnext::ResnextConfig;
use swath_nn::encoder::vgg::VggConfig;
use swath_nn::{HeadConfig, SegmenterConfig};

use super::family::{BANDS, CLASSES, small_decoders};

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
