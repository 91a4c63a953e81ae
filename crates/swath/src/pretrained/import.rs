//! Which tensors of a file are an encoder's, and encoder files.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use swath_nn::encoder::EncoderConfig;
use swath_nn::encoder::efficientnet::Form;
use swath_nn::weights::NamedTensor;
use swath_nn::weights::foreign::{self, Slot};

use super::source::Source;
use crate::bundle;
use crate::error::{Error, Result};
use crate::recipe::overrides;
use crate::whole_file::write_whole;

/// The newest format of encoder files that this program writes and reads.
const FORMAT_VERSION: u32 = 1;

/// The key of the JSON text in an encoder file's metadata.
const KEY: &str = "swath_encoder";

/// Bands for which an encoder's parameters are listed: those of the photographs that public weights were trained on.
const BANDS: usize = 3;

/// An encoder's weights from a file, and how they were found.
#[derive(Debug, Clone)]
pub struct EncoderWeights {
    /// The encoder.
    pub encoder: EncoderConfig,
    /// Parameters and running statistics by the names that bundles have. First convolutions have the file's bands.
    pub tensors: Vec<NamedTensor>,
    /// What matched and what did not.
    pub report: Report,
    /// Where they come from.
    pub origin: Origin,
    /// Names of the parameters whose second axis is the images' bands.
    pub(super) read_bands: Vec<String>,
}

/// The keys of a file and of an encoder held against each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Tensors in the file.
    pub tensors: usize,
    /// Whose names the file has.
    pub library: String,
    /// What stands before all of the file's names.
    pub prefix: String,
    /// Parameters and running statistics that the file fills.
    pub matched: usize,
    /// Numbers in them.
    pub values: usize,
    /// Parameters that it does not fill, by Swath's names.
    pub missing: Vec<String>,
    /// Tensors that belong to no parameter, by the file's names: those of a classifier, for example.
    pub left_over: Vec<String>,
    /// What the user should know although names and shapes fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Where weights fit by name and shape, and the layers around them differ all the same, or may differ: what to choose.
/// `prefix` stands before all of the file's names.
pub(super) fn note(encoder: &EncoderConfig, library: &str, prefix: &str) -> Option<String> {
    const START: &str = "weights are a start for training, and give other features";
    let form = match encoder {
        EncoderConfig::Efficientnet(config) => Some(config.form),
        EncoderConfig::EfficientnetLite0(config) => Some(config.form),
        _ => None,
    };
    let words = |difference: &str, key: &str| {
        let name = encoder.name();
        format!(
            "{difference} {START}: for the same choose `form = \"{key}\"`, here by `--encoder {name} -s form={key}` and in a recipe in \
             `[model.encoder.{name}]`"
        )
    };
    match (form, encoder, library) {
        (Some(Form::Tensorflow), _, "torchvision") => Some(words(
            "torchvision pads this network's strided convolutions alike on all sides and normalizes with an epsilon of 1e-5; this encoder \
             pads more below and to the right, with 1e-3, as TensorFlow does. Here these",
            "pytorch",
        )),
        (Some(Form::Tensorflow), _, "timm") => Some(words(
            "timm has this network twice, and a file does not tell which it is of. This encoder is the one whose name begins with tf_. The \
             other's",
            "pytorch",
        )),
        (Some(Form::Pytorch), _, "timm") => Some(words(
            "timm has this network twice, and a file does not tell which it is of. This encoder is the one whose name does not begin with \
             tf_. The other's",
            "tensorflow",
        )),
        (Some(Form::Pytorch), _, "efficientnet_pytorch") => Some(words(
            "efficientnet_pytorch pads this network's strided convolutions more below and to the right and normalizes with an epsilon of \
             1e-3, as TensorFlow does. Here these",
            "tensorflow",
        )),
        (_, EncoderConfig::Resnet(_) | EncoderConfig::Resnext(_), _)
            if library != "Swath" && prefix.trim_end_matches('.').ends_with("encoder") =>
        {
            Some(format!(
                "the file is of a whole network, as segmentation_models.pytorch has them. At output stride 8 or 16 that dilates the first \
                 block of a stage, too, and this encoder does not: from such a network these {START}; at 32 nothing differs"
            ))
        }
        (_, EncoderConfig::Alexnet(_), "torchvision") => Some(format!(
            "torchvision's features end a pixel before the encoder's at the lower and right edge, where both differ. These {START}"
        )),
        _ => None,
    }
}

/// Where weights come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Name of the file.
    pub file: String,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// Whose names it has.
    pub library: String,
    /// For an encoder file: the file that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Box<Origin>>,
}

/// What an encoder file says about its weights.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format_version: u32,
    encoder: EncoderConfig,
    origin: Origin,
}

impl EncoderWeights {
    /// Reads an encoder's weights from a file: of `torch.save` or safetensors, with the names of torchvision, timm,
    /// segmentation_models.pytorch or Swath (an encoder file, or a bundle).
    ///
    /// With `partial` the file may lack some of the encoder's parameters; an encoder file always may, since that was accepted
    /// when it was made.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be read; [`Error::Pretrained`] when it is damaged, holds more than plain weights, or
    /// is of another network; [`Error::Family`] when the encoder cannot be built.
    pub fn read(path: &Path, encoder: &EncoderConfig, partial: bool, device: &Device) -> Result<EncoderWeights> {
        let wrong = |problem| Error::Pretrained { path: path.to_path_buf(), problem };
        let slots = foreign::slots(encoder, BANDS, device)?;
        let mut source = Source::open(path)?;
        let from = read_header(&source).map_err(wrong)?.map(|header| header.origin);
        let shapes = source.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone()));
        let sources: Vec<_> = shapes.map(|(name, shape)| foreign::Source { name, shape }).collect();
        let found = foreign::match_names(encoder.name(), &slots, &sources);
        if found.matched.is_empty() && found.misfits.is_empty() {
            return Err(wrong(no_name_fits(encoder, &slots, &sources)));
        }
        if let Some(&(slot, misfit)) = found.misfits.iter().min() {
            return Err(wrong(format!(
                "`{}` has shape {:?} and encoder {} needs {:?}{}: {}",
                sources[misfit].name.escape_debug(),
                sources[misfit].shape,
                encoder.name(),
                slots[slot].shape,
                more(found.misfits.len() - 1),
                cure(encoder, &slots, &sources)
            )));
        }
        if let (Some(&first), false) = (found.missing.first(), partial || from.is_some()) {
            return Err(wrong(format!(
                "it lacks `{}`{} of the {} parameters of encoder {}: {}, or accept that with `swath models import --partial`",
                slots[first].name,
                more(found.missing.len() - 1),
                slots.len(),
                encoder.name(),
                cure(encoder, &slots, &sources)
            )));
        }
        let mut tensors = Vec::new();
        for &(slot, index) in &found.matched {
            let Slot { name, shape, reads_bands } = &slots[slot];
            let mut shape = shape.clone();
            if *reads_bands {
                shape[1] = sources[index].shape[1];
            }
            tensors.push((slot, NamedTensor { name: name.clone(), shape, data: source.read(index)? }));
        }
        tensors.sort_by_key(|(slot, _)| *slot);
        let tensors: Vec<NamedTensor> = tensors.into_iter().map(|(_, tensor)| tensor).collect();
        // Where layers have the same names everywhere, only the header tells whose file it is.
        let own = source.texts.iter().any(|(key, _)| key == KEY || key == bundle::KEY);
        let library = if own { "Swath" } else { found.library }.to_string();
        Ok(EncoderWeights {
            encoder: encoder.clone(),
            report: Report {
                tensors: sources.len(),
                library: library.clone(),
                matched: tensors.len(),
                values: tensors.iter().map(|tensor| tensor.data.len()).sum(),
                missing: found.missing.iter().map(|&slot| slots[slot].name.clone()).collect(),
                left_over: found.left_over.iter().map(|&index| sources[index].name.clone()).collect(),
                note: note(encoder, from.as_ref().map_or(library.as_str(), |from| &from.library), &found.prefix),
                prefix: found.prefix,
            },
            origin: Origin {
                file: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
                sha256: source.digest()?,
                library,
                from: from.map(Box::new),
            },
            read_bands: slots.into_iter().filter(|slot| slot.reads_bands).map(|slot| slot.name).collect(),
            tensors,
        })
    }

    /// Writes an encoder file beside the target and renames it when it is complete. Equal weights give equal bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let wrong = |problem: String| Error::Pretrained { path: path.to_path_buf(), problem };
        let header =
            Header { format_version: FORMAT_VERSION, encoder: self.encoder.clone(), origin: self.origin.clone() };
        let header = serde_json::to_string(&header).map_err(|error| wrong(error.to_string()))?;
        let bytes: Vec<Vec<u8>> = self
            .tensors
            .iter()
            .map(|tensor| tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let views = self.tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
            let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes);
            view.map(|view| (tensor.name.as_str(), view))
        });
        let views = views.collect::<std::result::Result<Vec<_>, _>>().map_err(|error| wrong(error.to_string()))?;
        let metadata = HashMap::from([(KEY.to_string(), header)]);
        let whole = safetensors::serialize(views, Some(metadata)).map_err(|error| wrong(error.to_string()))?;
        write_whole(path, &whole)
    }
}

/// An encoder by its name in recipes, with options as `key=value`.
///
/// # Errors
///
/// [`Error::ImportOptions`] when there is no such encoder or option.
pub fn encoder_config(name: &str, options: &[String]) -> Result<EncoderConfig> {
    let wrong = |problem: String| Error::ImportOptions { problem };
    if !EncoderConfig::MEMBERS.iter().any(|member| member.name == name) {
        let names: Vec<&str> = EncoderConfig::MEMBERS.iter().map(|member| member.name).collect();
        return Err(wrong(format!("no encoder is named '{name}'; there are {}", names.join(", "))));
    }
    let mut table = toml::Table::from_iter([(name.to_string(), toml::Value::Table(toml::Table::new()))]);
    for option in options {
        overrides::apply(&mut table, &format!("{name}.{option}")).map_err(wrong)?;
    }
    let encoder: EncoderConfig = table.try_into().map_err(|error: toml::de::Error| {
        wrong(format!("encoder {name}: {}", error.message().lines().collect::<Vec<_>>().join(" ")))
    })?;
    encoder.levels(None).map_err(|error| wrong(error.to_string()))?;
    Ok(encoder)
}

/// ` and N more`, where there are more.
fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" and {others} more") }
}

/// What to do about parameters that do not fit or are not there.
fn cure(encoder: &EncoderConfig, slots: &[Slot], sources: &[foreign::Source]) -> String {
    let of_file = sources.iter().any(|source| source.name.ends_with("running_mean"));
    let of_encoder = slots.iter().any(|slot| slot.name.ends_with("running_mean"));
    let norm = match (of_file, of_encoder) {
        (true, false) => "the file has batch normalization and the encoder none; ",
        (false, true) => "the encoder has batch normalization and the file none; ",
        _ => "",
    };
    format!("{norm}give the encoder the options that the file was trained with{}", options_in_words(encoder))
}

/// ` (here: depth = 16, ...)`; nothing for an encoder without options.
fn options_in_words(encoder: &EncoderConfig) -> String {
    let table = toml::Table::try_from(encoder).unwrap_or_default();
    let options = table.values().filter_map(toml::Value::as_table).flatten();
    let words: Vec<String> = options.map(|(key, value)| format!("{key} = {value}")).collect();
    if words.is_empty() { String::new() } else { format!(" (here: {})", words.join(", ")) }
}

/// The header of an encoder file; none where the file is something else.
fn read_header(source: &Source) -> std::result::Result<Option<Header>, String> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let Some((_, text)) = source.texts.iter().find(|(key, _)| key == KEY) else { return Ok(None) };
    let damaged = |error: serde_json::Error| format!("its header cannot be understood: {error}");
    // The version is read before anything else, since a newer format may differ in all the rest.
    let Version { format_version } = serde_json::from_str(text).map_err(damaged)?;
    if format_version > FORMAT_VERSION {
        return Err(format!(
            "it is an encoder file of format {format_version} and this swath reads up to {FORMAT_VERSION}: use a newer swath"
        ));
    }
    serde_json::from_str(text).map(Some).map_err(damaged)
}

fn no_name_fits(encoder: &EncoderConfig, slots: &[Slot], sources: &[foreign::Source]) -> String {
    format!(
        "none of its {} tensors has a name that encoder {} knows: the first is `{}`, where `{}` is wanted; choose the encoder \
         that the file was trained with",
        sources.len(),
        encoder.name(),
        sources.first().map_or("", |source| source.name.as_str()).escape_debug(),
        slots.first().map_or("", |slot| slot.name.as_str()),
    )
}
