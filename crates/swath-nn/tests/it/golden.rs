//! Networks against other people's: torchvision, segmentation_models.pytorch, and transcriptions of the papers where
//! neither has them. `fixtures/nn/make_goldens.py` makes the values and says which is which.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use serde::Deserialize;
use swath_nn::encoder::{Demand, Encoder};
use swath_nn::preset;
use swath_nn::weights::{self, Kind, NamedTensor, parameter_kind};
use swath_nn::{Segmenter, SegmenterConfig};

/// Largest difference, relative to the value or to the tensor's root mean square, whichever is larger.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Goldens {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// The name that people know the whole network by.
    preset: Option<String>,
    config: SegmenterConfig,
    images: [usize; 4],
    /// Which images: those of a network in training are chosen to keep away from where gradients jump.
    #[serde(default)]
    draw: usize,
    train: bool,
    /// Where a decoder asks for it: features are compared at this one.
    output_stride: Option<usize>,
    #[serde(default)]
    features: Vec<Sampled>,
    logits: Option<Sampled>,
    #[serde(default)]
    gradients: Vec<Sampled>,
    gradient_tolerance: Option<f64>,
    /// Of logits and statistics.
    forward_tolerance: Option<f64>,
    #[serde(default)]
    statistics: Vec<Sampled>,
}

/// A tensor of the reference at a few flat positions.
#[derive(Deserialize)]
struct Sampled {
    name: String,
    shape: Vec<usize>,
    rms: f64,
    index: Vec<usize>,
    value: Vec<f64>,
}

#[test]
fn networks_equal_their_references() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/nn/goldens");
    let (mut checked, mut presets, mut failures) = (0, 0, Vec::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let goldens = read(&file.unwrap().path());
        failures.extend(goldens.cases.iter().flat_map(check));
        checked += goldens.cases.len();
        presets += goldens.cases.iter().filter(|case| case.preset.is_some()).count();
    }
    let first = &failures[..failures.len().min(20)];
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), first.join("\n"));
    assert!(checked > 100 && presets > 10, "the golden files are cut off: {checked} networks, {presets} presets");
}

/// `recipes/networks/narrow.toml` is what accuracies are measured with, `narrow.json` what times are: they are the same networks.
#[test]
fn narrow_networks_all_have_a_reference() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let goldens = read(&root.join("fixtures/nn/goldens/narrow.json"));
    let cases: BTreeMap<&str, &SegmenterConfig> =
        goldens.cases.iter().map(|case| (case.name.split(", ").next().unwrap(), &case.config)).collect();
    let recipe = std::fs::read_to_string(root.join("recipes/networks/narrow.toml")).unwrap();
    let tables: BTreeMap<String, toml::Table> = toml::from_str(&recipe).unwrap();
    assert!(tables.keys().eq(cases.keys()), "{:?} and {:?}", tables.keys(), cases.keys());
    for (name, mut table) in tables {
        let case = cases[name.as_str()];
        for (key, value) in [("bands", case.bands), ("classes", case.classes)] {
            table.insert(key.into(), toml::Value::try_from(value).unwrap());
        }
        assert_eq!(&table.try_into::<SegmenterConfig>().unwrap(), case, "{name}");
    }
}

fn read(path: &Path) -> Goldens {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// What differs from the reference.
fn check(case: &Case) -> Vec<String> {
    let mut compared = Compared { case: &case.name, failures: Vec::new(), largest: 0.0 };
    if let Some(name) = &case.preset {
        let [bands, classes] = [case.config.bands, case.config.classes];
        assert_eq!((preset::find(name).unwrap().config)(bands, classes), case.config, "preset {name}");
    }
    let device = if case.train { Device::flex().autodiff() } else { Device::flex() };
    let network = filled(case.config.init(&device).unwrap());
    let drawn = if case.draw == 0 { "images".into() } else { format!("images {}", case.draw) };
    let images: Vec<f32> = uniform(&drawn, case.images.iter().product()).map(|u| u as f32).collect();
    let images = Tensor::<4>::from_data(TensorData::new(images, case.images), &device);

    if !case.features.is_empty() {
        let features = encoder(case, &network).forward(images.clone()).maps;
        assert_eq!(features.len(), case.features.len(), "{}", case.name);
        for (feature, expected) in features.into_iter().zip(&case.features) {
            compared.with(feature.dims().to_vec(), &values(feature), expected, TOLERANCE);
        }
    }
    let Some(expected) = &case.logits else { return compared.failures };
    let forward = case.forward_tolerance.unwrap_or(TOLERANCE);
    let logits = network.forward(images);
    compared.with(logits.dims().to_vec(), &values(logits.clone()), expected, forward);

    if case.train {
        let factor: Vec<f32> = uniform("loss", logits.shape().num_elements()).map(|u| u as f32).collect();
        let factor = Tensor::<4>::from_data(TensorData::new(factor, logits.dims()), &device);
        let gradients = (logits * factor).sum().backward();
        let mut found = CollectGradients { gradients: &gradients, found: BTreeMap::new() };
        network.visit(&mut found);
        assert_eq!(found.found.len(), case.gradients.len(), "{}", case.name);
        let tolerance = case.gradient_tolerance.unwrap_or(TOLERANCE);
        for expected in &case.gradients {
            let (shape, values) = &found.found[&weights::parameter_id(&expected.name)];
            compared.with(shape.clone(), values, expected, tolerance);
        }
        println!("{}: at most {:.1e} away, gradients may be {tolerance:.0e}", case.name, compared.largest);
        let after: BTreeMap<String, NamedTensor> =
            weights::read(&network).into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        for expected in &case.statistics {
            let tensor = &after[&expected.name];
            compared.with(tensor.shape.clone(), &tensor.data, expected, forward);
        }
    }
    compared.failures
}

/// The network's encoder, at the output stride of the case.
fn encoder(case: &Case, network: &Segmenter) -> Encoder {
    let Some(output_stride) = case.output_stride else { return network.encoder().clone() };
    let demand = Demand { output_stride: Some(output_stride), ..Demand::new(case.config.bands) };
    let mut parameters = Parameters::default();
    network.encoder().visit(&mut parameters);
    case.config.encoder.init(demand, &Device::flex()).map(&mut parameters)
}

/// Parameters in the order of a walk; a second walk writes them.
#[derive(Default)]
struct Parameters(VecDeque<TensorData>);

impl ModuleVisitor for Parameters {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push_back(param.val().into_data());
    }
}

impl ModuleMapper for Parameters {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let data = self.0.pop_front().unwrap();
        param.map(|old| Tensor::from_data(data, &old.device()))
    }
}

/// A case held against its reference.
struct Compared<'a> {
    case: &'a str,
    failures: Vec<String>,
    /// The largest difference, relative as `TOLERANCE` is.
    largest: f64,
}

impl Compared<'_> {
    fn with(&mut self, shape: Vec<usize>, found: &[f32], expected: &Sampled, tolerance: f64) {
        let (case, name) = (self.case, &expected.name);
        assert_eq!(shape, expected.shape, "{case}: {name}");
        for (&index, &value) in expected.index.iter().zip(&expected.value) {
            let found = f64::from(found[index]);
            let difference = (found - value).abs() / value.abs().max(expected.rms).max(f64::MIN_POSITIVE);
            self.largest = self.largest.max(difference);
            // A value that is no number differs, too.
            if !matches!(difference.partial_cmp(&tolerance), Some(Ordering::Less | Ordering::Equal)) {
                let by = format!("{difference:.1e} away where {tolerance:.0e} is allowed");
                self.failures.push(format!("{case}: {name}[{index}] is {found}, the reference says {value}: {by}"));
            }
        }
    }
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

/// Every parameter from a hash of its name and index, as `fill` in the script does.
fn filled(network: Segmenter) -> Segmenter {
    let mut tensors = weights::read(&network);
    for tensor in &mut tensors {
        let field = tensor.name.rsplit('.').next().unwrap();
        let (offset, scale) = match parameter_kind(&tensor.name) {
            Kind::Weight => (0.0, (6.0 / tensor.shape[1..].iter().product::<usize>() as f64).sqrt()),
            Kind::Norm if field == "gamma" => (1.0, 0.1),
            Kind::LayerScale => (1.0, 0.1),
            Kind::PositionBias => (0.0, 1.0),
            Kind::RunningStat if field == "running_var" => (1.0, 0.5),
            Kind::Bias | Kind::Norm | Kind::RunningStat => (0.0, 0.1),
        };
        tensor.data = uniform(&tensor.name, tensor.data.len()).map(|u| (offset + scale * u) as f32).collect();
    }
    weights::write(network, &tensors).unwrap()
}

/// Numbers from -1 to 1: FNV-1a of the name, then SplitMix64.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let hash = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let state = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
    (1..=count as u64).map(move |index| {
        let mut z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(state);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 * (2.0 / (1u64 << 53) as f64) - 1.0
    })
}

struct CollectGradients<'a> {
    gradients: &'a Gradients,
    found: BTreeMap<ParamId, (Vec<usize>, Vec<f32>)>,
}

impl ModuleVisitor for CollectGradients<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.insert(param.id, (gradient.dims().to_vec(), values(gradient)));
        }
    }
}
