//! `swath models show`: one network, or one of the parts that networks are made of.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use swath::recipe::{Model, Recipe, keys};
use swath_nn::Member;
use swath_nn::decoder::DecoderConfig;
use swath_nn::encoder::EncoderConfig;

use super::{Costs, LISTED, Network, Sizes, find};
use crate::console::Usage;

/// Show a named network (paper, cost, weights, and how to write it in a recipe), the network of a recipe, or an encoder's or a decoder's keys
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Name of the network, the encoder or the decoder (encoder.NAME and decoder.NAME where a network has the name, too), or a recipe (.toml)
    name: String,
    /// Bands of the images; 3, or those that the recipe names or its first scene has, unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    bands: Option<u16>,
    /// Classes, 2 or the recipe's unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    classes: Option<u16>,
    /// Side of the chips whose prediction is counted, 512 pixels or the recipe's `predict.chip` unless given
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u16).range(1..=4096))]
    size: Option<u16>,
    /// Set a key of the recipe; may be given several times
    #[arg(long = "set", short = 's', value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ShowArgs) -> Result<String> {
    if Path::new(&args.name).extension().is_some_and(|extension| extension == "toml") {
        let planned = Planned::new(args)?;
        return if args.json { json(&planned) } else { planned.text() };
    }
    if !args.set.is_empty() {
        bail!(Usage(format!("--set is for recipes, and `{}` names none", args.name)));
    }
    match (find(&args.name), Part::find(&args.name)?) {
        (Ok(preset), _) => {
            let network = Network::new(preset, args.sizes(LISTED))?;
            if args.json { json(&network) } else { Ok(text(&network)? + &namesakes(&args.name)?) }
        }
        (Err(_), Some(part)) => {
            let given = [("--bands", args.bands), ("--classes", args.classes), ("--size", args.size)];
            if let Some((option, _)) = given.iter().find(|(_, value)| value.is_some()) {
                bail!(Usage(format!("{option} is for whole networks, and `{}` is {}", args.name, part.title())));
            }
            if args.json { json(&part) } else { Ok(part.text()) }
        }
        (Err(unknown), None) => Err(unknown),
    }
}

/// What else has the name of a network.
fn namesakes(name: &str) -> Result<String> {
    let also = |part: Part| {
        format!("\n{name} is also {}: `swath models show {}.{name}` shows its keys.\n", part.title(), part.kind)
    };
    Ok(Part::find(name)?.map(also).unwrap_or_default())
}

fn json(shown: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string_pretty(shown)?)
}

impl ShowArgs {
    /// What the options say, and where they do not, something else.
    fn sizes(&self, other: Sizes) -> Sizes {
        let or = |given: Option<u16>, other| given.map_or(other, usize::from);
        Sizes {
            bands: or(self.bands, other.bands),
            classes: or(self.classes, other.classes),
            side: or(self.size, other.side),
        }
    }
}

/// The network of a recipe.
#[derive(Serialize)]
struct Planned {
    recipe: String,
    #[serde(flatten)]
    costs: Costs,
    model: Model,
}

impl Planned {
    fn new(args: &ShowArgs) -> Result<Planned> {
        let path = Path::new(&args.name);
        let recipe = Recipe::load_alone(path, &args.set)?;
        if args.classes.is_some() {
            bail!(Usage(format!("{} has its classes: leave out --classes", args.name)));
        }
        let bands = match (args.bands, &recipe.data.bands) {
            (Some(_), Some(bands)) => {
                bail!(Usage(format!("{} names {} bands: leave out --bands", args.name, bands.len())))
            }
            (Some(bands), None) => usize::from(bands),
            (None, Some(bands)) => bands.len(),
            (None, None) => Recipe::load(path, &args.set).and_then(|recipe| recipe.count_bands()).with_context(|| {
                format!("{} takes all bands that its scenes have; where these are not at hand, say how many with --bands", args.name)
            })?,
        };
        let sizes = Sizes { bands, classes: recipe.data.classes.len(), side: recipe.predict.chip };
        let costs = Costs::of(&recipe.model, args.sizes(sizes))?;
        Ok(Planned { recipe: args.name.clone(), costs, model: recipe.model })
    }

    fn text(&self) -> Result<String> {
        let Planned { recipe, costs, model } = self;
        let (encoder, decoder) = (model.encoder.name(), model.decoder.name());
        Ok(format!("{recipe}\n  encoder {encoder}, decoder {decoder}\n\n{}\n{}", costs.text(), lines(model)?))
    }
}

fn text(network: &Network) -> Result<String> {
    let Network { name, summary, paper, year, url, costs, model, .. } = network;
    let mut text = format!("{name}\n  {summary}\n\nPaper            {paper} ({year})\n                 {url}\n");
    let weights = match (network.weights, network.weights_licence) {
        (Some(from), licence) => format!("{from}, for the encoder\nLicence          {}", licence.unwrap_or(NO_LICENCE)),
        (None, _) => "none; training starts from random weights".to_string(),
    };
    text += &format!("Weights          {weights}\n{}\nIn a recipe:\n\n{}", costs.text(), lines(model)?);
    Ok(text)
}

/// What a recipe says of the network.
fn lines(model: &Model) -> Result<String> {
    Ok(toml::to_string(&std::collections::BTreeMap::from([("model", model)]))?)
}

const NO_LICENCE: &str = "none stated for these weights";

impl Costs {
    fn text(&self) -> String {
        let Costs { bands, classes, parameters, prediction } = self;
        let mut text = format!("Parameters       {} ({bands} bands, {classes} classes)\n", thousands(*parameters));
        if let Some(cost) = prediction {
            let field = match cost.receptive_field {
                Some(side) => format!("{side} x {side} pixels"),
                None => "the whole chip".to_string(),
            };
            text += &format!(
                "MACs             {:.1} billion a megapixel, in chips of {chip} x {chip}\n\
                 Memory           {:.0} MB of activations for such a chip\n\
                 Receptive field  {field}\n",
                cost.macs_per_megapixel / 1e9,
                cost.activation_bytes as f64 / 1e6,
                chip = cost.chip,
            );
        }
        text
    }
}

/// An encoder or a decoder with its keys.
#[derive(Serialize)]
struct Part {
    name: &'static str,
    kind: &'static str,
    summary: &'static str,
    /// In the order of recipes.
    keys: Vec<Key>,
}

/// A key of an encoder or a decoder.
#[derive(Serialize)]
struct Key {
    key: String,
    /// Null where the key is not set.
    default: serde_json::Value,
}

impl Part {
    /// The member of a name, or of `encoder.NAME` or `decoder.NAME`.
    fn find(name: &str) -> Result<Option<Part>> {
        let (kind, name) = match name.split_once('.') {
            Some((kind @ ("encoder" | "decoder"), name)) => (Some(kind), name),
            _ => (None, name),
        };
        let of = |kind, members: &[Member], defaults: serde_json::Value| {
            let member = members.iter().find(|member| member.name == name)?;
            let with_default = |key: String| {
                let default = defaults[name][&key].clone();
                Key { key, default }
            };
            let keys = keys(&format!("model.{kind}.{name}")).into_iter().map(with_default).collect();
            Some(Part { name: member.name, kind, summary: member.summary, keys })
        };
        let may_be = |wanted: &str| kind.is_none_or(|kind| kind == wanted);
        let encoder = EncoderConfig::defaults().into_iter().find(|encoder| may_be("encoder") && encoder.name() == name);
        let decoder = DecoderConfig::defaults().into_iter().find(|decoder| may_be("decoder") && decoder.name() == name);
        Ok(match (encoder, decoder) {
            (Some(encoder), _) => of("encoder", EncoderConfig::MEMBERS, serde_json::to_value(encoder)?),
            (_, Some(decoder)) => of("decoder", DecoderConfig::MEMBERS, serde_json::to_value(decoder)?),
            (None, None) => None,
        })
    }

    fn title(&self) -> String {
        format!("{} {}", if self.kind == "encoder" { "an" } else { "a" }, self.kind)
    }

    fn text(&self) -> String {
        let Part { name, kind, summary, keys } = self;
        let line = |Key { key, default }: &Key| match default {
            serde_json::Value::Null => format!("# {key} = ... (not set)\n"),
            default => format!("{key} = {default}\n"),
        };
        let lines: String = keys.iter().map(line).collect();
        format!(
            "{name}, {}\n  {summary}\n\nIn a recipe, with the defaults of all its keys:\n\n[model.{kind}.{name}]\n{lines}\n\
             What they mean stands in docs/networks.md, section {name}.",
            self.title()
        )
    }
}

/// `1234567` as `1,234,567`.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}
