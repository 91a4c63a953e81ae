//! The part of PolyCNN that draws, trained on generated polygons: a small network looks at their pictures, says the code, and the
//! decoder draws them again.
//!
//! As in the paper's code pictures have 64 pixels a side. Differs from it: the encoder is that of a small U-Net and not three 5x5 convolutions, and
//! far fewer steps are taken, at a learning rate that is ten times as high and falls along a cosine.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use swath_nn::decoder::polycnn::{CORNERS, PolycnnConfig};
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::weights::{self, NamedTensor};
use swath_nn::{Segmenter, SegmenterConfig};

use super::optimizer;
use super::outlines::loss;
use super::schedule::Schedule;
use crate::dataset::{Purpose, Random};
use crate::error::Result;
use crate::outline::{polygon, raster, to_unit};
use crate::recipe::{AdamWConfig, CosineConfig, OptimizerConfig, ScheduleConfig};

/// Side of the pictures in pixels.
const SIDE: usize = 64;

/// The beginning of the names of what is trained here.
const PART: &str = "decoder.decode.";

/// How the decoder is trained.
pub(super) struct Pretraining<'a> {
    pub(super) decoder: &'a PolycnnConfig,
    pub(super) steps: usize,
    pub(super) batch: usize,
    pub(super) seed: u64,
    /// With autodiff.
    pub(super) device: &'a Device,
    pub(super) cancel: &'a AtomicBool,
}

impl Pretraining<'_> {
    /// The network with a decoder that draws polygons from codes; none when stopped.
    pub(super) fn run(&self, network: Segmenter, say: &mut dyn FnMut(&str) -> Result<()>) -> Result<Option<Segmenter>> {
        let encoder = PlainConfig { width: 8, depth: 4, ..PlainConfig::default() };
        let decoder = PolycnnConfig { stride: None, channels: Vec::new(), grid: 8, ..self.decoder.clone() };
        let config = SegmenterConfig::new(encoder, decoder, 1, 2 * CORNERS);
        let mut drawing = weights::initialize(config.init(self.device)?, self.seed);
        let options = OptimizerConfig::AdamW(AdamWConfig { weight_decay: 1e-5, ..AdamWConfig::default() });
        let schedule = Schedule::new(&ScheduleConfig::Cosine(CosineConfig::default()), options.lr(), self.steps);
        let mut optimizer = optimizer::init(&options, &drawing);
        let every = (self.steps / 5).max(1);
        let mut pixels = 0.0;
        for step in 0..self.steps {
            if self.cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let (images, corners) = self.pictures(step);
            let distance = loss(&drawing, images, &corners, self.device);
            pixels += f64::from(distance.clone().into_scalar::<f32>()) * SIDE as f64;
            let gradients = GradientsParams::from_grads(distance.backward(), &drawing);
            drawing = optimizer.step(schedule.lr(step), drawing, gradients);
            if (step + 1).is_multiple_of(every) {
                let mean = pixels / every as f64;
                say(&format!(
                    "generated polygons, step {} of {}: corners are {mean:.2} pixels off",
                    step + 1,
                    self.steps
                ))?;
                pixels = 0.0;
            }
        }
        let trained: Vec<NamedTensor> =
            weights::read(&drawing).into_iter().filter(|tensor| tensor.name.starts_with(PART)).collect();
        let mut all = weights::read(&network);
        for tensor in &mut all {
            if let Some(trained) = trained.iter().find(|trained| trained.name == tensor.name) {
                tensor.clone_from(trained);
            }
        }
        Ok(Some(weights::write(network, &all)?))
    }

    fn pictures(&self, step: usize) -> (Tensor<4>, Vec<f32>) {
        let (mut images, mut corners) = (Vec::new(), Vec::new());
        for sample in step * self.batch..(step + 1) * self.batch {
            let polygon = polygon(&mut Random::for_sample(self.seed, sample as u64, Purpose::Position), SIDE);
            images.extend(raster(&polygon, SIDE));
            corners.extend(to_unit(&polygon, SIDE));
        }
        (Tensor::from_data(TensorData::new(images, [self.batch, 1, SIDE, SIDE]), self.device), corners)
    }
}
