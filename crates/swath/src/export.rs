//! Trained networks for other programs: ONNX files, and STAC items that describe them.

use serde_json::{Value, json};
use swath_nn::onnx::{self, OnnxError};

use crate::bundle::{Bundle, Header};
use crate::error::{Error, Result};

mod stac;

pub use stac::{Asset, stac_item};
pub use swath_nn::onnx::{Model, Output};

/// What an ONNX file takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExportOptions {
    /// Side of the images in pixels, where it shall be fixed.
    pub size: Option<usize>,
    /// Whether the file normalizes: it then takes values as they stand in scenes.
    pub normalize: bool,
    /// Whether the file ends with the calibrated softmax: it then gives scores, otherwise logits. Networks that draw outlines give corners.
    pub scores: bool,
}

impl Default for ExportOptions {
    fn default() -> Self {
        ExportOptions { size: None, normalize: true, scores: true }
    }
}

impl ExportOptions {
    /// What a file of a bundle puts out.
    pub fn output(&self, header: &Header) -> Output {
        match (header.recipe.outlines(), self.scores) {
            (Some(_), _) => Output::Corners,
            (None, true) => Output::Scores { temperature: header.calibration.temperature },
            (None, false) => Output::Logits,
        }
    }
}

/// The network of a bundle as an ONNX file.
///
/// Height and width stay open unless `size` fixes them, the network is for patches as large as training chips, as classifiers are and those
/// that draw outlines, or it cannot be expressed so; it is then for images of the recipe's chip size.
///
/// # Errors
///
/// When the weights do not fit the network, the network cannot be expressed in ONNX, or it is for patches of another size.
pub fn to_onnx(bundle: &Bundle, options: &ExportOptions) -> Result<Model> {
    let network = bundle.segmenter(&burn::tensor::Device::flex())?;
    let header = &bundle.header;
    let write = |size: Option<usize>| {
        let normalization = &header.normalization;
        onnx::export(
            &network,
            &onnx::Options {
                bands: header.bands.len(),
                size: size.map(|size| [size, size]),
                normalization: options.normalize.then(|| [normalization.mean.clone(), normalization.std.clone()]),
                output: options.output(header),
                metadata: metadata(header, options.normalize, size, network.stride()),
            },
        )
    };
    let patch = patch(header);
    if let (Some(patch), Some(size)) = (patch, options.size)
        && size != patch
    {
        let problem = format!(
            "this network answers for patches of {patch} pixels a side, as its training chips, and not of {size}: leave the size out"
        );
        return Err(Error::PredictOptions { problem });
    }
    match write(options.size.or(patch)) {
        Err(OnnxError::Sizes { .. }) if options.size.is_none() => Ok(write(Some(header.recipe.predict.chip))?),
        model => Ok(model?),
    }
}

/// The side of the patches that a network is for, as large as its training chips; none where images may have any size.
fn patch(header: &Header) -> Option<usize> {
    match header.recipe.outlines() {
        Some(_) => Some(header.recipe.train.chip),
        None => header.recipe.patches(&header.recipe.predict).map(|patches| patches.patch),
    }
}

/// What readers of the file see: the keys of QGIS Deepness, where it makes maps, each a JSON text, then our own.
fn metadata(header: &Header, normalized: bool, size: Option<usize>, stride: usize) -> Vec<(String, String)> {
    let names = (0..).map(|id: usize| id.to_string()).zip(header.classes.iter().map(|class| json!(class.name)));
    let names = json!(names.collect::<serde_json::Map<_, _>>());
    let mut entries = match header.recipe.outlines() {
        Some(_) => vec![("class_names", names)],
        None => deepness(header, names, normalized, size, stride),
    };
    entries.extend([("bands", json!(header.bands)), ("size_multiple", json!(stride))]);
    entries.extend(header.recipe.outlines().map(|_| ("corners", json!(CORNERS))));
    // In centimetres.
    entries.extend(header.gsd.map(|gsd| ("resolution", json!(gsd * 100.0))));
    entries.extend(header.licence.as_ref().map(|licence| ("licence", json!(licence))));
    entries.extend(header.encoder_licence().map(|licence| ("encoder_licence", json!(licence))));
    entries.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// What the numbers of an outline are.
const CORNERS: &str = "x and y of each corner of the object in the middle, in pixels from the patch's upper left corner, one after the other \
                       around the object, clockwise or not";

/// What the plugin asks for of a network that makes maps.
fn deepness(
    header: &Header,
    names: Value,
    normalized: bool,
    size: Option<usize>,
    stride: usize,
) -> Vec<(&'static str, Value)> {
    let predict = &header.recipe.predict;
    // Deepness divides bytes by 255, then subtracts these means and divides by these deviations.
    let bands = header.bands.len();
    let normalization = &header.normalization;
    let in_bytes = |values: &[f32]| values.iter().map(|value| f64::from(*value) / 255.0).collect::<Vec<f64>>();
    let (mean, std) = match normalized {
        true => (vec![0.0; bands], vec![1.0 / 255.0; bands]),
        false => (in_bytes(&normalization.mean), in_bytes(&normalization.std)),
    };
    // The plugin reads the first of both, its documentation names the second.
    let tile = json!(size.unwrap_or(predict.chip.next_multiple_of(stride)));
    vec![
        ("model_type", json!("Segmentor")),
        ("class_names", names),
        ("tile_size", tile.clone()),
        ("tiles_size", tile),
        ("tiles_overlap", json!((100.0 * predict.overlap as f64 / predict.chip as f64).round() as u64)),
        ("standardization_mean", json!(mean)),
        ("standardization_std", json!(std)),
    ]
}

#[cfg(test)]
mod tests;
