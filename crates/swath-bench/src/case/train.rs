//! Training on one batch: through the network, back, and through the optimizer.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, Result};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Gradients, Int, Tensor, TensorData};
use swath::recipe::{AdamWConfig, OptimizerConfig};
use swath::train::optimizer;
use swath_nn::loss::{Loss, LossConfig};
use swath_nn::weights::{Kind, parameter_id, parameter_kind, read};
use swath_nn::{Precision, Segmenter};

use super::{Answer, network};
use crate::raw;
use crate::serve::serve;
use crate::settings::Settings;

const LEARNING_RATE: f64 = 1e-3;

/// Makes `count` steps, after one that is not timed, and says how many images went through in a second.
pub(super) fn run(settings: &Settings) -> Result<Answer> {
    let Settings { batch, bands, chip, classes, count, .. } = *settings;
    let device = Device::flex().autodiff();
    let images = Tensor::random([batch, bands, chip, chip], Distribution::Normal(0.0, 1.0), &device);
    let labels = (0..batch * chip * chip).map(|pixel| (pixel * 7 / 5 % classes) as i32).collect();
    let mut trainer = Trainer::new(settings, &device, images, labels)?;
    trainer.step()?;
    let start = Instant::now();
    for _ in 0..count {
        trainer.step()?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let parameters = Some(trainer.parameters());
    Ok(Answer { rate: (count * batch) as f64 / seconds, seconds, parameters, ..Answer::default() })
}

/// Writes the first gradients, all in one row in the order of their names, and then times steps on demand.
pub(super) fn step(settings: &Settings) -> Result<()> {
    let Settings { batch, bands, chip, .. } = *settings;
    let device = Device::flex().autodiff();
    let images = TensorData::new(raw::read_f32(&settings.scene)?, [batch, bands, chip, chip]);
    let labels = std::fs::read(&settings.labels)?.into_iter().map(i32::from).collect();
    let mut trainer = Trainer::new(settings, &device, Tensor::from_data(images, &device), labels)?;
    raw::write_f32(&settings.out, &trainer.gradients_by_name()?)?;
    serve(settings.count, Some(trainer.parameters()), || trainer.step())
}

struct Trainer {
    model: Segmenter,
    loss: Loss,
    optimizer: ModuleOptimizer,
    images: Tensor<4>,
    labels: Tensor<3, Int>,
    precision: Precision,
}

impl Trainer {
    fn new(settings: &Settings, device: &Device, images: Tensor<4>, labels: Vec<i32>) -> Result<Trainer> {
        let Settings { batch, chip, classes, .. } = *settings;
        let model = network(settings, device)?;
        let loss = LossConfig::default().init(classes)?;
        let optimizer = optimizer::init(&OptimizerConfig::AdamW(AdamWConfig::default()), &model);
        let labels = Tensor::from_data(TensorData::new(labels, [batch, chip, chip]), device);
        Ok(Trainer { model, loss, optimizer, images, labels, precision: settings.engine.precision() })
    }

    fn loss(&self) -> Tensor<1> {
        let logits = self.precision.scope(|| self.model.forward(self.images.clone()));
        self.loss.forward(logits, self.labels.clone())
    }

    fn step(&mut self) -> Result<()> {
        let value = self.loss();
        let gradients = GradientsParams::from_grads(value.backward(), &self.model);
        self.model = self.optimizer.step(LEARNING_RATE, self.model.clone(), gradients);
        // The loss is fetched in every step, as training does.
        let value = value.into_scalar::<f32>();
        anyhow::ensure!(value.is_finite(), "the loss became {value}");
        Ok(())
    }

    fn gradients_by_name(&self) -> Result<Vec<f32>> {
        let gradients = self.loss().backward();
        let mut found = Collected { gradients: &gradients, values: BTreeMap::new() };
        self.model.visit(&mut found);
        let mut row = Vec::new();
        for name in self.trainable().into_keys() {
            row.extend(found.values.remove(&parameter_id(&name)).with_context(|| format!("{name} has no gradient"))?);
        }
        Ok(row)
    }

    /// Names of what is trained, without running statistics, and how many values each has.
    fn trainable(&self) -> BTreeMap<String, usize> {
        let tensors = read(&self.model).into_iter();
        let trained = tensors.filter(|tensor| parameter_kind(&tensor.name) != Kind::RunningStat);
        trained.map(|tensor| (tensor.name, tensor.data.len())).collect()
    }

    fn parameters(&self) -> u64 {
        self.trainable().values().sum::<usize>() as u64
    }
}

struct Collected<'a> {
    gradients: &'a Gradients,
    values: BTreeMap<ParamId, Vec<f32>>,
}

impl ModuleVisitor for Collected<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients);
        if let Some(values) = gradient.and_then(|gradient| gradient.into_data().try_into_vec::<f32>().ok()) {
            self.values.insert(param.id, values);
        }
    }
}
