//! Images per second through the network, back, and through the optimizer.

use std::time::Instant;

use anyhow::Result;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use swath::recipe::{AdamWConfig, OptimizerConfig};
use swath::train::optimizer;
use swath_nn::loss::LossConfig;

use super::{Answer, network};
use crate::settings::Settings;

const LEARNING_RATE: f64 = 1e-3;

/// Makes `count` steps on one batch, after one that is not timed.
pub(super) fn run(settings: &Settings) -> Result<Answer> {
    let Settings { batch, bands, chip, classes, count, .. } = *settings;
    let device = Device::flex().autodiff();
    let mut model = network(settings).init(&device)?;
    let loss = LossConfig::default().init(classes)?;
    let mut optimizer = optimizer::init(&OptimizerConfig::AdamW(AdamWConfig::default()), &model);
    let images = Tensor::<4>::random([batch, bands, chip, chip], Distribution::Normal(0.0, 1.0), &device);
    let labels: Vec<i32> = (0..batch * chip * chip).map(|pixel| (pixel * 7 / 5 % classes) as i32).collect();
    let labels = Tensor::<3, Int>::from_data(TensorData::new(labels, [batch, chip, chip]), &device);
    let mut start = Instant::now();
    for step in 0..=count {
        let value = loss.forward(model.forward(images.clone()), labels.clone());
        let gradients = GradientsParams::from_grads(value.backward(), &model);
        model = optimizer.step(LEARNING_RATE, model, gradients);
        // The loss is fetched in every step, as training does.
        let value = value.into_scalar::<f32>();
        anyhow::ensure!(value.is_finite(), "the loss became {value} at step {step}");
        if step == 0 {
            start = Instant::now();
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let parameters = Some(trainable(&model));
    Ok(Answer { rate: (count * batch) as f64 / seconds, seconds, parameters, ..Answer::default() })
}

/// Trainable parameters, without running statistics.
fn trainable(model: &swath_nn::Segmenter) -> u64 {
    use swath_nn::weights::{Kind, parameter_kind, read};
    let tensors = read(model);
    let trained = tensors.iter().filter(|tensor| parameter_kind(&tensor.name) != Kind::RunningStat);
    trained.map(|tensor| tensor.data.len() as u64).sum()
}
