//! Bundles: everything that prediction needs, in one `.safetensors` file.
//!
//! The tensors are the weights by name. The header's metadata holds one JSON text under the key `swath`: format version,
//! recipe, classes, bands, normalization, ground sample distance, calibration, provenance and licence. Loading parses data
//! and never runs code.

use std::collections::HashMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use swath_geo::ClassEntry;
use swath_nn::weights::{self, NamedTensor};
use swath_nn::{Precision, Segmenter, SegmenterConfig};

use crate::classes::Class;
use crate::error::{Error, Result};
use crate::predict::{Model, Options, SegmenterNetwork};
use crate::pretrained::Origin;
use crate::recipe::{Predict, Recipe};
use crate::whole_file::write_whole;

/// The newest format that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The key of the JSON text in the safetensors metadata.
pub(crate) const KEY: &str = "swath";

/// A trained network with all that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// What is known about the network.
    pub header: Header,
    /// Every parameter and running statistic.
    pub weights: Vec<NamedTensor>,
}

/// What a bundle says about its network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Version of this format.
    pub format_version: u32,
    /// The resolved recipe of the run, without its lists of scenes and the file that the encoder started from: their paths
    /// say nothing elsewhere.
    pub recipe: Recipe,
    /// The classes, in the order of their ids.
    pub classes: Vec<Class>,
    /// Names of the bands, in the order in which the network takes them.
    pub bands: Vec<String>,
    /// How values become the network's input.
    pub normalization: Normalization,
    /// Ground sample distance of the training scenes in metres, where they have coordinates.
    pub gsd: Option<f64>,
    /// What makes scores honest.
    pub calibration: Calibration,
    /// How the weights came about.
    pub provenance: Provenance,
    /// Licence of the weights, where the owner has said one (an SPDX expression).
    pub licence: Option<String>,
}

impl Header {
    /// Licence of the weights that the encoder started from, where it is known.
    pub fn encoder_licence(&self) -> Option<&str> {
        self.provenance.encoder.as_ref()?.licence.as_deref()
    }
}

/// How values become the network's input: `(value - mean) / std`, by band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Mean of each band over the valid pixels of the training scenes.
    pub mean: Vec<f32>,
    /// Standard deviation of each band.
    pub std: Vec<f32>,
}

/// What makes scores honest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Logits are divided by this before the softmax (Guo et al. 2017).
    pub temperature: f32,
}

/// How the weights came about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of Swath that trained.
    pub swath: String,
    /// Scenes that the network learned from, by name.
    pub scenes: Vec<String>,
    /// Steps done.
    pub steps: usize,
    /// Seconds of training.
    pub seconds: f64,
    /// IoU on the validation scenes: the positive class's in a two-class problem, otherwise the mean.
    pub validation_iou: Option<f64>,
    /// Where the weights come from that the encoder started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<Origin>,
}

impl Bundle {
    /// The network's config.
    pub fn config(&self) -> SegmenterConfig {
        self.header.recipe.model.segmenter(self.header.bands.len(), self.header.classes.len())
    }

    /// The network with its weights, ready to predict on a device.
    ///
    /// # Errors
    ///
    /// When the weights do not fit the network that the recipe describes.
    pub fn segmenter(&self, device: &Device) -> Result<Segmenter> {
        let segmenter = self.config().init(device)?;
        Ok(weights::write(segmenter, &self.weights)?.valid())
    }

    /// Refuses networks that draw outlines, where a map is wanted.
    ///
    /// # Errors
    ///
    /// [`Error::PredictOptions`] with what to use instead.
    pub fn check_makes_maps(&self) -> Result<()> {
        match self.header.recipe.outlines() {
            None => Ok(()),
            Some(_) => Err(Error::PredictOptions {
                problem: "this network draws outlines of objects and makes no maps: use swath outline".into(),
            }),
        }
    }

    /// The network on a device, as the prediction engine takes it.
    ///
    /// # Errors
    ///
    /// As [`Bundle::segmenter`] and [`Bundle::check_makes_maps`].
    pub fn network(&self, device: &Device) -> Result<SegmenterNetwork> {
        self.check_makes_maps()?;
        Ok(SegmenterNetwork::new(self.segmenter(device)?, self.header.bands.len(), self.header.classes.len(), device))
    }

    /// What a prediction has to know of the bundle in this file, for a device of this name.
    ///
    /// # Errors
    ///
    /// When the file cannot be read again for its digest.
    pub fn model(&self, path: &Path, device: &str) -> Result<Model> {
        let header = &self.header;
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let classes = (0..).zip(&header.classes);
        Ok(Model {
            name: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            digest: Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            device: device.to_string(),
            precision: Precision::Fp32,
            bands: header.bands.clone(),
            mean: header.normalization.mean.clone(),
            std: header.normalization.std.clone(),
            gsd: header.gsd,
            classes: classes
                .map(|(value, class)| ClassEntry { value, name: class.name.clone(), color: class.color })
                .collect(),
        })
    }

    /// The engine's options for a recipe's `[predict]` with the calibration of this bundle.
    pub fn options(&self, predict: &Predict) -> Options {
        Options {
            chip: predict.chip,
            overlap: predict.overlap,
            blend: predict.blend,
            patches: self.header.recipe.patches(predict),
            batch: predict.batch,
            tta: predict.tta,
            temperature: self.header.calibration.temperature,
            ..Options::default()
        }
    }

    /// Writes the bundle beside the target and renames it when it is complete. Equal bundles give equal bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be written; [`Error::Bundle`] when a weight is not a finite number.
    pub fn save(&self, path: &Path) -> Result<()> {
        check_finite(path, &self.weights)?;
        let header = serde_json::to_string(&self.header).map_err(|error| wrong(path, error.to_string()))?;
        let bytes: Vec<Vec<u8>> = self
            .weights
            .iter()
            .map(|tensor| tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let views = self.weights.iter().zip(&bytes).map(|(tensor, bytes)| {
            TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map(|view| (tensor.name.as_str(), view))
        });
        let views =
            views.collect::<std::result::Result<Vec<_>, _>>().map_err(|error| wrong(path, error.to_string()))?;
        let metadata = HashMap::from([(KEY.to_string(), header)]);
        let whole = safetensors::serialize(views, Some(metadata)).map_err(|error| wrong(path, error.to_string()))?;

        write_whole(path, &whole)
    }

    /// Reads a bundle.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be read; [`Error::Bundle`] when it is cut off, is no bundle, is newer than this
    /// program, or contradicts itself.
    pub fn load(path: &Path) -> Result<Bundle> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| wrong(path, unreadable(&error)))?;
        let text = metadata.metadata().as_ref().and_then(|entries| entries.get(KEY));
        let text = text.ok_or_else(|| {
            wrong(path, "it is a safetensors file but no bundle of Swath: its metadata has no key `swath`".into())
        })?;
        let header = read_header(path, text)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(path, unreadable(&error)))?;
        let weights = tensors.iter().map(|(name, view)| named(path, name, &view)).collect::<Result<Vec<_>>>()?;
        check_finite(path, &weights)?;
        Ok(Bundle { header, weights })
    }
}

/// The version is read before anything else, since a newer format may differ in all the rest.
fn read_header(path: &Path, text: &str) -> Result<Header> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let damaged = |error: serde_json::Error| wrong(path, format!("its header cannot be understood: {error}"));
    let Version { format_version } = serde_json::from_str(text).map_err(damaged)?;
    if format_version > FORMAT_VERSION {
        return Err(wrong(
            path,
            format!("it has format {format_version} and this swath reads up to {FORMAT_VERSION}: use a newer swath"),
        ));
    }
    let header: Header = serde_json::from_str(text).map_err(damaged)?;
    if header.classes != header.recipe.data.classes {
        return Err(wrong(path, "its classes are not those of its recipe".into()));
    }
    let (bands, mean, std) = (header.bands.len(), header.normalization.mean.len(), header.normalization.std.len());
    if mean != bands || std != bands {
        return Err(wrong(path, format!("it has {bands} bands, but means for {mean} and deviations for {std}")));
    }
    if header.normalization.std.iter().any(|std| !(std.is_finite() && *std > 0.0)) {
        return Err(wrong(path, "a standard deviation of its normalization is not a positive number".into()));
    }
    if !(header.calibration.temperature.is_finite() && header.calibration.temperature > 0.0) {
        return Err(wrong(path, "the temperature of its calibration is not a positive number".into()));
    }
    Ok(header)
}

fn named(path: &Path, name: &str, view: &TensorView<'_>) -> Result<NamedTensor> {
    if view.dtype() != Dtype::F32 {
        return Err(wrong(path, format!("`{name}` is stored as {:?}; weights are F32", view.dtype())));
    }
    let data = view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    Ok(NamedTensor { name: name.to_string(), shape: view.shape().to_vec(), data: data.collect() })
}

fn check_finite(path: &Path, weights: &[NamedTensor]) -> Result<()> {
    match weights.iter().find(|tensor| tensor.data.iter().any(|value| !value.is_finite())) {
        Some(tensor) => Err(wrong(path, format!("`{}` holds values that are not finite numbers", tensor.name))),
        None => Ok(()),
    }
}

fn unreadable(error: &SafeTensorError) -> String {
    format!(
        "it is not a whole safetensors file ({error}): give a bundle of `swath train`; if this is one, it was cut off: copy it again"
    )
}

fn wrong(path: &Path, problem: String) -> Error {
    Error::Bundle { path: path.to_path_buf(), problem }
}

#[cfg(test)]
mod tests;
