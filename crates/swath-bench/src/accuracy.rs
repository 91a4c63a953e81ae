//! How far results are from the reference.

/// Distance of logits or gradients from those in double precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Accuracy {
    /// Root mean square of the difference over the standard deviation of the reference.
    pub(crate) error: f64,
    /// Share of the pixels whose largest logit is the reference's, for logits.
    pub(crate) agreement: Option<f64>,
}

/// Compares `[chip, class, pixel]`, or one row of values where `classes` is 1.
pub(crate) fn accuracy(found: &[f32], expected: &[f64], classes: usize, pixels: usize) -> anyhow::Result<Accuracy> {
    let count = expected.len();
    anyhow::ensure!(found.len() == count && count > 0, "{} values stand against {count}", found.len());
    let mean = expected.iter().sum::<f64>() / count as f64;
    let variance = expected.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    let squares = found.iter().zip(expected).map(|(found, value)| (f64::from(*found) - value).powi(2)).sum::<f64>();
    let agreement = (classes > 1).then(|| {
        let chip = classes * pixels;
        let best = |value: &dyn Fn(usize) -> f64, start: usize| {
            (0..classes).max_by(|a, b| value(start + a * pixels).total_cmp(&value(start + b * pixels)))
        };
        let starts = (0..count / chip).flat_map(|index| (0..pixels).map(move |pixel| index * chip + pixel));
        let same = starts.filter(|&at| best(&|i| f64::from(found[i]), at) == best(&|i| expected[i], at)).count();
        same as f64 / (count / classes) as f64
    });
    Ok(Accuracy { error: (squares / variance).sqrt(), agreement })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_in_standard_deviations_and_agreement_by_pixel() {
        // Two chips of two classes and two pixels; one pixel of the second chip goes to the other class.
        let expected = [1.0, -1.0, -1.0, 1.0, 1.0, 1.0, -1.0, -1.0];
        let mut found = expected.map(|value| value as f32);
        let exact = accuracy(&found, &expected, 2, 2).unwrap();
        assert_eq!(exact, Accuracy { error: 0.0, agreement: Some(1.0) });
        found[7] = 3.0;
        let off = accuracy(&found, &expected, 2, 2).unwrap();
        assert!((off.error - 2.0_f64.sqrt()).abs() < 1e-12, "{off:?}");
        assert_eq!(off.agreement, Some(0.75));
        assert_eq!(accuracy(&found, &expected, 1, 8).unwrap().agreement, None);
        assert!(accuracy(&found[1..], &expected, 2, 2).is_err());
    }
}
