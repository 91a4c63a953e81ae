//! `swath evaluate`: how good a map is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use swath::dataset::is_vector;
use swath::evaluate::{self, EvaluateSpec, MapAndLabels, ObjectSpec};
use swath::report;
use swath::whole_file::write_whole;
use swath_geo::{GeoError, PolygonSource, Window};

use crate::console::{Console, Usage};

/// Compare a map with reference labels
///
/// Counts pixels only where both the map and the labels are valid. Several maps and labels, given in pairs, are reported
/// one by one and pooled.
///
/// A map of polygons is compared with polygons, object by object: F1, average precision, C-IoU, PoLiS distance and the share of true
/// vertices that have one of the map's near. docs/objects.md says what each means and how to read it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath evaluate --map map.tif --labels labels.tif
  swath evaluate --map map.tif --labels buildings.gpkg --class-field type --boundary 2 --report evaluation
  swath evaluate --map map.gpkg --map-where \"class = 'building'\" --labels buildings.gpkg --score-field conf_mean")]
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
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    boundary: Option<f64>,
    /// Count only this window of the map: COLUMN,ROW,WIDTH,HEIGHT
    #[arg(long, value_name = "WINDOW", value_parser = parse_window)]
    window: Option<Window>,
    /// Compare only the map's polygons for which this holds, in OGR SQL
    #[arg(long, value_name = "CONDITION", help_heading = "Polygons")]
    map_where: Option<String>,
    /// Compare only the true polygons for which this holds, in OGR SQL
    #[arg(long, value_name = "CONDITION", help_heading = "Polygons")]
    labels_where: Option<String>,
    /// Attribute by which average precision ranks the map's polygons
    #[arg(long, value_name = "FIELD", help_heading = "Polygons")]
    score_field: Option<String>,
    /// An object is found if a polygon overlaps it at least this much [default: 0.5]
    #[arg(long, value_name = "IOU", allow_negative_numbers = true, help_heading = "Polygons")]
    iou: Option<f64>,
    /// Distances for the share of vertices near a true one, in metres [default: 0.5,1,2,4,8]
    #[arg(long, value_name = "M,M", value_delimiter = ',', help_heading = "Polygons")]
    vertex_distances: Vec<f64>,
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
    let polygons = args.map.iter().any(|map| is_vector(map));
    if polygons {
        return run_objects(args, console);
    }
    let only_polygons = [
        ("--map-where", args.map_where.is_some()),
        ("--labels-where", args.labels_where.is_some()),
        ("--score-field", args.score_field.is_some()),
        ("--iou", args.iou.is_some()),
        ("--vertex-distances", !args.vertex_distances.is_empty()),
    ];
    refuse(
        &only_polygons,
        "compares polygons, but the map is a raster; make polygons of it with swath vectorize first",
    )?;
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

/// Polygons against polygons.
fn run_objects(args: &EvaluateArgs, console: &Console) -> Result<()> {
    let only_pixels = [
        ("--boundary", args.boundary.is_some()),
        ("--window", args.window.is_some()),
        ("--report", args.report.is_some()),
        ("--class-field", args.class_field.is_some()),
    ];
    refuse(
        &only_pixels,
        "compares pixels, but the map holds polygons; use --map-where and --labels-where for a part of them",
    )?;
    let ([map], [labels]) = (&args.map[..], &args.labels[..]) else {
        bail!(Usage("polygons are compared one layer with one; give one --map and one --labels".into()));
    };
    if !is_vector(labels) {
        bail!(Usage(format!(
            "{} holds polygons and {} does not; give true polygons, or a raster map for these labels",
            map.display(),
            labels.display()
        )));
    }
    if let Some(file) = args.json.as_ref().filter(|path| !is_stdout(path) && path.exists() && !args.overwrite) {
        bail!(GeoError::Exists { path: file.clone() });
    }
    let distances =
        if args.vertex_distances.is_empty() { vec![0.5, 1.0, 2.0, 4.0, 8.0] } else { args.vertex_distances.clone() };
    let evaluation = evaluate::evaluate_objects(&ObjectSpec {
        map: map.clone(),
        map_source: PolygonSource {
            filter: args.map_where.clone(),
            number: args.score_field.clone(),
            ..PolygonSource::default()
        },
        labels: labels.clone(),
        labels_source: PolygonSource { filter: args.labels_where.clone(), ..PolygonSource::default() },
        iou: args.iou.unwrap_or(0.5),
        distances,
    })?;
    let json = || serde_json::to_string_pretty(&evaluation);
    match &args.json {
        Some(path) if is_stdout(path) => return Ok(console.result(json()?)?),
        Some(path) => write_whole(path, json()?.as_bytes())?,
        None => {}
    }
    console.result(evaluate::object_table(&evaluation).trim_end())?;
    Ok(())
}

/// Fails for the first option that was given although it says nothing here.
fn refuse(options: &[(&str, bool)], why: &str) -> Result<()> {
    match options.iter().find(|(_, given)| *given) {
        Some((option, _)) => bail!(Usage(format!("{option} {why}"))),
        None => Ok(()),
    }
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
