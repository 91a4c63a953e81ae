//! `swath compare`: several networks on the same data, each with the same budget.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use clap::Args;
use serde::Serialize;
use swath::bundle::Bundle;
use swath::metrics::Scores;
use swath::predict::{ChipBatch, Network as _};
use swath::pretrained::EncoderWeights;
use swath::recipe::{Model, Recipe, Start};
use swath::train::{Ended, Existing, RunFolder, Summary, check_phases};
use swath::whole_file::write_whole;
use swath_geo::GeoError;
use swath_nn::SegmenterConfig;
use swath_nn::decoder::DecoderConfig;

use super::models;
use super::train::train;
use crate::args::Compute;
use crate::console::{Console, Usage, duration};
use crate::device;

/// Train several networks on the same data and compare them
///
/// Each network takes the place of the recipe's own and is trained as the recipe says: the same chips in the same order, steps,
/// loss and schedule. The table tells IoU on the validation scenes (of the last weights, and of the best), accuracy of the best,
/// parameters, and the time of a step and of prediction. Networks, weights and run folders are all checked before the first is
/// trained. Every network has its run folder with its report; comparison.md stands beside them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath compare recipe.toml --presets unet-resnet18,linknet34,segformer-b0 --run runs/compared
  swath compare recipe.toml --models narrow.toml -s train.steps=500
  swath compare recipe.toml --models narrow.toml -s train.steps=500 --resume

A file of models has a table for each, as a recipe's [model]:
  [fcn.encoder.vgg]
  width = 16
  [fcn.decoder.fcn]
Its paths, such as an encoder's weights, are seen from the file's folder.")]
pub(crate) struct CompareArgs {
    /// The recipe (TOML); its own network is not trained
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// Named networks, separated by commas
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    presets: Vec<String>,
    /// File with networks (TOML)
    #[arg(long, value_name = "FILE")]
    models: Option<PathBuf>,
    /// Set a key of the recipe; may be given several times
    #[arg(long = "set", short = 's', value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder for the runs [default: runs/ and the recipe's name with -compared]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Continue a comparison that was stopped
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace existing runs
    #[arg(long)]
    overwrite: bool,
    /// Print the comparison as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    compute: Compute,
}

/// What became of one network.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    parameters: usize,
    steps: usize,
    /// Seconds of training.
    seconds: f64,
    /// IoU of the last validation: the positive class's in a two-class problem, otherwise the mean.
    last_iou: Option<f64>,
    /// The best of all validations.
    best_iou: Option<f64>,
    /// Accuracy with the best weights.
    accuracy: Option<f64>,
    /// Seconds that the prediction of a million pixels takes, without reading and writing; none for patch classifiers.
    seconds_per_megapixel: Option<f64>,
    /// Why there is nothing to tell.
    error: Option<String>,
}

pub(crate) fn run(args: &CompareArgs, console: &Console) -> Result<()> {
    let recipe = Recipe::load_to_compare(&args.recipe, &args.set)?;
    let recipes = recipes(args, &recipe)?;
    let device = device::open(&args.compute)?;
    let folder = args.run.clone().unwrap_or_else(|| {
        let name = args.recipe.file_stem().unwrap_or_default().to_string_lossy();
        Path::new("runs").join(format!("{name}-compared"))
    });
    let page = folder.join("comparison.md");
    if !(args.resume || args.overwrite)
        && let Some(path) =
            recipes.keys().map(|name| folder.join(name)).chain([page.clone()]).find(|path| path.exists())
    {
        bail!(GeoError::Exists { path });
    }
    let existing = if args.resume { Existing::Resume } else { Existing::Replace };
    // Runs and weights that cannot be used are found before the first network has been trained for hours.
    for (name, recipe) in &recipes {
        let model = &recipe.model;
        let run = RunFolder::new(&folder.join(name));
        run.check(recipe, existing)?;
        check_phases(recipe).map_err(|error| misfit(args, name, error))?;
        if let Some(path) = model.start.weights.as_ref().filter(|_| !(args.resume && run.last().exists())) {
            EncoderWeights::read(path, &model.encoder, false, &device)
                .with_context(|| format!("with network {name}"))?;
        }
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut rows: Vec<Row> = Vec::with_capacity(recipes.len());
    for (number, (name, recipe)) in recipes.iter().enumerate() {
        console.say(format_args!("network {} of {}: {name}", number + 1, recipes.len()));
        let run = folder.join(name);
        let row = match train(recipe, &run, device.clone(), existing, console) {
            Ok(Summary { ended: Ended::Interrupted, .. }) => {
                bail!("stopped at {name}; the same command with --resume goes on")
            }
            Ok(summary) => row(name, recipe, &summary, &run, &device)?,
            Err(error) => {
                console.warn(format_args!("{name}: {error}"));
                failed(name, recipe, &error)
            }
        };
        rows.push(row);
        // After each network, so that a comparison that is stopped leaves what it found.
        write_whole(&page, table(&rows).as_bytes())?;
    }
    let text = if args.json { serde_json::to_string_pretty(&rows)? } else { table(&rows) };
    console.result(text.trim_end())?;
    match rows.iter().filter(|row| row.error.is_some()).map(|row| row.name.as_str()).collect::<Vec<_>>() {
        failed if failed.is_empty() => Ok(()),
        failed => bail!("not trained: {}", failed.join(", ")),
    }
}

/// What is wrong with the recipe where a network takes the place of its own.
fn misfit(args: &CompareArgs, name: &str, error: swath::Error) -> anyhow::Error {
    let placed = Recipe::placed(error, &args.recipe, &args.set);
    anyhow::Error::new(placed).context(format!("with network {name}"))
}

/// The recipe with each network in place of its own, by name.
fn recipes(args: &CompareArgs, recipe: &Recipe) -> Result<BTreeMap<String, Recipe>> {
    let adapted = |(name, model): (String, Model)| -> Result<(String, Recipe)> {
        let adapted = recipe.with_model(model).map_err(|error| match error {
            // The network's own keys stand elsewhere than in the recipe.
            swath::Error::Recipe { problem, .. } if problem.starts_with("model.") => {
                anyhow::Error::new(Usage(format!("{name}: {problem}")))
            }
            error => misfit(args, &name, error),
        })?;
        Ok((name, adapted))
    };
    networks(args, recipe)?.into_iter().map(adapted).collect()
}

/// The networks by name, each known to be valid.
fn networks(args: &CompareArgs, recipe: &Recipe) -> Result<BTreeMap<String, Model>> {
    let classes = recipe.data.classes.len();
    let mut networks = BTreeMap::new();
    for name in &args.presets {
        let SegmenterConfig { encoder, decoder, head, .. } = (models::find(name)?.config)(1, classes);
        if networks
            .insert(name.clone(), Model { licence: None, encoder, start: Start::default(), decoder, head })
            .is_some()
        {
            bail!(Usage(format!("--presets names {name} twice; a network is compared with others")));
        }
    }
    if let Some(path) = &args.models {
        let wrong = |problem: &str| Usage(format!("{}: {problem}", path.display()));
        for (name, model) in Model::load_all(path)? {
            let safe = |c: char| c.is_alphanumeric() || "-_.+".contains(c);
            if !name.chars().all(safe) || name.starts_with('.') || name.is_empty() {
                bail!(wrong(&format!("'{name}' cannot be the name of a folder; use letters, digits, - and _")));
            }
            if networks.insert(name.clone(), model).is_some() {
                bail!(wrong(&format!("{name} is also among --presets; give it another name")));
            }
        }
    }
    for (name, model) in &networks {
        if matches!(model.decoder, DecoderConfig::Polycnn(_)) {
            bail!(Usage(format!("{name}: decoder polycnn draws outlines and makes no maps; train it by itself")));
        }
        // Bands do not decide whether the parts fit.
        model.segmenter(1, classes).validate().map_err(|problem| Usage(format!("{name}: {problem}")))?;
    }
    if networks.is_empty() {
        bail!(Usage("there is no network to train: name some with --presets or in a file with --models".into()));
    }
    Ok(networks)
}

fn row(name: &str, recipe: &Recipe, summary: &Summary, run: &Path, device: &Device) -> Result<Row> {
    let bundle = Bundle::load(&RunFolder::new(run).bundle())?;
    let accuracy = summary.best.as_ref().and_then(|best| Scores::new(&best.confusion).accuracy);
    Ok(Row {
        name: name.to_owned(),
        parameters: bundle.config().parameters()?,
        steps: summary.steps,
        seconds: summary.seconds,
        last_iou: summary.last_iou,
        best_iou: summary.best.as_ref().map(|best| best.iou),
        accuracy,
        seconds_per_megapixel: seconds_per_megapixel(&bundle, recipe, device)?,
        error: None,
    })
}

fn failed(name: &str, recipe: &Recipe, error: &anyhow::Error) -> Row {
    // Nothing is known of the bands when the data could not be read; most of a network does not depend on them.
    let parameters = recipe.model.segmenter(3, recipe.data.classes.len()).parameters().unwrap_or_default();
    Row {
        name: name.to_owned(),
        parameters,
        steps: 0,
        seconds: 0.0,
        last_iou: None,
        best_iou: None,
        accuracy: None,
        seconds_per_megapixel: None,
        error: Some(error.to_string()),
    }
}

/// The median of three chips as the recipe predicts them.
fn seconds_per_megapixel(bundle: &Bundle, recipe: &Recipe, device: &Device) -> Result<Option<f64>> {
    if recipe.patches(&recipe.predict).is_some() {
        return Ok(None);
    }
    let (bands, side) = (bundle.header.bands.len(), recipe.predict.chip);
    let chip = ChipBatch { len: 1, bands, height: side, width: side, data: vec![0.0; bands * side * side] };
    let mut network = bundle.network(device)?;
    network.logits(&chip)?;
    let mut seconds = Vec::with_capacity(3);
    for _ in 0..3 {
        let start = Instant::now();
        network.logits(&chip)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(Some(seconds[1] / ((side * side) as f64 / 1e6)))
}

/// The comparison as Markdown, the best last weights first.
fn table(rows: &[Row]) -> String {
    let mut order: Vec<&Row> = rows.iter().collect();
    order.sort_by(|a, b| b.last_iou.unwrap_or(-1.0).total_cmp(&a.last_iou.unwrap_or(-1.0)));
    let percent = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.1}", share * 100.0));
    let line = |row: &&Row| {
        let step = if row.steps == 0 { "-".to_owned() } else { format!("{:.0}", row.seconds / row.steps as f64 * 1e3) };
        let predict = row.seconds_per_megapixel.map_or("-".to_owned(), |seconds| format!("{seconds:.2}"));
        let training = if row.error.is_some() { "failed".to_owned() } else { duration(row.seconds) };
        [
            row.name.clone(),
            percent(row.last_iou),
            percent(row.best_iou),
            percent(row.accuracy),
            format!("{:.2} M", row.parameters as f64 / 1e6),
            step,
            training,
            predict,
        ]
    };
    let head = [
        "network",
        "IoU, last, %",
        "IoU, best, %",
        "accuracy, best, %",
        "parameters",
        "step, ms",
        "training",
        "prediction, s/Mpx",
    ]
    .map(str::to_owned);
    let mut text = aligned(&[vec![head], order.iter().map(line).collect()].concat());
    if rows.iter().any(|row| row.error.is_none() && row.seconds_per_megapixel.is_none()) {
        text += "\nPatch classifiers have no time of prediction here: theirs depends on the cells that a map is made of (predict.cell).\n";
    }
    text
}

/// A Markdown table whose columns line up: the first to the left, numbers to the right.
fn aligned(rows: &[[String; 8]]) -> String {
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(wide).collect();
    let cell = |(column, text): (usize, &String)| {
        let width = widths[column];
        if column == 0 { format!("{text:<width$}") } else { format!("{text:>width$}") }
    };
    let line =
        |row: &[String; 8]| format!("| {} |\n", row.iter().enumerate().map(cell).collect::<Vec<_>>().join(" | "));
    let rule = |(column, width): (usize, &usize)| match column {
        0 => "-".repeat(*width),
        _ => format!("{}:", "-".repeat(width - 1)),
    };
    let rule = format!("| {} |\n", widths.iter().enumerate().map(rule).collect::<Vec<_>>().join(" | "));
    rows.iter().enumerate().map(|(i, row)| if i == 0 { line(row) + &rule } else { line(row) }).collect()
}
