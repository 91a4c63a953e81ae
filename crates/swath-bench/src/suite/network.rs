//! One network in every engine: the same weights, the same images, turn by turn.

use std::time::Duration;

use anyhow::Result;

use super::pipeline::pipeline;
use crate::accuracy::{Accuracy, accuracy};
use crate::case::Case;
use crate::inputs;
use crate::load;
use crate::raw;
use crate::serve::Contender;
use crate::settings::{Effort, Engine, Network, Settings};
use crate::side::{Bench, check_same_network};
use crate::table::{markdown, median, three_digits};

const FORWARD: &[Engine] = &[
    Engine::Swath,
    Engine::SwathBf16x2,
    Engine::SwathBf16,
    Engine::Onnxruntime,
    Engine::OpenvinoF32,
    Engine::Openvino,
    Engine::Torch,
];
const STEP: &[Engine] = &[Engine::Swath, Engine::SwathBf16, Engine::Torch, Engine::TorchBf16];

/// What is compared.
struct Match {
    title: &'static str,
    case: Case,
    /// The peer's command for what is expected, in double precision.
    reference: &'static str,
    engines: &'static [Engine],
    rounds: usize,
    settings: Settings,
}

/// Hands out one table after the other: the networks, and a whole scene.
pub(crate) fn network(bench: &Bench, table: &mut dyn FnMut(String)) -> Result<()> {
    for what in matches(bench) {
        table(compare(bench, &what)?);
    }
    table(pipeline(bench)?);
    Ok(())
}

fn matches(bench: &Bench) -> Vec<Match> {
    let quick = bench.effort() == Effort::Quick;
    let base = Settings {
        scene: bench.file("network-images.f32"),
        labels: bench.file("network-labels.u8"),
        weights: Some(bench.file("network.safetensors")),
        bands: 3,
        classes: 2,
        width: if quick { 8 } else { 32 },
        ..Settings::default()
    };
    let (chip, large) = if quick { (64, 64) } else { (256, 512) };
    let effort = |rounds, count| if quick { (1, 1) } else { (rounds, count) };
    let [(rounds, count), (step_rounds, steps), (large_rounds, large_count)] =
        [effort(9, 5), effort(5, 2), effort(7, 3)];
    let large = |network| Match {
        title: "Forward",
        case: Case::Forward,
        reference: "logits",
        engines: FORWARD,
        rounds: large_rounds,
        settings: Settings { network, chip: large, count: large_count, batch: 1, ..base.clone() },
    };
    vec![
        Match {
            title: "Forward",
            case: Case::Forward,
            reference: "logits",
            engines: FORWARD,
            rounds,
            settings: Settings { chip, count, batch: 1, ..base.clone() },
        },
        Match {
            title: "Training step (forward, cross-entropy, backward, AdamW)",
            case: Case::Step,
            reference: "gradients",
            engines: STEP,
            rounds: step_rounds,
            settings: Settings { chip, count: steps, batch: 4, ..base.clone() },
        },
        large(Network::UnetResnet34),
        large(Network::DeeplabV3PlusResnet50),
        large(Network::SegformerB0),
    ]
}

fn compare(bench: &Bench, what: &Match) -> Result<String> {
    let Match { settings, case, engines, rounds, .. } = what;
    let Settings { bands, classes, chip, batch, threads, count, .. } = *settings;
    let trained = inputs::write(settings)?;
    let reference = Settings { out: bench.file("network-reference.f64"), ..settings.clone() };
    let peer = bench.python(what.reference, &reference)?;
    check_same_network(Some(trained), peer.as_ref().and_then(|answer| answer.parameters))?;
    let expected = peer.is_some().then(|| raw::read_f64(&reference.out)).transpose()?;

    let out = bench.file("network-result.f32");
    let mut contenders = Vec::new();
    for &engine in *engines {
        let settings = Settings { out: out.clone(), ..settings.clone() };
        let Some(contender) = bench.contender(*case, engine, &settings)? else { continue };
        check_same_network(Some(trained), contender.parameters)?;
        let (classes, pixels) = if *case == Case::Forward { (classes, chip * chip) } else { (1, 1) };
        let error = match &expected {
            Some(expected) => Some(accuracy(&raw::read_f32(&out)?, expected, classes, pixels)?),
            None => None,
        };
        contenders.push((contender, error));
    }
    let load = load::average();
    let mut busy = Vec::new();
    for round in 0..*rounds {
        busy.extend(load::busy(Duration::from_millis(500)));
        for (contender, _) in &mut contenders {
            contender.measure()?;
        }
        let last = |contender: &Contender| three_digits(contender.seconds.last().map(|seconds| seconds * 1e3));
        let last: Vec<String> = contenders.iter().map(|(contender, _)| last(contender)).collect();
        eprintln!("{} {}, round {}: {} ms", what.title, settings.network_in_words(), round + 1, last.join(", "));
    }
    let busy = median(busy).map_or("unknown".into(), |busy| format!("{:.0} %", busy * 100.0));
    let title = format!(
        "{}: {}, {bands} bands, {classes} classes, batch {batch}, {chip}x{chip}, {threads} threads; {rounds} rounds of \
         {count}, load before the start {}, processors' time that went to others {busy}",
        what.title,
        settings.network_in_words(),
        three_digits(load),
    );
    let times: Vec<(Engine, f64)> = contenders
        .iter()
        .filter_map(|(contender, _)| Some((contender.engine, median(contender.seconds.iter().copied())?)))
        .collect();
    let ratios = Ratios::new(&times);
    let head = [&["engine", "ms", "fastest, ms"], ratios.head().as_slice(), &["error", "same class"]].concat();
    let rows: Vec<Vec<String>> = contenders.iter().map(|(contender, error)| row(contender, *error, &ratios)).collect();
    Ok(markdown(&title, &head, &rows))
}

fn row(contender: &Contender, error: Option<Accuracy>, ratios: &Ratios) -> Vec<String> {
    let middle = median(contender.seconds.iter().copied());
    let fastest = contender.seconds.iter().copied().reduce(f64::min);
    let agreement = error.and_then(|error| error.agreement);
    let first = vec![
        contender.engine.title().into(),
        three_digits(middle.map(|seconds| seconds * 1e3)),
        three_digits(fastest.map(|seconds| seconds * 1e3)),
    ];
    let last = vec![
        error.map_or("-".into(), |error| format!("{:.1e}", error.error)),
        agreement.map_or("-".into(), |share| format!("{share:.5}")),
    ];
    [first, ratios.row(middle), last].concat()
}

/// Swath's times over those of each engine.
pub(super) struct Ratios(Vec<(&'static str, f64)>);

impl Ratios {
    /// From the times of all engines.
    pub(super) fn new(times: &[(Engine, f64)]) -> Ratios {
        let title = |engine: Engine| match engine {
            Engine::Swath => "Swath / it",
            Engine::SwathBf16x2 => "Swath bf16x2 / it",
            _ => "Swath bf16 / it",
        };
        Ratios(
            times.iter().filter(|(engine, _)| engine.is_own()).map(|(engine, time)| (title(*engine), *time)).collect(),
        )
    }

    pub(super) fn head(&self) -> Vec<&'static str> {
        self.0.iter().map(|(title, _)| *title).collect()
    }

    /// Those of one engine.
    pub(super) fn row(&self, time: Option<f64>) -> Vec<String> {
        self.0.iter().map(|(_, own)| three_digits(time.map(|time| own / time))).collect()
    }
}
