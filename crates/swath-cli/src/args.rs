//! The command line: one static definition from which parsing, `--help`, man pages and shell completions are made.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::console::Usage;
use crate::verb;

/// Raw satellite and aerial imagery in, finished maps out.
#[derive(Debug, Parser)]
#[command(name = "swath", version, max_term_width = 100, propagate_version = true)]
#[command(after_help = "The way from a scene to a map:
  swath info scene.tif                                     look at the scene
  swath rasterize polygons.gpkg --like scene.tif --class-field type -o labels.tif
  swath train recipe.toml --run runs/first                 train a network
  swath predict runs/first/bundle.safetensors scene.tif -o map.tif
  swath evaluate --map map.tif --labels labels.tif         see how good the map is
  swath vectorize map.tif -o map.gpkg                      polygons for a GIS
  swath area map.tif -o areas.csv                          square kilometres by class, by zone and over time
  swath assess design map.tif -o sample.gpkg               points to check the map at, for areas with intervals

`swath demo` runs all of it on data that the program carries.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// Print results and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose", help_heading = "Messages")]
    pub(crate) quiet: bool,
    /// Say more about what is being done
    #[arg(long, short, global = true, help_heading = "Messages")]
    pub(crate) verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Info(verb::info::InfoArgs),
    Stack(verb::stack::StackArgs),
    Rasterize(verb::rasterize::RasterizeArgs),
    Train(verb::train::TrainArgs),
    Compare(verb::compare::CompareArgs),
    Predict(verb::predict::PredictArgs),
    Classify(verb::classify::ClassifyArgs),
    Evaluate(verb::evaluate::EvaluateArgs),
    Vectorize(verb::vectorize::VectorizeArgs),
    Outline(verb::outline::OutlineArgs),
    Area(verb::area::AreaArgs),
    Assess(verb::assess::AssessArgs),
    #[cfg(feature = "cpu")]
    Export(verb::export::ExportArgs),
    Models(verb::models::ModelsArgs),
    Demo(verb::demo::DemoArgs),
    Completions(verb::completions::CompletionsArgs),
    Man(verb::man::ManArgs),
}

impl Command {
    /// Whether it looks at [`interrupt::flag`](crate::interrupt::flag) and ends by itself.
    pub(crate) fn stops_cleanly(&self) -> bool {
        use Command::{Classify, Compare, Demo, Outline, Predict, Train};
        matches!(self, Train(_) | Compare(_) | Predict(_) | Classify(_) | Outline(_) | Demo(_))
    }
}

/// Where the arithmetic runs.
#[derive(Debug, Clone, Args)]
pub(crate) struct Compute {
    /// cpu, cuda[:N], vulkan[:N], metal or rocm[:N]; those not compiled in are refused with the way to get them
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub(crate) device: String,
    /// Threads of the arithmetic on the cpu [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
}

/// How coarser bands, or bands on another grid, are brought to the scene's grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ResamplingArg {
    Nearest,
    Bilinear,
    Cubic,
    Average,
}

impl From<ResamplingArg> for swath_geo::Resampling {
    fn from(value: ResamplingArg) -> Self {
        match value {
            ResamplingArg::Nearest => Self::Nearest,
            ResamplingArg::Bilinear => Self::Bilinear,
            ResamplingArg::Cubic => Self::Cubic,
            ResamplingArg::Average => Self::Average,
        }
    }
}

/// A scene given as files on the command line.
#[derive(Debug, Clone, Args)]
pub(crate) struct SceneFiles {
    /// The scene's files: one multi-band file, or several files whose bands are joined in this order
    #[arg(required = true, value_name = "SCENE")]
    pub(crate) files: Vec<PathBuf>,
}

/// Reads a whole number that is not negative.
pub(crate) fn count<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "give a whole number, 0 or more".to_owned())
}

/// Refuses outputs that are also read: `--overwrite` is for what is there besides.
pub(crate) fn keep_inputs<'a>(
    outputs: impl IntoIterator<Item = &'a PathBuf>,
    inputs: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<()> {
    let whole = |path: &PathBuf| Path::canonicalize(path).ok();
    let read: Vec<PathBuf> = inputs.into_iter().filter_map(whole).collect();
    match outputs.into_iter().find(|path| whole(path).is_some_and(|path| read.contains(&path))) {
        Some(path) => bail!(Usage(format!("{} is read and would be replaced: give another name", path.display()))),
        None => Ok(()),
    }
}
