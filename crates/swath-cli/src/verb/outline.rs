//! `swath outline`: a network draws objects again, with four corners each.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use swath::bundle::Bundle;
use swath::outline::{OutlineOptions, outline};
use swath_geo::{PolygonSource, Scene};

use crate::args::{Compute, SceneFiles, keep_inputs};
use crate::console::Console;
use crate::{device, interrupt};

/// Draw objects again with four corners each
///
/// For networks with decoder polycnn. The network looks at the scene around each polygon and says where the four corners of the object are; formats and
/// attributes of the file are those of swath vectorize. `status` says what became of each polygon: those that are longer than 0.8 of a
/// patch, lie where the scene has no data, or whose four corners cross, stay as they are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath vectorize map.tif -o buildings.gpkg --classes building --sieve 30
  swath outline runs/polycnn/bundle.safetensors scene.tif --objects buildings.gpkg -o outlines.gpkg")]
pub(crate) struct OutlineArgs {
    /// The trained network
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    scene: SceneFiles,
    /// Polygons around the objects, in any CRS
    #[arg(long, value_name = "FILE")]
    objects: PathBuf,
    /// Their layer [default: the only one]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Only polygons for which this SQL condition holds: --filter "area_m2 < 400"
    #[arg(long, value_name = "WHERE")]
    filter: Option<String>,
    /// File to write: .gpkg, .fgb, .geojson, .parquet or .shp
    #[arg(long, short, value_name = "OUT")]
    out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    compute: Compute,
}

pub(crate) fn run(args: &OutlineArgs, console: &Console) -> Result<()> {
    keep_inputs([&args.out], args.scene.files.iter().chain([&args.bundle, &args.objects]))?;
    let bundle = Bundle::load(&args.bundle)?;
    let scene = Scene::open_paths(&args.scene.files)?;
    let device = device::open(&args.compute)?;
    let options = OutlineOptions {
        objects: args.objects.clone(),
        source: PolygonSource { layer: args.layer.clone(), filter: args.filter.clone(), ..PolygonSource::default() },
        model: args.bundle.file_name().unwrap_or(args.bundle.as_os_str()).to_string_lossy().into_owned(),
        overwrite: args.overwrite,
    };
    let mut bar = None;
    let mut progress = |done, all| bar.get_or_insert_with(|| console.progress("outline", all)).at(done, "");
    let outcome = outline(&bundle, &scene, &args.out, &options, &device, &mut progress, interrupt::flag());
    drop(bar);
    let summary = match outcome {
        Err(swath::Error::Cancelled) => bail!("stopped; nothing was written"),
        outcome => outcome?,
    };
    for warning in &summary.warnings {
        console.warn(warning);
    }
    console.say(format_args!("{} polygons with four corners in {}", summary.drawn, args.out.display()));
    for (status, count) in &summary.kept {
        console.say(format_args!("{count} {status}"));
    }
    Ok(())
}
