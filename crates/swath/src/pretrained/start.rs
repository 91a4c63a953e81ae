//! Training that starts from weights.

use std::collections::BTreeMap;

use swath_nn::Segmenter;
use swath_nn::weights::{self, NamedTensor};

use super::bands::{OtherBands, adapt};
use super::import::EncoderWeights;
use crate::error::Result;

impl EncoderWeights {
    /// The network with these weights in its encoder, for bands of these names. What the weights lack stays as it is.
    ///
    /// # Errors
    ///
    /// When the network has another encoder.
    pub fn write_into(&self, network: Segmenter, bands: &[String], others: OtherBands) -> Result<Segmenter> {
        let trained: BTreeMap<&str, &NamedTensor> =
            self.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let mut tensors = weights::read(&network);
        for tensor in &mut tensors {
            let Some(&trained) = trained.get(tensor.name.as_str()) else { continue };
            *tensor = match self.read_bands.contains(&tensor.name) {
                true => adapt(trained, tensor, bands, others),
                false => trained.clone(),
            };
        }
        Ok(weights::write(network, &tensors)?)
    }
}
