//! The key report: a file's tensors held against an encoder's parameters, and what the user should know.

use serde::Serialize;
use swath_nn::encoder::EncoderConfig;
use swath_nn::encoder::efficientnet::Form;
use swath_nn::weights::foreign::{Match, Slot, Source};

use super::checkpoint::Beside;

/// The keys of a file and of an encoder held against each other.
///
/// Every tensor is accounted for: `tensors` is `matched` and as many as `left_over` and `without_weights` have names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Tensors in the file's dictionary.
    pub tensors: usize,
    /// Key of that dictionary in the file; nothing where it is the whole file.
    pub state: String,
    /// Whose names the file has.
    pub library: String,
    /// What stands before all of the file's names.
    pub prefix: String,
    /// Parameters and running statistics that the file fills.
    pub matched: usize,
    /// Numbers in them.
    pub values: usize,
    /// Which parameter is which tensor of the file, in the encoder's order.
    pub pairs: Vec<Pair>,
    /// Parameters that it does not fill, by Swath's names.
    pub missing: Vec<String>,
    /// Tensors that belong to no parameter, by the file's names: those of a classifier, for example.
    pub left_over: Vec<String>,
    /// Tensors without weights: counters such as `num_batches_tracked`, and tables that layers compute anew.
    pub without_weights: Vec<String>,
    /// Other dictionaries with tensors in the file, which were not taken.
    pub other_states: Vec<OtherState>,
    /// Python objects in the file that were passed over, by their names.
    pub objects: Vec<String>,
    /// What the user should know although names and shapes fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A parameter and the tensor that fills it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Swath's name.
    pub parameter: String,
    /// The file's name.
    pub tensor: String,
}

/// A dictionary that was not taken, as an optimizer's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OtherState {
    /// Its key in the file.
    pub state: String,
    /// Tensors in it and in what is below it.
    pub tensors: usize,
}

impl Report {
    /// Accounts for every tensor of a match without misfits.
    pub(super) fn new(found: &Match, slots: &[Slot], sources: &[Source], beside: &Beside, library: &str) -> Report {
        let theirs = |list: &[usize]| list.iter().map(|&index| sources[index].name.clone()).collect();
        let mut matched = found.matched.clone();
        matched.sort_unstable();
        let pair = |&(slot, source): &(usize, usize)| Pair {
            parameter: slots[slot].name.clone(),
            tensor: sources[source].name.clone(),
        };
        Report {
            tensors: sources.len(),
            state: beside.place.clone(),
            library: library.to_string(),
            prefix: found.prefix.clone(),
            matched: matched.len(),
            values: matched.iter().map(|&(_, source)| sources[source].shape.iter().product::<usize>()).sum(),
            pairs: matched.iter().map(pair).collect(),
            missing: found.missing.iter().map(|&slot| slots[slot].name.clone()).collect(),
            left_over: theirs(&found.left_over),
            without_weights: theirs(&found.uncounted),
            other_states: (beside.others.iter())
                .map(|(state, tensors)| OtherState { state: state.clone(), tensors: *tensors })
                .collect(),
            objects: beside.objects.clone(),
            note: None,
        }
    }
}

/// timm's names in a network of segmentation_models.pytorch, whose layers are its own.
pub(super) const TIMM_IN_SMP: &str = "timm in segmentation_models.pytorch";

/// The library, where what else a file holds tells more than the names that matched.
pub(super) fn library(encoder: &EncoderConfig, found: &Match, whole: bool) -> &'static str {
    let efficient = matches!(encoder, EncoderConfig::Efficientnet(_) | EncoderConfig::EfficientnetLite0(_));
    if whole && efficient && found.library == "timm" { TIMM_IN_SMP } else { found.library }
}

/// Whether a file is of a network of segmentation_models.pytorch: there is more in it than the encoder.
pub(super) fn is_whole(found: &Match, sources: &[Source]) -> bool {
    let Some(outer) = found.prefix.strip_suffix("encoder.") else { return false };
    let mut beside = found.left_over.iter().filter_map(|&index| sources[index].name.strip_prefix(outer));
    beside.any(|name| name.starts_with("decoder.") || name.starts_with("segmentation_head."))
}

/// Where weights fit by name and shape, and the layers around them differ all the same, or may differ: what to choose.
/// `whole` is said of [files of whole networks](is_whole).
pub(super) fn note(encoder: &EncoderConfig, library: &str, whole: bool) -> Option<String> {
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
        (Some(Form::Tensorflow), _, TIMM_IN_SMP) => Some(words(
            "segmentation_models.pytorch builds its timm encoders with PyTorch's padding and an epsilon of 1e-5, whatever their names; this \
             encoder pads more below and to the right, with 1e-3, as TensorFlow does. Here these",
            "pytorch",
        )),
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
        (_, EncoderConfig::Resnet(_) | EncoderConfig::Resnext(_), _) if whole => Some(format!(
            "the file is of a whole network, as segmentation_models.pytorch has them. At output stride 8 or 16 that dilates the first \
                 block of a stage, too, and this encoder does not: from such a network these {START}; at 32 nothing differs"
        )),
        (_, EncoderConfig::Alexnet(_), "torchvision") => Some(format!(
            "torchvision's features end a pixel before the encoder's at the lower and right edge, where both differ. These {START}"
        )),
        _ => None,
    }
}
