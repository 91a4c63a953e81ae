//! How pixels of one grid become pixels of another.

use serde::{Deserialize, Serialize};

/// Resampling method of bands on another grid and of overviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resampling {
    /// The value of the nearest pixel: labels and other values that must not be mixed.
    Nearest,
    /// Linear in both directions, 2x2 pixels.
    #[default]
    Bilinear,
    /// Cubic convolution, 4x4 pixels.
    Cubic,
    /// Mean of the pixels below: towards coarser grids.
    Average,
    /// Most frequent value of the pixels below: labels towards coarser grids.
    Mode,
}

impl Resampling {
    /// GDAL's name of the method, lower case as command line tools and XML write it.
    pub(crate) fn gdal_name(self) -> &'static str {
        match self {
            Resampling::Nearest => "nearest",
            Resampling::Bilinear => "bilinear",
            Resampling::Cubic => "cubic",
            Resampling::Average => "average",
            Resampling::Mode => "mode",
        }
    }
}
