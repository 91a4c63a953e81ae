//! Segmentation networks and losses on Burn, without a backend.
//!
//! With the feature `cpu` there is also an executor, `cpu::Executor`, which predicts with the kernels of `swath-kernels` instead
//! of Burn's: several times faster, and in less memory; `measure::measure`, which says what a network costs; and `onnx::export`, which
//! writes networks for other programs.
//!
//! There is one model type, [`Segmenter`]: an encoder, a decoder and a head, each chosen from a closed family by a
//! config that reads and writes as TOML. Everything about a network that does not need its weights (levels,
//! strides, whether two parts fit) is plain data and known without a device.
//!
//! ```text
//! images [batch, band, H, W] -> pad -> Encoder -> features -> Decoder -> Head -> resize -> crop -> logits [batch, class, H, W]
//! ```
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use swath_nn::SegmenterConfig;
//! use swath_nn::decoder::unet::UnetConfig;
//! use swath_nn::encoder::plain::PlainConfig;
//!
//! let device = Device::flex();
//! let encoder = PlainConfig { width: 4, depth: 3, ..PlainConfig::default() };
//! let network = SegmenterConfig::new(encoder, UnetConfig::default(), 10, 6).init(&device)?;
//! let logits = network.forward(Tensor::zeros([1, 10, 33, 47], &device));
//! assert_eq!(logits.dims(), [1, 6, 33, 47]);
//! # Ok::<(), swath_nn::FamilyError>(())
//! ```
//!
//! Weights are read and written by stable dotted names through [`weights`]; the networks that people know by name
//! stand in [`preset`].
//!
//! # Adding a member to a family
//!
//! Say `linknet`, a decoder:
//!
//! 1. Write `decoder/linknet.rs`: `LinknetConfig` (serde with `default` and `deny_unknown_fields`) with the methods
//!    that the `config` part of `family!` in `decoder.rs` lists and an `init`, and the module `Linknet` (derive
//!    `Module`) with the methods that its `module` part lists. Open the file with the paper and what differs from it.
//! 2. Name it in `decoder.rs`: `pub mod linknet;` and one line under `members`.
//!
//! Nothing else has to know: the recipe key `[model.decoder.linknet]`, the error messages that list the members,
//! `swath models`, the weight names and the test that runs every encoder with every decoder follow from that line.
//! A member is complete when a golden value from someone else's implementation holds it in place:
//! see `fixtures/nn/make_goldens.py` and the files under `fixtures/nn/members`.

mod advice;
pub mod block;
#[cfg(feature = "cpu")]
pub mod cpu;
pub mod decoder;
pub mod encoder;
mod family;
mod head;
pub mod loss;
#[cfg(feature = "cpu")]
pub mod measure;
#[cfg(feature = "cpu")]
pub mod onnx;
pub mod ops;
pub mod optim;
mod precision;
pub mod preset;
mod segmenter;
pub mod weights;

pub use family::{FamilyError, Level, Member};
pub use head::{Head, HeadConfig};
pub use precision::Precision;
pub use segmenter::{Segmenter, SegmenterConfig};
