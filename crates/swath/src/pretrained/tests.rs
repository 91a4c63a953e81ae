use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;
use swath_geo::{Edge, Scene, SceneSpec, Window};
use swath_nn::SegmenterConfig;
use swath_nn::decoder::fcn::FcnConfig;
use swath_nn::encoder::EncoderConfig;

use super::*;
use crate::error::Result;

/// A file of `fixtures/nn/make_weight_files.py`.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/nn/weights").join(name)
}

const FIXTURES: [&str; 3] = ["zipped.pth", "legacy.pth", "half.safetensors"];

fn vgg(options: &[&str]) -> EncoderConfig {
    encoder_config("vgg", &options.iter().map(|option| option.to_string()).collect::<Vec<_>>()).unwrap()
}

fn small_vgg() -> EncoderConfig {
    vgg(&["depth=11", "width=1", "batch_norm=true"])
}

fn read(path: &Path) -> Result<EncoderWeights> {
    EncoderWeights::read(path, &small_vgg(), false, &Device::flex())
}

/// Numbers from -1 to 1 as `hashed.py` makes them: FNV-1a of the name, then SplitMix64.
fn uniform(name: &str, count: usize) -> Vec<f32> {
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((z ^ (z >> 31)) >> 11) as f64 * (2.0 / (1u64 << 53) as f64) - 1.0) as f32
    };
    std::iter::repeat_with(next).take(count).collect()
}

#[test]
fn every_kind_of_file_gives_the_same_weights() {
    for file in FIXTURES {
        let prefix = if file == "zipped.pth" { "module." } else { "" };
        let weights = read(&fixture(file)).unwrap();
        let report = &weights.report;
        assert_eq!((report.matched, report.missing.len()), (48, 0), "{file}");
        assert_eq!((report.library.as_str(), report.prefix.as_str()), ("torchvision", prefix), "{file}");
        assert_eq!(report.left_over, [format!("{prefix}classifier.6.weight")], "{file}");
        for tensor in &weights.tensors {
            let theirs = tensor.name.replace("gamma", "weight").replace("beta", "bias");
            let theirs = theirs.strip_prefix("encoder.").unwrap();
            let mut expected = uniform(theirs, tensor.data.len());
            if theirs.ends_with("running_var") {
                expected.iter_mut().for_each(|value| *value = value.abs());
            }
            if file == "half.safetensors" {
                expected.iter_mut().for_each(|value| *value = half::f16::from_f32(*value).to_f32());
            }
            assert_eq!(tensor.data, expected, "{file}: {}", tensor.name);
        }
    }
}

#[test]
fn an_encoder_file_comes_back_with_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("encoder.safetensors");
    let weights = read(&fixture("legacy.pth")).unwrap();
    weights.save(&path).unwrap();
    let first = fs::read(&path).unwrap();
    weights.save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), first);
    let again = read(&path).unwrap();
    assert_eq!(again.tensors, weights.tensors);
    assert_eq!(again.report.left_over, [""; 0]);
    assert_eq!((again.origin.library.as_str(), again.origin.from.as_deref()), ("Swath", Some(&weights.origin)));
    assert_eq!(weights.origin.file, "legacy.pth");
    assert_eq!(weights.origin.sha256.len(), 64);
}

#[test]
fn files_of_other_networks_are_refused() {
    let path = fixture("legacy.pth");
    let refused = |name: &str, options: &[&str], words: &str| {
        let options: Vec<String> = options.iter().map(|option| option.to_string()).collect();
        let encoder = encoder_config(name, &options).unwrap();
        let message = EncoderWeights::read(&path, &encoder, false, &Device::flex()).unwrap_err().to_string();
        assert!(message.contains(words) && !message.contains('\n'), "{message}");
    };
    refused("resnet", &["width=2"], "none of its 57 tensors has a name that encoder resnet knows");
    refused("vgg", &["depth=11", "width=2", "batch_norm=true"], "`features.0.weight` has shape [1, 3, 3, 3]");
    refused("vgg", &["depth=13", "width=1", "batch_norm=true"], "give the encoder the options");
    refused(
        "vgg",
        &["depth=11", "width=1", "batch_norm=true", "classifier=4"],
        "it lacks `encoder.classifier.fc6.weight`",
    );
    refused("vgg", &["depth=11", "width=1"], "the file has batch normalization and the encoder none; give the encoder");
    let bigger = vgg(&["depth=11", "width=1", "batch_norm=true", "classifier=4"]);
    let partial = EncoderWeights::read(&path, &bigger, true, &Device::flex()).unwrap();
    assert_eq!(partial.report.missing.len(), 4);
    assert!(encoder_config("resnot", &[]).unwrap_err().to_string().contains("no encoder is named 'resnot'"));
    assert!(
        encoder_config("vgg", &["depht=11".to_string()])
            .unwrap_err()
            .to_string()
            .contains("`depht`; did you mean `depth`?")
    );
    assert!(encoder_config("vgg", &["depth=12".to_string()]).unwrap_err().to_string().contains("depths are 11"));
}

#[test]
fn networks_that_exist_in_two_forms_have_a_note() {
    let of = |encoder: &str, options: &[String], library: &str| {
        super::report::note(&encoder_config(encoder, options).unwrap(), library, false)
    };
    let note = |encoder: &str, library: &str| of(encoder, &[], library);
    assert!(note("efficientnet", "timm").unwrap().contains("tf_"));
    assert!(note("efficientnet_lite0", "timm").is_some() && note("efficientnet", "torchvision").is_some());
    assert_eq!(note("efficientnet", "segmentation_models.pytorch"), None);
    assert_eq!(note("vgg", "torchvision"), None);
    // Dilated networks of segmentation_models.pytorch are not torchvision's, and names do not tell which are dilated.
    let resnet = |whole: bool| super::report::note(&encoder_config("resnet", &[]).unwrap(), "torchvision", whole);
    assert!(resnet(true).unwrap().contains("output stride 8 or 16"));
    assert_eq!(resnet(false), None);
    // The note says which option gives the other form, and that option ends the note or turns it round.
    let torchvision = note("efficientnet", "torchvision").unwrap();
    assert!(torchvision.contains("`--encoder efficientnet -s form=pytorch`"), "{torchvision}");
    let pytorch = ["form=pytorch".to_string()];
    assert_eq!(of("efficientnet", &pytorch, "torchvision"), None);
    assert!(of("efficientnet", &pytorch, "efficientnet_pytorch").unwrap().contains("form=tensorflow"));
    assert_eq!(note("efficientnet", "efficientnet_pytorch"), None);
    assert!(note("efficientnet_lite0", "timm").unwrap().contains("--encoder efficientnet_lite0 -s form=pytorch"));
    assert!(of("efficientnet_lite0", &pytorch, "timm").unwrap().contains("form=tensorflow"));
}

#[test]
fn damaged_files_are_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged");
    for file in FIXTURES {
        let whole = fs::read(fixture(file)).unwrap();
        let step = whole.len() / 97 + 1;
        for keep in (0..whole.len()).step_by(step).chain([1, 8, 9, whole.len() - 1]) {
            fs::write(&path, &whole[..keep]).unwrap();
            let Err(error) = read(&path) else { panic!("{file} to {keep} is read") };
            let message = error.to_string();
            assert!(!message.contains('\n') && message.len() < 600, "{file} to {keep}: {message}");
        }
        // A byte that is changed may go unnoticed, but must not do harm.
        for place in (0..whole.len()).step_by(step / 2 + 1) {
            for change in [1, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[place] ^= change;
                fs::write(&path, &changed).unwrap();
                if let Err(error) = read(&path) {
                    assert!(!error.to_string().contains('\n'), "{file} at {place}: {error}");
                }
            }
        }
    }
    for bytes in [&b""[..], b"PK\x03\x04", b"\x80", b"not weights at all", &[0xff; 64]] {
        fs::write(&path, bytes).unwrap();
        assert!(!read(&path).expect_err("no weights").to_string().contains('\n'));
    }
}

/// A safetensors file of tensors without any values.
fn hollow(path: &Path, tensors: &[(String, Vec<usize>)]) {
    let views = tensors.iter().map(|(name, shape)| {
        (name.clone(), safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), &[]).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn files_of_empty_or_endless_tensors_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hollow.safetensors");
    hollow(&path, &[("features.0.weight".to_string(), vec![1, 0, 3, 3])]);
    let partial = EncoderWeights::read(&path, &small_vgg(), true, &Device::flex()).unwrap_err().to_string();
    assert!(partial.contains("`features.0.weight` is empty"), "{partial}");
    let many: Vec<_> = (0..20_001).map(|i| (format!("a{i}.b.c.weight"), vec![0])).collect();
    hollow(&path, &many);
    assert!(read(&path).unwrap_err().to_string().contains("20001 tensors"));
}

/// A pickle read by itself.
fn unpickled(bytes: &[u8]) -> std::result::Result<pickle::Pickle, String> {
    pickle::read(&mut &bytes[..])
}

#[test]
fn pickles_that_would_run_code_are_refused() {
    for (bytes, name) in [
        (&b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R."[..], "os.system"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.", "builtins.eval"),
        (b"\x80\x02cimportlib.util\nfind_spec\n)R.", "importlib.util.find_spec"),
        (b"\x80\x02ctorch._utils\n_rebuild_qtensor\n)R.", "torch._utils._rebuild_qtensor"),
    ] {
        let problem = unpickled(bytes).unwrap_err();
        assert!(problem.contains(&format!("`{name}`")) && problem.contains("state_dict()"), "{problem}");
    }
    // Instructions that make objects of classes, and names with control characters.
    for bytes in [&b"(ios\nsystem\n."[..], b"\x82\x01.", b"cos.\x1b[2J\nsy\tstem\n."] {
        let problem = unpickled(bytes).unwrap_err();
        assert!(problem.chars().all(|c| !c.is_control()), "{problem:?}");
    }
}

#[test]
fn unknown_names_stay_names() {
    for (bytes, name) in [
        (&b"\x80\x02cargparse\nNamespace\n)\x81}b."[..], "argparse.Namespace"),
        (b"\x80\x02ctorch.nn\nModule\n)R.", "torch.nn.Module"),
        (b"\x80\x04\x8c\x01a\x8c\x01b\x93)RK\x01aK\x01K\x02s.", "a.b"),
        (b"\x80\x02ca\x1b\n\xc3\xa9\n.", "a?.?"),
    ] {
        let pickle = unpickled(bytes).unwrap();
        assert_eq!((pickle.root(), &pickle.unknown[..]), (&pickle::Value::Opaque(0), &[name.to_string()][..]));
    }
    let many: String = (0..1001).map(|i| format!("ca\nb{i}\n")).collect();
    assert!(unpickled(format!("{many}.").as_bytes()).unwrap_err().contains("`a.b1000`"));
}

#[test]
fn pickles_cannot_take_more_memory_than_their_length() {
    let many = |unit: &[u8], count: usize| [&b"\x80\x02"[..], &unit.repeat(count), b"."].concat();
    // Values, copies of one value, marks, memories, and a text that is not there.
    assert!(unpickled(&many(b"]", 2 << 20)).unwrap_err().contains("values that plain weights need"));
    assert!(unpickled(&many(b"N2", 2 << 20)).unwrap_err().contains("values that plain weights need"));
    assert!(unpickled(&many(b"(", 2 << 20)).unwrap_err().contains("values that plain weights need"));
    assert!(unpickled(b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.").unwrap_err().contains("cut off"));
    assert!(unpickled(&many(b"\x8e\x00\x00\x00\x04\x00\x00\x00\x00", 1)).unwrap_err().contains("cut off"));
    // A list in itself, a thousand times: shared, never copied.
    let nested = [&b"\x80\x02]q\x00"[..], &b"h\x00h\x00e"[..0], &b"(h\x00h\x00e".repeat(1000), b"."].concat();
    assert!(matches!(unpickled(&nested).unwrap().root(), pickle::Value::List(items) if items.len() == 2000));
}

#[test]
fn pickles_that_make_no_sense_are_refused() {
    for bytes in [
        &b"."[..],
        b"0.",
        b"t.",
        b"(K\x01s.",
        b"}K\x01s.",
        b"}(K\x01u.",
        b"K\x01K\x02a.",
        b"h\x07.",
        b"q\x00.",
        b"K\x01Q.",
        b"K\x01K\x02b.",
        b"K\x01K\x02R.",
        b"ccollections\nOrderedDict\n(K\x01l\x85R.",
        b"K\x01(K\x02\x86.",
        b"\x8a\x11\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01.",
        b"X\x01\x00\x00\x00\xff.",
        b"c",
        b"cno newline",
    ] {
        assert!(unpickled(bytes).is_err(), "{bytes:?}");
    }
}

/// A tensor of a storage with `elements` floats, put together as PyTorch does.
fn view(elements: u64, offset: u64, shape: &[usize], strides: &[u64]) -> std::result::Result<tensor::Tensor, String> {
    let storage = pickle::Storage { key: "0".to_string(), dtype: tensor::DType::F32, elements };
    let view = pickle::Tensor { storage, offset, shape: shape.to_vec(), strides: strides.to_vec() };
    tensor::Tensor::view(&view, 4)
}

#[test]
fn views_stay_within_their_storage() {
    let bytes: Vec<u8> = (0..8).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let read = |view: tensor::Tensor| view.read(&mut std::io::Cursor::new(&bytes));
    // The storage starts at the second float of the file.
    assert_eq!(read(view(6, 0, &[2, 3], &[3, 1]).unwrap()).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(read(view(6, 0, &[3, 2], &[1, 3]).unwrap()).unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(read(view(6, 1, &[2, 1], &[4, 9]).unwrap()).unwrap(), [2.0, 6.0]);
    assert_eq!(read(view(6, 5, &[], &[]).unwrap()).unwrap(), [6.0]);
    assert_eq!(read(view(6, 6, &[0, 3], &[3, 1]).unwrap()).unwrap(), [0.0; 0]);
    assert!(read(view(9, 3, &[6], &[1]).unwrap()).unwrap_err().contains("end of the file"));
    for (offset, shape, strides) in [
        (0, &[7][..], &[1][..]),
        (4, &[3], &[1]),
        (0, &[2, 3], &[1]),
        (0, &[1 << 40], &[0]),
        (u64::MAX, &[1], &[1]),
        (0, &[usize::MAX, usize::MAX], &[1, 1]),
        (0, &[2, 2], &[u64::MAX, u64::MAX]),
    ] {
        assert!(view(6, offset, shape, strides).is_err(), "{offset} {shape:?} {strides:?}");
    }
}

/// What a Python library makes of a photograph: `fixtures/nn/make_pretrained_goldens.py`.
#[derive(Deserialize)]
struct Golden {
    photograph: String,
    row: isize,
    column: isize,
    shows: String,
    class: usize,
    score: f32,
    lite0: Sampled,
    vgg16: Sampled,
}

#[derive(Deserialize)]
struct Sampled {
    shape: Vec<usize>,
    rms: f32,
    index: Vec<usize>,
    value: Vec<f32>,
}

impl Sampled {
    /// JPEG decoders differ in the last bit of some pixels.
    fn assert_near(&self, features: &Tensor<4>, what: &str) {
        assert_eq!(features.dims().to_vec(), self.shape, "{what}");
        let values: Vec<f32> = features.to_data().try_to_vec().unwrap();
        for (&index, expected) in self.index.iter().zip(&self.value) {
            let found = values[index];
            assert!((found - expected).abs() < 0.05 * self.rms, "{what} at {index}: {found}, not {expected}");
        }
    }
}

/// A window of a photograph as both networks take it, `[1, 3, 224, 224]` from -1 to 1.
fn photograph(data: &Path, golden: &Golden) -> Tensor<4> {
    let path = data.join("bsds/images").join(format!("{}.jpg", golden.photograph));
    let scene = Scene::open(&SceneSpec::from_paths(&[path])).unwrap();
    let window = Window::new(golden.column, golden.row, 224, 224);
    let pixels = scene.reader().unwrap().read(window, Edge::Invalid).unwrap();
    let values: Vec<f32> = pixels.values.data.iter().map(|value| (value - 127.5) / 127.5).collect();
    Tensor::from_data(TensorData::new(values, [1, 3, 224, 224]), &Device::flex())
}

/// The deepest features of an encoder whose weights come from a file.
fn features(path: &Path, encoder: &EncoderConfig, images: &Tensor<4>) -> Tensor<4> {
    let weights = EncoderWeights::read(path, encoder, false, &Device::flex()).unwrap();
    assert_eq!(weights.report.missing, [""; 0]);
    let network = SegmenterConfig::new(encoder.clone(), FcnConfig { stride: 32, ..FcnConfig::default() }, 3, 2)
        .init(&Device::flex())
        .unwrap();
    let bands = ["red", "green", "blue"].map(String::from);
    let network = weights.write_into(network, &bands, OtherBands::Mean).unwrap().valid();
    network.encoder().forward(images.clone()).maps.pop().unwrap()
}

#[test]
fn public_weights_see_in_photographs_what_they_show() {
    let Some(data) = std::env::var_os("SWATH_DATA").map(PathBuf::from).filter(|path| path.is_dir()) else {
        println!("skipped: SWATH_DATA does not name the folder of real imagery");
        return;
    };
    let text = fs::read_to_string(fixture("pretrained_goldens.json")).unwrap();
    let goldens: Vec<Golden> = serde_json::from_str(&text).unwrap();
    assert!(goldens.len() >= 5, "the golden file is cut off");
    let (lite0, vgg16) = ("weights/efficientnet-lite0-57934424.pth", "weights/vgg16_features_f16.safetensors");
    let mut source = source::Source::open(&data.join(lite0)).unwrap();
    let mut classifier = |name: &str| {
        let index = source.tensors.iter().position(|(found, _)| found == name).unwrap();
        source.read(index).unwrap()
    };
    let (weight, bias) = (classifier("_fc.weight"), classifier("_fc.bias"));
    for golden in &goldens {
        let images = photograph(&data, golden);
        let encoder = encoder_config("efficientnet_lite0", &["head=true".to_string()]).unwrap();
        let seen = features(&data.join(lite0), &encoder, &images);
        golden.lite0.assert_near(&seen, &golden.shows);

        let mean: Vec<f32> = seen.mean_dims(&[2, 3]).into_data().try_into_vec().unwrap();
        let scores = weight.chunks_exact(mean.len()).zip(&bias);
        let scores = scores.map(|(row, bias)| row.iter().zip(&mean).map(|(w, x)| w * x).sum::<f32>() + bias);
        let scores: Vec<f32> = scores.map(f32::exp).collect();
        let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
        let score = scores[best] / scores.iter().sum::<f32>();
        assert_eq!(best, golden.class, "{}", golden.shows);
        assert!((score - golden.score).abs() < 0.02, "{}: {score}, not {}", golden.shows, golden.score);
    }
    let images = photograph(&data, &goldens[0]);
    goldens[0].vgg16.assert_near(&features(&data.join(vgg16), &vgg(&["depth=16"]), &images), "vgg16");
}
