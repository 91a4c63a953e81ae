//! What can go wrong in this crate, said in one line: what, where, and what to do.

use std::path::{Path, PathBuf};

use swath_geo::{GeoError, Window};
use swath_nn::FamilyError;
use swath_nn::loss::LossError;
use swath_nn::weights::WeightsError;
use swath_vector::VectorError;

use crate::dataset::DataError;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The recipe is wrong: a mistake of the user, found before any work is done.
    #[error("{}{}: {problem}", .file.display(), .line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Recipe {
        /// The recipe file, or a word for where the text came from.
        file: PathBuf,
        /// The line of the mistake, counted from 1, where the file holds it.
        line: Option<usize>,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A file could not be read, written or found.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb: "read", "write", "create", "rename".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A bundle cannot be used: not a bundle, cut off, newer than this program, or inconsistent.
    #[error("{}: {problem}", .path.display())]
    Bundle {
        /// The bundle file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// A file of weights cannot be used: damaged, more than plain weights, or of another network.
    #[error("{}: {problem}", .path.display())]
    Pretrained {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
    /// An import was asked for in a way that cannot work.
    #[error("{problem}")]
    ImportOptions {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A prediction was asked for in a way that cannot work.
    #[error("{problem}")]
    PredictOptions {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// An evaluation was asked for in a way that cannot work.
    #[error("{problem}")]
    EvaluateOptions {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Areas were asked for in a way that cannot work.
    #[error("{problem}")]
    AreaOptions {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A sample was asked for in a way that cannot work.
    #[error("{problem}")]
    AssessOptions {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A map and its labels overlap, but nowhere do both say something.
    #[error(
        "{} and {} have no pixel in common: {mapped} mapped pixels have no label and {labelled} labelled pixels no map; \
         check the nodata and ignore values",
        .map.display(), .labels.display()
    )]
    NothingToCompare {
        /// The map.
        map: PathBuf,
        /// The labels.
        labels: PathBuf,
        /// Pixels with a map only.
        mapped: u64,
        /// Pixels with a label only.
        labelled: u64,
    },
    /// The device failed while it computed.
    #[error("the network cannot be run: {problem}; try a smaller chip or batch, or another device")]
    Network {
        /// What the device reported.
        problem: String,
    },
    /// A scene does not hold the bands that a network takes.
    #[error(
        "{}: {problem}; the scene holds {have}, the network takes {want}: choose other bands or another bundle",
        .scene.display()
    )]
    Bands {
        /// The scene's first file.
        scene: PathBuf,
        /// What does not fit.
        problem: String,
        /// The scene's bands.
        have: String,
        /// The network's bands.
        want: String,
    },
    /// An interrupted run did other work than the one that should resume it.
    #[error(
        "{}: the interrupted run differs in {difference}; run without --resume to start over, or repeat its settings",
        .path.display()
    )]
    Resume {
        /// The map.
        path: PathBuf,
        /// What differs.
        difference: String,
    },
    /// A network returned NaN or infinite logits.
    #[error(
        "the network's answer is not finite at {window}: its weights are damaged or its training diverged; train it again"
    )]
    NotFinite {
        /// The chip.
        window: Window,
    },
    /// The work was stopped on request.
    #[error("stopped on request")]
    Cancelled,
    /// Training data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A raster or vector file could not be read or written.
    #[error(transparent)]
    Geo(#[from] GeoError),
    /// A sample, or polygons, cannot be computed with.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// The network that was asked for cannot be built.
    #[error(transparent)]
    Family(#[from] FamilyError),
    /// The loss does not fit the classes.
    #[error("loss.{0}")]
    Loss(#[from] LossError),
    /// Weights do not fit the network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A network cannot be written for other programs.
    #[cfg(feature = "cpu")]
    #[error(transparent)]
    Onnx(#[from] swath_nn::onnx::OnnxError),
    /// A training run cannot go on, or its folder cannot be used.
    #[error("{}: {problem}", .path.display())]
    Run {
        /// The run folder or the file in it.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: String,
    },
}

impl Error {
    /// An [`Error::Io`]; made to be used with `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_path_buf();
        move |source| Error::Io { action, path, source }
    }

    /// Whether the user wrote something wrong (exit status 2) as opposed to work that failed (1).
    pub fn is_usage(&self) -> bool {
        match self {
            Error::Recipe { .. }
            | Error::PredictOptions { .. }
            | Error::EvaluateOptions { .. }
            | Error::AreaOptions { .. }
            | Error::AssessOptions { .. }
            | Error::ImportOptions { .. } => true,
            Error::Geo(error) => error.is_usage(),
            Error::Vector(error) => matches!(error, VectorError::Argument(_)),
            _ => false,
        }
    }
}
