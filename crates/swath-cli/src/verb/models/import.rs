//! `swath models import`: weights of other programs as encoder files.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Result, bail};
use burn::tensor::Device;
use clap::Args;
use swath::pretrained::{EncoderWeights, OtherState, Report, encoder_config};

use super::show::thousands;
use super::{LISTED, find};
use crate::args::keep_inputs;
use crate::console::{Console, Usage};

/// Turn weights of PyTorch into an encoder file that training can start from
///
/// Name the network with --preset, or its encoder with --encoder and -s. Reads files of torch.save (.pth, .pt, .bin; nothing in them is run) and safetensors files with the names of torchvision, timm
/// or segmentation_models.pytorch, and Swath's own bundles. Prints which of their tensors the encoder takes, which it lacks and
/// which are left over, as a classifier's are.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  swath models import resnet34.pth --preset unet-resnet34 -o resnet34.safetensors
  swath models import vgg16.safetensors --encoder vgg -s depth=16 -o vgg16-encoder.safetensors
  swath models import mine.pth --encoder resnet --licence CC-BY-4.0 -o mine.safetensors

Then, in a recipe:
  [model.encoder.resnet]
  depth = 34
  weights = \"resnet34.safetensors\"")]
pub(super) struct ImportArgs {
    /// The file with the weights
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Named network whose encoder takes them
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Encoder that takes them
    #[arg(long, value_name = "NAME", conflicts_with = "preset")]
    encoder: Option<String>,
    /// Option of the encoder, as in a recipe (may be given several times)
    #[arg(short = 's', value_name = "KEY=VALUE", requires = "encoder", conflicts_with = "preset")]
    options: Vec<String>,
    /// Licence of the weights, kept in the encoder file and named by networks that start from it (an SPDX expression)
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// Accept that the file lacks some of the encoder's parameters
    #[arg(long)]
    partial: bool,
    /// Encoder file to write
    #[arg(long, short, value_name = "ENCODER")]
    out: PathBuf,
    /// Replace an existing file
    #[arg(long)]
    overwrite: bool,
    /// Print the key report as JSON
    #[arg(long)]
    json: bool,
}

/// Imports, and says what matched.
pub(super) fn run(args: &ImportArgs, console: &Console) -> Result<String> {
    let encoder = match (&args.preset, &args.encoder) {
        (Some(preset), _) => (find(preset)?.config)(LISTED.bands, LISTED.classes).encoder,
        (None, Some(encoder)) => encoder_config(encoder, &args.options)?,
        (None, None) => bail!(Usage(
            "name the network that takes the weights with --preset, or its encoder with --encoder".to_string()
        )),
    };
    if args.licence.as_ref().is_some_and(|licence| licence.trim().is_empty()) {
        bail!(Usage("--licence is empty: write an SPDX expression such as CC-BY-4.0, or leave it out".to_string()));
    }
    if args.out.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("safetensors")) {
        bail!(Usage(format!("--out {}: give a name that ends in .safetensors", args.out.display())));
    }
    keep_inputs([&args.out], [&args.file])?;
    if args.out.exists() && !args.overwrite {
        bail!(Usage(format!("{} exists; choose another name or replace it with --overwrite", args.out.display())));
    }
    let mut weights = EncoderWeights::read(&args.file, &encoder, args.partial, &Device::default())?;
    if let Some(licence) = &args.licence {
        weights.origin.licence = Some(licence.trim().to_string());
    }
    weights.save(&args.out)?;
    console.say(format_args!("encoder {} in {}", encoder.name(), args.out.display()));
    if args.json { Ok(serde_json::to_string_pretty(&weights.report)?) } else { Ok(key_report(&weights.report)) }
}

fn key_report(report: &Report) -> String {
    let prefix = match report.prefix.as_str() {
        "" => String::new(),
        prefix => format!(" after `{}`", prefix.escape_debug()),
    };
    let list = |names: &[String]| match names {
        [] => "none".to_string(),
        names => {
            let lines: Vec<String> = names.iter().map(|name| format!("\n  {}", name.escape_debug())).collect();
            format!("{}{}", names.len(), lines.concat())
        }
    };
    let state = match report.state.as_str() {
        "" => String::new(),
        state => format!(" in `{}`", state.escape_debug()),
    };
    let mut text = format!(
        "File       {} tensors{state}, names of {}{prefix}\n           = {} matched + {} left over + {} without weights\n\
         Matched    {} of {} parameters, {} values\nMissing    {}\nLeft over  {}",
        report.tensors,
        report.library,
        report.matched,
        report.left_over.len(),
        report.without_weights.len(),
        report.matched,
        report.matched + report.missing.len(),
        thousands(report.values),
        match report.missing[..] {
            [] => "none".to_string(),
            _ => format!("{}\n           Training draws these.", list(&report.missing)),
        },
        list(&report.left_over),
    );
    if !report.without_weights.is_empty() {
        // One name stands for all of its layers.
        let ends = report.without_weights.iter().map(|name| name.rsplit('.').next().unwrap_or(name));
        let ends: BTreeSet<String> = ends.map(|end| end.escape_debug().to_string()).collect();
        let ends: Vec<String> = ends.into_iter().collect();
        text += &format!("\nNo weights {}: {}", report.without_weights.len(), ends.join(", "));
    }
    for OtherState { state, tensors } in &report.other_states {
        let place = if state.is_empty() { "the file itself".into() } else { format!("`{}`", state.escape_debug()) };
        text += &format!("\nNot taken  {tensors} tensors in {place}");
    }
    if !report.objects.is_empty() {
        text += &format!("\nNot read   Python objects: {}", report.objects.join(", "));
    }
    text + &report.note.as_ref().map_or(String::new(), |note| format!("\nNote       {note}"))
}
