//! Swath's side of each measurement, run in a process of its own.

mod forward;
mod loader;
mod predict;
mod train;
mod vectorize;

use anyhow::{Context, Result};
use burn::tensor::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use swath_nn::decoder::DecoderConfig;
use swath_nn::decoder::deeplab_v3_plus::DeeplabV3PlusConfig;
use swath_nn::decoder::segformer::SegformerConfig;
use swath_nn::decoder::unet::UnetConfig;
use swath_nn::encoder::mit::MitConfig;
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::encoder::resnet::ResnetConfig;
use swath_nn::{Segmenter, SegmenterConfig, preset};

use crate::inputs;
use crate::settings::{Network, Settings, name};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Case {
    /// Chips per second.
    Loader,
    /// Images per second.
    Train,
    /// Megapixels per second.
    Predict,
    /// Megapixels per second.
    Vectorize,
    /// Logits of one batch, timed on demand.
    Forward,
    /// One training step, timed on demand.
    Step,
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
    /// Polygons in the layer.
    #[serde(default)]
    pub(crate) polygons: Option<u64>,
    /// Versions of the peer's packages.
    #[serde(default)]
    pub(crate) versions: Option<String>,
}

impl Case {
    /// Its name on the command line of either side.
    pub(crate) fn name(self) -> String {
        name(self)
    }

    /// Measures in this process: in one go with an answer, or on demand (see [`serve`](crate::serve)).
    pub(crate) fn run(self, settings: &Settings) -> Result<Option<Answer>> {
        rayon::ThreadPoolBuilder::new().num_threads(settings.threads).build_global()?;
        swath_kernels::set_threads(settings.threads);
        let answer = match self {
            Case::Loader => loader::run(settings),
            Case::Train => train::run(settings),
            Case::Predict => predict::run(settings),
            Case::Vectorize => vectorize::run(settings),
            Case::Forward => return forward::run(settings).map(|()| None),
            Case::Step => return train::step(settings).map(|()| None),
        }?;
        Ok(Some(Answer { peak_mb: peak_mb(), ..answer }))
    }
}

/// The network that both sides have, as plain data.
pub(crate) fn config(settings: &Settings) -> Result<SegmenterConfig> {
    let Settings { bands, classes, width, depth, .. } = *settings;
    let preset = |name: &str| {
        let preset = preset::find(name).with_context(|| format!("the preset {name} is gone"))?;
        Ok((preset.config)(bands, classes))
    };
    if let Some(case) = &settings.golden {
        return golden(case);
    }
    match settings.network {
        Network::Unet => {
            let encoder = PlainConfig { width, depth, ..PlainConfig::default() };
            Ok(SegmenterConfig::new(encoder, UnetConfig::default(), bands, classes))
        }
        Network::UnetResnet34 => preset("unet-resnet34"),
        Network::UnetResnet50 => preset("unet-resnet50"),
        Network::CnnPc => preset("cnn-pc"),
        Network::CnnSpl => preset("cnn-spl"),
        Network::CnnFpl => preset("cnn-fpl"),
        Network::CnnWhole => {
            let mut config = preset("cnn-pc")?;
            if let DecoderConfig::Classifier(classifier) = &mut config.decoder {
                classifier.cell = None;
            }
            Ok(config)
        }
        Network::DeeplabV3PlusResnet50 => {
            let encoder = ResnetConfig { depth: 50, ..ResnetConfig::default() };
            Ok(SegmenterConfig::new(encoder, DeeplabV3PlusConfig::default(), bands, classes))
        }
        Network::SegformerB0 => {
            Ok(SegmenterConfig::new(MitConfig::default(), SegformerConfig::default(), bands, classes))
        }
    }
}

/// A network that golden values are made with.
#[derive(Deserialize)]
pub(crate) struct Golden {
    /// The name of its case.
    pub(crate) name: String,
    /// The network.
    pub(crate) config: SegmenterConfig,
}

/// The networks of a file under `fixtures/nn/goldens`, in its order.
pub(crate) fn goldens(file: &str) -> Result<Vec<Golden>> {
    #[derive(Deserialize)]
    struct Goldens {
        cases: Vec<Golden>,
    }
    let path = format!("{}/../../fixtures/nn/goldens/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    let goldens: Goldens = serde_json::from_str(&text).with_context(|| path)?;
    Ok(goldens.cases)
}

/// The network of a golden case, named as `FILE#CASE`.
fn golden(name: &str) -> Result<SegmenterConfig> {
    let (file, case) = name.split_once('#').context("a golden network is named FILE#CASE")?;
    let found = goldens(file)?.into_iter().find(|found| found.name == case);
    Ok(found.with_context(|| format!("the golden file {file} has no case {case}"))?.config)
}

/// The network on a device, with the weights of the file where one is given.
fn network(settings: &Settings, device: &Device) -> Result<Segmenter> {
    let network = config(settings)?.init(device)?;
    match &settings.weights {
        None => Ok(network),
        Some(path) => Ok(swath_nn::weights::write(network, &inputs::load_weights(path)?)?),
    }
}

/// Peak resident memory of this process so far. Linux keeps it per program: that of a parent does not count.
pub(crate) fn peak_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
