//! Which tensors of a file are an encoder's, and encoder files.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use swath_nn::encoder::EncoderConfig;
use swath_nn::weights::NamedTensor;
use swath_nn::weights::foreign::{self, Slot};

use super::bands::photograph;
use super::report::{Report, is_whole, library, note};
use super::source::Source;
use crate::bundle;
use crate::error::{Error, Result};
use crate::recipe::{nearest, overrides};
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
    /// Names of the bands that they were trained on; none where nothing tells.
    pub(super) bands: Vec<String>,
    /// Names of the parameters whose second axis is the images' bands.
    pub(super) read_bands: Vec<String>,
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
    /// Licence of the weights, where whoever imported them has said one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
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
    /// Names of the bands that it was trained on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bands: Vec<String>,
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
        let (from, of_encoder) =
            read_header(&source).map_err(wrong)?.map(|header| (header.origin, header.bands)).unzip();
        let stated = stated(&source);
        let shapes = source.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone()));
        let sources: Vec<_> = shapes.map(|(name, shape)| foreign::Source { name, shape }).collect();
        let own = source.texts.iter().any(|(key, _)| key == KEY || key == bundle::KEY);
        let mut found = foreign::match_names(encoder.name(), &slots, &sources);
        let unpublished = |slot: usize| !own && foreign::unpublished(encoder.name(), &slots[slot]);
        // Layers that no library publishes are drawn, even where a file has others by their names.
        for (slot, index) in found.misfits.extract_if(.., |(slot, _)| unpublished(*slot)) {
            found.missing.push(slot);
            found.left_over.push(index);
        }
        found.missing.sort_unstable();
        found.left_over.sort_unstable();
        let inside: Vec<&foreign::Source> =
            sources.iter().filter(|source| source.name.starts_with(&found.prefix)).collect();
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
                cure(encoder, &slots, &inside)
            )));
        }
        let lacks: Vec<usize> = found.missing.iter().copied().filter(|&slot| !unpublished(slot)).collect();
        if let (Some(&first), false) = (lacks.first(), partial || from.is_some()) {
            let ends_early = lacks.iter().all(|&slot| slots[slot].name.starts_with("encoder.head."));
            let cure = match ends_early {
                true => "the file's features end before the encoder's last convolution".to_string(),
                false => cure(encoder, &slots, &inside),
            };
            return Err(wrong(format!(
                "it lacks `{}`{} of the {} parameters of encoder {}: {cure}, or accept that with `swath models import --partial`",
                slots[first].name,
                more(lacks.len() - 1),
                slots.len(),
                encoder.name(),
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
        let whole = !own && is_whole(&found, &sources);
        let library = if own { "Swath" } else { library(encoder, &found, whole) }.to_string();
        let mut report = Report::new(&found, &slots, &sources, &source.beside, &library);
        report.note = note(encoder, from.as_ref().map_or(library.as_str(), |from| &from.library), whole);
        Ok(EncoderWeights {
            encoder: encoder.clone(),
            report,
            origin: Origin {
                file: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
                sha256: source.digest()?,
                library,
                licence: match &from {
                    Some(from) => from.licence.clone(),
                    None => stated.licence,
                },
                from: from.map(Box::new),
            },
            bands: bands(of_encoder.unwrap_or(stated.bands), &slots, &tensors),
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
        let header = Header {
            format_version: FORMAT_VERSION,
            encoder: self.encoder.clone(),
            origin: self.origin.clone(),
            bands: self.bands.clone(),
        };
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
    let encoder: EncoderConfig =
        table.try_into().map_err(|error: toml::de::Error| wrong(no_such_option(name, error.message())))?;
    encoder.levels(None).map_err(|error| wrong(error.to_string()))?;
    Ok(encoder)
}

/// What serde says on an encoder's table, with the nearest option where one is misspelled.
fn no_such_option(encoder: &str, message: &str) -> String {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match words[..] {
        [wrong, ref valid @ ..] if message.starts_with("unknown field") => {
            let hint = nearest(wrong, valid).map_or(String::new(), |near| format!("did you mean `{near}`? "));
            let options = if valid.is_empty() { "no options".to_string() } else { valid.join(", ") };
            format!("encoder {encoder} has no option `{wrong}`; {hint}it has {options}")
        }
        _ => format!("encoder {encoder}: {}", message.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// ` and N more`, where there are more.
fn more(others: usize) -> String {
    if others == 0 { String::new() } else { format!(" and {others} more") }
}

/// What to do about parameters that do not fit or are not there.
fn cure(encoder: &EncoderConfig, slots: &[Slot], sources: &[&foreign::Source]) -> String {
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

/// What a bundle states of its weights; nothing for other files.
#[derive(Default, Deserialize)]
struct Stated {
    licence: Option<String>,
    #[serde(default)]
    bands: Vec<String>,
}

fn stated(source: &Source) -> Stated {
    let text = source.texts.iter().find(|(key, _)| key == bundle::KEY);
    text.and_then(|(_, text)| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// The bands that first convolutions read: those that the file names, or red, green and blue where others than this program made it.
fn bands(named: Vec<String>, slots: &[Slot], tensors: &[NamedTensor]) -> Vec<String> {
    let first = slots.iter().find(|slot| slot.reads_bands).map(|slot| &slot.name);
    let known = tensors.iter().find(|tensor| Some(&tensor.name) == first).map_or(0, |tensor| tensor.shape[1]);
    match known {
        known if known == named.len() => named,
        3 if named.is_empty() => photograph(),
        _ => Vec::new(),
    }
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
