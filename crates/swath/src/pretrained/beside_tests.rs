//! Files of torch.save with more than one network's weights, put together instruction by instruction.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::*;

fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

/// A tensor of one value, all of which lie in one storage.
fn tensor() -> Vec<u8> {
    let parts = [
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("0"),
        text("cpu"),
        b"K\x01tQK\x00K\x01\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR".to_vec(),
    ];
    parts.concat()
}

fn dict(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let pairs: Vec<u8> = pairs.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"}(".as_slice(), &pairs, b"u"].concat()
}

fn state(names: &[&str]) -> Vec<u8> {
    dict(&names.iter().map(|name| (*name, tensor())).collect::<Vec<_>>())
}

/// A file of PyTorch before 1.6 that holds this object, and the value of its storage.
fn file(folder: &tempfile::TempDir, object: &[u8]) -> PathBuf {
    let path = folder.path().join("file.pth");
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let machine = [b"\x80\x02".to_vec(), dict(&[("little_endian", vec![0x88])]), b".".to_vec()].concat();
    let keys = [b"\x80\x02](".to_vec(), text("0"), b"e.".to_vec()].concat();
    let parts: [&[u8]; 9] = [
        magic,
        b"\x80\x02M\xe9\x03.",
        &machine,
        b"\x80\x02",
        object,
        b".",
        &keys,
        &1u64.to_le_bytes(),
        &0.5f32.to_le_bytes(),
    ];
    fs::write(&path, parts.concat()).unwrap();
    path
}

/// Names of torchvision's VGG whose tensors have one value at width 1.
const NAMES: [&str; 7] = [
    "features.0.bias",
    "features.1.weight",
    "features.1.bias",
    "features.1.running_mean",
    "features.1.running_var",
    "features.1.num_batches_tracked",
    "classifier.6.bias",
];

fn read(path: &Path) -> std::result::Result<EncoderWeights, String> {
    let options = ["depth=11", "width=1", "batch_norm=true"].map(String::from);
    let encoder = encoder_config("vgg", &options).unwrap();
    EncoderWeights::read(path, &encoder, true, &Device::flex()).map_err(|error| error.to_string())
}

#[test]
fn the_largest_dictionary_is_taken_and_the_rest_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let moments =
        [b"}(K\x00".to_vec(), state(&["exp_avg", "exp_avg_sq"]), b"K\x01".to_vec(), state(&["exp_avg"]), b"u".to_vec()];
    let whole = dict(&[
        ("ema", state(&NAMES[..3])),
        ("optimizer", dict(&[("state", moments.concat())])),
        ("nets", dict(&[("student", state(&NAMES)), ("teacher", state(&NAMES))])),
        ("device", [b"ctorch\ndevice\n".to_vec(), text("cuda"), b"K\x00\x86R".to_vec()].concat()),
        ("dtype", b"ctorch\nfloat16\n".to_vec()),
        ("args", [b"cargparse\nNamespace\n)\x81".to_vec(), dict(&[("lr", tensor())]), b"b".to_vec()].concat()),
        ("path", [b"cpathlib\nPosixPath\n(".to_vec(), text("/"), text("runs"), b"tR".to_vec()].concat()),
        ("tags", b"c__builtin__\nset\n](K\x01K\x02e\x85R".to_vec()),
        (
            "best",
            [
                b"cnumpy._core.multiarray\nscalar\n(cnumpy\ndtype\n".to_vec(),
                text("f8"),
                b"\x89\x88\x87R(K\x03tbc_codecs\nencode\n".to_vec(),
                text("half"),
                text("latin1"),
                b"\x86RtR".to_vec(),
            ]
            .concat(),
        ),
    ]);
    let weights = read(&file(&folder, &whole)).unwrap();
    let report = &weights.report;
    assert_eq!((report.state.as_str(), report.tensors, report.matched, report.values), ("nets.student", 7, 5, 5));
    assert_eq!(report.left_over, ["classifier.6.bias"]);
    assert_eq!(report.without_weights, ["features.1.num_batches_tracked"]);
    assert_eq!(report.tensors, report.matched + report.left_over.len() + report.without_weights.len());
    assert_eq!(report.pairs.len(), 5);
    let pair = Pair { parameter: "encoder.features.1.gamma".into(), tensor: "features.1.weight".into() };
    assert!(report.pairs.contains(&pair), "{:?}", report.pairs);
    let others: Vec<(&str, usize)> =
        report.other_states.iter().map(|other| (other.state.as_str(), other.tensors)).collect();
    assert_eq!(others, [("ema", 3), ("nets.teacher", 7), ("optimizer.state", 3)]);
    let objects = [
        "torch.device",
        "torch.float16",
        "argparse.Namespace",
        "pathlib.PosixPath",
        "__builtin__.set",
        "numpy._core.multiarray.scalar",
        "numpy.dtype",
        "_codecs.encode",
    ];
    assert_eq!(report.objects, objects);
    assert!(weights.tensors.iter().all(|tensor| tensor.data == [0.5]));
    let plain = read(&file(&folder, &state(&NAMES))).unwrap().report;
    assert_eq!((plain.state.as_str(), plain.other_states.len(), plain.objects.len()), ("", 0, 0));
}

#[test]
fn weights_inside_of_objects_are_not_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let module = [b"cnets\nVGG\n)\x81".to_vec(), dict(&[("_parameters", state(&NAMES))]), b"b".to_vec()].concat();
    for whole in [module.clone(), dict(&[("model", module)])] {
        let problem = read(&file(&folder, &whole)).unwrap_err();
        assert!(problem.contains("`nets.VGG`") && problem.contains("state_dict()"), "{problem}");
    }
}

#[test]
fn code_beside_weights_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (call, name) in [
        (&b"cos\nsystem\nX\x02\x00\x00\x00ls\x85R"[..], "os.system"),
        (b"cbuiltins\nexec\nX\x01\x00\x00\x001\x85R", "builtins.exec"),
        (b"csubprocess\nPopen\nX\x02\x00\x00\x00ls\x85R", "subprocess.Popen"),
    ] {
        let whole = dict(&[("state_dict", state(&NAMES)), ("extra", call.to_vec())]);
        let problem = read(&file(&folder, &whole)).unwrap_err();
        assert!(problem.contains(&format!("`{name}`")), "{problem}");
    }
    // A tensor of another kind would be a hole in the weights.
    let sparse = b"ctorch._utils\n_rebuild_sparse_tensor\n)R".to_vec();
    let whole = dict(&[("features.0.bias", tensor()), ("features.1.bias", sparse)]);
    let problem = read(&file(&folder, &whole)).unwrap_err();
    assert!(problem.contains("`torch._utils._rebuild_sparse_tensor`"), "{problem}");
}

#[test]
fn endless_nesting_is_read_in_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    // A hundred thousand dictionaries, each in the one before, with the weights in the innermost.
    let key = text("a");
    let depth = 100_000;
    let nested = [[b"}".as_slice(), &key].concat().repeat(depth), state(&NAMES), b"s".repeat(depth)].concat();
    let report = read(&file(&folder, &nested)).unwrap().report;
    assert_eq!((report.matched, report.state.as_str()), (5, "a.a.a.a.a.a.a.a"));
}

/// A zip archive of files with their methods: 0 is stored, 8 compressed.
fn archive(files: &[(&str, u16, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for &(name, method, data) in files {
        let start = bytes.len() as u32;
        let sizes = [(data.len() as u32).to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
        let common = [&[0, 0][..], &method.to_le_bytes(), &[0; 8], &sizes, &(name.len() as u16).to_le_bytes()].concat();
        bytes.extend([&b"PK\x03\x04\x14\x00"[..], &common, &[0; 2], name.as_bytes(), data].concat());
        let entry = [&b"PK\x01\x02\x14\x00\x14\x00"[..], &common, &[0; 12], &start.to_le_bytes(), name.as_bytes()];
        directory.extend(entry.concat());
    }
    let count = (files.len() as u16).to_le_bytes();
    let (size, start) = ((directory.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes());
    [
        bytes,
        directory,
        b"PK\x05\x06\x00\x00\x00\x00".to_vec(),
        count.to_vec(),
        count.to_vec(),
        size.to_vec(),
        start.to_vec(),
        vec![0; 2],
    ]
    .concat()
}

#[test]
fn compressed_archives_are_refused_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.pt");
    let pickle = [b"\x80\x02", state(&NAMES).as_slice(), b"."].concat();
    let value = 0.5f32.to_le_bytes();
    let plain: [(&str, u16, &[u8]); 2] = [("a/data.pkl", 0, &pickle), ("a/data/0", 0, &value)];
    fs::write(&path, archive(&plain)).unwrap();
    assert_eq!(read(&path).unwrap().report.matched, 5);
    let script: [(&str, u16, &[u8]); 3] = [("a/code/a.py", 8, b"x"), ("a/constants.pkl", 0, b"x"), plain[0]];
    fs::write(&path, archive(&script)).unwrap();
    let problem = read(&path).unwrap_err();
    assert!(problem.contains("TorchScript program") && problem.contains("torch.jit.load"), "{problem}");
    fs::write(&path, archive(&[plain[0], ("a/data/0", 8, &value)])).unwrap();
    let problem = read(&path).unwrap_err();
    assert!(problem.contains("`a/data/0` is compressed"), "{problem}");
}
