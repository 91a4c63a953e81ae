//! `swath vectorize`: polygons of a map.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Result;
use clap::{Args, ValueEnum};
use swath::vectorize::{
    Cleaning, LineOptions, RightAngleMethod, SimplifyMethod, VectorizeOptions, centerlines, vectorize,
};
use swath_geo::read_map_classes;

use crate::args::{count, keep_inputs};
use crate::console::Console;

/// Turn a map into polygons for a GIS
///
/// Neighbouring pixels of one class become one polygon with its class, name, area and perimeter. The format follows the
/// extension: .gpkg, .fgb, .geojson (WGS84), .parquet (GeoParquet 1.1) or .shp. All open coloured in QGIS: a GeoPackage holds its style, the
/// others have NAME.qml beside them. Areas and perimeters are those on the ellipsoid. Maps of swath predict also give their polygons source, model and date.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath vectorize map.tif -o map.gpkg
  swath vectorize map.tif -o map.geojson --min-area 500
  swath vectorize map.tif -o map.gpkg --simplify 10 --smooth 2
  swath vectorize map.tif -o roads.gpkg --centerlines road=30
  swath vectorize map.tif -o water.parquet --classes lake,river --clip district.gpkg --confidence confidence.tif")]
pub(crate) struct VectorizeArgs {
    /// The map: a raster of class ids
    #[arg(value_name = "MAP")]
    map: PathBuf,
    /// File to write
    #[arg(long, short, value_name = "OUT")]
    out: PathBuf,
    /// Classes that become polygons, by name or value; all without it
    #[arg(long, value_name = "CLASS,...", value_delimiter = ',')]
    classes: Vec<String>,
    /// Only what lies in the polygons of this file, in any CRS: pixels with their centre outside count as nodata, also for cleaning, so that areas and
    /// other attributes are those of the pixels inside
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Give polygons the mean and the 10th percentile of their pixels' confidence (conf_mean, conf_p10), from a raster on the map's grid as
    /// swath predict --confidence writes it
    #[arg(long, value_name = "FILE")]
    confidence: Option<PathBuf>,
    /// Write the centre lines of a class, such as roads, instead of polygons, with length_m and width_m: of its parts that are up to M metres wide, 40 pixels
    /// without M: --centerlines road=30. Of the other options --clip, --simplify (how far lines may move) and those of cleaning hold for lines; not so
    /// --classes, --confidence, --eight-connected, --merge, --min-area, --right-angles, --simplify-method and --smooth, which are refused
    #[arg(long, value_name = "CLASS[=M]", conflicts_with_all = ["classes", "confidence", "merge", "min_area", "smooth", "right_angles", "eight_connected", "simplify_method"])]
    centerlines: Vec<String>,
    /// Make one feature of all polygons of a class, with the number of polygons; attributes are those of all together
    #[arg(long)]
    merge: bool,
    /// Give every pixel the class that most pixels have in the square of 2N+1 around it; at the edge and beside nodata, of those that are there
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count::<usize>, help_heading = CLEANING)]
    majority: Option<usize>,
    /// Give a class what lies between its parts where they are nearer than 2N+1 pixels: --close building=2. What touches the edge
    /// of the map or nodata counts as going on there: between these and the class, gaps of up to N pixels are closed. Nodata stays
    #[arg(long, value_name = "CLASS=N", help_heading = CLEANING)]
    close: Vec<String>,
    /// Take from a class its parts that are narrower than 2N+1 pixels: --open road=1. What touches the edge of the map or nodata
    /// counts as going on there: along these, parts of up to N pixels go
    #[arg(long, value_name = "CLASS=N", help_heading = CLEANING)]
    open: Vec<String>,
    /// Give regions of fewer than N pixels that one other region encloses to that
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count::<u64>, help_heading = CLEANING)]
    fill_holes: Option<u64>,
    /// Give regions of fewer than N pixels to the neighbour with the longest common border
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = count::<u64>, help_heading = CLEANING)]
    sieve: Option<u64>,
    /// Leave out polygons smaller than this, in square metres
    #[arg(long, value_name = "M2", allow_negative_numbers = true)]
    min_area: Option<f64>,
    /// Move the outlines by about this many metres to use fewer vertices; neighbours stay neighbours
    #[arg(long, value_name = "M", default_value_t = 0.0, hide_default_value = true, allow_negative_numbers = true)]
    simplify: f64,
    /// Which vertices --simplify takes away: those of the smallest triangles, or those nearest to the line between the others
    #[arg(long, value_enum, value_name = "METHOD", default_value_t = Method::Visvalingam)]
    simplify_method: Method,
    /// Make the outlines round by cutting corners this many times
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, allow_negative_numbers = true, value_parser = count::<u32>)]
    smooth: u32,
    /// Give polygons of a class right angles, by moving their walls up to about M metres: --right-angles building=1. Those that touch get
    /// them together, and neighbours stay neighbours; `status` says what became of each
    #[arg(long, value_name = "CLASS=M")]
    right_angles: Vec<String>,
    /// How --right-angles finds them: by fitting walls, or by a triangle mesh (slower; walls where a group's box is larger than four million pixels)
    #[arg(long, value_enum, value_name = "METHOD", default_value_t = AngleMethod::Walls)]
    right_angles_method: AngleMethod,
    /// Pixels that touch at a corner only belong together
    #[arg(long)]
    eight_connected: bool,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
}

const CLEANING: &str = "Cleaning of the map before, in this order";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Method {
    Visvalingam,
    DouglasPeucker,
}

impl From<Method> for SimplifyMethod {
    fn from(method: Method) -> SimplifyMethod {
        match method {
            Method::Visvalingam => SimplifyMethod::Visvalingam,
            Method::DouglasPeucker => SimplifyMethod::DouglasPeucker,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AngleMethod {
    Walls,
    Mesh,
}

impl From<AngleMethod> for RightAngleMethod {
    fn from(method: AngleMethod) -> RightAngleMethod {
        match method {
            AngleMethod::Walls => RightAngleMethod::Walls,
            AngleMethod::Mesh => RightAngleMethod::Mesh,
        }
    }
}

pub(crate) fn run(args: &VectorizeArgs, console: &Console) -> Result<()> {
    keep_inputs([&args.out], [&args.map].into_iter().chain(&args.clip).chain(&args.confidence))?;
    if !args.centerlines.is_empty() {
        return lines(args, console);
    }
    let options = VectorizeOptions {
        min_area_m2: args.min_area,
        eight_connected: args.eight_connected,
        simplify_m: args.simplify,
        simplify_method: args.simplify_method.into(),
        smooth: args.smooth,
        overwrite: args.overwrite,
        clean: cleaning(args)?,
        right_angles: args
            .right_angles
            .iter()
            .map(|text| class_and_number(&args.map, "--right-angles", text))
            .collect::<Result<_>>()?,
        right_angle_method: args.right_angles_method.into(),
        classes: None,
        only: (!args.classes.is_empty())
            .then(|| {
                args.classes.iter().map(|text| class_value(&args.map, &format!("--classes {text}"), text)).collect()
            })
            .transpose()?,
        clip: args.clip.clone(),
        confidence: args.confidence.clone(),
        merge: args.merge,
    };
    let squared: Vec<u32> = options.right_angles.iter().map(|&(class, _)| class).collect();
    let summary = vectorize(&args.map, &args.out, &options)?;
    let options = [
        ("--close", &args.close),
        ("--open", &args.open),
        ("--right-angles", &args.right_angles),
        ("--classes", &args.classes),
    ];
    tell_absent(args, &options, &summary.absent, console);
    for (text, class) in args.right_angles.iter().zip(&squared) {
        let drawn = summary.polygons == 0 || summary.classes.iter().any(|drawn| drawn.value == *class);
        if !drawn && !summary.absent.contains(class) {
            console.warn(format_args!("--right-angles {text}: no polygon of this class is left to draw"));
        }
    }
    let merged = match (args.merge, summary.classes.len()) {
        (false, _) => String::new(),
        (true, 1) => " of one class".to_string(),
        (true, classes) => format!(" of {classes} classes"),
    };
    if summary.polygons == 0 {
        console.warn("nothing of the map is left to draw: its pixels have no class, or none that --classes, --clip and --min-area let through");
    }
    console.say(format_args!("{} polygons{merged} in {}", summary.polygons, args.out.display()));
    Ok(())
}

/// Centre lines instead of polygons.
fn lines(args: &VectorizeArgs, console: &Console) -> Result<()> {
    let class = |text: &String| {
        if text.contains('=') {
            let (class, widest) = class_and_number(&args.map, "--centerlines", text)?;
            return Ok((class, Some(widest)));
        }
        Ok((class_value(&args.map, &format!("--centerlines {text}"), text)?, None))
    };
    let options = LineOptions {
        classes: args.centerlines.iter().map(class).collect::<Result<_>>()?,
        simplify_m: args.simplify,
        clip: args.clip.clone(),
        clean: cleaning(args)?,
        overwrite: args.overwrite,
    };
    let summary = centerlines(&args.map, &args.out, &options)?;
    let options = [("--close", &args.close), ("--open", &args.open), ("--centerlines", &args.centerlines)];
    tell_absent(args, &options, &summary.absent, console);
    if summary.lines == 0 {
        console.warn("no line was drawn: the map has no pixel of these classes, or only single ones and parts that are wider than the number given");
    }
    console.say(format_args!("{} lines in {}", summary.lines, args.out.display()));
    Ok(())
}

/// Warns of options that name a class which no pixel has.
fn tell_absent(args: &VectorizeArgs, options: &[(&str, &Vec<String>)], absent: &[u32], console: &Console) {
    let clipped = if args.clip.is_some() { " within --clip" } else { "" };
    for (flag, text) in options.iter().flat_map(|(flag, texts)| texts.iter().map(move |text| (flag, text))) {
        let name = text.rsplit_once('=').map_or(text.as_str(), |(class, _)| class);
        if class_value(&args.map, flag, name).is_ok_and(|class| absent.contains(&class)) {
            console.warn(format_args!("{flag} {text}: the map has no pixel of this class{clipped}"));
        }
    }
}

/// The steps of cleaning, in the order in which they make sense: noise, gaps, thin parts, and then what is too small.
fn cleaning(args: &VectorizeArgs) -> Result<Vec<Cleaning>> {
    let mut steps: Vec<Cleaning> = args.majority.map(|radius| Cleaning::Majority { radius }).into_iter().collect();
    for text in &args.close {
        let (label, radius) = class_and_number(&args.map, "--close", text)?;
        steps.push(Cleaning::Close { label, radius });
    }
    for text in &args.open {
        let (label, radius) = class_and_number(&args.map, "--open", text)?;
        steps.push(Cleaning::Open { label, radius });
    }
    steps.extend(args.fill_holes.map(|pixels| Cleaning::FillHoles { pixels }));
    steps.extend(args.sieve.map(|pixels| Cleaning::Sieve { pixels }));
    Ok(steps)
}

/// `building=2` or `1=2`: a class by name or value, and pixels or metres.
fn class_and_number<T: FromStr>(map: &Path, flag: &str, text: &str) -> Result<(u32, T)> {
    let usage = |problem: String| swath_geo::GeoError::Argument(format!("{flag} {text}: {problem}"));
    let parts = text.rsplit_once('=').and_then(|(class, number)| Some((class, number.parse().ok()?)));
    let (class, number) = parts.ok_or_else(|| usage("give a class and a number, as in building=2".into()))?;
    Ok((class_value(map, &format!("{flag} {text}"), class)?, number))
}

/// `building` or `1`: a class by name or value, as `usage` asks for it.
fn class_value(map: &Path, usage: &str, class: &str) -> Result<u32> {
    if let Ok(value) = class.parse() {
        return Ok(value);
    }
    let classes = read_map_classes(map)?;
    if let Some(entry) = classes.iter().find(|entry| entry.name == class) {
        return Ok(entry.value);
    }
    let names: Vec<&str> = classes.iter().take(20).map(|entry| entry.name.as_str()).collect();
    let problem = format!("{usage}: the map has no class {class:?}; it has {}", names.join(", "));
    Err(swath_geo::GeoError::Argument(problem).into())
}
