//! From a scene on disk to finished files.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};
use swath_geo::{ClassEntry, Scene};
use swath_nn::Precision;

use super::engine::{Progress, predict_rows, predict_units};
use super::file_sink::FileSink;
use super::fit::fit_scene;
use super::network::{ChipSource, Network};
use super::outputs::Outputs;
use super::patches::Patches;
use super::plan::{Memory, Options, Plan};
use super::scene_source::SceneSource;
use super::sink::RowSink;
use crate::error::{Error, Result};

/// What a prediction knows about a network besides its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// What outputs say they were made with: the name of the bundle.
    pub name: String,
    /// A number that changes with the weights and everything else in the bundle, so that no run resumes the work of
    /// another network.
    pub digest: String,
    /// The device that computes; its bits are not those of another.
    pub device: String,
    /// What convolutions multiply.
    pub precision: Precision,
    /// The bands that the network takes.
    pub bands: Vec<String>,
    /// Mean of each band, for normalization.
    pub mean: Vec<f32>,
    /// Standard deviation of each band, for normalization.
    pub std: Vec<f32>,
    /// Ground sample distance of the training data in metres.
    pub gsd: Option<f64>,
    /// The classes; their values are their positions.
    pub classes: Vec<ClassEntry>,
}

/// What a prediction did.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// What a user should know before trusting the map.
    pub warnings: Vec<String>,
    /// Chip rows of the scene.
    pub chip_rows: usize,
    /// Those that an earlier run had done.
    pub resumed: usize,
    /// What the engine kept in memory.
    pub memory: Memory,
}

/// Predicts a scene into files, which appear together when all are complete.
///
/// Until then they grow in scratch folders beside them (`.NAME.swath-partial/`). A killed run leaves these; with
/// `outputs.resume` the next one goes on and makes the same bytes. A run that was stopped by `cancel` leaves them when
/// `outputs.keep_partial` is set; one that fails otherwise leaves them only when it was itself resumed, or when nothing but
/// putting the files together is missing.
///
/// # Errors
/// When the scene does not fit the network, the options cannot work, an output is there already, an interrupted run did
/// other work, a file cannot be read or written, the network's answer is not finite; [`Error::Cancelled`] when stopped.
pub fn run(
    model: &Model,
    network: &mut dyn Network,
    scene: &Scene,
    outputs: &Outputs,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<Summary> {
    let fit = fit_scene(scene, &model.bands, model.gsd)?;
    let (grid, plan) = (fit.scene.grid(), plan(&fit.scene, options)?);
    let sources = sources(&fit.scene, model, plan.options())?;
    let files = outputs.files(&model.classes, &metadata(model, scene, plan.options()))?;
    let contents: Vec<String> = files.iter().map(|file| format!("{:?}", file.content)).collect();
    let work = work(model, &fit.scene, options, &contents);
    let (mut sink, done) = FileSink::open(outputs, &files, grid, &work)?;
    let summary = Summary {
        warnings: fit.warnings,
        chip_rows: plan.chip_rows(),
        resumed: done.len(),
        memory: plan.memory(model.bands.len(), model.classes.len()),
    };
    match predict_units(&plan, &plan.units(&done), sources, network, &mut sink, progress, cancel) {
        Ok(()) => sink.finish().map(|()| summary),
        Err(error) => {
            let keep = if matches!(error, Error::Cancelled) { outputs.keep_partial } else { !done.is_empty() };
            if keep {
                sink.keep()
            } else {
                sink.discard()
            }
            Err(error)
        }
    }
}

/// Predicts a scene and hands out whole rows from top to bottom, without files. Otherwise as [`run`]; returns the
/// warnings.
pub fn run_rows(
    model: &Model,
    network: &mut dyn Network,
    scene: &Scene,
    sink: &mut dyn RowSink,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &AtomicBool,
) -> Result<Vec<String>> {
    let fit = fit_scene(scene, &model.bands, model.gsd)?;
    let plan = plan(&fit.scene, options)?;
    let sources = sources(&fit.scene, model, plan.options())?;
    predict_rows(&plan, sources, network, sink, progress, cancel)?;
    Ok(fit.warnings)
}

fn plan(scene: &Scene, options: &Options) -> Result<Plan> {
    Plan::new(scene.grid().width, scene.grid().height, options)
}

pub(super) fn sources(scene: &Scene, model: &Model, options: &Options) -> Result<Vec<Box<dyn ChipSource>>> {
    // Chips go through the scene row by row, and each reader has blocks of its own.
    if let Some(bytes) = scene.block_bytes(options.chip) {
        swath_geo::limit_cache(options.readers * bytes);
    }
    let source = || Ok(Box::new(SceneSource::new(scene, &model.mean, &model.std)?) as Box<dyn ChipSource>);
    (0..options.readers).map(|_| source()).collect()
}

fn metadata(model: &Model, scene: &Scene, options: &Options) -> Vec<(String, String)> {
    let Options { chip, overlap, blend, tta, patches, .. } = options;
    let tta = if *tta { "yes" } else { "no" };
    let how = match patches {
        Some(Patches { patch, cell }) => format!("patch={patch} cell={cell} tta={tta}"),
        None => format!("chip={chip} overlap={overlap} blend={blend} tta={tta}"),
    };
    let date = scene.time().map(|time| ("SWATH_DATE".into(), time));
    let items = [
        ("SWATH_SCENE".into(), scene.name()),
        ("SWATH_BUNDLE".into(), model.name.clone()),
        ("SWATH_BUNDLE_DIGEST".into(), model.digest.clone()),
        ("SWATH_PREDICT".into(), how),
        ("SWATH_PRECISION".into(), model.precision.to_string()),
        ("SWATH_VERSION".into(), env!("CARGO_PKG_VERSION").into()),
    ];
    items.into_iter().chain(date).collect()
}

/// Everything that the pixels of the outputs depend on.
fn work(model: &Model, scene: &Scene, options: &Options, contents: &[String]) -> Value {
    let grid = scene.grid();
    let bands: Vec<&str> = scene.bands().iter().map(|band| band.name.as_str()).collect();
    // Not its text, which for one and the same file depends on what the process has read before.
    let crs = grid.crs.as_ref().map(|crs| crs.authority().unwrap_or_else(|| crs.name()));
    let files: Vec<Value> = scene.spec().sources.iter().map(|source| identity(&source.path)).collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "bundle": model.digest,
        "device": model.device,
        "precision": model.precision.to_string(),
        "scene": scene.spec(),
        "scene files": files,
        "scene size": [grid.width, grid.height],
        "scene transform": grid.transform.0,
        "scene CRS": crs,
        "bands": bands,
        "normalization": [&model.mean, &model.std],
        "chip": options.chip,
        "overlap": options.overlap,
        "blend": options.blend,
        "patches": options.patches.map(|patches| [patches.patch, patches.cell]),
        "tta": options.tta,
        "temperature": options.temperature,
        "outputs": contents,
    })
}

/// Size and time of change of a file, as far as the system knows them.
fn identity(path: &Path) -> Value {
    let Ok(data) = std::fs::metadata(path) else { return Value::Null };
    let changed = data.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    json!([data.len(), changed.map(|time| time.as_nanos().to_string())])
}
