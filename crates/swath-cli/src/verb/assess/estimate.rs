//! `swath assess estimate`: accuracies and areas from an interpreted sample.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use swath::assess::{self, AssessSpec, assess};
use swath::whole_file::write_whole;
use swath_geo::GeoError;

use crate::console::Console;

/// Estimate a map's accuracy and the areas of its classes from an interpreted sample
///
/// Overall, user's and producer's accuracy and area by class, with confidence intervals, after Olofsson et al. (2014), or after
/// Stehman (2014) where strata are not the map's classes. The reference holds names or values of classes; points without one are
/// left out. A sample of `swath assess design` says all that is needed. Any other table, CSV too, needs a column with the
/// stratum (or the map's class, if classes are the strata) and one with the share of the map that the stratum is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath assess estimate sample.gpkg --reference-field reference
  swath assess estimate sample.gpkg --reference-field reference --map newer.tif --json
  swath assess estimate plots.csv --reference-field seen --map-field shown --weight-field share --total-area 9000 --csv areas.csv")]
pub(crate) struct EstimateArgs {
    /// The interpreted sample: points, or a table
    #[arg(value_name = "SAMPLE")]
    sample: PathBuf,
    /// Column with what is really there
    #[arg(long, value_name = "FIELD")]
    reference_field: String,
    /// Take the map's class at each point from this map: another one than the sample was drawn from, or one that it does not store
    #[arg(long, value_name = "MAP", conflicts_with = "map_field")]
    map: Option<PathBuf>,
    /// Column with the stratum [default: stratum, or the map's class where there is no such column]
    #[arg(long, value_name = "FIELD")]
    stratum_field: Option<String>,
    /// Column with the map's class [default: map_class]
    #[arg(long, value_name = "FIELD")]
    map_field: Option<String>,
    /// Column with the share of the map that the stratum is [default: the sizes that a design stores, weight, or those of --map]
    #[arg(long, value_name = "FIELD")]
    weight_field: Option<String>,
    /// Layer of the sample [default: its only layer]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// The whole area in square kilometres [default: as the sample or the map has it]
    #[arg(long, value_name = "KM2", allow_negative_numbers = true)]
    total_area: Option<f64>,
    /// Confidence of the intervals
    #[arg(long, default_value_t = 0.95, value_name = "SHARE", allow_negative_numbers = true)]
    confidence: f64,
    /// Value of the map's pixels that have no class, where the map does not call it nodata
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, requires = "map")]
    ignore: Option<i64>,
    /// Print JSON on stdout (-) or write it to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Write the estimates as a CSV table
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    overwrite: bool,
}

pub(super) fn run(args: &EstimateArgs, console: &Console) -> Result<()> {
    for file in args.csv.iter().chain(args.json.iter().filter(|path| !is_stdout(path))) {
        if file.exists() && !args.overwrite {
            bail!(GeoError::Exists { path: file.clone() });
        }
    }
    let assessment = assess(&AssessSpec {
        layer: args.layer.clone(),
        map: args.map.clone(),
        ignore: args.ignore,
        stratum_field: args.stratum_field.clone(),
        map_field: args.map_field.clone(),
        weight_field: args.weight_field.clone(),
        total_area_m2: args.total_area.map(|km2| km2 * 1e6),
        confidence: args.confidence,
        ..AssessSpec::new(&args.sample, &args.reference_field)
    })?;
    let strangers = assessment.classes.iter().filter(|class| class.mapped_units == 0 && class.reference_units > 0);
    let strangers: Vec<&str> = strangers.map(|class| class.name.as_str()).collect();
    if !strangers.is_empty() {
        console.warn(format_args!(
            "the map shows these classes at no point; are they spelled as it spells them? {}",
            strangers.join(", ")
        ));
    }
    if let Some(path) = &args.csv {
        write_whole(path, assess::csv(&assessment).as_bytes())?;
    }
    match &args.json {
        Some(path) if is_stdout(path) => return Ok(console.result(serde_json::to_string_pretty(&assessment)?)?),
        Some(path) => write_whole(path, serde_json::to_string_pretty(&assessment)?.as_bytes())?,
        None => {}
    }
    console.result(assess::table(&assessment).trim_end())?;
    Ok(())
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}
