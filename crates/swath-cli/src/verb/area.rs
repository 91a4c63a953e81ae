//! `swath area`: square kilometres by class, zone and period.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use swath::area::{self, AreaSpec, MapDate, Period, ZoneSource, check_table_name, write_table};
use swath::whole_file::write_whole;
use swath_geo::GeoError;

use crate::console::{Console, Usage};

/// Measure the area of a map's classes, by zone and over time
///
/// Areas are those of the pixels on the ellipsoid, whatever the projection. A pixel lies in a zone if its centre does; zones may
/// overlap, and each gets all of its pixels. These are areas as mapped, errors of the map included: areas with confidence
/// intervals come from `swath assess`.
///
/// With --period, the maps are a stack on one grid, such as maps of burned area. In each period a pixel of a class counts once,
/// however many maps show it; `repeat_km2` is the part that had the class in an earlier period already; the period `(total)` counts
/// every pixel once. `observed_share` is the part of the zone in which some map has a class at all.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath area map.tif
  swath area map.tif --zones districts.gpkg --zone-field name -o areas.csv
  swath area burned_2019*.tif --class burned --period month --zones parks.gpkg --zone-field park -o burned.parquet --chart burned.svg")]
pub(crate) struct AreaArgs {
    /// Maps: rasters of class ids
    #[arg(required = true, value_name = "MAP")]
    maps: Vec<PathBuf>,
    /// Polygons to measure in, in any coordinate system
    #[arg(long, value_name = "VECTOR", requires = "zone_field")]
    zones: Option<PathBuf>,
    /// Attribute that names the zones; polygons with the same value are one zone
    #[arg(long, value_name = "FIELD", requires = "zones")]
    zone_field: Option<String>,
    /// Layer of the zones [default: the only layer]
    #[arg(long, value_name = "NAME", requires = "zones")]
    zone_layer: Option<String>,
    /// Use only zones for which this holds, in OGR SQL, such as "level = 2"
    #[arg(long, value_name = "CONDITION", requires = "zones")]
    zone_where: Option<String>,
    /// Report only this class, by name or value; may be given several times [default: all that occur]
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// Take the maps as a stack over time and gather them by day, month, year, or all together
    #[arg(long, value_enum, value_name = "PERIOD")]
    period: Option<PeriodArg>,
    /// Dates of the maps, in their order, such as 2019-07-14, 2019-07 or 2019 [default: found in their names]
    #[arg(long = "date", value_name = "DATE", num_args = 1.., value_parser = parse_date, requires = "period")]
    dates: Vec<MapDate>,
    /// Value of pixels that have no class, where the maps do not call it nodata
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    ignore: Option<i64>,
    /// Table to write: .csv or .parquet
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Chart to write: .svg
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// Print JSON on stdout (-) or write it to a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Replace existing files
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PeriodArg {
    Day,
    Month,
    Year,
    All,
}

/// Rows that are printed although they are in a file already.
const PRINTED: usize = 100;

pub(crate) fn run(args: &AreaArgs, console: &Console) -> Result<()> {
    args.out.as_deref().map_or(Ok(()), check_table_name)?;
    if let Some(chart) =
        args.chart.as_deref().filter(|path| path.extension().is_none_or(|extension| extension != "svg"))
    {
        bail!(Usage(format!("{}: charts are SVG files; name it .svg", chart.display())));
    }
    let json = args.json.as_ref().filter(|path| !is_stdout(path));
    for file in [&args.out, &args.chart].into_iter().flatten().chain(json) {
        if file.exists() && !args.overwrite {
            bail!(GeoError::Exists { path: file.clone() });
        }
    }
    let zones = args.zones.clone().zip(args.zone_field.clone()).map(|(path, field)| ZoneSource {
        path,
        field,
        layer: args.zone_layer.clone(),
        filter: args.zone_where.clone(),
    });
    let table = area::areas(&AreaSpec {
        maps: args.maps.clone(),
        ignore: args.ignore,
        zones,
        classes: args.classes.clone(),
        period: args.period.map(|period| match period {
            PeriodArg::Day => Period::Day,
            PeriodArg::Month => Period::Month,
            PeriodArg::Year => Period::Year,
            PeriodArg::All => Period::All,
        }),
        dates: args.dates.clone(),
    })?;
    table.notes.iter().for_each(|note| console.warn(note));
    if table.rows.is_empty() {
        console.warn("no pixel has a class: the table is empty");
    }
    if let Some(out) = &args.out {
        write_table(&table, out)?;
    }
    if let Some(chart) = &args.chart {
        write_whole(chart, area::chart(&table).as_bytes())?;
    }
    match &args.json {
        Some(path) if is_stdout(path) => return Ok(console.result(serde_json::to_string_pretty(&table)?)?),
        Some(path) => write_whole(path, serde_json::to_string_pretty(&table)?.as_bytes())?,
        None => {}
    }
    match &args.out {
        Some(out) if table.rows.len() > PRINTED => {
            console.say(format_args!("{} rows in {}", table.rows.len(), out.display()));
        }
        _ => console.result(area::table(&table).trim_end())?,
    }
    Ok(())
}

fn parse_date(text: &str) -> Result<MapDate, String> {
    MapDate::parse(text)
        .ok_or_else(|| "there is no such date; write one such as 2019-07-14, 2019-07 or 2019".to_owned())
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}
