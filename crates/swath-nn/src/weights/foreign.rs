//! Weights of other libraries: which of their tensors is which parameter of an encoder.
//!
//! Names follow torchvision where an encoder's layers do. Where they do not, `DIALECTS` holds a library's way of naming as
//! plain data: patterns of its names with the names that Swath gives to the same layers. A name without a pattern is its own.
//! What stands before all names, as `module.` or `encoder.`, is found out by trying.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};

use super::path::Path;
use crate::encoder::{Demand, EncoderConfig};
use crate::family::FamilyError;

mod dialect;
mod pattern;

use dialect::{DIALECTS, Dialect};
use pattern::Flat;

/// A parameter or running statistic that waits for its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name in a network: `encoder.conv1.weight`.
    pub name: String,
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// Whether the second axis is the images' bands: a first convolution, which can be made to fit other bands.
    pub reads_bands: bool,
}

/// What an encoder needs, in its own order.
///
/// # Errors
/// When the config cannot be built.
pub fn slots(encoder: &EncoderConfig, bands: usize, device: &Device) -> Result<Vec<Slot>, FamilyError> {
    encoder.levels(None)?;
    let shapes = |bands| {
        let mut shapes = Shapes::default();
        encoder.init(Demand::new(bands), device).visit(&mut shapes);
        shapes.found
    };
    let slot = |((name, shape), (_, wider)): ((String, Vec<usize>), (String, Vec<usize>))| Slot {
        name: format!("encoder.{name}"),
        reads_bands: shape != wider,
        shape,
    };
    Ok(shapes(bands).into_iter().zip(shapes(bands + 1)).map(slot).collect())
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in the file.
    pub name: String,
    /// Size of each axis.
    pub shape: Vec<usize>,
}

/// Which tensor of a file goes where. Numbers are positions in the lists that were matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Whose names the file has.
    pub library: &'static str,
    /// What stands before all of them.
    pub prefix: String,
    /// Slot and source that belong together.
    pub matched: Vec<(usize, usize)>,
    /// Slots whose source has the right name, and another shape.
    pub misfits: Vec<(usize, usize)>,
    /// Slots without a source.
    pub missing: Vec<usize>,
    /// Sources that no slot takes, as those of a classifier.
    pub left_over: Vec<usize>,
    /// Sources without weights: counters, and tables that layers compute anew.
    pub uncounted: Vec<usize>,
}

/// Finds out whose names a file has and which of its tensors an encoder takes.
///
/// `encoder` is the member's name in recipes. Of several readings, the one that fits most slots is taken.
pub fn match_names(encoder: &str, slots: &[Slot], sources: &[Source]) -> Match {
    let dialects = DIALECTS.iter().filter(|dialect| dialect.encoders.contains(&encoder));
    let mut best: Option<Match> = None;
    for dialect in dialects.chain([&Dialect::OWN]) {
        for prefix in prefixes(slots, sources) {
            let found = read_as(dialect, &prefix, slots, sources);
            let rank = |found: &Match| (found.matched.len(), found.misfits.len());
            if best.as_ref().is_none_or(|best| rank(&found) > rank(best)) {
                best = Some(found);
            }
        }
    }
    best.unwrap_or_default()
}

/// Whether public files of an encoder's weights lack this slot, whatever its options: `fc6` and `fc7` of `dilated_vgg` are smaller
/// layers than the ones of VGG16 that they stand for, and nobody publishes them.
pub fn unpublished(encoder: &str, slot: &Slot) -> bool {
    encoder == "dilated_vgg" && slot.name.starts_with("encoder.classifier.")
}

/// The values of a source in the shape of its slot, or none where they do not fit.
///
/// Axes of one value may come and go; the matrix of a linear layer is a convolution whose window is all that it sees. The bands
/// of a first convolution may be any number.
pub fn fits(slot: &Slot, shape: &[usize]) -> bool {
    let mut expected = slot.shape.clone();
    if slot.reads_bands
        && let ([_, bands, ..], [_, found, ..]) = (&mut expected[..], shape)
    {
        *bands = *found;
    }
    let long = |shape: &[usize]| shape.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
    let count = |shape: &[usize]| shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
    let linear = shape.len() == 2 && shape.first() == expected.first() && count(shape) == count(&expected);
    long(shape) == long(&expected) || linear
}

/// Parts of a name that a layer computes anew, or that only count.
const NO_WEIGHTS: [&str; 3] = ["num_batches_tracked", "relative_position_index", "attn_mask"];

fn read_as(dialect: &Dialect, prefix: &str, slots: &[Slot], sources: &[Source]) -> Match {
    let places: BTreeMap<&str, usize> = slots.iter().enumerate().map(|(i, slot)| (slot.name.as_str(), i)).collect();
    let flat = Flat::new(dialect.rules, sources.iter().filter_map(|source| source.name.strip_prefix(prefix)));
    let mut found = Match { library: dialect.library, prefix: prefix.to_string(), ..Match::default() };
    let mut taken = vec![false; slots.len()];
    for (i, source) in sources.iter().enumerate() {
        let own = source.name.strip_prefix(prefix).map(|name| flat.rename(dialect.rules, name));
        let slot = own.and_then(|own| place(&places, &own)).filter(|&slot| !std::mem::replace(&mut taken[slot], true));
        match slot {
            Some(slot) if fits(&slots[slot], &source.shape) => found.matched.push((slot, i)),
            Some(slot) => found.misfits.push((slot, i)),
            None if NO_WEIGHTS.iter().any(|end| source.name.ends_with(end)) => found.uncounted.push(i),
            None => found.left_over.push(i),
        }
    }
    found.missing = (0..slots.len()).filter(|&slot| !taken[slot]).collect();
    found
}

/// The slot of a name. Other libraries call the scale of a normalization `weight` and its shift `bias`.
fn place(places: &BTreeMap<&str, usize>, name: &str) -> Option<usize> {
    let name = format!("encoder.{name}");
    let (layer, field) = name.rsplit_once('.')?;
    let other = match field {
        "weight" => format!("{layer}.gamma"),
        "bias" => format!("{layer}.beta"),
        _ => String::new(),
    };
    places.get(name.as_str()).or_else(|| places.get(other.as_str())).copied()
}

/// What may stand before the names: nothing, or up to three parts that at least a third as many sources share as there are slots.
fn prefixes(slots: &[Slot], sources: &[Source]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for source in sources {
        for (end, _) in source.name.match_indices('.').take(3) {
            *counts.entry(&source.name[..=end]).or_default() += 1;
        }
    }
    let shared = counts.into_iter().filter(|(_, count)| 3 * count >= slots.len()).map(|(prefix, _)| prefix.to_string());
    let mut prefixes: Vec<String> = std::iter::once(String::new()).chain(shared).collect();
    prefixes.sort_by_key(String::len);
    prefixes
}

#[derive(Default)]
struct Shapes {
    path: Path,
    found: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.name(), param.lazy_shape().to_vec()));
    }
}
