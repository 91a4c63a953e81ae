//! Training that starts from weights.

use std::collections::BTreeMap;

use swath_nn::Segmenter;
use swath_nn::weights::{self, NamedTensor};

use super::bands::{OtherBands, adapt, in_words};
use super::import::EncoderWeights;
use crate::error::Result;

impl EncoderWeights {
    /// Which bands get the kernels of which ones, in words; `None` where no convolution of these weights reads bands.
    pub fn bands_in_words(&self, bands: &[String], others: OtherBands) -> Option<String> {
        let first = self.tensors.iter().find(|tensor| self.read_bands.contains(&tensor.name))?;
        Some(in_words(first.shape[1], &self.bands, bands, others))
    }

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
                true => adapt(trained, tensor, &self.bands, bands, others),
                false => trained.clone(),
            };
        }
        Ok(weights::write(network, &tensors)?)
    }
}
