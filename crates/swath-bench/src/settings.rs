//! What one measurement is made of, the same for Swath and for the peer.

use std::path::PathBuf;

use clap::Args;

/// Mean and standard deviation that both sides normalize every band with.
pub(crate) const MEAN: f32 = 1000.0;
/// See [`MEAN`].
pub(crate) const STD: f32 = 500.0;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// As much as shows that it runs.
    Quick,
    /// As much as a comparison needs.
    Usual,
}

/// The flags of one measurement. `python/peer.py` takes the same.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// The scene.
    #[arg(long, default_value = "scene.tif")]
    pub(crate) scene: PathBuf,
    /// Its labels.
    #[arg(long, default_value = "labels.tif")]
    pub(crate) labels: PathBuf,
    /// The map to write.
    #[arg(long, default_value = "map.tif")]
    pub(crate) out: PathBuf,
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
            bands: 10,
            classes: 10,
            width: 16,
            depth: 5,
            chip: 256,
            overlap: 64,
            batch: 4,
            count: 8,
            threads: 2,
            cache_mb: 0,
        }
    }
}

impl Settings {
    /// As flags on a command line.
    pub(crate) fn flags(&self) -> Vec<String> {
        let paths = [("scene", &self.scene), ("labels", &self.labels), ("out", &self.out)];
        let paths = paths.map(|(name, path)| format!("--{name}={}", path.display()));
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
        paths.into_iter().chain(numbers.map(|(name, value)| format!("--{name}={value}"))).collect()
    }

    /// In words: the network.
    pub(crate) fn network(&self) -> String {
        format!("U-Net, width {}, {} levels", self.width, self.depth)
    }
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
        let settings = Settings { scene: "a b.tif".into(), width: 3, count: 9, cache_mb: 7, ..Settings::default() };
        let parsed = Flags::parse_from([vec!["bench".to_owned()], settings.flags()].concat()).settings;
        assert_eq!(format!("{parsed:?}"), format!("{settings:?}"));
        let defaults = Flags::parse_from(["bench"]).settings;
        assert_eq!(format!("{defaults:?}"), format!("{:?}", Settings::default()));
    }
}
