//! The metrics against scikit-learn and SciPy on random arrays: `fixtures/metrics/make_goldens.py` writes the file.

use serde::Deserialize;

use super::{CalibrationError, Confusion, Scores, fit_temperature};

#[derive(Deserialize)]
struct Goldens {
    labels: Vec<LabelCase>,
    calibration: CalibrationCase,
}

#[derive(Deserialize)]
struct LabelCase {
    name: String,
    classes: usize,
    reference: String,
    predicted: String,
    confusion: Vec<Vec<u64>>,
    accuracy: f64,
    precision: Vec<f64>,
    recall: Vec<f64>,
    f1: Vec<f64>,
    jaccard: Vec<f64>,
    support: Vec<u64>,
    mean_iou: f64,
    balanced_accuracy: f64,
    kappa: f64,
}

#[derive(Deserialize)]
struct CalibrationCase {
    classes: usize,
    logits: Vec<f32>,
    labels: Vec<u16>,
    ece: f64,
    nll_before: f64,
    nll_after: f64,
    temperature: f64,
}

fn goldens() -> Goldens {
    serde_json::from_str(include_str!("../../../../fixtures/metrics/goldens.json")).unwrap()
}

/// One letter for each pixel: `a` is class 0.
fn labels(text: &str) -> Vec<u16> {
    text.bytes().map(|letter| u16::from(letter - b'a')).collect()
}

fn assert_close(what: &str, ours: Option<f64>, theirs: f64, tolerance: f64) {
    let ours = ours.unwrap_or_else(|| panic!("{what}: undefined here, {theirs} there"));
    assert!((ours - theirs).abs() <= tolerance, "{what}: {ours} here, {theirs} there");
}

#[test]
fn scores_agree_with_scikit_learn() {
    let cases = goldens().labels;
    assert!(cases.len() >= 4);
    for case in cases {
        let confusion = Confusion::from_labels(case.classes, &labels(&case.reference), &labels(&case.predicted));
        assert_eq!(confusion.rows(), case.confusion, "{}", case.name);
        let scores = Scores::new(&confusion);
        let close = |what: &str, ours, theirs| assert_close(&format!("{}: {what}", case.name), ours, theirs, 1e-12);
        close("accuracy", scores.accuracy, case.accuracy);
        close("mean IoU", scores.mean_iou, case.mean_iou);
        close("balanced accuracy", scores.mean_class_accuracy, case.balanced_accuracy);
        close("kappa", scores.kappa, case.kappa);
        for class in &scores.classes {
            let i = class.class;
            assert_eq!(class.support, case.support[i]);
            close("precision", class.precision, case.precision[i]);
            close("recall", class.recall, case.recall[i]);
            close("F1", class.f1, case.f1[i]);
            close("Jaccard", class.iou, case.jaccard[i]);
        }
    }
}

#[test]
fn calibration_agrees_with_scikit_learn_and_scipy() {
    let case = goldens().calibration;
    let mut ece = CalibrationError::new(CalibrationError::BINS);
    for (logits, &label) in case.logits.chunks(case.classes).zip(&case.labels) {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|z| (z - largest).exp()).sum();
        ece.add(1.0 / sum, logits[usize::from(label)] == largest);
    }
    assert_close("ECE", ece.value(), case.ece, 1e-6);
    let fitted = fit_temperature(&case.logits, &case.labels, case.classes).unwrap();
    assert_close("temperature", Some(fitted.temperature), case.temperature, 1e-5);
    assert_close("NLL at T = 1", Some(fitted.nll_before), case.nll_before, 1e-6);
    assert_close("NLL at the fitted T", Some(fitted.nll_after), case.nll_after, 1e-6);
}
