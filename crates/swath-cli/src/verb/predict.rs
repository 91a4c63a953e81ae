//! `swath predict`: a bundle and a scene make a map.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use swath::bundle::Bundle;
use swath::predict::{
    self, Blend, ConfidenceOutput, Model, Options, Outputs, Patches, ScoreFormat, ScoresOutput, Summary,
};
use swath_geo::{Compression, Scene};
use swath_nn::Precision;

use crate::args::{Compute, SceneFiles, keep_inputs};
use crate::console::{Console, Usage};
use crate::{device, interrupt};

/// Predict the classes of a scene
///
/// The scene may be of any size: memory depends on the chip, the overlap and the scene's width. The map is a COG with
/// colours and class names; pixels without data stay without class. A prediction that was stopped or killed goes on with
/// --resume and gives the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath predict runs/first/bundle.safetensors scene.tif -o map.tif
  swath predict bundle.safetensors scene.vrt -o map.tif --confidence confidence.tif --tta
  swath predict bundle.safetensors scene.vrt -o map.tif --scores scores.tif --score-classes water,forest")]
pub(crate) struct PredictArgs {
    /// The trained network
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    #[command(flatten)]
    scene: SceneFiles,
    /// Map to write (.tif)
    #[arg(long, short, value_name = "OUT")]
    out: PathBuf,
    /// Also write the scores (class probabilities), one band a class
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
    /// Number format of the scores: u8 (0 to 254 for 0 to 1) or f32
    #[arg(long, value_enum, default_value = "u8")]
    score_type: ScoreType,
    /// Classes whose scores are written, by name [default: all]
    #[arg(long, value_name = "CLASS", value_delimiter = ',', requires = "scores")]
    score_classes: Vec<String>,
    /// Also write the confidence, the calibrated probability of the chosen class
    #[arg(long, value_name = "FILE")]
    confidence: Option<PathBuf>,
    /// Compression of the files
    #[arg(long, value_enum, default_value = "deflate")]
    compress: CompressArg,
    /// Side of a chip in pixels, at most: smaller where as many chips cover the scene [default: the recipe's]
    #[arg(long, value_name = "N")]
    chip: Option<usize>,
    /// Pixels that neighbouring chips share [default: the recipe's]
    #[arg(long, value_name = "N")]
    overlap: Option<usize>,
    /// How overlapping chips are joined [default: the recipe's]
    #[arg(long, value_enum)]
    blend: Option<BlendArg>,
    /// For a classifier of patches, the side in pixels of the squares that get a class each [default: the recipe's]
    #[arg(long, value_name = "N", conflicts_with_all = ["overlap", "blend"])]
    cell: Option<usize>,
    /// Chips that go through the network together; does not change the map [default: the recipe's]
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// What convolutions multiply on the cpu: bf16 and, with AMX, bf16x2 are faster on processors that have them, and a little less exact
    #[arg(long, value_enum, default_value = "fp32")]
    precision: PrecisionArg,
    /// Average over the eight flips and quarter turns; eight times the work
    #[arg(long)]
    tta: bool,
    /// Continue a prediction that was stopped
    #[arg(long, conflicts_with = "overwrite")]
    resume: bool,
    /// Replace existing files
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ScoreType {
    U8,
    F32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompressArg {
    /// Every reader understands it
    Deflate,
    /// Faster and smaller; needs a GDAL with zstd to read
    Zstd,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BlendArg {
    None,
    Linear,
    Cosine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PrecisionArg {
    /// float32
    Fp32,
    /// Two bfloat16 for each float: 16 bits of mantissa of 24
    Bf16x2,
    /// bfloat16: 8 bits of mantissa
    Bf16,
}

/// The precision that was asked for, or fp32 where the processor would not be faster with it.
fn precision(wanted: PrecisionArg, console: &Console) -> Precision {
    let wanted = match wanted {
        PrecisionArg::Fp32 => Precision::Fp32,
        PrecisionArg::Bf16x2 => Precision::Bf16x2,
        PrecisionArg::Bf16 => Precision::Bf16,
    };
    if processor_has(wanted) {
        return wanted;
    }
    console
        .warn(format!("this processor has no instructions for {wanted}, with which it would be no faster; using fp32"));
    Precision::Fp32
}

#[cfg(feature = "cpu")]
fn processor_has(precision: Precision) -> bool {
    swath_nn::cpu::Executor::has(precision)
}

/// Without the device cpu it is the other device that refuses.
#[cfg(not(feature = "cpu"))]
fn processor_has(_: Precision) -> bool {
    true
}

pub(crate) fn run(args: &PredictArgs, console: &Console) -> Result<()> {
    let written = [Some(&args.out), args.scores.as_ref(), args.confidence.as_ref()].into_iter().flatten();
    keep_inputs(written, args.scene.files.iter().chain([&args.bundle]))?;
    let bundle = Bundle::load(&args.bundle)?;
    let scene = Scene::open_paths(&args.scene.files)?;
    let options = options(args, &bundle)?;
    let outputs = outputs(args, &bundle)?;
    let device = device::open(&args.compute)?;
    let precision = precision(args.precision, console);
    let model = Model { precision, ..bundle.model(&args.bundle, &args.compute.device)? };
    let summary = predict(bundle, &model, &scene, &outputs, &options, &device, console)?;
    console.detail(format_args!(
        "{} rows of chips, {} of them from an earlier run; {:.0} MB beside the network",
        summary.chip_rows,
        summary.resumed,
        summary.memory.total() as f64 / 1e6,
    ));
    console.result(args.out.display())?;
    Ok(())
}

/// Predicts with progress on the console; shared with the demo. The bundle goes as soon as the network has its weights.
pub(crate) fn predict(
    bundle: Bundle,
    model: &Model,
    scene: &Scene,
    outputs: &Outputs,
    options: &Options,
    device: &Device,
    console: &Console,
) -> Result<Summary> {
    let network = bundle.network(device).and_then(|network| network.with_precision(model.precision));
    let mut network = network.with_context(|| format!("bundle {}", model.name))?.for_one_size();
    drop(bundle);
    let grid = scene.grid();
    let pixels = (grid.width * grid.height) as u64;
    let progress = console.progress("predict", pixels);
    let started = Instant::now();
    let mut first = None;
    let mut observe = |at: predict::Progress| {
        let before = *first.get_or_insert(at.done);
        let rate = (at.done - before) as f64 / 1e6 / started.elapsed().as_secs_f64().max(1e-9);
        progress.at(at.done, &format!("{rate:.2} Mpx/s"));
    };
    let outcome = predict::run(model, &mut network, scene, outputs, options, &mut observe, interrupt::flag());
    drop(progress);
    let summary = match outcome {
        Err(swath::Error::Cancelled) => bail!("stopped; the same command with --resume goes on"),
        outcome => outcome?,
    };
    for warning in &summary.warnings {
        console.warn(warning);
    }
    for operation in network.fallbacks() {
        console.say(format_args!("{operation} has no form of its own on the cpu; Burn's stood in, which is slower"));
    }
    Ok(summary)
}

/// The recipe's options with those of the command line.
fn options(args: &PredictArgs, bundle: &Bundle) -> Result<Options> {
    let mut recipe = bundle.header.recipe.predict.clone();
    recipe.chip = args.chip.unwrap_or(recipe.chip);
    recipe.overlap = args.overlap.unwrap_or(recipe.overlap);
    recipe.batch = args.batch.unwrap_or(recipe.batch);
    recipe.cell = args.cell.or(recipe.cell);
    recipe.tta |= args.tta;
    recipe.blend = match args.blend {
        None => recipe.blend,
        Some(BlendArg::None) => Blend::None,
        Some(BlendArg::Linear) => Blend::Linear,
        Some(BlendArg::Cosine) => Blend::Cosine,
    };
    if recipe.chip == 0 || recipe.batch == 0 || recipe.overlap > recipe.chip / 2 {
        bail!(Usage(format!(
            "--chip {} --overlap {} --batch {}: chip and batch must be at least 1 and the overlap at most half a chip",
            recipe.chip, recipe.overlap, recipe.batch
        )));
    }
    let options = bundle.options(&recipe);
    match (recipe.cell, options.patches) {
        (Some(_), None) => bail!(Usage("--cell is for classifiers of patches; this network labels each pixel".into())),
        (_, Some(Patches { patch, cell })) if cell == 0 || cell > patch => {
            bail!(Usage(format!("--cell {cell}: this network sees patches of {patch} pixels; give 1 to {patch}")));
        }
        _ => Ok(options),
    }
}

fn outputs(args: &PredictArgs, bundle: &Bundle) -> Result<Outputs> {
    let format = match args.score_type {
        ScoreType::U8 => ScoreFormat::Byte,
        ScoreType::F32 => ScoreFormat::Float,
    };
    let names: Vec<&str> = bundle.header.classes.iter().map(|class| class.name.as_str()).collect();
    let class = |name: &String| match names.iter().position(|known| known == name) {
        Some(class) => Ok(class),
        None => bail!(Usage(format!("--score-classes: no class is named '{name}'; there are {}", names.join(", ")))),
    };
    let classes = args.score_classes.iter().map(class).collect::<Result<Vec<_>>>()?;
    Ok(Outputs {
        scores: args.scores.clone().map(|path| ScoresOutput { path, classes, format }),
        confidence: args.confidence.clone().map(|path| ConfidenceOutput { path, format: ScoreFormat::Byte }),
        compression: match args.compress {
            CompressArg::Deflate => Compression::Deflate,
            CompressArg::Zstd => Compression::Zstd,
            CompressArg::None => Compression::None,
        },
        overwrite: args.overwrite,
        resume: args.resume,
        keep_partial: true,
        ..Outputs::map(&args.out)
    })
}
