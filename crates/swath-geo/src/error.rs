//! What can go wrong with files, grids and vectors. Every message says what, where and what to do.

use std::path::{Path, PathBuf};

use crate::Window;

/// Result of everything in this crate.
pub type Result<T> = std::result::Result<T, GeoError>;

/// An error of this crate.
///
/// Band numbers in errors count from 1, as GDAL and its users count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GeoError {
    /// A file is missing, unreadable, or in no format that GDAL knows.
    #[error("cannot open {}: {message}", path.display())]
    Open {
        /// The file as it was asked for.
        path: PathBuf,
        /// GDAL's message.
        message: String,
    },
    /// Pixels could not be read: a truncated or damaged file, a lost connection.
    #[error("cannot read band {band} of {} at {window}: {message}; check that the file is complete", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Band number, from 1.
        band: usize,
        /// Window in pixels of the file.
        window: Window,
        /// GDAL's message.
        message: String,
    },
    /// An output could not be written: no permission, full disk.
    #[error("cannot write {}: {message}", path.display())]
    Write {
        /// The output as the user named it.
        path: PathBuf,
        /// GDAL's or the system's message.
        message: String,
    },
    /// A file opened but cannot be used; the text says why and what to do.
    #[error("{}: {problem}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do about it.
        problem: String,
    },
    /// An option or argument makes no sense; the text says which and what to do.
    #[error("{0}")]
    Argument(String),
    /// Two rasters that belong together are on different grids.
    #[error("{left} and {right} are on different grids: {difference}")]
    GridMismatch {
        /// First raster.
        left: String,
        /// Second raster.
        right: String,
        /// How they differ, and what to do.
        difference: String,
    },
    /// Two inputs have different coordinate reference systems and nobody asked to reproject.
    #[error(
        "{left} is in {left_crs} but {right} is in {right_crs}; reproject one of them, or name a target grid to align to"
    )]
    CrsMismatch {
        /// First input.
        left: String,
        /// Its CRS.
        left_crs: String,
        /// Second input.
        right: String,
        /// Its CRS.
        right_crs: String,
    },
    /// A text is no coordinate reference system.
    #[error("{text:?} is not a coordinate reference system: {message}; give for example EPSG:32633 or a WKT")]
    Crs {
        /// The text.
        text: String,
        /// PROJ's message.
        message: String,
    },
    /// The output exists and nobody asked to replace it.
    #[error("{} exists already; choose another name or pass --overwrite", path.display())]
    Exists {
        /// The output.
        path: PathBuf,
    },
    /// The file system refused something.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// GDAL refused something that concerns no single file.
    #[error("{action}: {message}")]
    Gdal {
        /// What was tried, such as `warp onto the target grid`.
        action: String,
        /// GDAL's message.
        message: String,
    },
}

impl GeoError {
    /// Whether an option or argument is wrong, as opposed to files or work that failed.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Argument(_))
    }

    /// [`GeoError::Input`] from its two parts.
    pub fn input(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Input { path: path.as_ref().to_path_buf(), problem: problem.into() }
    }

    /// [`GeoError::Io`] from its two parts.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// [`GeoError::Write`] from its two parts.
    pub fn write(path: impl AsRef<Path>, message: impl Into<String>) -> Self {
        Self::Write { path: path.as_ref().to_path_buf(), message: message.into() }
    }
}
