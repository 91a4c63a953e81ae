//! `swath export`: a trained network for other programs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{ArgAction, ArgGroup, Args, ValueEnum};
use serde_json::json;
use swath::bundle::Bundle;
use swath::export::{Asset, ExportOptions, Model, stac_item, to_onnx};
use swath::whole_file::write_whole;
use swath_geo::GeoError;

use crate::console::{Console, Usage};

/// Write a trained network as ONNX, or describe it as a STAC item
///
/// An ONNX file runs in ONNX Runtime, OpenVINO, tract and many others, without Swath. It takes images of any size in whole strides of
/// the network; --size fixes the size, which QGIS Deepness needs. Values are taken as they stand in scenes and scores (calibrated
/// class probabilities) come out, unless you say otherwise; of a network that draws outlines, the corners of the object in the middle of a
/// patch. The STAC item follows the machine learning model extension.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("outputs").args(["onnx", "stac"]).required(true).multiple(true))]
#[command(after_help = "Examples:
  swath export bundle.safetensors --onnx model.onnx
  swath export bundle.safetensors --onnx deepness.onnx --size 512
  swath export bundle.safetensors --onnx model.onnx --stac item.json")]
pub(crate) struct ExportArgs {
    /// The trained network
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// ONNX file to write (.onnx)
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// STAC item to write (.json): of the ONNX file where one is written, else of the bundle
    #[arg(long, value_name = "FILE")]
    stac: Option<PathBuf>,
    /// Side of the images in pixels, where it shall be fixed
    #[arg(long, value_name = "N", requires = "onnx", value_parser = clap::value_parser!(u16).range(1..))]
    size: Option<u16>,
    /// Normalize within the file; with `false` it takes normalized values
    #[arg(long, value_name = "BOOL", requires = "onnx", action = ArgAction::Set, num_args = 0..=1,
          default_value_t = true, default_missing_value = "true")]
    with_normalization: bool,
    /// What the file gives: scores, unless the network draws outlines, whose file gives corners
    #[arg(long, value_enum, requires = "onnx")]
    output: Option<OutputArg>,
    /// Print what the file takes and gives as JSON
    #[arg(long)]
    json: bool,
    /// Replace existing files
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OutputArg {
    /// Class probabilities: the softmax of the logits over the bundle's temperature
    Scores,
    /// What the network computes, before the softmax
    Logits,
}

pub(crate) fn run(args: &ExportArgs, console: &Console) -> Result<()> {
    let outputs: Vec<&PathBuf> = args.onnx.iter().chain(&args.stac).collect();
    if let [onnx, stac] = outputs[..]
        && onnx == stac
    {
        bail!(Usage(format!("{} is named for two outputs; give each its own file", onnx.display())));
    }
    for (option, path, ending) in [("--onnx", &args.onnx, "onnx"), ("--stac", &args.stac, "json")] {
        if let Some(path) = path
            && path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case(ending))
        {
            bail!(Usage(format!("{option} {}: give a name that ends in .{ending}", path.display())));
        }
    }
    let bundle = Bundle::load(&args.bundle)?;
    if let Some(path) = outputs.iter().find(|path| path.exists() && !args.overwrite) {
        bail!(GeoError::Exists { path: path.to_path_buf() });
    }
    if let (Some(_), Some(_)) = (bundle.header.recipe.outlines(), args.output) {
        bail!(Usage("this network draws outlines, and its file gives their corners: leave out --output".into()));
    }
    let options = ExportOptions {
        size: args.size.map(usize::from),
        normalize: args.with_normalization,
        scores: args.output != Some(OutputArg::Logits),
    };
    let model = args.onnx.as_ref().map(|_| to_onnx(&bundle, &options)).transpose();
    let model = model.with_context(|| args.bundle.display().to_string())?;
    let item = args.stac.as_ref().map(|stac| item(args, stac, &bundle, model.as_ref(), &options)).transpose()?;
    if let (Some(path), Some(model)) = (&args.onnx, &model) {
        write_whole(path, &model.bytes)?;
        match (model.size, options.size) {
            (Some([side, _]), None) if bundle.header.recipe.outlines().is_some() => {
                console.say(format_args!("for patches of {side} x {side} pixels, each with an object in its middle"))
            }
            (Some([height, width]), None) => console.say(format_args!(
                "what this network does depends on the size of the images: the file is for {height} x {width} pixels"
            )),
            (None, _) => console.say(format_args!(
                "for images whose height and width are multiples of {} pixels, {} at least",
                bundle.config().stride()?,
                model.least
            )),
            _ => {}
        }
    }
    if let (Some(path), Some(item)) = (&args.stac, item) {
        write_whole(path, item.as_bytes())?;
    }
    if args.json {
        return Ok(console.result(serde_json::to_string_pretty(&described(
            args,
            &bundle,
            model.as_ref(),
            &options,
        )?)?)?);
    }
    for path in outputs {
        console.result(path.display())?;
    }
    Ok(())
}

/// The text of the STAC item, which names the file beside it.
fn item(
    args: &ExportArgs,
    stac: &Path,
    bundle: &Bundle,
    model: Option<&Model>,
    options: &ExportOptions,
) -> Result<String> {
    let (file, asset) = match (&args.onnx, model) {
        (Some(onnx), Some(model)) => (onnx, Asset::Onnx(model, options)),
        _ => (&args.bundle, Asset::Bundle),
    };
    let href = relative(&real(file), &real(stac));
    let id = stac.file_stem().unwrap_or(stac.as_os_str()).to_string_lossy();
    Ok(serde_json::to_string_pretty(&stac_item(bundle, &id, &href, asset))? + "\n")
}

/// A path from the root, without links and `..` in its folders; as it stands where these are not there.
fn real(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    folder.zip(path.file_name()).map(|(folder, name)| folder.join(name)).unwrap_or(path)
}

/// How `file` is called from beside `beside`, so that both can move together: with slashes, as addresses have them.
fn relative(file: &Path, beside: &Path) -> String {
    let parts = |path: &Path| path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let (file, folder): (Vec<_>, Vec<_>) = (parts(file), parts(beside.parent().unwrap_or(beside)));
    let shared = file.iter().zip(&folder).take_while(|(a, b)| a == b).count();
    let up = folder[shared..].iter().map(|_| "..");
    up.chain(file[shared..].iter().map(String::as_str)).collect::<Vec<_>>().join("/")
}

fn described(
    args: &ExportArgs,
    bundle: &Bundle,
    model: Option<&Model>,
    options: &ExportOptions,
) -> Result<serde_json::Value> {
    let header = &bundle.header;
    let onnx = model.map(|model| -> Result<_> {
        let size = model.size.map(|[height, width]| json!({ "height": height, "width": width }));
        Ok(json!({
            "file": args.onnx,
            "bytes": model.bytes.len(),
            "batch": if model.any_batch { json!("any") } else { json!(1) },
            "size": size,
            "size_multiple": bundle.config().stride()?,
            "size_least": if model.size.is_none() { json!(model.least) } else { serde_json::Value::Null },
            "normalizes": options.normalize,
            "output": options.output(header).name(),
        }))
    });
    let classes: Vec<&str> = header.classes.iter().map(|class| class.name.as_str()).collect();
    Ok(json!({
        "bundle": args.bundle,
        "bands": header.bands,
        "classes": classes,
        "onnx": onnx.transpose()?,
        "stac": args.stac,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_from_where_the_item_stands() {
        let named = |file: &str, item: &str| relative(Path::new(file), Path::new(item));
        assert_eq!(named("/a/b/model.onnx", "/a/b/item.json"), "model.onnx");
        assert_eq!(named("/a/b/model.onnx", "/a/item.json"), "b/model.onnx");
        assert_eq!(named("/a/b/model.onnx", "/a/items/new/item.json"), "../../b/model.onnx");
    }
}
