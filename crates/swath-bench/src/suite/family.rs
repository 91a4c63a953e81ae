//! The networks of the family beside the same ones in PyTorch: forward, training step, memory.

use anyhow::{Context, Result, bail};

use crate::case::{self, Case, Golden};
use crate::inputs;
use crate::serve::Contender;
use crate::settings::{Effort, Engine, Network, Settings};
use crate::side::{Bench, check_same_network};
use crate::table::{markdown, median, three_digits};

/// Golden networks at real width, by the name that people know and the one in their golden file.
const GOLDEN: [(&str, &str); 13] = [
    ("fcn32s-resnet50", "resnet#fcn32s on resnet50, transcription"),
    ("fcn8s-resnet50", "resnet#fcn8s on resnet50, transcription"),
    ("linknet34", "linknet#linknet on resnet34, segmentation_models.pytorch"),
    ("unet-resnet34", "resnet#unet on resnet34, segmentation_models.pytorch"),
    ("unet-plus-plus-resnet34", "unet_plus_plus#unet_plus_plus on resnet34, segmentation_models.pytorch"),
    ("fpn-resnet50", "fpn#fpn on resnet50, segmentation_models.pytorch"),
    ("upernet on ResNet-50", "upernet#upernet on resnet50, segmentation_models.pytorch"),
    ("mlp on ResNet-50", "pixel_mlp#mlp on resnet50, transcription"),
    ("pspnet50", "pspnet#pspnet on resnet50 at stride 8, segmentation_models.pytorch"),
    ("deeplabv3plus-resnet50", "deeplab#deeplab_v3_plus on resnet50 at stride 16, segmentation_models.pytorch"),
    ("deeplabv3-resnet50", "deeplab#deeplab_v3 on resnet50 at stride 8, segmentation_models.pytorch"),
    ("segnet", "segnet#segnet on vgg16, transcription on torchvision"),
    ("deconvnet, 512 channels", "segnet#deconvnet on vgg16 at 224 x 224, transcription on torchvision"),
];

/// A network in the table: the name it has there, and what it is measured with.
type Named = (String, Settings);

/// Hands out a table of the networks at real width, unless `only_narrow`, and one of the narrow networks.
pub(crate) fn family(bench: &Bench, only_narrow: bool, table: &mut dyn FnMut(String)) -> Result<()> {
    let quick = bench.effort() == Effort::Quick;
    let base = |bands, classes| Settings {
        scene: bench.file("family-images.f32"),
        labels: bench.file("family-labels.u8"),
        out: bench.file("family-result.f32"),
        bands,
        classes,
        chip: if quick { 64 } else { 256 },
        ..Settings::default()
    };
    let mut tables = Vec::new();
    if !only_narrow {
        tables.push(("Networks of the family", wide(&base(4, 3))));
    }
    // As many bands and classes as the recipe has that they are trained with.
    tables.push(("Narrow networks of `recipes/networks/narrow.toml`", narrow(&base(3, 5))?));
    for (what, mut networks) in tables {
        if quick {
            networks.truncate(1);
        }
        table(compared(bench, what, networks)?);
    }
    Ok(())
}

/// The networks at real width.
fn wide(base: &Settings) -> Vec<Named> {
    let golden =
        |(name, case): (&str, &str)| (name.to_owned(), Settings { golden: Some(case.to_owned()), ..base.clone() });
    let named = |name: &str, network| (name.to_owned(), Settings { network, width: 64, ..base.clone() });
    let mut networks: Vec<Named> = GOLDEN.into_iter().map(golden).collect();
    networks.insert(4, named("unet-resnet50", Network::UnetResnet50));
    networks.push(named("unet", Network::Unet));
    networks.push(named("segformer-b0", Network::SegformerB0));
    networks
}

/// The networks of `recipes/networks/narrow.toml`: a case each in their golden file, whose name begins with theirs.
fn narrow(base: &Settings) -> Result<Vec<Named>> {
    let named = |case: Golden| {
        let name = case.name.split(", ").next().unwrap_or_default().to_owned();
        (name, Settings { golden: Some(format!("narrow#{}", case.name)), ..base.clone() })
    };
    Ok(case::goldens("narrow")?.into_iter().map(named).collect())
}

/// A table of some networks, all with the same bands, classes and sizes.
fn compared(bench: &Bench, what: &str, networks: Vec<Named>) -> Result<String> {
    let Some((_, Settings { bands, classes, chip, .. })) = networks.first().cloned() else {
        bail!("no network to measure");
    };
    let mut rows = Vec::new();
    for (name, settings) in networks {
        let (trained, forward) = measured(bench, Case::Forward, Settings { batch: 1, count: 3, ..settings.clone() })?;
        let (_, step) = measured(bench, Case::Step, Settings { batch: 4, count: 1, ..settings })?;
        eprintln!("{name}: {} and {}", forward.join(", "), step.join(", "));
        let times = |cells: &[String]| cells[..3].to_vec();
        let memory = forward[3..].to_vec();
        let first = vec![format!("`{name}`"), millions(trained)];
        rows.push([first, times(&forward), times(&step), memory].concat());
    }
    let title = format!(
        "{what}, {bands} bands, {classes} classes, {chip}x{chip}: prediction of one image; training steps with 4 (forward, \
         cross-entropy, backward, AdamW); medians of {} rounds; peak memory is that of the process that predicts",
        bench.rounds(),
    );
    let head = [
        "network",
        "parameters",
        "forward, ms",
        "PyTorch, ms",
        "Swath / it",
        "step, ms",
        "PyTorch, ms",
        "Swath / it",
        "peak MB",
        "PyTorch, MB",
    ];
    Ok(markdown(&title, &head, &rows))
}

/// Some parameters in millions: narrow networks have so few that one digit does not tell them apart.
fn millions(parameters: u64) -> String {
    let digits = if parameters < 10_000_000 { 2 } else { 1 };
    format!("{:.digits$} M", parameters as f64 / 1e6)
}

/// Trained parameters; and in words Swath's time, PyTorch's, their ratio, and the peak memory of both.
fn measured(bench: &Bench, case: Case, settings: Settings) -> Result<(u64, Vec<String>)> {
    let trained = inputs::write(&settings)?;
    let mut sides = Vec::new();
    for engine in [Engine::Swath, Engine::Torch] {
        if let Some(contender) = bench.contender(case, engine, &settings)? {
            check_same_network(Some(trained), contender.parameters)?;
            sides.push(contender);
        }
    }
    for _ in 0..bench.rounds() {
        sides.iter_mut().try_for_each(Contender::measure)?;
    }
    let time = |side: Option<&Contender>| median(side?.seconds.iter().copied());
    let (own, other) = (time(sides.first()).context("nothing was measured")?, time(sides.get(1)));
    let memory =
        |side: Option<&Contender>| side.and_then(|side| side.peak_mb).map_or("-".into(), |mb| format!("{mb:.0}"));
    let cells = vec![
        three_digits(Some(own * 1e3)),
        three_digits(other.map(|other| other * 1e3)),
        three_digits(other.map(|other| own / other)),
        memory(sides.first()),
        memory(sides.get(1)),
    ];
    Ok((trained, cells))
}
