//! Optimizers, and gradients clipped by their common length.
//!
//! Weight decay is for kernels only: norms and biases have none, since pulling them to zero restricts what a layer can
//! express without making the network simpler (He et al., "Bag of Tricks for Image Classification with Convolutional
//! Neural Networks", 2019, section 3.1).

use burn::module::{Module, ModuleVisitor, Param, ParamGroup};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{self, DynOptimizer, GradientsParams, ModuleOptimizer, Optimizer};
use burn::tensor::Tensor;
use swath_nn::Segmenter;
use swath_nn::optim::AdamW;
use swath_nn::weights::{self, Kind};

use crate::recipe::{AdamConfig, AdamWConfig, OptimizerConfig, SgdConfig};

/// An optimizer for a network; its learning rate is given with every step.
pub fn init(config: &OptimizerConfig, segmenter: &Segmenter) -> ModuleOptimizer {
    let spared = [Kind::Bias, Kind::Norm, Kind::LayerScale, Kind::PositionBias, Kind::RunningStat];
    let spared = weights::group(segmenter, &spared);
    match config {
        OptimizerConfig::AdamW(config) => grouped(spared, |decays| adamw(config, decays)),
        OptimizerConfig::Adam(config) => grouped(spared, |decays| adam(config, decays)),
        OptimizerConfig::Sgd(config) => grouped(spared, |decays| sgd(config, decays)),
    }
}

/// Scales all gradients down so that their common length is at most `most`, and returns the length that they had.
///
/// With `g` all gradients in one vector, as `torch.nn.utils.clip_grad_norm_`: `g min(1, most / |g|)`; Burn's own
/// clipping treats every parameter by itself. The length is summed in the network's order, so that its bits do not
/// depend on a hash table's. A length that is not finite changes nothing: the caller sees it in the answer.
pub fn clip_norm(segmenter: &Segmenter, gradients: &mut GradientsParams, most: f64) -> f64 {
    let mut squares = Squares { gradients, sums: Vec::new() };
    segmenter.visit(&mut squares);
    if squares.sums.is_empty() {
        return 0.0;
    }
    // One transfer for all parameters.
    let sums = Tensor::cat(squares.sums, 0).into_data();
    let norm = sums.iter::<f64>().sum::<f64>().sqrt();
    if norm > most && norm.is_finite() {
        segmenter.visit(&mut Scale { gradients, factor: most / norm });
    }
    norm
}

/// One optimizer for all parameters, and one without weight decay for the spared ones.
fn grouped<O: Optimizer + DynOptimizer + 'static>(spared: ParamGroup, build: impl Fn(bool) -> O) -> ModuleOptimizer {
    ModuleOptimizer::from(build(true)).with_group(spared, build(false), None)
}

fn adamw(config: &AdamWConfig, decays: bool) -> AdamW {
    let AdamWConfig { betas, epsilon, weight_decay, .. } = *config;
    AdamW::new(betas.map(|beta| beta as f32), epsilon as f32, if decays { weight_decay as f32 } else { 0.0 })
}

fn adam(config: &AdamConfig, decays: bool) -> optim::Adam {
    optim::AdamConfig::new()
        .with_beta_1(config.betas[0] as f32)
        .with_beta_2(config.betas[1] as f32)
        .with_epsilon(config.epsilon as f32)
        .with_weight_decay(penalty(config.weight_decay, decays))
        .build()
}

fn sgd(config: &SgdConfig, decays: bool) -> optim::Sgd {
    let SgdConfig { momentum, nesterov, .. } = *config;
    // Dampening is 0.1 in Burn unless set, and 0 in PyTorch.
    let momentum = (momentum > 0.0).then_some(MomentumConfig { momentum, dampening: 0.0, nesterov });
    optim::SgdConfig::new().with_weight_decay(penalty(config.weight_decay, decays)).with_momentum(momentum).build()
}

fn penalty(weight_decay: f64, decays: bool) -> Option<WeightDecayConfig> {
    (decays && weight_decay > 0.0).then_some(WeightDecayConfig { penalty: weight_decay as f32 })
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    /// The sum of squares of every gradient, `[1]` each.
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sums.push(gradient.square().sum());
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use burn::tensor::{Device, TensorData};
    use serde::Deserialize;
    use swath_nn::SegmenterConfig;
    use swath_nn::weights::{NamedTensor, parameter_id, parameter_kind};

    use super::*;

    #[derive(Deserialize)]
    struct Goldens {
        start: BTreeMap<String, Vec<f32>>,
        gradients: Vec<BTreeMap<String, Vec<f32>>>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        optimizer: OptimizerConfig,
        norms: Vec<f64>,
        end: BTreeMap<String, Vec<f32>>,
    }

    /// The network whose parameters the golden file holds.
    fn network() -> Segmenter {
        let text = "bands = 1\nclasses = 2\nencoder.plain = { width = 2, depth = 1 }\ndecoder.unet = {}";
        let config: SegmenterConfig = toml::from_str(text).expect("a config");
        config.init(&Device::flex().autodiff()).expect("a network")
    }

    fn with_values(network: Segmenter, values: &BTreeMap<String, Vec<f32>>) -> Segmenter {
        let mut tensors = weights::read(&network);
        for tensor in tensors.iter_mut().filter(|tensor| parameter_kind(&tensor.name) != Kind::RunningStat) {
            tensor.data.clone_from(&values[&tensor.name]);
        }
        weights::write(network, &tensors).expect("the network's own names")
    }

    fn gradients(shapes: &[NamedTensor], values: &BTreeMap<String, Vec<f32>>) -> GradientsParams {
        let mut gradients = GradientsParams::new();
        let mut seen = 0;
        for NamedTensor { name, shape, .. } in shapes {
            let Some(values) = values.get(name) else { continue };
            seen += 1;
            let data = TensorData::new(values.clone(), shape.clone());
            match shape.len() {
                1 => gradients.register(parameter_id(name), Tensor::<1>::from_data(data, &Device::flex())),
                _ => gradients.register(parameter_id(name), Tensor::<4>::from_data(data, &Device::flex())),
            }
        }
        assert_eq!(seen, values.len(), "the golden file is for another network");
        gradients
    }

    #[test]
    fn steps_equal_pytorch() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/train/optimizer_goldens.json");
        let text = std::fs::read_to_string(path).expect("the golden file");
        let goldens: Goldens = serde_json::from_str(&text).expect("the golden file");
        assert!(goldens.cases.len() >= 7, "the golden file is cut off");
        for case in &goldens.cases {
            let mut network = with_values(network(), &goldens.start);
            let mut optimizer = init(&case.optimizer, &network);
            for (values, norm) in goldens.gradients.iter().zip(&case.norms) {
                let mut gradients = gradients(&weights::read(&network), values);
                let most = case.optimizer.clip_norm().unwrap_or(f64::INFINITY);
                let found = clip_norm(&network, &mut gradients, most);
                assert!((found - norm).abs() < 1e-5 * norm, "{:?}: norm {found}, not {norm}", case.optimizer);
                network = optimizer.step(case.optimizer.lr(), network, gradients);
            }
            for tensor in weights::read(&network) {
                let Some(expected) = case.end.get(&tensor.name) else { continue };
                for (ours, theirs) in tensor.data.iter().zip(expected) {
                    let close = (ours - theirs).abs() < 2e-5;
                    assert!(close, "{:?}: {} is {ours}, not {theirs}", case.optimizer, tensor.name);
                }
            }
        }
    }

    #[test]
    fn clipping_leaves_short_and_broken_gradients_alone() {
        let network = network();
        let shapes = weights::read(&network);
        let id = parameter_id("head.conv.bias");
        let clipped = |values: [f32; 2], most: f64| {
            let values = BTreeMap::from([("head.conv.bias".to_owned(), values.to_vec())]);
            let mut gradients = gradients(&shapes, &values);
            let norm = clip_norm(&network, &mut gradients, most);
            let left = gradients.get::<1>(id).expect("the gradient").into_data();
            (norm, left.try_to_vec::<f32>().expect("floats"))
        };
        assert_eq!(clipped([3.0, 4.0], 10.0), (5.0, vec![3.0, 4.0]));
        assert_eq!(clipped([3.0, 4.0], 2.5), (5.0, vec![1.5, 2.0]));
        assert_eq!(clipped([0.0, 0.0], 1.0), (0.0, vec![0.0, 0.0]));
        let (norm, left) = clipped([f32::INFINITY, 1.0], 1.0);
        assert!(norm.is_infinite() && left[1] == 1.0);
        assert_eq!(clip_norm(&network, &mut GradientsParams::new(), 1.0), 0.0);
    }
}
