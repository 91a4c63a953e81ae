//! Swath's side of each measurement, run in a process of its own.

mod loader;
mod predict;
mod train;

use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use swath_nn::SegmenterConfig;
use swath_nn::decoder::unet::UnetConfig;
use swath_nn::encoder::plain::PlainConfig;

use crate::settings::Settings;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// Chips per second.
    Loader,
    /// Images per second.
    Train,
    /// Megapixels per second.
    Predict,
}

/// What came out, from Swath or from the peer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Chips, images or megapixels per second.
    pub(crate) rate: f64,
    /// Seconds of the measured part.
    pub(crate) seconds: f64,
    /// Peak resident memory of the process in megabytes, where the system tells.
    pub(crate) peak_mb: Option<f64>,
    /// Trainable parameters of the network.
    pub(crate) parameters: Option<u64>,
    /// What the prediction engine says it needs, in megabytes.
    #[serde(default)]
    pub(crate) engine_mb: Option<f64>,
    /// Versions of the peer's packages.
    #[serde(default)]
    pub(crate) versions: Option<String>,
}

impl Case {
    /// Its name on the command line of either side.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Case::Loader => "loader",
            Case::Train => "train",
            Case::Predict => "predict",
        }
    }

    /// Measures in this process.
    pub(crate) fn run(self, settings: &Settings) -> Result<Answer> {
        rayon::ThreadPoolBuilder::new().num_threads(settings.threads).build_global()?;
        swath_kernels::set_threads(settings.threads);
        let answer = match self {
            Case::Loader => loader::run(settings),
            Case::Train => train::run(settings),
            Case::Predict => predict::run(settings),
        }?;
        Ok(Answer { peak_mb: peak_mb(), ..answer })
    }
}

/// The network that both sides have: U-Net with batch norm.
fn network(settings: &Settings) -> SegmenterConfig {
    let encoder = PlainConfig { width: settings.width, depth: settings.depth, batch_norm: true };
    SegmenterConfig::new(encoder, UnetConfig::default(), settings.bands, settings.classes)
}

/// Peak resident memory of this process so far. Linux keeps it per program: that of a parent does not count.
fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
