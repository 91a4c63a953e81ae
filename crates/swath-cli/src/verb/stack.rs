//! `swath stack`: separate bands into one scene.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use swath_geo::{GridChoice, Scene, SceneSpec, StackOptions};

use crate::args::{ResamplingArg, keep_inputs};
use crate::console::Console;

/// Join bands of several files into one scene
///
/// The output is a VRT, which refers to the band files, or a COG (.tif), which holds them. Coarser bands are resampled
/// to the common grid.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath stack scene.vrt IMG_DATA/*_B02.jp2 IMG_DATA/*_B03.jp2 IMG_DATA/*_B04.jp2 IMG_DATA/*_B08.jp2
  swath stack scene.tif IMG_DATA/*.jp2 --align finest
  swath stack sharp.vrt multispectral.tif --pansharpen panchromatic.tif")]
pub(crate) struct StackArgs {
    /// File to write: .vrt or .tif
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Files with the bands, in the order wanted
    #[arg(required = true, value_name = "BAND")]
    bands: Vec<PathBuf>,
    /// Pixel size of the scene, in the units of its coordinate system
    #[arg(long, value_name = "M")]
    res: Option<f64>,
    /// Which file gives the grid
    #[arg(long, value_enum, default_value = "finest")]
    align: Align,
    /// Sharpen the bands with this panchromatic file, whose grid the scene takes
    #[arg(long, value_name = "PAN")]
    pansharpen: Option<PathBuf>,
    /// How coarser bands are resampled
    #[arg(long, value_enum, default_value = "bilinear")]
    resampling: ResamplingArg,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Align {
    /// The first file
    First,
    /// The file with the smallest pixels
    Finest,
}

pub(crate) fn run(args: &StackArgs, console: &Console) -> Result<()> {
    keep_inputs([&args.out], args.bands.iter().chain(&args.pansharpen))?;
    let spec = SceneSpec::from_paths(&args.bands);
    let options = StackOptions {
        res: args.res,
        align: match args.align {
            Align::First => GridChoice::First,
            Align::Finest => GridChoice::Finest,
        },
        pansharpen: args.pansharpen.clone(),
        resampling: args.resampling.into(),
        overwrite: args.overwrite,
        ..StackOptions::default()
    };
    swath_geo::stack(&args.out, &spec, &options)?;
    let bands = Scene::open_paths(&[&args.out])?.bands().len();
    console.say(format_args!("{} holds {bands} bands", args.out.display()));
    Ok(())
}
