//! Weights by name: order, round trip, refusals, optimizer groups.

use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Tensor};
use swath_nn::decoder::unet::UnetConfig;
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::weights::{self, Kind, NamedTensor, WeightsError, parameter_kind};
use swath_nn::{Segmenter, SegmenterConfig};

fn config() -> SegmenterConfig {
    SegmenterConfig::new(PlainConfig { width: 2, depth: 2, ..PlainConfig::default() }, UnetConfig::default(), 3, 2)
}

fn images(device: &Device) -> Tensor<4> {
    Tensor::random([2, 3, 8, 8], Distribution::Normal(0.5, 2.0), device)
}

/// One step of training, so that every parameter and statistic differs from a fresh one.
fn trained(device: &Device) -> Segmenter {
    step(config().init(device).unwrap(), &mut AdamWConfig::new().init(), images(device))
}

fn step(network: Segmenter, optimizer: &mut ModuleOptimizer, images: Tensor<4>) -> Segmenter {
    let loss = network.forward(images).powi_scalar(2).mean();
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    optimizer.step(0.1, network, gradients)
}

#[test]
fn names_are_stable() {
    let names: Vec<String> =
        weights::read(&config().init(&Device::flex()).unwrap()).into_iter().map(|tensor| tensor.name).collect();
    let block = |prefix: &str| -> Vec<String> {
        ["conv1.weight", "norm1.gamma", "norm1.beta", "norm1.running_mean", "norm1.running_var"]
            .iter()
            .flat_map(|name| [format!("{prefix}.{name}")])
            .chain(
                ["conv2.weight", "norm2.gamma", "norm2.beta", "norm2.running_mean", "norm2.running_var"]
                    .iter()
                    .map(|name| format!("{prefix}.{name}")),
            )
            .collect()
    };
    let mut expected = block("encoder.levels.0");
    expected.extend(block("encoder.levels.1"));
    expected.extend(["decoder.steps.0.up.weight".into(), "decoder.steps.0.up.bias".into()]);
    expected.extend(block("decoder.steps.0.convs"));
    expected.extend(["head.conv.weight".into(), "head.conv.bias".into()]);
    assert_eq!(names, expected);
}

#[test]
fn written_weights_give_the_same_logits() {
    let training = Device::flex().autodiff();
    let source = trained(&training);
    let tensors = weights::read(&source);
    assert!(tensors.iter().any(|t| parameter_kind(&t.name) == Kind::RunningStat && t.data[0].abs() > 0.01));

    let device = Device::flex();
    let copy = weights::write(config().init(&device).unwrap(), &tensors).unwrap();
    assert_eq!(weights::read(&copy), tensors);
    let images = images(&device);
    let logits = |network: &Segmenter| network.forward(images.clone()).to_data();
    use burn::module::Module;
    assert_eq!(logits(&copy), logits(&source.valid()));
}

#[test]
fn a_resumed_run_equals_an_uninterrupted_one() {
    let device = Device::flex().autodiff();
    let (first, second) = (images(&device), images(&device));
    let mut optimizer = AdamWConfig::new().init();
    let network = step(config().init(&device).unwrap(), &mut optimizer, first);
    let saved = (weights::read(&network), optimizer.into_bytes().unwrap());
    let uninterrupted = step(network, &mut optimizer, second.clone());

    let network = weights::write(config().init(&device).unwrap(), &saved.0).unwrap();
    let mut optimizer = AdamWConfig::new().init().from_bytes(saved.1).unwrap();
    let resumed = step(network, &mut optimizer, second);
    assert_eq!(weights::read(&resumed), weights::read(&uninterrupted));
}

#[test]
fn writing_replaces_statistics_of_a_network_in_training() {
    let device = Device::flex().autodiff();
    let fresh = weights::read(&config().init(&device).unwrap());
    let network = weights::write(trained(&device), &fresh).unwrap();
    assert_eq!(weights::read(&network), fresh);
}

#[test]
fn weights_of_another_network_are_refused() {
    let device = Device::flex();
    let write = |tensors: &[NamedTensor]| weights::write(config().init(&device).unwrap(), tensors).unwrap_err();
    let good = weights::read(&config().init(&device).unwrap());

    let name = good[3].name.clone();
    let mut tensors = good.clone();
    tensors.remove(3);
    assert_eq!(write(&tensors), WeightsError::Missing { name: name.clone(), others: 0 });

    let mut tensors = good.clone();
    tensors.push(NamedTensor { name: "encoder.extra.weight".into(), shape: vec![1], data: vec![0.0] });
    assert_eq!(write(&tensors), WeightsError::Extra { name: "encoder.extra.weight".into(), others: 0 });

    let mut tensors = good.clone();
    tensors[3] = NamedTensor { name: name.clone(), shape: vec![1], data: vec![0.0] };
    assert_eq!(write(&tensors), WeightsError::Shape { name: name.clone(), found: vec![1], expected: vec![2] });

    let mut tensors = good.clone();
    tensors[3].data.pop();
    assert_eq!(write(&tensors), WeightsError::Length { name: name.clone(), found: 1, expected: 2 });

    let mut tensors = good.clone();
    tensors.push(good[3].clone());
    assert_eq!(write(&tensors), WeightsError::Twice { name });
}

#[test]
fn groups_hold_the_parameters_of_their_kinds_in_every_process() {
    let network = config().init(&Device::flex()).unwrap();
    let decayed = weights::group(&network, &[Kind::Weight]);
    for tensor in weights::read(&network) {
        let id = weights::parameter_id(&tensor.name);
        assert_eq!(decayed.matches(&id, None), parameter_kind(&tensor.name) == Kind::Weight, "{}", tensor.name);
    }
    assert_eq!(weights::parameter_id("head.conv.bias").val(), 11781318012725164388);
}
