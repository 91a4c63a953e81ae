//! The networks of the family beside the same ones in PyTorch: forward, training step, memory.

use anyhow::{Context, Result};

use crate::case::Case;
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

/// A table of all networks.
pub(crate) fn family(bench: &Bench) -> Result<String> {
    let quick = bench.effort() == Effort::Quick;
    let base = Settings {
        scene: bench.file("family-images.f32"),
        labels: bench.file("family-labels.u8"),
        out: bench.file("family-result.f32"),
        bands: 4,
        classes: 3,
        chip: if quick { 64 } else { 256 },
        ..Settings::default()
    };
    let golden = |(name, case): (&'static str, &str)| (name, Settings { golden: Some(case.into()), ..base.clone() });
    let named = |name, network| (name, Settings { network, width: 64, ..base.clone() });
    let mut networks: Vec<_> = GOLDEN.into_iter().map(golden).collect();
    networks.insert(4, named("unet-resnet50", Network::UnetResnet50));
    networks.push(named("unet", Network::Unet));
    networks.push(named("segformer-b0", Network::SegformerB0));
    if quick {
        networks.truncate(1);
    }
    let rounds = bench.rounds();
    let mut rows = Vec::new();
    for (name, settings) in networks {
        let (trained, forward) = measured(bench, Case::Forward, Settings { batch: 1, count: 3, ..settings.clone() })?;
        let (_, step) = measured(bench, Case::Step, Settings { batch: 4, count: 1, ..settings })?;
        eprintln!("{name}: {} and {}", forward.join(", "), step.join(", "));
        let times = |cells: &[String]| cells[..3].to_vec();
        let memory = forward[3..].to_vec();
        let first = vec![format!("`{name}`"), format!("{:.1} M", trained as f64 / 1e6)];
        rows.push([first, times(&forward), times(&step), memory].concat());
    }
    let title = format!(
        "Networks of the family, {0} bands, {1} classes, {2}x{2}: prediction of one image; training steps with 4 (forward, \
         cross-entropy, backward, AdamW); medians of {rounds} rounds; peak memory is that of the process that predicts",
        base.bands, base.classes, base.chip,
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
