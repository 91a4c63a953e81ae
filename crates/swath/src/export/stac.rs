//! STAC items with the machine learning model extension, by which catalogues describe networks.
//!
//! <https://github.com/stac-extensions/mlm>, version 1.5.2, in STAC 1.1. A bundle says nothing about when and where a network holds, so the
//! item has no geometry and is for any time, as in the extension's own examples.

use serde_json::{Map, Value, json};
use swath_nn::decoder::polycnn::CORNERS;
use swath_nn::onnx::{Model, Output};
use swath_nn::weights::{Kind, parameter_kind};

use super::ExportOptions;
use crate::bundle::{Bundle, Header};
use crate::classes::{Class, to_hex};
use crate::dataset::Target;

const EXTENSION: &str = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json";

/// The file that an item describes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Asset<'a> {
    /// The bundle itself.
    Bundle,
    /// An ONNX file, as it was written.
    Onnx(&'a Model, &'a ExportOptions),
}

/// Describes a bundle, or the ONNX file that was made of it, which the item finds at `href`. The item's id is `id`.
pub fn stac_item(bundle: &Bundle, id: &str, href: &str, asset: Asset<'_>) -> Value {
    let header = &bundle.header;
    let mut properties = Map::new();
    let mut property = |key: &str, value: Value| properties.insert(key.to_string(), value);
    property("description", json!(description(header)));
    property("datetime", Value::Null);
    property("start_datetime", json!("1900-01-01T00:00:00Z"));
    property("end_datetime", json!("9999-12-31T23:59:59Z"));
    if let Some(licence) = &header.licence {
        property("license", json!(if is_identifier(licence) { licence } else { "other" }));
    }
    if let Some(gsd) = header.gsd {
        property("gsd", json!(gsd));
    }
    let bands: Value = header.bands.iter().map(|band| json!({ "name": band })).collect();
    property("bands", bands.clone());
    let model = &header.recipe.model;
    let architecture = format!("{} encoder with {} decoder", model.encoder.name(), model.decoder.name());
    property("mlm:name", json!(format!("{} {}", model.encoder.name(), model.decoder.name())));
    property("mlm:architecture", json!(architecture));
    property("mlm:tasks", json!([task(header)]));
    property(
        "mlm:framework",
        json!(match asset {
            Asset::Bundle => "Swath",
            Asset::Onnx(..) => "ONNX",
        }),
    );
    let learned = bundle.weights.iter().filter(|tensor| parameter_kind(&tensor.name) != Kind::RunningStat);
    property("mlm:total_parameters", json!(learned.map(|tensor| tensor.data.len()).sum::<usize>()));
    property("mlm:memory_size", json!(bundle.weights.iter().map(|tensor| 4 * tensor.data.len()).sum::<usize>()));
    property("mlm:input", json!([input(header, asset)]));
    property("mlm:output", json!([output(header, asset)]));
    let (kind, artifact) = match asset {
        Asset::Bundle => ("application/octet-stream; framework=safetensors", "safetensors"),
        Asset::Onnx(..) => ("application/octet-stream; framework=onnx", "onnx"),
    };
    json!({
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [EXTENSION],
        "id": id,
        "geometry": null,
        "properties": properties,
        "links": [],
        "assets": {
            "model": {
                "href": href,
                "type": kind,
                "title": architecture,
                "roles": ["mlm:model"],
                "mlm:artifact_type": artifact,
                // The extension wants bands in the properties, where STAC allows them only if an asset has them too.
                "bands": bands,
            },
        },
    })
}

/// Whether STAC takes a licence: one SPDX identifier. Expressions of several, and what SPDX does not know, are `other` there, and stand in the
/// description.
fn is_identifier(licence: &str) -> bool {
    licence.chars().all(|c| c.is_ascii_alphanumeric() || "_-.+".contains(c))
}

/// Training scenes that a description names, at most.
const SCENES: usize = 5;

fn description(header: &Header) -> String {
    let names: Vec<&str> = header.classes.iter().map(|class| class.name.as_str()).collect();
    let scenes = &header.provenance.scenes;
    let some = scenes.iter().take(SCENES).map(String::as_str).collect::<Vec<_>>().join(", ");
    let of = match scenes.len() {
        0 => String::new(),
        count if count > SCENES => format!(", trained on {some} and {} more scenes", count - SCENES),
        _ => format!(", trained on {some}"),
    };
    let start = header.encoder_licence();
    let start =
        start.map_or(String::new(), |licence| format!(". Its encoder starts from weights under the licence {licence}"));
    let licence = header.licence.as_deref().filter(|licence| !is_identifier(licence));
    let licence = licence.map_or(String::new(), |licence| format!(". Licence: {licence}"));
    format!("Classes {} from bands {}{of}{licence}{start}", names.join(", "), header.bands.join(", "))
}

/// `[batch, channels, height, width]`, with -1 where a size is open.
fn shape(header: &Header, channels: usize, asset: Asset<'_>) -> Value {
    let (batch, size) = match asset {
        Asset::Bundle => (-1, super::patch(header).map(|side| [side, side])),
        Asset::Onnx(model, _) => (if model.any_batch { -1 } else { 1 }, model.size),
    };
    let [height, width] = size.map_or([-1, -1], |size| size.map(|size| size as i64));
    json!([batch, channels, height, width])
}

fn input(header: &Header, asset: Asset<'_>) -> Value {
    let normalization = header.normalization.mean.iter().zip(&header.normalization.std);
    let scaling: Vec<Value> =
        normalization.map(|(mean, std)| json!({ "type": "z-score", "mean": mean, "stddev": std })).collect();
    let inside = matches!(asset, Asset::Onnx(_, options) if options.normalize);
    json!({
        "name": "images",
        "description": if inside { "Values as they stand in scenes; the file normalizes" } else { "Normalized values" },
        "bands": header.bands,
        "input": {
            "shape": shape(header, header.bands.len(), asset),
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": "float32",
        },
        "resize_type": null,
        "value_scaling": if inside { Value::Null } else { json!(scaling) },
        "pre_processing_function": null,
    })
}

/// What the network is for, in the extension's words.
fn task(header: &Header) -> &'static str {
    match header.recipe.target() {
        _ if header.recipe.outlines().is_some() => "instance-segmentation",
        Target::Pixels => "semantic-segmentation",
        Target::Cell(cell) if cell == header.recipe.train.chip => "scene-classification",
        Target::Cell(_) => "classification",
    }
}

fn output(header: &Header, asset: Asset<'_>) -> Value {
    let options = match asset {
        Asset::Bundle => ExportOptions { scores: false, ..ExportOptions::default() },
        Asset::Onnx(_, options) => *options,
    };
    let output = options.output(header);
    let images = shape(header, header.classes.len(), asset);
    let (shape, order) = match output {
        Output::Logits | Output::Scores { .. } => (images, json!(["batch", "class", "height", "width"])),
        Output::Corners => (json!([images[0], CORNERS, 2]), json!(["batch", "corner", "coordinate"])),
    };
    let description = match output {
        Output::Logits => "One number for each class, before the softmax",
        Output::Scores { .. } => "Class probabilities",
        Output::Corners => super::CORNERS,
    };
    let classes: Vec<Value> = header.classes.iter().enumerate().map(|(id, class)| classified(id, class)).collect();
    json!({
        "name": output.name(),
        "description": description,
        "tasks": [task(header)],
        "result": {
            "shape": shape,
            "dim_order": order,
            "data_type": "float32",
        },
        "classification:classes": classes,
        "post_processing_function": null,
    })
}

/// A class as the classification extension, version 1.1, has it: names there are of letters, digits, `-` and `_`.
fn classified(id: usize, class: &Class) -> Value {
    let name: String = class
        .name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' })
        .collect();
    let color = to_hex(class.color).trim_start_matches('#').to_uppercase();
    json!({ "value": id, "name": name, "description": class.name, "color_hint": color })
}
