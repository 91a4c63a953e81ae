//! A Segmenter on a device as the engine's network.

use std::collections::BTreeSet;
use std::fmt::Display;

use burn::tensor::{Device, Tensor, TensorData};
#[cfg(feature = "cpu")]
use swath_nn::cpu::Executor;
use swath_nn::{Precision, Segmenter};

use super::network::{ChipBatch, Network};
use crate::error::{Error, Result};

/// Runs a [`Segmenter`] on its device.
///
/// Chips pass through the network one by one, whatever the batch: the kernels that a device chooses, and with them the last
/// bits, depend on the size of a batch. On the CPU, where an [`Executor`](swath_nn::cpu::Executor) runs them, that is also
/// the fastest way and the one that takes least memory; on a GPU all chips of a batch are queued before the first answer
/// is fetched, so that it does not wait in between.
pub struct SegmenterNetwork {
    means: Means,
    bands: usize,
    classes: usize,
}

/// What computes.
enum Means {
    #[cfg(feature = "cpu")]
    Kernels(Box<Executor>),
    Burn(Box<Segmenter>, Device),
}

impl SegmenterNetwork {
    /// A network of `bands` and `classes` that lives on `device`, which must be one without autodiff: a network on an autodiff
    /// device normalizes with the statistics of the batch, as in training.
    pub fn new(segmenter: Segmenter, bands: usize, classes: usize, device: &Device) -> SegmenterNetwork {
        #[cfg(feature = "cpu")]
        if *device == Device::flex() {
            let means = Means::Kernels(Box::new(Executor::new(segmenter)));
            return SegmenterNetwork { means, bands, classes };
        }
        SegmenterNetwork { means: Means::Burn(Box::new(segmenter), device.clone()), bands, classes }
    }

    /// With convolutions in another precision.
    ///
    /// # Errors
    ///
    /// When the device has no other than fp32.
    pub fn with_precision(self, precision: Precision) -> Result<SegmenterNetwork> {
        let means = match self.means {
            #[cfg(feature = "cpu")]
            Means::Kernels(executor) => Means::Kernels(Box::new(executor.with_precision(precision))),
            means if precision == Precision::Fp32 => means,
            Means::Burn(..) => {
                return Err(failed(format!("{precision} is for the device cpu; others compute in fp32")));
            }
        };
        Ok(SegmenterNetwork { means, ..self })
    }

    /// For chips of one size only, as those of one scene are: takes less memory on the CPU. Another size is then an error.
    #[must_use]
    pub fn for_one_size(self) -> SegmenterNetwork {
        let means = match self.means {
            #[cfg(feature = "cpu")]
            Means::Kernels(executor) => Means::Kernels(Box::new(executor.for_one_size())),
            means => means,
        };
        SegmenterNetwork { means, ..self }
    }

    /// The operations that so far had no form of their own on the CPU, where Burn's slower ones stand in.
    pub fn fallbacks(&self) -> BTreeSet<String> {
        match &self.means {
            #[cfg(feature = "cpu")]
            Means::Kernels(executor) => executor.fallbacks(),
            Means::Burn(..) => BTreeSet::new(),
        }
    }
}

impl Network for SegmenterNetwork {
    fn bands(&self) -> usize {
        self.bands
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn rest(&mut self) {
        #[cfg(feature = "cpu")]
        if let Means::Kernels(executor) = &mut self.means {
            executor.rest();
        }
    }

    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
        let chip = self.classes * batch.height * batch.width;
        match &mut self.means {
            #[cfg(feature = "cpu")]
            Means::Kernels(executor) => {
                let mut logits = vec![0.0; batch.len * chip];
                for (index, logits) in logits.chunks_exact_mut(chip).enumerate() {
                    let shape = [batch.bands, batch.height, batch.width];
                    executor.run(batch.chip(index), shape, logits).map_err(failed)?;
                }
                Ok(logits)
            }
            Means::Burn(segmenter, device) => {
                let shape = [1, batch.bands, batch.height, batch.width];
                let forward = |index| {
                    let images = TensorData::new(batch.chip(index).to_vec(), shape);
                    segmenter.forward(Tensor::from_data(images, &*device))
                };
                let queued: Vec<Tensor<4>> = (0..batch.len).map(forward).collect();
                let mut logits = Vec::with_capacity(batch.len * chip);
                for tensor in queued {
                    let values = tensor.try_into_data().map_err(failed)?.try_into_vec::<f32>();
                    logits.extend(values.map_err(failed)?);
                }
                Ok(logits)
            }
        }
    }
}

fn failed(error: impl Display) -> Error {
    Error::Network { problem: error.to_string() }
}
