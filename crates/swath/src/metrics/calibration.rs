//! Calibration: is a confidence of 0.8 right in 80 % of the cases?
//!
//! Papers: Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015
//! (expected calibration error); Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017
//! (temperature scaling).
//! What differs: the temperature is found by Newton steps kept inside a shrinking bracket, in b = 1 / T, where the
//! negative log-likelihood is convex; the paper uses L-BFGS.

use serde::{Deserialize, Serialize};

use crate::IGNORE;

/// Expected calibration error, gathered pixel by pixel.
///
/// Confidences fall into equal bins (lo, hi]; with n_b pixels in bin b of N,
/// ECE = sum over b of n_b / N |accuracy_b - mean confidence_b|.
///
/// ```
/// use swath::metrics::CalibrationError;
/// let mut ece = CalibrationError::new(15);
/// for correct in [true, true, true, false] {
///     ece.add(0.5, correct);
/// }
/// assert_eq!(ece.value(), Some(0.25));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationError {
    bins: Vec<Bin>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bin {
    count: u64,
    correct: u64,
    confidence: f64,
}

impl CalibrationError {
    /// The usual number of bins.
    pub const BINS: usize = 15;

    /// An empty measure.
    ///
    /// # Panics
    /// When `bins` is 0.
    pub fn new(bins: usize) -> Self {
        assert!(bins > 0, "a calibration error needs at least one bin");
        Self { bins: vec![Bin::default(); bins] }
    }

    /// Counts one pixel: the score of the chosen class, 0 to 1, and whether the choice was right.
    pub fn add(&mut self, confidence: f32, correct: bool) {
        let confidence = f64::from(confidence).clamp(0.0, 1.0);
        let last = self.bins.len() - 1;
        let bin = ((confidence * self.bins.len() as f64).ceil() as usize).saturating_sub(1).min(last);
        let bin = &mut self.bins[bin];
        bin.count += 1;
        bin.correct += u64::from(correct);
        bin.confidence += confidence;
    }

    /// Adds the pixels of another measure.
    ///
    /// # Panics
    /// When the numbers of bins differ.
    pub fn merge(&mut self, other: &Self) {
        assert_eq!(self.bins.len(), other.bins.len(), "measures of different numbers of bins");
        for (bin, more) in self.bins.iter_mut().zip(&other.bins) {
            bin.count += more.count;
            bin.correct += more.correct;
            bin.confidence += more.confidence;
        }
    }

    /// The error, 0 to 1; `None` before the first pixel.
    pub fn value(&self) -> Option<f64> {
        let total: u64 = self.bins.iter().map(|bin| bin.count).sum();
        let gap: f64 = self.bins.iter().map(|bin| (bin.correct as f64 - bin.confidence).abs()).sum();
        (total > 0).then(|| gap / total as f64)
    }
}

/// A fitted temperature; calibrated scores are softmax(logits / temperature).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Temperature {
    /// T, between 0.01 and 100.
    pub temperature: f64,
    /// Mean negative log-likelihood of the labels at T = 1.
    pub nll_before: f64,
    /// The same at the fitted temperature.
    pub nll_after: f64,
    /// Labelled samples used.
    pub samples: usize,
}

/// Fits one temperature to labelled logits by the mean negative log-likelihood.
///
/// With b = 1 / T, z the logits of a sample, y its label and p = softmax(b z), the likelihood's slope is
/// mean(sum over c of p_c z_c - z_y): it grows with b, so that its zero is found by bisection with Newton steps.
/// `None` when no sample is labelled.
///
/// # Shapes
/// - `logits`: `[samples, classes]`
/// - `labels`: `[samples]`, [`IGNORE`] allowed
///
/// # Panics
/// When the shapes do not fit or a label is neither a class nor [`IGNORE`].
pub fn fit_temperature(logits: &[f32], labels: &[u16], classes: usize) -> Option<Temperature> {
    assert_eq!(logits.len(), labels.len() * classes, "logits must be [samples, classes]");
    let samples = labels.iter().filter(|&&label| label != IGNORE).count();
    if samples == 0 {
        return None;
    }
    let (mut low, mut high) = (0.01, 100.0);
    let mut b = 1.0;
    for _ in 0..200 {
        let at = likelihood(logits, labels, classes, b);
        if at.slope > 0.0 {
            high = b;
        } else {
            low = b;
        }
        let newton = b - at.slope / at.curvature;
        let next = if newton > low && newton < high { newton } else { f64::midpoint(low, high) };
        let step = (next - b).abs();
        b = next;
        if step <= 1e-12 * b {
            break;
        }
    }
    Some(Temperature {
        temperature: 1.0 / b,
        nll_before: likelihood(logits, labels, classes, 1.0).nll,
        nll_after: likelihood(logits, labels, classes, b).nll,
        samples,
    })
}

struct Likelihood {
    nll: f64,
    slope: f64,
    curvature: f64,
}

/// Mean negative log-likelihood and its first two derivatives by b = 1 / T.
fn likelihood(logits: &[f32], labels: &[u16], classes: usize, b: f64) -> Likelihood {
    let (mut nll, mut slope, mut curvature, mut samples) = (0.0, 0.0, 0.0, 0.0);
    for (z, &label) in logits.chunks(classes).zip(labels) {
        if label == IGNORE {
            continue;
        }
        let chosen = f64::from(z[usize::from(label)]);
        let largest = f64::from(z.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for &z in z {
            // Relative to the largest logit, so that no exponential overflows.
            let z = f64::from(z) - largest;
            let e = (b * z).exp();
            sum += e;
            first += e * z;
            second += e * z * z;
        }
        let mean = first / sum;
        nll += sum.ln() - b * (chosen - largest);
        slope += mean - (chosen - largest);
        curvature += second / sum - mean * mean;
        samples += 1.0;
    }
    Likelihood { nll: nll / samples, slope: slope / samples, curvature: curvature / samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn certain_and_right_is_perfectly_calibrated() {
        let mut ece = CalibrationError::new(CalibrationError::BINS);
        assert_eq!(ece.value(), None);
        (0..10).for_each(|_| ece.add(1.0, true));
        assert_eq!(ece.value(), Some(0.0));
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let (mut whole, mut a, mut b) =
            (CalibrationError::new(15), CalibrationError::new(15), CalibrationError::new(15));
        for i in 0..64 {
            let (confidence, correct) = (i as f32 / 64.0, i % 3 == 0);
            whole.add(confidence, correct);
            if i % 2 == 0 { &mut a } else { &mut b }.add(confidence, correct);
        }
        a.merge(&b);
        assert_eq!(a, whole);
    }

    #[test]
    fn no_labelled_sample_gives_no_temperature() {
        assert_eq!(fit_temperature(&[1.0, 2.0], &[IGNORE], 2), None);
    }

    #[test]
    fn labels_that_are_always_right_sharpen_to_the_limit() {
        let fitted = fit_temperature(&[1.0, 0.0, 0.0, 1.0], &[0, 1], 2).unwrap();
        assert!((fitted.temperature - 0.01).abs() < 1e-6, "{fitted:?}");
    }

    proptest! {
        #[test]
        fn scaling_the_logits_scales_the_temperature(
            samples in prop::collection::vec((-3.0..3.0f32, -3.0..3.0f32, 0u16..2), 40..80),
            scale in 0.5..4.0f32,
        ) {
            let logits: Vec<f32> = samples.iter().flat_map(|&(a, b, _)| [a, b]).collect();
            let labels: Vec<u16> = samples.iter().map(|&(_, _, label)| label).collect();
            let scaled: Vec<f32> = logits.iter().map(|z| z * scale).collect();
            let one = fit_temperature(&logits, &labels, 2).unwrap();
            let two = fit_temperature(&scaled, &labels, 2).unwrap();
            prop_assert!(one.nll_after <= one.nll_before + 1e-12);
            // At the limits of the range the two cannot follow each other.
            if (0.05..20.0).contains(&one.temperature) {
                prop_assert!((two.temperature / one.temperature / f64::from(scale) - 1.0).abs() < 1e-4);
            }
        }
    }
}
