//! Networks on the kernels, against Burn's own forward pass in double precision.

use std::ops::Range;
use std::sync::Mutex;

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use swath_kernels::{parallel, set_threads, threads};
use swath_nn::cpu::{Executor, ExecutorError};
use swath_nn::decoder::unet::UnetConfig;
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::encoder::resnet::ResnetConfig;
use swath_nn::weights::{self, Kind, NamedTensor};
use swath_nn::{Precision, Segmenter, SegmenterConfig};

use crate::double::Double;
use crate::family::{BANDS, CLASSES, pairs, small_encoders, some_pairs};

/// A network whose normalization does something: drawn scales, shifts and statistics.
pub(crate) fn network(config: &SegmenterConfig) -> Segmenter {
    let network = config.init(&Device::flex()).unwrap();
    let drawn = |tensor: NamedTensor| {
        let positive = tensor.name.ends_with("gamma") || tensor.name.ends_with("running_var");
        let value = |index: usize| {
            let wave = (index as f32 * 2.4 + tensor.name.len() as f32).sin();
            if positive { 1.0 + 0.5 * wave } else { 0.3 * wave }
        };
        let data = match weights::parameter_kind(&tensor.name) {
            Kind::Weight => tensor.data,
            _ => (0..tensor.data.len()).map(value).collect(),
        };
        NamedTensor { data, ..tensor }
    };
    let tensors: Vec<NamedTensor> = weights::read(&network).into_iter().map(drawn).collect();
    weights::write(network, &tensors).unwrap()
}

fn chip([bands, height, width]: [usize; 3]) -> Vec<f32> {
    let value = |index: usize| {
        let (x, y, band) = (index % width, index / width % height, index / (width * height));
        let noise = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        (x as f32 * 0.3 + band as f32).sin() + (y as f32 * 0.2).cos() + noise as f32 / (1 << 24) as f32 - 0.5
    };
    (0..bands * height * width).map(value).collect()
}

/// What attention in windows needs beside operations that have a form.
const OF_WINDOWS: [&str; 5] = ["Attention", "Permute", "Reshape", "Slice", "SwapDims"];

/// The logits by Burn's operations, in double precision.
fn forward(network: &Segmenter, chip: &[f32], [bands, height, width]: [usize; 3]) -> Vec<f64> {
    let images = TensorData::new(chip.to_vec(), [1, bands, height, width]);
    let images = Tensor::from_data(images, (&Device::flex(), DType::F64));
    // A clone would share its running statistics.
    network.valid().map(&mut Double).forward(images).into_data().try_into_vec().unwrap()
}

fn run(executor: &mut Executor, chip: &[f32], shape: [usize; 3], classes: usize) -> Vec<f32> {
    let mut logits = vec![f32::NAN; classes * shape[1] * shape[2]];
    executor.run(chip, shape, &mut logits).unwrap();
    logits
}

/// Root of the mean square of the difference, over the standard deviation of what is expected.
fn error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let count = expected.len() as f64;
    let mean = expected.iter().sum::<f64>() / count;
    let deviation = expected.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let difference = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>() / count;
    (difference / deviation).sqrt()
}

fn classes<T: PartialOrd>(logits: &[T], classes: usize) -> Vec<usize> {
    let area = logits.len() / classes;
    let best = |pixel: usize| {
        let logit = |class: &usize| &logits[class * area + pixel];
        (0..classes).max_by(|a, b| logit(a).partial_cmp(logit(b)).unwrap()).unwrap()
    };
    (0..area).map(best).collect()
}

#[test]
fn every_pair_agrees_with_burn_at_any_size() {
    for config in pairs() {
        let network = network(&config);
        let mut executor = Executor::new(network.clone());
        // Back and forth, so that programs share memory and filters.
        for [height, width] in [[33, 47], [64, 32], [5, 1], [33, 47]] {
            let shape = [BANDS, height, width];
            let chip = chip(shape);
            let error = error(&run(&mut executor, &chip, shape, CLASSES), &forward(&network, &chip, shape));
            assert!(error < 2e-5, "{config:?} at {shape:?}: an error of {error}");
        }
        let mut without_form = executor.fallbacks();
        if config.encoder.name() == "swin" {
            without_form.retain(|name| !OF_WINDOWS.contains(&name.as_str()));
        }
        assert!(without_form.is_empty(), "{config:?}: {without_form:?}");
    }
}

/// Networks of `count` classes: an error in a range, and at most one pixel in `pixels` with another class.
fn check_common_networks(precision: Precision, count: usize, errors: Range<f64>, pixels: usize) {
    let plain = PlainConfig { width: 32, ..PlainConfig::default() };
    let resnet = ResnetConfig { depth: 34, width: 32 };
    for config in [
        SegmenterConfig::new(plain, UnetConfig::default(), 3, count),
        SegmenterConfig::new(resnet, UnetConfig::default(), 3, count),
    ] {
        let network = network(&config);
        let shape = [3, 128, 160];
        let chip = chip(shape);
        let mut executor = Executor::new(network.clone()).with_precision(precision);
        let found = run(&mut executor, &chip, shape, count);
        let expected = forward(&network, &chip, shape);
        let error = error(&found, &expected);
        assert!(errors.contains(&error), "{config:?} in {precision}: an error of {error}");
        let (found, expected) = (classes(&found, count), classes(&expected, count));
        let differ = found.iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert!(differ * pixels <= found.len(), "{config:?} in {precision}: {differ} of {} pixels", found.len());
    }
}

#[test]
fn networks_of_common_width_choose_the_same_classes() {
    check_common_networks(Precision::Fp32, 6, 0.0..2e-5, 10_000);
}

#[test]
fn two_parts_stay_closer() {
    check_common_networks(Precision::Bf16x2, 6, 0.0..5e-5, 10_000);
}

#[test]
fn bf16_stays_close() {
    check_common_networks(Precision::Bf16, 2, 1e-4..2.5e-2, 200);
}

#[test]
fn threads_do_not_change_the_bits() {
    set_threads(3);
    assert!(threads() > 1);
    for config in some_pairs() {
        for precision in [Precision::Fp32, Precision::Bf16x2, Precision::Bf16] {
            let executor = Mutex::new(Executor::new(network(&config)).with_precision(precision));
            let shape = [BANDS, 64, 72];
            let run = || run(&mut executor.lock().unwrap(), &chip(shape), shape, CLASSES);
            let many = run();
            // Nor does a rest, after which the next chip makes the memory again.
            executor.lock().unwrap().rest();
            let one = Mutex::new(Vec::new());
            // Within a job everything runs on one thread.
            parallel(2, |item| {
                if item == 0 {
                    *one.lock().unwrap() = run();
                }
            });
            assert_eq!(many, one.into_inner().unwrap(), "{config:?}");
        }
    }
}

#[test]
fn a_chip_of_another_size_is_refused() {
    let config = SegmenterConfig::new(small_encoders().remove(0), UnetConfig::default(), BANDS, CLASSES);
    let mut executor = Executor::new(network(&config));
    let refused = |what, found, expected| Err(ExecutorError::Length { what, found, expected });
    let mut run = |chip, logits| executor.run(&vec![0.0; chip], [BANDS, 4, 4], &mut vec![0.0; logits]);
    assert_eq!(run(10, CLASSES * 16), refused("the chip", 10, BANDS * 16));
    assert_eq!(run(BANDS * 16, 11), refused("the logits", 11, CLASSES * 16));
    assert_eq!(run(BANDS * 16, CLASSES * 16), Ok(()));

    let mut executor = executor.for_one_size();
    let mut run = |side| {
        let (chip, mut logits) = (vec![0.5; BANDS * side * side], vec![0.0; CLASSES * side * side]);
        executor.run(&chip, [BANDS, side, side], &mut logits).map(|()| logits)
    };
    let first = run(8).unwrap();
    assert_eq!(run(8).unwrap(), first);
    assert_eq!(run(4).map(|logits| logits.len()), Ok(CLASSES * 16), "a size from before is known");
    assert!(matches!(run(12), Err(ExecutorError::Size { found: [_, 12, 12], .. })));
}
