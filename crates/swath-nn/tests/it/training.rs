//! Training on the kernels against training with Burn's own operations in double precision, which the kernels do not serve.

use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::activation::log_softmax;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use swath_kernels::parallel;
use swath_nn::decoder::unet::UnetConfig;
use swath_nn::encoder::EncoderConfig;
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::encoder::resnet::ResnetConfig;
use swath_nn::weights::{self, NamedTensor};
use swath_nn::{Precision, Segmenter, SegmenterConfig};

use crate::double::Double;

const SHAPE: [usize; 4] = [2, 5, 48, 64];
const CLASSES: usize = 4;
const STEPS: usize = 5;

#[test]
fn losses_are_those_of_double_precision() {
    for encoder in encoders() {
        let own = train(network(&encoder), DType::F32).0;
        let double = train(network(&encoder).map(&mut Double), DType::F64).0;
        // Rounding turns a rectifier on or off here and there, whose share in the gradient is then missing.
        for (step, (own, double)) in own.iter().zip(&double).enumerate() {
            let tolerance = if step == 0 { 1e-6 } else { 3e-3 };
            assert!((own - double).abs() < tolerance * double, "{encoder:?}: {own} in step {step}, not {double}");
        }
        assert!(own[STEPS - 1] < 0.95 * own[0], "{encoder:?}: {own:?}");
    }
}

#[test]
fn bits_depend_neither_on_the_run_nor_on_the_number_of_threads() {
    for encoder in encoders() {
        let train = || train(network(&encoder), DType::F32);
        let usual = train();
        assert!(train() == usual, "{encoder:?}: another run");
        // Within an item of a job, everything runs on one thread.
        let alone = std::sync::Mutex::new(None);
        parallel(2, |item| {
            if item == 0 {
                *alone.lock().unwrap() = Some(train());
            }
        });
        assert!(alone.into_inner().unwrap().unwrap() == usual, "{encoder:?}: one thread");
    }
}

#[test]
fn losses_of_bfloat16_stay_near_those_of_floats() {
    for encoder in encoders() {
        let train_in = |precision: Precision| precision.scope(|| train(network(&encoder), DType::F32).0);
        let (exact, rounded) = (train_in(Precision::Fp32), train_in(Precision::Bf16));
        for (step, (exact, rounded)) in exact.iter().zip(&rounded).enumerate() {
            assert!((exact - rounded).abs() < 0.02 * exact, "{encoder:?}: {rounded} in step {step}, not {exact}");
        }
        assert_eq!(exact != rounded, Precision::Bf16.trains(), "{encoder:?}");
        assert!(rounded[STEPS - 1] < 0.95 * rounded[0], "{encoder:?}: {rounded:?}");
        assert_eq!(train_in(Precision::Bf16), rounded, "{encoder:?}: another run");
    }
}

fn encoders() -> [EncoderConfig; 3] {
    [
        PlainConfig { width: 16, depth: 3, ..PlainConfig::default() }.into(),
        PlainConfig { width: 16, depth: 3, batch_norm: false, ..PlainConfig::default() }.into(),
        ResnetConfig { depth: 18, width: 16 }.into(),
    ]
}

fn network(encoder: &EncoderConfig) -> Segmenter {
    let config = SegmenterConfig::new(encoder.clone(), UnetConfig::default(), SHAPE[1], CLASSES);
    config.init(&device()).unwrap()
}

fn device() -> Device {
    Device::flex().autodiff()
}

/// The losses of some steps on one batch, and the weights after them.
fn train(mut network: Segmenter, dtype: DType) -> (Vec<f64>, Vec<NamedTensor>) {
    let [batch, bands, height, width] = SHAPE;
    let images: Vec<f64> =
        (0..batch * bands * height * width).map(|i| (i as f64 * 0.37).sin() + (i as f64 * 0.0113).cos()).collect();
    let images = Tensor::<4>::from_data(TensorData::new(images, SHAPE), (&device(), dtype));
    let labels: Vec<i64> = (0..batch * height * width).map(|i| (i / 7 % CLASSES) as i64).collect();
    let labels = Tensor::<4, Int>::from_data(TensorData::new(labels, [batch, 1, height, width]), &device());
    // Without AdamW's division by the gradient's own size, which makes rounding errors as large as steps.
    let mut optimizer = SgdConfig::new().init();
    let mut losses = Vec::new();
    for _ in 0..STEPS {
        let loss = log_softmax(network.forward(images.clone()), 1).gather(1, labels.clone()).mean().neg();
        losses.push(loss.to_data().iter::<f64>().next().unwrap());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(0.1, network, gradients);
    }
    (losses, weights::read(&network))
}
