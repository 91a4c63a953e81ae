//! ONNX files of every member.
//!
//! With `SWATH_ONNX_DIR` the files stay in that folder, each with its images and scores, for `fixtures/nn/check_onnx.py`.

use std::path::Path;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::json;
use swath_nn::Segmenter;
use swath_nn::onnx::{Model, OnnxError, Options, Output, export};

use crate::executor::network;
use crate::family::{BANDS, some_pairs};

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
    Output::Scores { temperature: logits.iter().fold(1e-3, |greatest: f32, x| greatest.max(x.abs())) / 3.0 }
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
    let logits = network.valid().forward(x);
    let out = match options.output {
        Output::Logits => logits,
        Output::Scores { temperature } => softmax(logits / temperature, 1),
    };
    out.into_data().try_into_vec().unwrap()
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
fn every_member_has_a_file() {
    let kept = std::env::var_os("SWATH_ONNX_DIR");
    for (index, config) in some_pairs().iter().enumerate() {
        let network = network(config);
        let (model, options, shapes) = file(&network);
        assert!(model.any_batch, "{config:?}");
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
