//! `swath classify`: what whole images show.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;
use swath::bundle::Bundle;
use swath::csv::field;
use swath::predict::{WholeScene, whole_scene};
use swath::whole_file::write_whole;
use swath_geo::{GeoError, Scene};

use crate::args::Compute;
use crate::console::{Console, Usage};
use crate::{device, interrupt};

/// Say what whole images show
///
/// Each file is an image of its own and gets the class with the highest mean score over its pixels. Made for networks that classify
/// scenes; with any other the scores are the share of each class in the image. Prints a line for each file: its class, the score of
/// that class and the path. Images without data get no class, and those that cannot be read are told after the others.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath classify runs/eurosat/bundle.safetensors images/*.jpg
  swath classify bundle.safetensors images/*.tif -o classes.csv --quiet")]
pub(crate) struct ClassifyArgs {
    /// The trained network
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// The images
    #[arg(value_name = "IMAGE", required = true)]
    images: Vec<PathBuf>,
    /// Also write a table (.csv) with the scores of all classes
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Average over the eight flips and quarter turns; eight times the work
    #[arg(long)]
    tta: bool,
    /// Print classes and scores as JSON
    #[arg(long)]
    json: bool,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    compute: Compute,
}

pub(crate) fn run(args: &ClassifyArgs, console: &Console) -> Result<()> {
    if let Some(out) = &args.out {
        if out.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("csv")) {
            bail!(Usage(format!("--out {}: the table is CSV; give a name that ends in .csv", out.display())));
        }
        if out.exists() && !args.overwrite {
            bail!(GeoError::Exists { path: out.clone() });
        }
    }
    let bundle = Bundle::load(&args.bundle)?;
    let device = device::open(&args.compute)?;
    let model = bundle.model(&args.bundle, &args.compute.device)?;
    let mut predict = bundle.header.recipe.predict.clone();
    predict.tta |= args.tta;
    let options = bundle.options(&predict);
    let mut network = bundle.network(&device).with_context(|| format!("bundle {}", model.name))?.for_one_size();
    let progress = console.progress("classify", args.images.len() as u64);
    let (mut found, mut failed) = (Vec::with_capacity(args.images.len()), Vec::new());
    for (done, path) in args.images.iter().enumerate() {
        progress.at(done as u64, "");
        let scene = Scene::open_paths(&[path]).map_err(swath::Error::from);
        let whole = scene.and_then(|scene| whole_scene(&model, &mut network, &scene, &options, interrupt::flag()));
        let whole = match whole {
            Err(swath::Error::Cancelled) => bail!("stopped; nothing is written"),
            // The others are classified all the same.
            Err(error) => {
                failed.push(of_file(path, &error));
                continue;
            }
            Ok(whole) => whole,
        };
        for warning in &whole.warnings {
            console.warn(format_args!("{}: {warning}", path.display()));
        }
        found.push((path.as_path(), whole));
    }
    drop(progress);
    if let (true, Some(first)) = (found.is_empty(), failed.first()) {
        bail!(match failed.len() {
            1 => first.clone(),
            count => format!("{first} (and {} other images)", count - 1),
        });
    }
    let names: Vec<&str> = bundle.header.classes.iter().map(|class| class.name.as_str()).collect();
    if let Some(out) = &args.out {
        write_whole(out, table(&names, &found).as_bytes())?;
    }
    let text = if args.json { as_json(&names, &found)? } else { lines(&names, &found) };
    console.result(text)?;
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{} of {} images have no class: {}", failed.len(), args.images.len(), failed.join("; "));
}

/// What is wrong with a file, which the error names or not.
fn of_file(path: &Path, error: &swath::Error) -> String {
    let (path, error) = (path.display().to_string(), error.to_string());
    if error.contains(&path) { error } else { format!("{path}: {error}") }
}

/// One line an image.
fn lines(names: &[&str], found: &[(&Path, WholeScene)]) -> String {
    let wide = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(NO_CLASS.len());
    let line = |(path, whole): &(&Path, WholeScene)| match whole.class() {
        Some((class, score)) => format!("{:<wide$}  {score:.3}  {}", names[class], path.display()),
        None => format!("{NO_CLASS:<wide$}      -  {}", path.display()),
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// In place of a class where an image holds no data.
const NO_CLASS: &str = "-";

fn as_json(names: &[&str], found: &[(&Path, WholeScene)]) -> Result<String> {
    let image = |(path, whole): &(&Path, WholeScene)| {
        let scores: serde_json::Map<String, serde_json::Value> =
            names.iter().zip(&whole.scores).map(|(name, score)| ((*name).to_owned(), json!(score))).collect();
        let class = whole.class();
        json!({
            "file": path,
            "class": class.map(|(class, _)| names[class]),
            "score": class.map(|(_, score)| score),
            "scores": scores,
        })
    };
    Ok(serde_json::to_string_pretty(&found.iter().map(image).collect::<Vec<_>>())?)
}

/// A CSV table (RFC 4180) with the scores of all classes.
fn table(names: &[&str], found: &[(&Path, WholeScene)]) -> String {
    let mut rows = vec![["file", "class", "score"].iter().chain(names).map(|name| field(name)).collect::<Vec<_>>()];
    for (path, whole) in found {
        let (class, score) = match whole.class() {
            Some((class, score)) => (field(names[class]), format!("{score:.6}")),
            None => (String::new(), String::new()),
        };
        let scores =
            (0..names.len()).map(|class| whole.scores.get(class).map_or(String::new(), |score| format!("{score:.6}")));
        rows.push([field(&path.to_string_lossy()), class, score].into_iter().chain(scores).collect());
    }
    rows.iter().map(|row| row.join(",") + "\r\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_lines_name_the_best_class_and_keep_odd_names() {
        let whole = |scores: &[f64]| WholeScene { scores: scores.to_vec(), warnings: Vec::new() };
        let found = [(Path::new("a,b.tif"), whole(&[0.25, 0.75])), (Path::new("empty.tif"), whole(&[]))];
        let names = ["land", "sea \"deep\""];
        assert_eq!(
            table(&names, &found),
            "file,class,score,land,\"sea \"\"deep\"\"\"\r\n\"a,b.tif\",\"sea \"\"deep\"\"\",0.750000,0.250000,0.750000\r\nempty.tif,,,,\r\n"
        );
        assert_eq!(lines(&names, &found), "sea \"deep\"  0.750  a,b.tif\n-               -  empty.tif");
    }
}
