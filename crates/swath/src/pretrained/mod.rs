//! Weights that were trained elsewhere: read from files of PyTorch and others, given Swath's names, kept as encoder files.
//!
//! | file | what |
//! | --- | --- |
//! | `pickle`, `names`, `archive`, `checkpoint` | files of `torch.save`, as plain data: nothing of a file is run |
//! | `states` | which dictionary of a file is the network's |
//! | `tensor` | where values lie in a file, and reading them |
//! | `source` | a file of any kind: the names and shapes in it |
//! | `import` | which tensor is which parameter: [`EncoderWeights`] and its key report |
//! | `report` | the key report |
//! | `bands`, `start` | networks that start from them, with any bands |
//!
//! An encoder file is a `.safetensors` file with the parameters of an encoder by the names that bundles have, and where they
//! come from. Memory is bounded by the network and not by what a file announces: only tensors that fit are read.

mod archive;
mod bands;
#[cfg(test)]
mod beside_tests;
mod checkpoint;
mod import;
mod names;
mod pickle;
#[cfg(test)]
mod preset_tests;
mod report;
mod source;
mod start;
mod states;
mod tensor;
#[cfg(test)]
mod tests;

pub use bands::OtherBands;
pub(crate) use bands::color;
pub use import::{EncoderWeights, Origin, encoder_config};
pub use report::{OtherState, Pair, Report};
