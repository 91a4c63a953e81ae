//! `swath evaluate`: how good a map is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use swath::evaluate::{self, EvaluateSpec, MapAndLabels};
use swath::report;
use swath::whole_file::write_whole;
use swath_geo::{GeoError, Window};

use crate::console::{Console, Usage};

/// Compare a map with reference labels
///
/// Counts pixels only where both the map and the labels are valid. Several maps and labels, given in pairs, are reported
/// one by one and pooled.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath evaluate --map map.tif --labels labels.tif
  swath evaluate --map map.tif --labels buildings.gpkg --class-field type --boundary 2 --report evaluation")]
pub(crate) struct EvaluateArgs {
    /// Predicted map
    #[arg(long, required = true, num_args = 1.., value_name = "MAP")]
    map: Vec<PathBuf>,
    /// Reference labels: raster or vector
    #[arg(long, required = true, num_args = 1.., value_name = "LABELS")]
    labels: Vec<PathBuf>,
    /// Attribute of a vector that names the class
    #[arg(long, value_name = "FIELD")]
    class_field: Option<String>,
    /// Value of unlabelled pixels in label rasters
    #[arg(long, default_value_t = 255, value_name = "VALUE")]
    ignore: u32,
    /// Also report the boundary F1: outlines match within this many metres (pixels, where the map has no coordinates)
    #[arg(long, value_name = "M")]
    boundary: Option<f64>,
    /// Count only this window of the map: COLUMN,ROW,WIDTH,HEIGHT
    #[arg(long, value_name = "WINDOW", value_parser = parse_window)]
    window: Option<Window>,
    /// Print JSON on stdout (-) or write it to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Write report.html and the error map into this folder
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &EvaluateArgs, console: &Console) -> Result<()> {
    if args.map.len() != args.labels.len() {
        bail!(Usage(format!(
            "{} maps and {} labels were given; give one label file for each map, in the same order",
            args.map.len(),
            args.labels.len()
        )));
    }
    let report = args.report.as_ref().map(|folder| folder.join("report.html"));
    for file in report.iter().chain(args.json.iter().filter(|path| !is_stdout(path))) {
        if file.exists() && !args.overwrite {
            bail!(GeoError::Exists { path: file.clone() });
        }
    }
    let spec = spec(args)?;
    let made = match &args.report {
        Some(folder) if !folder.exists() => {
            fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
            Some(folder)
        }
        _ => None,
    };
    let evaluated = evaluate::evaluate(&spec).inspect_err(|_| {
        // Best effort: the error that is about to be told matters more than a folder that stays.
        if let Some(folder) = made {
            let _ = fs::remove_dir(folder);
        }
    })?;

    if let (Some(folder), Some(file)) = (&args.report, &report) {
        write_whole(
            file,
            report::render_evaluation(&evaluated.evaluation, &evaluated.previews, &subtitle()).as_bytes(),
        )?;
        console.say(format_args!("report and error maps are in {}", folder.display()));
    }
    let json = || serde_json::to_string_pretty(&evaluated.evaluation);
    match &args.json {
        Some(path) if is_stdout(path) => return Ok(console.result(json()?)?),
        Some(path) => write_whole(path, json()?.as_bytes())?,
        None => {}
    }
    console.result(evaluate::table(&evaluated.evaluation))?;
    Ok(())
}

fn subtitle() -> String {
    format!("Swath {}", env!("CARGO_PKG_VERSION"))
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn spec(args: &EvaluateArgs) -> Result<EvaluateSpec> {
    let mut spec = EvaluateSpec::of_map(&args.map[0], &args.labels[0])?.with_class_field(args.class_field.clone());
    let error_map = |number: usize| args.report.as_ref().map(|folder| folder.join(error_map_name(&args.map, number)));
    let pairs = args.map.iter().zip(&args.labels).enumerate();
    spec.pairs = pairs
        .map(|(number, (map, labels))| MapAndLabels {
            map: map.clone(),
            labels: labels.clone(),
            error_map: error_map(number),
        })
        .collect();
    spec.ignore = vec![args.ignore.into()];
    spec.overwrite = args.overwrite;
    spec.boundary = match args.boundary {
        Some(distance) => Some(evaluate::boundary_distance(&args.map, distance)?),
        None => None,
    };
    spec.window = args.window;
    Ok(spec)
}

fn parse_window(text: &str) -> Result<Window, String> {
    let numbers: Vec<usize> = text.split(',').filter_map(|number| number.trim().parse().ok()).collect();
    match numbers[..] {
        [col, row, width, height] if width > 0 && height > 0 && text.split(',').count() == 4 => {
            Ok(Window::new(col as isize, row as isize, width, height))
        }
        _ => Err("write COLUMN,ROW,WIDTH,HEIGHT in pixels, such as 0,0,512,512".to_string()),
    }
}

/// `errors.tif` for one map, `errors-1.tif`, `errors-2.tif` and so on for several.
fn error_map_name(maps: &[PathBuf], number: usize) -> String {
    if maps.len() == 1 { "errors.tif".to_string() } else { format!("errors-{}.tif", number + 1) }
}

#[cfg(test)]
mod tests {
    use super::parse_window;
    use swath_geo::Window;

    #[test]
    fn windows_are_four_numbers() {
        assert_eq!(parse_window("1, 2,3,4"), Ok(Window::new(1, 2, 3, 4)));
        for wrong in ["", "1,2,3", "1,2,3,4,5", "1,2,0,4", "a,b,c,d"] {
            assert!(parse_window(wrong).is_err(), "{wrong}");
        }
    }
}
