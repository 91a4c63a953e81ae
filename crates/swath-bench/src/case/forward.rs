//! Logits of one batch, by the way that prediction takes.

use anyhow::Result;
use burn::tensor::Device;
use swath::predict::{ChipBatch, Network, SegmenterNetwork};

use super::network;
use crate::raw;
use crate::serve::serve;
use crate::settings::Settings;

/// Writes the logits and then times them on demand.
pub(super) fn run(settings: &Settings) -> Result<()> {
    let Settings { bands, classes, batch, chip, .. } = *settings;
    let device = Device::flex();
    let network = SegmenterNetwork::new(network(settings, &device)?, bands, classes, &device);
    let mut network = network.with_precision(settings.engine.precision())?;
    let images = ChipBatch { len: batch, bands, height: chip, width: chip, data: raw::read_f32(&settings.scene)? };
    raw::write_f32(&settings.out, &network.logits(&images)?)?;
    serve(settings.count, None, || {
        network.logits(&images)?;
        Ok(())
    })
}
