//! What one measurement is made of, the same for Swath and for the peer.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use swath_nn::Precision;

/// Mean and standard deviation that both sides normalize every band with.
pub(crate) const MEAN: f32 = 1000.0;
/// See [`MEAN`].
pub(crate) const STD: f32 = 500.0;

/// Side of a classifier's patches.
pub(crate) const PATCH: usize = 64;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As much as shows that it runs.
    Quick,
    /// As much as a comparison needs.
    Usual,
}

/// A network that both sides have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Network {
    /// `plain` encoder and `unet` decoder with batch norm.
    #[default]
    Unet,
    /// The preset of this name.
    UnetResnet34,
    /// DeepLabV3+ on ResNet-50 at output stride 16.
    DeeplabV3PlusResnet50,
    /// SegFormer-B0.
    SegformerB0,
    /// The preset of this name.
    UnetResnet50,
    /// The preset of this name.
    CnnPc,
    /// The preset of this name.
    CnnSpl,
    /// The same classifier for its whole patch.
    CnnWhole,
    /// The preset of this name.
    CnnFpl,
}

/// Who computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// This program.
    Swath,
    /// This program with `--precision bf16x2`.
    SwathBf16x2,
    /// This program with `--precision bf16`, or `train.precision` of a training.
    SwathBf16,
    /// PyTorch in fp32, `channels_last`.
    #[default]
    Torch,
    /// PyTorch under bf16 autocast.
    TorchBf16,
    /// ONNX Runtime in fp32.
    Onnxruntime,
    /// OpenVINO as it comes: bf16 where the processor has it.
    Openvino,
    /// OpenVINO in fp32.
    OpenvinoF32,
}

/// The flags of one measurement. `python/peer.py` takes the same.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// The scene; of `forward` and `step` the images, raw `f32`.
    #[arg(long, default_value = "scene.tif")]
    pub(crate) scene: PathBuf,
    /// Its labels; of `step` raw bytes.
    #[arg(long, default_value = "labels.tif")]
    pub(crate) labels: PathBuf,
    /// The map to write; of `forward` the logits and of `step` the first gradients, raw `f32`.
    #[arg(long, default_value = "map.tif")]
    pub(crate) out: PathBuf,
    /// Weights of the network; without them they are drawn.
    #[arg(long)]
    pub(crate) weights: Option<PathBuf>,
    /// Who computes.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) engine: Engine,
    /// The network.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) network: Network,
    /// In place of `network` one that golden values are made with: the file under `fixtures/nn/goldens`, `#`, the name of the case.
    #[arg(long)]
    pub(crate) golden: Option<String>,
    /// Bands of the scene.
    #[arg(long, default_value_t = 10)]
    pub(crate) bands: usize,
    /// Classes of the labels.
    #[arg(long, default_value_t = 10)]
    pub(crate) classes: usize,
    /// Channels of the U-Net's finest level.
    #[arg(long, default_value_t = 16)]
    pub(crate) width: usize,
    /// Levels of the U-Net.
    #[arg(long, default_value_t = 5)]
    pub(crate) depth: usize,
    /// Side of a chip.
    #[arg(long, default_value_t = 256)]
    pub(crate) chip: usize,
    /// Pixels that chips of a prediction share.
    #[arg(long, default_value_t = 64)]
    pub(crate) overlap: usize,
    /// Chips in a batch.
    #[arg(long, default_value_t = 4)]
    pub(crate) batch: usize,
    /// Chips to load, or steps to train.
    #[arg(long, default_value_t = 8)]
    pub(crate) count: usize,
    /// Threads of the network, or workers of the loader.
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
    /// Metres that outlines of polygons may move to have fewer vertices.
    #[arg(long, default_value_t = 0.0)]
    pub(crate) simplify: f64,
    /// Megabytes that a side may keep of the files it loads from, for all workers together; 0 leaves it as it comes.
    #[arg(long, default_value_t = 0)]
    pub(crate) cache_mb: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            scene: "scene.tif".into(),
            labels: "labels.tif".into(),
            out: "map.tif".into(),
            weights: None,
            engine: Engine::default(),
            network: Network::default(),
            golden: None,
            bands: 10,
            classes: 10,
            width: 16,
            depth: 5,
            chip: 256,
            overlap: 64,
            batch: 4,
            count: 8,
            threads: 2,
            simplify: 0.0,
            cache_mb: 0,
        }
    }
}

impl Settings {
    /// As flags on a command line.
    pub(crate) fn flags(&self) -> Vec<String> {
        let paths = [("scene", &self.scene), ("labels", &self.labels), ("out", &self.out)];
        let weights = self.weights.iter().map(|path| ("weights", path));
        let paths = paths.into_iter().chain(weights).map(|(name, path)| format!("--{name}={}", path.display()));
        let choices = [("engine", name(self.engine)), ("network", name(self.network))];
        let choices = choices.map(|(name, value)| format!("--{name}={value}"));
        let golden = self.golden.iter().map(|case| format!("--golden={case}"));
        let numbers = [
            ("bands", self.bands),
            ("classes", self.classes),
            ("width", self.width),
            ("depth", self.depth),
            ("chip", self.chip),
            ("overlap", self.overlap),
            ("batch", self.batch),
            ("count", self.count),
            ("threads", self.threads),
            ("cache-mb", self.cache_mb),
        ];
        let numbers = numbers.map(|(name, value)| format!("--{name}={value}"));
        let simplify = [format!("--simplify={}", self.simplify)];
        paths.chain(choices).chain(golden).chain(numbers).chain(simplify).collect()
    }

    /// In words: the network.
    pub(crate) fn network_in_words(&self) -> String {
        match self.network {
            Network::Unet => format!("U-Net, width {}, {} levels", self.width, self.depth),
            Network::UnetResnet34 => "U-Net on ResNet-34".into(),
            Network::DeeplabV3PlusResnet50 => "DeepLabV3+ on ResNet-50 at output stride 16".into(),
            Network::SegformerB0 => "SegFormer-B0".into(),
            Network::UnetResnet50 => "U-Net on ResNet-50".into(),
            Network::CnnPc | Network::CnnSpl | Network::CnnWhole => "a patch classifier".into(),
            Network::CnnFpl => "full-patch labelling".into(),
        }
    }
}

impl Engine {
    /// Whether it is this program.
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Engine::Swath | Engine::SwathBf16x2 | Engine::SwathBf16)
    }

    /// What this program multiplies.
    pub(crate) fn precision(self) -> Precision {
        match self {
            Engine::SwathBf16x2 => Precision::Bf16x2,
            Engine::SwathBf16 => Precision::Bf16,
            _ => Precision::Fp32,
        }
    }

    /// In words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Engine::Swath => "Swath, fp32",
            Engine::SwathBf16x2 => "Swath, bf16x2",
            Engine::SwathBf16 => "Swath, bf16",
            Engine::Torch => "PyTorch, fp32",
            Engine::TorchBf16 => "PyTorch, bf16 autocast",
            Engine::Onnxruntime => "ONNX Runtime, fp32",
            Engine::Openvino => "OpenVINO, its default precision",
            Engine::OpenvinoF32 => "OpenVINO, fp32",
        }
    }
}

/// A choice as its flag spells it.
pub(crate) fn name(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn flags_say_everything() {
        let settings = Settings {
            scene: "a b.tif".into(),
            weights: Some("w.safetensors".into()),
            engine: Engine::OpenvinoF32,
            network: Network::UnetResnet34,
            golden: Some("unet#plain unet, of 64".into()),
            width: 3,
            count: 9,
            simplify: 12.5,
            cache_mb: 7,
            ..Settings::default()
        };
        let parsed = Flags::parse_from([vec!["bench".to_owned()], settings.flags()].concat()).settings;
        assert_eq!(format!("{parsed:?}"), format!("{settings:?}"));
        let defaults = Flags::parse_from(["bench"]).settings;
        assert_eq!(format!("{defaults:?}"), format!("{:?}", Settings::default()));
    }
}
