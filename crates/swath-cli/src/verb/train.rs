//! `swath train`: a recipe makes a bundle.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use burn::tensor::Device;
use clap::Args;
use swath::recipe::Recipe;
use swath::train::{Ended, Event, Existing, RunFolder, Summary, TrainOptions};

use crate::args::Compute;
use crate::console::{Console, Progress, duration};
use crate::{device, interrupt};

/// Train a network as a recipe says
///
/// The run folder gets the resolved recipe, the best bundle, everything that a resume needs, metrics.jsonl, log.txt and
/// report.html. Ctrl-C stops after the current step; --resume goes on as if the run had never stopped.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath train recipe.toml
  swath train recipe.toml --run runs/wide -s model.encoder.plain.width=64 -s train.steps=5000
  swath train recipe.toml --run runs/wide --resume")]
pub(crate) struct TrainArgs {
    /// The recipe (TOML)
    #[arg(value_name = "RECIPE")]
    recipe: PathBuf,
    /// Set a key of the recipe; may be given several times
    #[arg(long = "set", short = 's', value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder of the run [default: runs/ and the recipe's name]
    #[arg(long, value_name = "DIR")]
    run: Option<PathBuf>,
    /// Continue the run in this folder
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace an existing run
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    compute: Compute,
}

pub(crate) fn run(args: &TrainArgs, console: &Console) -> Result<()> {
    let recipe = Recipe::load(&args.recipe, &args.set)?;
    for words in Recipe::replaced(&args.recipe, &args.set) {
        console.say(format_args!("note: by -s, {words}"));
    }
    let device = device::open(&args.compute)?;
    let run = args.run.clone().unwrap_or_else(|| default_run(&args.recipe));
    let existing = match (args.resume, args.overwrite) {
        (true, _) => Existing::Resume,
        (_, true) => Existing::Replace,
        _ => Existing::Refuse,
    };
    let summary = train(&recipe, &run, device, existing, console).map_err(|error| match error.downcast() {
        Ok(error) => Recipe::placed(error, &args.recipe, &args.set).into(),
        Err(other) => other,
    })?;
    let best = match &summary.best {
        Some(best) => format!(", best IoU {:.1} % at step {}", best.iou * 100.0, best.step),
        None => String::new(),
    };
    let time = duration(summary.seconds);
    match summary.ended {
        Ended::Completed => console.say(format_args!("{} steps in {time}{best}", summary.steps)),
        Ended::Early => console.say(format_args!(
            "stopped after {} steps in {time}, since validations stopped getting better{best}",
            summary.steps
        )),
        Ended::Interrupted => {
            bail!(
                "stopped after {} steps; go on with: swath train {} --run {} --resume",
                summary.steps,
                args.recipe.display(),
                run.display()
            );
        }
    }
    console.result(RunFolder::new(&run).bundle().display())?;
    Ok(())
}

/// Trains with progress on the console; shared with the demo.
pub(crate) fn train(
    recipe: &Recipe,
    run: &Path,
    device: Device,
    existing: Existing,
    console: &Console,
) -> Result<Summary> {
    let options = TrainOptions { folder: RunFolder::new(run), existing, device, cancel: interrupt::flag() };
    let mut progress: Option<Progress> = None;
    let mut note = String::new();
    let mut observe = |event: Event<'_>| match event {
        Event::Message(message) => match &progress {
            Some(progress) => progress.say(message),
            None => console.say(message),
        },
        Event::Step { step, steps, loss, images_per_s, iou } => {
            let iou = iou.map_or(String::new(), |iou| format!("  IoU {:.1} %", iou * 100.0));
            note = format!("loss {loss:.4}{iou}  {images_per_s:.1} images/s");
            progress.get_or_insert_with(|| console.progress("train", steps as u64)).at(step as u64, &note);
        }
        Event::Validating(share) => {
            if let Some(progress) = &progress {
                progress.note(&format!("{note}  validating {:.0} %", share * 100.0));
            }
        }
    };
    Ok(swath::train::train(recipe, &options, &mut observe)?)
}

/// `runs/NAME` for `NAME.toml`.
fn default_run(recipe: &Path) -> PathBuf {
    Path::new("runs").join(recipe.file_stem().unwrap_or(recipe.as_os_str()))
}
