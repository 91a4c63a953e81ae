//! Losses: PyTorch's values and gradients, finite differences, and batches with nothing to learn from.

use burn::tensor::{Device, Int, Tensor, TensorData};
use proptest::prelude::*;
use serde::Deserialize;
use swath_nn::loss::{CrossEntropyConfig, LossConfig, SoftIouConfig, Term, corner_distance};

#[derive(Deserialize)]
struct Goldens {
    shape: [usize; 4],
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    terms: Vec<Term>,
    logits: Vec<f32>,
    labels: Vec<i64>,
    loss: f32,
    gradient: Vec<f32>,
}

/// Loss and gradient by the logits.
fn loss(config: &LossConfig, shape: [usize; 4], logits: &[f32], labels: &[i64]) -> (f32, Vec<f32>) {
    let device = Device::flex().autodiff();
    let [n, classes, h, w] = shape;
    let logits = Tensor::<4>::from_data(TensorData::new(logits.to_vec(), shape), &device).require_grad();
    let labels = Tensor::<3, Int>::from_data(TensorData::new(labels.to_vec(), [n, h, w]), &device);
    let loss = config.init(classes).unwrap().forward(logits.clone(), labels);
    let gradients = loss.backward();
    let gradient = logits.grad(&gradients).unwrap();
    (loss.into_scalar(), gradient.into_data().try_to_vec().unwrap())
}

/// Every term, with every option.
fn everything() -> LossConfig {
    let class_weights = Some(vec![0.5, 2.0, 1.0]);
    LossConfig {
        terms: vec![
            Term::CrossEntropy(CrossEntropyConfig { weight: 0.8, class_weights, label_smoothing: 0.1 }),
            Term::SoftIou(SoftIouConfig { weight: 1.7 }),
        ],
    }
}

#[test]
fn losses_and_gradients_equal_pytorch() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/nn/loss_goldens.json");
    let goldens: Goldens = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(goldens.cases.len() >= 9, "the golden file is cut off");
    for case in goldens.cases {
        let config = LossConfig { terms: case.terms };
        let (value, gradient) = loss(&config, goldens.shape, &case.logits, &case.labels);
        assert!((value - case.loss).abs() < 1e-5, "{}: {value} instead of {}", case.name, case.loss);
        for (at, (ours, theirs)) in gradient.iter().zip(&case.gradient).enumerate() {
            assert!((ours - theirs).abs() < 1e-6, "{}: gradient {at} is {ours}, not {theirs}", case.name);
        }
    }
}

#[test]
fn a_batch_with_nothing_to_learn_from_moves_nothing() {
    let logits: Vec<f32> = (0..24).map(|i| (i as f32 * 1.7).sin() * 50.0).collect();
    for label in [-1, 3, 255, 65535] {
        let (value, gradient) = loss(&everything(), [2, 3, 2, 2], &logits, &[label; 8]);
        assert_eq!(value, 0.0);
        assert!(gradient.iter().all(|g| *g == 0.0), "label {label}: {gradient:?}");
    }
    let class_weights = Some(vec![0.0, 1.0, 1.0]);
    let weighted = CrossEntropyConfig { class_weights, ..Default::default() };
    let config = LossConfig { terms: vec![Term::CrossEntropy(weighted)] };
    let (value, gradient) = loss(&config, [2, 3, 2, 2], &logits, &[0; 8]);
    assert_eq!((value, gradient), (0.0, vec![0.0; 24]));
}

#[test]
fn ignored_pixels_have_no_gradient_and_extreme_logits_stay_finite() {
    let logits = [1e4, -1e4, 0.0, -1e4, 1e4, 80.0];
    let (value, gradient) = loss(&everything(), [1, 3, 1, 2], &logits, &[1, 9]);
    assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "{value} {gradient:?}");
    assert!(gradient.iter().skip(1).step_by(2).all(|g| *g == 0.0), "{gradient:?}");
}

#[test]
fn a_perfect_prediction_has_no_soft_iou_loss_also_without_some_class() {
    let config = LossConfig { terms: vec![Term::SoftIou(SoftIouConfig::default())] };
    let (value, _) = loss(&config, [1, 3, 1, 2], &[40.0, 0.0, 0.0, 40.0, 0.0, 0.0], &[0, 1]);
    assert!(value.abs() < 1e-6, "{value}");
}

#[test]
fn the_loss_of_many_pixels_keeps_its_digits() {
    let pixels = 1 << 18;
    let config = LossConfig::default();
    let (value, _) = loss(&config, [1, 2, 512, 512], &vec![0.3; 2 * pixels], &vec![1; pixels]);
    assert!((value - std::f32::consts::LN_2).abs() < 1e-5, "{value}");
}

#[test]
fn configs_that_cannot_be_minimized_are_refused() {
    let refused = |term: &str, words: &str| {
        let config: LossConfig = toml::from_str(&format!("terms = [{term}]")).unwrap();
        let error = config.init(3).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused("", "terms is empty");
    refused("{ soft_iou = { weight = 0 } }", "terms[0].soft_iou.weight is 0");
    refused("{ cross_entropy = { class_weights = [1, 1] } }", "is 2 numbers for 3 classes");
    refused("{ cross_entropy = { class_weights = [0, 0, 0] } }", "not all may be 0");
    refused("{ cross_entropy = { label_smoothing = 1.5 } }", "label_smoothing is 1.5");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn gradients_are_the_slopes_of_the_loss(
        logits in prop::collection::vec(-3.0..3.0f32, 18),
        labels in prop::collection::vec(-1..4i64, 6),
        at in 0..18usize,
    ) {
        const STEP: f32 = 1e-2;
        let shape = [2, 3, 1, 3];
        let config = everything();
        let (_, gradient) = loss(&config, shape, &logits, &labels);
        let moved = |by: f32| {
            let mut logits = logits.clone();
            logits[at] += by;
            loss(&config, shape, &logits, &labels).0
        };
        let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        prop_assert!((gradient[at] - slope).abs() < 2e-4, "{} instead of {slope}", gradient[at]);
    }
}

/// Deep supervision: the mean of the losses of its outputs.
#[test]
fn several_outputs_are_trained_by_their_mean_loss() {
    let device = Device::flex();
    let config = everything();
    let loss = config.init(3).unwrap();
    let logits = |seed: f32| {
        let values: Vec<f32> = (0..2 * 3 * 4 * 5).map(|i| (i as f32 * 0.7 + seed).sin()).collect();
        Tensor::<4>::from_data(TensorData::new(values, [2, 3, 4, 5]), &device)
    };
    let labels: Vec<i64> = (0..40).map(|i| i % 4).collect();
    let labels = Tensor::<3, Int>::from_data(TensorData::new(labels, [2, 4, 5]), &device);
    let of = |outputs: &[Tensor<4>]| loss.forward_each(outputs.to_vec(), labels.clone()).into_scalar::<f32>();
    let [a, b] = [logits(0.0), logits(2.0)];
    let single = |x: &Tensor<4>| loss.forward(x.clone(), labels.clone()).into_scalar::<f32>();
    assert_eq!(of(std::slice::from_ref(&a)), single(&a));
    assert!((single(&a) - single(&b)).abs() > 1e-2, "the outputs have different losses");
    assert!((of(&[a.clone(), b.clone()]) - (single(&a) + single(&b)) / 2.0).abs() < 1e-6);
}

/// Loss and gradient of outlines of `corners` corners.
fn outline_loss(outlines: &[f32], truth: &[f32], corners: usize) -> (f32, Vec<f32>) {
    let device = Device::flex().autodiff();
    let shape = [outlines.len() / (2 * corners), 2 * corners];
    let tensor = |values: &[f32]| Tensor::<2>::from_data(TensorData::new(values.to_vec(), shape), &device);
    let outlines = tensor(outlines).require_grad();
    let loss = corner_distance(outlines.clone(), tensor(truth));
    let gradients = loss.backward();
    let gradient = outlines.grad(&gradients).unwrap();
    (loss.into_scalar(), gradient.into_data().try_to_vec().unwrap())
}

/// The same in 64 bits, every shift tried.
fn least_distance(outlines: &[f64], truth: &[f32], corners: usize) -> f64 {
    let batch = outlines.len() / (2 * corners);
    let of_one = |one: usize| {
        let at = |corner: usize| 2 * (one * corners + corner % corners);
        let found = |number: usize| 1.0 / (1.0 + (-outlines[number]).exp());
        let shifted = |by: usize| {
            let apart = |corner: usize| {
                let (p, t) = (at(corner), at(corner + by));
                (found(p) - f64::from(truth[t])).hypot(found(p + 1) - f64::from(truth[t + 1]))
            };
            (0..corners).map(apart).sum::<f64>() / corners as f64
        };
        (0..corners).map(shifted).fold(f64::INFINITY, f64::min)
    };
    (0..batch).map(of_one).sum::<f64>() / batch as f64
}

#[test]
fn the_first_corner_does_not_matter_and_a_perfect_outline_has_a_slope() {
    let truth = [0.2, 0.3, 0.8, 0.25, 0.75, 0.7, 0.3, 0.6f32];
    let logit = |value: &f32| (value / (1.0 - value)).ln();
    for first in 0..4 {
        let turned: Vec<f32> = truth.iter().cycle().skip(2 * first).take(8).map(logit).collect();
        let (value, gradient) = outline_loss(&turned, &truth, 4);
        assert!(value < 2e-6, "from corner {first}: {value}");
        assert!(gradient.iter().all(|slope| slope.is_finite()), "{gradient:?}");
    }
    // The other way round is another outline.
    let reversed: Vec<f32> = (0..4).rev().flat_map(|corner| [truth[2 * corner], truth[2 * corner + 1]]).collect();
    assert!(outline_loss(&reversed.iter().map(logit).collect::<Vec<_>>(), &truth, 4).0 > 0.1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn outlines_have_the_least_distance_of_all_shifts(
        corners in 3..6usize,
        outlines in prop::collection::vec(-3.0..3.0f32, 30),
        truth in prop::collection::vec(0.0..1.0f32, 30),
        at in 0..18usize,
    ) {
        // Three outlines.
        let numbers = 6 * corners;
        let (outlines, truth) = (&outlines[..numbers], &truth[..numbers]);
        let wide: Vec<f64> = outlines.iter().map(|value| f64::from(*value)).collect();
        let (value, gradient) = outline_loss(outlines, truth, corners);
        let expected = least_distance(&wide, truth, corners);
        prop_assert!((f64::from(value) - expected).abs() < 1e-6, "{value} instead of {expected}");
        let moved = |by: f64| {
            let mut moved = wide.clone();
            moved[at] += by;
            least_distance(&moved, truth, corners)
        };
        let (before, after) = ((expected - moved(-1e-6)) / 1e-6, (moved(1e-6) - expected) / 1e-6);
        // Where one shift gives way to another the loss has a corner, and no slope to compare with.
        prop_assume!((before - after).abs() < 1e-4);
        prop_assert!((f64::from(gradient[at]) - after).abs() < 2e-4, "{} instead of {after}", gradient[at]);
    }
}
