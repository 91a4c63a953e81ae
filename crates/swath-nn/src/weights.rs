//! Weights as named arrays: reading, writing and drawing them.
//!
//! A name is the path of a parameter through the network's fields, `encoder.layer1.0.conv1.weight`; the chosen member
//! is not part of it, since the recipe says which it is. Names and their order depend only on the config and stay the
//! same from version to version: bundles rely on them.

use std::collections::BTreeMap;

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::{Tensor, TensorData};

use crate::segmenter::Segmenter;

pub mod foreign;
mod initialize;
mod parts;
mod path;

pub use initialize::initialize;
pub use parts::{Part, parts};
use path::Path;

/// A parameter or running statistic by name.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Dotted path, unique within a network.
    pub name: String,
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// Values, last axis fastest.
    pub data: Vec<f32>,
}

/// What a parameter does, which decides how an optimizer treats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Kernel of a convolution or matrix of a linear layer: the only kind with weight decay.
    Weight,
    /// Additive bias of a layer.
    Bias,
    /// Scale or shift of a normalization layer.
    Norm,
    /// Scale of a residual branch, small at first.
    LayerScale,
    /// What attention adds to its logits for the distance of two pixels.
    PositionBias,
    /// Running statistic of a batch normalization: stored, never optimized.
    RunningStat,
}

/// Why weights do not fit a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The network has a parameter that the weights lack.
    #[error("the weights lack `{name}` and {others} more that this network has: they belong to another model")]
    Missing {
        /// The first missing name.
        name: String,
        /// How many more are missing.
        others: usize,
    },
    /// The weights have a name that the network lacks.
    #[error("the weights hold `{name}` and {others} more that this network lacks: they belong to another model")]
    Extra {
        /// The first name left over.
        name: String,
        /// How many more are left over.
        others: usize,
    },
    /// A parameter has another shape.
    #[error(
        "`{name}` has shape {found:?} in the weights and {expected:?} in the network: check bands, classes and widths"
    )]
    Shape {
        /// The parameter.
        name: String,
        /// Its shape in the weights.
        found: Vec<usize>,
        /// Its shape in the network.
        expected: Vec<usize>,
    },
    /// The values are fewer or more than the shape says.
    #[error("`{name}` has {found} values, but its shape needs {expected}: the file is damaged")]
    Length {
        /// The parameter.
        name: String,
        /// Number of values.
        found: usize,
        /// Product of the shape.
        expected: usize,
    },
    /// A name occurs twice.
    #[error("the weights hold `{name}` twice: the file is damaged")]
    Twice {
        /// The name.
        name: String,
    },
}

/// Every parameter and running statistic, in the network's own order.
///
/// Works during training too: batch statistics that Burn holds back until the next step are taken into account.
pub fn read(segmenter: &Segmenter) -> Vec<NamedTensor> {
    let mut reader = Reader::default();
    // `valid` settles the running statistics, which otherwise lag one step behind.
    segmenter.valid().visit(&mut reader);
    reader.tensors
}

/// The network with every parameter and running statistic replaced. Device, gradients and ids of parameters stay.
///
/// # Errors
/// When a name is missing, left over or given twice, or a shape differs. The network is lost then, but nothing else is.
pub fn write(segmenter: Segmenter, tensors: &[NamedTensor]) -> Result<Segmenter, WeightsError> {
    let mut by_name = BTreeMap::new();
    for tensor in tensors {
        let expected = tensor.shape.iter().product();
        if tensor.data.len() != expected {
            return Err(WeightsError::Length { name: tensor.name.clone(), found: tensor.data.len(), expected });
        }
        if by_name.insert(tensor.name.as_str(), tensor).is_some() {
            return Err(WeightsError::Twice { name: tensor.name.clone() });
        }
    }
    check_fit(&shapes(&segmenter), &by_name)?;
    // A batch statistic that Burn still holds back would overwrite the one written here.
    drop(segmenter.valid());
    Ok(segmenter.map(&mut Writer { path: Path::default(), by_name }))
}

/// The kind of a parameter, by its name.
///
/// ```
/// use swath_nn::weights::{Kind, parameter_kind};
/// assert_eq!(parameter_kind("encoder.layer1.0.conv1.weight"), Kind::Weight);
/// assert_eq!(parameter_kind("encoder.bn1.gamma"), Kind::Norm);
/// ```
pub fn parameter_kind(name: &str) -> Kind {
    match name.rsplit('.').next() {
        Some("bias") => Kind::Bias,
        Some("gamma" | "beta") => Kind::Norm,
        Some("layer_scale") => Kind::LayerScale,
        Some("relative_position_bias_table") => Kind::PositionBias,
        Some("running_mean" | "running_var") => Kind::RunningStat,
        _ => Kind::Weight,
    }
}

/// The number of values that training changes, without reading them: those of all parameters except running statistics.
pub fn parameters(segmenter: &Segmenter) -> usize {
    let trained = |(name, _): &(&String, &Vec<usize>)| parameter_kind(name) != Kind::RunningStat;
    shapes(segmenter).iter().filter(trained).map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

/// The parameters of some kinds as a group for Burn's `ModuleOptimizer`.
///
/// Ids derive from names (see [`parameter_id`]), so the same group and the optimizer's own record fit the same network
/// in another process: a resumed run needs no translation.
pub fn group(segmenter: &Segmenter, kinds: &[Kind]) -> ParamGroup {
    let shapes = shapes(segmenter);
    let chosen = shapes.keys().filter(|name| kinds.contains(&parameter_kind(name)));
    ParamGroup::from_ids(chosen.map(|name| parameter_id(name)).collect())
}

/// The id that a parameter has in every process: a hash of its name.
pub fn parameter_id(name: &str) -> ParamId {
    ParamId::from(path::hash(name))
}

/// The names of all parameters and running statistics.
pub fn names(segmenter: &Segmenter) -> Vec<String> {
    shapes(segmenter).into_keys().collect()
}

/// The network with those parameters held whose names `held` picks, and all others free to learn.
///
/// No gradient is computed for a held parameter. A batch normalization that is held as a whole goes by its running statistics
/// in training too, and these stay as they are.
pub fn freeze(segmenter: Segmenter, held: impl Fn(&str) -> bool) -> Segmenter {
    // Settles batch statistics that Burn still holds back.
    drop(segmenter.valid());
    segmenter.map(&mut Freezer { path: Path::default(), held })
}

/// Whether weights have exactly a network's names and shapes.
fn check_fit(
    network: &BTreeMap<String, Vec<usize>>,
    weights: &BTreeMap<&str, &NamedTensor>,
) -> Result<(), WeightsError> {
    let mut missing = network.keys().filter(|name| !weights.contains_key(name.as_str()));
    if let Some(name) = missing.next() {
        return Err(WeightsError::Missing { name: name.clone(), others: missing.count() });
    }
    let mut extra = weights.keys().filter(|name| !network.contains_key(**name));
    if let Some(name) = extra.next() {
        return Err(WeightsError::Extra { name: name.to_string(), others: extra.count() });
    }
    for (name, expected) in network {
        let found = &weights[name.as_str()].shape;
        if found != expected {
            return Err(WeightsError::Shape { name: name.clone(), found: found.clone(), expected: expected.clone() });
        }
    }
    Ok(())
}

/// The shape of every tensor of a network, without touching values.
fn shapes(segmenter: &Segmenter) -> BTreeMap<String, Vec<usize>> {
    let mut shapes = Shapes::default();
    segmenter.visit(&mut shapes);
    shapes.found
}

/// Values of every tensor.
#[derive(Default)]
struct Reader {
    path: Path,
    tensors: Vec<NamedTensor>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let data = tensor.to_data().try_into_vec_as::<f32>().expect("parameters are floats");
        self.tensors.push(NamedTensor { name: self.path.name(), shape: param.shape().to_vec(), data });
    }
}

#[derive(Default)]
struct Shapes {
    path: Path,
    found: BTreeMap<String, Vec<usize>>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.insert(self.path.name(), param.lazy_shape().to_vec());
    }
}

struct Writer<'a> {
    path: Path,
    by_name: BTreeMap<&'a str, &'a NamedTensor>,
}

impl ModuleMapper for Writer<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let source = self.by_name[self.path.name().as_str()];
        let data = TensorData::new(source.data.clone(), source.shape.clone());
        param.map(|old| Tensor::from_data(data, &old.device()).set_require_grad(old.is_require_grad()))
    }
}

struct Freezer<F> {
    path: Path,
    held: F,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Freezer<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        match parameter_kind(&name) {
            Kind::RunningStat => param,
            _ => param.set_require_grad(!(self.held)(&name)),
        }
    }

    /// Whether a normalization goes by the batch's own statistics: by name a field of its layer.
    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        let held = (self.held)(&self.path.name());
        flag.with_value(!held)
    }
}
