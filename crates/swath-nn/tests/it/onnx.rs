//! ONNX files, run by tract, against the networks that they were written from.
//!
//! With `SWATH_ONNX_DIR` the files stay in that folder, each with its images and scores, for `fixtures/nn/check_onnx.py`.

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;
use swath_nn::decoder::polycnn::{CORNERS, PolycnnConfig};
use swath_nn::encoder::plain::PlainConfig;
use swath_nn::onnx::{Model, OnnxError, Options, Output, export};
use swath_nn::{Segmenter, SegmenterConfig};

use crate::executor::network;
use crate::family::{BANDS, CLASSES, some_pairs};

/// A file that normalizes, and gives logits.
fn options(size: Option<[usize; 2]>) -> Options {
    let band = |first: f32, step: f32| (0..BANDS).map(|band| first + step * band as f32).collect();
    Options {
        bands: BANDS,
        size,
        normalization: Some([band(100.0, 7.0), band(20.0, 3.0)]),
        output: Output::Logits,
        metadata: vec![("class_names".into(), r#"{"0": "other"}"#.into())],
    }
}

/// Scores that lie between 0 and 1, and not at them.
fn scores(network: &Segmenter, options: &Options, shape: [usize; 4]) -> Output {
    let logits = expected(network, options, shape);
    Output::Scores { temperature: logits.iter().fold(1e-3, |greatest: f32, x| greatest.max(x.abs())) / 2.0 }
}

/// Pixel values before normalization.
fn images(shape: [usize; 4]) -> Vec<f32> {
    let value = |index: usize| {
        let noise = (index as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
        (index as f32 * 0.05).sin().mul_add(40.0, noise as f32 * 0.5 + 30.0)
    };
    (0..shape.iter().product()).map(value).collect()
}

/// What the file has to put out, by the network itself.
fn expected(network: &Segmenter, options: &Options, shape: [usize; 4]) -> Vec<f32> {
    let device = Device::flex();
    let tensor = |values: Vec<f32>, shape: [usize; 4]| Tensor::<4>::from_data(TensorData::new(values, shape), &device);
    let mut x = tensor(images(shape), shape);
    if let Some(normalization) = &options.normalization {
        let [mean, std] = normalization.each_ref().map(|values| tensor(values.clone(), [1, BANDS, 1, 1]));
        x = (x - mean) / std;
    }
    let network = network.valid();
    let out = match options.output {
        Output::Logits => network.forward(x).into_data(),
        Output::Scores { temperature } => softmax(network.forward(x) / temperature, 1).into_data(),
        Output::Corners => {
            let [_, _, height, width] = shape.map(|side| side as f32);
            let shares: Vec<f32> = sigmoid(network.of_patches(x)).into_data().try_into_vec().unwrap();
            return shares.chunks_exact(2).flat_map(|corner| [corner[0] * width, corner[1] * height]).collect();
        }
    };
    out.try_into_vec().unwrap()
}

fn check(network: &Segmenter, config: &SegmenterConfig, model: &Model, options: &Options, shape: [usize; 4]) {
    let expected = expected(network, options, shape);
    let found = tract::run(&model.bytes, shape, &images(shape))
        .unwrap_or_else(|error| panic!("{config:?} at {shape:?}: {error:?}"));
    assert_eq!(found.len(), expected.len(), "{config:?} at {shape:?}");
    let spread = expected.iter().fold([f32::MAX, f32::MIN], |[low, high], x| [low.min(*x), high.max(*x)]);
    assert!(spread[1] - spread[0] > 0.01, "{config:?}: one score for all, {spread:?}");
    assert!(spread[0] > 1e-4 && spread[1] < 0.9999, "{config:?}: scores without doubt, {spread:?}");
    let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error < 1e-4, "{config:?} at {shape:?}: an error of {error}");
}

/// The file of a network, of any size where it can have one, and the images to try it on.
fn file(network: &Segmenter) -> (Model, Options, Vec<[usize; 4]>) {
    let open = options(None);
    let open = Options { output: scores(network, &open, [1, BANDS, 72, 96]), ..open };
    match export(network, &open) {
        Ok(model) => {
            let (least, stride) = (model.least, network.stride());
            let shapes = vec![[2, BANDS, least, least + stride], [1, BANDS, 2 * least + stride, least]];
            (model, open, shapes)
        }
        Err(OnnxError::Sizes { .. }) => {
            let fixed = Options { size: Some([72, 96]), ..open };
            (export(network, &fixed).unwrap(), fixed, vec![[2, BANDS, 72, 96]])
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_member_is_the_same_in_tract() {
    let kept = std::env::var_os("SWATH_ONNX_DIR");
    for (index, config) in some_pairs().iter().enumerate() {
        let network = network(config);
        let (model, options, shapes) = file(&network);
        assert!(model.any_batch, "{config:?}");
        for shape in &shapes {
            check(&network, config, &model, &options, *shape);
        }
        if let Some(folder) = &kept {
            let name = format!("{index:02}-{}-{}", config.encoder.name(), config.decoder.name());
            keep(Path::new(folder), &name, &model, &shapes, &|shape| expected(&network, &options, shape));
        }
    }
}

fn keep(folder: &Path, name: &str, model: &Model, shapes: &[[usize; 4]], scores: &dyn Fn([usize; 4]) -> Vec<f32>) {
    std::fs::write(folder.join(format!("{name}.onnx")), &model.bytes).unwrap();
    let runs: Vec<_> = shapes
        .iter()
        .map(|shape| json!({ "shape": shape, "images": images(*shape), "scores": scores(*shape) }))
        .collect();
    std::fs::write(folder.join(format!("{name}.json")), json!(runs).to_string()).unwrap();
}

#[test]
fn only_windows_and_mirrored_edges_need_a_size() {
    for config in some_pairs() {
        let open = export(&network(&config), &options(None));
        let levels = config.encoder.levels(config.decoder.output_stride()).unwrap();
        let mirrors = levels.iter().any(|level| level.margin > 0);
        let sized = config.encoder.name() == "swin" || mirrors;
        assert_eq!(matches!(open, Err(OnnxError::Sizes { .. })), sized, "{config:?}: {:?}", open.err());
    }
}

#[test]
fn files_of_one_size_take_sizes_that_are_no_whole_strides() {
    let config = some_pairs().remove(0);
    let network = network(&config);
    let options = options(Some([33, 47]));
    let options = Options { output: scores(&network, &options, [1, BANDS, 33, 47]), ..options };
    let model = export(&network, &options).unwrap();
    assert_eq!(model.size, Some([33, 47]));
    check(&network, &config, &model, &options, [1, BANDS, 33, 47]);
}

#[test]
fn logits_of_normalized_images_are_the_networks_own() {
    let config = some_pairs().remove(0);
    let network = network(&config);
    let options = Options { normalization: None, ..options(None) };
    let model = export(&network, &options).unwrap();
    let stride = network.stride();
    let shape = [1, BANDS, 4 * stride, 3 * stride];
    let (found, expected) =
        (tract::run(&model.bytes, shape, &images(shape)).unwrap(), expected(&network, &options, shape));
    assert_eq!(expected.len(), CLASSES * 12 * stride * stride);
    let greatest = expected.iter().fold(0f32, |greatest, x| greatest.max(x.abs()));
    let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error < 1e-4 * greatest, "an error of {error} beside {greatest}");
}

/// An encoder whose side of a patch is no whole stride, so that mirroring is in the file, too.
#[test]
fn corners_are_in_pixels_of_the_patch() {
    let encoder = PlainConfig { width: 4, depth: 3, ..PlainConfig::default() };
    let decoder = PolycnnConfig { channels: vec![8], grid: 3, code: 8, hidden: 8, ..PolycnnConfig::default() };
    let config = SegmenterConfig::new(encoder, decoder, BANDS, 2 * CORNERS);
    let network = network(&config);
    let options = Options { output: Output::Corners, ..options(Some([41, 37])) };
    let model = export(&network, &options).unwrap();
    assert!(model.any_batch);
    let shape = [3, BANDS, 41, 37];
    let (found, expected) =
        (tract::run(&model.bytes, shape, &images(shape)).unwrap(), expected(&network, &options, shape));
    assert_eq!(found.len(), 3 * 2 * CORNERS);
    let error = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error < 1e-3, "an error of {error} pixels: {found:?} {expected:?}");
    let spread = expected.iter().fold([f32::MAX, f32::MIN], |[low, high], x| [low.min(*x), high.max(*x)]);
    assert!(spread[0] > 0.1 && spread[1] - spread[0] > 1.0, "{expected:?}");
    if let Some(folder) = std::env::var_os("SWATH_ONNX_DIR") {
        keep(Path::new(&folder), "corners", &model, &[shape], &|_| expected.clone());
    }
    let open = export(&network, &Options { size: None, ..options });
    assert!(matches!(open, Err(OnnxError::Sizes { .. })), "{:?}", open.err());
}

#[test]
fn keys_and_values_are_in_the_file() {
    let network = network(&some_pairs()[0]);
    let model = export(&network, &options(None)).unwrap();
    let least = ("size_least".to_owned(), model.least.to_string());
    assert_eq!(tract::metadata(&model.bytes).unwrap(), [options(None).metadata, vec![least]].concat());
}

/// The part that talks to tract, whose names would hide others.
mod tract {
    use tract_onnx::prelude::*;

    /// The output for images of a shape.
    pub(super) fn run(file: &[u8], shape: [usize; 4], images: &[f32]) -> TractResult<Vec<f32>> {
        let runnable = tract_onnx::onnx()
            .model_for_read(&mut &*file)?
            .with_input_fact(0, f32::fact(shape).into())?
            .into_optimized()?
            .into_runnable()?;
        let out = runnable.run(tvec!(Tensor::from_shape(&shape, images)?.into()))?;
        Ok(out[0].to_plain_array_view::<f32>()?.iter().copied().collect())
    }

    pub(super) fn metadata(file: &[u8]) -> TractResult<Vec<(String, String)>> {
        let file = tract_onnx::onnx().proto_model_for_read(&mut &*file)?;
        Ok(file.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect())
    }
}
