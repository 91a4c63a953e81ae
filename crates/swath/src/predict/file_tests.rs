//! The promises about files, with scenes on disk.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use swath_geo::{
    Affine, ClassEntry, CogOptions, CogWriter, Crs, DType, Edge, Grid, Samples, Scene, Window, read_map_classes,
};
use swath_nn::{Precision, SegmenterConfig};
use tempfile::TempDir;

use super::tests::{BoxNetwork, Stopping};
use super::*;
use crate::error::{Error, Result};

const WIDTH: usize = 70;
const HEIGHT: usize = 90;
/// Pixels without data hold this.
const NODATA: u16 = 9999;

fn grid() -> Grid {
    Grid {
        crs: Some(Crs::from_user("EPSG:32633").unwrap()),
        transform: Affine([500_000.0, 10.0, 0.0, 5_800_000.0, 0.0, -10.0]),
        width: WIDTH,
        height: HEIGHT,
    }
}

fn is_data(row: usize, col: usize) -> bool {
    !(row / 25 == 1 && col < 40)
}

/// Two bands of noise with a hole.
fn write_scene(path: &Path, names: [&str; 2]) {
    let options = CogOptions {
        nodata: Some(f64::from(NODATA)),
        band_names: Some(names.map(String::from).to_vec()),
        overwrite: true,
        ..CogOptions::new(DType::U16, 2)
    };
    let mut writer = CogWriter::create(path, &grid(), &options).unwrap();
    for band in 0..2 {
        let value = |i: usize| {
            let noise = ((i + 7 * band).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as u16 % 13;
            if is_data(i / WIDTH, i % WIDTH) { 100 + noise } else { NODATA }
        };
        let values: Vec<u16> = (0..WIDTH * HEIGHT).map(value).collect();
        writer.write(grid().window(), band, Samples::U16(&values)).unwrap();
    }
    writer.finish().unwrap();
}

struct Bench {
    folder: TempDir,
    scene: Scene,
}

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.tif");
        write_scene(&path, ["red", "nir"]);
        Bench { scene: Scene::open_paths(&[path]).unwrap(), folder }
    }

    fn outputs(&self, name: &str) -> Outputs {
        outputs(self.folder.path(), name)
    }

    fn bytes(&self, name: &str) -> [Vec<u8>; 3] {
        let outputs = self.outputs(name);
        [outputs.map, outputs.scores.unwrap().path, outputs.confidence.unwrap().path]
            .map(|path| fs::read(path).unwrap())
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    }

    fn run(&self, outputs: &Outputs, network: &mut dyn Network, cancel: &AtomicBool) -> Result<Summary> {
        run(&model(), network, &self.scene, outputs, &options(), &mut |_| (), cancel)
    }
}

fn outputs(folder: &Path, name: &str) -> Outputs {
    let file = |what: &str| folder.join(format!("{name}_{what}.tif"));
    let scores = ScoresOutput { path: file("scores"), classes: vec![2, 0], format: ScoreFormat::Byte };
    let confidence = ConfidenceOutput { path: file("confidence"), format: ScoreFormat::Float };
    Outputs { scores: Some(scores), confidence: Some(confidence), ..Outputs::map(&file("map")) }
}

fn model() -> Model {
    let class = |value: u32, name: &str| ClassEntry { value, name: name.into(), color: [value as u8 * 9, 1, 2] };
    Model {
        name: "small.safetensors".into(),
        digest: "17".into(),
        device: "cpu".into(),
        precision: Precision::Fp32,
        bands: vec!["red".into(), "nir".into()],
        mean: vec![106.0, 106.0],
        std: vec![1.0, 1.0],
        gsd: Some(10.0),
        classes: vec![class(0, "land"), class(1, "water"), class(2, "town")],
    }
}

fn options() -> Options {
    Options { chip: 16, overlap: 6, unit_rows: 2, ..Options::default() }
}

fn network() -> BoxNetwork {
    BoxNetwork::new(2, 3, 1)
}

fn never() -> AtomicBool {
    AtomicBool::new(false)
}

fn read(path: &Path) -> (Scene, swath_geo::Pixels) {
    let scene = Scene::open_paths(&[path]).unwrap();
    let pixels = scene.reader().unwrap().read(Window::new(0, 0, WIDTH, HEIGHT), Edge::Invalid).unwrap();
    (scene, pixels)
}

#[test]
fn the_files_hold_what_the_engine_says() {
    let bench = Bench::new();
    let outputs = bench.outputs("a");
    let summary = bench.run(&outputs, &mut network(), &never()).unwrap();
    assert_eq!((summary.chip_rows, summary.resumed, summary.warnings.len()), (9, 0, 0));
    assert!(bench.leftovers().is_empty(), "{:?}", bench.leftovers());

    let mut rows = Vec::new();
    let mut take = |taken: &LabelRows| {
        rows.extend(taken.labels.iter().zip(&taken.confidence).map(|(label, confidence)| (*label, *confidence)));
        Ok(())
    };
    run_rows(&model(), &mut network(), &bench.scene, &mut take, &options(), &mut |_| (), &never()).unwrap();
    let (map, labels) = read(&outputs.map);
    let (_, confidence) = read(&outputs.confidence.unwrap().path);
    let (scores_file, scores) = read(&outputs.scores.unwrap().path);
    assert!(map.grid().same(&grid()));
    assert_eq!(scores_file.bands().iter().map(|band| band.name.as_str()).collect::<Vec<_>>(), ["town", "land"]);
    for (i, (label, share)) in rows.into_iter().enumerate() {
        let data = is_data(i / WIDTH, i % WIDTH);
        assert_eq!([labels.valid[i], confidence.valid[i], scores.valid[i], label != crate::IGNORE], [data; 4]);
        if data {
            assert_eq!(labels.values.data[i], f32::from(label));
            assert_eq!(confidence.values.data[i], share);
            let byte = (share * 254.0).round();
            let band = [Some(1), None, Some(0)][usize::from(label)];
            assert!(band.is_none_or(|band| scores.values.band(band)[i] == byte));
        }
    }
    assert_eq!(read_map_classes(&outputs.map).unwrap(), model().classes);
}

#[test]
fn a_run_stopped_anywhere_resumes_to_the_same_bytes() {
    let bench = Bench::new();
    let mut undisturbed = network();
    bench.run(&bench.outputs("whole"), &mut undisturbed, &never()).unwrap();
    let whole = bench.bytes("whole");
    for after in [0, 3, 17, 30, 41] {
        let name = format!("stopped{after}");
        let cancel = never();
        let mut stopping = Stopping { inner: network(), after, cancel: &cancel };
        let partial = Outputs { keep_partial: true, ..bench.outputs(&name) };
        assert!(matches!(bench.run(&partial, &mut stopping, &cancel), Err(Error::Cancelled)));
        assert!(!partial.map.exists());
        assert_eq!(bench.leftovers().len(), 3);
        break_as_a_kill_would(&bench, &name, after);

        let resumed = Outputs { resume: true, ..partial };
        let mut second = network();
        let summary = bench.run(&resumed, &mut second, &never()).unwrap();
        assert!(bench.bytes(&name) == whole, "stopped after {after} chips");
        assert!(bench.leftovers().is_empty());
        let saved = undisturbed.calls - second.calls;
        assert!(after < 20 || (summary.resumed > 0 && saved > 0), "{saved} chips saved after {after}: {summary:?}");
    }
}

/// Takes its time, so that there is a middle in which to be killed.
struct Slow(BoxNetwork);

impl Network for Slow {
    fn bands(&self) -> usize {
        self.0.bands()
    }

    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn logits(&mut self, batch: &ChipBatch) -> Result<Vec<f32>> {
        std::thread::sleep(Duration::from_millis(8));
        self.0.logits(batch)
    }
}

const CHILD: &str = "SWATH_TEST_PREDICT_CHILD";

#[test]
fn a_killed_process_resumes_to_the_same_bytes() {
    let bench = Bench::new();
    bench.run(&bench.outputs("whole"), &mut network(), &never()).unwrap();
    let outputs = bench.outputs("killed");
    let journal = bench.folder.path().join(".killed_map.tif.swath-partial/swath-journal");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "predict::file_tests::child_is_killed"])
        .env(CHILD, bench.folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let units = || fs::read_to_string(&journal).unwrap_or_default().lines().count().saturating_sub(1);
    while units() < 2 {
        assert!(
            start.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(),
            "the child ended early"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!outputs.map.exists());
    let summary = bench.run(&Outputs { resume: true, ..outputs }, &mut network(), &never()).unwrap();
    assert!(summary.resumed >= 4, "{summary:?}");
    assert!(bench.bytes("killed") == bench.bytes("whole"));
    assert!(bench.leftovers().is_empty());
}

#[test]
fn child_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let scene = Scene::open_paths(&[Path::new(&folder).join("scene.tif")]).unwrap();
    let outputs = outputs(Path::new(&folder), "killed");
    let _ = run(&model(), &mut Slow(network()), &scene, &outputs, &options(), &mut |_| (), &never());
}

/// Cuts the last line of the journal and fills rows that are not noted as done with rubbish.
fn break_as_a_kill_would(bench: &Bench, name: &str, cut: usize) {
    let scratch = bench.folder.path().join(format!(".{name}_map.tif.swath-partial"));
    let journal = scratch.join("swath-journal");
    let text = fs::read_to_string(&journal).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (last, rest) = lines.split_last().unwrap();
    // The first line is the work itself; a kill does not lose what was noted long ago.
    let kept = if rest.is_empty() { text.clone() } else { format!("{}{}", rest.concat(), &last[..cut % last.len()]) };
    fs::write(&journal, kept).unwrap();
    let done = rest.len().saturating_sub(1) * 2;
    let plan = Plan::new(WIDTH, HEIGHT, &options()).unwrap();
    let open = plan.owned_rows(&(done..plan.chip_rows()));
    let mut pixels = fs::read_dir(&scratch).unwrap().map(|entry| entry.unwrap().path());
    let pixels = pixels.find(|path| fs::metadata(path).unwrap().len() == (WIDTH * HEIGHT) as u64).unwrap();
    let mut file = fs::OpenOptions::new().write(true).open(pixels).unwrap();
    file.seek(SeekFrom::Start((open.start * WIDTH) as u64)).unwrap();
    file.write_all(&vec![77; open.len() * WIDTH]).unwrap();
}

#[test]
fn other_work_is_not_resumed() {
    let bench = Bench::new();
    let cancel = never();
    let mut stopping = Stopping { inner: network(), after: 30, cancel: &cancel };
    let outputs = Outputs { keep_partial: true, ..bench.outputs("other") };
    bench.run(&outputs, &mut stopping, &cancel).unwrap_err();
    let outputs = Outputs { resume: true, ..outputs };
    let again = |model: &Model, options: &Options, scene: &Scene| {
        run(model, &mut network(), scene, &outputs, options, &mut |_| (), &never()).unwrap_err().to_string()
    };
    let options = options();
    let chip = again(&model(), &Options { chip: 32, ..options.clone() }, &bench.scene);
    assert!(chip.contains("chip (was 16, is 32)") && chip.contains("without --resume"), "{chip}");
    let bundle = again(&Model { digest: "18".into(), ..model() }, &options, &bench.scene);
    assert!(bundle.contains("bundle"), "{bundle}");
    let precision = again(&Model { precision: Precision::Bf16, ..model() }, &options, &bench.scene);
    assert!(precision.contains(r#"precision (was "fp32", is "bf16")"#), "{precision}");
    // The same name, but another file.
    write_scene(bench.scene.path(), ["red", "nir"]);
    let changed = again(&model(), &options, &Scene::open_paths(&[bench.scene.path()]).unwrap());
    assert!(changed.contains("scene files"), "{changed}");
    // Without --resume the work starts over.
    bench.run(&Outputs { resume: false, ..outputs }, &mut network(), &never()).unwrap();
    assert!(bench.leftovers().is_empty());
}

#[test]
fn nothing_is_left_of_a_run_that_fails_and_nothing_is_replaced_unasked() {
    let bench = Bench::new();
    let cancel = AtomicBool::new(true);
    let outputs = bench.outputs("none");
    assert!(matches!(bench.run(&outputs, &mut network(), &cancel), Err(Error::Cancelled)));
    assert!(bench.leftovers().is_empty() && !outputs.map.exists());
    fs::write(&outputs.map, "mine").unwrap();
    let refused = bench.run(&outputs, &mut network(), &never()).unwrap_err().to_string();
    assert!(refused.contains("none_map.tif"), "{refused}");
    assert_eq!(fs::read_to_string(&outputs.map).unwrap(), "mine");
    assert!(bench.leftovers().is_empty());
    bench.run(&Outputs { overwrite: true, ..outputs }, &mut network(), &never()).unwrap();
}

#[test]
fn outputs_that_cannot_be_made_are_refused() {
    let bench = Bench::new();
    let outputs = bench.outputs("twice");
    let scores = outputs.scores.clone().unwrap();
    let twice =
        Outputs { scores: Some(ScoresOutput { path: outputs.map.clone(), ..scores.clone() }), ..outputs.clone() };
    let message = bench.run(&twice, &mut network(), &never()).unwrap_err().to_string();
    assert!(message.contains("two outputs"), "{message}");
    let missing = Outputs { scores: Some(ScoresOutput { classes: vec![3], ..scores }), ..outputs };
    let message = bench.run(&missing, &mut network(), &never()).unwrap_err().to_string();
    assert!(message.contains("class 3") && message.contains("0 to 2"), "{message}");
}

#[test]
fn a_scene_that_does_not_fit_is_refused_naming_both_sides() {
    let bench = Bench::new();
    let fit = |bands: &[&str], gsd| {
        let bands: Vec<String> = bands.iter().map(|name| name.to_string()).collect();
        fit_scene(&bench.scene, &bands, gsd)
    };
    let message = fit(&["red", "green", "blue"], None).unwrap_err().to_string();
    for part in ["scene.tif", "red, nir", "red, green, blue", "green, blue are missing"] {
        assert!(message.contains(part), "{message}");
    }
    let turned = fit(&["NIR", "Red"], None).unwrap().scene;
    assert_eq!(turned.bands()[0].name, "nir");
    for (gsd, warnings) in [(None, 0), (Some(10.0), 0), (Some(12.0), 0), (Some(13.0), 1), (Some(0.3), 1)] {
        assert_eq!(fit(&["red", "nir"], gsd).unwrap().warnings.len(), warnings, "{gsd:?}");
    }
}

#[test]
fn a_real_network_gives_the_same_map_for_any_batch() {
    let bench = Bench::new();
    let config: SegmenterConfig = serde_json::from_value(serde_json::json!({
        "encoder": { "plain": { "width": 4, "depth": 2 } },
        "decoder": { "unet": {} },
        "bands": 2,
        "classes": 3,
    }))
    .unwrap();
    let device = Device::flex();
    let labels = |batch, readers| {
        let mut network = SegmenterNetwork::new(config.init(&device).unwrap(), 2, 3, &device).for_one_size();
        let options = Options { chip: 32, overlap: 8, batch, readers, ..Options::default() };
        let mut bits = Vec::new();
        let mut take = |rows: &LabelRows| {
            bits.extend(rows.labels.iter().zip(&rows.confidence).map(|(label, share)| (*label, share.to_bits())));
            Ok(())
        };
        run_rows(&model(), &mut network, &bench.scene, &mut take, &options, &mut |_| (), &never()).unwrap();
        bits
    };
    let one = labels(1, 1);
    assert!(one == labels(3, 1) && one == labels(2, 2));
    assert!(one.iter().any(|(label, _)| *label != one[0].0), "the network sees only one class");
}
