//! The end of a run: the test scenes, the report, the last words.

use std::sync::Arc;

use burn::tensor::Device;
use swath_nn::Segmenter;

use super::checkpoint::State;
use super::data::open_like;
use super::journal::{self, Record};
use super::outlines::{Drawn, Examiner};
use super::run::{Ended, Event, Run, Summary};
use super::validate::validate;
use crate::bundle::Bundle;
use crate::dataset::{Chip, ChipMaker, ChipOptions, Dataset, Sampling, Target};
use crate::error::{Error, Result};
use crate::evaluate::{Counts, EvaluatedClass, Evaluation, Measures, SceneEvaluation, grouped};
use crate::metrics::{Confusion, Scores};
use crate::outline::mask;
use crate::predict::{ChipBatch, Network, SegmenterNetwork};
use crate::pretrained::color;
use crate::report::{self, Curves, ExampleChip, Fact, Picture, ReportData, stretched};
use crate::whole_file::write_whole;

/// Measures the test scenes with the best weights, writes the report and sums up.
pub(super) fn conclude(run: &mut Run<'_>, ended: Ended) -> Result<Summary> {
    let State { step: steps, seconds, best, latest: last_iou, .. } = run.state.clone();
    let summary = Summary { ended, steps, seconds, best, last_iou };
    if summary.steps == 0 || !run.folder.bundle().exists() {
        return Ok(summary);
    }
    let bundle = Bundle::load(&run.folder.bundle())?;
    let device = run.device.clone().inner();
    let mut network = match run.recipe.outlines() {
        Some(_) => Trained::Outlines(Box::new(bundle.segmenter(&device)?), device),
        None => Trained::Maps(Box::new(bundle.network(&device)?)),
    };
    let test = match ended {
        Ended::Interrupted => None,
        Ended::Completed | Ended::Early => test(run, &bundle, &mut network)?,
    };
    let data = report_data(run, &bundle, &mut network, test)?;
    write_whole(&run.folder.report(), report::render(&data).as_bytes())?;
    let report = run.folder.report();
    run.say(&format!("report: {}", report.display()))?;
    Ok(summary)
}

/// A network with its best weights.
enum Trained {
    Maps(Box<SegmenterNetwork>),
    Outlines(Box<Segmenter>, Device),
}

fn test(run: &mut Run<'_>, bundle: &Bundle, network: &mut Trained) -> Result<Option<Confusion>> {
    if run.recipe.data.test.is_empty() {
        return Ok(None);
    }
    let opened = open_like(run.recipe, &run.recipe.data.test, &run.data)?;
    let (data, normalization) = (&opened.data, &bundle.header.normalization);
    let observe = &mut *run.observe;
    let mut progress = |share| observe(Event::Validating(share));
    let found = match (network, &opened.targets) {
        (Trained::Outlines(network, device), Some(targets)) => {
            let examiner = Examiner { data, targets, network, normalization, device };
            examiner.validate(run.recipe.train.batch, run.cancel, &mut progress)
        }
        (Trained::Maps(network), _) => {
            let options = bundle.options(&run.recipe.predict);
            validate(data.scenes(), &mut **network, normalization, &options, run.cancel, &mut progress)
        }
        (Trained::Outlines(..), None) => return Ok(None),
    };
    let found = match found {
        // A report without test scores is better than none.
        Err(Error::Cancelled) => return Ok(None),
        found => found?,
    };
    let scores = found.scores();
    let outlines = found.outlines.map(|iou| format!(", mean IoU of outlines {:.1} %", iou * 100.0));
    run.say(&format!(
        "test: mean IoU {:.1} %, accuracy {:.1} %{}",
        scores.mean_iou.unwrap_or(0.0) * 100.0,
        scores.accuracy.unwrap_or(0.0) * 100.0,
        outlines.unwrap_or_default(),
    ))?;
    Ok(Some(found.confusion))
}

fn report_data(run: &Run<'_>, bundle: &Bundle, network: &mut Trained, test: Option<Confusion>) -> Result<ReportData> {
    let classes = evaluated_classes(run.recipe);
    let records = journal::read(&run.folder.metrics())?;
    let confusion = test.as_ref().or(run.state.best.as_ref().map(|best| &best.confusion));
    let measured_on = if test.is_some() { "test scenes" } else { "validation scenes" };
    let examples_from = run.validation.as_ref().unwrap_or(&run.data);
    let name = run.folder.path().file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy());
    Ok(ReportData {
        title: format!("Training run {name}"),
        subtitle: format!("Swath {}", env!("CARGO_PKG_VERSION")),
        facts: facts(run, measured_on, confusion),
        evaluation: confusion.map(|confusion| evaluation(&classes, measured_on, confusion)),
        curves: curves(&records, &classes),
        examples: match network {
            Trained::Maps(network) => examples(examples_from, run, bundle, network)?,
            Trained::Outlines(network, device) => outline_examples(run, bundle, network, device)?,
        },
        recipe: run.recipe.to_toml()?,
        map: None,
        classes,
    })
}

fn evaluated_classes(recipe: &crate::recipe::Recipe) -> Vec<EvaluatedClass> {
    let classes = recipe.data.classes.iter();
    classes.map(|class| EvaluatedClass { name: class.name.clone(), color: class.color }).collect()
}

fn evaluation(classes: &[EvaluatedClass], measured_on: &str, confusion: &Confusion) -> Evaluation {
    let counts = Counts { confusion: confusion.clone(), boundary: None, areas: None, unlabelled: 0, unmapped: 0 };
    let measures = Measures::new(counts, Scores::new(confusion).positive);
    let scene = SceneEvaluation { map: measured_on.to_string(), labels: String::new(), measures: measures.clone() };
    Evaluation { classes: classes.to_vec(), boundary: None, pooled: measures, scenes: vec![scene] }
}

fn facts(run: &Run<'_>, measured_on: &str, confusion: Option<&Confusion>) -> Vec<Fact> {
    let recipe = run.recipe;
    let images = run.state.step * recipe.train.batch;
    let mut facts = vec![
        Fact::new(
            "Network",
            format!("{} encoder, {} decoder", recipe.model.encoder.name(), recipe.model.decoder.name()),
        ),
        Fact::new("Parameters", grouped(run.parameters() as u64)),
        Fact::new("Training scenes", run.data.scenes().len().to_string()),
        Fact::new(
            "Steps",
            format!("{} of batch {}, chips of {} px", run.state.step, recipe.train.batch, recipe.train.chip),
        ),
        Fact::new("Training time", format!("{:.1} min", run.state.seconds / 60.0)),
        Fact::new("Images per second", format!("{:.1}", images as f64 / run.state.seconds.max(1e-9))),
    ];
    if let Some(best) = &run.state.best {
        facts.push(Fact::new("Best step", best.step.to_string()));
    }
    if let Some(iou) = confusion.and_then(|confusion| Scores::new(confusion).headline_iou()) {
        facts.push(Fact::new(format!("IoU on {measured_on}"), format!("{:.1} %", iou * 100.0)));
    }
    facts
}

fn curves(records: &[Record], classes: &[EvaluatedClass]) -> Curves {
    let mut curves = Curves::default();
    let mut mean = Vec::new();
    let mut single = vec![Vec::new(); classes.len()];
    for record in records {
        match record {
            Record::Step { step, loss, lr, .. } => {
                curves.training_loss.push((*step as f64, *loss));
                curves.learning_rate.push((*step as f64, *lr));
            }
            Record::Validation { step, loss, mean_iou, iou, .. } => {
                curves.validation_loss.push((*step as f64, *loss));
                mean.push((*step as f64, *mean_iou));
                for (curve, iou) in single.iter_mut().zip(iou) {
                    curve.extend(iou.map(|iou| (*step as f64, iou)));
                }
            }
        }
    }
    if !mean.is_empty() {
        curves.validation_iou.push(("mean".to_string(), mean));
        curves.validation_iou.extend(classes.iter().map(|class| class.name.clone()).zip(single));
    }
    curves
}

/// Chips that a report shows.
const EXAMPLES: u64 = 6;

fn examples(
    data: &Arc<Dataset>,
    run: &Run<'_>,
    bundle: &Bundle,
    network: &mut SegmenterNetwork,
) -> Result<Vec<ExampleChip>> {
    let options = ChipOptions {
        sampling: Sampling::Balanced { max_repeat: f64::MAX },
        target: Target::Pixels,
        augment: None,
        mean: bundle.header.normalization.mean.clone(),
        std: bundle.header.normalization.std.clone(),
        seed: run.recipe.train.seed,
    };
    let mut maker = ChipMaker::new(Arc::clone(data), options)?;
    let colors = color_bands(&bundle.header.bands);
    let mut examples = Vec::new();
    for sample in 0..EXAMPLES {
        let chip = maker.chip(sample)?;
        let side = data.chip();
        let name = data.scenes()[chip.origin.scene].image.name();
        examples.push(ExampleChip {
            caption: format!("{name}, column {}, row {}", chip.origin.col, chip.origin.row),
            image: picture(&chip.image, side, colors),
            predicted: predict(&chip, side, data.bands(), network)?,
            labels: chip.labels,
        });
    }
    Ok(examples)
}

/// Objects of the validation scenes, where there are some, with what the network draws.
fn outline_examples(run: &Run<'_>, bundle: &Bundle, network: &Segmenter, device: &Device) -> Result<Vec<ExampleChip>> {
    let (Some(data), Some(targets)) = (&run.validation, &run.validation_targets) else { return Ok(Vec::new()) };
    let examiner = Examiner { data, targets, network, normalization: &bundle.header.normalization, device };
    let few = &targets.list[..targets.list.len().min(EXAMPLES as usize)];
    let (colors, side) = (color_bands(&bundle.header.bands), data.chip());
    let (drawn, _) = examiner.draw(few)?;
    let example = |Drawn { image, origin, truth, found }: Drawn| ExampleChip {
        caption: format!("{}, column {}, row {}", data.scenes()[origin.scene].image.name(), origin.col, origin.row),
        image: picture(&image, side, colors),
        labels: mask(&truth, side),
        predicted: mask(&found, side),
    };
    Ok(drawn.into_iter().map(example).collect())
}

/// A normalized chip in colours.
fn picture(image: &[f32], side: usize, colors: [usize; 3]) -> Picture {
    let pixels = side * side;
    let bands = colors.map(|band| &image[band * pixels..][..pixels]);
    stretched(side, side, bands, &vec![true; pixels])
}

/// The class of each pixel of one chip.
fn predict(chip: &Chip, side: usize, bands: usize, network: &mut SegmenterNetwork) -> Result<Vec<u16>> {
    let batch = ChipBatch { len: 1, bands, height: side, width: side, data: chip.image.clone() };
    let logits = network.logits(&batch)?;
    let (pixels, classes) = (side * side, network.classes());
    let best =
        |pixel: usize| {
            (1..classes).fold(0, |best, class| {
                if logits[class * pixels + pixel] > logits[best * pixels + pixel] { class } else { best }
            })
        };
    Ok((0..pixels).map(|pixel| best(pixel) as u16).collect())
}

/// The bands that look red, green and blue: by name where names tell, otherwise the first three, or the only one.
fn color_bands(names: &[String]) -> [usize; 3] {
    let named = [0, 1, 2].map(|wanted| names.iter().position(|name| color(name) == Some(wanted)));
    match named {
        [Some(red), Some(green), Some(blue)] => [red, green, blue],
        _ if names.len() >= 3 => [0, 1, 2],
        _ => [0; 3],
    }
}

#[cfg(test)]
mod tests {
    use super::color_bands;

    #[test]
    fn colours_are_found_by_name_first() {
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(color_bands(&names(&["B01", "B02", "B03", "B04"])), [3, 2, 1]);
        assert_eq!(color_bands(&names(&["red", "green", "blue", "nir"])), [0, 1, 2]);
        assert_eq!(color_bands(&names(&["x", "y", "z"])), [0, 1, 2]);
        assert_eq!(color_bands(&names(&["vv", "vh"])), [0, 0, 0]);
    }
}
