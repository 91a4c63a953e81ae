//! First weights, drawn from a seed and each parameter's name.
//!
//! He, Zhang, Ren, Sun: *Delving Deep into Rectifiers*. ICCV 2015. <https://arxiv.org/abs/1502.01852>
//!
//! Convolutions before a rectifier get variance `2 / fan_in` (the paper's equation 10, which U-Net takes too);
//! torchvision's ResNets take `fan_out` (equation 14), which the paper calls as good. Layers without a rectifier
//! behind them, class scores, attention and what upsamples, get `1 / fan_in`. Normalization starts as the
//! identity, biases as zero, FCN's upsampling as bilinear interpolation, a context module as the identity.
//!
//! Values are uniform on `[-sqrt(3 v), sqrt(3 v)]` for variance v, since that takes nothing but multiplications:
//! every machine and device draws the same bits. They depend on the seed, the name and the shape alone, so a layer
//! added elsewhere changes no other.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use super::path::{Path, hash};
use super::{Kind, parameter_id, parameter_kind};
use crate::segmenter::Segmenter;

/// The network with fresh weights. Also sets every parameter's id to [`parameter_id`](super::parameter_id) of its name.
pub fn initialize(segmenter: Segmenter, seed: u64) -> Segmenter {
    // Settles batch statistics that would otherwise overwrite the fresh ones.
    drop(segmenter.valid());
    segmenter.map(&mut Initializer { path: Path::default(), seed, classes: 0 })
}

struct Initializer {
    path: Path,
    seed: u64,
    /// Classes of the context module that the walk is in: the channels that its first layer takes.
    classes: usize,
}

impl ModuleMapper for Initializer {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.name();
        let shape = param.lazy_shape().to_vec();
        let data = TensorData::new(self.values(&name, &shape), shape);
        let mut fresh = Param::from_tensor(Tensor::from_data(data, &param.lazy_device()));
        fresh.id = parameter_id(&name);
        fresh
    }
}

impl Initializer {
    fn values(&mut self, name: &str, shape: &[usize]) -> Vec<f32> {
        let count = shape.iter().product();
        match parameter_kind(name) {
            Kind::Bias => vec![0.0; count],
            Kind::Norm | Kind::RunningStat => match self.path.field() {
                "gamma" | "running_var" => vec![1.0; count],
                _ => vec![0.0; count],
            },
            Kind::LayerScale => vec![LAYER_SCALE; count],
            Kind::PositionBias => self.drawn(name, POSITION_BIAS, count),
            Kind::Weight if self.path.within("BilinearUp") => bilinear(shape),
            Kind::Weight if self.path.within("Context") => {
                if name.ends_with(".layers.0.weight") {
                    self.classes = shape[1];
                }
                identity(shape, self.classes, uniform(self.seed, name))
            }
            Kind::Weight => self.drawn(name, self.variance(shape), count),
        }
    }

    fn drawn(&self, name: &str, variance: f64, count: usize) -> Vec<f32> {
        let bound = (3.0 * variance).sqrt();
        uniform(self.seed, name).take(count).map(|u| (u * bound) as f32).collect()
    }

    fn variance(&self, shape: &[usize]) -> f64 {
        if self.path.within("ConvTranspose2d") {
            let (inputs, taps) = (shape[0] as f64, (shape[2] * shape[3]) as f64);
            return match self.path.within("DeconvNorm") {
                // Of stride 1, before a rectifier.
                true => 2.0 / (inputs * taps),
                // Of stride 2: each output pixel sees a quarter of the taps, one of 2x2.
                false => 4.0 / (inputs * taps),
            };
        }
        let fan_in: usize = shape[1..].iter().product();
        let linear = ["Head", "Attention", "WindowAttention", "PixelShuffle", "MaxUnpooling"]
            .iter()
            .any(|name| self.path.within(name));
        let gain = if linear { 1.0 } else { 2.0 };
        gain / fan_in as f64
    }
}

/// Scales of ConvNeXt's branches, as in its paper.
const LAYER_SCALE: f32 = 1e-6;
/// Variance of Swin's position biases, as in its paper.
const POSITION_BIAS: f64 = 0.02 * 0.02;

/// Kernel `[class, class, 4, 4]` of twofold bilinear interpolation, each class for itself.
fn bilinear(shape: &[usize]) -> Vec<f32> {
    const LINE: [f32; 4] = [0.25, 0.75, 0.75, 0.25];
    let (classes, mut data) = (shape[1], Vec::with_capacity(shape.iter().product()));
    for pair in 0..shape[0] * classes {
        let same = if pair / classes == pair % classes { 1.0 } else { 0.0 };
        data.extend(LINE.iter().flat_map(|y| LINE.map(|x| same * y * x)));
    }
    data
}

/// Kernel `[c', c, k, k]` of a context module's layer, which hands on each class (Yu and Koltun 2016, section 3): between channels
/// of the same class the centre is `classes / c'`. Where a class has several channels, small noise tells them apart.
fn identity(shape: &[usize], classes: usize, noise: impl Iterator<Item = f64>) -> Vec<f32> {
    let [outputs, inputs, taps] = [shape[0], shape[1], shape[2] * shape[3]];
    let weight = classes as f64 / outputs as f64;
    let noise_scale = if outputs == inputs && inputs == classes { 0.0 } else { 0.01 * weight };
    let value = |(index, noise): (usize, f64)| {
        let (output, input, tap) = (index / taps / inputs, index / taps % inputs, index % taps);
        let same = output * classes / outputs == input * classes / inputs && tap == taps / 2;
        (if same { weight } else { 0.0 } + noise * noise_scale) as f32
    };
    (0..outputs * inputs * taps).zip(noise).map(value).collect()
}

/// Endless uniform numbers from -1 to 1, of a seed and a name (SplitMix64).
fn uniform(seed: u64, name: &str) -> impl Iterator<Item = f64> {
    let mut state = hash(name) ^ mix(seed);
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        (mix(state) >> 11) as f64 * (2.0 / (1u64 << 53) as f64) - 1.0
    })
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_uniform_and_depend_on_seed_and_name() {
        let draw = |seed, name| uniform(seed, name).take(10_000).collect::<Vec<f64>>();
        let numbers = draw(1, "encoder.conv.weight");
        let mean = numbers.iter().sum::<f64>() / 10_000.0;
        let variance = numbers.iter().map(|u| u * u).sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((variance - 1.0 / 3.0).abs() < 0.01, "{variance}");
        assert!(numbers.iter().all(|u| (-1.0..1.0).contains(u)));
        assert_ne!(numbers[..4], draw(2, "encoder.conv.weight")[..4]);
        assert_ne!(numbers[..4], draw(1, "encoder.conv.bias")[..4]);
    }

    #[test]
    fn context_modules_hand_classes_on() {
        let basic = identity(&[2, 2, 3, 3], 2, uniform(1, "a"));
        let mut expected = vec![0.0; 36];
        (expected[4], expected[31]) = (1.0, 1.0);
        assert_eq!(basic, expected);
        // From 2 to 4 channels of 2 classes, and back: the middle of each kernel, without noise.
        let silent = || std::iter::repeat(0.0);
        assert_eq!(identity(&[4, 2, 1, 1], 2, silent()), [0.5, 0.0, 0.5, 0.0, 0.0, 0.5, 0.0, 0.5]);
        assert_eq!(identity(&[2, 4, 1, 1], 2, silent()), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        let noisy = identity(&[4, 2, 3, 3], 2, uniform(1, "a"));
        assert!(noisy.iter().all(|&value| value != 0.0 && (value.abs() < 0.005 || (value - 0.5).abs() < 0.005)));
    }

    #[test]
    fn bilinear_keeps_classes_apart_and_constants_constant() {
        let kernel = bilinear(&[2, 2, 4, 4]);
        assert_eq!(kernel[..16].iter().sum::<f32>(), 4.0);
        assert!(kernel[16..48].iter().all(|&value| value == 0.0));
        assert_eq!(kernel[..4], [0.0625, 0.1875, 0.1875, 0.0625]);
    }
}
