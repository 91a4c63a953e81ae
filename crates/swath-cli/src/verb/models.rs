//! `swath models`: the networks that a recipe can name, and weights for them.

mod import;
mod show;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use swath::recipe::{Model, Start, nearest};
use swath_nn::decoder::DecoderConfig;
use swath_nn::encoder::EncoderConfig;
use swath_nn::preset::{PRESETS, Preset};
use swath_nn::{Member, SegmenterConfig};

use crate::console::{Console, Usage};

/// List the networks, show one, or import weights for one
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath models
  swath models list --json | jq '.networks[] | select(.parameters < 10000000) | .name'
  swath models show unet-resnet34
  swath models show unet-resnet34 --bands 13 --classes 10 --size 256
  swath models show recipe.toml
  swath models show vgg
  swath models import resnet34.pth --preset unet-resnet34 -o resnet34.safetensors")]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List encoders, decoders and named networks with what these cost (the default)
    List {
        /// Print JSON
        #[arg(long, conflicts_with = "markdown")]
        json: bool,
        /// Print the page docs/models.md
        #[arg(long)]
        markdown: bool,
    },
    Show(show::ShowArgs),
    Import(import::ImportArgs),
}

pub(crate) fn run(args: &ModelsArgs, console: &Console) -> Result<()> {
    let text = match &args.action {
        None => list()?,
        Some(Action::List { json: true, .. }) => serde_json::to_string_pretty(&listing()?)?,
        Some(Action::List { markdown: true, .. }) => markdown()?,
        Some(Action::List { .. }) => list()?,
        Some(Action::Show(args)) => show::run(args)?,
        Some(Action::Import(args)) => import::run(args, console)?,
    };
    console.result(text.trim_end())?;
    Ok(())
}

/// The preset of a name.
pub(super) fn find(name: &str) -> Result<&'static Preset> {
    let found = PRESETS.iter().find(|preset| preset.name == name);
    let Some(preset) = found else {
        let mut names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        let mut near = Vec::new();
        while let (Some(found), 0..3) = (nearest(name, &names), near.len()) {
            near.push(found);
            names.retain(|name| *name != found);
        }
        let hint = if near.is_empty() { String::new() } else { format!("did you mean {}? ", near.join(" or ")) };
        bail!(Usage(format!(
            "no network is named '{name}'; {hint}`swath models` lists the {} there are",
            PRESETS.len()
        )));
    };
    Ok(preset)
}

/// What a network is measured for.
#[derive(Clone, Copy)]
struct Sizes {
    bands: usize,
    classes: usize,
    /// Of a chip, in pixels.
    side: usize,
}

/// Those of the lists.
const LISTED: Sizes = Sizes { bands: 3, classes: 2, side: 512 };

/// Everything that is known of a preset.
#[derive(Serialize)]
struct Network {
    name: &'static str,
    summary: &'static str,
    paper: &'static str,
    year: u16,
    url: &'static str,
    weights: Option<&'static str>,
    weights_licence: Option<&'static str>,
    #[serde(flatten)]
    costs: Costs,
    model: Model,
}

/// What a network takes, and what it costs.
#[derive(Serialize)]
struct Costs {
    bands: usize,
    classes: usize,
    parameters: usize,
    #[serde(flatten)]
    prediction: Option<Prediction>,
}

/// What prediction costs, in chips of `chip` x `chip` pixels.
#[derive(Serialize)]
struct Prediction {
    chip: usize,
    macs_per_megapixel: f64,
    activation_bytes: usize,
    /// Pixels a side; none when an output pixel depends on the whole chip.
    receptive_field: Option<usize>,
}

impl Network {
    fn new(preset: &'static Preset, sizes: Sizes) -> Result<Network> {
        let Preset { name, summary, paper, url, year, weights, weights_licence, .. } = *preset;
        let SegmenterConfig { encoder, decoder, head, .. } = (preset.config)(sizes.bands, sizes.classes);
        let model = Model { licence: None, encoder, start: Start::default(), decoder, head };
        let costs = Costs::of(&model, sizes)?;
        Ok(Network { name, summary, paper, year, url, weights, weights_licence, costs, model })
    }
}

/// Values of an image that networks are measured with, at most: a gigabyte, since the image is allocated.
const MOST_VALUES: usize = 1 << 28;

impl Costs {
    fn of(model: &Model, sizes: Sizes) -> Result<Costs> {
        let Sizes { bands, classes, side } = sizes;
        if bands * side * side > MOST_VALUES {
            bail!(Usage(format!(
                "{bands} bands of {side} x {side} pixels are more than a network is measured with here: give a smaller --size"
            )));
        }
        let config = model.segmenter(bands, classes);
        Ok(Costs { bands, classes, parameters: config.parameters()?, prediction: prediction(&config, side)? })
    }

    /// Parameters, multiplications, memory and receptive field as people read them.
    fn figures(&self) -> [String; 4] {
        let cost = |figure: fn(&Prediction) -> String| self.prediction.as_ref().map_or_else(|| "-".to_string(), figure);
        [
            format!("{:.1} M", self.parameters as f64 / 1e6),
            cost(|cost| format!("{:.0} G", cost.macs_per_megapixel / 1e9)),
            cost(|cost| format!("{:.0} MB", cost.activation_bytes as f64 / 1e6)),
            cost(|cost| cost.receptive_field.map_or_else(|| "all".to_string(), |side| side.to_string())),
        ]
    }
}

#[cfg(feature = "cpu")]
fn prediction(config: &SegmenterConfig, side: usize) -> Result<Option<Prediction>> {
    use swath_nn::measure::{ReceptiveField, measure};

    let measures = measure(config, side)?;
    Ok(Some(Prediction {
        chip: side,
        macs_per_megapixel: measures.macs_per_megapixel(),
        activation_bytes: measures.activation_bytes,
        receptive_field: match measures.receptive_field {
            ReceptiveField::Side(side) => Some(side),
            ReceptiveField::Whole => None,
        },
    }))
}

/// The operations of a network are recorded by a part of the device `cpu`.
#[cfg(not(feature = "cpu"))]
fn prediction(_config: &SegmenterConfig, _side: usize) -> Result<Option<Prediction>> {
    Ok(None)
}

fn networks() -> Result<Vec<Network>> {
    PRESETS.iter().map(|preset| Network::new(preset, LISTED)).collect()
}

/// What `swath models list --json` prints.
#[derive(Serialize)]
struct Listing {
    encoders: Vec<Named>,
    decoders: Vec<Named>,
    networks: Vec<Network>,
}

/// A member of a family.
#[derive(Serialize)]
struct Named {
    name: &'static str,
    summary: &'static str,
}

fn listing() -> Result<Listing> {
    let named = |members: &[Member]| members.iter().map(|&Member { name, summary }| Named { name, summary }).collect();
    Ok(Listing {
        encoders: named(EncoderConfig::MEMBERS),
        decoders: named(DecoderConfig::MEMBERS),
        networks: networks()?,
    })
}

fn list() -> Result<String> {
    let mut text = String::new();
    let members = |title: &str, members: &[Member]| {
        let lines: Vec<String> = members.iter().map(|m| format!("  {:<18} {}\n", m.name, m.summary)).collect();
        format!("{title}\n{}\n", lines.concat())
    };
    text += &members("Encoders: [model.encoder.NAME] in a recipe", EncoderConfig::MEMBERS);
    text += &members("Decoders: [model.decoder.NAME] in a recipe", DecoderConfig::MEMBERS);
    text += "Named networks: swath models show NAME\n";
    let line = |[name, parameters, macs, memory, field, summary]: [&str; 6]| {
        format!("  {name:<26} {parameters:>10} {macs:>8} {memory:>8} {field:>6}  {summary}\n")
    };
    text += line(["", "parameters", "MACs/Mpx", "memory", "field", ""]).trim_end();
    text += "\n";
    for network in networks()? {
        let [parameters, macs, memory, field] = network.costs.figures();
        text += &line([network.name, &parameters, &macs, &memory, &field, network.summary]);
    }
    Ok(text)
}

/// The page docs/models.md.
fn markdown() -> Result<String> {
    let Sizes { bands, classes, side } = LISTED;
    let mut text = format!(
        "# Networks\n\n\
         Made by `swath models list --markdown`. A recipe names an encoder and a decoder, and any two that fit make a network;\n\
         `swath models show NAME` prints the lines that a named one needs. What they can be set to stands in [all their options](networks.md).\n\n\
         ## Named networks\n\n\
         With {bands} bands and {classes} classes. Multiplications (MACs) are those of convolutions, matrix products and attention,\n\
         for a million pixels in chips of {side} x {side}. Memory is that of the values that exist at once when one such chip is predicted\n\
         operation by operation in float32, without the weights. The receptive field is the side of the square of pixels that one\n\
         output pixel depends on, away from the edges; *all* is the whole chip. Networks that give a patch one class are listed with what\n\
         one pass costs; a map takes a pass for each of its cells. Weights are under the licence that their publisher states;\n\
         torchvision states none for its own.\n\n\
         | name | | parameters | MACs/Mpx | memory | field | paper | weights of the encoder |\n\
         | --- | --- | ---: | ---: | ---: | ---: | --- | --- |\n"
    );
    for network in networks()? {
        let [parameters, macs, memory, field] = network.costs.figures();
        let weights = match (network.weights, network.weights_licence) {
            (Some(from), Some(licence)) => format!("[ImageNet]({from}), {licence}"),
            (Some(from), None) => format!("[ImageNet]({from})"),
            (None, _) => String::new(),
        };
        text += &format!(
            "| `{}` | {} | {parameters} | {macs} | {memory} | {field} | [{}]({}) | {weights} |\n",
            network.name, network.summary, network.year, network.url
        );
    }
    for (title, members, note) in
        [("Encoders", EncoderConfig::MEMBERS, ENCODER_NOTES), ("Decoders", DecoderConfig::MEMBERS, DECODER_NOTES)]
    {
        text += &format!("\n## {title}\n\n| name | |\n| --- | --- |\n");
        text.extend(members.iter().map(|member| format!("| `{}` | {} |\n", member.name, member.summary)));
        text += note;
    }
    Ok(text)
}

/// Where weights of other programs fit by name and shape and the layers differ, or may differ.
const ENCODER_NOTES: &str = "\n\
    EfficientNets are published in two forms whose parameters have the same names and shapes, and weights of one give other features in\n\
    the other. By default `efficientnet` and `efficientnet_lite0` have their authors' form: strided convolutions pad more below and to the\n\
    right, as TensorFlow does, and normalization adds 0.001 to variances. It is that of timm's networks whose names begin with `tf_`, and of\n\
    efficientnet_pytorch. `form = \"pytorch\"` pads alike on all sides and adds 0.00001, as torchvision and timm's other networks do, and\n\
    segmentation_models.pytorch's `timm-` encoders, whatever their names.\n\
    Features are held against timm's, those of `efficientnet` with `form = \"pytorch\"` against torchvision's.\n\
    \n\
    `resnet` and `resnext` at output stride 8 and 16 are dilated as torchvision does it: the first block of a stage that gave up its stride\n\
    keeps the dilation before it. segmentation_models.pytorch dilates that block too, so that encoders of dilated networks trained there give\n\
    other features here, as a start for training.\n\
    \n\
    `alexnet` has features of exactly a 4th to a 32nd of the image. torchvision's end a pixel before them: at the lower and right edge, its\n\
    pooled features differ from those here.\n";

/// Where a decoder is not quite that of the paper by whose name people know it.
const DECODER_NOTES: &str = "\n\
    Each decoder's source begins with what differs from its paper. Two that are easily taken for something else: `ternausnet` is this `unet` on\n\
    VGG11, with transposed convolutions as in the paper, but with two convolutions a step and the encoder's channels, where the authors'\n\
    UNet11 has a narrower decoder of its own; `pspnet` joins its pooled maps by a 1x1 convolution, as segmentation_models.pytorch does, where the\n\
    paper has 3x3.\n";
