//! What networks cost: small ones worked out by hand, known ones against other people's numbers.

use serde::Deserialize;
use swath_nn::SegmenterConfig;
use swath_nn::decoder::deeplab_v1::DeeplabV1Config;
use swath_nn::decoder::deeplab_v3::DeeplabV3Config;
use swath_nn::decoder::fcn::FcnConfig;
use swath_nn::decoder::fpn::FpnConfig;
use swath_nn::decoder::segformer::SegformerConfig;
use swath_nn::decoder::segnet::SegnetConfig;
use swath_nn::decoder::unet::UnetConfig;
use swath_nn::encoder::alexnet::AlexnetConfig;
use swath_nn::encoder::mit::MitConfig;
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::encoder::resnet::ResnetConfig;
use swath_nn::encoder::swin::SwinConfig;
use swath_nn::encoder::vgg::VggConfig;
use swath_nn::measure::{Measures, ReceptiveField, SIDE, measure};
use swath_nn::preset::{self, PRESETS};

const AREA: usize = SIDE * SIDE;

/// Bytes of `floats` a pixel.
fn bytes(floats: usize) -> usize {
    4 * AREA * floats
}

#[test]
fn a_small_unet_costs_what_can_be_worked_out_by_hand() {
    let encoder = PlainConfig { width: 2, depth: 2, ..PlainConfig::default() };
    let config = SegmenterConfig::new(encoder, UnetConfig::default(), 3, 2);
    // Weights of the encoder's fine and coarse level, the 2x2 upsampling, the decoder, and the head.
    let [fine, coarse, up, step, head] =
        [9 * (3 * 2 + 2 * 2), 9 * (2 * 4 + 4 * 4), 4 * 4 * 2, 9 * (4 * 2 + 2 * 2), 2 * 2];
    // Scales and shifts of six normalizations, and the biases of upsampling and head.
    assert_eq!(config.parameters(), Ok(fine + coarse + up + step + head + 2 * (2 + 2 + 4 + 4 + 2 + 2) + 2 + 2));
    let measures = Measures {
        side: SIDE,
        // The coarse level has a quarter of the pixels; upsampling makes four of each.
        macs: (AREA * (fine + coarse / 4 + up / 4 + step + head)) as u64,
        // At the join: two channels of the encoder, two of upsampling, and the four that they make.
        activation_bytes: bytes(2 + 2 + 4),
        // Two convolutions see 5 pixels, the coarse level 5 pairs of them and 14 pixels, the decoder 3 coarse ones.
        receptive_field: ReceptiveField::Side(14 + 2 * 2),
    };
    assert_eq!(measure(&config, SIDE), Ok(measures));
    // A fourth of the pixels.
    let smaller = Measures {
        side: SIDE / 2,
        macs: measures.macs / 4,
        activation_bytes: measures.activation_bytes / 4,
        ..measures
    };
    assert_eq!(measure(&config, SIDE / 2), Ok(smaller));
    assert_eq!(smaller.macs_per_megapixel(), measures.macs_per_megapixel());
}

#[test]
fn unpooling_sees_its_own_window() {
    let plain = || PlainConfig { width: 2, depth: 2, ..PlainConfig::default() };
    let field = |config: SegmenterConfig| measure(&config, SIDE).unwrap().receptive_field;
    // The coarse level sees 14 pixels, and the bilinear resizing of `unet` without steps two of its pixels.
    let unet = UnetConfig { channels: Some(vec![]), ..UnetConfig::default() };
    assert_eq!(field(SegmenterConfig::new(plain(), unet, 3, 2)), ReceptiveField::Side(14 + 2));
    // A fine convolution over unpooled values sees two coarse pixels as well, one of 5x5 would see three.
    assert_eq!(field(SegmenterConfig::new(plain(), SegnetConfig::default(), 3, 2)), ReceptiveField::Side(14 + 2));
}

/// The field of a network's coarsest features, to which the resizing of logits adds one pixel of stride 32.
fn coarsest(config: SegmenterConfig) -> usize {
    match measure(&config, SIDE).unwrap().receptive_field {
        ReceptiveField::Side(side) => side - 32,
        ReceptiveField::Whole => panic!("{config:?} sees everything"),
    }
}

#[test]
fn receptive_fields_are_those_of_the_literature() {
    // Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks. Distill, 2019.
    let fcn = || FcnConfig { stride: 32, ..FcnConfig::default() };
    assert_eq!(coarsest(SegmenterConfig::new(AlexnetConfig::default(), fcn(), 3, 2)), 195);
    assert_eq!(coarsest(SegmenterConfig::new(VggConfig::default(), fcn(), 3, 2)), 212);
    // Stem and pool, then each 3x3 convolution but a stage's first at the stage's own stride: not the paper's 483, since
    // torchvision's first block of a stage halves the resolution in its 3x3 convolution.
    let resnet = ResnetConfig { depth: 50, ..ResnetConfig::default() };
    let side = 7 + 4 + 3 * 8 + (8 + 3 * 16) + (16 + 5 * 32) + (32 + 2 * 64);
    assert_eq!(coarsest(SegmenterConfig::new(resnet, fcn(), 3, 2)), side);
}

#[test]
fn what_sees_everything_says_so() {
    let field = |config: SegmenterConfig| measure(&config, SIDE).unwrap().receptive_field;
    let resnet = || ResnetConfig { depth: 18, width: 4 };
    // Pooling to one pixel; statistics of the whole map; attention to all of it.
    assert_eq!(field(SegmenterConfig::new(resnet(), DeeplabV3Config::default(), 3, 2)), ReceptiveField::Whole);
    assert_eq!(field(SegmenterConfig::new(resnet(), FpnConfig::default(), 3, 2)), ReceptiveField::Whole);
    let mit = SegmenterConfig::new(MitConfig::default(), SegformerConfig::default(), 3, 2);
    assert_eq!(field(mit), ReceptiveField::Whole);
    // Windows of attention see further from block to block, but never all; along one row they can be followed by hand, block by
    // block: a pixel of the last stage sees 1288, and two that resizing joins across windows 1512.
    let swin = SegmenterConfig::new(SwinConfig { head_width: 2 }, DeeplabV1Config { output_stride: 32 }, 3, 2);
    assert_eq!(field(swin), ReceptiveField::Side(1512));
}

#[derive(Deserialize)]
struct Reference {
    preset: String,
    bands: usize,
    classes: usize,
    parameters: usize,
    macs: u64,
}

#[test]
fn presets_cost_what_other_implementations_count() {
    let text = include_str!("../../../../fixtures/nn/measures.json");
    let references: Vec<Reference> = serde_json::from_str(text).unwrap();
    assert!(references.len() > 10);
    for Reference { preset, bands, classes, parameters, macs } in references {
        let config = (preset::find(&preset).unwrap().config)(bands, classes);
        assert_eq!(config.parameters(), Ok(parameters), "{preset}");
        assert_eq!(measure(&config, SIDE).unwrap().macs, macs, "{preset}");
    }
}

#[test]
fn every_preset_is_measured() {
    for preset in PRESETS {
        let measures = measure(&(preset.config)(4, 6), SIDE).unwrap();
        assert!(measures.macs > 0 && measures.activation_bytes >= bytes(4), "{}: {measures:?}", preset.name);
    }
}
