//! Outlines of objects by a network: four corners for each, from the image around it.
//!
//! Girard, Tarabalka: *End-to-End Learning of Polygons for Remote Sensing Image Classification*. IGARSS 2018 (PolyCNN); the network is
//! [`swath_nn::decoder::polycnn`], its training a part of [`crate::train`].
//!
//! | file | what |
//! | --- | --- |
//! | `corners` | outlines of four corners: from polygons and from pixels, their overlap, their pixels |
//! | `targets` | what is learned: objects of a recipe's scenes that have four corners and fit into a patch |
//! | `patch` | the image around an object, and its corners in it |
//! | `generated` | polygons that are drawn at random, for the part of the network that knows of outlines alone |
//! | `draw` | objects of a vector file drawn again |

mod corners;
mod draw;
mod generated;
mod patch;
mod targets;

pub use draw::{OutlineOptions, OutlineSummary, outline};

pub(crate) use corners::{Corners, iou, mask, to_unit};
pub(crate) use generated::{polygon, raster};
pub(crate) use patch::{PatchReader, numbers_to_corners};
pub(crate) use targets::{Target, Targets};

/// Objects are at most this share of a patch long, so that the network sees something around them.
pub(crate) const LARGEST: f64 = 0.8;
