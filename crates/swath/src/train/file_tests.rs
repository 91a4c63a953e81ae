//! Whole runs on small files: stopped anywhere, resumed, with and without validation.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use swath_geo::{ClassEntry, CogOptions, CogWriter, DType, Grid, Samples};
use swath_nn::Precision;
use swath_nn::weights::{self, NamedTensor};
use tempfile::TempDir;

use super::checkpoint;
use super::journal::{self, Record};
use super::*;
use crate::bundle::Bundle;
use crate::error::{Error, Result};
use crate::recipe::Recipe;

const SIDE: usize = 48;

/// A folder with a scene of noise that is brighter where the labels say 1.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let grid = Grid::plain(SIDE, SIDE);
        let label = |i: usize| u8::from((i / SIDE / 7 + i % SIDE / 9).is_multiple_of(2));
        let value = |i: usize| 60 + 100 * label(i) + (i.wrapping_mul(2_654_435_761) >> 7) as u8 % 50;
        let write = |name: &str, options: &CogOptions, value: &dyn Fn(usize) -> u8| {
            let mut writer = CogWriter::create(&folder.path().join(name), &grid, options).unwrap();
            let values: Vec<u8> = (0..SIDE * SIDE).map(value).collect();
            writer.write(grid.window(), 0, Samples::U8(&values)).unwrap();
            writer.finish().unwrap();
        };
        write("scene.tif", &CogOptions::new(DType::U8, 1), &value);
        let class = |value: u32, name: &str| ClassEntry { value, name: name.into(), color: [value as u8 * 200, 9, 9] };
        write("labels.tif", &CogOptions::labels(&[class(0, "dark"), class(1, "bright")], Some(255)), &label);
        Site { folder }
    }

    fn recipe(&self, changes: &[&str]) -> Recipe {
        let text = r##"
            [data]
            classes = [{ name = "dark", color = "#000909" }, { name = "bright", color = "#c80909" }]
            train = [{ scene = "scene.tif", labels = "labels.tif" }]
            val = [{ scene = "scene.tif", labels = "labels.tif", area = { right = 0.5 } }]
            [model.encoder.plain]
            width = 2
            depth = 2
            [model.decoder.unet]
            [optimizer.adamw]
            lr = 0.02
            [train]
            steps = 8
            batch = 2
            chip = 16
            validate_every = 3
            [predict]
            chip = 16
            overlap = 4
        "##;
        let path = self.folder.path().join("recipe.toml");
        fs::write(&path, text).unwrap();
        Recipe::load(&path, &changes.iter().map(|change| change.to_string()).collect::<Vec<_>>()).unwrap()
    }

    fn folder(&self, name: &str) -> RunFolder {
        RunFolder::new(&self.folder.path().join(name))
    }

    /// Trains; `stop` is asked at every event.
    fn train(
        &self,
        run: &str,
        recipe: &Recipe,
        existing: Existing,
        stop: &mut dyn FnMut(&Event<'_>) -> bool,
    ) -> Result<Summary> {
        let cancel = AtomicBool::new(false);
        let options = TrainOptions { folder: self.folder(run), existing, device: Device::flex(), cancel: &cancel };
        train(recipe, &options, &mut |event| {
            if stop(&event) {
                cancel.store(true, Ordering::Relaxed);
            }
        })
    }

    fn whole(&self, run: &str, recipe: &Recipe) -> Summary {
        self.train(run, recipe, Existing::Refuse, &mut |_| false).unwrap()
    }

    /// Everything in which two equal runs agree.
    fn result(&self, run: &str) -> (Bundle, Bundle, checkpoint::State, Vec<Record>) {
        let folder = self.folder(run);
        let timeless = |path: &Path| {
            let mut bundle = Bundle::load(path).unwrap();
            bundle.header.provenance.seconds = 0.0;
            bundle.weights.sort_by(|a, b| a.name.cmp(&b.name));
            bundle
        };
        let (_, _, mut state) = checkpoint::load(&folder.last()).unwrap().unwrap();
        state.seconds = 0.0;
        let mut records = journal::read(&folder.metrics()).unwrap();
        records.iter_mut().for_each(|record| {
            if let Record::Step { images_per_s, .. } = record {
                *images_per_s = 0.0;
            }
        });
        (timeless(&folder.bundle()), timeless(&folder.last().join("bundle.safetensors")), state, records)
    }
}

fn at_step(wanted: usize) -> impl FnMut(&Event<'_>) -> bool {
    move |event| matches!(event, Event::Step { step, .. } if *step == wanted)
}

#[test]
fn a_run_stopped_after_any_step_or_in_a_validation_resumes_to_the_bit() {
    let site = Site::new();
    let recipe = site.recipe(&[]);
    assert_eq!(site.whole("whole", &recipe).ended, Ended::Completed);
    for stop in 1..8 {
        let name = format!("step {stop}");
        let stopped = site.train(&name, &recipe, Existing::Refuse, &mut at_step(stop)).unwrap();
        assert_eq!((stopped.ended, stopped.steps), (Ended::Interrupted, stop));
        let resumed = site.train(&name, &recipe, Existing::Resume, &mut |_| false).unwrap();
        assert_eq!((resumed.ended, resumed.steps), (Ended::Completed, 8));
        assert!(site.result(&name) == site.result("whole"), "stopped after step {stop}");
    }

    let mut validations = 0;
    let mut in_the_second = |event: &Event<'_>| match event {
        Event::Validating(share) if *share < 0.2 => {
            validations += 1;
            validations == 2
        }
        _ => false,
    };
    let stopped = site.train("validation", &recipe, Existing::Refuse, &mut in_the_second).unwrap();
    assert_eq!(stopped.ended, Ended::Interrupted);
    site.train("validation", &recipe, Existing::Resume, &mut |_| false).unwrap();
    assert!(site.result("validation") == site.result("whole"));
}

/// The bright fields are objects of four corners.
#[test]
fn a_run_for_outlines_stopped_anywhere_resumes_to_the_bit() {
    let site = Site::new();
    let decoder = "model.decoder={ polycnn = { channels = [6], grid = 4, code = 8, hidden = 8 } }";
    let recipe = site.recipe(&[decoder, "train.generated_steps=5", "train.steps=5"]);
    let mut said = String::new();
    let whole = site.train("whole", &recipe, Existing::Refuse, &mut |event| {
        if let Event::Message(message) = event {
            said += message;
            said += "\n";
        }
        false
    });
    assert_eq!(whole.unwrap().ended, Ended::Completed);
    assert!(said.contains("objects with four corners") && said.contains("mean IoU of outlines"), "{said}");
    let (bundle, ..) = site.result("whole");
    assert_eq!(bundle.config().classes, 8);
    assert!(bundle.check_makes_maps().unwrap_err().to_string().contains("swath outline"));

    type Stop = Box<dyn FnMut(&Event<'_>) -> bool>;
    let mut stops: Vec<(&str, Stop)> = vec![
        ("step", Box::new(at_step(2))),
        (
            "generated",
            Box::new(|event| matches!(event, Event::Message(text) if text.starts_with("generated polygons, step 2"))),
        ),
        ("validation", Box::new(|event| matches!(event, Event::Validating(_)))),
    ];
    for (name, stop) in &mut stops {
        let stopped = site.train(name, &recipe, Existing::Refuse, stop).unwrap();
        assert_eq!((stopped.ended, stopped.steps > 0), (Ended::Interrupted, *name != "generated"));
        site.train(name, &recipe, Existing::Resume, &mut |_| false).unwrap();
        assert!(site.result(name) == site.result("whole"), "stopped at {name}");
    }
}

/// Held parts stay as generated polygons left them.
#[test]
fn the_decoder_of_outlines_learns_before_all_else() {
    let site = Site::new();
    let decoder = "model.decoder={ polycnn = { channels = [6], grid = 4, code = 8, hidden = 8 } }";
    let held = "train.phases=[{ rates = { encoder = 0, \"decoder.decode\" = 0 } }]";
    let run = |name: &str, steps: &str| {
        let recipe =
            site.recipe(&[decoder, held, "train.steps=2", "data.val=[]", &format!("train.generated_steps={steps}")]);
        site.whole(name, &recipe);
        site.result(name).0.weights
    };
    let (two, four) = (run("two", "2"), run("four", "4"));
    for name in ["decoder.decode.hidden.weight", "decoder.decode.corners.conv.bias"] {
        assert_ne!(part(&two, name), part(&four, name), "{name}");
    }
    assert!(!part(&two, "encoder.").is_empty());
    assert_eq!(part(&two, "encoder."), part(&four, "encoder."));
    assert!(part(&two, "decoder.decode.corners.conv.bias")[0].data.iter().all(|bias| *bias != 0.0));
}

#[test]
fn a_run_killed_while_it_saves_resumes_to_the_bit() {
    let site = Site::new();
    let recipe = site.recipe(&[]);
    site.whole("whole", &recipe);
    let stop = |run: &str, step| site.train(run, &recipe, Existing::Refuse, &mut at_step(step)).unwrap();
    let resume = |run: &str| {
        site.train(run, &recipe, Existing::Resume, &mut |_| false).unwrap();
        let folder = site.folder(run);
        assert!(!folder.path().join("last.old").exists() && !folder.path().join("last.new").exists());
        assert!(site.result(run) == site.result("whole"), "{run}");
    };
    let beside = |run: &str, name: &str| site.folder(run).path().join(name);

    // Before the renames, with an unfinished new checkpoint.
    stop("unfinished", 4);
    fs::create_dir(beside("unfinished", "last.new")).unwrap();
    fs::write(beside("unfinished", "last.new/bundle.safetensors"), "cut").unwrap();
    resume("unfinished");
    // Between the renames: both are whole.
    stop("between", 4);
    stop("later", 5);
    fs::rename(beside("between", "last"), beside("between", "last.old")).unwrap();
    fs::rename(beside("later", "last"), beside("between", "last.new")).unwrap();
    fs::copy(site.folder("later").metrics(), site.folder("between").metrics()).unwrap();
    resume("between");
    // The new one did not survive.
    stop("previous", 4);
    fs::rename(beside("previous", "last"), beside("previous", "last.old")).unwrap();
    resume("previous");
}

#[test]
fn without_validation_the_last_weights_are_kept_and_reported() {
    let site = Site::new();
    let recipe = site.recipe(&["data.val=[]"]);
    let summary = site.whole("run", &recipe);
    assert_eq!((summary.ended, summary.steps, summary.best), (Ended::Completed, 8, None));
    let (best, last, state, records) = site.result("run");
    assert_eq!(best, last);
    assert_eq!((best.header.provenance.steps, state.step), (8, 8));
    assert!(records.iter().all(|record| matches!(record, Record::Step { .. })));
    let report = fs::read_to_string(site.folder("run").report()).unwrap();
    assert!(report.contains("bright") && report.contains("Training run run"));

    site.train("stopped", &recipe, Existing::Refuse, &mut at_step(5)).unwrap();
    site.train("stopped", &recipe, Existing::Resume, &mut |_| false).unwrap();
    assert!(site.result("stopped") == site.result("run"));
}

/// The first step sees the same chips and weights with and without it; its loss is that of more outputs.
#[test]
fn deep_supervision_trains_every_output() {
    let site = Site::new();
    let run = |name: &str, deep_supervision: bool| {
        let nested = format!("model.decoder={{ unet_plus_plus = {{ deep_supervision = {deep_supervision} }} }}");
        let recipe = site.recipe(&["model.encoder.plain.depth=3", "data.val=[]", "train.steps=2", &nested]);
        site.whole(name, &recipe);
        let (bundle, _, _, records) = site.result(name);
        let Record::Step { loss, .. } = &records[0] else { panic!("{:?}", records[0]) };
        (*loss, bundle.weights.iter().find(|tensor| tensor.name == "head.conv.weight").unwrap().shape.clone())
    };
    let (supervised, alone) = (run("supervised", true), run("alone", false));
    assert_eq!((supervised.1, alone.1), (vec![4, 2, 1, 1], vec![2, 2, 1, 1]));
    assert_ne!(supervised.0, alone.0);
}

#[test]
fn a_run_stopped_before_its_first_validation_has_no_bundle_and_no_report_yet() {
    let site = Site::new();
    let recipe = site.recipe(&[]);
    site.train("run", &recipe, Existing::Refuse, &mut at_step(1)).unwrap();
    let folder = site.folder("run");
    assert!(!folder.bundle().exists() && !folder.report().exists() && folder.last().exists());
}

#[test]
fn a_run_in_bfloat16_says_so_and_resumes_to_the_bit() {
    let site = Site::new();
    let change = ["train.precision=\"bf16\"", "model.encoder.plain.width=16"];
    let (exact, rounded) = (site.recipe(&change[1..]), site.recipe(&change));
    let mut told = Vec::new();
    let mut listen = |event: &Event<'_>| {
        if let Event::Message(words) = event {
            told.push(words.contains("train.precision is bf16, but this processor"));
        }
        false
    };
    site.train("rounded", &rounded, Existing::Refuse, &mut listen).unwrap();
    assert_eq!(told.contains(&true), !Precision::Bf16.trains());
    site.whole("exact", &exact);
    let weights = |run: &str| site.result(run).1.weights;
    assert_eq!(weights("rounded") != weights("exact"), Precision::Bf16.trains());

    site.train("stopped", &rounded, Existing::Refuse, &mut at_step(3)).unwrap();
    site.train("stopped", &rounded, Existing::Resume, &mut |_| false).unwrap();
    assert!(site.result("stopped") == site.result("rounded"));
}

#[test]
fn early_stopping_stops_and_a_resumed_run_stays_stopped() {
    let site = Site::new();
    let recipe = site.recipe(&["train.steps=200", "train.validate_every=1", "train.early_stopping=2"]);
    let summary = site.whole("run", &recipe);
    let best = summary.best.unwrap();
    assert_eq!((summary.ended, summary.steps), (Ended::Early, best.step + 2));
    let before = site.result("run");
    let resumed = site.train("run", &recipe, Existing::Resume, &mut |_| false).unwrap();
    assert_eq!((resumed.ended, resumed.steps), (Ended::Early, best.step + 2));
    assert!(site.result("run") == before);
    assert_eq!(before.0.header.provenance.steps, best.step);
}

#[test]
fn a_diverging_run_says_where_and_keeps_its_last_good_checkpoint() {
    let site = Site::new();
    let changes = ["optimizer.adamw.lr=1e30", "schedule={ constant = {} }", "model.encoder.plain.batch_norm=false"];
    let error = site.train("run", &site.recipe(&changes), Existing::Refuse, &mut |_| false).unwrap_err().to_string();
    assert!(error.contains("step 2") && error.contains("column") && error.contains("optimizer.adamw.lr"), "{error}");
    assert!(!site.folder("run").bundle().exists());

    // Nothing but the weights tells when no loss follows.
    let changes = [&changes[..], &["train.steps=1", "data.val=[]", "optimizer.adamw.lr=1e300"]].concat();
    let recipe = site.recipe(&changes);
    let error = site.train("short", &recipe, Existing::Refuse, &mut |_| false).unwrap_err();
    assert!(matches!(&error, Error::Run { .. }) && error.to_string().contains("after step 1"), "{error}");
    assert!(!site.folder("short").bundle().exists() && !site.folder("short").last().exists());
}

/// Parameters and running statistics whose names start so.
fn part(weights: &[NamedTensor], name: &str) -> Vec<NamedTensor> {
    let mut part: Vec<_> = weights.iter().filter(|tensor| tensor.name.starts_with(name)).cloned().collect();
    part.sort_by(|a, b| a.name.cmp(&b.name));
    part
}

/// The weights that a run starts with.
fn drawn(recipe: &Recipe) -> Vec<NamedTensor> {
    let network = recipe.model.segmenter(1, 2).init(&Device::flex()).unwrap();
    weights::read(&weights::initialize(network, recipe.train.seed))
}

#[test]
fn held_parts_keep_their_bits_and_learn_when_their_phase_ends() {
    let site = Site::new();
    let phases = "train.phases=[{ until = 3, rates = { encoder = 0 } }, { until = 6, rates = { encoder = 0.1 } }]";
    let recipe = site.recipe(&[phases]);
    let start = drawn(&recipe);
    let at = |steps: usize| {
        let name = format!("{steps}");
        site.train(&name, &recipe, Existing::Refuse, &mut at_step(steps)).unwrap();
        Bundle::load(&site.folder(&name).last().join("bundle.safetensors")).unwrap().weights
    };
    let held = at(3);
    assert!(part(&held, "encoder.").iter().any(|tensor| tensor.name.ends_with("running_mean")));
    assert_eq!(part(&held, "encoder."), part(&start, "encoder."));
    for (before, after) in part(&start, "decoder.").iter().zip(part(&held, "decoder.")) {
        assert_ne!(before.data, after.data, "{}", after.name);
    }
    for (before, after) in part(&held, "encoder.").iter().zip(part(&at(4), "encoder.")) {
        assert_ne!(before.data, after.data, "{}", after.name);
    }
}

#[test]
fn a_rate_is_a_factor_on_the_learning_rate() {
    let site = Site::new();
    let constant = ["optimizer.sgd={ lr = 0.01, momentum = 0 }", "schedule={ constant = {} }", "train.steps=1"];
    let moved = |run: &str, change: &str| {
        let recipe = site.recipe(&[&constant[..], &[change]].concat());
        site.whole(run, &recipe);
        let end = Bundle::load(&site.folder(run).bundle()).unwrap().weights;
        let name = "head.conv.weight";
        let values = |weights: &[NamedTensor]| part(weights, name)[0].data.clone();
        let step: Vec<f32> = values(&end).iter().zip(values(&drawn(&recipe))).map(|(a, b)| a - b).collect();
        step
    };
    let full = moved("full", "train.phases=[]");
    let half = moved("half", "train.phases=[{ rates = { head = 0.5 } }]");
    assert!(full.iter().any(|step| step.abs() > 1e-5));
    for (full, half) in full.iter().zip(half) {
        assert!((full / 2.0 - half).abs() < 1e-6, "{full} {half}");
    }
}

#[test]
fn a_run_with_phases_resumes_to_the_bit() {
    let site = Site::new();
    let phases =
        "train.phases=[{ until = 3, rates = { encoder = 0 } }, { rates = { \"encoder\" = 0.1, decoder = 0 } }]";
    let recipe = site.recipe(&[phases]);
    site.whole("whole", &recipe);
    for stop in [2, 3, 5] {
        let name = format!("step {stop}");
        site.train(&name, &recipe, Existing::Refuse, &mut at_step(stop)).unwrap();
        site.train(&name, &recipe, Existing::Resume, &mut |_| false).unwrap();
        assert!(site.result(&name) == site.result("whole"), "stopped after step {stop}");
    }
}

#[test]
fn phases_that_name_nothing_or_hold_everything_are_refused() {
    let site = Site::new();
    let refused = |phases: &str, words: &str| {
        let recipe = site.recipe(&[&format!("train.phases={phases}")]);
        let error = site.train("run", &recipe, Existing::Refuse, &mut |_| false).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains(words), "{error}");
        assert!(!site.folder("run").path().exists());
    };
    refused("[{ rates = { encodr = 0 } }]", "did you mean `encoder`?");
    refused("[{ rates = { encoder = 0, decoder = 0, head = 0 } }]", "holds every parameter");
}

#[test]
fn phases_that_a_run_does_not_reach_or_end_are_told() {
    let site = Site::new();
    let told = |name: &str, until: usize, then: &str| {
        let phases = format!("train.phases=[{{ until = {until}, rates = {{ encoder = 0 }} }}{then}]");
        let mut said = String::new();
        let recipe = site.recipe(&[&phases, "train.steps=3", "data.val=[]"]);
        let run = site.train(name, &recipe, Existing::Refuse, &mut |event| {
            if let Event::Message(message) = event {
                said += message;
            }
            false
        });
        assert_eq!(run.unwrap().ended, Ended::Completed);
        said
    };
    let then = ", { rates = {} }";
    assert!(told("late", 3, then).contains("note: train.phases[1] begins at step 3, and the run ends at step 3"));
    assert!(!told("reached", 2, then).contains("train.phases"));
    assert!(told("endless", 4, "").contains("note: train.phases[0] ends at step 4, and the run at step 3 before it"));
    assert!(!told("ended", 3, "").contains("train.phases"));
}

#[test]
fn a_run_starts_from_weights_and_says_so_in_its_bundle() {
    let site = Site::new();
    let first = site.recipe(&["model.licence=CC-BY-SA-4.0"]);
    site.whole("first", &first);
    let given = site.folder("first").bundle();
    let weights = format!("model.encoder.plain.weights={}", given.display());
    let recipe = site.recipe(&[&weights, "train.phases=[{ rates = { encoder = 0 } }]", "train.seed=7"]);
    site.whole("second", &recipe);
    let (first, second) = (Bundle::load(&given).unwrap(), Bundle::load(&site.folder("second").bundle()).unwrap());
    assert_eq!(part(&second.weights, "encoder."), part(&first.weights, "encoder."));
    assert_ne!(part(&second.weights, "head."), part(&first.weights, "head."));
    let origin = second.header.provenance.encoder.clone().unwrap();
    assert_eq!((origin.file.as_str(), origin.sha256.len()), ("bundle.safetensors", 64));
    assert_eq!(second.header.recipe.model.start.weights, None);
    let log = fs::read_to_string(site.folder("second").log()).unwrap();
    assert!(log.contains(&format!("{}), under the licence CC-BY-SA-4.0", origin.sha256)), "{log}");
    assert_eq!(first.header.licence.as_deref(), Some("CC-BY-SA-4.0"));
    assert_eq!((second.header.encoder_licence(), &second.header.licence), (Some("CC-BY-SA-4.0"), &None));

    // A resumed run needs the file no more, and keeps what it came from.
    site.train("stopped", &recipe, Existing::Refuse, &mut at_step(4)).unwrap();
    fs::write(&given, "gone").unwrap();
    site.train("stopped", &recipe, Existing::Resume, &mut |_| false).unwrap();
    assert!(site.result("stopped") == site.result("second"));

    let error = site.train("third", &recipe, Existing::Refuse, &mut |_| false).unwrap_err().to_string();
    assert!(error.contains("neither a safetensors file"), "{error}");
    assert!(!site.folder("third").path().exists());
}

/// Programs that say nothing of colours write a fourth band of bytes as alpha; whoever meant data has to learn of it.
#[test]
fn a_band_that_is_left_out_is_told() {
    let site = Site::new();
    let path = site.folder.path().join("scene.png");
    let mut encoder = png::Encoder::new(fs::File::create(&path).unwrap(), SIDE as u32, SIDE as u32);
    encoder.set_color(png::ColorType::GrayscaleAlpha);
    encoder.set_depth(png::BitDepth::Eight);
    let bytes: Vec<u8> = (0..2 * SIDE * SIDE).map(|i| 1 + (i.wrapping_mul(2_654_435_761) >> 7) as u8 % 200).collect();
    encoder.write_header().unwrap().write_image_data(&bytes).unwrap();
    let told = |run: &str, scene: &str| {
        let train = format!("data.train=[{{ scene = {scene}, labels = \"labels.tif\" }}]");
        let recipe = site.recipe(&[&train, "data.val=[]", "train.steps=1"]);
        site.whole(run, &recipe);
        fs::read_to_string(site.folder(run).log()).unwrap()
    };
    let log = told("left", "\"scene.png\"");
    assert!(log.contains("note: band 2 of ") && log.contains("bands = [1, 2] }]"), "{log}");
    let log = told("taken", "[{ path = \"scene.png\", bands = [1, 2] }]");
    assert!(!log.contains("alpha band") && log.contains("with 2 bands"), "{log}");
}
