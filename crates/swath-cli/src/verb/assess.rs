//! `swath assess`: how far a map can be trusted, and how large its classes really are.

mod design;
mod estimate;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::console::Console;

/// Draw a sample to interpret, and turn it into accuracies and areas with confidence intervals
///
/// Counting the pixels of a map counts its errors too. `swath assess design` draws points from the map by chance, somebody looks
/// at every point and writes down what is there, and `swath assess estimate` says how accurate the map is and how large its classes
/// really are, with intervals that can be published.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath assess design map.tif -o sample.gpkg
  # fill in the column `reference`, in QGIS for example
  swath assess estimate sample.gpkg --reference-field reference")]
pub(crate) struct AssessArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Design(design::DesignArgs),
    Estimate(estimate::EstimateArgs),
}

pub(crate) fn run(args: &AssessArgs, console: &Console) -> Result<()> {
    match &args.action {
        Action::Design(args) => design::run(args, console),
        Action::Estimate(args) => estimate::run(args, console),
    }
}
