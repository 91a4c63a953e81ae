//! Files that presets name and libraries write, by their names and shapes.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView};
use swath_nn::weights::foreign::{Match, Source, slots};

use super::report::{TIMM_IN_SMP, is_whole, library, note};
use super::*;
use crate::error::Result;

fn encoder(name: &str, options: &[&str]) -> swath_nn::encoder::EncoderConfig {
    encoder_config(name, &options.iter().map(|option| option.to_string()).collect::<Vec<_>>()).unwrap()
}

/// A safetensors file of zeros.
fn write(path: &Path, tensors: &BTreeMap<String, Vec<usize>>) {
    let bytes = vec![0; tensors.values().map(|shape| 4 * shape.iter().product::<usize>()).max().unwrap_or(0)];
    let views = tensors.iter().map(|(name, shape)| {
        let bytes = &bytes[..4 * shape.iter().product::<usize>()];
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// VGG16 by torchvision's names at the width of an encoder, with a classifier.
fn vgg16() -> BTreeMap<String, Vec<usize>> {
    let slots = slots(&encoder("vgg", &["depth=16", "width=1"]), 3, &Device::flex()).unwrap();
    let mut tensors: BTreeMap<String, Vec<usize>> =
        slots.into_iter().map(|slot| (slot.name.replace("encoder.", ""), slot.shape)).collect();
    for (layer, outputs, inputs) in [(0, 16, 392), (3, 16, 16), (6, 10, 16)] {
        tensors.insert(format!("classifier.{layer}.weight"), vec![outputs, inputs]);
        tensors.insert(format!("classifier.{layer}.bias"), vec![outputs]);
    }
    tensors
}

#[test]
fn layers_that_nobody_publishes_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg16.safetensors");
    let dilated = encoder("dilated_vgg", &["width=1", "classifier=4"]);
    let read = |tensors: &BTreeMap<String, Vec<usize>>| -> Result<EncoderWeights> {
        write(&path, tensors);
        EncoderWeights::read(&path, &dilated, false, &Device::flex())
    };
    let drawn = ["fc6.weight", "fc6.bias", "fc7.weight", "fc7.bias"].map(|name| format!("encoder.classifier.{name}"));
    let report = read(&vgg16()).unwrap().report;
    assert_eq!((report.matched, report.left_over.len()), (26, 6));
    assert_eq!(report.missing, drawn);
    // Layers of the same names and other sizes are left over.
    let mut other = vgg16();
    other.insert("classifier.fc6.weight".into(), vec![9, 8, 3, 3]);
    let report = read(&other).unwrap().report;
    assert_eq!(report.missing, drawn);
    assert!(report.left_over.contains(&"classifier.fc6.weight".to_string()), "{:?}", report.left_over);
    // Convolutions are wanted all the same.
    other.remove("features.28.weight");
    let problem = read(&other).unwrap_err().to_string();
    assert!(problem.contains("it lacks `encoder.features.28.weight` of the 30"), "{problem}");
    // An encoder file of such a file says again what it lacks.
    let kept = folder.path().join("kept.safetensors");
    read(&vgg16()).unwrap().save(&kept).unwrap();
    let again = EncoderWeights::read(&kept, &dilated, false, &Device::flex()).unwrap();
    assert_eq!((again.report.library.as_str(), &again.report.missing[..]), ("Swath", &drawn[..]));
}

#[test]
fn features_that_end_early_are_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mobile.safetensors");
    let mobile = encoder("mobilenet_v2", &["width=0.1", "head=8"]);
    let slots = slots(&mobile, 3, &Device::flex()).unwrap().into_iter();
    let own = slots.filter(|slot| !slot.name.starts_with("encoder.head."));
    let mut tensors: BTreeMap<_, _> = own.map(|slot| (slot.name, slot.shape)).collect();
    // What stands beside the encoder says nothing of it.
    tensors.insert("decoder.blocks.0.running_mean".into(), vec![1]);
    write(&path, &tensors);
    let problem = EncoderWeights::read(&path, &mobile, false, &Device::flex()).unwrap_err().to_string();
    assert!(problem.contains("`encoder.head.conv.weight` and 4 more"), "{problem}");
    assert!(problem.contains("features end before the encoder's last convolution"), "{problem}");
    assert!(!problem.contains("give the encoder the options"), "{problem}");
    assert_eq!(EncoderWeights::read(&path, &mobile, true, &Device::flex()).unwrap().report.missing.len(), 5);
}

#[test]
fn timm_encoders_of_segmentation_models_are_known_by_what_stands_beside_them() {
    let sources = ["decoder.blocks.0.conv1.0.weight", "encoder.bn2.weight", "module.segmentation_head.0.bias"];
    let sources = sources.map(|name| Source { name: name.to_string(), shape: vec![1] });
    let of = |name: &str, whose, prefix: &str, left_over: &[usize]| {
        let found =
            Match { library: whose, prefix: prefix.to_string(), left_over: left_over.to_vec(), ..Match::default() };
        library(&encoder(name, &[]), &found, is_whole(&found, &sources))
    };
    assert_eq!(of("efficientnet", "timm", "encoder.", &[0, 1]), TIMM_IN_SMP, "encoder.");
    assert_eq!(of("efficientnet_lite0", "timm", "module.encoder.", &[1, 2]), TIMM_IN_SMP, "encoder.");
    // An encoder alone, timm's own network in their frame, other names, and a network that exists once.
    assert_eq!(of("efficientnet", "timm", "encoder.", &[1]), "timm");
    assert_eq!(of("efficientnet", "timm", "encoder.model.", &[0]), "timm");
    assert_eq!(of("efficientnet", "efficientnet_pytorch", "encoder.", &[0]), "efficientnet_pytorch");
    assert_eq!(of("mobilenet_v2", "timm", "encoder.", &[0]), "timm");
    let said = note(&encoder("efficientnet", &[]), TIMM_IN_SMP, true).unwrap();
    assert!(said.contains("whatever their names") && said.contains("-s form=pytorch"), "{said}");
    assert_eq!(note(&encoder("efficientnet", &["form=pytorch"]), TIMM_IN_SMP, true), None);
}

#[test]
fn misspelled_options_have_a_hint() {
    let wrong = |name: &str, option: &str| encoder_config(name, &[option.to_string()]).unwrap_err().to_string();
    let problem = wrong("resnet", "deph=18");
    assert!(problem.contains("encoder resnet has no option `deph`; did you mean `depth`? it has "), "{problem}");
    let problem = wrong("resnet", "colour=18");
    assert!(problem.contains("has no option `colour`; it has ") && !problem.contains("did you mean"), "{problem}");
}

#[test]
fn licences_stay_with_weights() {
    let folder = tempfile::tempdir().unwrap();
    let [given, kept, again] = ["given", "kept", "again"].map(|name| folder.path().join(name));
    write(&given, &vgg16());
    let vgg = encoder("vgg", &["depth=16", "width=1"]);
    let mut weights = EncoderWeights::read(&given, &vgg, false, &Device::flex()).unwrap();
    assert_eq!(weights.origin.licence, None);
    weights.origin.licence = Some("CC-BY-4.0".to_string());
    weights.save(&kept).unwrap();
    let weights = EncoderWeights::read(&kept, &vgg, false, &Device::flex()).unwrap();
    assert_eq!(weights.origin.licence.as_deref(), Some("CC-BY-4.0"));
    weights.save(&again).unwrap();
    let weights = EncoderWeights::read(&again, &vgg, false, &Device::flex()).unwrap();
    assert_eq!(weights.origin.licence.as_deref(), Some("CC-BY-4.0"));
}
