//! `swath rasterize`: polygons into labels on a scene's grid.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use swath_geo::{BurnOrder, BurnRule, ClassEntry, RasterizeSpec, Scene};

use crate::args::keep_inputs;
use crate::console::{Console, Usage};

/// Burn polygons, lines or points into labels on the grid of a scene
///
/// A class is named by attribute values (--class-field with --class), by a layer (--class-layer) or, where the field holds
/// whole numbers, by the number itself. Pixels that no feature covers get the background value, which is `ignore` unless
/// you say otherwise: what nobody mapped is unlabelled.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath rasterize landuse.gpkg --like scene.tif --class-field fclass -o labels.tif
  swath rasterize landuse.gpkg --like scene.tif --class-field fclass \\
      --class forest=forest,wood --class 'water#1e88e5=water,lake' -o labels.tif
  swath rasterize buildings.geojson --like scene.tif --class other --class building='*' --background 0 -o labels.tif
  swath rasterize city.gpkg --like scene.tif --class-layer road=streets --class-layer building=houses -o labels.tif")]
pub(crate) struct RasterizeArgs {
    /// Vector file, in any format that GDAL reads
    #[arg(value_name = "VECTOR")]
    vector: PathBuf,
    /// Scene whose grid the labels take; several files as for `swath info`
    #[arg(long, required = true, num_args = 1.., value_name = "SCENE")]
    like: Vec<PathBuf>,
    /// Labels to write (.tif)
    #[arg(long, short, value_name = "LABELS")]
    out: PathBuf,
    /// Attribute that names the class
    #[arg(long, value_name = "FIELD")]
    class_field: Option<String>,
    /// A class, in the order of its id: NAME, NAME=VALUE,VALUE or NAME#rrggbb=VALUE,VALUE; '*' as value takes every
    /// feature. Without any, each distinct value of the field is a class, in alphabetical order
    #[arg(long = "class", value_name = "CLASS")]
    classes: Vec<String>,
    /// A class that is a whole layer, in the order of its id: NAME=LAYER or NAME#rrggbb=LAYER
    #[arg(long = "class-layer", value_name = "CLASS", conflicts_with_all = ["classes", "class_field", "layer"])]
    class_layers: Vec<String>,
    /// Layer of the vector file [default: its only layer]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Use only features for which this holds, in OGR SQL, such as "area > 100"
    #[arg(long = "where", value_name = "CONDITION")]
    filter: Option<String>,
    /// Label every pixel that a feature touches, not only those whose centre it covers
    #[arg(long)]
    all_touched: bool,
    /// Which feature wins where several overlap: the last in this order
    #[arg(long, value_enum, default_value = "file")]
    order: Order,
    /// Value of pixels that no feature covers [default: the ignore value]
    #[arg(long, value_name = "VALUE")]
    background: Option<u32>,
    /// Value of unlabelled pixels
    #[arg(long, default_value_t = 255, value_name = "VALUE")]
    ignore: u32,
    /// Polygons outside which everything is unlabelled
    #[arg(long, value_name = "VECTOR")]
    aoi: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// As in the file
    File,
    /// By class id
    Class,
    /// Large features first, so that small ones stay visible
    Area,
}

/// The value that takes every feature.
const EVERY: &str = "*";

pub(crate) fn run(args: &RasterizeArgs, console: &Console) -> Result<()> {
    keep_inputs([&args.out], args.like.iter().chain([&args.vector]).chain(&args.aoi))?;
    let scene = Scene::open_paths(&args.like)?;
    let by_layer = !args.class_layers.is_empty();
    let classes = if by_layer { layer_classes(args)? } else { classes(args)? };
    let entries: Vec<ClassEntry> = classes.iter().map(|(entry, _)| entry.clone()).collect();
    if let Some(entry) = entries.iter().find(|entry| entry.value == args.ignore) {
        bail!(Usage(format!(
            "class '{}' has the id {}, which is the ignore value; choose another --ignore",
            entry.name, entry.value
        )));
    }
    let spec = RasterizeSpec {
        layer: args.layer.clone(),
        field: args.class_field.clone(),
        rules: if by_layer { layer_rules(&classes) } else { rules(&classes) },
        all_touched: args.all_touched,
        background: args.background.unwrap_or(args.ignore),
        ignore: args.ignore,
        aoi: args.aoi.clone(),
        filter: args.filter.clone(),
        order: match args.order {
            Order::File => BurnOrder::File,
            Order::Class => BurnOrder::ByClass,
            Order::Area => BurnOrder::ByArea,
        },
        ..RasterizeSpec::new(&args.vector)
    };
    let summary = swath_geo::rasterize(&spec, scene.grid(), &args.out, &entries, args.overwrite)?;
    for (value, pixels) in &summary.pixels {
        let name = match entries.iter().find(|entry| entry.value == *value) {
            Some(entry) => entry.name.as_str(),
            None if *value == args.ignore => "(unlabelled)",
            None => "",
        };
        console.result(format_args!("{value:>5}  {pixels:>12} px  {name}"))?;
    }
    console.say(format_args!(
        "{} features burned, {} outside the grid, {} without a class: {}",
        summary.burned,
        summary.outside,
        summary.skipped,
        args.out.display()
    ));
    Ok(())
}

/// Every class with the attribute values that name it.
fn classes(args: &RasterizeArgs) -> Result<Vec<(ClassEntry, Vec<String>)>> {
    let ids = 0u32..;
    if !args.classes.is_empty() {
        let parsed = ids.zip(&args.classes).map(|(id, text)| parse_class(id, text));
        let mut parsed = parsed.collect::<Result<Vec<_>>>()?;
        let needs_field = parsed.iter().find(|(_, values)| values.iter().any(|value| value != EVERY));
        if let (None, Some((entry, _))) = (&args.class_field, needs_field) {
            bail!(Usage(format!(
                "--class {} names attribute values; say with --class-field in which field",
                entry.name
            )));
        }
        if args.class_field.is_some() {
            // A class without values is named by its own name.
            parsed
                .iter_mut()
                .filter(|(_, values)| values.is_empty())
                .for_each(|(entry, values)| values.push(entry.name.clone()));
        }
        return Ok(parsed);
    }
    let Some(field) = &args.class_field else {
        bail!(Usage("say what makes a class: --class-field FIELD, or --class NAME='*' for all features alike".into()));
    };
    let values = swath_geo::field_values(&args.vector, args.layer.as_deref(), field, args.filter.as_deref())?;
    // Whole numbers are ids already: no rules, and names that repeat the number.
    if !values.is_empty() && values.iter().all(|(value, _)| value.parse::<u16>().is_ok()) {
        let ids = values.iter().filter_map(|(value, _)| value.parse().ok());
        return Ok(ids.map(|id: u32| (entry(id, &id.to_string(), None), Vec::new())).collect());
    }
    Ok(ids.zip(values).map(|(id, (value, _))| (entry(id, &value, None), vec![value])).collect())
}

/// Every class with the layers that make it.
fn layer_classes(args: &RasterizeArgs) -> Result<Vec<(ClassEntry, Vec<String>)>> {
    let parsed = (0u32..).zip(&args.class_layers).map(|(id, text)| match parse_class(id, text)? {
        (entry, layers) if layers.is_empty() => {
            bail!(Usage(format!("--class-layer {text} names no layer; write {}=LAYER", entry.name)))
        }
        class => Ok(class),
    });
    parsed.collect()
}

/// One rule for each layer of each class.
fn layer_rules(classes: &[(ClassEntry, Vec<String>)]) -> Vec<BurnRule> {
    let rules = classes.iter().flat_map(|(entry, layers)| {
        layers.iter().map(|layer| BurnRule { class: entry.value, values: Vec::new(), layer: Some(layer.clone()) })
    });
    rules.collect()
}

/// One rule for each class that attribute values name; a class without any is only declared.
fn rules(classes: &[(ClassEntry, Vec<String>)]) -> Vec<BurnRule> {
    let named = classes.iter().filter(|(_, values)| !values.is_empty());
    let rule = |(entry, values): &(ClassEntry, Vec<String>)| BurnRule {
        class: entry.value,
        values: values.iter().filter(|value| *value != EVERY).cloned().collect(),
        layer: None,
    };
    named.map(rule).collect()
}

/// Reads `NAME`, `NAME=VALUE,VALUE` and `NAME#rrggbb=VALUE,VALUE`.
fn parse_class(id: u32, text: &str) -> Result<(ClassEntry, Vec<String>)> {
    let (head, values) = match text.split_once('=') {
        Some((head, values)) => (head, values.split(',').map(|value| value.trim().to_string()).collect()),
        None => (text, Vec::new()),
    };
    let (name, color) = match head.split_once('#') {
        Some((name, hex)) => match u32::from_str_radix(hex, 16) {
            Ok(rgb) if hex.len() == 6 => (name, Some([(rgb >> 16) as u8, (rgb >> 8) as u8, rgb as u8])),
            _ => bail!(Usage(format!("'#{hex}' in --class {text} is not a colour; write six digits such as #1e88e5"))),
        },
        None => (head, None),
    };
    if name.trim().is_empty() {
        bail!(Usage(format!("--class {text} has no name; write NAME=VALUE,VALUE")));
    }
    Ok((entry(id, name.trim(), color), values))
}

fn entry(value: u32, name: &str, color: Option<[u8; 3]>) -> ClassEntry {
    let color = color.unwrap_or_else(|| swath::classes::default_color(value as usize));
    ClassEntry { value, name: name.to_string(), color }
}

#[cfg(test)]
mod tests {
    use super::parse_class;

    #[test]
    fn classes_are_read_with_colours_and_values() {
        let (entry, values) = parse_class(2, "water#1e88e5=lake, river").unwrap();
        assert_eq!((entry.value, entry.name.as_str(), entry.color), (2, "water", [0x1e, 0x88, 0xe5]));
        assert_eq!(values, ["lake", "river"]);
        let (entry, values) = parse_class(0, "other").unwrap();
        assert_eq!((entry.name.as_str(), values.len()), ("other", 0));
        assert!(parse_class(0, "a#12=x").unwrap_err().to_string().contains("six digits"));
        assert!(parse_class(0, "#123456=x").unwrap_err().to_string().contains("no name"));
    }
}
