//! `swath assess design`: a stratified random sample of a map.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use swath::assess::{DesignSpec, SampleSize, design, design_table};

use crate::console::Console;

/// Draw a stratified random sample of a map's pixels for interpretation
///
/// The classes of the map are the strata, and every pixel of a class has the same chance. The points lie at the centres of pixels, in
/// the map's coordinates and in random order: who stops halfway still has a random sample. They carry the stratum, the map's
/// class, the share of the map that the stratum is, and an empty column `reference`. Interpreters should not see the map's class.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath assess design map.tif -o sample.gpkg
  swath assess design map.tif --standard-error 0.01 --expect 0.9 --expect burned=0.7 --floor 75 -o sample.gpkg
  swath assess design map.tif --total 500 --seed 7 -o sample.gpkg --json")]
pub(crate) struct DesignArgs {
    /// The map: a raster of class ids
    #[arg(value_name = "MAP")]
    map: PathBuf,
    /// Points to write: .gpkg, .fgb, .geojson, .parquet or .shp. `swath assess estimate` reads .parquet only with a GDAL that does
    #[arg(long, short, value_name = "OUT")]
    out: PathBuf,
    /// As many points as give the overall accuracy this standard error, if the map is as good as expected
    #[arg(long, default_value_t = 0.01, value_name = "SE", allow_negative_numbers = true, conflicts_with = "total")]
    standard_error: f64,
    /// This many points in all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=10_000_000))]
    total: Option<u64>,
    /// Points in every class at least, or all its pixels; the rest is shared in proportion to the pixels
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u64).range(2..=1_000_000))]
    floor: u64,
    /// Share of its pixels that the map is expected to have right, of one class (CLASS=SHARE) or of all others (SHARE) [default: 0.85]
    #[arg(long, value_name = "[CLASS=]SHARE", value_parser = parse_expected)]
    expect: Vec<Expected>,
    /// Which of all possible samples
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// Value of the map's pixels that have no class, where the map does not call it nodata
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    ignore: Option<i64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
}

/// `CLASS=SHARE` or `SHARE`.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    class: Option<String>,
    share: f64,
}

/// What maps are expected to have right if nobody says.
const EXPECTED: f64 = 0.85;

pub(super) fn run(args: &DesignArgs, console: &Console) -> Result<()> {
    let of_all = args.expect.iter().rev().find(|expected| expected.class.is_none());
    let named = args.expect.iter().filter_map(|expected| Some((expected.class.clone()?, expected.share)));
    let summary = design(&DesignSpec {
        map: args.map.clone(),
        ignore: args.ignore,
        out: args.out.clone(),
        size: args.total.map_or(SampleSize::StandardError(args.standard_error), SampleSize::Total),
        floor: args.floor,
        expected_default: of_all.map_or(EXPECTED, |expected| expected.share),
        expected: named.collect(),
        seed: args.seed,
        overwrite: args.overwrite,
    })?;
    if summary.classes.iter().all(|class| class.points == class.pixels) {
        console.warn("every pixel of the map is in the sample, which leaves nothing to estimate; give a smaller --total or a larger --standard-error");
    }
    if args.json {
        return Ok(console.result(serde_json::to_string_pretty(&summary)?)?);
    }
    console.result(design_table(&summary).trim_end())?;
    console.say(format_args!("{} points in {}", summary.points, args.out.display()));
    Ok(())
}

fn parse_expected(text: &str) -> Result<Expected, String> {
    let (class, share) = match text.rsplit_once('=') {
        Some((class, share)) => (Some(class.trim().to_owned()), share),
        None => (None, text),
    };
    let share = share.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share));
    let share = share.ok_or("write a share between 0 and 1, such as 0.9, or CLASS=SHARE, such as water=0.9")?;
    Ok(Expected { class, share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_are_of_one_class_or_of_all() {
        let of = |class: Option<&str>, share| Ok(Expected { class: class.map(str::to_owned), share });
        assert_eq!(parse_expected("0.9"), of(None, 0.9));
        assert_eq!(parse_expected("a=b = 1"), of(Some("a=b"), 1.0));
        for wrong in ["", "90", "water", "water=", "water=-0.1", "nan"] {
            assert!(parse_expected(wrong).is_err(), "{wrong}");
        }
    }
}
