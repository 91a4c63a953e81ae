//! A Segmenter on a device as the engine's network.

use burn::tensor::{Device, Tensor, TensorData};
use swath_nn::Segmenter;

use super::network::{ChipBatch, Network};
use crate::error::{Error, Result};

/// Runs a [`Segmenter`] on its device.
///
/// Chips pass through the network one by one, whatever the batch: the kernels that a device chooses, and with them the last
/// bits, depend on the size of a batch. On the CPU that is also the fastest way and the one that takes least memory; on a
/// GPU all chips of a batch are queued before the first answer is fetched, so that it does not wait in between.
pub struct SegmenterNetwork {
    segmenter: Segmenter,
    bands: usize,
    classes: usize,
    device: Device,
}

impl SegmenterNetwork {
    /// A network of `bands` and `classes` that lives on `device`, which must be one without autodiff: a network on an autodiff
    /// device normalizes with the statistics of the batch, as in training.
    pub fn new(segmenter: Segmenter, bands: usize, classes: usize, device: &Device) -> SegmenterNetwork {
        SegmenterNetwork { segmenter, bands, classes, device: device.clone() }
    }
}

impl Network for SegmenterNetwork {
    fn bands(&self) -> usize {
        self.bands
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
        let shape = [1, batch.bands, batch.height, batch.width];
        let forward = |index| {
            let images = TensorData::new(batch.chip(index).to_vec(), shape);
            self.segmenter.forward(Tensor::from_data(images, &self.device))
        };
        let queued: Vec<Tensor<4>> = (0..batch.len).map(forward).collect();
        let failed = |problem: String| Error::Network { problem };
        let mut logits = Vec::with_capacity(batch.len * self.classes * batch.height * batch.width);
        for tensor in queued {
            let data = tensor.try_into_data().map_err(|error| failed(error.to_string()))?;
            let values = data.try_into_vec::<f32>().map_err(|error| failed(format!("{error:?}")))?;
            if batch.len == 1 {
                return Ok(values);
            }
            logits.extend_from_slice(&values);
        }
        Ok(logits)
    }
}
