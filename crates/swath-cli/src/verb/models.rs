//! `swath models`: the networks that a recipe can name.

use anyhow::{Result, bail};
use burn::module::Module;
use burn::tensor::Device;
use clap::{Args, Subcommand};
use swath::recipe::Model;
use swath_nn::decoder::DecoderConfig;
use swath_nn::encoder::EncoderConfig;
use swath_nn::preset::{PRESETS, Preset};
use swath_nn::{Member, SegmenterConfig};

use crate::console::{Console, Usage};

/// List the networks, or show one
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath models
  swath models show unet-resnet34")]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List encoders, decoders and named networks (the default)
    List,
    /// Show a named network: paper, weights, and how to write it in a recipe
    Show {
        /// Name of the network
        name: String,
    },
}

pub(crate) fn run(args: &ModelsArgs, console: &Console) -> Result<()> {
    let text = match &args.action {
        None | Some(Action::List) => list(),
        Some(Action::Show { name }) => match PRESETS.iter().find(|preset| preset.name == name) {
            Some(preset) => show(preset)?,
            None => {
                let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
                bail!(Usage(format!("no network is named '{name}'; there are {}", names.join(", "))));
            }
        },
    };
    console.result(text.trim_end())?;
    Ok(())
}

fn list() -> String {
    let mut text = String::new();
    let members = |title: &str, members: &[Member]| {
        let lines: Vec<String> = members.iter().map(|m| format!("  {:<18} {}\n", m.name, m.summary)).collect();
        format!("{title}\n{}\n", lines.concat())
    };
    text += &members("Encoders: [model.encoder.NAME] in a recipe", EncoderConfig::MEMBERS);
    text += &members("Decoders: [model.decoder.NAME] in a recipe", DecoderConfig::MEMBERS);
    text += "Named networks: swath models show NAME\n";
    for preset in PRESETS {
        text += &format!("  {:<18} {}\n", preset.name, preset.summary);
    }
    text
}

/// Bands and classes for which a network's size is shown.
const SHOWN_FOR: (usize, usize) = (3, 2);

fn show(preset: &Preset) -> Result<String> {
    let (bands, classes) = SHOWN_FOR;
    let config = (preset.config)(bands, classes);
    let weights = match (preset.weights, preset.weights_licence) {
        (Some(from), Some(licence)) => format!("{from} ({licence})"),
        (Some(from), None) => from.to_string(),
        (None, _) => "none; training starts from random weights".to_string(),
    };
    let parameters = config.init(&Device::default())?.num_params();
    Ok(format!(
        "{}\n  {}\n\nPaper       {} ({})\n            {}\nWeights     {weights}\nParameters  {} ({bands} bands, {classes} classes)\n\nIn a recipe:\n\n{}",
        preset.name,
        preset.summary,
        preset.paper,
        preset.year,
        preset.url,
        thousands(parameters),
        in_recipe(&config)?,
    ))
}

/// The network as a recipe writes it.
fn in_recipe(config: &SegmenterConfig) -> Result<String> {
    let SegmenterConfig { encoder, decoder, head, .. } = config.clone();
    let model = Model { encoder, decoder, head };
    Ok(toml::to_string(&std::collections::BTreeMap::from([("model", model)]))?)
}

/// `1234567` as `1,234,567`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}
